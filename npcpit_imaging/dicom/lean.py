"""A fast reader of plain headers: the top level of a little-endian data set, its values taken when asked for (PS3.5 7).

It exists for speed alone: whatever is not plain (enhanced, big endian, deflated, values that are no clean numbers or
letters, a broken structure) it declines, and pydicom reads the file. Where it does answer, it says what pydicom says.
"""

import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword

from npcpit_imaging.dicom.layout import AT_ONCE, Layout, Span
from npcpit_imaging.dicom.uids import DEFLATED, EXPLICIT_VR_BIG_ENDIAN, IMPLICIT, IMPLICIT_VR_LITTLE_ENDIAN, is_uid

Value = str | int | float | tuple[str, ...] | tuple[int, ...] | tuple[float, ...] | None
"""What an element holds, as pydicom would give it; numbers written as text stay text, several values are a tuple."""

CHUNK_BYTES = 1 << 15
"""Read at once; most headers are shorter."""

LARGEST_HEADER_BYTES = 1 << 24
"""Where no pixels begin before this, pydicom may look for them."""

PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, double float and integer pixel data: here a header ends."""

NOT_PLAIN = (0x00041220, 0x52009230, 0x52009229, 0x00289145, 0x00283000, 0x00409096)
"""Directory records, functional groups, pixel value transformation, modality LUT, real world value maps."""

TRANSFER_SYNTAX = 0x00020010
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

LONG_VRS = frozenset([b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"])
SHORT_VRS = frozenset(
    [b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US"]
)  # fmt: skip
BINARY = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}
"""VR and how struct reads one value."""

PLAIN_TEXT = frozenset(["AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"])
NUMBER_TEXT = re.compile(rb" *[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? *")
WHOLE_TEXT = re.compile(rb" *[+-]?\d+ *")
ORDINARY = re.compile(rb"[\x20-\x7e]*")
"""ASCII without control characters: no character set can change what it says."""

_TAG = struct.Struct("<HH")
_EXPLICIT = struct.Struct("<HH2sH")
_LENGTH = struct.Struct("<L")


Element = tuple[bytes, int, int]
"""VR (empty where implicit), first byte of the value and the byte after it."""


class NotPlainError(Exception):
    """This header is for pydicom."""


_LAYOUTS: dict[bool, tuple[Layout, ...]] = {False: (), True: ()}
"""Layouts seen last, of explicit and of implicit headers; replaced whole, so that threads see one or another."""


@lru_cache(maxsize=512)
def _known(keyword: str) -> tuple[int, str]:
    """Tag and VR of a keyword."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise NotPlainError(keyword)
    return tag, dictionary_VR(tag)


class FileMeta:
    """The one element of the file meta that a plain header needs."""

    def __init__(self, transfer_syntax_uid: str) -> None:
        self._transfer_syntax_uid = transfer_syntax_uid

    def get(self, keyword: str, default: str = "") -> str:
        """Return the transfer syntax.

        Raises:
            NotPlainError: Something else is asked for.
        """
        if keyword != "TransferSyntaxUID":
            raise NotPlainError(keyword)
        return self._transfer_syntax_uid or default


