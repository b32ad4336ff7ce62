"""Find the DICOM series in a folder, by content and from headers only (DICOM PS3.3 A.1.2, PS3.10)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.dicom.header import read_instance
from npcpit_imaging.dicom.instance import Frame, Instance, Kind, PixelFormat
from npcpit_imaging.errors import DicomError, InputError

__all__ = ["Frame", "Instance", "Kind", "PixelFormat", "Rejected", "ScanResult", "Series", "group", "scan"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """The instances of one series (DICOM PS3.3 C.7.3.1).

    Args:
        instances: At least one instance, in path order, all of one SeriesInstanceUID.
    """

    instances: tuple[Instance, ...]

    @property
    def first(self) -> Instance:
        """The instance that stands for the series' values."""
        return self.instances[0]

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID."""
        return self.first.series_uid

    @property
    def study_uid(self) -> str:
        """StudyInstanceUID; empty where absent."""
        return self.first.study_uid

    @property
    def modality(self) -> str:
        """Modality (0008,0060)."""
        return self.first.modality

    @property
    def kind(self) -> Kind:
        """Image, or which other kind of object."""
        return self.first.kind

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID of the first instance; empty where absent."""
        return self.first.frame_of_reference_uid

    @property
    def study_date(self) -> str:
        """StudyDate, YYYYMMDD; empty where absent."""
        return self.first.study_date

    @property
    def series_date(self) -> str:
        """SeriesDate, YYYYMMDD; empty where absent."""
        return self.first.series_date

    @property
    def description(self) -> str:
        """SeriesDescription; free text that may identify, never shown in messages."""
        return self.first.description

    @property
    def frame_count(self) -> int:
        """Number of slices that can be part of a volume."""
        return sum(len(instance.frames) for instance in self.instances)

    @property
    def is_measurable(self) -> bool:
        """Tell whether at least one instance can be part of a volume."""
        return self.frame_count > 0

    def describe(self) -> str:
        """One line for messages, without a name or description."""
        uid = self.series_uid or "without SeriesInstanceUID"
        return f"{uid} ({self.modality or 'no modality'}, {self.frame_count} slices)"


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file that is in no series.

    Args:
        path: The file.
        reason: Why.
    """

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """What a folder holds: every file is in one of the two.

    Args:
        series: The series, by study and series UID.
        rejected: The files in none, with the reason, by path.
    """

    series: tuple[Series, ...]
    rejected: tuple[Rejected, ...]


def scan(folder: Path) -> ScanResult:
    """Read the header of every file below a folder (or of one file) and group them into series.

    Args:
        folder: A folder, walked to its depth, or one file. Suffixes are not looked at.

    Returns:
        The series and, each with its reason, the files in none.

    Raises:
        InputError: There is no such folder.
    """
    if not folder.exists():
        raise InputError(f"{folder.name}: no such folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
    return group(files)


def group(files: Iterable[Path]) -> ScanResult:
    """Read the header of each file and group them into series."""
    found: dict[tuple[str, ...], list[Instance]] = {}
    rejected: list[Rejected] = []
    for path in files:
        try:
            instance = read_instance(path)
        except DicomError as error:
            rejected.append(Rejected(path=path, reason=str(error)))
            continue
        found.setdefault(_series_key(instance), []).append(instance)
    series = tuple(Series(instances=tuple(found[key])) for key in sorted(found))
    return ScanResult(series=series, rejected=tuple(rejected))


def _series_key(instance: Instance) -> tuple[str, ...]:
    """Return what makes instances one series; without a UID it is everything that could not differ within one."""
    if instance.series_uid:
        return instance.study_uid, instance.series_uid
    return instance.study_uid, "", instance.modality, instance.sop_class_uid, instance.frame_of_reference_uid
