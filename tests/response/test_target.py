"""Target response: thresholds, nadir, missing lesions, and the errors known of other software."""

import csv
from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.sums import Nadir, SumOfDiameters, change_permille, change_text
from npcpit_imaging.response.target import TargetHistory, target_response
from npcpit_imaging.study.assessment import Assessment, tenths_from_mm
from npcpit_imaging.study.lesion import LesionRole, LesionState

NO_PERSISTENCE = Protocol(pr_persistence="none")


def test_pharmaverse_time_points(shared_data):
    """Pharmaverse's subjects, three readers each, agree under the options its README states."""
    folder = shared_data / "recist"
    expected, by_reader = {}, {}
    with (folder / "pharmaverse_recist_expected_overall.csv").open() as lines:
        for row in csv.DictReader(lines):
            expected[row["subject"], row["evaluator"] + row["evalid"], row["visit"]] = row["expected_overall"]
    with (folder / "pharmaverse_recist_target_measurements.csv").open() as lines:
        for row in csv.DictReader(lines):
            key = row["subject"], row["evaluator"] + row["evalid"]
            by_reader.setdefault(key, []).append(_pharmaverse_record(row))
    found = {}
    for (subject, reader), rows in by_reader.items():
        (answer,) = respond_case(Case(records=tuple(rows)), protocol=NO_PERSISTENCE)
        found |= {(subject, reader, tp.timepoint): tp.overall for tp in answer.timepoints}
    assert found == expected
    assert len(found) == 39


def _pharmaverse_record(row):
    nodal, size = row["is_node"] == "True", tenths_from_mm(row["diameter_mm"])
    day = row["date"] if len(row["date"]) == 10 else f"{row['date']}-15"  # one visit's day is not recorded
    return Assessment(
        subject=row["subject"],
        reader=row["evaluator"] + row["evalid"],
        timepoint="BASELINE" if row["visit"] == "SCREENING" else row["visit"],
        date=date.fromisoformat(day),
        lesion=row["lesion_id"],
        role=LesionRole.TARGET,
        state=LesionState.MEASURED,
        nodal=nodal,
        longest_diameter=None if nodal else size,
        short_axis=size if nodal else None,
    )


# The four errors known of an open imaging server's calculator


def test_known_error_pr_is_against_baseline_not_the_visit_before(overall):
    """Sums 100, 60, 61 are PR, then PR; not SD."""
    assert overall({"T1": "100 60 61"}, protocol=NO_PERSISTENCE) == "PR PR"


def test_known_error_pd_needs_5_mm(overall):
    """Sums 20, 10, 13 are PR, then PR: +30 % from the nadir, but only 3 mm."""
    assert overall({"T1": "20 10 13"}, protocol=NO_PERSISTENCE) == "PR PR"


def test_known_error_a_node_of_8_mm_allows_cr(overall):
    """Everything else gone and a node at 8 mm is CR, though the sum is not 0."""
    assert overall({"T1": "30 0", "T2": "20 8"}, nodal="T2") == "CR"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"T1": "30 10", "T2": "30 not_assessed"}, "NE"),
        ({"T1": "30 72", "T2": "30 not_assessed"}, "PD"),
        ({"T1": "30 10", "T2": "30 -", "O1": "present unequivocal_pd"}, "PD"),
        ({"T1": "30 10", "T2": "30 -", "N1": "- unequivocal"}, "PD"),
    ],
)
def test_known_error_a_missing_target_is_ne_and_never_a_smaller_sum(overall, found, expected):
    """A missing target makes NE, unless the others, a non-target or a new lesion are PD already."""
    assert overall(found) == expected


# RECIST-tracker's numbers; the first three go wrong with floats


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("14.0 9.8", "PR"),
        ("27.0 27.0 32.4", "SD PD"),
        ("3.2 3.2 8.2", "SD PD"),
        ("14.0 9.9", "SD"),
        ("100 70", "PR"),
        ("100 70.1", "SD"),
        ("100 20 25", "PR PD"),
        ("100 20 24.9", "PR PR"),
        ("100 90 108", "SD PD"),
        ("100 90 107.9", "SD SD"),
    ],
)
def test_boundaries_are_exact(overall, line, expected):
    """-30 %, +20 % and +5 mm are inclusive and exact in tenths of a millimetre."""
    assert overall({"T1": line}) == expected


# Published worked examples


def test_eortc_pr_persists(overall):
    """EORTC FAQ: 100; 70, 70, 80, 80, 80 is PR at all five."""
    assert overall({"T1": "100 70 70 80 80 80"}) == "PR PR PR PR PR"
    assert overall({"T1": "100 70 70 80 80 80"}, protocol=NO_PERSISTENCE) == "PR PR SD SD SD"


def test_eortc_question_165(overall):
    """EORTC question: 165; 63, 65 is PR, PR."""
    assert overall({"T1": "165 63 65"}) == "PR PR"


def test_pyrecist_synthetic(overall):
    """pyrecist's subject: 25.2 after 21 is +20 % and 4.2 mm, not PD; 26 is PD."""
    assert overall({"T1": "30 24 21 25.2 26"}) == "SD PR PR PD"
    assert overall({"T1": "30 24 21 25.2 26 30"}, protocol=NO_PERSISTENCE) == "SD PR SD PD PD"


def test_eisenhauer_missing_lesion_pd(read):
    """Eisenhauer 2009, 4.4.2: 50 mm in three lesions, then 80 mm in two of them, is PD; the rule says so."""
    (tp,) = read({"T1": "20 40", "T2": "20 40", "T3": "10 not_assessed", "O1": "present present"}).timepoints
    assert (tp.overall, tp.total, tp.complete) == ("PD", 800, False)
    assert tp.rule.text == "PD: sum 80.0 mm (without T3) vs nadir 50.0 mm at BASELINE, +60.0 %, +30.0 mm"


