"""The primary endpoint (objective response of each irradiated lesion) where a number could silently be wrong."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from npcpit_imaging.analysis.endpoints import lesion_rates, subject_rates
from npcpit_imaging.analysis.records import Records
from npcpit_imaging.analysis.study_results import primary_of
from npcpit_imaging.app.analyse import AnalyseFiles, table_inputs
from npcpit_imaging.app.respond import respond
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import ReaderChoiceError

HEADER = (
    "subject,timepoint,date,reader,evaluator,lesion,role,organ,nodal,irradiated,state,"
    "longest_diameter_mm,short_axis_mm,endoscopy,parent_lesion\n"
)
DAYS = {"BASELINE": "2026-01-05", "FU1": "2026-02-23", "FU2": "2026-04-06", "FU3": "2026-06-01"}


def row(
    visit: str,
    lesion: str,
    size: str,
    *,
    subject: str = "S1",
    reader: str = "R1",
    evaluator: str = "",
    role: str = "target",
    irradiated: str = "yes",
    endoscopy: str = "",
    parent: str = "",
) -> str:
    """One lesion at one visit; a size of words is a state."""
    number = size.replace(".", "").isdigit()
    state, diameter = ("measured", size) if number else (size, "")
    return (
        f"{subject},{visit},{DAYS[visit]},{reader},{evaluator},{lesion},{role},organ {lesion[:3]},no,{irradiated},"
        f"{state},{diameter},,{endoscopy},{parent}\n"
    )


def course(lesion: str, *sizes: str, **more: str) -> str:
    """A lesion's sizes at baseline and the follow-ups."""
    return "".join(row(visit, lesion, size, **more) for visit, size in zip(DAYS, sizes, strict=False))


