"""A store or a disk that refuses for a while costs a receiver nothing but time: it goes on, and takes what waited."""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pydicom
import pytest
from sqlalchemy import text

from npcpit_imaging.app import completeness, retrying
from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.listening import receive
from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.retrying import FIRST_PAUSE_S, Retries
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.dicom.receipt import SpooledObject
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import DicomError, StoreError
from npcpit_imaging.store.images import SeriesState, series_of, timepoints
from tests.app.conftest import a_slice
from tests.app.test_receiving import objects, spool_up


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, folder) -> Iterator[Study]:
    """A study whose index is a file, or a real PostgreSQL."""
    site = folder / "configs" / "site.toml"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_database()
        site.write_text(site.read_text().replace("sqlite:///npcpit.sqlite", url))
    site.write_text(site.read_text().replace("settle_s = 30.0", "settle_s = 0.0"))
    with open_study(folder) as opened:
        yield opened


@contextmanager
def refusing(study: Study) -> Iterator[None]:
    """The store refuses everything about series, as one that is being restarted or migrated does."""
    with study.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE series RENAME TO elsewhere"))
    try:
        yield
    finally:
        with study.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO series"))


def waiting(study: Study) -> int:
    return len([path for path in (study.vault / "spool" / "pending").iterdir() if path.stat().st_size])


def test_a_store_that_refuses_for_a_while_ends_no_receiver_and_what_waited_is_taken(
    kept, write_series, monkeypatch, caplog
):
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.0)
    source = write_series("20240105", "1")
    with Listener(kept, port=0) as listener:
        with refusing(kept):
            sent = send_folder(source, port=listener.port, called_ae_title="NPCPIT")
            listener.drain()
            assert [listener.settle() for _ in range(3)] == [{}, {}, {}]
            assert (sent, listener.outcomes["waiting"]) == (3, 3)
        assert [record for record in caplog.records if "cannot be judged for now" in record.message][1:] == []
        assert list(listener.settle().values()) == [SeriesState.QUIET]
        assert (listener.outcomes["waiting"], listener.outcomes["stored"], waiting(kept)) == (0, 3, 0)
    assert len(objects(kept)) == 3


def test_the_receive_verb_outlives_a_store_that_refuses(kept, write_series):
    """The table of series is away while the receiver looks, and is back before it ends."""
    said: list[str] = []

    class NoWork:
        def take(self, subject: str) -> None:
            said.append(f"work for {subject}")

    for path in write_series("20240105", "1").iterdir():
        spool_up(kept, path)
    away = refusing(kept)

    def say(line: str) -> None:
        said.append(line)
        if "listens" in line:
            away.__enter__()  # from now on nothing can be judged

    looks = iter([lambda: None, lambda: None, lambda: away.__exit__(None, None, None), lambda: None])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npcpit_imaging.app.listening.time", _Clock(looks))
        receive(kept, port=0, seconds=4.0, say=say, work=NoWork())
    assert next(line for line in said if line.startswith("series")).endswith("quiet")
    assert "work for NPC-0001" in said
    assert "3 stored" in said


class _Clock:
    """A clock on which each look of the receiver takes a second, and brings what stands for that second."""

    def __init__(self, looks: Iterator[Callable[[], None]]) -> None:
        self._looks, self._now = looks, 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, _: float) -> None:
        self._now += 1.0
        next(self._looks, lambda: None)()


def test_pauses_grow_while_nothing_can_be_taken_and_an_objects_own_fault_is_not_tried_again(tmp_path):
    """Pauses of 5, 10, 20 s until something is taken."""
    now = 0.0
    retries = Retries(clock=lambda: now)
    objects = [SpooledObject(path=tmp_path / name, header=None, dataset_bytes=1, digest="") for name in "ab"]  # type: ignore[arg-type]
    assert retries.refused(objects[0], StoreError("away")) == (True, True)
    assert retries.refused(objects[0], StoreError("away")) == (False, False)
    assert retries.refused(objects[1], DicomError("no patient")) == (True, True)
    tried = []
    for second in range(40):
        now = float(second)
        if due := retries.due():
            tried.append(second)
            assert due == [objects[0]]
            retries.refused(objects[0], StoreError("away"))
    assert tried == [5, 15, 35]
    assert retries.taken(objects[0])
    assert not retries.taken(objects[0])
    retries.refused(objects[0], StoreError("away"))
    now += FIRST_PAUSE_S
    assert retries.due() == [objects[0]]


