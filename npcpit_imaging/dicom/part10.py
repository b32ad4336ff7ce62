"""The head of a Part-10 file: preamble and file meta written, identity read back (PS3.10 and PS3.5 section 7)."""

import hashlib
import itertools
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.errors import BytesLengthException
from pydicom.filereader import data_element_generator, read_file_meta_info
from pydicom.tag import BaseTag

from npcpit_imaging.dicom.uids import (
    DEFLATED,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    IMPLICIT,
)
from npcpit_imaging.errors import DicomError

CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
MAX_HEAD_BYTES = 1 << 16
"""Longest preamble and file meta that is read from a stream; real ones have a few hundred bytes."""

PREAMBLE_BYTES = 128
"""Length of the preamble, which says nothing of the object."""

_SHORT_ELEMENT = struct.Struct("<HH2sH")
_ORDINARY_TERMS = re.compile(r"[A-Z0-9_ \\]*")
_IMPLICIT_ELEMENT = struct.Struct("<HHL")
_SHORT_VRS = frozenset([b"CS", b"DA", b"DT", b"LO", b"SH", b"TM", b"UI"])
# VRs of two-byte length that stand between (0008,0001) and (0008,0018).
_META_START = PREAMBLE_BYTES + 4
_DATASET_FAULTS = (AttributeError, BytesLengthException, EOFError, KeyError, NotImplementedError, OSError, TypeError,
                   ValueError, struct.error, zlib.error)  # fmt: skip
