"""Radiomic features as DICOM SR: TID 1500, ROI measurements (TID 1419) with IBSI codes that DICOM knows (CID 218)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from npcpit_imaging.dicom import report_codes as code
from npcpit_imaging.dicom.report import (
    About,
    Context,
    Kind,
    common_content,
    decimal,
    device_alone,
    referenced_segment,
    require_segments,
    write_report,
)
from npcpit_imaging.dicom.report_numbers import algorithm_items, encoded, number_item, parameter_item
from npcpit_imaging.errors import InputError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.lesion import Lesion

SERIES_NUMBER = 902

IBSI = "IBSI"
"""Coding scheme designator of the initiative's codes (PS3.16, table 8-1)."""

CUBIC_MILLIMETRE = Code("mm3", "UCUM", "cubic millimeter")
HOUNSFIELD_PER_UCUM = "[hnsf'U]"

UNITS = {
    "1": Code("1", "UCUM", "no units"),
    "mm": code.MILLIMETRE,
    "mm2": Code("mm2", "UCUM", "square millimeter"),
    "mm3": CUBIC_MILLIMETRE,
    "1/mm": Code("/mm", "UCUM", "per millimeter"),
    "HU": Code(HOUNSFIELD_PER_UCUM, "UCUM", "Hounsfield unit"),
    "HU.mm3": Code(f"{HOUNSFIELD_PER_UCUM}.mm3", "UCUM", "Hounsfield unit cubic millimeter"),
    "SUVbw": code.SUVBW_UNIT,
    "SUVbw.mm3": Code("g/ml{SUVbw}.mm3", "UCUM", "SUVbw cubic millimeter"),
}
"""Our units in UCUM; a feature in another one is left out and named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureValue:
    """One radiomic feature of one lesion.

    Args:
        tag: IBSI tag with aggregation; two aggregations of a feature share a code and differ in it.
        code: Four-letter IBSI code.
        value: The number; None where there is none.
        unit: Its unit.
        filter: Response map it was computed on; empty for the image.
    """

    tag: str
    code: str
    value: float | None
    unit: str
    filter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionFeatures:
    """One lesion's features and the segment they were computed on.

    Args:
        lesion: The lesion.
        segment_number: Its segment in the SEG.
        features: In the order they shall stand.
        settings_digest: Settings of the engine.
        engine_version: Its version.
    """

    lesion: Lesion
    segment_number: int
    features: tuple[FeatureValue, ...]
    settings_digest: str
    engine_version: str


def write_radiomics_sr(
    path: Path,
    lesions: Sequence[LesionFeatures],
    *,
    seg: Path,
    sources: Sequence[Path],
    timepoint: str,
    timepoint_order: int,
    created: datetime | None = None,
    confirmed: bool = True,
    label: str = "",
) -> tuple[Finding, ...]:
    """Write a Comprehensive 3D SR with a group of features a lesion.

    Every number names its tag and the settings' digest as parameters of the algorithm.

    Args:
        path: Where to.
        lesions: At least one; each names its segment in the SEG.
        seg: The SEG the features were computed on.
        sources: Files of the image series.
        timepoint: The visit's name.
        timepoint_order: 0 for the baseline.
        created: When they were computed; now where not given. The same inputs and moment give the same bytes.
        confirmed: Whether a reader confirmed the masks.
        label: What must be said wherever the read is shown, e.g. that it was scripted.

    Returns:
        Findings that name every feature left out: without a code in DICOM, without a value, of a response map.

    Raises:
        InputError: There is no lesion, its segment is another lesion's, or none of its features has a code.
        DicomError: The report cannot be built from these objects.
    """
    require_segments([(each.lesion, each.segment_number) for each in lesions], seg)
    for each in lesions:
        if all(_why_left_out(feature) for feature in each.features):
            raise InputError(f"SR: expected a feature with a code and a value for {each.lesion.lesion_id}, found none")
    about = About(
        seg=seg,
        sources=sources,
        timepoint=timepoint,
        timepoint_order=timepoint_order,
        created=created,
        confirmed=confirmed,
        label=label,
    )
    kind = Kind(description="Radiomic features (SR)", series_number=SERIES_NUMBER, observers=device_alone())
    write_report(
        path,
        about,
        kind,
        groups_of=lambda context: [_group(each, context) for each in lesions],
        identity=[repr(lesions), "radiomics"],
        numbers=[_numbers(each) for each in lesions],
    )
    return tuple(finding for each in lesions for finding in _left_out(each))


@lru_cache(maxsize=1)
def ibsi_codes() -> dict[str, Code]:
    """IBSI's codes that the DICOM standard lists, with its own meanings (CID 218 Quantitative Image Features)."""
    return {each.value: each for each in codes.cid218.concepts.values() if each.scheme_designator == IBSI}


def _why_left_out(feature: FeatureValue) -> str:
    if feature.filter:
        return "of a response map, for which DICOM has no code"
    if feature.code not in ibsi_codes():
        return "without a code in DICOM"
    if feature.unit not in UNITS:
        return f"in a unit without UCUM code ({feature.unit})"
    return "without a value" if feature.value is None else ""


def _left_out(each: LesionFeatures) -> list[Finding]:
    reasons: dict[str, list[str]] = {}
    for feature in each.features:
        reason = _why_left_out(feature)
        if reason:
            name = f"{feature.filter}.{feature.tag}" if feature.filter else feature.tag
            reasons.setdefault(reason, []).append(name)
    return [
        Finding(
            code="radiomics-sr-left-out",
            severity=Severity.INFO,
            text=f"{each.lesion.lesion_id}: {len(names)} features {reason}: {', '.join(names)}",
        )
        for reason, names in reasons.items()
    ]


def _group(each: LesionFeatures, context: Context) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    """What a group says besides its numbers, which follow."""
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=referenced_segment(each.segment_number, context), **common_content(each.lesion, context)
    )


def _numbers(each: LesionFeatures) -> list[Dataset]:
    algorithm = encoded(algorithm_items(name="npcpit_imaging.radiomics", version=each.engine_version))
    settings = _parameter(f"settings={each.settings_digest}")
    return [
        number_item(
            name=ibsi_codes()[feature.code],
            value=decimal(feature.value),
            unit=UNITS[feature.unit],
            modifiers=algorithm + _parameter(f"tag={feature.tag}") + settings,
        )
        for feature in each.features
        if not _why_left_out(feature) and feature.value is not None
    ]


@lru_cache(maxsize=4096)
def _parameter(text: str) -> bytes:
    """The same few hundred names come again with every lesion."""
    return encoded([parameter_item(text)])