def test_missing_lesion_pd_can_be_switched_off(overall):
    """With pd_when_incomplete = false the same time point is NE."""
    strict = Protocol(pd_when_incomplete=False)
    assert overall({"T1": "20 40", "T2": "20 40", "T3": "10 not_assessed"}, protocol=strict) == "NE"


def test_pharmaverse_1133_nadir_zero(overall):
    """60; 42, 0, 5: exact -30 % is PR, then CR, then 5 mm from 0 is PD."""
    assert overall({"T1": "60 42 0 5"}, protocol=NO_PERSISTENCE) == "PR CR PD"


def test_pharmaverse_1028_pd_with_an_incomplete_set(overall):
    """94; 91, 110 without one lesion, 92: SD, PD, SD."""
    found = {"T1": "16 16 - 17", "T2": "22 21 34 23", "T3": "21 19 41 20", "T4": "17 17 26 25", "T5": "18 18 9 7"}
    assert overall(found, protocol=NO_PERSISTENCE) == "SD PD SD"


def test_pharmaverse_1118_a_partial_sum_is_no_nadir(read):
    """78; 72, 38, 14 without one lesion, 33: the nadir at the last is 38, not 14."""
    answer = read({"T1": "26 24 15 14 14", "T2": "52 48 23 - 19"}, protocol=NO_PERSISTENCE)
    assert [tp.overall for tp in answer.timepoints] == ["SD", "PR", "NE", "PR"]
    assert (answer.timepoints[-1].nadir.total, answer.timepoints[-1].nadir.at) == (380, "FU2")


def test_pharmaverse_1015_cr_with_a_sum_of_7_mm(read):
    """96; 96, 38 in two of four, 7: SD, NE, CR, because what is left is a node of 7 mm."""
    found = {"T1": "21 20 20 0", "T2": "32 34 - 7", "T3": "24 24 - 0", "T4": "19 18 18 0"}
    answer = read(found, nodal="T2", protocol=NO_PERSISTENCE)
    assert [tp.overall for tp in answer.timepoints] == ["SD", "NE", "CR"]
    assert answer.timepoints[-1].rule.text == "CR: only nodes below 10 mm left, sum 7.0 mm"


def test_cdisc_too_small_to_measure_is_5_mm_and_4_mm_stays_4(read):
    """CDISC supplement, row 58: too small counts as 5 mm; a lesion measured as 4 mm stays 4 mm."""
    small, measured = (read({"T1": f"20 {found}"}).timepoints[0].total for found in ("too_small", "4"))
    assert (small, measured) == (50, 40)


# Decisions of the protocol


def test_nadir_zero_only_after_overall_cr(overall):
    """only_after_overall_CR: a target sum that was 0 beside a remaining non-target is no CR, so 5 mm is not PD."""
    late = Protocol(nadir_zero_rule="only_after_overall_CR")
    found = {"T1": "60 0 5", "O1": "present present present"}
    assert overall(found) == "PR PD"
    assert overall(found, protocol=late) == "PR PR"
    assert overall({"T1": "60 0 4"}, protocol=late) == "CR PD"


def test_persistence_waits_for_confirmation_where_it_is_required(overall):
    """confirm_required = required: one PR alone does not persist, two four weeks apart do."""
    required = Protocol(confirm_required="required")
    assert overall({"T1": "100 70 80"}, protocol=required) == "PR SD"
    assert overall({"T1": "100 70 70 80"}, protocol=required) == "PR PR PR"


def test_persistence_ends_with_pd(overall):
    """After PD a later sum between the limits is SD again."""
    assert overall({"T1": "100 70 90 80"}) == "PR PD SD"


def test_a_target_without_a_value_at_baseline_leaves_nothing_to_compare_with(read):
    """No baseline sum: NE with the reason; a later increase from a later nadir is still PD."""
    answer = read({"T1": "20 20 20 40", "T2": "not_assessed 20 20 20"})
    assert [tp.overall for tp in answer.timepoints] == ["NE", "NE", "PD"]
    assert answer.timepoints[0].rule.text == "NE: sum 40.0 mm, but a target has no value at baseline"
    assert answer.timepoints[0].baseline is None


def test_growing_small_nodes_are_not_pd_while_a_lesion_is_missing(overall):
    """Nodes of 4 then 9 mm, another lesion missing: with it gone this would be CR, so PD cannot be told."""
    found = {"T1": "20 4 9", "T2": "20 0 not_assessed"}
    assert overall(found, nodal="T1") == "CR NE"


def test_removed_targets_have_no_value_unless_the_plan_says_zero(overall):
    """A resected target is missing; removed_policy = zero counts it as gone."""
    assert overall({"T1": "20 20", "T2": "20 removed"}) == "NE"
    assert overall({"T1": "20 20", "T2": "20 removed"}, protocol=Protocol(removed_policy="zero")) == "PR"


def test_display_of_changes():
    """Percentages are for display: one decimal, half away from zero; none from 0 mm."""
    assert (change_permille(9, 8), change_permille(7, 8), change_permille(5, 0)) == (125, -125, None)
    assert change_text(98, 140) == "-30.0 %, -4.2 mm"
    assert change_text(50, 0) == "+5.0 mm"


def test_missing_bound_never_helps():
    """missing_bound: the missing lesion could hold any value, so no class but PD is certain and NE stays."""
    now = SumOfDiameters(total=100, missing=("T2",), rest_cleared=False)
    history = TargetHistory(baseline=600, nadir=Nadir(total=600, at="BASELINE"))
    for bound in (True, False):
        assert target_response(now, history=history, protocol=Protocol(missing_bound=bound)).raw == "NE"
