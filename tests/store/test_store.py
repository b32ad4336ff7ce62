"""The study's memory: what arrives is indexed once, visits are assembled by date, a signed read is never edited."""

import contextlib
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from npcpit_imaging.errors import MissingPartError, StoreError
from npcpit_imaging.store.database import Database, read_json, upgrade
from npcpit_imaging.store.images import (
    IndexedObject,
    IndexOutcome,
    assemble_timepoints,
    index_object,
    is_deidentified,
    paths_of,
    series_of,
)
from npcpit_imaging.store.lesions import (
    StoredProposal,
    every_proposal_of,
    lesions_of,
    proposals_of,
    put_lesion,
    put_proposal,
)
from npcpit_imaging.store.reads import ConfirmedLesion, newest_reads, sign_read
from npcpit_imaging.store.runs import done_keys, put_runs
from npcpit_imaging.store.schema import RunRow
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState
from npcpit_imaging.study.measurement import Measurement, Uptake

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LESION = Lesion(
    lesion_id="T01", tracking_uid="2.25.1", role=LesionRole.TARGET, organ="NASOPHARYNX", location="NASOPHARYNX"
)


def an_object(uid: str, *, day: int = 1, month: int = 1, series: str = "1.1", subject: str = "S1", received: str = "r"):
    return IndexedObject(
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        series_uid=series,
        study_uid="1.9",
        subject=subject,
        modality="CT",
        description="",
        frame_of_reference_uid=None,
        date=date(2026, month, day),
        path=f"{uid}.dcm",
        sha256="d",
        received_sha256=received,
        deidentified=True,
    )


def test_the_same_object_twice_is_a_repeat_and_other_bytes_are_a_conflict_that_changes_nothing(database: Database):
    with database.session() as session:
        first = index_object(session, an_object("1.1.1"), now=NOW)
        again = index_object(session, an_object("1.1.1"), now=NOW)
        other = index_object(session, an_object("1.1.1", received="other"), now=NOW)
        assert (first, again, other) == (IndexOutcome.STORED, IndexOutcome.REPEAT, IndexOutcome.CONFLICT)
        assert paths_of(session, "1.1") == ["1.1.1.dcm"]
        assert series_of(session)[0].instances == 1


def test_a_series_that_comes_for_another_subject_is_refused(database: Database):
    with database.session() as session:
        index_object(session, an_object("1.1.1"), now=NOW)
    with pytest.raises(StoreError, match=r"series 1\.1: expected subject S1"), database.session() as session:
        index_object(session, an_object("1.1.2", subject="S2"), now=NOW)


def test_a_subject_whose_dates_are_shifted_takes_no_object_in_the_hospital_s_dates_nor_the_reverse(database: Database):
    for subject, first in (("S1", True), ("S2", False)):
        series = f"1.{subject[1]}"
        offered = an_object(f"{series}.1", series=series, subject=subject)
        with database.session() as session:
            index_object(session, replace(offered, deidentified=first), now=NOW)
            assert is_deidentified(session, subject) is first
        other = replace(offered, sop_instance_uid=f"{series}.2", deidentified=not first)
        with pytest.raises(StoreError, match=f"subject {subject}: .*mixed"), database.session() as session:
            index_object(session, other, now=NOW)
        with database.session() as session:
            assert paths_of(session, series) == [f"{series}.1.dcm"]
            assert is_deidentified(session, "S9") is None


def test_visits_are_series_within_the_window_of_the_first_and_named_in_date_order(database: Database):
    with database.session() as session:
        for uid, month, day in (("1", 3, 20), ("2", 1, 1), ("3", 1, 9), ("4", 6, 1)):
            index_object(session, an_object(f"1.{uid}.1", month=month, day=day, series=f"1.{uid}"), now=NOW)
        points = assemble_timepoints(session, "S1", window_days=14)
        assert [(p.name, p.date.month, p.date.day) for p in points] == [
            ("BASELINE", 1, 1),
            ("FU1", 3, 20),
            ("FU2", 6, 1),
        ]
        assert {s.uid: s.timepoint for s in series_of(session)} == {
            "1.2": "BASELINE",
            "1.3": "BASELINE",
            "1.1": "FU1",
            "1.4": "FU2",
        }


