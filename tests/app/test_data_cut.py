"""The data cut holds for everything dated: light, cycles, events, reads compared, courses, declared dates, SDTM."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from npcpit_imaging.app.analyse import AnalyseFiles, table_inputs
from npcpit_imaging.app.respond import respond
from npcpit_imaging.app.sdtm import export_sdtm
from npcpit_imaging.app.study_tables import cut_tables
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import TableError
from tests.app.test_primary_endpoint import HEADER
from tests.app.test_primary_endpoint import course as sizes

CUT = date(2026, 4, 10)
EVERYTHING = {"FU1", "FU2", "FU3"}

TABLES = {
    "m.csv": HEADER + sizes("T01", "30", "20", "20", "20") + sizes("T01", "30", "20", "20", "20", subject="S2"),
    "t.csv": "subject,lesion,cycle,date\nS1,T01,1,2026-01-12\nS2,T01,1,2026-01-12\nS1,T01,2,2026-05-01\n",
    "c.csv": (
        "subject,cycle,infusion,illumination\n"
        "S1,1,2026-01-11,2026-01-12\nS1,2,2026-04-30,2026-05-01\nS2,2,2026-04-30,2026-05-02\n"
    ),
    "e.csv": (
        "subject,term,grade,start,end\n"
        "S1,Oral pain,2,2026-01-20,2026-02-01\nS1,Oedema,3,2026-04-01,2026-05-01\nS1,Bleeding,4,2026-05-02,\n"
        "S2,Bleeding,4,2026-05-02,\n"
    ),
}


def given(folder, subjects: str) -> AnalyseFiles:
    tables = {**TABLES, "s.csv": f"subject,treatment_start,death_date,new_therapy_date,last_contact,cutoff\n{subjects}"}
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    return AnalyseFiles(
        measurements=folder / "m.csv",
        subjects=folder / "s.csv",
        treatments=folder / "t.csv",
        adverse_events=folder / "e.csv",
        cycles=folder / "c.csv",
    )


def inputs_of(files: AnalyseFiles, protocol: Protocol = Protocol()):
    report = respond(files.measurements, protocol=protocol, subjects=files.subjects, treatments=files.treatments)
    assert report.faults == ()
    return table_inputs(files, report, protocol=protocol)


def visits(table: pd.DataFrame, subject: str) -> set[str]:
    return set(table.loc[table["subject"] == subject, "timepoint"]) - {"BASELINE"}


def test_a_subjects_own_cutoff_holds_for_every_dated_table_and_for_that_subject_alone(tmp_path):
    """S1 is cut on 10 April, S2 never: what S1's tables say of May is in no number."""
    files = given(tmp_path, f"S1,2026-01-12,2026-06-20,2026-05-20,2026-07-01,{CUT}\nS2,2026-01-12,,,2026-07-01,\n")
    inputs = inputs_of(files)
    assert visits(inputs.records.lesion_timepoints, "S1") == {"FU1", "FU2"}
    assert visits(inputs.records.lesion_timepoints, "S2") == EVERYTHING
    assert visits(inputs.measurements, "S1") == {"FU1", "FU2"}  # what readers' agreement compares
    assert visits(inputs.measurements, "S2") == EVERYTHING
    assert set(inputs.cycles.loc[inputs.cycles["subject"] == "S1", "cycle"]) == {1}
    assert set(inputs.cycles.loc[inputs.cycles["subject"] == "S2", "cycle"]) == {1, 2}
    events = inputs.events.set_index(["subject", "term"])
    assert set(events.index) == {("S1", "Oral pain"), ("S1", "Oedema"), ("S2", "Bleeding")}
    assert events.loc[("S1", "Oral pain"), "end_day"] == 20  # 12 January to 1 February
    assert pd.isna(events.loc[("S1", "Oedema"), "end_day"])  # on 10 April it still went on
    one = inputs.records.subjects.set_index("subject").loc["S1"]
    assert pd.isna(one["death_day"]) and pd.isna(one["new_therapy_day"])
    assert one["pfs_reason"] == "censored: last adequate assessment"


def test_the_protocols_cut_is_the_same_for_every_subject(tmp_path):
    files = given(tmp_path, "S1,2026-01-12,,,2026-07-01,\nS2,2026-01-12,,,2026-07-01,\n")
    inputs = inputs_of(files, Protocol.model_validate({"results": {"data_cut": CUT}}))
    assert visits(inputs.measurements, "S1") == visits(inputs.measurements, "S2") == {"FU1", "FU2"}
    assert set(inputs.events["term"]) == {"Oral pain", "Oedema"}
    assert set(inputs.cycles["cycle"]) == {1}


def test_two_tables_that_contradict_each_other_across_the_cut_are_refused(tmp_path):
    """Light of cycle 2 stands on both sides of the cut: taking either silently could be wrong."""
    files = given(tmp_path, f"S1,2026-01-12,,,2026-07-01,{CUT}\n")
    (tmp_path / "c.csv").write_text("subject,cycle,infusion,illumination\nS1,2,2026-03-30,2026-04-01\n")
    with pytest.raises(TableError, match="S1 cycle 2"):
        cut_tables(
            subjects=files.subjects,
            treatments=files.treatments,
            adverse_events=None,
            cycles=files.cycles,
            data_cut=None,
        )


def test_sdtm_of_tables_ends_at_the_data_cut_too(tmp_path):
    files = given(tmp_path, "S1,2026-01-12,2026-06-20,,2026-07-01,\nS2,2026-01-12,,,2026-07-01,\n")
    report = export_sdtm(
        files.measurements,
        tmp_path / "out",
        protocol=Protocol.model_validate({"results": {"data_cut": CUT}}),
        subjects=files.subjects,
        treatments=files.treatments,
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert report.ok, report
    answers = pd.read_csv(tmp_path / "out" / "adrs.csv")
    assert set(answers.loc[answers["PARAMCD"] == "OVR", "AVISIT"]) == {"FU1", "FU2"}
    assert set(answers.loc[answers["PARAMCD"] == "DEATH", "AVALC"]) == {"N"}
