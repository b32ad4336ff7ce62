"""A series is judged when nothing moves any more, a late slice opens it again and marks what was computed as stale."""

import re
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.completeness import settle_series, settle_when_alone
from npcpit_imaging.app.receiving import Listener, spool_of
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.app.survey import survey_series, survey_study
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.completeness import mark_complete, mark_incomplete, open_series_of, settle
from npcpit_imaging.store.images import SeriesState, series_of
from npcpit_imaging.store.schema import InstanceRow

SUBJECT = "NPC-0001"


def states(study: Study) -> list[tuple[SeriesState, str]]:
    with study.database.session() as session:
        return [(each.state, each.state_reason) for each in series_of(session)]


def push(study: Study, folder: Path, *names: str) -> str:
    """Take some files of a folder as if a receiver had; returns the series' UID."""
    arrivals = Arrivals(study)
    return [arrivals.take(folder / name).series_uid for name in names][-1]


def test_a_series_is_receiving_until_it_has_been_silent_for_the_site_s_time(folder, write_series):
    source = write_series("20240105", "1")
    set_settle_time(folder, 3600.0)
    with open_study(folder) as study:
        push(study, source, "1-0", "1-1", "1-2")
        assert settle_series(study) == {}
        assert states(study) == [(SeriesState.RECEIVING, "")]
    set_settle_time(folder, 0.0)
    with open_study(folder) as study:
        assert list(settle_series(study).values()) == [SeriesState.QUIET]
        assert states(study) == [(SeriesState.QUIET, "")]


def set_settle_time(folder: Path, seconds: float) -> None:
    site = folder / "configs" / "site.toml"
    text, count = re.subn(r"(?m)^settle_s *= *[0-9.]+", f"settle_s = {seconds}", site.read_text(encoding="utf-8"))
    assert count == 1
    site.write_text(text, encoding="utf-8")


def test_a_hole_in_the_middle_is_incomplete_with_the_finding_until_the_slice_comes(study, write_series):
    source = write_series("20240105", "1", count=6)
    push(study, source, *(f"1-{number}" for number in (0, 1, 2, 4, 5)))
    assert list(settle_series(study, settle_s=0).values()) == [SeriesState.INCOMPLETE]
    ((state, reason),) = states(study)
    assert state is SeriesState.INCOMPLETE
    assert "5" in reason
    push(study, source, "1-3")
    assert states(study) == [(SeriesState.REOPENED, "an object arrived after the series was found incomplete")]
    assert list(settle_series(study, settle_s=0).values()) == [SeriesState.QUIET]


def test_one_slice_is_no_series_and_objects_without_geometry_are_only_quiet(study, write_series):
    push(study, write_series("20240105", "1", count=1), "1-0")
    push(study, write_series("20240105", "2", count=1, modality="RTSTRUCT"), "2-0")
    assert sorted(settle_series(study, settle_s=0).values()) == [SeriesState.INCOMPLETE, SeriesState.QUIET]


def test_the_end_of_an_association_alone_settles_nothing_and_an_open_one_holds_its_series(study, write_series):
    uid = push(study, write_series("20240105", "1"), "1-0", "1-1", "1-2")
    assert settle_series(study, settle_s=0, carried={uid}) == {}
    assert states(study)[0][0] is SeriesState.RECEIVING


def test_a_listener_judges_only_after_the_association_that_carries_a_series_has_ended(folder, write_series):
    set_settle_time(folder, 0.0)
    with open_study(folder) as study, Listener(study, port=0) as listener:
        carrying, ended = threading.Event(), threading.Event()
        listener._receiver._on_stored = held_open(listener._on_stored, carrying, ended)
        sender = threading.Thread(
            target=send_folder,
            args=(write_series("20240105", "1"),),
            kwargs={"port": listener.port, "called_ae_title": "NPCPIT"},
        )
        sender.start()
        assert carrying.wait(30)
        listener.drain()
        assert listener.settle() == {}
        ended.set()
        sender.join(30)
        listener._receiver.stop()
        listener.drain()
        assert list(listener.settle().values()) == [SeriesState.QUIET]


