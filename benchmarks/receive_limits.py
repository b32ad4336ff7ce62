"""Limits of the receiver: memory over many small objects, a PDU length of 4 GiB, the cost of idle associations.

```
python benchmarks/receive_limits.py                      # 5,000 objects, a false length, 100 idle peers
python benchmarks/receive_limits.py --objects 100000     # the soak; TMPDIR=/dev/shm spares the disk its syncs
python benchmarks/receive_limits.py --json               # the last line is the figures as JSON
```
The receiver runs in a process of its own with `Spool.done` as its handler, as a receiver whose objects are ingested.
Memory is the process's resident set (VmRSS); CPU is its user and system time. Only the rate depends on other load.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import build_context

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
PDU_HEADER_BYTES = 6
OBJECT_BYTES = 1000
IDLE_PEERS = 100
IDLE_S = 5.0

SERVE = """
import sys, time
from pathlib import Path
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Spool
with Spool(Path(sys.argv[1])) as spool:
    with Receiver(ReceiverSettings(port=0, max_associations=200, idle_timeout_s=3600), spool, spool.done) as receiver:
        print(receiver.port, flush=True)
        time.sleep(86400)
"""


class Server:
    """A receiver in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def resident_mb(self) -> float:
        """Resident set now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def associate(port: int) -> socket.socket:
    """Open an association with one context, CT."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "LIMITS", "NPCPIT"
    context = build_context(CT, EXPLICIT)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    primitive.user_information = [length]
    peer = socket.create_connection(("127.0.0.1", port), timeout=60)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(A_ASSOCIATE_RQ(primitive).encode())
    kind, _ = receive(peer)
    if kind != 2:
        raise SystemExit(f"association was not accepted: PDU type {kind}")
    return peer


def receive(peer: socket.socket) -> tuple[int, bytes]:
    """Return the next PDU's type and body."""
    kind, length = struct.unpack(">BxL", exactly(peer, PDU_HEADER_BYTES))
    return kind, exactly(peer, length)


def exactly(peer: socket.socket, count: int) -> bytes:
    """Read so many bytes."""
    found = b""
    while len(found) < count:
        piece = peer.recv(count - len(found))
        if not piece:
            raise SystemExit("the receiver closed the connection")
        found += piece
    return found


def store(peer: socket.socket, uid: str) -> None:
    """Send one small object and wait for its Success."""
    command = b"".join(
        element(0, tag, value)
        for tag, value in [(0x0002, CT.encode()), (0x0100, b"\1\0"), (0x0110, b"\1\0"), (0x0700, b"\0\0"),
                           (0x0800, b"\0\0"), (0x1000, uid.encode())]
    )  # fmt: skip
    uids = b"".join(
        struct.pack("<HH2sH", 8, tag, b"UI", len(text) + len(text) % 2) + text.encode() + bytes(len(text) % 2)
        for tag, text in ((0x0016, CT), (0x0018, uid))
    )
    dataset = uids + struct.pack("<HH2sxxL", 0x7FE0, 0x10, b"OW", OBJECT_BYTES) + bytes(OBJECT_BYTES)
    peer.sendall(data_pdu(3, command) + data_pdu(2, dataset))
    _, body = receive(peer)
    at = body.index(struct.pack("<HHL", 0, 0x0900, 2))
    status = struct.unpack_from("<H", body, at + 8)[0]
    if status:
        raise SystemExit(f"status 0x{status:04X}")


def element(group: int, tag: int, value: bytes) -> bytes:
    """One element in implicit VR little endian, padded."""
    return struct.pack("<HHL", group, tag, len(value) + len(value) % 2) + value + bytes(len(value) % 2)


def data_pdu(control: int, value: bytes) -> bytes:
    """One P-DATA-TF with one value in context 1."""
    return struct.pack(">BBLLBB", 4, 0, len(value) + 6, len(value) + 2, 1, control) + value


def soak(server: Server, count: int) -> dict[str, object]:
    """Send many small objects over one association after another; memory at ten moments."""
    memory_mb, start_s = [], time.perf_counter()
    for part in range(10):
        with associate(server.port) as peer:
            for number in range(count // 10):
                store(peer, f"1.2.{part}.{number}")
        memory_mb.append(round(server.resident_mb(), 1))
    return {
        "objects": count,
        "resident_mb": memory_mb,
        "growth_mb_after_first_tenth": round(memory_mb[-1] - memory_mb[0], 1),
        "objects_per_s": round(count / (time.perf_counter() - start_s), 1),
    }


def false_length(server: Server) -> dict[str, object]:
    """Announce a P-DATA of 4 GiB and pour 64 MB after it; how many MB went in, and what it cost."""
    before_mb = server.resident_mb()
    peer, poured_mb = associate(server.port), 0
    try:
        peer.sendall(struct.pack(">BBL", 4, 0, 0xFFFFFFF0))
        for _ in range(64):
            peer.sendall(bytes(1 << 20))
            poured_mb += 1
    except OSError:
        pass
    peer.close()
    return {"poured_mb_before_abort": poured_mb, "growth_mb": round(server.resident_mb() - before_mb, 1)}


def idle(server: Server) -> dict[str, object]:
    """Hold associations that say nothing; CPU as a share of one core."""
    peers = [associate(server.port) for _ in range(IDLE_PEERS)]
    before_s = server.cpu_s()
    time.sleep(IDLE_S)
    share = (server.cpu_s() - before_s) / IDLE_S
    for peer in peers:
        peer.close()
    return {"associations": IDLE_PEERS, "cpu_percent": round(100 * share, 2)}


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=5000, help="small objects to send")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-limits-") as folder:
        server = Server(Path(folder))
        try:
            found = {
                "idle": idle(server), "false_length": false_length(server), "soak": soak(server, arguments.objects)
            }  # fmt: skip
        finally:
            server.stop()
    for name, figures in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