def records_of(
    folder: Path,
    rows: str,
    *,
    light: Sequence[str] = ("S1,T01,1,2026-01-12", "S1,T02,1,2026-01-12"),
    subjects: Sequence[str] = ("S1,2026-01-12,2026-07-01",),
    protocol: Protocol = Protocol(),
) -> Records:
    for name, text in (
        ("m.csv", HEADER + rows),
        ("t.csv", "\n".join(["subject,lesion,cycle,date", *light]) + "\n"),
        ("s.csv", "\n".join(["subject,treatment_start,last_contact", *subjects]) + "\n"),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    files = AnalyseFiles(measurements=folder / "m.csv", subjects=folder / "s.csv", treatments=folder / "t.csv")
    report = respond(files.measurements, protocol=protocol, subjects=files.subjects, treatments=files.treatments)
    assert report.faults == ()
    return table_inputs(files, report, protocol=protocol).records


def counted(records: Records, *, response: str = "unconfirmed", endpoint: str = "ORR") -> tuple[int, int]:
    """Responders and denominator over all irradiated lesions."""
    rates = lesion_rates(records, primary=primary_of(Protocol()), samples=10)
    chosen = (rates["endpoint"] == endpoint) & (rates["response"] == response) & (rates["population"] == "all")
    first = rates[chosen].iloc[0]
    return int(first["responders"]), int(first["denominator"])


def best_of(records: Records) -> "pd.Series[str]":
    return records.lesions.set_index("lesion")["best"]


def test_a_response_that_did_not_last_is_one_only_unconfirmed(tmp_path):
    records = records_of(tmp_path, course("T01", "30", "20", "29") + course("T02", "30", "20", "20"))
    assert counted(records) == (2, 2)
    assert counted(records, response="confirmed") == (1, 2)


def test_a_lesion_never_assessed_after_baseline_is_a_non_responder_in_the_denominator(tmp_path):
    records = records_of(tmp_path, course("T01", "30", "20", "20") + course("T02", "30", "not_assessed", "not_imaged"))
    assert counted(records) == (1, 2)
    assert best_of(records)["T02"] == "NE"


def test_a_patient_who_left_before_the_first_follow_up_keeps_the_lesions_in_the_denominator(tmp_path):
    gone = row("BASELINE", "T01", "25", subject="S2") + row("BASELINE", "T02", "18", subject="S2")
    light = [f"{subject},{lesion},1,2026-01-12" for subject in ("S1", "S2") for lesion in ("T01", "T02")]
    rows = course("T01", "30", "20", "20") + course("T02", "30", "20", "20") + gone
    records = records_of(tmp_path, rows, light=light, subjects=["S1,2026-01-12,2026-07-01", "S2,2026-01-12,2026-01-20"])
    assert counted(records) == (2, 4)


def test_two_readers_without_a_choice_are_refused(tmp_path):
    rows = course("T01", "30", "20") + course("T01", "30", "29", reader="R2")
    with pytest.raises(ReaderChoiceError, match="R1, R2"):
        records_of(tmp_path, rows, light=["S1,T01,1,2026-01-12"])


def test_the_only_reader_of_a_subject_is_not_taken_when_the_analysis_is_anothers(tmp_path):
    """S2 was read by the independent reader only; elsewhere the investigator's reads are the analysis'."""
    rows = (
        course("T01", "30", "20", evaluator="investigator")
        + course("T01", "30", "20", reader="R2", evaluator="bicr")
        + course("T01", "30", "20", subject="S2", reader="R2", evaluator="bicr")
    )
    light = ["S1,T01,1,2026-01-12", "S2,T01,1,2026-01-12"]
    with pytest.raises(ReaderChoiceError, match=r"S2 \(R2\)"):
        records_of(tmp_path, rows, light=light)


def test_a_lesion_treated_in_two_cycles_counts_once_from_before_the_first(tmp_path):
    """30 mm before the first light, 24 before the second, 17 after: 43 % from the first baseline, PR; once."""
    light = ["S1,T01,1,2026-01-12", "S1,T01,2,2026-03-01"]
    records = records_of(tmp_path, course("T01", "30", "24", "17"), light=light)
    assert counted(records) == (1, 1)
    assert records.lesions["baseline_mm"].tolist() == [30.0]
    protocol = Protocol.model_validate({"baseline_episode": "per_cycle"})
    each_cycle = records_of(tmp_path, course("T01", "30", "24", "17"), light=light, protocol=protocol)
    assert counted(each_cycle) == (0, 1), "per cycle the first one counts, which ended with 24 mm"


def test_a_lesion_seen_by_endoscopy_only_is_answered_by_endoscopy_and_never_pr(tmp_path):
    protocol = Protocol.model_validate({"endo_policy": "only_when_not_measurable"})
    for word, expected in (("eCR", "CR"), ("eNON-CR/NON-PD", "NON-CR/NON-PD")):
        rows = (
            row("BASELINE", "T01", "present", role="non-target")
            + row("FU1", "T01", "not_imaged", role="non-target", endoscopy=word)
            + row("FU2", "T01", "not_imaged", role="non-target", endoscopy=word)
        )
        records = records_of(tmp_path, rows, light=["S1,T01,1,2026-01-12"], protocol=protocol)
        assert best_of(records)["T01"] == expected
        assert counted(records) == (int(expected == "CR"), 1)
        assert set(records.lesion_timepoints["source"]) == {"ENDOSCOPY"}


def test_a_lesion_irradiated_only_after_the_data_cut_is_not_an_irradiated_one(tmp_path):
    """T02 is marked irradiated, as it is today; on the day of the cut no light had reached it."""
    protocol = Protocol.model_validate({"results": {"data_cut": date(2026, 4, 10)}})
    rows = course("T01", "30", "20", "20") + course("T02", "30", "30", "30")
    light = ["S1,T01,1,2026-01-12", "S1,T02,2,2026-05-01"]
    records = records_of(tmp_path, rows, light=light, protocol=protocol)
    assert counted(records) == (1, 1)
    assert counted(records_of(tmp_path, rows, light=light)) == (1, 2)


def test_a_patient_first_treated_after_the_data_cut_is_not_a_non_responder(tmp_path):
    protocol = Protocol.model_validate({"results": {"data_cut": date(2026, 4, 10)}})
    rows = course("T01", "30", "20", "20") + row("BASELINE", "T01", "25", subject="S2")
    light = ["S1,T01,1,2026-01-12", "S2,T01,1,2026-05-01"]
    subjects = ["S1,2026-01-12,2026-07-01", "S2,2026-05-01,2026-07-01"]
    records = records_of(tmp_path, rows, light=light, subjects=subjects, protocol=protocol)
    assert counted(records) == (1, 1)
    assert set(subject_rates(records)["denominator"]) == {1}


def test_parts_of_a_lesion_that_split_are_not_lesions_of_their_own(tmp_path):
    """T01 splits and both parts are irradiated again: one lesion, 12 + 7 of 30 mm, PR."""
    rows = (
        course("T01", "30", "12", "11")
        + row("FU1", "T01a", "7", role="new", parent="T01")
        + row("FU2", "T01a", "6", role="new", parent="T01")
    )
    light = ["S1,T01,1,2026-01-12", "S1,T01a,2,2026-03-01"]
    assert counted(records_of(tmp_path, rows, light=light)) == (1, 1)


def test_patients_without_treatment_are_not_in_the_rates_over_patients(tmp_path):
    rows = course("T01", "30", "20", "20") + course("T01", "30", "31", subject="S2", irradiated="no")
    records = records_of(tmp_path, rows, light=["S1,T01,1,2026-01-12"])
    rates = subject_rates(records)
    assert set(rates["denominator"]) == {1}
    assert any("no treatment on record" in note for note in records.notes)
