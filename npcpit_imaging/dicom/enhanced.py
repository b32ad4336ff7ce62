"""Frames of an enhanced multi-frame CT, MR or PET from its functional groups (DICOM PS3.3 C.7.6.16)."""

import math

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.instance import Frame
from npcpit_imaging.dicom.values import number, numbers, tag_name, text
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


def is_enhanced(dataset: Dataset) -> bool:
    """Tell whether an object carries a functional group for each frame."""
    return "PerFrameFunctionalGroupsSequence" in dataset


def enhanced_frames(dataset: Dataset) -> tuple[Frame, ...]:
    """Return the frames of an enhanced multi-frame object.

    Raises:
        SeriesError: The number of frames and of functional groups differ, or a value is missing.
    """
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    groups = dataset.PerFrameFunctionalGroupsSequence
    count = int(number(dataset, "NumberOfFrames") or 1)
    if len(groups) != count:
        raise SeriesError(
            f"{tag_name('NumberOfFrames')}: expected {len(groups)} (one a functional group), found {count}"
        )
    return tuple(_frame(index, group, shared[0]) for index, group in enumerate(groups))


def _frame(index: int, own: Dataset, shared: Dataset) -> Frame:
    plane = _group("PlanePositionSequence", own, shared)
    measures = _group("PixelMeasuresSequence", own, shared)
    position = numbers(plane, "ImagePositionPatient", 3)
    orientation = numbers(_group("PlaneOrientationSequence", own, shared), "ImageOrientationPatient", 6)
    spacing = numbers(measures, "PixelSpacing", 2)
    slope, intercept = _rescale(own, shared)
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


def _rescale(own: Dataset, shared: Dataset) -> tuple[float, float]:
    transformation = _group("PixelValueTransformationSequence", own, shared)
    slope, intercept = number(transformation, "RescaleSlope"), number(transformation, "RescaleIntercept")
    slope, intercept = (1.0 if slope is None else slope), (0.0 if intercept is None else intercept)
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        raise SeriesError(
            f"{tag_name('RescaleSlope')}: expected finite numbers, slope not 0, found {slope}, {intercept}"
        )
    return slope, intercept


def _criteria(own: Dataset, shared: Dataset) -> dict[str, str]:
    found = ((keyword, text(_group(sequence, own, shared), keyword)) for sequence, keyword in FRAME_CRITERIA)
    return {keyword: value for keyword, value in found if value}
