"""DCMTK's storescu against a running receiver: what it acknowledges is in the study once, and only as agreed."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest

from npcpit_imaging.dicom.part10 import dataset_offset

SAMPLE = Path(__file__).parent.parent.parent / "sample_dicom"
START_S = 60.0
"""How long a receiver may take to start on a busy machine."""

NPCPIT = (sys.executable, "-c", "from npcpit_imaging.cli import main; main()")


class Running:
    """A receiver in its own process."""

    def __init__(self, study: Path, seconds: float = 300.0) -> None:
        command = [*NPCPIT, "receive", str(study), "--port", "0", "--seconds", str(seconds)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.log = ""
        self.port = self._port()

    def _port(self) -> int:
        assert self.process.stdout is not None
        self.log = self.process.stdout.readline()
        found = re.search(r"port (\d+)", self.log)
        assert found, self.log
        return int(found[1])

    def end(self, kind: signal.Signals) -> str:
        """Send a signal and return everything it said."""
        self.process.send_signal(kind)
        said, _ = self.process.communicate(timeout=START_S)
        self.log += said
        return self.log


@contextmanager
def receiver(study: Path) -> Iterator[Running]:
    running = Running(study)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.communicate()


def send(storescu: str, running: Running, *folders: Path) -> None:
    """Send folders; storescu proposes the transfer syntax of its files (-xv: JPEG 2000 lossless)."""
    for folder in folders:
        syntax = str(pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True).file_meta.TransferSyntaxUID)
        flag = {"1.2.840.10008.1.2.4.90": "-xv"}.get(syntax, "-xe")
        command = [storescu, flag, "-aec", "NPCPIT", "+sd", "127.0.0.1", str(running.port), str(folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def dataset_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(dataset_offset(file))
        return file.read()


def indexed(study: Path) -> list[tuple[str, str, str]]:
    """SOP instance UID, path and digest as the study's own database holds them."""
    with sqlite3.connect(f"file:{study / 'npcpit.sqlite'}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT sop_instance_uid, path, received_sha256 FROM instance").fetchall()
    database.close()
    return rows


@pytest.fixture
def study(tmp_path: Path, npcpit) -> Path:
    assert npcpit("init", tmp_path / "study").code == 0
    return tmp_path / "study"


def without_deidentification(study: Path) -> None:
    site = study / "configs" / "site.toml"
    text = site.read_text(encoding="utf-8")
    changed, count = re.subn(r"(?m)^enabled *= *true", "enabled = false", text)
    assert count == 1, "site.toml: de-identification is one switch"
    site.write_text(changed, encoding="utf-8")


def test_with_deidentification_off_every_byte_arrives_and_can_be_measured(study, storescu, npcpit):
    without_deidentification(study)
    source = SAMPLE / "BASELINE" / "CT"
    with receiver(study) as running:
        send(storescu, running, source)
        said = running.end(signal.SIGINT)
    sent = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID: path for path in source.glob("*.dcm")}
    assert f"{len(sent)} stored" in said
    found = indexed(study)
    assert {uid for uid, _, _ in found} == set(sent)
    for uid, path, _ in found:
        arrived = study / "objects" / path
        assert dataset_bytes(arrived) == dataset_bytes(sent[uid])
        assert arrived.stat().st_mode & 0o077 == 0, "only the owner may read it"
    one = pydicom.dcmread(study / "objects" / found[0][1])
    np.testing.assert_array_equal(one.pixel_array, pydicom.dcmread(sent[found[0][0]]).pixel_array)

    (series,) = npcpit("series", study, "--json").answer
    assert (series["instances"], series["geometry"]) == (52, "256x256x52 voxels of 1x1x2.5 mm")
    assert (series["timepoint"], series["subject"][:2]) == ("BASELINE", "S-")
    folder = (study / "objects" / found[0][1]).parent
    volume = npcpit("volume", folder, "-o", study / "x.nii.gz", "--json").answer
    again = npcpit("volume", source, "-o", study / "y.nii.gz", "--json").answer
    assert volume["digest"] == again["digest"]


