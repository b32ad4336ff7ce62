"""NUM content items of a measurement group as plain data sets (TID 300 with TID 4019; PS3.16).

A report of features holds hundreds of numbers a lesion. highdicom checks, copies and searches each of them several
times (17 s of 20 for a lesion of 583 features); these are the same elements, written once (a test compares them).
What all numbers of a lesion share (the algorithm, its settings) is encoded once and kept as its bytes.
"""

import collections.abc

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence_item
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.valuerep import format_number_as_ds

from npcpit_imaging.errors import DicomError

_CONTENT = 0x0040A730


def number_item(*, name: Code, value: float, unit: Code, modifiers: bytes) -> Dataset:
    """One number.

    Args:
        name: What was measured.
        value: The number.
        unit: Its unit.
        modifiers: Content items that tell how, encoded (`encoded`).

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
    item[_CONTENT] = RawDataElement(Tag(_CONTENT), "SQ", len(modifiers), modifiers, 0, False, True)
    _as_it_is(item, measured, *item.ConceptNameCodeSequence, *measured.MeasurementUnitsCodeSequence)
    return item


def encoded(items: collections.abc.Sequence[Dataset]) -> bytes:
    """Content items of ASCII texts as the bytes of a sequence, in explicit VR little endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    for item in items:
        write_sequence_item(buffer, item, [default_encoding])
    return bytes(buffer.getvalue())


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
    parts = [part for part in report.ContentSequence if _is(part, codes.DCM.ImagingMeasurements)]
    groups = [group for part in parts for group in part.ContentSequence if _is(group, codes.DCM.MeasurementGroup)]
    if len(groups) != len(numbers):
        raise DicomError(f"SR: expected {len(numbers)} measurement groups, found {len(groups)}")
    for group, items in zip(groups, numbers, strict=True):
        group[_CONTENT] = DataElement(_CONTENT, "SQ", Sequence([*group.ContentSequence, *items]))  # not highdicom's own
    _as_it_is(report, *parts, *groups)


def _as_it_is(*items: Dataset) -> None:
    """Tell pydicom that what holds encoded bytes need not be decoded to be written: it is as the file will be."""
    for item in items:
        named = item.get("SpecificCharacterSet")
        charset = convert_encodings(named) if named else default_encoding
        item.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=charset)


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
