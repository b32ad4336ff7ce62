"""Read a DICOM file's header into an `Instance` without touching its pixels (DICOM PS3.3 A, C.7, C.8.2, C.8.9)."""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from npcpit_imaging.dicom.enhanced import enhanced_frames, enhanced_unit, is_enhanced
from npcpit_imaging.dicom.instance import Frame, Instance, Kind, PixelFormat
from npcpit_imaging.dicom.lean import NotPlainError, PlainHeader
from npcpit_imaging.dicom.values import first_text, number, numbers, tag_name, text
from npcpit_imaging.errors import DicomError, SeriesError

PREAMBLE_BYTES = 132
"""Length of the preamble and its DICM prefix (DICOM PS3.10 7.1)."""

NOT_DICOM = "not a DICOM file"
"""Why a file of another kind is in no series."""

A_DICOMDIR = "a DICOMDIR: a list of other files"
"""Why a directory of a medium is in no series."""

FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""A file without preamble starts with group 0002 or 0008, little or big endian."""

KIND_BY_MODALITY = {
    "RTSTRUCT": Kind.RTSTRUCT, "SEG": Kind.SEG, "SR": Kind.SR, "RWV": Kind.RWV,
}  # fmt: skip

VOLUME_MODALITIES = ("CT", "MR", "PT")
"""Modalities that a volume is made of here."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class Secondary Capture; its multi-frame siblings follow after a dot."""

CRITERIA = (
    "EchoTime", "DiffusionBValue", "TemporalPositionIdentifier", "DiffusionGradientOrientation", "InversionTime",
    "TriggerTime", "NominalPercentageOfCardiacPhase", "FrameReferenceTime", "FlipAngle", "AcquisitionNumber",
    "ImageType", "ConvolutionKernel", "AcquisitionTime", "ContentTime",
)  # fmt: skip
"""Keywords that may tell volumes of one series apart, in the order they are tried."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings about odd values off the screen and out of logs: they quote what the header holds."""
    logger = logging.getLogger("pydicom")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def looks_like_dicom(path: Path) -> bool:
    """Tell by its first bytes whether a file may be DICOM, with or without a preamble."""
    with path.open("rb") as file:
        start = file.read(PREAMBLE_BYTES)
    return start[128:] == b"DICM" or (len(start) >= 8 and start[:2] in FIRST_GROUPS and b"\x00" in start[2:4])


def read_dataset(path: Path, *, pixels: bool = True) -> Dataset:
    """Read a DICOM file whole, or up to its pixels.

    Raises:
        DicomError: It is not DICOM or is broken; the message says which.
    """
    return _read(path, pixels=pixels)[0]


def read_instance(path: Path) -> Instance:
    """Read one file's header.

    Raises:
        DicomError: The file is not DICOM, is broken, or has no SOPInstanceUID.
    """
    try:
        header = PlainHeader(path)
        return _instance(path, header, header.offset)
    except (NotPlainError, DicomError, OSError):
        return read_instance_thoroughly(path)


def read_instance_thoroughly(path: Path) -> Instance:
    """Read one file's header with pydicom, plain or not.

    Raises:
        DicomError: The file is not DICOM, is broken, or has no SOPInstanceUID.
    """
    with quiet():
        dataset, offset = _read(path, pixels=False)
        return _instance(path, dataset, offset)