def held_open(on_stored, carrying, ended):
    """Hold the association at its last object; the real callback has run by then."""
    count = 0

    def hold(spooled):
        nonlocal count
        on_stored(spooled)
        count += 1
        if count == 3:
            carrying.set()
            ended.wait(30)

    return hold


def test_while_a_receiver_runs_nobody_else_judges(study, write_series):
    push(study, write_series("20240105", "1"), "1-0", "1-1", "1-2")
    with spool_of(study):
        assert settle_when_alone(study, settle_s=0) == {}
    assert len(settle_when_alone(study, settle_s=0)) == 1


def test_an_object_that_comes_while_the_geometry_is_looked_at_keeps_the_series_open(study, write_series):
    source = write_series("20240105", "1")
    push(study, source, "1-0", "1-1")
    with study.database.session() as session:
        (looked_at,) = open_series_of(session)
    push(study, source, "1-2")
    with study.database.session() as session:
        assert settle(session, looked_at, fault="") is SeriesState.RECEIVING


def stored_uids(study: Study) -> list[str]:
    with study.database.session() as session:
        return [row.sop_instance_uid for row in session.query(InstanceRow)]


def test_only_a_count_makes_a_series_complete_and_a_late_object_opens_it_again(study, write_series):
    source = write_series("20240105", "1", count=4)
    uid = push(study, source, "1-0", "1-1", "1-2")
    expected = stored_uids(study)
    with (
        pytest.raises(StoreError, match="expected all of 4 listed objects, found 3"),
        study.database.session() as session,
    ):
        mark_complete(session, uid, expected=[*expected, "2.25.999"])
    with study.database.session() as session:
        mark_complete(session, uid, expected=expected)
    assert states(study) == [(SeriesState.COMPLETE, "")]
    push(study, source, "1-0")
    assert states(study)[0][0] is SeriesState.COMPLETE, "a repeat is no late object"
    push(study, source, "1-3")
    assert states(study)[0][0] is SeriesState.REOPENED


def test_a_count_that_was_not_reached_is_never_silenced_by_a_plausible_geometry(study, write_series):
    source = write_series("20240105", "1", count=4)
    uid = push(study, source, "1-0", "1-1")
    with study.database.session() as session:
        mark_incomplete(session, uid, expected=4, reason="2 of 4 have not come")
    push(study, source, "1-2")
    assert settle_series(study, settle_s=0) == {uid: SeriesState.INCOMPLETE}
    assert states(study) == [(SeriesState.INCOMPLETE, "expected 4 objects, found 3")]
    with pytest.raises(StoreError, match="not in this study"), study.database.session() as session:
        mark_complete(session, "2.25.1", expected=["2.25.2"])


def test_an_imported_folder_is_judged_at_its_end_and_status_names_what_is_not_whole(study, arrive, write_series, quiet):
    source = write_series("20240105", "1", count=6)
    (source / "1-3").unlink()
    arrive(source)
    (subject,) = survey_study(study).subjects
    assert [(each.state, each.timepoint) for each in subject.open_series] == [(SeriesState.INCOMPLETE, "BASELINE")]
    (series,) = survey_series(study, progress=quiet)
    assert series.as_json()["state"] == "incomplete"
    assert series.as_json()["state_reason"]


def test_silence_is_counted_from_the_newest_object(study, write_series, monkeypatch):
    push(study, write_series("20240105", "1"), "1-0", "1-1", "1-2")
    later = study.now() + timedelta(seconds=29)
    monkeypatch.setattr(Study, "now", staticmethod(lambda: later))
    assert settle_series(study) == {}
    monkeypatch.setattr(Study, "now", staticmethod(lambda: later + timedelta(seconds=2)))
    assert len(settle_series(study)) == 1
