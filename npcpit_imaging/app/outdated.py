"""Whose stored responses are not those of the reads, tables and protocol as they are now."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from npcpit_imaging.analysis.records import shown
from npcpit_imaging.app.ledger import unsettled_cases
from npcpit_imaging.app.pipeline_step import load_pipeline, pipeline_digest
from npcpit_imaging.app.responses import response_key, stored_cases
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import NpcpitError, OutdatedError
from npcpit_imaging.flow.run import Status
from npcpit_imaging.store.bulk import in_groups, response_keys
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.staleness import ResultKind, StaleResult

RESPOND = "respond"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseState:
    """Subjects whose stored responses cannot be taken.

    Args:
        outdated: They were computed from other reads, tables or decisions, or not at all though reads are signed.
        refused: They cannot be computed from what is there now: why, by subject. Nothing is stored of them.
    """

    outdated: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def response_state(study: Study) -> ResponseState:
    """Compare the stored responses of every subject with what they would be computed from now.

    The record of the pipeline `respond` is asked first: what it did with the same inputs, code and configuration is
    not gone through again. The others are compared by the digest of everything that a response is computed from.
    """
    unsettled = _unsettled(study)
    return _compared(study, unsettled, unsettled)


def older_responses(study: Study) -> list[str]:
    """Subjects whose responses were computed from other reads, tables or decisions; not those who have none yet."""
    unsettled = _unsettled(study)
    with study.database.session() as session:
        stored = {code for code, _ in response_keys(session)}
    return list(_compared(study, stored & unsettled.keys(), unsettled).outdated)


def as_stale(code: str, stale: Sequence[StaleResult], older: Collection[str]) -> Iterator[StaleResult]:
    """A subject's responses whose tables or decisions changed; that of a read that changed is among its stale ones."""
    if code in older and not any(each.kind is ResultKind.RESPONSE for each in stale):
        reason = "reads, tables or protocol have changed since"
        yield StaleResult(kind=ResultKind.RESPONSE, subject=code, name="", reason=reason)


def _unsettled(study: Study) -> dict[str, str]:
    """Subjects of whom the record of `respond` does not say that all is done, with why where it failed."""
    path = study.folder / "pipelines" / f"{RESPOND}.py"
    if not path.is_file():
        with study.database.session() as session:
            return dict.fromkeys(subjects(session), "")
    cases = list(load_pipeline(path).cases(study))
    runs = unsettled_cases(study, RESPOND, pipeline_digest(study, path), cases)
    return {name: run.reason if run is not None and run.outcome == Status.FAILED else "" for name, run in runs.items()}


def require_current(study: Study, codes: Collection[str]) -> None:
    """Refuse responses of subjects that are not those of their reads, tables and the protocol as they are now.

    Raises:
        OutdatedError: They are not; the message names them and the command that computes them.
        TableError: What they would be computed from cannot be used.
    """
    refuse_outdated(_compared(study, codes, {}))


def refuse_outdated(state: ResponseState) -> None:
    """Refuse responses that are out of date.

    Raises:
        OutdatedError: There are some; the message names them and the command that computes them.
    """
    if state.outdated:
        raise OutdatedError(
            f"expected responses of the reads, tables and protocol as they are now, found older ones or none of "
            f"{len(state.outdated)} subjects ({shown(state.outdated)}): run `npcpit run respond` first "
            "(with --again if it says already done)"
        )


def _compared(study: Study, codes: Collection[str], failed: Mapping[str, str]) -> ResponseState:
    digest = study.protocol.digest
    outdated: list[str] = []
    refused: dict[str, str] = {}
    for group in in_groups(sorted(codes)):
        with study.database.session() as session:
            stored: dict[str, set[str]] = {code: set() for code in group}
            for code, key in response_keys(session, group):
                stored[code].add(key)
        case_of = stored_cases(study, group)
        for code in group:
            try:
                case = case_of(code).case
            except NpcpitError as error:
                wanted, why = None, str(error)
            else:
                wanted, why = set() if case is None else {response_key(case, digest)}, failed.get(code, "")
            if why and not stored[code]:
                refused[code] = why
            elif wanted != stored[code]:
                outdated.append(code)
    return ResponseState(outdated=tuple(outdated), refused=refused)
