"""Tables of dates beside each other and the store: what cannot be meant is named with its line, and told of results."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from npcpit_imaging.app.analyse import AnalyseFiles, analyse
from npcpit_imaging.app.responses import stored_case
from npcpit_imaging.app.study import init_study, open_study
from npcpit_imaging.app.table_checks import check_tables
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import TableError
from npcpit_imaging.store.schema import LesionRow, SubjectRow
from tests.app.results_study import NOW
from tests.app.test_analyse import HEADER, ROWS

LIGHT = "subject,lesion,cycle,date\n"
COURSES = "subject,treatment_start,death_date,last_contact,new_therapy_date\n"
EVENTS = "subject,term,grade,start,lesion\n"


@pytest.fixture
def study(tmp_path):
    """A study of S1, whose lesions are T01 and T02, and S2, whose lesions nobody has named yet."""
    init_study(tmp_path / "study")
    with open_study(tmp_path / "study") as opened:
        with opened.database.session() as session:
            for code in ("S1", "S2"):
                session.execute(insert(SubjectRow).values(code=code, deidentified=False, created=NOW))
            for name in ("T01", "T02"):
                session.execute(insert(LesionRow).values(tracking_uid=f"2.25.{name[1:]}", **lesion_row(name)))
        yield opened


def lesion_row(name: str) -> dict[str, object]:
    flags = {"nodal": False, "irradiated": True, "prior_rt": False}
    return {"subject": "S1", "lesion_id": name, "role": "TARGET", "organ": "o", "location": "NASOPHARYNX", **flags}


def faults(study, **tables: str) -> dict[str, tuple[str, ...]]:
    for name, text in tables.items():
        (study.tables / f"{name}.csv").write_text(text, encoding="utf-8")
    return {each.name: each.faults for each in check_tables(study)}


@pytest.mark.parametrize(
    ("written", "meant"), [("t01", ": did you mean T01?"), ("T2", ": did you mean T02?"), ("X9", "")]
)
def test_light_on_a_lesion_that_the_study_does_not_know_is_a_fault_with_the_lesion_that_was_meant(
    study, written, meant
):
    found = faults(study, treatments=f"{LIGHT}S1,T01,1,2024-01-10\nS1,{written},2,2024-03-10\n")
    assert found["treatments.csv"] == (f"line 3: lesion: expected one of T01, T02 of S1, found {written}{meant}",)


def test_a_subject_whose_lesions_nobody_named_yet_may_be_treated(study):
    assert faults(study, treatments=f"{LIGHT}S1,T02,1,2024-01-10\nS2,T01,1,2024-01-10\n") == {"treatments.csv": ()}


def test_events_of_an_unknown_subject_or_lesion_are_faults_with_their_lines(study):
    rows = "S1,Pain,2,2024-01-12,T01\nS99,Pain,5,2024-01-12,\nS1,Rash,1,2024-01-12,T99\ns1,Rash,1,2024-01-13,\n"
    assert faults(study, adverse_events=EVENTS + rows)["adverse_events.csv"] == (
        "line 3: subject: expected one of the store or of subjects.csv, found S99",
        "line 4: lesion: expected one of T01, T02 of S1, found T99",
        "line 5: subject: s1 differs from S1 only in case or in noughts: one or two?",
    )


def test_a_day_that_has_not_come_is_a_fault_and_results_are_refused(study):
    rows = f"{EVENTS}S1,Pain,2,2099-01-01,\n"
    course = f"{COURSES}S1,2024-01-10,2098-01-01,,\nS2,2024-01-10,,2097-01-01,\n"
    assert faults(study, adverse_events=rows, subjects=course, treatments=f"{LIGHT}S2,T01,1,2096-01-01\n") == {
        "subjects.csv": (
            "line 2: death_date: expected a day that has come, found '2098-01-01'",
            "line 3: last_contact: expected a day that has come, found '2097-01-01'",
        ),
        "treatments.csv": ("line 2: date: expected a day that has come, found '2096-01-01'",),
        "adverse_events.csv": ("line 2: start: expected a day that has come, found '2099-01-01'",),
    }


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ("2024-01-09,,", "death_date"),
        (",2024-01-09,", "last_contact"),
        (",,2024-01-09", "new_therapy_date"),
    ],
)
def test_death_contact_and_other_therapy_before_treatment_are_faults(study, cells, column):
    expected = f"line 2: {column}: expected on or after treatment_start 2024-01-10, found 2024-01-09"
    assert faults(study, subjects=f"{COURSES}S1,2024-01-10,{cells}\n") == {"subjects.csv": (expected,)}


def test_treatment_that_begins_after_the_first_light_is_a_fault_of_that_subject_alone(study):
    """Both subjects are read by nobody: S2 is skipped for that, S1 fails for its dates."""
    light = f"{LIGHT}S1,T01,1,2024-01-10\nS2,T01,1,2024-01-10\n"
    found = faults(study, treatments=light, subjects=f"{COURSES}S1,2024-01-11,,,\nS2,2024-01-10,,,\n")
    text = "line 2: treatment_start: expected on or before the first light 2024-01-10 of treatments.csv"
    assert found == {"subjects.csv": (f"{text}, found 2024-01-11",), "treatments.csv": ()}
    with pytest.raises(TableError, match=r"subjects\.csv: line 2: treatment_start: expected on or before"):
        stored_case(study, "S1")
    assert stored_case(study, "S2").case is None


def test_events_after_the_data_cut_are_no_fault_and_are_told(study):
    path = study.folder / "configs" / "protocol.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[results]", "[results]\ndata_cut = 2024-02-01\n"), encoding="utf-8")
    (study.tables / "adverse_events.csv").write_text(
        f"{EVENTS}S1,Pain,2,2024-02-01,\nS1,Pain,2,2024-02-02,\n", encoding="utf-8"
    )
    (checked,) = check_tables(study)
    assert (checked.faults, checked.notes) == ((), ("1 events begin after the data cut: not counted",))


@pytest.fixture
def given(tmp_path):
    """The tables of one patient, S1, with T01 treated; each test writes some of them anew."""
    tables = {
        "m": HEADER + ROWS,
        "s": f"{COURSES}S1,2026-01-12,,2026-04-20,\n",
        "t": f"{LIGHT}S1,T01,1,2026-01-12\n",
        "e": f"{EVENTS}S1,Pain,2,2026-01-20,\n",
    }

    def write(**changed: str) -> AnalyseFiles:
        for name, text in {**tables, **changed}.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        return AnalyseFiles(
            measurements=tmp_path / "m.csv",
            subjects=tmp_path / "s.csv",
            treatments=tmp_path / "t.csv",
            adverse_events=tmp_path / "e.csv",
        )

    return write


def test_a_lesion_written_otherwise_in_the_treatments_is_named_beside_the_results(given, tmp_path):
    """It stays in the denominator as not evaluable, as every lesion on record as irradiated: 1 of 2, told by name."""
    report = analyse(given(t=f"{LIGHT}S1,t01,1,2026-01-12\n"), tmp_path / "out", protocol=Protocol())
    assert "1 of 2 lesions in 1 patients" in report.said
    page = (tmp_path / "out" / "results.html").read_text(encoding="utf-8")
    for words in (
        "1 irradiated lesions were never read: they count as not evaluable, so non-responders (S1 t01)",
        "findings irradiated-mark-differs",
        "1 findings lesion-without-baseline",
    ):
        assert words in page and any(words in note for note in report.notes)


def test_events_of_nobody_who_was_treated_and_before_treatment_are_told_with_their_number(given, tmp_path):
    rows = "S1,Pain,2,2026-01-20,\nS1,pain,2,2026-01-22,\nS1,Pain,3,2026-01-02,\nS99999,Pain,5,2026-01-20,\n"
    report = analyse(given(e=EVENTS + rows), tmp_path / "out", protocol=Protocol())
    left_out = [note for note in report.notes if "adverse events" in note]
    assert left_out == [
        "1 adverse events of subjects without a treatment on record (S99999) are in no rate and no worst grade",
        "1 adverse events that began before the first treatment are in no rate and no worst grade",
    ]
    worst = (tmp_path / "out" / "tables" / "adverse_event_worst_grades.csv").read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in worst.splitlines()] == ["term", "any event", "Pain"]


def test_a_visit_after_death_is_told_beside_the_results(given, tmp_path):
    files = given(s=f"{COURSES}S1,2026-01-12,2026-03-01,2026-03-01,\n")
    report = analyse(files, tmp_path / "out", protocol=Protocol())
    text = "1 findings record-after-death, so a number may be wrong (S1: FU2 of (date) is after death on (date))"
    assert text in report.notes


def test_a_death_to_come_or_before_treatment_writes_no_results_of_that_subject(given, tmp_path):
    for cells, words in (("2099-01-01,", "a day that has come"), ("2026-01-11,", "on or after treatment_start")):
        files = given(s=f"{COURSES}S1,2026-01-12,{cells},\n")
        report = analyse(files, tmp_path / "out", protocol=Protocol())
        assert any(fault.subject == "S1" and fault.line == 2 and words in fault.text for fault in report.faults)
        assert not (tmp_path / "out").exists()


def test_a_contact_tomorrow_where_the_sun_rises_earlier_is_no_fault(study):
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert faults(study, subjects=f"{COURSES}S1,2024-01-10,,{tomorrow},\n") == {"subjects.csv": ()}
