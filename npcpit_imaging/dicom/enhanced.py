"""Frames of an enhanced multi-frame CT, MR or PET from its functional groups (DICOM PS3.3 C.7.6.16)."""

import math

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.instance import Frame
from npcpit_imaging.dicom.values import first_text, number, numbers, tag_name, text
from npcpit_imaging.errors import SeriesError

FRAME_CRITERIA = (
    ("MREchoSequence", "EffectiveEchoTime"),
    ("MRDiffusionSequence", "DiffusionBValue"),
    ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("MRDiffusionSequence", "DiffusionDirectionality"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    ("RespiratorySynchronizationSequence", "NominalPercentageOfRespiratoryPhase"),
    ("FrameContentSequence", "StackID"),
    ("MRImageFrameTypeSequence", "FrameType"),
    ("CTImageFrameTypeSequence", "FrameType"),
    ("FrameContentSequence", "FrameAcquisitionNumber"),
)
"""Functional group and keyword that may tell volumes of one file apart."""

RESCALES = (
    ("PixelValueTransformationSequence", "RescaleSlope", "RescaleIntercept"),
    ("RealWorldValueMappingSequence", "RealWorldValueSlope", "RealWorldValueIntercept"),
)
"""Functional group, and its keywords of slope and intercept, in the order they are tried."""

UNIT_BY_UCUM = {"Bq/ml": "BQML", "{SUVbw}g/ml": "GML-BW", "g/ml{SUVbw}": "GML-BW"}
"""Measurement units (PS3.16 CID 84, 85) as Units (0054,1001) would say them."""


def is_enhanced(dataset: Dataset) -> bool:
    """Tell whether an object carries a functional group for each frame."""
    return "PerFrameFunctionalGroupsSequence" in dataset


def enhanced_unit(dataset: Dataset, modality: str) -> str:
    """Return what a value means, as `Instance.unit` says it; empty where the object does not tell."""
    own, shared = dataset.PerFrameFunctionalGroupsSequence[0], _shared(dataset)
    if modality == "CT":
        return first_text(_group("PixelValueTransformationSequence", own, shared), "RescaleType") or "HU"
    mapping = _group("RealWorldValueMappingSequence", own, shared)
    codes = mapping.get("MeasurementUnitsCodeSequence") or [Dataset()]
    return UNIT_BY_UCUM.get(text(codes[0], "CodeValue"), "")


def enhanced_frames(dataset: Dataset, modality: str) -> tuple[Frame, ...]:
    """Return the frames of an enhanced multi-frame object.

    Raises:
        SeriesError: The number of frames and of functional groups differ, or a value is missing.
    """
    shared = _shared(dataset)
    groups = dataset.PerFrameFunctionalGroupsSequence
    count = int(number(dataset, "NumberOfFrames") or 1)
    if len(groups) != count:
        raise SeriesError(
            f"{tag_name('NumberOfFrames')}: expected {len(groups)} (one a functional group), found {count}"
        )
    return tuple(_frame(index, group, shared, modality) for index, group in enumerate(groups))


def _frame(index: int, own: Dataset, shared: Dataset, modality: str) -> Frame:
    plane = _group("PlanePositionSequence", own, shared)
    measures = _group("PixelMeasuresSequence", own, shared)
    position = numbers(plane, "ImagePositionPatient", 3)
    orientation = numbers(_group("PlaneOrientationSequence", own, shared), "ImageOrientationPatient", 6)
    spacing = numbers(measures, "PixelSpacing", 2)
    slope, intercept = _rescale(own, shared, modality)
    return Frame(
        index=index,
        position_mm=None if position is None else (position[0], position[1], position[2]),
        orientation=orientation,
        spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        thickness_mm=number(measures, "SliceThickness"),
        slope=slope,
        intercept=intercept,
        criteria=_criteria(own, shared),
    )


def _group(keyword: str, own: Dataset, shared: Dataset) -> Dataset:
    """Return a functional group's first item, the frame's own before the shared one."""
    for place in (own, shared):
        sequence = place.get(keyword)
        if sequence:
            return sequence[0]
    return Dataset()


def _shared(dataset: Dataset) -> Dataset:
    items = dataset.get("SharedFunctionalGroupsSequence")
    return items[0] if items else Dataset()


def _rescale(own: Dataset, shared: Dataset, modality: str) -> tuple[float, float]:
    """Return slope and intercept: of the modality, else of the real-world value map; only MR needs neither."""
    for sequence, slope_keyword, intercept_keyword in RESCALES:
        item = _group(sequence, own, shared)
        slope, intercept = number(item, slope_keyword), number(item, intercept_keyword)
        if slope is None or intercept is None:
            continue
        if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
            name = tag_name(slope_keyword)
            raise SeriesError(f"{name}: expected finite numbers, slope not 0, found {slope} and {intercept}")
        return slope, intercept
    if modality == "MR":
        return 1.0, 0.0
    raise SeriesError(f"{tag_name(RESCALES[0][0])} is missing: values cannot be given a unit")


def _criteria(own: Dataset, shared: Dataset) -> dict[str, str]:
    found = ((keyword, text(_group(sequence, own, shared), keyword)) for sequence, keyword in FRAME_CRITERIA)
    return {keyword: value for keyword, value in found if value}
