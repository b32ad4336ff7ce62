"""Tables of the results' page, from tables whose every number is worked by hand: what stands where, and how written."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from npcpit_imaging.report.results_adverse import adverse_section
from npcpit_imaging.report.results_agreement import agreement_section
from npcpit_imaging.report.results_association import association_section
from npcpit_imaging.report.results_cells import interval, percent, share
from npcpit_imaging.report.results_eligibility import eligibility_section
from npcpit_imaging.report.results_page import PageTable
from npcpit_imaging.report.results_sections import sections

NONE = float("nan")


def rows(table: PageTable) -> list[dict[str, str]]:
    """A table's rows by heading."""
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


TESTED = pd.DataFrame(
    [
        (
            "lesion CR",
            "volume_ml",
            "volume (mL)",
            87,
            58,
            10,
            0.294,
            0.134,
            0.642,
            0.2,
            0.00391,
            0.0102,
            NONE,
            NONE,
            "",
        ),
        ("lesion CR", "ki67", "Ki-67: 1+", 70, 54, 8, NONE, NONE, NONE, 0.39, 0.012, 0.0102, NONE, NONE, "separation?"),
        ("lesion CR", "nodal", "lymph node", 87, 58, 10, 10.67, 1.84, 61.9, 0.76, 0.0004, 0.0012, 0.0414, 6.8, ""),
        ("patient CR or PR", "ecog", "ECOG", 57, 57, 28, 0.049, 7e-5, 33.63, 0.41, 0.0494, 0.0494, NONE, NONE, ""),
    ],
    columns=[
        *("outcome", "predictor", "words", "n", "patients", "events", "odds_ratio", "lower", "upper", "auc", "p", "q"),
        *("p_beyond_volume", "odds_ratio_beyond_volume", "note"),
    ],
).assign(test=["score test by patient"] * 3 + ["Mann-Whitney"])

SCREENING = pd.DataFrame(
    {
        "level": ["lesion", "lesion"],
        "words": ["volume (mL)", "cm_correlation"],
        "kept": [True, False],
        "reason": ["", "unstable: ICC lower bound 0.60, expected 0.75 or more"],
    }
)

CONTROLS = pd.DataFrame(
    {
        "outcome": ["lesion CR"],
        "control": ["random features"],
        "tests": [200],
        "share_p_below_0_05": [13 / 200],
        "share_rounds_with_q_below_0_05": [0.0],
        "note": [""],
    }
)

PROGRESSION = pd.DataFrame(
    {
        "words": ["volume (mL)", "lymph node", "flat"],
        "n": [91, 91, 91],
        "patients": [60, 60, 60],
        "events": [28, 28, 28],
        "hazard_ratio": [1.454, 0.3375, NONE],
        "lower": [1.027, 0.142, NONE],
        "upper": [2.058, 0.802, NONE],
        "p": [0.0349, 0.0139, NONE],
        "q": [0.0349, 0.0278, NONE],
        "note": ["", "", "not tested: 28 events"],
    }
)


@pytest.fixture(scope="module")
def association() -> list[PageTable]:
    tables = {
        "association": TESTED,
        "association_screening": SCREENING,
        "association_controls": CONTROLS,
        "association_progression": PROGRESSION,
    }
    return list(association_section(tables, {"lesion CR": ["8 outcomes for 3 predictors: exploratory"]}, ()).tables)


def test_every_outcome_has_its_own_table_of_associations_the_smallest_p_first(association):
    """One long table was cut after 60 rows, and whole outcomes with it."""
    lesion, patient, *_ = association
    assert lesion.caption == "Lesion CR: odds ratio per standard deviation (yes against no); p: score test by patient"
    assert [row["predictor"] for row in rows(lesion)] == ["lymph node", "volume (mL)", "Ki-67: 1+"]
    assert patient.caption.startswith("Patient CR or PR: ")
    assert [row["predictor"] for row in rows(patient)] == ["ECOG"]


