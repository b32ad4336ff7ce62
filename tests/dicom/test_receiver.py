"""The receiver with real peers on loopback: DCMTK's storescu and echoscu, pynetdicom."""

import logging
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydantic import ValidationError
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom import AE, _config
from pynetdicom.presentation import build_context

from npcpit_imaging.dicom.association import REJECTED_TRANSIENT, rejection
from npcpit_imaging.dicom.part10 import dataset_offset
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Spool, SpooledObject
from npcpit_imaging.errors import NetworkError

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

    def started(on_stored: Callable[[SpooledObject], None] | None = None, **settings: object) -> Receiver:
        receiver = Receiver(ReceiverSettings.model_validate({"port": 0, **settings}), spool, on_stored)
        receiver.start()
        running.append(receiver)
        return receiver

    yield started
    for receiver in running:
        receiver.stop(grace_s=2)


def run(
    program: str, receiver: Receiver, *arguments: object, called: str = "NPCPIT"
) -> "subprocess.CompletedProcess[str]":
    """Run a DCMTK client against a receiver; its log is in stderr."""
    command = [program, "-v", "-aec", called, "127.0.0.1", str(receiver.port), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def content(path: Path) -> bytes:
    """The data set's bytes of a Part-10 file."""
    with path.open("rb") as file:
        return path.read_bytes()[dataset_offset(file) :]


def test_an_echo_is_answered(start, echoscu):
    """DCMTK's echoscu."""
    assert run(echoscu, start()).returncode == 0


SYNTAXES = [
    ("CT_small.dcm", "-xe", "1.2.840.10008.1.2.1"),
    ("MR_small_implicit.dcm", "-xi", "1.2.840.10008.1.2"),
    ("MR_small_bigendian.dcm", "-xb", "1.2.840.10008.1.2.2"),
    ("SC_rgb_jpeg_dcmtk.dcm", "-xy", "1.2.840.10008.1.2.4.50"),
    ("JPGExtended.dcm", "-xx", "1.2.840.10008.1.2.4.51"),
    ("MR_small_jp2klossless.dcm", "-xv", "1.2.840.10008.1.2.4.90"),
    ("JPEG2000.dcm", "-xw", "1.2.840.10008.1.2.4.91"),
    ("MR_small_jpeg_ls_lossless.dcm", "-xt", "1.2.840.10008.1.2.4.80"),
    ("JPEGLSNearLossless_08.dcm", "-xu", "1.2.840.10008.1.2.4.81"),
    ("MR_small_RLE.dcm", "-xr", "1.2.840.10008.1.2.5"),
    ("image_dfl.dcm", "-xd", "1.2.840.10008.1.2.1.99"),
]


@pytest.mark.parametrize(("name", "option", "syntax"), SYNTAXES, ids=[name for name, _, _ in SYNTAXES])
def test_storescu_sends_every_kind_of_transfer_syntax(start, spool, storescu, name, option, syntax):
    """The pixels arrive as they are in the file, in the syntax they are in."""
    sent = Path(get_testdata_file(name))
    result = run(storescu, start(), option, "-R", sent)
    assert result.returncode == 0, result.stderr
    (received,) = spool.pending()
    assert received.header.transfer_syntax_uid == syntax
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there, here = pydicom.dcmread(sent), pydicom.dcmread(received.path)
        assert here.PixelData.rstrip(b"\0") == there.PixelData.rstrip(b"\0")
        assert here.SOPInstanceUID == there.SOPInstanceUID


def test_what_storescu_sends_is_kept_bit_by_bit_as_storescp_keeps_it(start, spool, storescu, tmp_path):
    """DCMTK's bit-preserving storescp gets the same files from the same sender."""
    storescp = Path(storescu).with_name("storescp")
    other = tmp_path / "other"
    other.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    files = [get_testdata_file(name) for name in ("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm")]
    with subprocess.Popen([storescp, "+B", "+xa", "-od", other, str(port)]) as peer:
        try:
            await_listener(port)
            subprocess.run([storescu, "-R", "127.0.0.1", str(port), *files], check=True, timeout=30)
        finally:
            peer.terminate()
    run(storescu, start(), "-R", *files)
    theirs = {pydicom.dcmread(path).SOPInstanceUID: content(path) for path in other.iterdir()}
    ours = {received.header.sop_instance_uid: content(received.path) for received in spool.pending()}
    assert len(ours) == len(files)
    assert ours == theirs


def await_listener(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("nobody listens")


def test_the_bytes_of_a_file_arrive_unchanged(start, spool, monkeypatch):
    """pynetdicom sends each file's bytes as they are: private, big endian, compressed, deflated."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    sent = {}
    for path in sorted(Path(get_testdata_file("CT_small.dcm")).parent.glob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        meta = dataset.file_meta
        said = meta.get("MediaStorageSOPInstanceUID")
        if "FileMetaInformationGroupLength" in meta and said and said == dataset.get("SOPInstanceUID"):
            sent.setdefault(str(dataset.SOPInstanceUID), (path, meta))
    receiver = start()
    for path, meta in sent.values():
        ae = AE()
        ae.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
        association = ae.associate("127.0.0.1", receiver.port, ae_title="NPCPIT")
        assert association.send_c_store(path).Status == 0, path.name
        association.release()
    received = {one.header.sop_instance_uid: content(one.path) for one in spool.pending()}
    assert len(sent) > 30
    assert received == {uid: content(path) for uid, (path, _) in sent.items()}


def test_a_private_storage_class_is_stored(start, spool):
    """A class no dictionary knows."""
    private = "1.3.46.670589.2.3.1.1"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SOPClassUID = private
    ae = AE()
    ae.requested_contexts = [build_context(private)]
    association = ae.associate("127.0.0.1", start().port, ae_title="NPCPIT")
    assert association.send_c_store(dataset).Status == 0
    association.release()
    assert [one.header.sop_class_uid for one in spool.pending()] == [private]


def many(folder: Path, count: int) -> dict[str, bytes]:
    """Write CT slices with UIDs of their own; return pixels by UID."""
    folder.mkdir()
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    pixels = {}
    for number in range(count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.PixelData = number.to_bytes(2, "little") * (128 * 128)
        dataset.save_as(folder / f"{number}.dcm")
        pixels[str(dataset.SOPInstanceUID)] = dataset.PixelData
    return pixels


def test_the_same_and_different_series_sent_at_once_arrive_once_each(start, spool, storescu, tmp_path):
    """Six storescu at a time: two series, three times each."""
    pixels = many(tmp_path / "a", 12) | many(tmp_path / "b", 12)
    told: list[str] = []
    receiver = start(lambda stored: told.append(stored.header.sop_instance_uid))
    results: list[int] = []

    def send(name: str) -> None:
        results.append(run(storescu, receiver, "+sd", tmp_path / name).returncode)

    threads = [threading.Thread(target=send, args=(name,)) for name in "ababab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        received = {one.header.sop_instance_uid: pydicom.dcmread(one.path).PixelData for one in spool.pending()}
    assert received == pixels
    receiver.stop()
    assert sorted(told) == sorted(pixels)
    assert list(spool.quarantine) == []


def test_other_content_under_a_known_uid_is_refused_and_kept(start, spool, storescu, tmp_path):
    """0x0111 and a finding; the first one stays."""
    receiver = start()
    many(tmp_path / "a", 1)
    path = tmp_path / "a" / "0.dcm"
    assert "(Success)" in run(storescu, receiver, path).stderr
    assert "(Success)" in run(storescu, receiver, path).stderr
    dataset = pydicom.dcmread(path)
    dataset.PixelData = b"\7\0" * (128 * 128)
    dataset.save_as(path)
    assert "0x111" in run(storescu, receiver, path).stderr
    (aside,) = spool.quarantine
    assert aside.finding.code == "same-uid-other-content"
    (first,) = spool.pending()
    assert pydicom.dcmread(first.path).PixelData == bytes(2 * 128 * 128)


def test_a_handler_that_fails_never_fails_the_acknowledgement(start, spool, storescu, caplog):
    """The object is durable and stays in the spool."""

    def broken(stored: SpooledObject) -> None:
        raise RuntimeError("no index today")

    receiver = start(broken)
    assert run(storescu, receiver, get_testdata_file("CT_small.dcm"), get_testdata_file("MR_small.dcm")).returncode == 0
    receiver.stop()
    assert len(list(spool.pending())) == 2
    assert "stays in the spool" in caplog.text


@pytest.mark.parametrize(
    ("settings", "called", "reason"),
    [
        ({"ae_title": "TRIAL"}, "OTHER", "Called AE Title Not Recognized"),
        ({"allowed_calling_ae_titles": ["PACS"]}, "NPCPIT", "Calling AE Title Not Recognized"),
    ],
)
def test_strangers_are_refused_by_name_and_logged(start, echoscu, caplog, settings, called, reason):
    """echoscu calls itself ECHOSCU."""
    caplog.set_level(logging.INFO)
    receiver = start(**settings)
    result = run(echoscu, receiver, called=called)
    assert result.returncode != 0
    assert reason in result.stderr
    receiver.stop()  # the answer goes out before the line is written
    assert "rejected" in caplog.text
    assert "ECHOSCU" in caplog.text


def test_any_called_name_is_taken_where_the_site_says_so(start, echoscu):
    """require_called_ae_title = false."""
    assert run(echoscu, start(require_called_ae_title=False), called="WHATEVER").returncode == 0


@pytest.mark.parametrize(("network", "code"), [("127.0.0.0/8", 0), ("10.0.0.0/8", 1)])
def test_only_allowed_networks_get_an_answer(start, echoscu, network, code):
    """Others are closed before a byte is read."""
    assert bool(run(echoscu, start(allowed_networks=[network])).returncode) == bool(code)


def test_one_association_too_many_is_rejected_and_the_next_free_place_is_taken(start):
    """PS3.8 table 9-21: local limit exceeded, transient."""
    receiver = start(max_associations=2)
    ae = AE()
    ae.add_requested_context("1.2.840.10008.1.1")
    first, second, third = (ae.associate("127.0.0.1", receiver.port, ae_title="NPCPIT") for _ in range(3))
    assert first.is_established
    assert second.is_established
    assert not third.is_established
    assert rejection(third).result == REJECTED_TRANSIENT
    first.release()
    deadline_s = time.monotonic() + 5
    fourth = ae.associate("127.0.0.1", receiver.port, ae_title="NPCPIT")
    while not fourth.is_established and time.monotonic() < deadline_s:
        fourth = ae.associate("127.0.0.1", receiver.port, ae_title="NPCPIT")
    assert fourth.send_c_echo().Status == 0
    second.release()
    fourth.release()


def test_the_log_holds_no_identifier_of_a_patient(start, storescu, caplog):
    """Name, ID, and every UID of the object."""
    caplog.set_level(logging.DEBUG, logger="npcpit_imaging")
    receiver = start()
    run(storescu, receiver, get_testdata_file("CT_small.dcm"))
    receiver.stop()
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("npcpit_imaging"))
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    assert "1 stored" in text
    for secret in (str(dataset.PatientName), dataset.PatientID, dataset.StudyInstanceUID, dataset.SOPInstanceUID):
        assert secret not in text


def test_a_stopped_receiver_refuses_and_its_port_is_free(spool):
    """And it can be asked for no port before it listens."""
    receiver = Receiver(ReceiverSettings(port=0), spool)
    with pytest.raises(NetworkError, match="not listening"):
        _ = receiver.port
    with receiver:
        port = receiver.port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_in_use_is_named(start, spool):
    """Expected and found."""
    port = start().port
    with pytest.raises(NetworkError, match=f"port {port}"):
        Receiver(ReceiverSettings(port=port), spool).start()


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0"},
        {"ae_title": "A" * 17},
        {"ae_title": "A\\B"},
        {"ae_title": "  "},
        {"port": 70000},
        {"max_pdu_bytes": 0},
        {"allowed_networks": ["10.0.0.1/8"]},
        {"allowed_callers": ["A"]},
    ],
)
def test_settings_that_are_unsafe_or_unknown_are_refused(wrong):
    """Listening to the world needs the peers' names."""
    with pytest.raises(ValidationError):
        ReceiverSettings.model_validate(wrong)


def test_listening_beyond_this_machine_is_allowed_once_the_peers_are_named():
    """The other half of the rule."""
    settings = ReceiverSettings(host="0.0.0.0", allowed_calling_ae_titles=("PACS",))
    assert settings.allows_calling("PACS")
    assert not settings.allows_calling("PACS2")