# What pydicom's element reader raises on bytes that are no data set.


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHeader:
    """What the file meta of a received object says.

    Args:
        sop_class_uid: Affected SOP Class UID of the C-STORE request.
        sop_instance_uid: Affected SOP Instance UID of the C-STORE request.
        transfer_syntax_uid: As negotiated.
        calling_ae_title: Who sent it.
        called_ae_title: The name it was sent to.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    called_ae_title: str


def file_head(header: ObjectHeader) -> bytes:
    """Encode preamble, prefix and file meta (explicit VR little endian, PS3.10 table 7.1-1)."""
    elements = b"".join(
        [
            struct.pack("<HH2sxxL", 2, 0x0001, b"OB", 2) + b"\0\1",
            _element(0x0002, b"UI", header.sop_class_uid),
            _element(0x0003, b"UI", header.sop_instance_uid),
            _element(0x0010, b"UI", header.transfer_syntax_uid),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
            _element(0x0016, b"AE", header.calling_ae_title),
            _element(0x0017, b"AE", header.calling_ae_title),
            _element(0x0018, b"AE", header.called_ae_title),
        ]
    )
    return bytes(PREAMBLE_BYTES) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("latin-1", errors="replace")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def dataset_offset(file: BinaryIO) -> int:
    """Return where the data set of a Part-10 file begins, in bytes.

    Raises:
        DicomError: The file has no DICM prefix or no group length.
    """
    file.seek(0)
    head = file.read(_META_START + 12)
    if len(head) < _META_START + 12 or head[128:140] != b"DICM" + b"\x02\x00\x00\x00UL\x04\x00":
        raise DicomError("not a Part-10 file with a file meta group length")
    return _META_START + 12 + int(struct.unpack_from("<L", head, _META_START + 8)[0])


def split_head(pieces: Iterator[memoryview]) -> tuple[bytes, Iterator[memoryview]]:
    """Split a Part-10 stream into preamble with file meta, and data set.

    Args:
        pieces: The stream.

    Returns:
        The head, and the rest in pieces. A stream that is no Part-10 file comes back whole, its first bytes as head.
    """
    head, end = bytearray(), MAX_HEAD_BYTES
    for piece in pieces:
        head += piece
        if len(head) >= _META_START + 12:
            try:
                end = min(end, dataset_offset(BytesIO(head[: _META_START + 12])))
            except DicomError:
                break
        if len(head) >= end:
            break
    return bytes(head[:end]), itertools.chain([memoryview(bytes(head[end:]))], pieces)


def parse_head(head: bytes, *, calling_ae_title: str, called_ae_title: str) -> ObjectHeader:
    """Read what a foreign file meta says, with the AE titles of this transfer.

    Raises:
        DicomError: It is no file meta, or names no class, instance or transfer syntax.
    """
    offset = dataset_offset(BytesIO(head))
    try:
        meta = BytesIO(head[_META_START:offset])
        elements = data_element_generator(meta, is_implicit_VR=False, is_little_endian=True)
        values = {int(element.tag): element.value for element in elements}
        return ObjectHeader(
            sop_class_uid=_text(values[0x00020002]),
            sop_instance_uid=_text(values[0x00020003]),
            transfer_syntax_uid=_text(values[0x00020010]),
            calling_ae_title=calling_ae_title,
            called_ae_title=called_ae_title,
        )
    except _DATASET_FAULTS as error:
        raise DicomError(f"file meta cannot be read ({type(error).__name__})") from error


def read_header(path: Path) -> ObjectHeader:
    """Read back what `file_head` wrote.

    Raises:
        DicomError: The file meta cannot be read.
    """
    try:
        meta = read_file_meta_info(path)
        return ObjectHeader(
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
            calling_ae_title=str(meta.SendingApplicationEntityTitle),
            called_ae_title=str(meta.ReceivingApplicationEntityTitle),
        )
    except _DATASET_FAULTS as error:
        raise DicomError(f"file meta cannot be read ({type(error).__name__})") from error


def received_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's transfer syntax UID, a zero byte and its data set: the same from any sender.

    Raises:
        DicomError: The file meta cannot be read.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        offset = dataset_offset(file)
        try:
            syntax = str(read_file_meta_info(path).TransferSyntaxUID)
        except _DATASET_FAULTS as error:
            raise DicomError(f"file meta cannot be read ({type(error).__name__})") from error
        digest = hashlib.sha256(syntax.encode("latin-1") + b"\0")
        file.seek(offset)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def read_identity(dataset: BinaryIO, transfer_syntax_uid: str) -> tuple[str, str]:
    """Return SOP class and instance UID as the data set itself states them.

    Args:
        dataset: Positioned at the data set's first byte; read only as far as (0008,0018).
        transfer_syntax_uid: How it is encoded; an unknown one is explicit VR little endian (PS3.5 annex A.4).

    Raises:
        DicomError: The bytes are no data set, or it has no SOP class or instance UID.
    """
    if transfer_syntax_uid in DEFLATED:
        dataset = _inflated_head(dataset)
    try:
        elements = data_element_generator(
            dataset,
            is_implicit_VR=transfer_syntax_uid in IMPLICIT,
            is_little_endian=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
            stop_when=_is_past_identity,
        )
        values = {int(element.tag): element.value for element in elements}
        return _text(values[SOP_CLASS_UID]), _text(values[SOP_INSTANCE_UID])
    except _DATASET_FAULTS as error:
        raise DicomError(f"no data set with SOP class and instance UID ({type(error).__name__})") from error


def plain_identity(start: bytes | bytearray, transfer_syntax_uid: str) -> tuple[str, str] | None:
    r"""SOP class and instance UID from a data set's first bytes, where they are written as nearly all senders do.

    Args:
        start: The first bytes of the data set.
        transfer_syntax_uid: How it is encoded.

    Returns:
        What `read_identity` returns, twenty times as fast; None for anything out of the ordinary, which is left to it.

    Example:
        >>> uids = b"\x08\0\x16\0UI\x02\x001\0" + b"\x08\0\x18\0UI\x02\x002\0" + b"\x08\0\x20\0DA\0\0"
        >>> plain_identity(uids, "1.2.840.10008.1.2.1")
        ('1', '2')
    """
    if transfer_syntax_uid in DEFLATED or transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN:
        return None
    found: dict[int, str] = {}
    place, read = 0, _implicit if transfer_syntax_uid in IMPLICIT else _explicit
    while place + 8 <= len(start):
        tag, length = read(start, place)
        if tag >> 16 != 0x0008 or length < 0:
            return None
        if tag > SOP_INSTANCE_UID:
            break
        place += 8 + length
        if place > len(start):
            return None
        found[tag] = _text(bytes(start[place - length : place]))
        if tag == CHARACTER_SET and not _ORDINARY_TERMS.fullmatch(found[tag]):
            return None
    named = found.keys() >= {SOP_CLASS_UID, SOP_INSTANCE_UID}
    return (found[SOP_CLASS_UID], found[SOP_INSTANCE_UID]) if named else None


def _explicit(start: bytes | bytearray, place: int) -> tuple[int, int]:
    """Tag and length of an element; the length is negative where it is not one of two bytes."""
    group, element, vr, length = _SHORT_ELEMENT.unpack_from(start, place)
    return group << 16 | element, length if vr in _SHORT_VRS else -1


def _implicit(start: bytes | bytearray, place: int) -> tuple[int, int]:
    group, element, length = _IMPLICIT_ELEMENT.unpack_from(start, place)
    return group << 16 | element, length


def _is_past_identity(tag: BaseTag, vr: str | None, length: int) -> bool:
    return int(tag) > SOP_INSTANCE_UID


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0 ").decode("latin-1")


def _inflated_head(dataset: BinaryIO, size: int = 1 << 16) -> BytesIO:
    """Inflate only the first bytes: a small deflated object can hold gigabytes."""
    try:
        return BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(dataset.read(size), size))
    except zlib.error as error:
        raise DicomError("data set is not deflated as its transfer syntax says") from error
