"""Numbers of a measurement report by anybody, each with its lesion, read by code (PS3.16 TID 1500)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset
from pydicom.sr.coding import Code

from npcpit_imaging.dicom import report_codes as code
from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.dicom.report_codes import code_of, spelled
from npcpit_imaging.dicom.values import text
from npcpit_imaging.errors import DicomError, NpcpitError
from npcpit_imaging.study.caliper import PointMm

Points = tuple[tuple[float, float], ...]
PointsMm = tuple[PointMm, ...]

CONTEXT = "HAS "
"""How relationships begin that say something of a group (HAS OBS CONTEXT: the order of a time point), not a result."""


NO_CODE = Code("", "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedValue:
    """One number of a report.

    Args:
        tracking_id: Which lesion, in the report's words; empty where it does not say.
        tracking_uid: Which lesion; empty where it does not say.
        timepoint: Which visit (TID 1502); empty where it does not say.
        name: What was measured: the standard's meaning of the code where we know it, else the report's.
        name_code: Scheme and value, as ``DCM 126401``; a retired SNOMED identifier is given as the SCT one.
        derivation: Maximum, mean, ...; empty where there is none.
        derivation_code: Scheme and value; empty where there is none.
        value: The number.
        unit: UCUM.
        finding: What the lesion is, in the report's words; empty where it does not say.
        finding_code: Scheme and value.
        site: Where it is, in the report's words.
        site_code: Scheme and value.
        method: By which criteria, e.g. ``RECIST 1.1``; empty where it does not say.
        points_px: Image coordinates (column, row) it was inferred from; 0.5 is the first pixel's middle.
        image_uid: SOPInstanceUID of the image they lie on.
        points_mm: Patient coordinates (LPS) it was inferred from, where it gives those instead.
        segment_uid: SOPInstanceUID of the segmentation it was measured on; empty where it names none.
        segment_number: Its segment; 0 where it names none.
    """

    tracking_id: str
    tracking_uid: str
    timepoint: str
    name: str
    name_code: str
    derivation: str
    derivation_code: str
    value: float
    unit: str
    finding: str = ""
    finding_code: str = ""
    site: str = ""
    site_code: str = ""
    method: str = ""
    points_px: Points = ()
    image_uid: str = ""
    points_mm: PointsMm = ()
    segment_uid: str = ""
    segment_number: int = 0


def read_sr(path: Path) -> tuple[ReportedValue, ...]:
    """Read every number of the measurement groups of a TID 1500 report.

    Args:
        path: Comprehensive or other SR, by whatever program; concepts are known by their codes in any language.

    Returns:
        The numbers in the report's order; a measurement without a value is no number.

    Raises:
        DicomError: The file is no measurement report, or is broken.
    """
    try:
        with quiet():
            groups = list(_groups(read_dataset(path)))
            values = tuple(value for group in groups for value in _values(group))
    except NpcpitError as error:
        raise DicomError(f"{path.name}: expected a DICOM SR, found: {error}") from error
    except Exception as error:  # pydicom raises many kinds for broken items
        raise DicomError(f"{path.name}: report cannot be read ({type(error).__name__})") from error
    if not groups:
        raise DicomError(f"{path.name}: expected an imaging measurement report (TID 1500), found no measurement group")
    return values


def _groups(dataset: Dataset) -> Iterator[Dataset]:
    for container in _children(dataset, code.IMAGING_MEASUREMENTS):
        yield from _children(container, code.MEASUREMENT_GROUP)


def _children(item: Dataset, name: Code | None = None) -> list[Dataset]:
    found = item.get("ContentSequence") or []
    return [child for child in found if name is None or code_of(child, "ConceptNameCodeSequence") == name]


def _values(group: Dataset) -> list[ReportedValue]:
    finding, site, method = (_said(group, name) for name in (code.FINDING, code.FINDING_SITE, code.METHOD))
    segment_uid, segment_number = _segment(group)
    about = ReportedValue(
        tracking_id=_first(group, code.TRACKING_IDENTIFIER, "TextValue"),
        tracking_uid=_first(group, code.TRACKING_UID, "UID"),
        timepoint=_first(group, code.TIME_POINT, "TextValue"),
        finding=finding.meaning,
        finding_code=spelled(finding),
        site=site.meaning,
        site_code=spelled(site),
        method=method.meaning,
        segment_uid=segment_uid,
        segment_number=segment_number,
        name="",
        name_code="",
        derivation="",
        derivation_code="",
        value=math.nan,
        unit="",
    )
    return [
        _value(item, about)
        for item in _children(group)
        if text(item, "ValueType") == "NUM"
        and not text(item, "RelationshipType").startswith(CONTEXT)
        and item.get("MeasuredValueSequence")
    ]


def _said(group: Dataset, name: Code) -> Code:
    """The code a group gives for a concept; an empty one where there is none."""
    return next((code_of(item, "ConceptCodeSequence") for item in _children(group, name)), NO_CODE)


def _segment(group: Dataset) -> tuple[str, int]:
    """The segmentation and segment that a group refers to, as TID 1411 and TID 1410 do."""
    for item in _children(group):
        for reference in item.get("ReferencedSOPSequence") or []:
            number = reference.get("ReferencedSegmentNumber")
            if number is not None:
                first = number if isinstance(number, int | str) else number[0]
                return text(reference, "ReferencedSOPInstanceUID"), int(first)
    return "", 0


def _first(group: Dataset, name: Code, keyword: str) -> str:
    return next((text(item, keyword) for item in _children(group, name)), "")


def _value(item: Dataset, about: ReportedValue) -> ReportedValue:
    name = _known(code_of(item, "ConceptNameCodeSequence"), code.QUANTITIES)
    derivations = [code_of(child, "ConceptCodeSequence") for child in _children(item, code.DERIVATION)]
    derivation = _known(derivations[0], code.DERIVATIONS) if derivations else NO_CODE
    measured = item.MeasuredValueSequence[0]
    value = float(measured.NumericValue)
    if not math.isfinite(value):
        raise DicomError(f"{name.meaning}: expected a finite number, found {value}")
    points, image_uid = _graphic(item)
    own_method = _said(item, code.METHOD)
    return replace(
        about,
        name=name.meaning,
        name_code=spelled(name),
        derivation=derivation.meaning,
        derivation_code=spelled(derivation),
        method=own_method.meaning or about.method,
        value=value,
        unit=code_of(measured, "MeasurementUnitsCodeSequence").value,
        points_px=points,
        image_uid=image_uid,
        points_mm=_graphic_mm(item),
    )


def _known(found: Code, known: tuple[Code, ...]) -> Code:
    return next((each for each in known if each == found), found)


def _graphic(item: Dataset) -> tuple[Points, str]:
    """Points of the first image coordinates below a number, and the image they are selected from."""
    for child in _children(item):
        if text(child, "ValueType") == "SCOORD" and child.get("GraphicData"):
            flat = [float(number) for number in child.GraphicData]
            return tuple(zip(flat[::2], flat[1::2], strict=True)), _image_uid(child)
    return (), ""


def _graphic_mm(item: Dataset) -> PointsMm:
    """Points of the first patient coordinates below a number (SCOORD3D), LPS mm."""
    for child in _children(item):
        if text(child, "ValueType") == "SCOORD3D" and child.get("GraphicData"):
            flat = [float(number) for number in child.GraphicData]
            return tuple(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
    return ()


def _image_uid(coordinates: Dataset) -> str:
    images = [child.ReferencedSOPSequence[0] for child in _children(coordinates) if child.get("ReferencedSOPSequence")]
    return text(images[0], "ReferencedSOPInstanceUID") if images else ""