class PlainHeader:
    """The elements of one file up to its pixels; asks like a pydicom data set does.

    Args:
        path: A Part-10 file.

    Raises:
        NotPlainError: Nothing is wrong with the file, perhaps, but pydicom must read it.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._spans: list[Span] = []
        with path.open("rb", buffering=0) as self._file:
            self._bytes = self._file.read(CHUNK_BYTES)
            start, self.transfer_syntax_uid = self._meta()
            self._is_implicit = self.transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
            self._spans.clear()  # of the file meta
            self._elements, self.offset = self._known_layout(start) or self._walk(start)
        if any(tag in self._elements for tag in NOT_PLAIN):
            raise NotPlainError

    @property
    def file_meta(self) -> "FileMeta":
        """The file meta, as far as it was read."""
        return FileMeta(self.transfer_syntax_uid)

    def __contains__(self, keyword: str) -> bool:
        """Whether there is such an element."""
        return _known(keyword)[0] in self._elements

    def get(self, keyword: str) -> Value:
        """Return an element's value, None where absent.

        Raises:
            NotPlainError: It is not plain.
        """
        tag, vr = _known(keyword)
        if tag not in self._elements:
            return None
        found, start, end = self._elements[tag]
        if found != b"":
            vr = found.decode("ascii")
        return _value(self._bytes[start:end], self._resolved(vr))

    def _resolved(self, vr: str) -> str:
        if vr != "US or SS":
            return vr
        representation = self.get("PixelRepresentation")
        if representation not in (0, 1):
            raise NotPlainError
        return "SS" if representation == 1 else "US"

    def _meta(self) -> tuple[int, str]:
        """Return where the data set starts, and its transfer syntax, from the file meta group (PS3.10 7.1)."""
        if self._bytes[128:140] != b"DICM\x02\x00\x00\x00UL\x04\x00" or len(self._bytes) < 400:
            raise NotPlainError
        place, end = 144, 144 + _LENGTH.unpack_from(self._bytes, 140)[0]
        syntax = ""
        while place < end <= len(self._bytes) - 12:
            tag, _, start, length = self._explicit(place)
            if tag >> 16 != 2 or length == UNDEFINED or start + length > end:
                raise NotPlainError
            if tag == TRANSFER_SYNTAX:
                syntax = self._bytes[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
            place = start + length
        unusual = {"", EXPLICIT_VR_BIG_ENDIAN} | DEFLATED | (IMPLICIT - {IMPLICIT_VR_LITTLE_ENDIAN})
        if place != end or syntax in unusual or not is_uid(syntax) or not syntax.startswith("1.2.840.10008.1.2"):
            raise NotPlainError
        return end, syntax

    def _known_layout(self, start: int) -> tuple[Mapping[int, Element], int] | None:
        """Return the elements and the pixels' place of a layout that was walked before, where this header has it."""
        known = _LAYOUTS[self._is_implicit]
        return next(((each.elements, each.offset) for each in known if each.fits(start, self._bytes)), None)

    def _walk(self, place: int) -> tuple[Mapping[int, Element], int]:
        """Return where every element of the top level lies, and where the pixels begin."""
        begin, elements = place, dict[int, Element]()
        read, first = self._implicit if self._is_implicit else self._explicit, True
        while True:
            if place + 12 > len(self._bytes):
                self._more(place + 12)
            if first and self._is_implicit and self._bytes[place + 4 : place + 6] in LONG_VRS | SHORT_VRS:
                raise NotPlainError  # explicit VR in spite of what the file meta says
            first = False
            tag, vr, start, length = read(place)
            if tag in PIXEL_TAGS:
                self._remember(begin, elements)
                return elements, place
            if tag >> 16 in (0, 2, 0xFFFE):
                raise NotPlainError
            end = self._sequence_end(start, vr) if length == UNDEFINED else start + length
            if end > len(self._bytes):
                self._more(end)
            elements[tag] = (vr, start, end)
            place = end

    def _remember(self, start: int, elements: Mapping[int, Element]) -> None:
        layout = Layout(start=start, spans=self._spans, elements=elements, content=self._bytes)
        _LAYOUTS[self._is_implicit] = (layout, *_LAYOUTS[self._is_implicit][: AT_ONCE - 1])

    def _explicit(self, place: int) -> tuple[int, bytes, int, int]:
        group, element, vr, length = _EXPLICIT.unpack_from(self._bytes, place)
        if vr in SHORT_VRS:
            self._spans.append((place, place + 8))
            return group << 16 | element, vr, place + 8, length
        if vr not in LONG_VRS:
            raise NotPlainError
        self._spans.append((place, place + 12))
        return group << 16 | element, vr, place + 12, _LENGTH.unpack_from(self._bytes, place + 8)[0]

    def _implicit(self, place: int) -> tuple[int, bytes, int, int]:
        self._spans.append((place, place + 8))
        group, element = _TAG.unpack_from(self._bytes, place)
        return group << 16 | element, b"", place + 8, _LENGTH.unpack_from(self._bytes, place + 4)[0]

    def _sequence_end(self, place: int, vr: bytes) -> int:
        """Walk over a sequence of undefined length, its items whole, and return where it ends."""
        if vr not in (b"SQ", b""):
            raise NotPlainError
        while True:
            tag, length = self._item(place)
            place += 8
            if tag == SEQUENCE_END:
                return place
            if tag != ITEM:
                raise NotPlainError
            place = self._item_end(place) if length == UNDEFINED else place + length

    def _item_end(self, place: int) -> int:
        read = self._implicit if self._is_implicit else self._explicit
        while True:
            tag, _ = self._item(place)
            if tag == ITEM_END:
                return place + 8
            tag, vr, start, length = read(place)
            place = self._sequence_end(start, vr) if length == UNDEFINED else start + length

    def _item(self, place: int) -> tuple[int, int]:
        if place + 12 > len(self._bytes):
            self._more(place + 12)
        self._spans.append((place, place + 8))
        group, element = _TAG.unpack_from(self._bytes, place)
        return group << 16 | element, _LENGTH.unpack_from(self._bytes, place + 4)[0]

    def _more(self, needed: int) -> None:
        """Read on until so many bytes are there."""
        if needed > LARGEST_HEADER_BYTES:
            raise NotPlainError
        while len(self._bytes) < needed:
            found = self._file.read(max(CHUNK_BYTES, needed - len(self._bytes)))
            if not found:
                raise NotPlainError
            self._bytes += found


@lru_cache(maxsize=4096)
def _value(stored: bytes, vr: str) -> Value:
    """Return a value as pydicom gives it, numbers written as text left as text.

    Remembered, as the slices of a series say most things alike.

    Raises:
        NotPlainError: The bytes are not what the VR promises, or need a character set.
    """
    if vr in BINARY:
        size = struct.calcsize("<" + BINARY[vr])
        if len(stored) % size:
            raise NotPlainError
        found = struct.unpack(f"<{len(stored) // size}{BINARY[vr]}", stored)
        return None if not found else found[0] if len(found) == 1 else found
    if vr not in PLAIN_TEXT and vr not in ("DS", "IS"):
        raise NotPlainError
    bare = stored.rstrip(b"\0 ")
    if not ORDINARY.fullmatch(bare):
        raise NotPlainError
    parts = bare.split(b"\\")
    clean = {"DS": NUMBER_TEXT, "IS": WHOLE_TEXT}.get(vr)
    if clean is not None and bare and not all(clean.fullmatch(part) for part in parts):
        raise NotPlainError
    texts = [part.decode("ascii") for part in parts]
    bare_texts = [text.strip() for text in texts]
    if clean is None and len(texts) > 1 and bare_texts != texts:
        raise NotPlainError
    return bare_texts[0] if len(texts) == 1 else tuple(bare_texts)