def _read(path: Path, *, pixels: bool) -> tuple[Dataset, int]:
    try:
        if not looks_like_dicom(path):
            raise DicomError(NOT_DICOM if path.stat().st_size else "an empty file")
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels, force=True)
            return dataset, file.tell()
    except DicomError:
        raise
    except OSError as error:
        raise DicomError(f"cannot be opened ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # pydicom raises many kinds for a broken file
        raise DicomError(f"broken DICOM file ({type(error).__name__})") from error


def _instance(path: Path, dataset: Dataset, offset: int) -> Instance:
    if "DirectoryRecordSequence" in dataset:
        raise DicomError(A_DICOMDIR)
    sop_instance_uid = _own_uid(dataset, "SOPInstanceUID")
    if not sop_instance_uid:
        raise DicomError(f"{tag_name('SOPInstanceUID')} is missing")
    modality = text(dataset, "Modality")
    kind = _kind(dataset, modality)
    pixels, frames, fault = _image_values(dataset, kind, modality, offset)
    return Instance(
        path=path,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=_own_uid(dataset, "SOPClassUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        modality=modality,
        kind=kind,
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        study_date=text(dataset, "StudyDate"),
        series_date=text(dataset, "SeriesDate"),
        acquisition_date=text(dataset, "AcquisitionDate"),
        description=text(dataset, "SeriesDescription"),
        pixels=pixels,
        unit=_unit(dataset, modality),
        flags=_flags(dataset),
        frames=frames,
        fault=fault,
    )


def _own_uid(dataset: Dataset, keyword: str) -> str:
    """Return SOPInstanceUID or SOPClassUID; where a tool emptied it, the file meta's copy of it (PS3.10 7.1)."""
    return text(dataset, keyword) or text(dataset.file_meta, f"MediaStorage{keyword}")


def _kind(dataset: Dataset, modality: str) -> Kind:
    if modality in KIND_BY_MODALITY:
        return KIND_BY_MODALITY[modality]
    return Kind.IMAGE if "Rows" in dataset and "RTDOSE" not in modality else Kind.OTHER


def _image_values(
    dataset: Dataset, kind: Kind, modality: str, offset: int
) -> tuple[PixelFormat | None, tuple[Frame, ...], str]:
    if kind is not Kind.IMAGE:
        return None, (), f"{kind} object, not an image" if kind is not Kind.OTHER else "not an image"
    fault = _unmeasurable(dataset, modality)
    if fault:
        return None, (), fault
    try:
        pixels = _pixel_format(dataset, offset)
        frames = enhanced_frames(dataset, modality) if is_enhanced(dataset) else (_classic_frame(dataset, modality),)
    except DicomError as error:
        return None, (), str(error)
    return pixels, frames, ""


def _unmeasurable(dataset: Dataset, modality: str) -> str:
    """Say why an image is none that can be measured in patient space; empty when it can be."""
    sop_class = _own_uid(dataset, "SOPClassUID")
    if sop_class == SECONDARY_CAPTURE or sop_class.startswith(SECONDARY_CAPTURE + "."):
        return "a secondary capture (SOP class 1.2.840.10008.5.1.4.1.1.7): a picture without patient space"
    if modality not in VOLUME_MODALITIES:
        return f"expected Modality (0008,0060) {', '.join(VOLUME_MODALITIES)}, found {modality or 'none'}"
    photometric = text(dataset, "PhotometricInterpretation")
    if (number(dataset, "SamplesPerPixel") or 1) != 1 or photometric not in ("", "MONOCHROME1", "MONOCHROME2"):
        return f"expected one grey value a pixel, found PhotometricInterpretation (0028,0004) {photometric}"
    if "LOCALIZER" in text(dataset, "ImageType"):
        return "a localiser (ImageType (0008,0008) says LOCALIZER), not a volume"
    if (number(dataset, "NumberOfFrames") or 1) > 1 and not is_enhanced(dataset):
        return "several frames without PerFrameFunctionalGroupsSequence (5200,9230): no position for each"
    return ""


def _pixel_format(dataset: Dataset, offset: int) -> PixelFormat:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", ""))) if hasattr(dataset, "file_meta") else UID("")
    if not syntax:
        syntax = pydicom.uid.ImplicitVRLittleEndian if dataset.original_encoding[0] else _explicit(dataset)
    padding = number(dataset, "PixelPaddingValue")
    limit = number(dataset, "PixelPaddingRangeLimit")
    ends = None if padding is None else sorted((int(padding), int(padding if limit is None else limit)))
    allocated, stored = _bits(dataset)
    return PixelFormat(
        rows=_whole(dataset, "Rows"),
        columns=_whole(dataset, "Columns"),
        bits_allocated=allocated,
        bits_stored=stored,
        signed=_whole(dataset, "PixelRepresentation") == 1,
        transfer_syntax_uid=str(syntax),
        offset=-1 if syntax == pydicom.uid.DeflatedExplicitVRLittleEndian else offset,
        padding=None if ends is None else (ends[0], ends[1]),
    )


def _explicit(dataset: Dataset) -> UID:
    little = dataset.original_encoding[1]
    return pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian


def _bits(dataset: Dataset) -> tuple[int, int]:
    """Return BitsAllocated and BitsStored; a value lies in the lowest bits, or is refused (PS3.5 8.1.1)."""
    allocated, stored = _whole(dataset, "BitsAllocated"), _whole(dataset, "BitsStored")
    if not 1 <= stored <= allocated:
        raise SeriesError(f"{tag_name('BitsStored')}: expected 1 to {allocated} (BitsAllocated), found {stored}")
    high = number(dataset, "HighBit")
    if high is not None and high != stored - 1:
        raise SeriesError(f"{tag_name('HighBit')}: expected {stored - 1} (one less than BitsStored), found {high:g}")
    return allocated, stored


def _whole(dataset: Dataset, keyword: str) -> int:
    value = number(dataset, keyword)
    if value is None or value < 0 or value != int(value):
        raise SeriesError(f"{tag_name(keyword)}: expected a whole number, found {value}")
    return int(value)


def _classic_frame(dataset: Dataset, modality: str) -> Frame:
    position = numbers(dataset, "ImagePositionPatient", 3)
    orientation = numbers(dataset, "ImageOrientationPatient", 6)
    spacing = numbers(dataset, "PixelSpacing", 2)
    slope, intercept = _rescale(dataset, modality)
    return Frame(
        index=0,
        position_mm=None if position is None else (position[0], position[1], position[2]),
        orientation=orientation,
        spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        thickness_mm=number(dataset, "SliceThickness"),
        slope=slope,
        intercept=intercept,
        criteria=_criteria(dataset),
    )


def _rescale(dataset: Dataset, modality: str) -> tuple[float, float]:
    """Return slope and intercept; CT and PET must have both (PS3.3 C.8.2.1, C.8.9.4), MR need not (C.8.3)."""
    if "ModalityLUTSequence" in dataset:
        raise SeriesError(f"{tag_name('ModalityLUTSequence')}: expected a slope and an intercept, found a table")
    slope, intercept = (_only_number(dataset, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if slope is None and intercept is None and modality == "MR":
        return 1.0, 0.0
    for keyword, value in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if value is None:
            raise SeriesError(f"{tag_name(keyword)} is missing: values cannot be given a unit")
        if not math.isfinite(value) or (keyword == "RescaleSlope" and value == 0):
            raise SeriesError(f"{tag_name(keyword)}: expected a finite number other than 0 for a slope, found {value}")
    return float(slope or 0.0), float(intercept or 0.0)


def _only_number(dataset: Dataset, keyword: str) -> float | None:
    """Return one number; of several nobody can tell which counts."""
    found = text(dataset, keyword).count("\\") + 1
    if found > 1:
        raise SeriesError(f"{tag_name(keyword)}: expected one number, found {found}")
    return number(dataset, keyword)


def _criteria(dataset: Dataset) -> dict[str, str]:
    return {keyword: value for keyword in CRITERIA if (value := text(dataset, keyword))}


def _unit(dataset: Dataset, modality: str) -> str:
    if is_enhanced(dataset):
        return enhanced_unit(dataset, modality) if modality in VOLUME_MODALITIES else ""
    if modality == "CT":
        return first_text(dataset, "RescaleType") or "HU"
    if modality == "PT":
        unit = text(dataset, "Units")
        kind = text(dataset, "SUVType") or "BW"
        return f"GML-{kind}" if unit == "GML" else unit
    return ""


def _flags(dataset: Dataset) -> frozenset[str]:
    flags = {
        "lossy": text(dataset, "LossyImageCompression") == "01",
        "burned-in": text(dataset, "BurnedInAnnotation") == "YES",
        "localiser": "LOCALIZER" in text(dataset, "ImageType"),
    }
    return frozenset(name for name, found in flags.items() if found)
