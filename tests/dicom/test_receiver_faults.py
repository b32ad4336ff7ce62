"""What can go wrong with a peer, a disk or the receiver's own process, and what must not be lost or left behind."""

import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import build_context

from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.slots import read_mark, slots_in
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.dicom.spool_census import spool_census

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"
Started = Callable[..., Receiver]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    with Spool(tmp_path / "spool", reserve_bytes=0) as opened:
        yield opened


@pytest.fixture
def start(spool: Spool) -> Iterator[Started]:
    """Start receivers with given settings on a free port; all are stopped at the end."""
    running: list[Receiver] = []

    def started(**settings: object) -> Receiver:
        receiver = Receiver(ReceiverSettings.model_validate({"port": 0, **settings}), spool)
        receiver.start()
        running.append(receiver)
        return receiver

    yield started
    for receiver in running:
        receiver.stop(grace_s=1)


class RawPeer:
    """A client that can break every rule: it writes PDUs by hand."""

    def __init__(self, receiver: Receiver) -> None:
        self.socket = socket.create_connection(("127.0.0.1", receiver.port), timeout=5)

    def __enter__(self) -> "RawPeer":
        return self

    def __exit__(self, *ignored: object) -> None:
        self.socket.close()

    def associate(self) -> "RawPeer":
        """Context 1 is CT, context 3 is Verification."""
        self.socket.sendall(association_request())
        assert self.receive()[0] == 2
        return self

    def receive(self) -> tuple[int, bytes]:
        """Return the next PDU's type and body; (0, b"") when the receiver closed."""
        try:
            header = self.exactly(6)
            if not header:
                return 0, b""
            kind, length = struct.unpack(">BxL", header)
            return kind, self.exactly(length)
        except ConnectionResetError:
            return 0, b""

    def exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            if not piece:
                return b""
            found += piece
        return found

    def status(self) -> int:
        """Return the status (0000,0900) of the next response."""
        kind, body = self.receive()
        assert kind == 4
        at = body.index(struct.pack("<HHL", 0, 0x0900, 2))
        return int(struct.unpack_from("<H", body, at + 8)[0])

    def closed(self) -> bool:
        """Read to the end; True when the receiver ended the connection."""
        try:
            while self.receive()[0]:
                continue
        except TimeoutError:
            return False
        return True


