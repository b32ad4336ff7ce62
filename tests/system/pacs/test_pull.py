"""`npcpit pull` against a real Orthanc: complete, late, interrupted, killed, refused; every row gets its status."""

import json
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from npcpit_imaging.app.pull import pull
from npcpit_imaging.app.pull_report import PulledRow, PullReport, PullStatus
from npcpit_imaging.app.receiving import spool_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.survey import survey_series
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.deidentify import new_uid, read_subject_codes
from npcpit_imaging.dicom.pacs import DimseArchive
from npcpit_imaging.dicom.spool_census import spool_census
from npcpit_imaging.errors import DicomError, InputError
from npcpit_imaging.store.images import series_of
from npcpit_imaging.store.pulls import PulledState, PullLedger

SAMPLE = Path(__file__).parents[3] / "sample_dicom"
MR = sorted((SAMPLE / "BASELINE" / "MR_T1").glob("*.dcm"))
WAYS = ("get", "move", "web")
ONE_FAST_WAY = ("get", pytest.param("move", marks=pytest.mark.slow), pytest.param("web", marks=pytest.mark.slow))
PATIENT = "SYN-0001"

PATIENT_ENOUGH = {"retries": 8, "backoff_s": 0.2}
"""Patience that outlasts the second an Orthanc needs to come back."""


