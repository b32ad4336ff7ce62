"""Durable files of the spool: identity, duplicates, conflicts, replay; read back with pydicom."""

import contextlib
import hashlib
import os
import shutil
import threading
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from npcpit_imaging.dicom.part10 import ObjectHeader, dataset_offset, file_head, plain_identity, read_identity
from npcpit_imaging.dicom.slots import SLOTS_AT_ONCE
from npcpit_imaging.dicom.spool import Outcome, Receipt, Spool
from npcpit_imaging.errors import DicomError

EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
UID = "1.2.3.4.5"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool that needs no reserve."""
    with Spool(tmp_path / "spool", reserve_bytes=0) as opened:
        yield opened


def header(uid: str = UID, *, sop_class: str = CT, syntax: str = EXPLICIT) -> ObjectHeader:
    """What a C-STORE request said."""
    return ObjectHeader(
        sop_class_uid=sop_class, sop_instance_uid=uid, transfer_syntax_uid=syntax,
        calling_ae_title="SCANNER", called_ae_title="NPCPIT",
    )  # fmt: skip


def encoded(uid: str = UID, *, pixels: bytes = b"\1\2\3\4", before: int = 0) -> bytes:
    """A data set in explicit VR little endian, by pydicom."""
    dataset = Dataset()
    if before:
        dataset.add_new(0x00080008, "UT", "x" * before)  # a long element before the UIDs; UT lets it be long
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientID = CT, uid, "SECRET"
    dataset.add_new(0x7FE00010, "OW", pixels)
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, implicit_vr=False, little_endian=True)
    return file.getvalue()


def receive(spool: Spool, content: bytes, said: ObjectHeader | None = None) -> Receipt:
    """Hand one object over in three pieces."""
    incoming = spool.begin(said or header())
    third = len(content) // 3
    for piece in (content[:third], content[third : 2 * third], content[2 * third :]):
        incoming.write(memoryview(piece))
    return incoming.commit()


def files(folder: Path) -> list[str]:
    """Every object's file under a folder, also of one that is not whole; not the empty slots."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in {".dcm", ".bin", ".part", ".slot"} and path.stat().st_size
    )


def test_an_object_is_a_part_10_file_whose_data_set_is_exactly_what_came(spool):
    """Preamble, meta by pydicom's reading, then the same bytes."""
    content = encoded()
    receipt = receive(spool, content)
    assert receipt.outcome is Outcome.STORED
    path = receipt.spooled.path
    whole = path.read_bytes()
    with path.open("rb") as file:
        assert whole[dataset_offset(file) :] == content
    meta = pydicom.dcmread(path).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID) == (
        CT,
        UID,
        EXPLICIT,
    )
    assert (meta.SendingApplicationEntityTitle, meta.ReceivingApplicationEntityTitle) == ("SCANNER", "NPCPIT")
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert receipt.spooled.digest == hashlib.sha256(EXPLICIT.encode() + b"\0" + content).hexdigest()
    assert UID not in path.name
    assert path.stat().st_mode & 0o077 == 0


def test_the_same_object_again_is_stored_once(spool, tmp_path):
    """Before ingestion and after it."""
    first = receive(spool, encoded())
    assert receive(spool, encoded()).outcome is Outcome.ALREADY_STORED
    spool.done(first.spooled)
    assert files(tmp_path) == []
    assert receive(spool, encoded()).outcome is Outcome.ALREADY_STORED
    assert files(tmp_path) == []


def test_the_digest_of_an_ingested_object_survives_a_restart(tmp_path):
    """The index is on disk."""
    with Spool(tmp_path, reserve_bytes=0) as spool:
        spool.done(receive(spool, encoded()).spooled)
    with Spool(tmp_path, reserve_bytes=0) as spool:
        assert receive(spool, encoded()).outcome is Outcome.ALREADY_STORED
        assert receive(spool, encoded(pixels=b"\1\1")).finding.code == "same-uid-other-content"


