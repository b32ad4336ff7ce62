"""Read one value of a DICOM header as text or numbers, and name a tag as people write it (DICOM PS3.5, PS3.6)."""

from functools import lru_cache

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from npcpit_imaging.dicom.lean import NotPlainError
from npcpit_imaging.errors import DicomError

SEVERAL = (tuple, list, MultiValue)
"""What several values of an element come as: our own reader's, a plain list, pydicom's."""


@lru_cache(maxsize=512)
def tag_name(keyword: str) -> str:
    """Return a keyword with its tag.

    Example:
        >>> tag_name("PixelSpacing")
        'PixelSpacing (0028,0030)'
    """
    tag = Tag(tag_for_keyword(keyword) or 0)
    return f"{keyword} ({tag.group:04X},{tag.element:04X})"


def text(dataset: Dataset, keyword: str) -> str:
    r"""Return a value as text, several joined with a backslash; empty where absent or unreadable."""
    try:
        value = dataset.get(keyword)
    except NotPlainError:
        raise
    except Exception:  # noqa: BLE001  pydicom raises many kinds for a broken value
        return ""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value).strip()
    return "\\".join(str(part) for part in value) if isinstance(value, SEVERAL) else str(value).strip()


def first_text(dataset: Dataset, keyword: str) -> str:
    """Return the first of several values as text; empty where absent."""
    return text(dataset, keyword).split("\\")[0]


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly `count` numbers, or None where the element is absent or empty.

    Raises:
        DicomError: The value is not that many numbers; the message names the tag.
    """
    try:
        value = dataset.get(keyword)
        if value is None or value == "" or (isinstance(value, SEVERAL) and len(value) == 0):
            return None
        parts = list(value) if isinstance(value, SEVERAL) else [value]
        found = tuple(float(part) for part in parts)
    except NotPlainError:
        raise
    except Exception as error:  # pydicom raises many kinds for a broken file
        raise DicomError(f"{tag_name(keyword)}: expected {count} numbers, found an unreadable value") from error
    if len(found) != count:
        raise DicomError(f"{tag_name(keyword)}: expected {count} numbers, found {len(found)}")
    return found


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return one number, the first where there are several, or None where the element is absent or empty.

    Raises:
        DicomError: The value is not a number; the message names the tag.
    """
    try:
        value = dataset.get(keyword)
        if isinstance(value, SEVERAL):
            value = value[0] if len(value) else None
        return None if value is None or value == "" else float(value)
    except NotPlainError:
        raise
    except Exception as error:  # pydicom raises many kinds for a broken file
        raise DicomError(f"{tag_name(keyword)}: expected a number, found an unreadable value") from error