def identifiers() -> list[bytes]:
    """What may stand nowhere outside the vault: names, the Patient ID and every original UID of the sample."""
    texts = {"SYN-0001", "SYNTHETIC"}
    for path in (SAMPLE / "FU1" / "MR_T1").glob("*.dcm"):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        texts |= {str(dataset[name].value) for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")}
        texts.add(str(dataset.FrameOfReferenceUID))
    return [text.encode() for text in texts]


def leaks(study: Path) -> list[str]:
    """Files outside the vault that hold an identifier, in their bytes or in their name."""
    found = []
    for path in (each for each in study.rglob("*") if each.is_file()):
        relative = path.relative_to(study)
        if relative.parts[0] != "vault":
            content = path.read_bytes() + str(relative).encode()
            found += [str(relative)] if any(text in content for text in identifiers()) else []
    return found


def test_with_deidentification_on_no_identifier_leaves_the_vault(study, storescu, npcpit):
    """Names, Patient ID and UIDs are searched in every file, the database and its log included; repeats are repeats."""
    source = SAMPLE / "FU1" / "MR_T1"
    with receiver(study) as running:
        send(storescu, running, source, source)
        said = running.end(signal.SIGINT)
    assert "27 stored" in said
    assert len(indexed(study)) == 27
    assert leaks(study) == []
    assert not [text for text in identifiers() if text in said.encode()]
    assert (study / "vault").stat().st_mode & 0o077 == 0
    (series,) = npcpit("series", study, "--json").answer
    assert series["geometry"] == "192x192x27 voxels of 1.2x1.2x4.5 mm"
    imported = npcpit("import", study, source, "--json").answer
    assert (imported["stored"], imported["repeat"]) == (0, 27)
    assert len(list((study / "objects").rglob("*.dcm"))) == 27


def test_the_search_for_identifiers_finds_one(study):
    """The search above can fail: an identifier in any file is found, in the vault it is allowed."""
    uid = identifiers()[0]
    (study / "derived" / "note.txt").write_bytes(b"x" + uid + b"x")
    (study / "vault" / "note.txt").write_bytes(uid)
    assert leaks(study) == ["derived/note.txt"]


def acknowledged(log: str) -> int:
    return log.count("Received Store Response (Success)") or len(re.findall(r"Store Response.*Success", log))


@pytest.mark.parametrize("finish", ["run", "receive"])
def test_a_killed_receiver_loses_nothing_that_it_acknowledged(finish, study, storescu, npcpit):
    """kill -9 in the middle of a transfer; a pipeline or the next receiver finishes; each object is indexed once."""
    sending = SAMPLE / "BASELINE" / "CT"
    with receiver(study) as running:
        command = [storescu, "-v", "-xv", "-aec", "NPCPIT", "+sd", "127.0.0.1", str(running.port), str(sending)]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert client.stdout is not None
        log = ""
        while acknowledged(log) < 8:
            line = client.stdout.readline()
            assert line, log
            log += line
        running.end(signal.SIGKILL)
        log += client.communicate(timeout=60)[0]
    count = acknowledged(log)
    assert 8 <= count < 52, "killed in the middle"

    if finish == "run":
        outcomes = npcpit("run", "receive", study, "--json").answer
        taken = [each for each in outcomes if not each["case"].startswith("series/")]  # which may still be arriving
        assert {each["status"] for each in taken} == {"done"}
        visits = [each for each in outcomes if each["case"].startswith("visits/")]
        assert [each["reason"].split()[0] for each in visits] == ["BASELINE"], "one run is enough"
    else:
        with receiver(study) as running:
            running.end(signal.SIGINT)
    first = indexed(study)
    assert count <= len(first) <= count + 1, "an object may be durable before its acknowledgement is on its way"
    assert list((study / "vault" / "spool" / "pending").iterdir()) == []
    on_disk = {path.relative_to(study / "objects").as_posix() for path in (study / "objects").rglob("*.dcm")}
    assert {path for _, path, _ in first} <= on_disk

    with receiver(study) as running:
        send(storescu, running, sending)
        running.end(signal.SIGINT)
    assert len(indexed(study)) == 52
    (series,) = npcpit("series", study, "--json").answer
    assert series["geometry"] == "256x256x52 voxels of 1x1x2.5 mm"
    assert leaks(study) == []


def test_a_pipeline_leaves_the_spool_to_a_running_receiver(study, storescu, npcpit):
    """The visits are assembled while the receiver listens; the series is named, for it is still arriving."""
    with receiver(study) as running:
        send(storescu, running, SAMPLE / "BASELINE" / "PET")
        deadline = time.monotonic() + START_S
        while len(indexed(study)) < 44 and time.monotonic() < deadline:
            time.sleep(0.1)
        visits, arriving = npcpit("run", "receive", study, "--json").answer
        running.end(signal.SIGINT)
    assert visits["status"] == "done"
    assert visits["reason"].startswith("BASELINE ")
    assert arriving["status"] == "skipped"
    assert "found it receiving with 44 objects" in arriving["reason"]


def test_an_object_that_cannot_be_taken_waits_in_the_spool_and_is_named_by_its_digest(
    study, storescu, tmp_path, npcpit
):
    """Without a Patient ID it belongs to nobody: acknowledged, kept, not indexed, and the run fails with the reason."""
    folder = tmp_path / "nobody"
    folder.mkdir()
    shutil.copy(SAMPLE / "BASELINE" / "PET" / "001.dcm", folder / "001.dcm")
    dataset = pydicom.dcmread(folder / "001.dcm")
    dataset.PatientID = ""
    dataset.save_as(folder / "001.dcm")
    with receiver(study) as running:
        send(storescu, running, folder)
        said = running.end(signal.SIGINT)
    assert "1 waiting" in said
    assert "(0010,0020) PatientID" in said
    ended = npcpit("run", "receive", study, "--json")
    assert ended.code == 1
    (outcome,) = json.loads(ended.out)
    assert re.fullmatch(r"object/[0-9a-f]{64}", outcome["case"])
    assert (outcome["status"], "PatientID" in outcome["reason"]) == ("failed", True)
    assert len(list((study / "vault" / "spool" / "pending").iterdir())) == 1
