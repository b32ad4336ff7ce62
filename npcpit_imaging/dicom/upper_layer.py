"""DICOM Upper Layer over a blocking socket: PDU framing with a length cap and a deadline (PS3.8 section 9.3).

The framing alone is ours: association PDUs are pynetdicom's (see `negotiation`). Docs/decisions/0030 says why.
"""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from npcpit_imaging.errors import NetworkError

MAX_ASSOCIATE_BYTES = 256 * 1024
"""Longest A-ASSOCIATE-RQ we read: 128 contexts of 20 transfer syntaxes need about 80 kB."""

PDU_LENGTH_TOLERANCE_BYTES = 64
"""Some senders count the PDU or PDV headers outside the maximum length they were given (PS3.8 annex D.1)."""

MAX_COMMAND_BYTES = 64 * 1024
"""Longest command set we assemble; a C-STORE-RQ needs about 200 bytes."""

_HEADER = struct.Struct(">BxL")
_PDV_HEADER = struct.Struct(">LBB")


class PduType(IntEnum):
    """PDU types of PS3.8 section 9.3.1."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


_KINDS = {int(kind): kind for kind in PduType}


class AbortReason(IntEnum):
    """A-ABORT reasons of the service provider (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PDU_PARAMETER = 6


class PeerGoneError(NetworkError):
    """The peer closed, reset or fell silent."""


class ProtocolError(NetworkError):
    """The peer broke the upper layer protocol; the association must be aborted.

    Args:
        text: What was expected and what was found.
        reason: What the A-ABORT says.
    """

    def __init__(self, text: str, *, reason: AbortReason) -> None:
        super().__init__(text)
        self.reason = reason


class Pdu(NamedTuple):
    """One PDU; ``body`` is a view into the receive buffer, valid until the next `PduStream.receive`."""

    kind: PduType
    body: memoryview


class Pdv(NamedTuple):
    """One presentation data value (PS3.8 section 9.3.5.1 and annex E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    fragment: memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How much and how long a peer may take.

    Args:
        max_pdu_bytes: Largest P-DATA-TF variable field we announce and accept.
        timeout_s: Longest silence, and longest time for one PDU to arrive.
    """

    max_pdu_bytes: int
    timeout_s: float


class PduStream:
    """PDUs of one connection, read through one buffer of fixed size.

    Memory is bounded by the buffer whatever length a peer announces.

    Args:
        connection: A connected socket, plain or TLS; this class sets its timeout and options.
        limits: Caps on size and time.
    """

    def __init__(self, connection: socket.socket, limits: StreamLimits) -> None:
        self._connection = connection
        self._limits = limits
        data_cap = limits.max_pdu_bytes + PDU_LENGTH_TOLERANCE_BYTES
        self._caps = dict.fromkeys(PduType, 4) | {PduType.DATA_TF: data_cap, PduType.ASSOCIATE_RQ: MAX_ASSOCIATE_BYTES}
        self._buffer = memoryview(bytearray(6 + max(MAX_ASSOCIATE_BYTES, data_cap)))
        self._start = 0
        self._end = 0
        self.address = peer_address(connection)
        connection.settimeout(limits.timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def allow_silence(self, timeout_s: float) -> None:
        """Change the deadline of receives and sends, once the peer is known."""
        self._limits = replace(self._limits, timeout_s=timeout_s)
        self._connection.settimeout(timeout_s)

    def receive(self) -> Pdu:
        """Return the next PDU.

        Raises:
            PeerGoneError: The peer closed, reset, stayed silent or was too slow.
            ProtocolError: Unknown PDU type, or a length beyond the cap of its type.
        """
        self._fill(6)
        kind, length = self._header()
        self._fill(6 + length)
        body = self._buffer[self._start + 6 : self._start + 6 + length]
        self._start += 6 + length
        return Pdu(kind, body)

    def _header(self) -> tuple[PduType, int]:
        code, length = _HEADER.unpack_from(self._buffer, self._start)
        kind = _KINDS.get(code)
        if kind is None:
            text = f"PDU type 0x{code:02X}: expected 0x01 to 0x07"
            raise ProtocolError(text, reason=AbortReason.UNRECOGNIZED_PDU)
        cap = self._caps[kind]
        if length > cap:
            text = f"{kind.name} PDU of {length} bytes: expected at most {cap}"
            raise ProtocolError(text, reason=AbortReason.INVALID_PDU_PARAMETER)
        return kind, length

    def _fill(self, count: int) -> None:
        """Read until `count` bytes are buffered; the deadline is for all of them, not for each piece."""
        if self._end - self._start >= count:
            return
        if self._start + count > len(self._buffer) or self._start == self._end:
            self._compact()
        deadline_s = time.monotonic() + self._limits.timeout_s
        while self._end - self._start < count:
            if time.monotonic() > deadline_s:
                raise PeerGoneError(f"a PDU took longer than {self._limits.timeout_s:g} s")
            self._end += self._receive_some()

    def _compact(self) -> None:
        kept = self._end - self._start
        self._buffer[:kept] = self._buffer[self._start : self._end]
        self._start, self._end = 0, kept

    def _receive_some(self) -> int:
        try:
            count = self._connection.recv_into(self._buffer[self._end :])
            # The kernel leaves quick-ACK mode by itself, so this is asked for after every receive: a sender with
            # Nagle's algorithm on would otherwise wait 40 ms for our delayed ACK, once an object.
            if hasattr(socket, "TCP_QUICKACK"):
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except TimeoutError as error:
            raise PeerGoneError(f"silent for {self._limits.timeout_s:g} s") from error
        except OSError as error:
            raise PeerGoneError(f"connection lost ({type(error).__name__})") from error
        if count == 0:
            raise PeerGoneError("connection closed without release")
        return count

    def send(self, pdu: bytes) -> None:
        """Send one encoded PDU.

        Raises:
            PeerGoneError: The peer is gone or does not read.
        """
        try:
            self._connection.sendall(pdu)
        except OSError as error:
            raise PeerGoneError(f"connection lost while answering ({type(error).__name__})") from error

    def abort(self, reason: AbortReason) -> None:
        """Send an A-ABORT of the service provider; a peer that is already gone is no error."""
        try:
            self._connection.sendall(abort_pdu(reason))
        except OSError:
            return


def peer_address(connection: socket.socket) -> str:
    """The address at the other end of a connection, for the log."""
    try:
        name = connection.getpeername()
    except OSError:
        return "an address that is gone"
    return str(name[0]) if isinstance(name, tuple) else "this machine"


def presentation_data_values(body: memoryview) -> Iterator[Pdv]:
    """Split the variable field of a P-DATA-TF PDU.

    Args:
        body: Everything after the six-byte PDU header.

    Raises:
        ProtocolError: No value, or a length that does not fit the PDU.

    Example:
        >>> list(presentation_data_values(memoryview(bytes([0, 0, 0, 3, 1, 3, 42]))))[0][:3]
        (1, True, True)
    """
    if not body:
        raise ProtocolError("P-DATA-TF without a value: expected one or more", reason=AbortReason.INVALID_PDU_PARAMETER)
    offset = 0
    while offset < len(body):
        if len(body) - offset < _PDV_HEADER.size:
            raise ProtocolError("truncated PDV header", reason=AbortReason.INVALID_PDU_PARAMETER)
        length, context_id, control = _PDV_HEADER.unpack_from(body, offset)
        end = offset + 4 + length
        if length < 2 or end > len(body):
            text = f"PDV of {length} bytes: expected 2 to {len(body) - offset - 4}"
            raise ProtocolError(text, reason=AbortReason.INVALID_PDU_PARAMETER)
        yield Pdv(context_id, bool(control & 1), bool(control & 2), body[offset + 6 : end])
        offset = end


def command_pdus(command: bytes, *, context_id: int, peer_max_pdu_bytes: int) -> bytes:
    """Encode a command set as P-DATA-TF PDUs no longer than the peer accepts.

    Args:
        command: The encoded command set.
        context_id: Presentation context it belongs to.
        peer_max_pdu_bytes: The peer's maximum length; 0 is unlimited.
    """
    room = (peer_max_pdu_bytes or len(command) + 6) - 6
    pieces = [command[at : at + room] for at in range(0, len(command), room)]
    last = len(pieces) - 1
    return b"".join(
        _HEADER.pack(PduType.DATA_TF, len(piece) + 6)
        + _PDV_HEADER.pack(len(piece) + 2, context_id, 0x03 if index == last else 0x01)
        + piece
        for index, piece in enumerate(pieces)
    )


def abort_pdu(reason: AbortReason) -> bytes:
    """Encode an A-ABORT by the service provider (PS3.8 section 9.3.8)."""
    return _HEADER.pack(PduType.ABORT, 4) + bytes([0, 0, 2, reason])


def release_reply_pdu() -> bytes:
    """Encode an A-RELEASE-RP (PS3.8 section 9.3.7)."""
    return _HEADER.pack(PduType.RELEASE_RP, 4) + bytes(4)
