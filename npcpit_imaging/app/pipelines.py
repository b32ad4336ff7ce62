"""Run a study's pipelines: loaded by path from the study folder, every case recorded, a done case skipped."""

import fcntl
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType

from npcpit_imaging.app.collecting import collecting_rarely
from npcpit_imaging.app.ledger import Ledger
from npcpit_imaging.app.lesions import store_lesions
from npcpit_imaging.app.pipeline_step import StudyStep, attempt_case, load_pipeline, pipeline_digest, subject_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import FlowError, InputError, NpcpitError
from npcpit_imaging.flow.groups import in_groups
from npcpit_imaging.flow.processes import in_processes
from npcpit_imaging.flow.run import Case, Crew, Outcome, Status, run_cases
from npcpit_imaging.store.images import subjects

PIPELINES = ("receive", "baseline", "followup", "respond", "radiomics", "deliver")
"""The imaging charter's steps, in the order in which they make sense."""


MEASURING = ("baseline", "followup")
"""The pipelines that rest on tables/lesions.csv."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBy:
    """Who does the cases of a pipeline.

    Args:
        workers: Processes of this machine; 1: this process itself.
        cluster: Address of a Dask scheduler instead, e.g. ``tcp://10.0.0.5:8786``.

    Raises:
        InputError: Both are named, or no worker.
    """

    workers: int = 1
    cluster: str = ""

    def __post_init__(self) -> None:
        if self.workers < 1 or (self.cluster and self.workers > 1):
            raise InputError(f"workers: expected 1 or more, or a cluster instead, found {self.workers} {self.cluster}")

    @property
    def is_this_process(self) -> bool:
        """Whether nobody else is asked."""
        return self.workers == 1 and not self.cluster

    def crew(self, *, sqlite: bool) -> Crew:
        """The processes or the cluster; a store on SQLite binds the workers to this machine."""
        if self.cluster:
            from npcpit_imaging.flow.cluster import in_cluster

            return partial(in_cluster, address=self.cluster, one_host=sqlite)
        return partial(in_processes, workers=self.workers)


def run_pipeline(
    study: Study,
    name: str,
    *,
    again: bool = False,
    subject: str = "",
    on_start: Callable[[int], None] = lambda _: None,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
    crew: RunBy = RunBy(),
) -> list[Outcome]:
    """Run one pipeline of a study over all its cases.

    Args:
        study: The study.
        name: Which pipeline, a file of the study's pipelines folder.
        again: Also run cases that are done with the same inputs.
        subject: Only this subject's cases; what stands for the whole study (tables) is left out.
        on_start: Told the number of cases.
        on_outcome: Told each outcome as it comes.
        crew: Who does the cases.

    Returns:
        One outcome per case, in order.

    Raises:
        InputError: There is no such pipeline, or no such subject.
        FlowError: The pipeline file cannot be loaded, or gives no cases, or the same pipeline is running already, or
            the cluster was lost.
    """
    path = _pipeline_file(study, name)
    with _alone(study, name), collecting_rarely():
        return _run(study, path, again=again, subject=subject, on_start=on_start, on_outcome=on_outcome, crew=crew)


@contextmanager
def _alone(study: Study, name: str) -> Iterator[None]:
    """Hold the study's lock of a pipeline; the system gives it back when the process ends, however it ends."""
    with (study.folder / f".{name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FlowError(
                f"pipeline {name}: already running in study {study.folder.name}; wait for it to end"
            ) from error
        yield


def _run(
    study: Study,
    path: Path,
    *,
    again: bool,
    subject: str,
    on_start: Callable[[int], None],
    on_outcome: Callable[[Outcome], None],
    crew: RunBy,
) -> list[Outcome]:
    name, module = path.stem, load_pipeline(path)
    digest = pipeline_digest(study, path)
    cases = _of_subject(study, _cases(study, module, path), subject)
    faults = {code: why for code, why in _lesion_faults(study, name).items() if subject in ("", code)}
    on_start(len(cases))
    alone = crew.is_this_process or getattr(module, "ONE_PROCESS", False)

    def here(case: Case) -> str:
        return attempt_case(study, module, path, case, faults)

    with Ledger(study, name, digest, together=alone) as ledger:

        def record(outcome: Outcome) -> None:
            ledger.record(outcome)
            on_outcome(outcome)

        def done(case: Case) -> bool:
            return not again and subject_of(case) not in faults and ledger.is_done(case)

        by: Crew | None = None
        if not alone:
            by = crew.crew(sqlite=study.database.is_sqlite)
        elif hasattr(module, "run_many") and not faults:
            by = partial(in_groups, many=partial(module.run_many, study), after_group=ledger.write)
        elsewhere = StudyStep(folder=study.folder.resolve(), pipeline=path.name, digest=digest, faults=faults)
        outcomes = run_cases(cases, here if alone else elsewhere, is_done=done, on_outcome=record, crew=by)
    return [*outcomes, *_without_case(faults, cases)]


def _of_subject(study: Study, cases: list[Case], subject: str) -> list[Case]:
    """The cases of one subject, or all; a case that is left out is waited for by none."""
    if not subject:
        return cases
    with study.database.session() as session:
        known = subjects(session)
    if subject not in known:
        raise InputError(f"subject {subject}: expected one of {', '.join(known) or 'none yet'}")
    chosen = {case.name: case for case in cases if subject in case.name.split("/")}
    return [replace(case, after=tuple(name for name in case.after if name in chosen)) for case in chosen.values()]


def _lesion_faults(study: Study, name: str) -> dict[str, str]:
    """Why a subject's lesions are not what the table says, by subject; its cases then fail, and no other one's."""
    if name not in MEASURING or not (study.tables / "lesions.csv").exists():
        return {}
    return store_lesions(study)


def _without_case(faults: Mapping[str, str], cases: Sequence[Case]) -> list[Outcome]:
    """A failure for each subject at fault that has no case yet; not recorded, for no later case would repair it."""
    silent = [subject for subject in faults if subject not in {subject_of(case) for case in cases}]
    return [Outcome(case=Case(name=f"{each}/lesions"), status=Status.FAILED, reason=faults[each]) for each in silent]


def _pipeline_file(study: Study, name: str) -> Path:
    found = {each.stem: each for each in sorted((study.folder / "pipelines").glob("*.py"))}
    if name not in found:
        raise InputError(f"pipeline {name}: expected one of {', '.join(found)}")
    return found[name]


def _cases(study: Study, module: ModuleType, path: Path) -> list[Case]:
    try:
        found = list(module.cases(study))
    except (NpcpitError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a site may edit its pipelines, so anything can happen here, SystemExit too
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise FlowError(f"{path.name}: cases failed ({type(error).__name__} in {place.name})") from error
    if not all(isinstance(case, Case) for case in found):
        raise FlowError(f"{path.name}: expected cases to return values of Case, found something else")
    return found


def outcomes_json(outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
    """Outcomes for a program, in order."""
    return [{"case": each.case.name, "status": each.status.value, "reason": each.reason} for each in outcomes]


def all_well(outcomes: Sequence[Outcome]) -> bool:
    """Whether no case failed."""
    return all(each.status is not Status.FAILED for each in outcomes)