def test_late_images_never_move_a_signed_time_point(database: Database):
    with database.session() as session:
        index_object(session, an_object("1.1.1", month=3), now=NOW)
        assemble_timepoints(session, "S1", window_days=14)
        sign_read(session, subject="S1", timepoint="BASELINE", reader="R1", lesions=[], now=NOW)
    with pytest.raises(StoreError, match="would move the signed time point BASELINE"), database.session() as session:
        index_object(session, an_object("1.2.1", month=1, series="1.2"), now=NOW)
        assemble_timepoints(session, "S1", window_days=14)


@pytest.fixture
def with_proposal(database: Database):
    measured = Measurement(
        longest_diameter=Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(30.0, 40.0, 0.0)),
        short_axis=None,
        slice_index_k=3,
        slice_position_mm=9.0,
        volume_ml=12.5,
        components=1,
        convention="test",
        findings=(Finding(code="oblique", severity=Severity.WARNING, text="25 degrees"),),
    )
    proposal = StoredProposal(
        lesion=LESION,
        subject="S1",
        timepoint="BASELINE",
        series_uid="1.1",
        mask_path="m.nii.gz",
        mask_sha256="m",
        prompt={"line": [0, 1]},
        segmenter={"name": "test"},
        measurement=measured,
        uptake=Uptake(suv_max=9.0, suv_mean=5.0, suv_peak=8.0, mtv_ml=2.0, tlg_g=10.0),
        key="k1",
    )
    with database.session() as session:
        index_object(session, an_object("1.1.1"), now=NOW)
        assemble_timepoints(session, "S1", window_days=14)
        put_lesion(session, "S1", LESION)
        put_proposal(session, proposal, now=NOW)
    return proposal


def test_a_proposal_comes_back_as_it_was_stored_and_is_stored_once(database: Database, with_proposal: StoredProposal):
    with database.session() as session:
        again = put_proposal(session, with_proposal, now=NOW)
        assert proposals_of(session, "S1") == [replace(with_proposal, id=again)]
        assert lesions_of(session, "S1") == [LESION]


def test_a_lesion_known_with_other_properties_is_refused(database: Database, with_proposal: StoredProposal):
    with pytest.raises(StoreError, match="T01: already known with other nodal"), database.session() as session:
        put_lesion(session, "S1", replace(LESION, nodal=True))


def test_a_signed_read_needs_a_reason_to_be_superseded_and_the_newest_version_counts(
    database: Database, with_proposal: StoredProposal
):
    confirmed = ConfirmedLesion(lesion=LESION, state=LesionState.MEASURED, longest_diameter_mm=50.0)
    with database.session() as session:
        sign_read(session, subject="S1", timepoint="BASELINE", reader="R1", lesions=[confirmed], now=NOW)
    with pytest.raises(StoreError, match="superseded with a reason"), database.session() as session:
        sign_read(session, subject="S1", timepoint="BASELINE", reader="R1", lesions=[confirmed], now=NOW)
    with database.session() as session:
        smaller = replace(confirmed, longest_diameter_mm=40.0)
        sign_read(
            session, subject="S1", timepoint="BASELINE", reader="R1", lesions=[smaller], now=NOW, reason="wrong slice"
        )
        (read,) = newest_reads(session, "S1")
        assert (read.version, [row.longest_diameter_mm for row in read.lesions]) == (2, [40.0])


@pytest.mark.parametrize("statement", ["UPDATE read SET reader = 'X'", "DELETE FROM read", "DELETE FROM assessment"])
def test_the_database_refuses_to_change_a_signed_read(
    database: Database, with_proposal: StoredProposal, statement: str
):
    confirmed = ConfirmedLesion(lesion=LESION, state=LesionState.ABSENT)
    with database.session() as session:
        sign_read(session, subject="S1", timepoint="BASELINE", reader="R1", lesions=[confirmed], now=NOW)
    with pytest.raises(StoreError, match="append-only"), database.session() as session:
        session.execute(text(statement))


def test_a_step_is_done_only_with_the_same_key_and_only_when_its_last_run_was_done(database: Database):
    def run(key: str, outcome: str) -> RunRow:
        return RunRow(
            pipeline="p", case_name="c", key=key, outcome=outcome, reason="", code_version="0", started=NOW, ended=NOW
        )

    with database.session() as session:
        put_runs(session, [run("k1", "done")])
        session.flush()
        assert done_keys(session, "p") == {"c": "k1"}
        assert done_keys(session, "another") == {}
        put_runs(session, [run("k1", "failed")])
        session.flush()
        assert done_keys(session, "p") == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
