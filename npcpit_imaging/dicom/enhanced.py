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

UNIT_BY_UCUM = {"Bq/ml": "BQML", "{SUVbw}g/ml": "GML-BW", "g/ml{SUVbw}": "GML-BW", "[hnsf'U]": "HU"}
"""Measurement units (PS3.16 CID 83, 84, 85) as Units (0054,1001) or RescaleType would say them."""

TRANSFORMATION, MAPPING = "PixelValueTransformationSequence", "RealWorldValueMappingSequence"

SCALES = {"CT": (TRANSFORMATION, MAPPING), "MR": (TRANSFORMATION, MAPPING), "PT": (MAPPING, TRANSFORMATION)}
"""Where a modality's scale is looked for: a CT's transformation is in HU, a PET's unit stands with its map alone."""


def is_enhanced(dataset: Dataset) -> bool:
    """Tell whether an object carries a functional group for each frame."""
    return "PerFrameFunctionalGroupsSequence" in dataset


def enhanced_unit(dataset: Dataset, modality: str) -> str:
    """Return what a value means, as `Instance.unit` says it; empty where the object does not tell.

    Raises:
        SeriesError: Frames mean different things.
    """
    shared = _shared(dataset)
    units = {_frame_unit(own, shared, modality) for own in dataset.PerFrameFunctionalGroupsSequence}
    if len(units) != 1:
        listed = ", ".join(sorted(unit or "none" for unit in units)) or "no frame"
        raise SeriesError(f"enhanced object: expected frames of one unit, found {listed}")
    return units.pop()


def _frame_unit(own: Dataset, shared: Dataset, modality: str) -> str:
    if modality == "MR":
        return ""
    transformation = _group(TRANSFORMATION, own, shared)
    if modality == "CT" and number(transformation, "RescaleSlope") is not None:
        return first_text(transformation, "RescaleType") or "HU"
    mapping = _mapping(own, shared)
    return "" if mapping is None else _mapped_unit(mapping)


def _mapped_unit(mapping: Dataset) -> str:
    codes = mapping.get("MeasurementUnitsCodeSequence") or [Dataset()]
    return UNIT_BY_UCUM.get(text(codes[0], "CodeValue"), "")


def _mapping(own: Dataset, shared: Dataset) -> Dataset | None:
    """Return a frame's linear real world value map, one of a known unit before others; None where it has none.

    Raises:
        SeriesError: Several contradict each other, or there are only tables (PS3.3 C.7.6.16.2.11).
    """
    name = tag_name(MAPPING)
    items = list(own.get(MAPPING) or shared.get(MAPPING) or [])
    linear = [item for item in items if number(item, "RealWorldValueSlope") is not None]
    if items and not linear:
        raise SeriesError(f"{name}: expected a slope and an intercept, found {tag_name('RealWorldValueLUTData')} alone")
    known = [item for item in linear if _mapped_unit(item)] or linear
    found = {(number(item, "RealWorldValueSlope"), number(item, "RealWorldValueIntercept"), _mapped_unit(item))
             for item in known}  # fmt: skip
    if len(found) > 1:
        raise SeriesError(f"{name}: expected one map a frame, found {len(found)} that differ")
    return known[0] if known else None


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
    """Return slope and intercept, of the transformation or of the real world value map; only MR needs neither."""
    for place in SCALES.get(modality, (TRANSFORMATION, MAPPING)):
        if place == TRANSFORMATION:
            found = _slope_and_intercept(_group(place, own, shared), "RescaleSlope", "RescaleIntercept")
        else:
            mapping = _mapping(own, shared) or Dataset()
            found = _slope_and_intercept(mapping, "RealWorldValueSlope", "RealWorldValueIntercept")
        if found is not None:
            return found
    if modality == "MR":
        return 1.0, 0.0
    raise SeriesError(f"{tag_name(TRANSFORMATION)} is missing: values cannot be given a unit")


def _slope_and_intercept(item: Dataset, slope_keyword: str, intercept_keyword: str) -> tuple[float, float] | None:
    slope, intercept = number(item, slope_keyword), number(item, intercept_keyword)
    if slope is None or intercept is None:
        return None
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        name = tag_name(slope_keyword)
        raise SeriesError(f"{name}: expected finite numbers, slope not 0, found {slope} and {intercept}")
    return slope, intercept


def _criteria(own: Dataset, shared: Dataset) -> dict[str, str]:
    found = ((keyword, text(_group(sequence, own, shared), keyword)) for sequence, keyword in FRAME_CRITERIA)
    return {keyword: value for keyword, value in found if value}
