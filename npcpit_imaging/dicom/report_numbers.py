"""NUM content items of a measurement group as plain data sets (TID 300 with TID 4019; PS3.16).

A report of features holds hundreds of numbers a lesion. highdicom checks, copies and searches each of them several
times (17 s of 20 for a lesion of 583 features); these are the same elements, written once (a test compares them).
"""

import collections.abc

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.valuerep import format_number_as_ds

from npcpit_imaging.errors import DicomError

_CONTENT = 0x0040A730


def number_item(*, name: Code, value: float, unit: Code, modifiers: collections.abc.Sequence[Dataset]) -> Dataset:
    """One number.

    Args:
        name: What was measured.
        value: The number.
        unit: Its unit.
        modifiers: Content items that tell how; items may be shared between numbers.

    Returns:
        A NUM item that a container CONTAINS.
    """
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [_code(unit)]
    measured.FloatingPointValue = value
    measured.NumericValue = format_number_as_ds(value)
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "NUM"
    item.ConceptNameCodeSequence = [_code(name)]
    item.MeasuredValueSequence = [measured]
    item.ContentSequence = list(modifiers)
    return item


def algorithm_items(*, name: str, version: str) -> list[Dataset]:
    """An algorithm's name and version (TID 4019, rows 1 and 2)."""
    return [
        _text(codes.DCM.AlgorithmName, name),
        _text(codes.DCM.AlgorithmVersion, version),
    ]


def parameter_item(text: str) -> Dataset:
    """One parameter of an algorithm (TID 4019, row 3)."""
    return _text(codes.DCM.AlgorithmParameters, text)


def append_numbers(report: Dataset, numbers: collections.abc.Sequence[collections.abc.Sequence[Dataset]]) -> None:
    """Put numbers at the end of a report's measurement groups.

    Args:
        report: A TID 1500 report; changed.
        numbers: For each of its measurement groups, in order.

    Raises:
        DicomError: The report has another number of groups.
    """
    groups = [
        group
        for part in report.ContentSequence
        if _is(part, codes.DCM.ImagingMeasurements)
        for group in part.ContentSequence
        if _is(group, codes.DCM.MeasurementGroup)
    ]
    if len(groups) != len(numbers):
        raise DicomError(f"SR: expected {len(numbers)} measurement groups, found {len(groups)}")
    for group, items in zip(groups, numbers, strict=True):
        group[_CONTENT] = DataElement(_CONTENT, "SQ", Sequence([*group.ContentSequence, *items]))  # not highdicom's own


def _is(item: Dataset, name: Code) -> bool:
    (found,) = item.ConceptNameCodeSequence if item.ValueType == "CONTAINER" else (Dataset(),)
    return bool(found.get("CodeValue") == name.value and found.CodingSchemeDesignator == name.scheme_designator)


def _text(name: Code, text: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "HAS CONCEPT MOD", "TEXT"
    item.ConceptNameCodeSequence = [_code(name)]
    item.TextValue = text
    return item


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    if code.scheme_version:
        item.CodingSchemeVersion = code.scheme_version
    return item