def test_an_odds_ratio_stands_with_its_interval_its_p_and_its_counts(association):
    node, volume, ki67 = rows(association[0])
    assert node["odds ratio (95 % CI)"] == "10.67 (1.84 to 61.90)"
    assert (node["p"], node["q"], node["p beyond volume"], node["odds ratio beyond volume"]) == (
        "<0.001", "0.001", "0.041", "6.80",
    )  # fmt: skip
    assert (volume["n"], volume["patients"], volume["events"], volume["AUC"]) == ("87", "58", "10", "0.20")
    assert (volume["odds ratio (95 % CI)"], volume["p beyond volume"]) == ("0.29 (0.13 to 0.64)", "–")
    assert (ki67["odds ratio (95 % CI)"], ki67["p"], ki67["note"]) == ("–", "0.012", "separation?")


def test_a_small_odds_ratio_is_no_nought_and_patients_are_not_counted_twice(association):
    (row,) = rows(association[1])
    assert row["odds ratio (95 % CI)"] == "0.049 (7e-5 to 33.63)"
    assert not {"patients", "p beyond volume", "note"} & set(row)


def test_hazard_ratios_stand_by_p_and_one_without_says_why(association):
    shown = rows(association[2])
    assert [row["predictor"] for row in shown] == ["lymph node", "volume (mL)", "flat"]
    assert [row["hazard ratio (95 % CI)"] for row in shown] == ["0.34 (0.14 to 0.80)", "1.45 (1.03 to 2.06)", "–"]
    assert (shown[0]["p"], shown[0]["q"], shown[2]["note"]) == ("0.014", "0.028", "not tested: 28 events")


def test_controls_and_what_was_left_out_stand_below(association):
    control, left_out = (rows(table) for table in association[3:])
    assert (control[0]["tests"], control[0]["p below 0.05"]) == ("200", "6.5 %")
    assert [(row["predictor"], row["why it was not tested"]) for row in left_out] == [
        ("cm_correlation", "unstable: ICC lower bound 0.60, expected 0.75 or more")
    ]


def test_features_of_shuffled_voxels_have_their_p_beside_the_real_one():
    tables = {
        "association": TESTED.assign(p_shuffled=[0.2, NONE, 0.0003, NONE]),
        "association_screening": SCREENING,
        "association_controls": CONTROLS,
    }
    lesion, patient, *_ = association_section(tables, {}, ()).tables
    assert [row["p, voxels shuffled"] for row in rows(lesion)] == ["<0.001", "0.200", "–"]
    assert "p, voxels shuffled" not in patient.header


def test_who_is_not_eligible_stands_by_reason_the_commonest_first():
    """Fifteen subjects: one eligible, eleven without consent, two too young, one whose age nobody knows."""
    reasons = ["", *["consent: status is refused"] * 11, *["age: younger than 18 years"] * 2, "age: not on record"]
    table = pd.DataFrame(
        {
            "subject": [f"S{number:02}" for number in range(15)],
            "eligible": ["met", *["not met"] * 13, "unknown"],
            "reasons": reasons,
        }
    )
    section = eligibility_section(table)
    assert section.texts == ["Of 15 subjects: 1 eligible, 13 not eligible, 1 not known."]
    (shown,) = section.tables
    assert [(row["eligibility"], row["reasons"], row["subjects"]) for row in rows(shown)] == [
        ("not eligible", "consent: status is refused", "11"),
        ("not eligible", "age: younger than 18 years", "2"),
        ("not known", "age: not on record", "1"),
    ]
    assert rows(shown)[0]["who"] == f"{', '.join(f'S{number:02}' for number in range(1, 11))} and 1 more"


def test_where_all_are_eligible_there_is_no_table():
    section = eligibility_section(pd.DataFrame({"subject": ["S1"], "eligible": ["met"], "reasons": [""]}))
    assert section.texts == ["Of 1 subjects: 1 eligible, 0 not eligible, 0 not known."]
    assert not section.tables


EVENTS = pd.DataFrame(
    [("S1", "Oral pain", 3, 2.0), ("S1", "Oral pain", 1, 40.0), ("S2", "Rash", 1, -3.0), ("S9", "Rash", 2, NONE)],
    columns=["subject", "term", "grade", "start_day"],
)


