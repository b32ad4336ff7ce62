"""Run a study's pipelines: loaded by path from the study folder, every case recorded, a done case skipped."""

import fcntl
import hashlib
import importlib.util
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType

import npcpit_imaging
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.lesions import store_lesions
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import FlowError, InputError, NpcpitError
from npcpit_imaging.flow.run import ALREADY_DONE, Case, Outcome, Status, run_cases
from npcpit_imaging.store.runs import is_done, put_run
from npcpit_imaging.store.schema import RunRow

PIPELINES = ("receive", "baseline", "followup", "respond", "radiomics", "deliver")
"""The imaging charter's steps, in the order in which they make sense."""


MEASURING = ("baseline", "followup")
"""The pipelines that rest on tables/lesions.csv."""


def run_pipeline(
    study: Study,
    name: str,
    *,
    again: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Run one pipeline of a study over all its cases.

    Args:
        study: The study.
        name: Which pipeline, a file of the study's pipelines folder.
        again: Also run cases that are done with the same inputs.
        on_start: Told the number of cases.
        on_outcome: Told each outcome as it comes.

    Returns:
        One outcome per case, in order.

    Raises:
        InputError: There is no such pipeline.
        FlowError: The pipeline file cannot be loaded, or gives no cases, or the same pipeline is running already.
    """
    path = _pipeline_file(study, name)
    with _alone(study, name):
        return _run(study, path, again=again, on_start=on_start, on_outcome=on_outcome)


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
    on_start: Callable[[int], None],
    on_outcome: Callable[[Outcome], None],
) -> list[Outcome]:
    name, module = path.stem, _load(path)
    digest = _digest(study, path)
    cases = _cases(study, module, path)
    faults = _lesion_faults(study, name)
    on_start(len(cases))
    started = {"at": study.now()}

    def record(outcome: Outcome) -> None:
        _record(study, name, _key(digest, outcome.case), outcome, started["at"])
        started["at"] = study.now()
        on_outcome(outcome)

    def done(case: Case) -> bool:
        with study.database.session() as session:
            redo = again or _subject(case) in faults
            return not redo and is_done(session, name, case.name, _key(digest, case))

    def step(case: Case) -> str:
        if _subject(case) in faults:
            raise FlowError(faults[_subject(case)])
        return _attempt(study, module, path, case)

    outcomes = run_cases(cases, step, is_done=done, on_outcome=record)
    return [*outcomes, *_without_case(faults, cases)]


def _lesion_faults(study: Study, name: str) -> dict[str, str]:
    """Why a subject's lesions are not what the table says, by subject; its cases then fail, and no other one's."""
    if name not in MEASURING or not (study.tables / "lesions.csv").exists():
        return {}
    return store_lesions(study)


def _subject(case: Case) -> str:
    return case.name.split("/")[0]


def _without_case(faults: Mapping[str, str], cases: Sequence[Case]) -> list[Outcome]:
    """A failure for each subject at fault that has no case yet; not recorded, for no later case would repair it."""
    silent = [subject for subject in faults if subject not in {_subject(case) for case in cases}]
    return [Outcome(case=Case(name=f"{each}/lesions"), status=Status.FAILED, reason=faults[each]) for each in silent]


def _attempt(study: Study, module: ModuleType, path: Path, case: Case) -> str:
    """Run one case; a case that tries to end the process has failed, and the others still run."""
    try:
        return str(module.run(study, case))
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit in a site's pipeline would end in exit code 0
        raise FlowError(f"{path.name}: run tried to end the program ({type(error).__name__})") from error


def _pipeline_file(study: Study, name: str) -> Path:
    found = {each.stem: each for each in sorted((study.folder / "pipelines").glob("*.py"))}
    if name not in found:
        raise InputError(f"pipeline {name}: expected one of {', '.join(found)}")
    return found[name]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"npcpit_study_pipeline_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FlowError(f"{path.name}: cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a site may edit its pipelines, so anything can happen here, SystemExit too
        raise FlowError(f"{path.name}: cannot be loaded ({type(error).__name__}: {error})") from error
    for needed in ("cases", "run"):
        if not callable(getattr(module, needed, None)):
            raise FlowError(f"{path.name}: expected a function {needed}(study, ...), found none")
    return module


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


def _digest(study: Study, path: Path) -> str:
    """Digest of the code and of every decision a result may depend on."""
    state = hashlib.sha256(npcpit_imaging.__version__.encode())
    for file in (path, *sorted((study.folder / "configs").rglob("*.toml"))):
        state.update(file.relative_to(study.folder).as_posix().encode())
        state.update(file.read_bytes())
    return state.hexdigest()


def _key(digest: str, case: Case) -> str:
    return digest_of(digest, case.name, *case.inputs)


def _record(study: Study, name: str, key: str, outcome: Outcome, started: datetime) -> None:
    if outcome.reason == ALREADY_DONE:
        return
    with study.database.session() as session:
        put_run(
            session,
            RunRow(
                pipeline=name,
                case_name=outcome.case.name,
                key=key,
                outcome=outcome.status.value,
                reason=outcome.reason,
                code_version=npcpit_imaging.__version__,
                started=started,
                ended=study.now(),
            ),
        )


def outcomes_json(outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
    """Outcomes for a program, in order."""
    return [{"case": each.case.name, "status": each.status.value, "reason": each.reason} for each in outcomes]


def all_well(outcomes: Sequence[Outcome]) -> bool:
    """Whether no case failed."""
    return all(each.status is not Status.FAILED for each in outcomes)
