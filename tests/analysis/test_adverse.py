"""Adverse events by worst grade, and their rates: every expected number is counted by hand."""

from datetime import date, timedelta

import pandas as pd
import pytest

from npcpit_imaging.analysis.adverse import event_rates, event_table, worst_grades
from npcpit_imaging.study.adverse_event import AdverseEvent

DAY_ZERO = date(2024, 3, 1)
PATIENTS = ["S1", "S2", "S3"]
CYCLES = pd.DataFrame({"subject": ["S1", "S1", "S2", "S3"], "cycle": [1, 2, 1, 1], "day": [0.0, 35.0, 0.0, 0.0]})


def event(subject: str, term: str, grade: int, day: int, **more: object) -> AdverseEvent:
    return AdverseEvent(subject=subject, term=term, grade=grade, start=DAY_ZERO + timedelta(days=day), **more)


@pytest.fixture
def events() -> pd.DataFrame:
    """S1: oral pain 1 after cycle 1, 3 after cycle 2; S2: rash 2, not judged, and one before; S4: untreated."""
    given = [
        event("S1", "Oral pain", 1, 4, related=True, serious=False),
        event("S1", "Oral pain", 3, 36, related=False, serious=True),
        event("S2", "Rash", 2, 35),
        event("S2", "Rash", 4, -10, related=True),
        event("S4", "Rash", 5, 1, related=True),
    ]
    return event_table(given, CYCLES, dict.fromkeys(PATIENTS, DAY_ZERO))


def test_an_event_belongs_to_the_newest_cycle_on_or_before_its_day(events):
    own = events.set_index(["subject", "start_day"])["cycle"]
    assert (own["S1", 4.0], own["S1", 36.0], own["S2", 35.0]) == (1, 2, 1)
    assert events.loc[events["start_day"] < 0, "cycle"].isna().all()


def test_a_patient_counts_once_a_term_with_the_worst_grade_and_only_after_the_first_treatment(events):
    found = worst_grades(events, PATIENTS).set_index("term")
    assert list(found.index) == ["any event", "Oral pain", "Rash"]
    grades = [f"grade_{grade}" for grade in range(1, 6)]
    assert found.loc["Oral pain", grades].tolist() == [0, 0, 1, 0, 0]
    assert found.loc["Rash", grades].tolist() == [0, 1, 0, 0, 0]
    assert found.loc["any event", [*grades, "any_grade", "severe", "patients"]].tolist() == [0, 1, 1, 0, 0, 2, 1, 3]


def test_rates_are_of_patients_and_of_cycles_and_of_what_was_judged(events):
    """Cycles with an event: S1's first and second, S2's: 3 of 4; of three events one was not judged."""
    found = event_rates(events, PATIENTS, CYCLES)
    counts = {(row["what"], row["unit"]): (row["count"], row["denominator"]) for row in found.to_dict("records")}
    assert counts == {
        ("any grade", "patient"): (2, 3),
        ("any grade", "cycle"): (3, 4),
        ("grade 3 or more", "patient"): (1, 3),
        ("grade 3 or more", "cycle"): (1, 4),
        ("related to treatment", "patient"): (1, 3),
        ("related to treatment", "cycle"): (1, 4),
        ("related to treatment, grade 3 or more", "patient"): (0, 3),
        ("related to treatment, grade 3 or more", "cycle"): (0, 4),
        ("serious", "patient"): (1, 3),
        ("serious", "cycle"): (1, 4),
    }
    notes = found.set_index(["what", "unit"])["note"]
    assert notes["serious", "patient"] == "1 of 3 events not judged, counted as not serious"
    assert notes["any grade", "patient"] == ""
    row = found[(found["what"] == "any grade") & (found["unit"] == "patient")].iloc[0]
    # Clopper-Pearson of 2 of 3: lower x with 3 x^2 - 2 x^3 = 0.025, upper 0.975^(1/3)
    assert 3 * row["lower"] ** 2 - 2 * row["lower"] ** 3 == pytest.approx(0.025)
    assert row["upper"] == pytest.approx(0.975 ** (1 / 3))


def test_where_nobody_judged_events_there_is_no_rate_of_related_or_serious_ones():
    given = event_table([event("S1", "Rash", 1, 1)], CYCLES, dict.fromkeys(PATIENTS, DAY_ZERO))
    assert set(event_rates(given, PATIENTS, CYCLES)["what"]) == {"any grade", "grade 3 or more"}


def test_terms_that_differ_in_case_or_blanks_only_are_one_as_most_events_write_it():
    """Two of three write Oral pain; of one each, Rash comes before rash."""
    terms = ("Oral pain", "oral  PAIN", "Oral pain", "rash", "Rash")
    found = event_table([event("S1", term, 1, day) for day, term in enumerate(terms)], CYCLES, {"S1": DAY_ZERO})
    assert found["term"].tolist() == ["Oral pain"] * 3 + ["Rash"] * 2
    worst = worst_grades(found, PATIENTS).set_index("term")["any_grade"]
    assert worst.to_dict() == {"any event": 1, "Oral pain": 1, "Rash": 1}