class Bar:
    """A progress bar that counts objects as they come, and may do something at one of them."""

    def __init__(self, at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.count, self._at, self._act = 0, at, act

    @contextmanager
    def __call__(self, _title: str, _total: int) -> Iterator[Callable[[], None]]:
        yield self._tick

    def _tick(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._act()


def settings(orthanc, way: str, **values: object) -> PacsSite:
    """How to speak to Orthanc."""
    return orthanc.web(**values) if way == "web" else orthanc.dimse(retrieve=way, **values)


def listen_on(study: Study, port: int) -> Study:
    """Let the study's receiver listen where Orthanc's C-MOVE goes."""
    site = study.folder / "configs" / "site.toml"
    site.write_text(re.sub(r"port = \d+", f"port = {port}", site.read_text()))
    return study


def only(report: PullReport) -> PulledRow:
    """The one row of a report."""
    (row,) = report.rows
    return row


def held_uids(study: Study) -> set[str]:
    """SOP Instance UIDs of the files in the study's objects folder."""
    return {
        pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
        for file in study.objects.folder.rglob("*.dcm")
    }


def slices(way: str, folder: Path) -> list[Path]:
    """The MR; for WADO-RS with 1 MiB of pixels each: a smaller series is in the sockets' buffers before a kill."""
    if way != "web":
        return MR
    folder.mkdir()
    for file in MR:
        large = pydicom.dcmread(file)
        large.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        large.Rows, large.Columns, large.PixelData = 1024, 512, bytes(1 << 20)
        large.save_as(folder / file.name)
    return sorted(folder.iterdir())


def mapped(study: Study, *files: Path) -> set[str]:
    """What the study must call the objects of some files."""
    return {new_uid(study_key(study), pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}


@pytest.mark.parametrize("way", ONE_FAST_WAY)
def test_a_patient_is_pulled_whole_and_not_asked_for_again(orthanc, study, way):
    """Three series in three studies; the second pull receives no object."""
    pacs = settings(orthanc, way)
    listen_on(study, orthanc.us_port)
    first, second = Bar(), Bar()
    report = pull(study, pacs=pacs, progress=first, patient_id=PATIENT, subject="NPC-01")
    again = pull(study, pacs=pacs, progress=second, patient_id=PATIENT)
    assert report.complete
    assert again.complete
    assert sorted((each.expected, each.held, each.received) for each in only(report).series) == [
        (27, 27, 27), (28, 28, 28), (28, 28, 28),
    ]  # fmt: skip
    assert (first.count, second.count) == (83, 0)
    given = [
        file for folder in ("BASELINE/MR_T1", "BASELINE/MR_T2", "FU1/MR_T1") for file in (SAMPLE / folder).glob("*.dcm")
    ]
    assert held_uids(study) == mapped(study, *given)
    assert list(report.assembled) == ["NPC-01"]
    assert [visit.split()[0] for visit in report.assembled["NPC-01"]] == ["BASELINE", "FU1"]


def test_every_row_of_a_work_list_gets_its_final_status(orthanc, study, tmp_path, caplog):
    """Good, unknown, unaskable and contradicting rows, in order, and no patient identifier anywhere."""
    caplog.set_level(logging.DEBUG)
    first = pydicom.dcmread(MR[0], stop_before_pixels=True)
    worklist = tmp_path / "work.csv"
    worklist.write_text(
        "patient_id,accession,study_uid,date_from,date_to,modality,subject\n"
        f"{PATIENT},,,,{first.StudyDate[:4]}-{first.StudyDate[4:6]}-{first.StudyDate[6:]},,NPC-01\n"
        "NOBODY-7,,,,,,\n"
        ",,,2026-01-01,,,\n"
        "SYN*,,,,,,\n"
        f",{first.AccessionNumber},,,,CT,\n"
        f",,{first.StudyInstanceUID},,,MR,OTHER-9\n"
        f"{PATIENT},,,soon,,,\n"
    )
    report = pull(study, pacs=orthanc.dimse(), progress=Bar(), worklist=worklist)
    assert [(row.line, row.status.value) for row in report.rows] == [
        (2, "complete"),
        (3, "not found"),
        (4, "failed"),
        (5, "failed"),
        (6, "not found"),
        (7, "failed"),
        (8, "failed"),
    ]
    assert not report.complete
    assert "pattern" in report.rows[3].reason
    assert "another code" in report.rows[5].reason
    said = json.dumps(report.as_json()) + "\n".join(report.lines()) + caplog.text
    for secret in (PATIENT, "SYNTHETIC", "NOBODY-7", first.AccessionNumber, first.StudyInstanceUID):
        assert secret not in said
    assert read_subject_codes(study.vault / "subjects.csv").subject_of(PATIENT) == "NPC-01"


def test_rules_choose_the_series(orthanc, study):
    """A description that is excluded is not pulled, and is counted."""
    t1 = pydicom.dcmread(MR[0], stop_before_pixels=True).SeriesDescription
    report = pull(study, pacs=orthanc.dimse(exclude=(re.escape(t1),)), progress=Bar(), patient_id=PATIENT)
    assert [(each.expected, each.status.value) for each in only(report).series] == [(28, "complete")]
    assert only(report).left_out == 2


@pytest.mark.parametrize("way", ONE_FAST_WAY)
def test_a_late_slice_reopens_the_series_and_is_asked_for_by_its_name(start_orthanc, study, way):
    """Only the late object travels; what is known of the series goes from complete through reopened to complete."""
    peer = start_orthanc()
    listen_on(study, peer.us_port)
    late = MR[10]
    peer.upload(*(file for file in MR if file != late))
    first = only(pull(study, pacs=settings(peer, way), progress=Bar(), patient_id=PATIENT))
    peer.upload(late)
    bar = Bar()
    second = only(pull(study, pacs=settings(peer, way), progress=bar, patient_id=PATIENT))
    (before,), (after,) = first.series, second.series
    assert (before.expected, before.held, before.reopened) == (27, 27, False)
    assert (after.expected, after.held, after.received, after.reopened) == (28, 28, 1, True)
    assert bar.count == 1
    assert mapped(study, late) <= held_uids(study)


def test_a_late_slice_changes_what_is_computed_from_the_series(start_orthanc, study):
    """The series as surveyed has the gap before the late slice came, and not after."""
    peer = start_orthanc()
    peer.upload(*(file for file in MR if file != MR[10]))
    pull(study, pacs=peer.dimse(), progress=Bar(), patient_id=PATIENT)
    (gapped,) = survey_series(study, progress=Bar())
    peer.upload(MR[10])
    pull(study, pacs=peer.dimse(), progress=Bar(), patient_id=PATIENT)
    (whole,) = survey_series(study, progress=Bar())
    assert (bool(gapped.geometry), bool(whole.geometry)) == (False, True)


@pytest.mark.parametrize("way", WAYS)
def test_a_pacs_that_dies_midway_and_comes_back_loses_nothing(start_orthanc, study, way, tmp_path):
    """kill -9 of Orthanc at the tenth object, started again a moment later, in the middle of our retries."""
    peer = start_orthanc()
    listen_on(study, peer.us_port)
    files = slices(way, tmp_path / "large")
    peer.upload(*files)
    back = threading.Timer(0.4, peer.start)

    def die() -> None:
        peer.kill()
        back.start()

    bar = Bar(at=10, act=die)
    row = only(pull(study, pacs=settings(peer, way, **PATIENT_ENOUGH), progress=bar, patient_id=PATIENT))
    back.join()
    assert row.status is PullStatus.COMPLETE, row
    assert [(each.expected, each.held, each.received) for each in row.series] == [(28, 28, 28)]
    assert bar.count <= 28 + 10, "what was there before was asked for again"
    assert held_uids(study) == mapped(study, *files)


@pytest.mark.parametrize("way", ONE_FAST_WAY)
def test_a_pacs_that_stays_away_leaves_rows_that_say_so_and_a_later_pull_resumes(start_orthanc, study, way, tmp_path):
    """The interrupted row is incomplete, the next one fails at once, and the next pull asks only for the rest."""
    peer = start_orthanc()
    listen_on(study, peer.us_port)
    files = slices(way, tmp_path / "large")
    peer.upload(*files)
    worklist = tmp_path / "work.csv"
    worklist.write_text(f"patient_id\n{PATIENT}\nSYN-0002\n")
    report = pull(study, pacs=settings(peer, way), progress=Bar(at=10, act=peer.kill), worklist=worklist)
    interrupted, unreached = report.rows
    (series,) = interrupted.series
    assert interrupted.status is PullStatus.INCOMPLETE
    assert unreached.status is PullStatus.FAILED
    assert 10 <= series.held < 28
    assert interrupted.reason.startswith(f"{28 - series.held} missing; ")
    with PullLedger(study.vault / "pulls.sqlite") as ledger:
        (record,) = ledger.records()
    assert (record.state, record.expected, len(record.missing)) == (PulledState.INCOMPLETE, 28, 28 - series.held)
    peer.start()
    bar = Bar()
    resumed = only(pull(study, pacs=settings(peer, way), progress=bar, patient_id=PATIENT))
    assert resumed.status is PullStatus.COMPLETE
    assert bar.count == resumed.series[0].received == 28 - series.held


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from npcpit_imaging.app.pull import pull
from npcpit_imaging.app.study import open_study
from npcpit_imaging.config.pacs import PacsSite

left = int(sys.argv[3])

@contextmanager
def progress(title, total):
    def tick():
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    yield tick

with open_study(Path(sys.argv[1])) as study:
    pull(study, pacs=PacsSite.model_validate_json(sys.argv[2]), progress=progress, patient_id=sys.argv[4])
"""


@pytest.mark.parametrize("way", ONE_FAST_WAY)
def test_a_pull_that_is_killed_asks_only_for_what_it_had_not_acknowledged(start_orthanc, study, way):
    """kill -9 of ourselves at the twelfth object; the next pull receives the other sixteen and no more."""
    peer = start_orthanc()
    listen_on(study, peer.us_port)
    peer.upload(*MR)
    pacs = settings(peer, way)
    arguments = [str(study.folder), pacs.model_dump_json(), "12", PATIENT]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with PullLedger(study.vault / "pulls.sqlite") as ledger:
        assert [each.state for each in ledger.records()] == [PulledState.RECEIVING]
    durable = spool_census(study.vault / "spool").waiting
    bar = Bar()
    row = only(pull(study, pacs=pacs, progress=bar, patient_id=PATIENT))
    assert row.status is PullStatus.COMPLETE
    assert durable >= 12
    assert bar.count == 28 - durable
    assert held_uids(study) == mapped(study, *MR)


def test_a_series_deleted_between_query_and_retrieve_is_incomplete_by_name(start_orthanc, study, monkeypatch):
    """The PACS listed 28 instances and then forgets them: all of them are missing, and no retry is wasted."""
    peer = start_orthanc()
    peer.upload(*MR)
    series_uid = pydicom.dcmread(MR[0], stop_before_pixels=True).SeriesInstanceUID
    listing = DimseArchive.instances

    def list_then_delete(self, series):
        listed = listing(self, series)
        if listed:
            peer.delete_series(series_uid)
        return listed

    monkeypatch.setattr(DimseArchive, "instances", list_then_delete)
    row = only(pull(study, pacs=peer.dimse(), progress=Bar(), patient_id=PATIENT))
    assert row.status is PullStatus.INCOMPLETE
    assert row.reason == "28 missing; the PACS no longer lists 28 of them"
    assert not held_uids(study)


def test_a_series_deleted_before_its_instances_are_listed_fails_and_the_others_are_pulled(
    start_orthanc, study, monkeypatch
):
    """The first of two series is listed; the other is deleted before anybody asks for its instances."""
    peer = start_orthanc()
    t2 = sorted((SAMPLE / "BASELINE" / "MR_T2").glob("*.dcm"))
    peer.upload(*MR[:3], *t2[:3])
    uids = {pydicom.dcmread(file, stop_before_pixels=True).SeriesInstanceUID for file in (MR[0], t2[0])}
    listing = DimseArchive.instances
    asked = []

    def list_then_delete_the_other(self, series):
        listed = listing(self, series)
        asked.append(series.series_uid)
        if len(asked) == 1:
            (other,) = uids - {series.series_uid}
            peer.delete_series(other)
        return listed

    monkeypatch.setattr(DimseArchive, "instances", list_then_delete_the_other)
    row = only(pull(study, pacs=peer.dimse(), progress=Bar(), patient_id=PATIENT))
    assert sorted(each.status.value for each in row.series) == ["complete", "failed"]
    assert "none of its instances" in row.reason


def test_refusals_and_absences_are_told_apart(orthanc, study):
    """A wrong AE title is refused; a PACS that is not there fails; each says what to look at."""
    refused = only(pull(study, pacs=orthanc.dimse(ae_title="WRONG"), progress=Bar(), patient_id=PATIENT))
    absent = only(pull(study, pacs=orthanc.dimse(port=orthanc.us_port), progress=Bar(), patient_id=PATIENT))
    assert (refused.status, absent.status) == (PullStatus.REFUSED, PullStatus.FAILED)
    assert "AE title" in refused.reason
    assert "no connection" in absent.reason


def test_a_pacs_that_is_down_is_waited_for_once_and_not_once_a_row(orthanc, study, tmp_path):
    """Twenty rows cost one round of retries (0.3 + 0.6 s), not twenty."""
    worklist = tmp_path / "work.csv"
    worklist.write_text("patient_id\n" + "".join(f"P{row}\n" for row in range(20)))
    pacs = orthanc.dimse(port=orthanc.us_port, retries=2, backoff_s=0.3)
    started = time.monotonic()
    report = pull(study, pacs=pacs, progress=Bar(), worklist=worklist)
    elapsed_s = time.monotonic() - started
    assert [row.status for row in report.rows] == [PullStatus.FAILED] * 20
    assert 0.9 <= elapsed_s < 6


def test_what_cannot_be_taken_into_the_study_is_said(start_orthanc, study):
    """An object without a Patient ID is received, waits in the spool, and the row does not call it complete."""
    peer = start_orthanc()
    nameless = pydicom.dcmread(MR[0])
    nameless.PatientID = ""
    file = study.folder / "nameless.dcm"
    nameless.save_as(file)
    peer.upload(file)
    row = only(pull(study, pacs=peer.dimse(), progress=Bar(), study_uid=nameless.StudyInstanceUID))
    assert row.status is PullStatus.FAILED
    assert "received but not taken into the study" in row.reason
    assert len(list((study.vault / "spool" / "pending").iterdir())) == 1


def test_a_series_whose_objects_name_another_patient_never_passes_for_the_row_s(start_orthanc, study):
    """Two patients under one Study Instance UID, as after a Patient ID was corrected: the study root lists both."""
    peer = start_orthanc()
    peer.upload(*MR[:3])
    for number, file in enumerate(MR[:3], 1):
        other = pydicom.dcmread(file)
        other.PatientID, other.SeriesInstanceUID = "OTHER-1", "1.2.3.77"
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.77.{number}"
        other.save_as(study.folder / f"{number}.dcm")
    peer.upload(*sorted(study.folder.glob("?.dcm")))
    row = only(pull(study, pacs=peer.dimse(), progress=Bar(), patient_id=PATIENT, subject="NPC-01"))
    assert row.status is PullStatus.FAILED
    assert sorted((each.expected, each.status.value) for each in row.series) == [(3, "complete"), (3, "failed")]
    assert "expected objects of NPC-01 as the PACS says, found a Patient ID in them that is S-" in row.reason
    assert "OTHER-1" not in row.reason
    with study.database.session() as session:
        states = {each.subject[:2]: each.state.value for each in series_of(session)}
    assert states == {"NP": "complete", "S-": "incomplete"}


def test_a_study_whose_objects_are_kept_as_they_are_is_complete_too(orthanc, study):
    """Without de-identification the UIDs are the hospital's own."""
    site = study.folder / "configs" / "site.toml"
    site.write_text(site.read_text().replace("enabled = true", "enabled = false"))
    row = only(pull(study, pacs=orthanc.dimse(), progress=Bar(), patient_id=PATIENT, date_to="2100-01-01"))
    assert row.status is PullStatus.COMPLETE
    with study.database.session() as session:
        uids = {each.uid for each in series_of(session)}
    assert pydicom.dcmread(MR[0], stop_before_pixels=True).SeriesInstanceUID in uids


def test_a_pull_while_a_receiver_owns_the_spool_is_refused(orthanc, study):
    """One process per spool."""
    with spool_of(study), pytest.raises(DicomError, match="owned"):
        pull(study, pacs=orthanc.dimse(), progress=Bar(), patient_id=PATIENT)


def test_a_site_without_a_pacs_says_what_to_write(study):
    """The section is missing."""
    with pytest.raises(InputError, match=r"\[pacs\]"):
        pull(study, pacs=PacsSite(), progress=Bar(), patient_id=PATIENT)


def test_a_subject_code_that_is_none_never_reaches_the_table(orthanc, study):
    """The table stays readable."""
    row = only(pull(study, pacs=orthanc.dimse(), progress=Bar(), patient_id=PATIENT, subject="no code!"))
    assert row.status is PullStatus.FAILED
    assert not (study.vault / "subjects.csv").exists()
