"""What arrives is stored once, under the right subject, on shifted dates, or is refused without harming the rest."""

import socket
import threading
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select

from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.completeness import settle_series
from npcpit_imaging.app.receiving import Listener, spool_of, take_waiting, waiting_objects
from npcpit_imaging.app.responses import irradiations_of
from npcpit_imaging.app.study import open_study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.part10 import ObjectHeader, dataset_offset
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import ConfigError, InputError, NetworkError, SpoolInUseError, StoreError
from npcpit_imaging.store.images import IndexOutcome, series_of, timepoints
from npcpit_imaging.store.lesions import put_lesion
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.store.schema import InstanceRow
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState

SUBJECT = "NPC-0001"
LESION = Lesion(
    lesion_id="T01", tracking_uid="2.25.7", role=LesionRole.TARGET, organ="NASOPHARYNX", location="NASOPHARYNX"
)


def visits(study, subject: str = SUBJECT):
    with study.database.session() as session:
        return [(point.name, point.date) for point in timepoints(session, subject)]


def change_site(folder: Path, old: str, new: str) -> None:
    site = folder / "configs" / "site.toml"
    text = site.read_text(encoding="utf-8")
    assert text.count(old) == 1
    site.write_text(text.replace(old, new), encoding="utf-8")


def objects(study) -> list[Path]:
    return sorted(path for path in study.objects.folder.rglob("*") if path.is_file())


def spool_up(study, path: Path) -> None:
    """Put a file into the spool as the receiver does."""
    meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
    header = ObjectHeader(
        sop_class_uid=str(meta.MediaStorageSOPClassUID),
        sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        calling_ae_title="CT1",
        called_ae_title="NPCPIT",
    )
    with path.open("rb") as file, spool_of(study) as spool:
        file.seek(dataset_offset(file))
        incoming = spool.begin(header)
        incoming.write(memoryview(file.read()))
        incoming.commit()