@example("\ud800")
@example({"volume_ml": 10**30, "empty": [float("nan"), float("-inf"), -0.0]})
def test_a_json_column_reads_as_python_s_own_reader_reads_it(value):
    """The store's reader is another one than the writer: the same values to the last bit, or nothing is comparable."""
    written = json.dumps(value)
    assert repr(read_json(written)) == repr(json.loads(written)) == repr(value)


def test_the_migrations_make_the_tables_that_the_models_describe(database: Database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from npcpit_imaging.store.schema import Base

    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_study_of_the_first_version_is_brought_up_to_date_with_its_series_and_objects(kind, tmp_path, request):
    """Its tables hold rows that point to each other, as any real study's do."""
    from sqlalchemy import event

    url = "sqlite:///x.sqlite" if kind == "sqlite" else request.getfixturevalue("postgresql").new_database()
    engine = create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}" if kind == "sqlite" else url)
    if kind == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    rows = (
        "INSERT INTO subject (code, deidentified, created) VALUES ('S1', true, '2026-01-01')",
        "INSERT INTO series (uid, study_uid, subject, modality, description, state, state_reason, findings, updated)"
        " VALUES ('1.2.3', '1.2', 'S1', 'CT', 'NECK', 'quiet', '', '[]', '2026-01-01')",
        "INSERT INTO instance"
        " (sop_instance_uid, sop_class_uid, series_uid, path, sha256, received_sha256, deidentified, received)"
        " VALUES ('1.2.3.4', '1.2', '1.2.3', 'a/b.dcm', 'x', 'y', true, '2026-01-01')",
    )
    with engine.begin() as connection:
        upgrade(connection, "0001")
        for row in rows:
            connection.execute(text(row))
    engine.dispose()
    database = Database(url, folder=tmp_path)
    with database.session() as session:
        (found,) = series_of(session)
        assert (found.uid, found.instances, found.arrival_findings) == ("1.2.3", 1, ())
        assert paths_of(session, "1.2.3") == ["a/b.dcm"]
    database.close()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("no url:secret@", StoreError, "expected a SQLAlchemy URL"),
        ("sqlite:///no/such/folder/x.sqlite", StoreError, "cannot be opened"),
        ("postgresql+pg8000://u:secret@localhost/x", MissingPartError, r"no driver for postgresql\+pg8000"),
        ("postgresql://u:secret@localhost:1/x", StoreError, "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(url, error, said, tmp_path):
    with pytest.raises(error, match=said) as raised:
        Database(url, folder=tmp_path)
    assert "secret" not in str(raised.value)


def test_a_database_that_cannot_be_migrated_leaves_no_connection_open(tmp_path):
    """A study of a newer version: its revision is not known here."""
    Database("sqlite:///x.sqlite", folder=tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "x.sqlite")) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="of a newer version"):
        Database("sqlite:///x.sqlite", folder=tmp_path)
    held = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held.append(str(each.readlink()))
    assert not [link for link in held if str(tmp_path) in link]


def test_a_prompt_changed_and_changed_back_is_the_newest_proposal_again(
    database: Database, with_proposal: StoredProposal
):
    other = replace(with_proposal, key="k2", mask_sha256="other")
    with database.session() as session:
        put_proposal(session, other, now=NOW)
        assert [each.key for each in proposals_of(session, "S1")] == ["k2"]
        put_proposal(session, with_proposal, now=NOW)
        assert [each.key for each in proposals_of(session, "S1")] == ["k1"]
        assert [each.key for each in every_proposal_of(session, "S1")] == ["k1", "k2", "k1"]


def test_a_visit_that_turns_out_to_be_a_follow_up_takes_its_proposals_with_it(
    database: Database, with_proposal: StoredProposal
):
    """The images that were imported first are of January; the true baseline of the year before comes later."""
    with database.session() as session:
        index_object(session, replace(an_object("1.5.1", series="1.5"), date=date(2025, 11, 3)), now=NOW)
        points = assemble_timepoints(session, "S1", window_days=14)
        assert [(point.name, point.date.year) for point in points] == [("BASELINE", 2025), ("FU1", 2026)]
        (proposal,) = proposals_of(session, "S1")
        assert (proposal.timepoint, proposal.series_uid) == ("FU1", "1.1")