def association_request() -> bytes:
    """Encode it with pynetdicom."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "RAW", "NPCPIT"
    contexts = [build_context(CT, EXPLICIT), build_context(VERIFICATION, EXPLICIT)]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    primitive.user_information = [length]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def data_pdu(context_id: int, control: int, value: bytes) -> bytes:
    """One P-DATA-TF with one value; control bit 0 is command, bit 1 is last."""
    return struct.pack(">BBLLBB", 4, 0, len(value) + 6, len(value) + 2, context_id, control) + value


def store_request(uid: str, *, sop_class: str = CT) -> bytes:
    """A C-STORE-RQ command set by hand (PS3.7 table 9.3-1)."""
    elements = [(0x0002, sop_class.encode()), (0x0100, b"\1\0"), (0x0110, b"\1\0"), (0x0700, b"\0\0"),
                (0x0800, b"\0\0"), (0x1000, uid.encode())]  # fmt: skip
    return b"".join(
        struct.pack("<HHL", 0, tag, len(value) + len(value) % 2) + value + bytes(len(value) % 2)
        for tag, value in elements
    )


ECHO_REQUEST = b"".join(
    struct.pack("<HHL", 0, tag, len(value)) + value
    for tag, value in [(0x0002, b"1.2.840.10008.1.1\0"), (0x0100, b"\x30\0"), (0x0110, b"\1\0"), (0x0800, b"\1\1")]
)


def dataset_bytes(uid: str, size: int = 1000) -> bytes:
    """A small CT object in explicit VR little endian by hand."""
    uids = [(0x0016, CT), (0x0018, uid)]
    head = b"".join(
        struct.pack("<HH2sH", 8, tag, b"UI", len(text) + len(text) % 2) + text.encode() + bytes(len(text) % 2)
        for tag, text in uids
    )
    return head + struct.pack("<HH2sxxL", 0x7FE0, 0x10, b"OW", size) + bytes(size)


def half_files(spool_folder: Path) -> list[Path]:
    """Files of objects that are not whole."""
    found = slots_in(spool_folder / "pending")
    return [path for path in found if path.exists() and path.stat().st_size and read_mark(path) is None]


def whole_files(spool_folder: Path) -> int:
    """How many objects are whole; counted while a receiver runs."""
    return spool_census(spool_folder).waiting


def eventually(condition: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    """Wait for a condition."""
    deadline_s = time.monotonic() + within_s
    while not (is_met := condition()) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return is_met


def assert_serves(receiver: Receiver, uid: str = "1.2.3.4") -> None:
    """The receiver still stores for the next peer."""
    with RawPeer(receiver).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, store_request(uid)) + data_pdu(1, 2, dataset_bytes(uid)))
        assert peer.status() == 0


@pytest.mark.parametrize("established", [False, True])
def test_a_pdu_length_of_4_gib_is_refused_without_memory(start, established):
    """The peer pours 64 MB after the header; the process grows by less than a quarter of that."""
    receiver = start()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with RawPeer(receiver) as peer:
        if established:
            peer.associate()
        peer.socket.sendall(struct.pack(">BBL", 4 if established else 1, 0, 0xFFFFFFF0))
        try:
            for _ in range(64):
                peer.socket.sendall(bytes(1 << 20))
        except OSError:
            pass
        else:
            pytest.fail("the receiver read 64 MB of a PDU it should have refused")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 16 * 1024
    assert_serves(receiver)


@pytest.mark.parametrize(
    "end",
    [
        lambda peer: peer.socket.close(),
        lambda peer: peer.socket.sendall(struct.pack(">BBL", 7, 0, 4) + bytes(4)),
        lambda peer: peer.socket.sendall(struct.pack(">BBL", 5, 0, 4) + bytes(4)),
        lambda peer: peer.socket.sendall(data_pdu(1, 3, store_request("1.2.9"))),
        lambda peer: peer.socket.sendall(data_pdu(3, 2, b"other context")),
        lambda peer: peer.socket.sendall(association_request()),
    ],
    ids=["closes", "aborts", "releases", "sends a command", "changes context", "associates again"],
)
def test_a_peer_that_breaks_off_inside_an_object_leaves_nothing(start, spool, tmp_path, end):
    """No half file, no acknowledged object, no thread that waits."""
    receiver = start()
    with RawPeer(receiver).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, store_request("1.2.3")) + data_pdu(1, 0, dataset_bytes("1.2.3")[:500]))
        assert eventually(lambda: len(half_files(tmp_path / "spool")) == 1)
        end(peer)
        assert eventually(lambda: half_files(tmp_path / "spool") == [])
    assert list(spool.pending()) == []
    assert_serves(receiver)


@pytest.mark.parametrize(
    ("settings", "associated"), [({"request_timeout_s": 0.3}, False), ({"idle_timeout_s": 0.3}, True)]
)
def test_a_half_open_connection_is_given_up(start, settings, associated):
    """A peer that never says anything, before and after the association."""
    receiver = start(**settings)
    with RawPeer(receiver) as peer:
        if associated:
            peer.associate()
        start_s = time.monotonic()
        assert peer.closed()
        assert time.monotonic() - start_s < 3
    assert_serves(receiver)


def test_a_peer_that_falls_silent_inside_an_object_is_given_up_and_leaves_nothing(start, spool, tmp_path):
    """Half-open: its machine is gone without a word, and half an object is on our disk."""
    receiver = start(idle_timeout_s=0.3)
    with RawPeer(receiver).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, store_request("1.2.3")) + data_pdu(1, 0, dataset_bytes("1.2.3")[:500]))
        assert eventually(lambda: len(half_files(tmp_path / "spool")) == 1)
        assert peer.closed()
        assert eventually(lambda: half_files(tmp_path / "spool") == [])
    assert list(spool.pending()) == []
    assert_serves(receiver)


def test_two_series_interleaved_on_one_association_and_on_two_arrive_whole(start, spool):
    """Slices of both alternate; on the second round two associations bring the same in pieces that alternate."""
    receiver = start()
    uids = [f"1.2.{series}.{number}" for number in range(10) for series in (1, 2)]
    with RawPeer(receiver).associate() as peer:
        for uid in uids:
            peer.socket.sendall(data_pdu(1, 3, store_request(uid)) + data_pdu(1, 2, dataset_bytes(uid)))
            assert peer.status() == 0
    with RawPeer(receiver).associate() as one, RawPeer(receiver).associate() as other:
        for number in range(10):
            pieces = [(peer, f"1.2.{series}.{number + 10}") for peer, series in ((one, 1), (other, 2))]
            for peer, uid in pieces:
                peer.socket.sendall(data_pdu(1, 3, store_request(uid)) + data_pdu(1, 0, dataset_bytes(uid)[:300]))
            for peer, uid in pieces:
                peer.socket.sendall(data_pdu(1, 2, dataset_bytes(uid)[300:]))
            assert [peer.status() for peer, _ in pieces] == [0, 0]
    found = {one.header.sop_instance_uid: one.path.read_bytes() for one in spool.pending()}
    assert set(found) == {f"1.2.{series}.{number}" for number in range(20) for series in (1, 2)}
    assert all(content.endswith(dataset_bytes(uid)) for uid, content in found.items())


def test_a_message_that_cannot_be_understood_is_answered_or_ended(start, spool):
    """Unknown operations get 0x0211, a store on Verification 0x0122, an echo on CT is an echo."""
    find = ECHO_REQUEST.replace(b"\x30\0", b"\x20\0")
    with RawPeer(start()).associate() as peer:
        peer.socket.sendall(data_pdu(3, 3, find))
        assert peer.status() == 0x0211
        peer.socket.sendall(data_pdu(3, 3, store_request("1.2.3")) + data_pdu(3, 2, dataset_bytes("1.2.3")))
        assert peer.status() == 0x0122
        peer.socket.sendall(data_pdu(3, 3, ECHO_REQUEST))
        assert peer.status() == 0
        peer.socket.sendall(data_pdu(1, 1, store_request("1.2.3")[:20]) + data_pdu(1, 3, store_request("1.2.3")[20:]))
        peer.socket.sendall(
            b"".join(data_pdu(1, 0, bytes([byte])) for byte in dataset_bytes("1.2.3")) + data_pdu(1, 2, b"")
        )
        assert peer.status() == 0
    assert [one.header.sop_instance_uid for one in spool.pending()] == ["1.2.3"]


@pytest.mark.parametrize(
    ("command", "dataset", "status", "code"),
    [
        (store_request("1.2.3"), dataset_bytes("1.2.4"), 0xA900, "uid-mismatch"),
        (store_request("1.2.3"), b"no data set", 0xC000, "unreadable-dataset"),
        (store_request("1.2.3"), b"", 0xC000, "unreadable-dataset"),
        (store_request("../evil"), dataset_bytes("../evil"), 0x0117, "invalid-uid"),
        (
            store_request("1.2.3", sop_class="1.2.840.10008.5.1.4.1.1.4"),
            dataset_bytes("1.2.3"),
            0xA900,
            "context-mismatch",
        ),
    ],
)
def test_an_object_that_cannot_be_trusted_is_kept_and_never_acknowledged(start, spool, command, dataset, status, code):
    """Its sender hears why; its bytes are in the quarantine."""
    with RawPeer(start()).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, command) + data_pdu(1, 2, dataset))
        assert peer.status() == status
    (aside,) = spool.quarantine
    assert aside.finding.code == code
    assert aside.path.read_bytes().endswith(dataset)
    assert list(spool.pending()) == []


def test_a_store_that_announces_no_data_set_is_answered(start, spool):
    """Command Data Set Type 0101H (PS3.7 section 9.3.1.1): there is nothing to keep, and the next object is taken."""
    request = store_request("1.2.3").replace(b"\0\x08\2\0\0\0\0\0", b"\0\x08\2\0\0\0\1\1")
    assert request != store_request("1.2.3")
    with RawPeer(start()).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, request))
        assert peer.status() == 0xC000
        peer.socket.sendall(data_pdu(1, 3, store_request("1.2.4")) + data_pdu(1, 2, dataset_bytes("1.2.4")))
        assert peer.status() == 0
    assert [one.header.sop_instance_uid for one in spool.pending()] == ["1.2.4"]


def test_a_command_that_is_none_is_kept_and_ends_the_association(start, spool):
    """There is no message ID to answer to."""
    with RawPeer(start()).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, b"\xff" * 40))
        assert peer.receive()[0] == 7
    (aside,) = spool.quarantine
    assert aside.finding.code == "invalid-command"
    assert aside.path.read_bytes() == b"\xff" * 40


def test_an_object_longer_than_allowed_is_refused_and_the_next_one_is_stored(start, spool, tmp_path):
    """0xA700, on the same association."""
    receiver = start(max_object_bytes=1 << 20)
    with RawPeer(receiver).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, store_request("1.2.3")))
        for _ in range(20):
            peer.socket.sendall(data_pdu(1, 0, bytes(100_000)))
        peer.socket.sendall(data_pdu(1, 2, b""))
        assert peer.status() == 0xA700
        assert half_files(tmp_path / "spool") == []
        peer.socket.sendall(data_pdu(1, 3, store_request("1.2.4")) + data_pdu(1, 2, dataset_bytes("1.2.4")))
        assert peer.status() == 0
    assert [one.header.sop_instance_uid for one in spool.pending()] == ["1.2.4"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom reads a damaged UID on the way to our refusal
def test_damaged_conversations_never_stop_the_receiver(start, spool, tmp_path):
    """A bounded fuzz: 150 conversations with flipped, cut and repeated bytes; then a whole one succeeds."""
    receiver = start(request_timeout_s=0.5, idle_timeout_s=0.5)
    generator = random.Random(4)
    whole = association_request() + data_pdu(1, 3, store_request("1.2.3")) + data_pdu(1, 2, dataset_bytes("1.2.3"))
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(generator.randrange(1, 6)):
            damaged[generator.choice([generator.randrange(300), generator.randrange(len(damaged))])] = (
                generator.randrange(256)
            )
        if generator.random() < 0.2:  # a PDU's or a value's length that is far too large, or none
            at = generator.choice([2, len(association_request()) + 2, len(association_request()) + 6])
            damaged[at : at + 4] = generator.choice([0, 1, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF]).to_bytes(4, "big")
        at = generator.randrange(len(damaged))
        if generator.random() < 0.3:
            damaged[at:at] = damaged[: generator.randrange(200)]
        with RawPeer(receiver) as peer:
            try:
                peer.socket.sendall(
                    damaged[: generator.randrange(1, len(damaged))] if generator.random() < 0.3 else damaged
                )
            except OSError:
                continue
    assert eventually(lambda: not serving()), "every conversation ends"
    assert half_files(tmp_path / "spool") == []
    assert_serves(receiver, "1.2.3.4.5")
    for stored in spool.pending():
        assert pydicom.dcmread(stored.path).SOPInstanceUID == stored.header.sop_instance_uid
    receiver.stop()
    assert not serving()


def serving() -> list[threading.Thread]:
    """Conversations that go on."""
    return [thread for thread in threading.enumerate() if thread.name == "dicom-association"]


def test_two_hundred_associations_at_once_all_store(start, spool):
    """Every peer is served, none waits for another."""
    receiver = start(max_associations=200)
    peers = [RawPeer(receiver).associate() for _ in range(200)]
    for number, peer in enumerate(peers):
        uid = f"1.2.3.{number}"
        peer.socket.sendall(data_pdu(1, 3, store_request(uid)) + data_pdu(1, 2, dataset_bytes(uid)))
    assert [peer.status() for peer in peers] == [0] * 200
    for peer in peers:
        peer.socket.close()
    assert len(list(spool.pending())) == 200


def test_a_hundred_idle_associations_cost_next_to_nothing(start):
    """Less than 5 % of a core: nothing polls."""
    peers = [RawPeer(receiver).associate() for receiver in [start()] for _ in range(100)]
    before_s = time.process_time()
    time.sleep(1.0)
    used_s = time.process_time() - before_s
    for peer in peers:
        peer.socket.close()
    assert used_s < 0.05


def test_stopping_cuts_an_association_that_does_not_end(start, spool):
    """After the grace, and without a half file."""
    receiver = start()
    with RawPeer(receiver).associate() as peer:
        peer.socket.sendall(data_pdu(1, 3, store_request("1.2.3")) + data_pdu(1, 0, b"half"))
        start_s = time.monotonic()
        receiver.stop(grace_s=0.2)
        assert time.monotonic() - start_s < 3
        assert peer.closed()
    assert list(spool.pending()) == []


# --- the receiver's own process -----------------------------------------------------------------------------------

SERVE = """
import sys, time
from pathlib import Path
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Spool
spool = Spool(Path(sys.argv[1]), reserve_bytes=0)
with Receiver(ReceiverSettings(port=0), spool, spool.done if sys.argv[2:] else None) as receiver:
    print(receiver.port, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """60 CT slices of 128 x 128 in a folder, and their pixels by UID."""
    folder = tmp_path_factory.mktemp("slices")
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    pixels = {}
    for number in range(60):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.PixelData = random.Random(number).randbytes(2 * 128 * 128)
        dataset.save_as(folder / f"{number:02}.dcm")
        pixels[str(dataset.SOPInstanceUID)] = dataset.PixelData
    return folder, pixels


def acknowledged(log: str, folder: Path) -> list[str]:
    """UIDs that storescu saw acknowledged, from its log."""
    uids = []
    for part in log.split("Sending file: ")[1:]:
        if "Received Store Response (Success)" in part:
            uids.append(str(pydicom.dcmread(folder / Path(part.splitlines()[0]).name).SOPInstanceUID))
    return uids


def kill_and_restart(
    storescu: str, slices: tuple[Path, dict[str, bytes]], spool_folder: Path, moment: random.Random, senders: int = 1
) -> int:
    """Kill a receiver at a random moment of a transfer, check what a new one finds, count the acknowledged.

    Several senders bring the same objects at once.
    """
    folder, pixels = slices
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(spool_folder)], stdout=subprocess.PIPE, text=True
    ) as serving:
        port = serving.stdout.readline().strip()
        command = [storescu, "-v", "-aec", "NPCPIT", "+sd", "127.0.0.1", port, str(folder)]
        sending = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(senders)]
        wanted, delay_s = moment.randrange(55), moment.uniform(0, 0.02)
        eventually(lambda: whole_files(spool_folder) >= wanted, within_s=30)
        time.sleep(delay_s)
        serving.send_signal(signal.SIGKILL)
        logs = [sender.communicate(timeout=60)[1] for sender in sending]
        serving.wait()
    promised = [uid for log in logs for uid in acknowledged(log, folder)]
    with Spool(spool_folder, reserve_bytes=0) as spool:
        found = {one.header.sop_instance_uid: pydicom.dcmread(one.path).PixelData for one in spool.pending()}
        assert half_files(spool_folder) == []
        assert list(spool.quarantine) == []
    assert set(promised) <= set(found)
    assert found == {uid: pixels[uid] for uid in found}
    return len(promised)


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_loses_nothing_that_was_acknowledged(storescu, slices, tmp_path, seed):
    """Three random moments of a transfer."""
    kill_and_restart(storescu, slices, tmp_path / "spool", random.Random(seed))


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments_loses_nothing_and_the_rest_can_be_sent_again(storescu, slices, tmp_path):
    """The same spool is killed and used again each time, by one sender and by three that bring the same at once."""
    moment = random.Random(20)
    counts = [
        kill_and_restart(storescu, slices, tmp_path / f"spool{number % 4}", moment, senders=1 + 2 * (number % 2))
        for number in range(20)
    ]
    assert sum(counts) > 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB that can be made larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False, capture_output=True
    ).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)  # a failed test may still hold files open


