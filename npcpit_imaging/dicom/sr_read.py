"""Numbers of a measurement report by anybody, each with its lesion, read by code (PS3.16 TID 1500)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.sr.coding import Code

from npcpit_imaging.dicom import report_codes as code
from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.dicom.report_codes import code_of
from npcpit_imaging.dicom.values import text
from npcpit_imaging.errors import DicomError, NpcpitError

Points = tuple[tuple[float, float], ...]

CONTEXT = "HAS "
"""How relationships begin that say something of a group (HAS OBS CONTEXT: the order of a time point), not a result."""


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
        points_px: Image coordinates (column, row) it was inferred from; 0.5 is the first pixel's middle.
        image_uid: SOPInstanceUID of the image they lie on.
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
    points_px: Points = ()
    image_uid: str = ""


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
    said = {
        "tracking_id": _first(group, code.TRACKING_IDENTIFIER, "TextValue"),
        "tracking_uid": _first(group, code.TRACKING_UID, "UID"),
        "timepoint": _first(group, code.TIME_POINT, "TextValue"),
    }
    return [
        _value(item, said)
        for item in _children(group)
        if text(item, "ValueType") == "NUM"
        and not text(item, "RelationshipType").startswith(CONTEXT)
        and item.get("MeasuredValueSequence")
    ]


def _first(group: Dataset, name: Code, keyword: str) -> str:
    return next((text(item, keyword) for item in _children(group, name)), "")


def _value(item: Dataset, said: dict[str, str]) -> ReportedValue:
    name = _known(code_of(item, "ConceptNameCodeSequence"), code.QUANTITIES)
    derivations = [code_of(child, "ConceptCodeSequence") for child in _children(item, code.DERIVATION)]
    derivation = _known(derivations[0], code.DERIVATIONS) if derivations else Code("", "", "")
    measured = item.MeasuredValueSequence[0]
    value = float(measured.NumericValue)
    if not math.isfinite(value):
        raise DicomError(f"{name.meaning}: expected a finite number, found {value}")
    points, image_uid = _graphic(item)
    return ReportedValue(
        **said,
        name=name.meaning,
        name_code=_spelled(name),
        derivation=derivation.meaning,
        derivation_code=_spelled(derivation),
        value=value,
        unit=code_of(measured, "MeasurementUnitsCodeSequence").value,
        points_px=points,
        image_uid=image_uid,
    )


def _known(found: Code, known: tuple[Code, ...]) -> Code:
    return next((each for each in known if each == found), found)


def _spelled(found: Code) -> str:
    return f"{found.scheme_designator} {found.value}".strip()


def _graphic(item: Dataset) -> tuple[Points, str]:
    """Points of the first image coordinates below a number, and the image they are selected from."""
    for child in _children(item):
        if text(child, "ValueType") == "SCOORD" and child.get("GraphicData"):
            flat = [float(number) for number in child.GraphicData]
            return tuple(zip(flat[::2], flat[1::2], strict=True)), _image_uid(child)
    return (), ""


def _image_uid(coordinates: Dataset) -> str:
    images = [child.ReferencedSOPSequence[0] for child in _children(coordinates) if child.get("ReferencedSOPSequence")]
    return text(images[0], "ReferencedSOPInstanceUID") if images else ""
