"""DIMSE command sets of a storage SCP: C-STORE, C-ECHO and N-ACTION (PS3.7 sections 6.3, 9.3, 10.3 and annex E)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from npcpit_imaging.errors import DicomError

_ELEMENT = struct.Struct("<HHL")
_UINT16 = struct.Struct("<H")
NO_DATASET = 0x0101
"""Command Data Set Type (0000,0800) of a message without a data set."""


class Tag(IntEnum):
    """Elements of group 0000 that we read or write (PS3.7 table E.1-1)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    REQUESTED_SOP_CLASS_UID = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    COMMAND_DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REQUESTED_SOP_INSTANCE_UID = 0x1001
    ACTION_TYPE_ID = 0x1008


class CommandField(IntEnum):
    """Commands we know by name (PS3.7 annex E.1)."""

    C_STORE_RQ = 0x0001
    C_ECHO_RQ = 0x0030
    N_ACTION_RQ = 0x0130
    C_CANCEL_RQ = 0x0FFF


RESPONSE = 0x8000
"""The bit that makes a command field the response to it."""


class Status(IntEnum):
    """Statuses we answer (PS3.7 annex C, PS3.4 table B.2-1)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    INVALID_SOP_INSTANCE = 0x0117
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    UNRECOGNIZED_OPERATION = 0x0211
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    DATASET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A request as received.

    Args:
        field: Command field (0000,0100); any value.
        message_id: Message ID (0000,0110).
        sop_class_uid: Affected (of an N-ACTION: requested) SOP Class UID, or an empty text.
        sop_instance_uid: Affected (requested) SOP Instance UID, or an empty text; not yet checked.
        has_dataset: Whether a data set follows.
        action_type: Of an N-ACTION; 0 for other requests.
    """

    field: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_dataset: bool
    action_type: int = 0


def decode_command(encoded: bytes) -> Command:
    """Decode a command set (always implicit VR little endian).

    Raises:
        DicomError: Elements do not fill the bytes, a foreign group, or an element every request needs is missing.

    Example:
        >>> echo = response(Command(field=0x30, message_id=7, sop_class_uid="1.2.840.10008.1.1", sop_instance_uid="",
        ...                         has_dataset=False), Status.SUCCESS)
        >>> hex(_elements(echo)[Tag.COMMAND_FIELD][0] + 256 * _elements(echo)[Tag.COMMAND_FIELD][1])
        '0x8030'
    """
    elements = _elements(encoded)
    return Command(
        field=_uint16(elements, Tag.COMMAND_FIELD),
        message_id=_uint16(elements, Tag.MESSAGE_ID, default=0),
        sop_class_uid=_uid(elements, Tag.AFFECTED_SOP_CLASS_UID) or _uid(elements, Tag.REQUESTED_SOP_CLASS_UID),
        sop_instance_uid=_uid(elements, Tag.AFFECTED_SOP_INSTANCE_UID)
        or _uid(elements, Tag.REQUESTED_SOP_INSTANCE_UID),
        has_dataset=_uint16(elements, Tag.COMMAND_DATA_SET_TYPE) != NO_DATASET,
        action_type=_uint16(elements, Tag.ACTION_TYPE_ID, default=0),
    )


def _elements(encoded: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset < len(encoded):
        if len(encoded) - offset < _ELEMENT.size:
            raise DicomError(f"command set: {len(encoded) - offset} bytes left over after the last element")
        group, element, length = _ELEMENT.unpack_from(encoded, offset)
        offset += _ELEMENT.size
        if group != 0 or length > len(encoded) - offset:
            raise DicomError(
                f"command set: element ({group:04X},{element:04X}) of {length} bytes does not belong or fit"
            )
        found[element] = encoded[offset : offset + length]
        offset += length
    return found


def _uint16(elements: dict[int, bytes], tag: Tag, *, default: int | None = None) -> int:
    value = elements.get(tag)
    if value is None and default is not None:
        return default
    if value is None or len(value) != _UINT16.size:
        raise DicomError(f"command set: (0000,{tag:04X}) expected as two bytes, found {value and len(value)}")
    return int(_UINT16.unpack(value)[0])


def _uid(elements: dict[int, bytes], tag: Tag) -> str:
    # Latin-1 keeps every byte: a UID that is none must reach the quarantine, and the answer must repeat it.
    return elements.get(tag, b"").rstrip(b"\0 ").decode("latin-1")


def response(command: Command, status: Status, comment: str = "") -> bytes:
    """Encode the response to a command.

    Args:
        command: What is answered.
        status: How it went.
        comment: Error Comment (0000,0902), at most 64 ASCII characters; no patient's name.
    """
    elements = [
        (Tag.COMMAND_FIELD, _UINT16.pack(command.field | RESPONSE)),
        (Tag.MESSAGE_ID_RESPONDED_TO, _UINT16.pack(command.message_id)),
        (Tag.COMMAND_DATA_SET_TYPE, _UINT16.pack(NO_DATASET)),
        (Tag.STATUS, _UINT16.pack(status)),
    ]
    if command.sop_class_uid:
        elements.insert(0, (Tag.AFFECTED_SOP_CLASS_UID, _padded(command.sop_class_uid, b"\0")))
    if comment:
        elements.append((Tag.ERROR_COMMENT, _padded(comment[:64], b" ")))
    if command.sop_instance_uid:
        elements.append((Tag.AFFECTED_SOP_INSTANCE_UID, _padded(command.sop_instance_uid, b"\0")))
    if command.field == CommandField.N_ACTION_RQ:
        elements.append((Tag.ACTION_TYPE_ID, _UINT16.pack(command.action_type)))
    body = b"".join(_ELEMENT.pack(0, tag, len(value)) + value for tag, value in elements)
    return _ELEMENT.pack(0, Tag.GROUP_LENGTH, 4) + struct.pack("<L", len(body)) + body


def _padded(text: str, pad: bytes) -> bytes:
    encoded = text.encode("latin-1", errors="replace")
    return encoded + pad * (len(encoded) % 2)