def test_visits_are_there_while_the_receiver_runs_also_of_what_a_killed_one_left_settled(study, write_series):
    """The killed one received and judged; nobody assembled."""
    for path in write_series("20240105", "1").iterdir():
        Arrivals(study).take(path)
    completeness.settle_series(study, settle_s=0)
    seen: list[list[str]] = []

    def look() -> None:
        with study.database.session() as session:
            seen.append([point.name for point in timepoints(session, "NPC-0001")])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npcpit_imaging.app.listening.time", _Clock(iter([look, look])))
        receive(study, port=0, seconds=2.0, say=lambda _: None)
    assert seen == [[], ["BASELINE"]]


@pytest.mark.parametrize("deidentified", [True, False])
def test_an_object_with_a_vr_that_is_none_waits_by_name_and_the_receiver_starts_again(
    folder, tmp_path, caplog, deidentified
):
    """The VR of Modality is damaged: pydicom raises NotImplementedError when it is asked for."""
    site = folder / "configs" / "site.toml"
    site.write_text(site.read_text().replace("enabled = true", f"enabled = {str(deidentified).lower()}"))
    path = tmp_path / "damaged"
    pydicom.dcmwrite(path, a_slice("20240105", "1", 0), enforce_file_format=True)
    content = path.read_bytes()
    assert content.count(b"\x08\x00\x60\x00CS") == 1
    path.write_bytes(content.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00Ck"))
    with open_study(folder) as study:
        spool_up(study, path)
        for _ in range(2):
            with caplog.at_level(logging.ERROR), Listener(study, port=0) as listener:
                assert sum(listener.outcomes[each] for each in ("waiting", "stored")) == 1
            if listener.outcomes["stored"]:
                break  # read as its tag says: nothing was lost
    assert not [record for record in caplog.records if record.exc_info]
    assert not any("Secret" in record.getMessage() for record in caplog.records)


def test_a_spool_that_cannot_remember_what_it_gave_away_is_tried_again(study, write_series, monkeypatch, caplog):
    """The object is indexed, and the disk is full when its digest is to be kept: the next try finds it there."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.0)
    source = write_series("20240105", "1")
    with Listener(study, port=0) as listener:
        with pytest.MonkeyPatch.context() as full:
            full.setattr(listener._spool._ingested, "remember", _disk_full)
            send_folder(source, port=listener.port, called_ae_title="NPCPIT")
            listener.drain()
            assert (listener.outcomes["waiting"], waiting(study)) == (3, 3)
        listener.settle()
        assert (listener.outcomes["waiting"], waiting(study)) == (0, 0)
    assert len(objects(study)) == 3
    assert "OSError at" in caplog.text


def _disk_full(_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_description_with_a_nul_and_a_modality_too_long_are_indexed_everywhere(kept, tmp_path):
    """PostgreSQL refuses both, SQLite neither; kept as they are, without de-identification."""
    site = kept.folder / "configs" / "site.toml"
    site.write_text(site.read_text().replace("enabled = true", "enabled = false"))
    with pydicom.config.disable_value_validation():
        dataset = a_slice("20240105", "1", 0, modality="CT" * 10)
        dataset.SeriesDescription = "AX\0T1"
        pydicom.dcmwrite(tmp_path / "odd", dataset, enforce_file_format=True)
    with open_study(kept.folder) as study:
        Arrivals(study).take(tmp_path / "odd")
        with study.database.session() as session:
            (series,) = series_of(session)
    assert (series.description, series.modality) == ("AX T1", "CT" * 8)


def test_a_series_that_nobody_foresaw_is_incomplete_and_keeps_no_other_from_being_judged(
    kept, arrive, write_series, monkeypatch
):
    group = completeness.group

    def faulty(paths):
        if len(paths) == 4:
            raise RuntimeError("a fault of ours")
        return group(paths)

    taken = Arrivals(kept)
    for path in [*write_series("20240105", "1", count=4).iterdir(), *write_series("20240105", "2").iterdir()]:
        taken.take(path)
    monkeypatch.setattr(completeness, "group", faulty)
    judged = completeness.settle_series(kept)
    assert sorted(judged.values()) == [SeriesState.INCOMPLETE, SeriesState.QUIET]
    with kept.database.session() as session:
        reasons = {each.instances: each.state_reason for each in series_of(session)}
    assert "cannot be judged (RuntimeError)" in reasons[4]