def test_a_full_disk_answers_out_of_resources_leaves_no_half_file_and_recovers(storescu, small_disk, tmp_path):
    """40 objects of 200 kB do not fit into 4 MB; after the disk has grown all of them do."""
    folder = tmp_path / "large"
    folder.mkdir()
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for number in range(40):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.PixelData = bytes(200_000)
        dataset.save_as(folder / f"{number}.dcm")
    with Spool(small_disk / "spool", reserve_bytes=0) as spool, Receiver(ReceiverSettings(port=0), spool) as receiver:
        command = [storescu, "-v", "--no-halt", "-aec", "NPCPIT", "+sd", "127.0.0.1", str(receiver.port), str(folder)]
        log = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
        refused = len(re.findall("Received Store Response .*OutOfResources", log))
        promised = acknowledged(log, folder)
        assert promised
        assert refused == 40 - len(promised)
        assert {one.header.sop_instance_uid for one in spool.pending()} == set(promised)
        assert half_files(small_disk / "spool") == []
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode == 0
        assert len(acknowledged(again.stderr, folder)) == 40
        assert len(list(spool.pending())) == 40
        assert list(spool.quarantine) == []


def test_a_file_size_limit_is_a_full_disk_too(storescu, slices, tmp_path):
    """RLIMIT_FSIZE in the receiver's process: EFBIG instead of ENOSPC; needs no root."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n" + SERVE
    large = tmp_path / "large.dcm"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PixelData = bytes(400_000)
    dataset.save_as(large)
    with subprocess.Popen(
        [sys.executable, "-c", limited, str(tmp_path / "spool")], stdout=subprocess.PIPE, text=True
    ) as serving:
        port = serving.stdout.readline().strip()
        command = [
            storescu,
            "-v",
            "--no-halt",
            "-aec",
            "NPCPIT",
            "127.0.0.1",
            port,
            str(large),
            str(slices[0] / "00.dcm"),
        ]
        log = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
        left = half_files(tmp_path / "spool")
        serving.kill()
    assert "OutOfResources" in log
    assert "(Success)" in log
    assert left == []
