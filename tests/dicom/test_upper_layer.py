"""Framing of PDUs over real sockets: caps, deadlines, malformed input."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from npcpit_imaging.dicom.upper_layer import (
    MAX_ASSOCIATE_BYTES,
    AbortReason,
    PduStream,
    PduType,
    PeerGoneError,
    ProtocolError,
    StreamLimits,
    command_pdus,
    presentation_data_values,
)

LIMITS = StreamLimits(max_pdu_bytes=4096, timeout_s=0.3)


@pytest.fixture
def pair() -> Iterator[tuple[PduStream, socket.socket]]:
    """A stream and the raw socket of its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with peer, ours:
        yield PduStream(ours, LIMITS), peer


def data_pdu(*values: bytes) -> bytes:
    """Encode a P-DATA-TF PDU by hand (PS3.8 tables 9-22 and 9-23)."""
    body = b"".join(struct.pack(">LBB", len(value) + 2, 1, 2) + value for value in values)
    return struct.pack(">BBL", 4, 0, len(body)) + body


def test_pdus_are_framed_whatever_the_pieces_they_arrive_in(pair):
    """Pieces of one byte, and two PDUs in one piece, give the same PDUs."""
    stream, peer = pair
    first, second = data_pdu(b"a" * 300), data_pdu(b"b" * 4000)
    for byte in first:
        peer.sendall(bytes([byte]))
    peer.sendall(second + first)
    bodies = [bytes(stream.receive().body) for _ in range(3)]
    assert bodies == [first[6:], second[6:], first[6:]]


def test_many_large_pdus_pass_through_the_fixed_buffer(pair):
    """The buffer is reused: more bytes than it holds arrive unchanged."""
    stream, peer = pair
    generator = random.Random(1)
    values = [generator.randbytes(generator.randrange(1, 4080)) for _ in range(400)]
    sender = threading.Thread(target=lambda: peer.sendall(b"".join(data_pdu(value) for value in values)))
    sender.start()
    received = [bytes(next(presentation_data_values(stream.receive().body)).fragment) for _ in values]
    sender.join()
    assert received == values
    assert sum(map(len, values)) > 2 * MAX_ASSOCIATE_BYTES


@pytest.mark.parametrize(
    ("kind", "length"),
    [(4, 4096 + 65), (4, 0xFFFFFFF0), (1, MAX_ASSOCIATE_BYTES + 1), (5, 5), (7, 0xFFFFFFFF), (3, 100)],
)
def test_a_length_beyond_the_cap_of_its_type_is_refused_from_the_header_alone(pair, kind, length):
    """No body is awaited."""
    stream, peer = pair
    peer.sendall(struct.pack(">BBL", kind, 0, length))
    with pytest.raises(ProtocolError, match="expected at most") as caught:
        stream.receive()
    assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER


def test_the_longest_announced_pdu_is_read(pair):
    """The cap itself is allowed."""
    stream, peer = pair
    peer.sendall(data_pdu(b"x" * (4096 - 6)))
    assert stream.receive().kind is PduType.DATA_TF


def test_an_unknown_type_is_refused(pair):
    """PS3.8 table 9-26: unrecognized PDU."""
    stream, peer = pair
    peer.sendall(bytes([9, 0, 0, 0, 0, 0]))
    with pytest.raises(ProtocolError) as caught:
        stream.receive()
    assert caught.value.reason is AbortReason.UNRECOGNIZED_PDU


def test_a_silent_peer_is_given_up_after_the_deadline(pair):
    """Half a PDU and then nothing."""
    stream, peer = pair
    peer.sendall(data_pdu(b"x" * 100)[:50])
    with pytest.raises(PeerGoneError, match="silent"):
        stream.receive()


def test_a_trickling_peer_is_given_up_after_the_deadline(pair):
    """A byte now and then does not keep one PDU alive for ever."""
    stream, peer = pair
    stop = threading.Event()

    def trickle() -> None:
        for byte in data_pdu(b"x" * 100):
            peer.sendall(bytes([byte]))
            if stop.wait(0.05):
                return

    sender = threading.Thread(target=trickle)
    sender.start()
    start_s = time.monotonic()
    with pytest.raises(PeerGoneError, match="took longer"):
        for _ in range(3):
            stream.receive()
    stop.set()
    sender.join()
    assert time.monotonic() - start_s < 2


def test_a_closed_connection_is_named(pair):
    """End of file inside a PDU."""
    stream, peer = pair
    peer.sendall(b"\x04\0\0")
    peer.close()
    with pytest.raises(PeerGoneError, match="closed without release"):
        stream.receive()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\0",
        struct.pack(">LBB", 1, 1, 0),
        struct.pack(">LBB", 3, 1, 0),
        struct.pack(">LBB", 0xFFFFFFFF, 1, 0) + b"abc",
        struct.pack(">LBB", 2, 1, 0) + b"\0",
    ],
    ids=["none", "truncated header", "too short", "beyond the end", "4 GiB", "left over"],
)
def test_presentation_data_values_that_do_not_fit_are_refused(body):
    """Every length is checked against the PDU."""
    with pytest.raises(ProtocolError):
        list(presentation_data_values(memoryview(body)))


@pytest.mark.parametrize(("peer_max", "pdus"), [(0, 1), (16384, 1), (106, 3), (56, 5)])
def test_a_command_is_cut_to_the_length_the_peer_accepts(peer_max, pdus):
    """250 bytes in pieces of at most peer_max - 6; only the last one says so."""
    command = random.Random(2).randbytes(250)
    encoded = command_pdus(command, context_id=5, peer_max_pdu_bytes=peer_max)
    pieces, controls, offset = [], [], 0
    while offset < len(encoded):
        kind, _, length, value_length, context_id, control = struct.unpack_from(">BBLLBB", encoded, offset)
        assert (kind, context_id, value_length) == (4, 5, length - 4)
        assert peer_max == 0 or length <= peer_max
        pieces.append(encoded[offset + 12 : offset + 6 + length])
        controls.append(control)
        offset += 6 + length
    assert b"".join(pieces) == command
    assert controls == [1] * (pdus - 1) + [3]