def test_an_import_accounts_for_every_file_and_a_bad_one_harms_no_other(study, arrive, write_series):
    source = write_series("20240105", "1")
    (source / "LICENCE").write_text("free")
    (source / "broken.dcm").write_bytes(b"nothing")
    (source / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    report = arrive(source)
    assert report.outcomes == Counter({IndexOutcome.STORED: 3})
    assert [each.file for each in report.refused] == ["broken.dcm"]
    assert "expected a DICOM object" in report.refused[0].reason
    assert report.no_dicom == ("DICOMDIR", "LICENCE")
    assert not report.complete
    assert len(objects(study)) == 3


@pytest.mark.parametrize("patient", ["", " "])
def test_an_object_that_belongs_to_nobody_is_refused_by_name_and_harms_no_other(study, arrive, write_series, patient):
    """Without a Patient ID a minted code would join strangers into one subject."""
    source = write_series("20240105", "1")
    nobody = pydicom.dcmread(source / "1-0")
    nobody.PatientID = patient
    pydicom.dcmwrite(source / "1-0", nobody)
    report = arrive(source)
    assert report.outcomes["stored"] == 2
    (refused,) = report.refused
    assert refused.file == "1-0"
    assert "(0010,0020) PatientID: expected a value" in refused.reason
    del nobody.PatientID
    pydicom.dcmwrite(source / "1-0", nobody)
    (refused,) = arrive(source).refused
    assert "(0010,0020) PatientID: expected a value" in refused.reason
    assert len(objects(study)) == 2


def test_two_series_interleaved_and_sent_twice_at_once_are_two_whole_series(study, write_series):
    """Four associations: two bring both series slice by slice in turn, two more bring the same again."""
    source = write_series("20240105", "1", count=8, into="both")
    write_series("20240105", "2", count=8, into="both")
    for path in list(source.iterdir()):
        series, number = path.name.split("-")
        path.rename(source / f"slice-{number}-{series}")
    with Listener(study, port=0) as listener:
        port = listener.port
        senders = [threading.Thread(target=lambda: send_folder(source, port=port, called_ae_title="NPCPIT"))
                   for _ in range(4)]  # fmt: skip
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    assert listener.outcomes == {"stored": 16}
    settle_series(study, settle_s=0)
    with study.database.session() as session:
        assert [(each.instances, each.state) for each in series_of(session)] == [(8, "quiet")] * 2


def test_the_same_folder_again_is_all_repeats(study, arrive, write_series):
    source = write_series("20240105", "1")
    assert arrive(source).complete
    assert arrive(source).outcomes == Counter({IndexOutcome.REPEAT: 3})
    assert len(objects(study)) == 3


def test_other_content_under_a_known_uid_is_a_conflict_that_is_named_and_changes_nothing(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    before = {path: path.read_bytes() for path in objects(study)}
    other = write_series("20240105", "1", into="other")
    path = other / "1-1"
    dataset = pydicom.dcmread(path)
    dataset.PixelData = bytes(128)
    dataset.save_as(path)
    report = arrive(other)
    assert (report.outcomes[IndexOutcome.REPEAT], report.conflicts) == (2, ("1-1",))
    assert not report.complete
    assert {each: each.read_bytes() for each in objects(study)} == before


def test_what_a_dying_process_wrote_and_did_not_index_is_replaced(study, arrive, write_series):
    """A file on disk that the index does not know may hold anything; the digest must be of what lies there."""
    source = write_series("20240105", "1", count=1)
    arrive(source)
    (stored,) = objects(study)
    right = stored.read_bytes()
    with study.database.session() as session:
        session.delete(session.scalars(select(InstanceRow)).one())
    stored.write_bytes(b"half a fi")
    assert arrive(source).outcomes == Counter({IndexOutcome.STORED: 1})
    assert stored.read_bytes() == right


def test_a_file_that_may_not_be_read_is_refused_by_name(study, arrive, write_series, monkeypatch):
    source = write_series("20240105", "1")
    read = Path.read_bytes

    def guarded(path: Path) -> bytes:
        if path.name == "1-1":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", guarded)
    report = arrive(source)
    assert [(each.file, each.reason) for each in report.refused] == [("1-1", "cannot be read (Permission denied)")]
    assert report.outcomes == Counter({IndexOutcome.STORED: 2})


def test_a_full_disk_is_said_and_nothing_is_indexed(study, arrive, write_series, monkeypatch):
    assert study_key(study), "made while there was room"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("npcpit_imaging.dicom.place.os.fdatasync", full)
    report = arrive(write_series("20240105", "1"))
    assert {each.reason for each in report.refused} == {"objects folder: cannot be written (No space left on device)"}
    with study.database.session() as session:
        assert session.scalars(select(InstanceRow)).all() == []
    assert objects(study) == []


def test_a_patient_in_the_table_gets_that_code_and_another_one_a_minted_code_that_is_always_the_same(
    study, arrive, write_series
):
    arrive(write_series("20240105", "1"))
    report = arrive(write_series("20240105", "2", patient="HOSPITAL-0815"))
    assert set(report.assembled) == {SUBJECT, *report.assembled}
    (minted,) = set(report.assembled) - {SUBJECT}
    again = arrive(write_series("20240105", "3", patient="HOSPITAL-0815 "))
    assert set(again.assembled) == {SUBJECT, minted}
    assert "0815" not in minted


def test_no_identifier_is_written_outside_the_vault(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    study.database.close()
    secrets = (b"HOSPITAL-4711", b"Secret", b"1.2.3.1.", b"20240105", b"2024-01-05")
    for path in (each for each in study.folder.rglob("*") if each.is_file()):
        if path.relative_to(study.folder).parts[0] != "vault":
            assert not [text for text in secrets if text in path.read_bytes()], path


def test_intervals_between_visits_survive_and_a_treatment_moves_with_its_images(study, arrive, write_series):
    """5 January and 14 February are 40 days apart; a treatment on 15 January lies 10 days after the first."""
    for series, day in (("1", "20240105"), ("2", "20240214")):
        arrive(write_series(day, series))
    (study.tables / "treatments.csv").write_text(
        f"subject,lesion,cycle,date\n{SUBJECT},T01,1,2024-01-15\n", encoding="utf-8"
    )
    (baseline, first), (follow_up, second) = visits(study)
    (irradiation,) = irradiations_of(study, SUBJECT)
    assert (baseline, follow_up) == ("BASELINE", "FU1")
    assert first != date(2024, 1, 5)
    assert second - first == timedelta(days=40)
    assert irradiation.date - first == timedelta(days=10)


def test_without_deidentification_no_date_moves(folder, write_series):
    change_site(folder, "enabled = true", "enabled = false")
    with open_study(folder) as study:
        path = write_series("20240105", "1", count=1) / "1-0"
        Arrivals(study).take(path)
        Arrivals(study).assemble()
        (study.tables / "treatments.csv").write_text(
            f"subject,lesion,cycle,date\n{SUBJECT},T01,1,2024-01-15\n", encoding="utf-8"
        )
        assert visits(study) == [("BASELINE", date(2024, 1, 5))]
        assert irradiations_of(study, SUBJECT)[0].date == date(2024, 1, 15)
        assert objects(study)[0].read_bytes() == path.read_bytes()


def test_a_late_series_that_would_move_a_signed_visit_is_refused_and_other_subjects_are_assembled(
    study, arrive, write_series
):
    arrive(write_series("20240105", "1"))
    signed = visits(study)
    with study.database.session() as session:
        put_lesion(session, SUBJECT, LESION)
        absent = ConfirmedLesion(lesion=LESION, state=LesionState.ABSENT)
        sign_read(session, subject=SUBJECT, timepoint="BASELINE", reader="R1", lesions=[absent], now=study.now())
    source = write_series("20230601", "2", into="late")
    write_series("20240301", "3", into="late", patient="HOSPITAL-0815")
    report = arrive(source)
    assert report.outcomes == Counter({IndexOutcome.STORED: 6}), "the objects are kept"
    assert not report.complete
    assert "would move the signed time point BASELINE" in report.unassembled[SUBJECT]
    (other,) = report.assembled
    assert [visit.split()[0] for visit in report.assembled[other]] == ["BASELINE"]
    assert visits(study) == signed


def test_an_empty_folder_and_a_missing_one_are_refused(study, arrive, tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        arrive(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="found an empty folder"):
        arrive(tmp_path / "empty")


def test_the_study_s_secret_is_made_once_even_by_many_at_a_time(study):
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(study_key(study))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert [path.name for path in study.vault.glob("key*")] == ["key"]
    assert (study.vault / "key").stat().st_mode & 0o077 == 0


def test_a_secret_that_cannot_be_made_durable_stops_everything(study, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("npcpit_imaging.dicom.durable.os.fdatasync", full)
    with pytest.raises(StoreError, match="vault: the study's secret cannot be written"):
        study_key(study)
    assert list(study.vault.glob("key*")) == []


def test_a_damaged_secret_is_never_replaced(study):
    (study.vault / "key").write_text("not hexadecimal", encoding="ascii")
    with pytest.raises(InputError, match="vault/key"):
        study_key(study)
    assert (study.vault / "key").read_text(encoding="ascii") == "not hexadecimal"


def test_objects_that_wait_in_the_spool_are_known_by_digest_and_subject(study, write_series):
    source = write_series("20240105", "1", count=2)
    for path in sorted(source.iterdir()):
        spool_up(study, path)
    waiting = waiting_objects(study)
    assert {each.subject for each in waiting} == {SUBJECT}
    assert len({each.digest for each in waiting}) == 2
    assert [take_waiting(study, each.file) for each in waiting] == ["stored", "stored"]
    assert waiting_objects(study) == []
    assert len(objects(study)) == 2


def test_a_conflict_from_the_spool_goes_to_the_quarantine(study, arrive, write_series):
    arrive(write_series("20240105", "1", count=1))
    path = write_series("20240105", "1", count=1, into="other") / "1-0"
    dataset = pydicom.dcmread(path)
    dataset.PixelData = b"\1" * 128
    dataset.save_as(path)
    spool_up(study, path)
    (waiting,) = waiting_objects(study)
    assert take_waiting(study, waiting.file) == "conflict"
    with spool_of(study) as spool:
        assert list(spool.pending()) == []
        (kept,) = spool.quarantine
    assert kept.path.read_bytes().endswith(b"\1" * 128)


def test_a_listener_takes_what_a_stopped_one_left_and_what_is_sent(study, write_series):
    spool_up(study, write_series("20240105", "1", count=1) / "1-0")
    with Listener(study, port=0) as listener:
        assert listener.outcomes == Counter({"stored": 1})
        assert send_folder(write_series("20240105", "2"), port=listener.port, called_ae_title="NPCPIT") == 3
    assert listener.outcomes == Counter({"stored": 4})
    assert listener.assemble()[SUBJECT][0].startswith("BASELINE")
    assert len(objects(study)) == 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom forgets a refused socket
def test_sending_to_nobody_and_sending_nothing_are_refused(tmp_path, write_series):
    with pytest.raises(NetworkError, match="no association"):
        send_folder(write_series("20240105", "1"), port=1, called_ae_title="NPCPIT")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("a")
    with pytest.raises(InputError, match="expected DICOM objects"):
        send_folder(tmp_path / "text", port=1, called_ae_title="NPCPIT")


def test_a_second_receiver_of_one_study_is_refused_and_one_that_cannot_start_leaves_the_spool_free(study):
    with Listener(study, port=0), pytest.raises(SpoolInUseError, match="one receiver per spool"):
        Listener(study, port=0)
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        with pytest.raises(NetworkError, match="cannot listen"), Listener(study, port=occupied.getsockname()[1]):
            pass
    with spool_of(study):
        pass


def test_a_site_that_lets_strangers_in_is_refused(folder):
    change_site(folder, 'host = "127.0.0.1"', 'host = "0.0.0.0"')
    with open_study(folder) as study, pytest.raises(ConfigError, match=r"site\.toml: receiver: .*peers"):
        Listener(study, port=0)


def test_a_series_that_comes_for_another_patient_is_refused_and_leaves_no_file(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    other = write_series("20240105", "1", into="other", patient="HOSPITAL-0815")
    for number, path in enumerate(sorted(other.iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.4.{number}"
        dataset.save_as(path)
    report = arrive(other)
    assert len(report.refused) == 3
    assert all("expected subject NPC-0001" in each.reason for each in report.refused)
    assert len(objects(study)) == 3


def add_to_table(study, patient: str, subject: str) -> None:
    with (study.vault / "subjects.csv").open("a", encoding="utf-8") as table:
        table.write(f"{patient},{subject}\n")


def test_a_row_added_to_the_subject_table_counts_for_a_receiver_that_runs(study, write_series):
    """The new patient's first images get the table's code, not a minted one."""
    arrivals = Arrivals(study)
    for path in write_series("20240105", "1").iterdir():
        arrivals.take(path)
    add_to_table(study, "NEW-12", "NPC-0012")
    for path in write_series("20240105", "2", patient="NEW-12").iterdir():
        arrivals.take(path)
    with study.database.session() as session:
        assert sorted(each.subject for each in series_of(session)) == ["NPC-0001", "NPC-0012"]


def test_a_code_given_to_a_patient_who_has_a_minted_one_is_refused_and_a_broken_table_mints_nothing(
    study, write_series
):
    """One patient would be two subjects, each with half of the visits."""
    arrivals = Arrivals(study)
    first, later = write_series("20240105", "1", patient="NEW-12"), write_series("20240205", "2", patient="NEW-12")
    for path in first.iterdir():
        arrivals.take(path)
    add_to_table(study, "NEW-12", "NPC-0012")
    with pytest.raises(InputError, match="one patient would be two subjects") as refused:
        arrivals.take(next(later.iterdir()))
    assert "NEW-12" not in str(refused.value)
    (study.vault / "subjects.csv").write_text("patient,code\n")
    with pytest.raises(InputError, match="columns patient_id and subject"):
        arrivals.take(next(later.iterdir()))
    (study.vault / "subjects.csv").unlink()
    for path in later.iterdir():
        arrivals.take(path)
    with study.database.session() as session:
        assert len({each.subject for each in series_of(session)}) == 1
