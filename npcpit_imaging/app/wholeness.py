"""Whether a series may be measured: nothing is computed from one that is still arriving or is known to lack objects."""

from collections.abc import Iterable

from npcpit_imaging.app.completeness import settle_when_alone
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.store.images import OPEN_STATES, SETTLED_STATES, SeriesState, SeriesSummary, series_of


def require_whole(study: Study, series_uids: Iterable[str]) -> None:
    """Let a step go on only when all of its series are whole, as far as anybody can tell.

    A series that lacks objects for good is measured once a person has named it in `completeness.accepted`.

    Raises:
        SkipCaseError: One is still arriving, or is known to lack objects; it is named with its state and reason.
    """
    wanted = set(series_uids)
    found = _unsettled(study, wanted)
    if any(each.state in OPEN_STATES for each in found):
        settle_when_alone(study)
        found = _unsettled(study, wanted)
    if found:
        raise SkipCaseError("; ".join(not_whole(study, each) for each in found))


def unsettled_series(study: Study) -> list[SeriesSummary]:
    """Every series of the study that no step measures: still arriving, or known to lack objects and not accepted."""
    return _unsettled(study, None)


def not_whole(study: Study, series: SeriesSummary) -> str:
    """Say why a series is not measured, and what helps."""
    why = f" ({series.state_reason})" if series.state_reason else ""
    if series.state is SeriesState.INCOMPLETE:
        helps = "send or pull what is missing, or name it in completeness.accepted of site.toml"
    else:
        helps = f"it is judged after {study.site.completeness.settle_s:g} s without a new object"
    return (
        f"series {series.uid}: expected a whole series, found it {series.state} "
        f"with {series.instances} objects{why}; {helps}"
    )


def _unsettled(study: Study, wanted: set[str] | None) -> list[SeriesSummary]:
    with study.database.session() as session:
        found = series_of(session)
    accepted = study.site.completeness.accepted
    return [
        each
        for each in found
        if (wanted is None or each.uid in wanted)
        and each.state not in SETTLED_STATES
        and not (each.state is SeriesState.INCOMPLETE and each.uid in accepted)
    ]
