"""Header values of a DICOM file: an instance and its frames, before any pixel is read (DICOM PS3.3 C.7.6, C.12.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a DICOM object is, by its SOP class or modality."""

    IMAGE = "image"
    RTSTRUCT = "RTSTRUCT"
    SEG = "SEG"
    SR = "SR"
    RWV = "RWV"
    OTHER = "other"


def series_name(series_uid: str) -> str:
    """Name a series in a message by its UID, also one whose UID a tool has emptied."""
    return f"series {series_uid or 'without SeriesInstanceUID'}"


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """How stored values are laid out (DICOM PS3.3 C.7.6.3).

    Args:
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        bits_allocated: BitsAllocated (0028,0100).
        bits_stored: BitsStored (0028,0101).
        signed: PixelRepresentation (0028,0103) is 1.
        transfer_syntax_uid: How the file is encoded.
        offset: Byte position of the pixel data element in the file; -1 where it cannot be known (deflated).
        padding: First and last stored value that stands for "no measurement", None where not given.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    transfer_syntax_uid: str
    offset: int
    padding: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One slice: of a classic file its only one, of an enhanced file one of many.

    Args:
        index: Frame number, from 0.
        position_mm: ImagePositionPatient (0020,0032), the centre of the first voxel, LPS mm.
        orientation: ImageOrientationPatient (0020,0037), `(6,)`: direction along a row, then along a column.
        spacing_mm: PixelSpacing (0028,0030), between rows, then between columns.
        thickness_mm: SliceThickness (0018,0050); it never gives the spacing of several slices.
        slope: RescaleSlope; 1 where the modality need not have one.
        intercept: RescaleIntercept; 0 where the modality need not have one.
        criteria: What may tell volumes of one series apart: DICOM keyword to value as text.
    """

    index: int
    position_mm: tuple[float, float, float] | None
    orientation: tuple[float, ...] | None
    spacing_mm: tuple[float, float] | None
    thickness_mm: float | None
    slope: float
    intercept: float
    criteria: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One DICOM file, its header read and its pixels not.

    Args:
        path: The file.
        sop_instance_uid: SOPInstanceUID.
        sop_class_uid: SOPClassUID; empty where the file does not say.
        series_uid: SeriesInstanceUID; empty where a tool emptied it.
        study_uid: StudyInstanceUID; empty where the file does not say.
        modality: Modality (0008,0060).
        kind: Image, or which other kind of object.
        frame_of_reference_uid: FrameOfReferenceUID; empty where the file does not say.
        study_date: StudyDate as DICOM writes it (YYYYMMDD); empty where absent.
        series_date: SeriesDate, likewise.
        acquisition_date: AcquisitionDate, likewise.
        description: SeriesDescription; never shown in messages.
        pixels: How the pixels are stored; None for objects without pixels.
        unit: What a value means: HU, Units (0054,1001) of a PET; empty where arbitrary.
        flags: Things of quality the header says: ``lossy``, ``burned-in``, ``localiser``.
        frames: Its slices; empty where `fault` says why.
        fault: Why this file cannot be part of a volume; empty when it can.
    """

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    modality: str
    kind: Kind
    frame_of_reference_uid: str
    study_date: str
    series_date: str
    acquisition_date: str
    description: str
    pixels: PixelFormat | None
    unit: str
    flags: frozenset[str]
    frames: tuple[Frame, ...]
    fault: str