@pytest.mark.parametrize("ingested", [False, True])
def test_other_content_under_the_same_uid_is_quarantined_and_the_first_stays(spool, ingested):
    """Repeating the conflict does not fill the disk."""
    first = receive(spool, encoded())
    kept = first.spooled.path.read_bytes()
    if ingested:
        spool.done(first.spooled)
    for _ in range(2):
        receipt = receive(spool, encoded(pixels=b"\7\7"))
        assert receipt.outcome is Outcome.QUARANTINED
        assert receipt.finding.code == "same-uid-other-content"
    (aside,) = spool.quarantine
    assert pydicom.dcmread(aside.path).PixelData == b"\7\7"
    assert aside.finding == receipt.finding
    if not ingested:
        assert first.spooled.path.read_bytes() == kept


def test_the_same_bytes_under_another_transfer_syntax_are_other_content(spool):
    """One of the two names its syntax wrongly."""
    receive(spool, encoded())
    unknown = "1.2.3.99"  # an unknown syntax is explicit VR little endian (PS3.5 annex A.4)
    assert receive(spool, encoded(), header(syntax=unknown)).finding.code == "same-uid-other-content"


@pytest.mark.parametrize(
    "uid", ["../../../../etc/passwd", "1.2/3", "", ".", "..", "1..2", "1.2.", "1.2\x00.3", "1" * 65, "1.2.x", "é"]
)
def test_a_uid_that_is_none_never_becomes_a_path(spool, tmp_path, uid):
    """Kept under a generated name inside the quarantine."""
    receipt = receive(spool, encoded(), header(uid))
    assert receipt.finding.code == "invalid-uid"
    (found,) = files(tmp_path)
    assert found.startswith("spool/quarantine/invalid-uid-")


@pytest.mark.parametrize(
    ("content", "said", "code"),
    [
        (encoded("1.2.3.4.6"), header(), "uid-mismatch"),
        (encoded(), header(sop_class="1.2.840.10008.5.1.4.1.1.4"), "uid-mismatch"),
        (b"", header(), "unreadable-dataset"),
        (b"\x08\x00\x16", header(), "unreadable-dataset"),
        (b"\xff" * 100, header(), "unreadable-dataset"),
        (os.urandom(5000), header(), "unreadable-dataset"),
        (encoded()[40:], header(), "unreadable-dataset"),
        (encoded(), header(syntax="1.2.840.10008.1.2.2"), "unreadable-dataset"),
        (encoded(), header(syntax="1.2.840.10008.1.2.1.99"), "unreadable-dataset"),
    ],
    ids=["instance", "class", "empty", "cut", "ones", "noise", "headless", "big endian", "not deflated"],
)
def test_a_doubtful_data_set_is_quarantined_whole(spool, content, said, code):
    """Its bytes are all there."""
    receipt = receive(spool, content, said)
    assert (receipt.outcome, receipt.finding.code) == (Outcome.QUARANTINED, code)
    (aside,) = spool.quarantine
    assert aside.path.read_bytes().endswith(content)
    assert list(spool.pending()) == []


