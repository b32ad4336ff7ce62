"""Ages over 89 years that stand as a number in a structured report (DICOM PS3.16 TID 1007, concept 121033 DCM)."""

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from npcpit_imaging.dicom.deidentify.dates import OLDEST_AGE_YEARS
from npcpit_imaging.dicom.deidentify.elements import code_item, element_at, items_of, new_element, text_at
from npcpit_imaging.dicom.deidentify.table import ContentKey

SUBJECT_AGE: ContentKey = ("121033", "DCM", "NUM")

_MEASURED_VALUES, _NUMERIC_VALUE, _UNITS, _UNIT = 0x0040A300, 0x0040A30A, 0x004008EA, 0x00080100
_OTHER_FORMS = (0x0040A161, 0x0040A162, 0x0040A163)  # the same number as floating point or as a fraction
_YEARS_OF_UNIT: Mapping[str, float] = {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}


def clip_reported_age(item: Dataset) -> bool:
    """Make an age over 89 years, or one in a unit we do not know, 90 years.

    Args:
        item: A de-identified content item of Subject Age; changed.

    Returns:
        Whether it was changed.
    """
    if _MEASURED_VALUES not in item:
        return False
    values = items_of(element_at(item, _MEASURED_VALUES), item, "(0040,A300) MeasuredValueSequence")
    return sum(_clip(value) for value in values) > 0


def _clip(value: Dataset) -> bool:
    years = _years(value)
    if years is not None and years < OLDEST_AGE_YEARS + 1:
        return False
    value[_NUMERIC_VALUE] = new_element(_NUMERIC_VALUE, "DS", str(OLDEST_AGE_YEARS + 1))
    value[_UNITS] = new_element(_UNITS, "SQ", Sequence([code_item("a", "UCUM", "year")]))
    for tag in _OTHER_FORMS:
        value.pop(tag, None)
    return True


def _years(value: Dataset) -> float | None:
    units = items_of(element_at(value, _UNITS), value, "(0040,08EA) units") if _UNITS in value else ()
    factor = _YEARS_OF_UNIT.get(text_at(units[0], _UNIT)) if units else None
    try:
        return None if factor is None else float(text_at(value, _NUMERIC_VALUE)) * factor
    except ValueError:
        return None
