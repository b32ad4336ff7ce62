"""One case of a study's pipeline: in this process, or in another one that opens the study for itself."""

import atexit
import hashlib
import importlib.util
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import npcpit_imaging
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.errors import FlowError
from npcpit_imaging.flow.run import Case


def attempt_case(study: Study, module: ModuleType, path: Path, case: Case, faults: Mapping[str, str]) -> str:
    """Run one case; a case that tries to end the process has failed, and the others still run.

    Raises:
        FlowError: The case's subject is at fault, or the case tried to end the program.
    """
    if subject_of(case) in faults:
        raise FlowError(faults[subject_of(case)])
    try:
        return str(module.run(study, case))
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit in a site's pipeline would end in exit code 0
        raise FlowError(f"{path.name}: run tried to end the program ({type(error).__name__})") from error


@dataclass(frozen=True, kw_only=True)
class StudyStep:
    """A pipeline's step that can be sent to other processes and machines.

    Args:
        folder: The study folder, under the same path wherever the step is done.
        pipeline: The pipeline's file in it.
        digest: Of pipeline and configuration where the run was started; others are refused.
        faults: Why a subject's cases cannot be done, by subject.
    """

    folder: Path
    pipeline: str
    digest: str
    faults: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, case: Case) -> str:
        """Run one case.

        Raises:
            FlowError: The study folder holds another pipeline or configuration here.
        """
        path = self.folder / "pipelines" / self.pipeline
        study, module, digest = _opened(self.folder, path)
        if digest != self.digest:
            raise FlowError(f"{path.name}: expected the pipeline and configuration that the run began with")
        return attempt_case(study, module, path, case, self.faults)


@lru_cache(maxsize=1)
def _opened(folder: Path, path: Path) -> tuple[Study, ModuleType, str]:
    """A study stays open in a worker process until it ends."""
    life = ExitStack()
    study = life.enter_context(open_study(folder))
    atexit.register(life.close)
    return study, load_pipeline(path), pipeline_digest(study, path)


def load_pipeline(path: Path) -> ModuleType:
    """Load a pipeline's file.

    Raises:
        FlowError: It cannot be loaded, or has no cases or run.
    """
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


def pipeline_digest(study: Study, path: Path) -> str:
    """Digest of the code and of every decision a result may depend on."""
    state = hashlib.sha256(npcpit_imaging.__version__.encode())
    decided = [each for each in (study.folder / "configs").rglob("*") if each.suffix in (".toml", ".txt")]
    for file in (path, *sorted(decided)):
        state.update(file.relative_to(study.folder).as_posix().encode())
        state.update(file.read_bytes())
    return state.hexdigest()


def subject_of(case: Case) -> str:
    """The subject that a case's name begins with."""
    return case.name.split("/")[0]
