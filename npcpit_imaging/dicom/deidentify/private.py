"""Private attributes: all go but those known to be safe, whose value must be what it promises (PS3.15 E.3.10)."""

import re

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.deidentify.dates import shift_dt
from npcpit_imaging.dicom.deidentify.elements import Element, is_numeric_text, new_element, own, text_at, texts_of
from npcpit_imaging.dicom.deidentify.table import safe_private

MAX_BYTES = 1024
"""A safe private value is a few numbers; a longer one is something else."""

_WIDTH = {"FL": 4, "FD": 8, "SS": 2}
_CODE = re.compile("[A-Z]{1,16}")


def creator_of(source: Dataset, tag: int) -> str:
    """The private creator that reserved an element's block; empty where none did."""
    return text_at(source, creator_tag_of(tag))


def creator_tag_of(tag: int) -> int:
    """The tag at which the private creator of an element stands (PS3.5 7.8.1)."""
    return (tag & 0xFFFF0000) | ((tag & 0xFFFF) >> 8)


def safe_element(source: Dataset, element: Element, *, shift_days: int) -> Element | None:
    """The element, shifted if it is a date, where it is on the list and fits its VR; None where it must go.

    Args:
        source: The data set that holds it, for its private creator.
        element: An element of an odd group.
        shift_days: Days to add to a date.
    """
    tag = int(element.tag)
    vr = safe_private().get((creator_of(source, tag), tag >> 16, tag & 0xFF))
    if vr is None:
        return None
    if vr in _WIDTH:
        data = element.value
        fits = not isinstance(data, bytes) or (0 < len(data) <= MAX_BYTES and len(data) % _WIDTH[vr] == 0)
        return own(element) if fits else None
    values = _safe_texts(texts_of(element, vr), vr, shift_days)
    return None if values is None else new_element(tag, vr, values[0] if len(values) == 1 else values)


def _safe_texts(values: list[str], vr: str, shift_days: int) -> list[str] | None:
    if vr == "DT":
        try:
            return [shift_dt(value, shift_days) for value in values]
        except ValueError:
            return None
    fits = all(_CODE.fullmatch(value) if vr == "CS" else is_numeric_text(value) for value in values)
    return values if fits else None