def test_a_long_element_before_the_uids_is_read_from_the_file(spool):
    """More than the bytes kept in memory."""
    assert receive(spool, encoded(before=300_000)).outcome is Outcome.STORED


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEG2000.dcm",
     "SC_rgb_rle.dcm", "JPEGLSNearLossless_08.dcm", "waveform_ecg.dcm", "rtplan.dcm", "test-SR.dcm"],
)  # fmt: skip
def test_the_identity_of_real_objects_is_read_in_their_own_encoding(name):
    """pydicom's whole reading is the truth."""
    path = Path(get_testdata_file(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = pydicom.dcmread(path, force=True)
    with path.open("rb") as file:
        file.seek(dataset_offset(file))
        found = read_identity(file, str(truth.file_meta.TransferSyntaxUID))
    assert found == (truth.SOPClassUID, truth.SOPInstanceUID)


def test_acknowledged_objects_are_pending_after_a_restart_and_leftovers_are_not(tmp_path):
    """Oldest first, until they are done."""
    with Spool(tmp_path, reserve_bytes=0) as spool:
        uids = [f"1.2.{number}" for number in (9, 1, 5)]
        stored = [receive(spool, encoded(uid), header(uid)).spooled for uid in uids]
        for age, one in enumerate(stored):
            os.utime(one.path, ns=(age * 10**9, age * 10**9))
        spool.begin(header("1.2.77")).write(memoryview(b"half"))
        assert len(files(tmp_path)) == 4
    with Spool(tmp_path, reserve_bytes=0) as spool:
        assert len(files(tmp_path)) == 3
        again = list(spool.pending())
        assert again == stored
        spool.done(again[0])
        spool.done(again[0])
        assert list(spool.pending()) == stored[1:]


def test_a_spooled_file_that_was_damaged_goes_to_quarantine_and_hides_no_other(tmp_path):
    """A disk fault or a person in the folder."""
    with Spool(tmp_path, reserve_bytes=0) as spool:
        stored = [receive(spool, encoded(uid), header(uid)).spooled for uid in ("1.2.1", "1.2.2")]
        stored[0].path.write_bytes(b"junk")
        assert list(spool.pending()) == stored[1:]
        assert [aside.finding.code for aside in spool.quarantine] == ["damaged-in-spool"]


def test_the_receipt_comes_after_folder_data_and_mark_are_durable(spool, monkeypatch):
    """The order of system calls: names and one sync of their folder, then for each object data, mark and a sync."""
    calls: list[str] = []
    for name in ("open", "fsync", "write", "pwrite", "fdatasync"):
        whole = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, whole=whole, name=name: (calls.append(name), whole(*a))[1])
    assert receive(spool, encoded()).outcome is Outcome.STORED
    made = calls.index("fsync") + 1
    assert calls[:made] == ["open"] * (SLOTS_AT_ONCE + 1) + ["fsync"], "the last one opens the folder"
    stored = ["write", "write", "write", "write", "pwrite", "fdatasync"]
    assert calls[made:] == stored
    calls.clear()
    assert receive(spool, encoded("1.2.9"), header("1.2.9")).outcome is Outcome.STORED
    assert calls == stored, "one sync an object"


def test_a_slot_whose_mark_was_not_written_is_nobodys_object_and_a_torn_one_is_set_aside(tmp_path):
    """A power cut: the mark may reach the disk before the data, but then nobody was told Success."""
    with Spool(tmp_path, reserve_bytes=0) as spool:
        whole, unmarked, torn, cut = (receive(spool, encoded(uid), header(uid)).spooled for uid in UIDS)
    with unmarked.path.open("r+b") as file:
        file.write(bytes(128))
    with torn.path.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\0\0")
    os.truncate(cut.path, cut.path.stat().st_size - 1)
    with Spool(tmp_path, reserve_bytes=0) as spool:
        assert list(spool.pending()) == [whole]
        assert [aside.finding.code for aside in spool.quarantine] == ["damaged-in-spool"]
        assert receive(spool, encoded(UIDS[1]), header(UIDS[1])).outcome is Outcome.STORED


UIDS = ("1.2.1", "1.2.2", "1.2.3", "1.2.4")


def test_two_slots_of_one_object_are_one_after_a_restart(tmp_path):
    """A sync that failed was not acknowledged; its bytes may be on the disk all the same, beside those sent again."""
    with Spool(tmp_path, reserve_bytes=0) as spool:
        first = receive(spool, encoded()).spooled
    twin = first.path.with_name("0000000099.slot")
    shutil.copy(first.path, twin)
    with Spool(tmp_path, reserve_bytes=0) as spool:
        assert len(list(spool.pending())) == 1
    with Spool(tmp_path / "other", reserve_bytes=0) as spool:
        other = receive(spool, encoded(pixels=b"\1\1")).spooled
    shutil.copy(other.path, first.path.with_name("0000000098.slot"))
    with Spool(tmp_path, reserve_bytes=0) as spool:
        assert len(list(spool.pending())) == 1
        assert [aside.finding.code for aside in spool.quarantine] == ["same-uid-other-content"]


def test_objects_that_an_earlier_version_acknowledged_are_taken_over(tmp_path):
    """It kept a Part-10 file each, named by UID; a file that is none stays where it is."""
    pending = tmp_path / "pending"
    pending.mkdir()
    for uid in UIDS[:2]:
        (pending / f"{uid}.dcm").write_bytes(file_head(header(uid)) + encoded(uid))
    (pending / "junk.dcm").write_bytes(b"junk")
    with Spool(tmp_path, reserve_bytes=0) as spool:
        assert {each.header.sop_instance_uid for each in spool.pending()} == set(UIDS[:2])
        assert receive(spool, encoded(UIDS[0]), header(UIDS[0])).outcome is Outcome.ALREADY_STORED
    assert [path.name for path in pending.glob("*.dcm")] == ["junk.dcm"]


def test_a_slot_is_used_again_after_an_object_that_did_not_arrive(spool, tmp_path):
    """Otherwise a peer that breaks off again and again would fill the folder."""
    for _ in range(3 * SLOTS_AT_ONCE):
        incoming = spool.begin(header())
        incoming.write(memoryview(b"half an object"))
        incoming.discard()
    assert len(list((tmp_path / "spool" / "pending").iterdir())) == SLOTS_AT_ONCE
    assert receive(spool, encoded()).spooled.path.read_bytes().endswith(encoded())


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_an_object_whose_sync_fails_is_not_stored_and_can_come_again(spool, tmp_path, monkeypatch, call):
    """A repetition must not be taken for already durable."""

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(OSError, match="Input/output"):
            receive(spool, encoded())
    assert files(tmp_path) == []
    assert receive(spool, encoded()).outcome is Outcome.STORED


def test_a_spool_that_cannot_be_opened_is_left_closed_and_free(tmp_path, monkeypatch):
    """Else its lock and its index would stay open for as long as the process lives."""

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            Spool(tmp_path)
    assert not [link for link in open_files() if str(tmp_path) in link]
    Spool(tmp_path).close()


def open_files() -> list[str]:
    """What this process holds open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return found


def test_a_spool_has_one_owner(tmp_path):
    """Two receivers would drop each other's temporaries."""
    with Spool(tmp_path), pytest.raises(DicomError, match="another running process"):
        Spool(tmp_path)
    Spool(tmp_path).close()


def test_below_the_reserve_nothing_is_begun(tmp_path):
    """More than any disk has."""
    with Spool(tmp_path, reserve_bytes=1 << 62) as spool, pytest.raises(OSError, match="reserve"):
        spool.begin(header())


def test_many_threads_bringing_one_uid_store_it_once(spool, tmp_path):
    """Ten of the same content, ten of another: one is stored, its twins are recognised, the others are set aside."""
    contents = [encoded(pixels=b"\1\1"), encoded(pixels=b"\2\2")] * 10
    receipts: list[Receipt] = []
    threads = [threading.Thread(target=lambda c=content: receipts.append(receive(spool, c))) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [receipt.outcome for receipt in receipts]
    assert [outcomes.count(outcome) for outcome in Outcome] == [1, 9, 10]
    assert len(files(tmp_path)) == 2


def test_no_name_of_a_patient_is_in_any_file_name_or_note(spool, tmp_path):
    """The object itself keeps it, nothing beside it does."""
    receive(spool, encoded())
    receive(spool, encoded(pixels=b"\7\7"))
    notes = list(tmp_path.rglob("*.json"))
    assert notes
    assert all("SECRET" not in note.read_text() for note in notes)
    assert not any("SECRET" in name for name in files(tmp_path))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", EXPLICIT])
def test_the_fast_reading_of_uids_finds_what_the_full_one_finds_or_leaves_it_alone(syntax: str) -> None:
    """Every byte before the UIDs is set to seven values in turn; an accepted answer is always pydicom's."""
    dataset = Dataset()
    dataset.SpecificCharacterSet, dataset.ImageType = "ISO_IR 100", ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyDate = CT, UID, "20200101"
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, implicit_vr=syntax != EXPLICIT, little_endian=True)
    content = file.getvalue()
    assert plain_identity(content, syntax) == (CT, UID)
    answers = 0
    with warnings.catch_warnings(action="ignore"):
        for place in range(len(content)):
            for value in (0, 1, 8, 0x16, 0x18, 0x5C, 0xFF):
                changed = content[:place] + bytes([value]) + content[place + 1 :]
                fast = plain_identity(changed, syntax)
                answers += fast is not None
                assert fast is None or fast == read_identity(BytesIO(changed), syntax)
    assert answers > 100
