"""Import of a folder: every file is stored, repeated, in conflict or refused by name, and never harms another one."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from npcpit_imaging.app.arrivals import Arrivals, batches
from npcpit_imaging.app.completeness import settle_when_alone
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.place import claims_dicom
from npcpit_imaging.errors import InputError, NpcpitError
from npcpit_imaging.store.images import IndexOutcome

NOT_ASSEMBLED = "not assembled: "
"""How `Arrivals.assemble` begins the one line of a subject whose visits could not be changed."""

Tick = Callable[[], None]
ProgressBar = Callable[[str, int], AbstractContextManager[Tick]]
"""Opens a progress bar with a title and a number of steps; each call of what it gives is one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that could not be taken: its place below the folder that was imported, and why."""

    file: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ArrivalReport:
    """What became of every file of an import.

    Args:
        outcomes: Number of objects stored, repeated and in conflict.
        refused: Files that were not taken.
        conflicts: Files whose UID is known with other content; the first content is kept.
        no_dicom: Files beside the objects that are no DICOM object (a licence, a README); not a fault.
        assembled: Visits per subject.
        unassembled: Why a subject's visits were left as they were, per subject: a signed visit would have moved.
    """

    outcomes: Counter[IndexOutcome]
    refused: tuple[Refused, ...]
    conflicts: tuple[str, ...] = ()
    no_dicom: tuple[str, ...] = ()
    assembled: dict[str, list[str]] = field(default_factory=dict)
    unassembled: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every file was taken and every subject's visits hold what arrived."""
        return not self.refused and not self.outcomes[IndexOutcome.CONFLICT] and not self.unassembled

    def as_json(self) -> dict[str, object]:
        """The report for a program."""
        return {
            **{outcome.value: self.outcomes[outcome] for outcome in IndexOutcome},
            "refused": [{"file": each.file, "reason": each.reason} for each in self.refused],
            "conflicts": list(self.conflicts),
            "no_dicom": list(self.no_dicom),
            "timepoints": self.assembled,
            "faults": [{"subject": subject, "text": text} for subject, text in self.unassembled.items()],
        }


def import_folder(study: Study, source: Path, *, progress: ProgressBar) -> ArrivalReport:
    """Take every file of a folder into the study.

    Args:
        study: The study.
        source: Walked to its depth; files that are no DICOM are refused by name, and never harm the others.
        progress: Opens a progress bar.

    Raises:
        InputError: There is no such folder, or it holds no file.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    if not files:
        raise InputError(f"{source}: expected DICOM files, found an empty folder")
    others = {file for file in files if not claims_dicom(file)}
    arrivals = Arrivals(study)
    outcomes: Counter[IndexOutcome] = Counter()
    refused: list[Refused] = []
    conflicts: list[str] = []
    with progress("importing", len(files) - len(others)) as tick:
        objects = (each for each in files if each not in others)
        for batch in batches(objects, size_of=_size):
            for file, taken in zip(batch, arrivals.take_many(batch), strict=True):
                if isinstance(taken, NpcpitError):
                    refused.append(Refused(file=_below(source, file), reason=str(taken)))
                else:
                    outcomes[taken.outcome] += 1
                    conflicts += [_below(source, file)] if taken.outcome is IndexOutcome.CONFLICT else []
                tick()
    settle_when_alone(study, settle_s=0.0)  # a folder is handed over as a whole: nothing more of it is under way
    visits = arrivals.assemble()
    unassembled = {code: said[0] for code, said in visits.items() if said and said[0].startswith(NOT_ASSEMBLED)}
    return ArrivalReport(
        outcomes=outcomes,
        refused=tuple(refused),
        conflicts=tuple(conflicts),
        no_dicom=tuple(sorted(_below(source, file) for file in others)),
        assembled={code: said for code, said in visits.items() if code not in unassembled},
        unassembled=unassembled,
    )


def _below(source: Path, file: Path) -> str:
    return file.name if file == source else file.relative_to(source).as_posix()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # who reads it will say why it cannot be read
