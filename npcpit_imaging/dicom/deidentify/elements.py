"""Reading and rewriting one data element without decoding what need not be decoded (DICOM PS3.5 6.2, 7.1)."""

from collections.abc import Sequence as Values
from copy import deepcopy
from functools import cache
from typing import TypeAlias

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from npcpit_imaging.errors import DeidentifyError

Element: TypeAlias = DataElement | RawDataElement

TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
"""VRs whose value is characters."""

BINARY_VRS = frozenset({"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"})
"""VRs whose value is numbers."""

SINGLE_TEXT_VRS = frozenset({"LT", "ST", "UT", "UR"})
"""Text VRs in which a backslash separates nothing."""

DUMMY_TEXT = "Removed"
"""What stands where a value is required but none may be shown."""

_DUMMIES = {"DS": "0", "IS": "0", "AS": "000Y", "CS": "REMOVED", "AE": "REMOVED", "TM": "000000", "UR": "about:blank"}
_ITEM_STARTS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00", b"\xfe\xff\xdd\xe0", b"\xff\xfe\xe0\xdd")
UNDEFINED_LENGTH = 0xFFFFFFFF
_NUMERALS = b"0123456789+-.eE \\\0"
_PAD = {"UI": b"\0"}


def tag_name(tag: int) -> str:
    """A tag as ``(gggg,eeee)``, with its keyword where the standard has one."""
    keyword = keyword_for_tag(tag)
    plain = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return f"{plain} {keyword}" if keyword else plain


def element_at(dataset: Dataset, tag: int) -> Element:
    """An element as it stands in the data set, undecoded; one of no length has no bytes rather than no value."""
    element = dataset.get_item(tag, keep_deferred=True)
    if isinstance(element, RawDataElement) and element.value is None:
        return element._replace(value=b"") if element.length == 0 else dataset.get_item(tag)
    return element


def text_at(dataset: Dataset, tag: int) -> str:
    """An attribute's values as one text, backslashes between them; empty where it is absent."""
    if tag not in dataset:
        return ""
    element = element_at(dataset, tag)
    return "\\".join(texts_of(element, vr_of(element)))


def has_vr(element: Element) -> bool:
    """True if the element carries a VR of the standard."""
    return element.VR in {"UN", "SQ"} or element.VR in TEXT_VRS or element.VR in BINARY_VRS


def vr_of(element: Element) -> str:
    """The VR to judge a value by: the written one, unless the dictionary knows better.

    It knows better for implicit VR, for UN and letters that are no VR, and where a text claims to be binary.
    """
    written, known = str(element.VR), standard_vr(int(element.tag))
    disguised = written in BINARY_VRS and known in TEXT_VRS
    return written if (written in TEXT_VRS or written in BINARY_VRS or written == "SQ") and not disguised else known


@cache
def standard_vr(tag: int) -> str:
    """The VR that PS3.6 gives an attribute, else ``UN``."""
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"


def texts_of(element: Element, vr: str) -> list[str]:
    """The element's values as text, unpadded; a byte beyond ASCII becomes a character beyond ASCII in any charset."""
    text = _joined(element.value)
    values = [text] if vr in SINGLE_TEXT_VRS else text.split("\\")
    values = [part.strip("\0 ") for part in values]
    return [] if values == [""] else values


def _joined(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list | tuple | MultiValue):
        return "\\".join(str(part) for part in value)
    return str(value)


def is_numeric_text(value: str | bytes) -> bool:
    """True for numbers, their separators and padding, and for nothing at all."""
    data = value.encode("latin-1", "replace") if isinstance(value, str) else value
    return not data.translate(None, _NUMERALS)


def written_as(element: Element, vr: str) -> Element:
    """A raw element of implicit VR inside an explicit data set (a writer's fault), with the VR it needs there."""
    if not isinstance(element, RawDataElement):
        return element
    choices = vr.split(" or ")  # OB or OW: encapsulated pixel data, of undefined length, are OB (PS3.5 A.4)
    return element._replace(VR=choices[0] if element.length == UNDEFINED_LENGTH else choices[-1])


def bytes_of(element: Element) -> bytes:
    """The element's value as bytes where it is held as bytes, else nothing."""
    return element.value if isinstance(element.value, bytes) else b""


def with_texts(element: Element, vr: str, values: Values[str]) -> Element:
    """The same element with other text; a raw element stays raw, so that nothing else is rewritten."""
    if isinstance(element, RawDataElement):
        data = "\\".join(values).encode("ascii")
        data += _PAD.get(vr, b" ") * (len(data) % 2)
        written = element.VR if element.VR in (None, vr) else vr
        return element._replace(VR=written, value=data, length=len(data))
    value: object = (values[0] if len(values) == 1 else list(values)) if values else ""
    return DataElement(element.tag, vr, value, validation_mode=IGNORE)


def own(element: Element) -> Element:
    """An element the copy may call its own: raw ones cannot change, decoded ones are copied."""
    return element if isinstance(element, RawDataElement) else deepcopy(element)


def emptied(element: Element, vr: str) -> Element:
    """The same element with no value (type 2)."""
    value: object = Sequence() if vr == "SQ" else "" if vr in TEXT_VRS else None
    return DataElement(element.tag, vr, value, validation_mode=IGNORE)


def dummy(element: Element, vr: str) -> Element:
    """The same element with a value that is valid for its VR and says nothing (type 1)."""
    if vr in TEXT_VRS:
        return with_texts(element, vr, [_DUMMIES.get(vr, DUMMY_TEXT)])
    if vr in ("OB", "OW", "UN", "OB or OW"):
        return DataElement(element.tag, "OB" if vr == "OB or OW" else vr, b"\0\0", validation_mode=IGNORE)
    return emptied(element, vr)


def items_of(element: Element, dataset: Dataset, place: str) -> Sequence:
    """The items of a sequence, parsed if need be; UN holds implicit little endian (PS3.5 6.2.2).

    Args:
        element: An element whose VR is SQ.
        dataset: The dataset that holds it.
        place: Where, for the message.

    Raises:
        DeidentifyError: Its bytes are not a sequence, so nobody knows what they hold.
    """
    if isinstance(element.value, Sequence):
        return element.value
    data = element.value or b""
    unknown = element.VR == "UN"
    implicit = unknown or element.VR is None or bool(getattr(element, "is_implicit_VR", False))
    little = unknown or bool(getattr(element, "is_little_endian", True))
    fault = DeidentifyError(f"{place}: expected the items of a sequence, found bytes that are none")
    if data and data[:4] not in _ITEM_STARTS:
        raise fault
    try:
        return convert_SQ(data, implicit, little, dataset.original_character_set or None)
    except Exception as error:  # pydicom's parsers raise anything from OSError to TypeError on hostile bytes
        raise fault from error


def new_element(tag: int, vr: str, value: object) -> DataElement:
    """A data element made from scratch."""
    return DataElement(BaseTag(tag), vr, value, validation_mode=IGNORE)


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """A code sequence item (PS3.3 8.8)."""
    values = ((0x00080100, "SH", value), (0x00080102, "SH", scheme), (0x00080104, "LO", meaning))
    return Dataset({BaseTag(tag): new_element(tag, vr, text) for tag, vr, text in values})