def test_adverse_events_have_their_share_of_the_treated_and_those_not_counted_are_said():
    """Of 3 treated patients one had oral pain, worst grade 3: 33.3 %; two events are before, or of nobody treated."""
    grades = {f"grade_{grade}": [1 if grade == 3 else 0] for grade in range(1, 6)}
    worst = pd.DataFrame({"term": ["Oral pain"], **grades, "any_grade": [1], "severe": [1], "patients": [3]})
    rates = pd.DataFrame(
        {
            "what": ["grade 3 or more"], "unit": ["patient"], "count": [1], "denominator": [3], "estimate": [1 / 3],
            "lower": [0.00840], "upper": [0.90570], "method": ["Clopper-Pearson"], "note": [""],
        }
    )  # fmt: skip
    (section,) = adverse_section(
        {
            "adverse_events": EVENTS,
            "subjects": pd.DataFrame({"subject": ["S1", "S2", "S3", "S9"], "treated": [True, True, True, False]}),
            "adverse_event_worst_grades": worst,
            "adverse_event_rates": rates,
        }
    )
    (said,) = section.texts
    assert "2 events of 1 patients on or after first treatment" in said
    assert said.endswith("Not counted: 1 before first treatment, 1 of subjects who were not treated.")
    (row,), (rate,) = (rows(table) for table in section.tables)
    assert (row["grade 3"], row["any grade"], row["grade 3 or more"]) == ("1", "1 (33.3 %)", "1 (33.3 %)")
    assert (rate["rate"], rate["95 % CI (%)"]) == ("33.3 %", "0.8 to 90.6")


def test_readers_agreement_says_by_which_method():
    table = pd.DataFrame(
        {
            "first": ["R1", "R1"], "second": ["R2", "R2"], "n": [479, 60], "patients": [60, 60],
            "statistic": ["bias", "Gwet AC1"], "scale": ["mm", ""], "value": [0.6225, 0.787],
            "lower": [0.474, np.nan], "upper": [0.789, np.nan],
            "method": ["Bland-Altman 2007, patients resampled", "Gwet 2008"], "note": ["", ""],
        }
    )  # fmt: skip
    bias, gwet = rows(agreement_section(table, ()).tables[0])
    assert (bias["readers"], bias["unit"], bias["value"], bias["95 % CI"]) == ("R1, R2", "mm", "0.62", "0.47 to 0.79")
    assert bias["method"] == "Bland-Altman 2007, patients resampled"
    assert gwet["95 % CI"] == "–"


def test_best_responses_stand_side_by_side_with_their_shares():
    """Of 91 lesions 10 CR, 77 PR and 4 never read again; of 2 patients none CR, which is a nought."""
    lesions = [("lesion", "unconfirmed", word, count, 91) for word, count in (("MISSING", 4), ("PR", 77), ("CR", 10))]
    found = pd.DataFrame(
        [*lesions, ("patient", "confirmed", "PR", 2, 2)],
        columns=["level", "response", "best", "count", "denominator"],
    )
    empty = pd.DataFrame(columns=["level", "note", "day"])
    parts = sections(defaultdict(lambda: empty, {"response_distribution": found}), (), cautions={}, eligibility=None)
    (table,) = parts[0].tables
    assert table.header == ("units", "response", "number", "CR", "PR", "MISSING")
    assert table.rows == (
        ("irradiated lesions", "unconfirmed", "91", "10 (11.0 %)", "77 (84.6 %)", "4 (4.4 %)"),
        ("patients", "confirmed", "2", "0 (0.0 %)", "2 (100.0 %)", "0 (0.0 %)"),
    )


def test_a_rare_share_is_not_nought_and_a_frequent_one_not_all():
    """12 of 3,000 were shown as 0 %."""
    assert percent(12 / 3000) == "0.4 %"
    assert percent(1 / 30_000) == "<0.1 %"
    assert percent(29_999 / 30_000) == ">99.9 %"
    assert (percent(0.0), percent(1.0)) == ("0.0 %", "100.0 %")
    assert interval({"lower": 0.0001, "upper": 0.9999}) == "<0.1 to >99.9"
    assert share(1, 30_000) == "1 (<0.1 %)"
