"""iRECIST: table 3 of Seymour 2017, the EORTC FAQ, and RECIST-tracker's state machine."""

import csv
from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.irecist import immune_best_response
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.response import ImmuneResponse

IRECIST = Protocol(irecist=True)
PD, SURE = "unequivocal_pd", "unequivocal"


@pytest.fixture
def immune(read):
    """Give the iRECIST responses of the follow-ups as one line."""

    def immune(found, *, protocol=IRECIST, **how):
        return " ".join(tp.immune.response for tp in read(found, protocol=protocol, **how).timepoints)

    return immune


def test_table_3(shared_data):
    """Every one of the 511 sequences of table 3."""
    with (shared_data / "recist" / "irecist_table3_ibor.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 511
    for row in rows:
        sequence = [ImmuneResponse(row[f"tp{number}"]) for number in range(1, 6) if row[f"tp{number}"]]
        assert immune_best_response(sequence) == row["expected_ibor"], row


def test_no_time_point_is_na():
    """Without any time point there is no best response."""
    assert immune_best_response([]) == "NA"


def test_eortc_pr_persists(immune):
    """EORTC FAQ: 100; 70, 70, 80, 80, 80 is iPR at all five."""
    assert immune({"T1": "100 70 70 80 80 80"}) == "iPR iPR iPR iPR iPR"


def test_eortc_new_lesion_sequence_is_additive(immune):
    """EORTC FAQ: new lesion, stable, +4 mm, then +2 mm more: iUPD, iUPD, iUPD, iCPD."""
    found = {"T1": "100 100 100 100 100", "N1": "- 10 10 14 16"}
    assert immune(found) == "iUPD iUPD iUPD iCPD"


@pytest.mark.parametrize(
    ("case", "found", "expected"),
    [
        ("I01 there again after iCR", {"T1": "10 0 4"}, "iCR iUPD"),
        ("I02 a stable new lesion does not block iPR", {"T1": "100 125 50", "N1": "- 10 10"}, "iUPD iPR"),
        ("I03 nor iSD", {"T1": "100 125 90", "N1": "- 10 10"}, "iUPD iSD"),
        ("I04 scenario F: PR, new lesion, no change", {"T1": "100 50 50 50", "N1": "- - 10 10"}, "iPR iUPD iUPD"),
        ("I09 exact +5.0 mm", {"T1": "100 100 100", "N1": "- 3.2 8.2"}, "iUPD iCPD"),
        ("I10 25.5 to 30.6", {"T1": "100 100 100", "N1": "- 25.5 30.6"}, "iUPD iCPD"),
        ("I11 no iCR beside an unresolved new lesion", {"T1": "10 0 4", "N1": "- 10 10"}, "iUPD iUPD"),
    ],
)
def test_recist_tracker(immune, case, found, expected):
    """RECIST-tracker's cases (authority C) that follow from the paper."""
    assert immune(found, every=35) == expected, case


@pytest.mark.parametrize(
    ("every", "expected"), [(27, "iUPD iUPD"), (28, "iUPD iCPD"), (56, "iUPD iCPD"), (57, "iUPD iCPD")]
)
def test_confirmation_comes_after_four_weeks(read, every, expected):
    """After 27 days a scan neither confirms nor takes back, after 28 it confirms, after 57 it is asked about."""
    answer = read({"T1": "100 125 130"}, protocol=IRECIST, every=every)
    assert " ".join(tp.immune.response for tp in answer.timepoints) == expected
    assert ("irecist-late" in {finding.code for finding in answer.findings}) is (every > 56)


def test_a_scan_that_comes_too_soon_is_not_the_nadir(records):
    """Tracker I05: 50 mm 14 days after iUPD does not count, so 60 mm at 35 days is iPR."""
    from npcpit_imaging.response.engine import Case, respond_case
    from npcpit_imaging.study.assessment import Assessment
    from npcpit_imaging.study.lesion import LesionRole, LesionState

    def row(name, day, lesion, role, size):
        return Assessment(
            subject="S1",
            reader="R1",
            timepoint=name,
            date=date.fromisoformat(day),
            lesion=lesion,
            role=role,
            state=LesionState.MEASURED,
            longest_diameter=size * 10,
        )

    days = {"BASELINE": "2026-01-01", "A": "2026-02-01", "B": "2026-02-15", "C": "2026-03-08"}
    sizes = {"BASELINE": 100, "A": 100, "B": 50, "C": 60}
    rows = [row(name, day, "T1", LesionRole.TARGET, sizes[name]) for name, day in days.items()]
    rows += [row(name, day, "N1", LesionRole.NEW, 10) for name, day in days.items() if name != "BASELINE"]
    (answer,) = respond_case(Case(records=tuple(rows)), protocol=IRECIST)
    assert [tp.immune.response for tp in answer.timepoints] == ["iUPD", "iUPD", "iPR"]


def test_tracker_i08_differs_because_a_complete_sum_is_the_nadir(immune):
    """Tracker I08: 50 mm with the new lesion unread is NE; RECIST still takes 50 as nadir, so 61 progresses (iCPD).

    RECIST-tracker leaves the whole time point out of the nadir and answers iPR; the smallest complete sum on study is
    the nadir in the criteria, so we do not.
    """
    assert immune({"T1": "100 100 50 61", "N1": "- 10 not_assessed 10"}, every=35) == "iUPD NE iCPD"


@pytest.mark.parametrize(
    ("why", "found", "expected"),
    [
        ("any further increase of the non-target", {"T1": "50 50 50", "O1": f"present {PD} increased"}, "iUPD iCPD"),
        ("no change", {"T1": "50 50 50", "O1": f"present {PD} {PD}"}, "iUPD iUPD"),
        ("another one", {"T1": "50 50 50", "O1": f"present {PD} present", "O2": f"present present {PD}"}, "iUPD iCPD"),
        ("a category that did not progress before", {"T1": "50 50 60", "O1": f"present {PD} {PD}"}, "iUPD iCPD"),
        ("the non-target calms down", {"T1": "50 50 50", "O1": "present unequivocal_pd present"}, "iUPD iSD"),
        ("only targets shrink", {"T1": "50 60 30", "O1": f"present {PD} {PD}"}, "iUPD iUPD"),
        ("another new lesion", {"T1": "50 50 50", "N1": f"- {SURE} {SURE}", "N2": f"- - {SURE}"}, "iUPD iCPD"),
        ("a new lesion the reader calls increased", {"T1": "50 50 50", "N1": "- unequivocal increased"}, "iUPD iCPD"),
        ("the new lesion resolves", {"T1": "50 50 50", "N1": "- 10 absent"}, "iUPD iSD"),
        ("targets 4 mm more", {"T1": "50 60 64"}, "iUPD iUPD"),
        ("targets 5 mm more", {"T1": "50 60 65"}, "iUPD iCPD"),
        ("a target missing", {"T1": "50 70 70", "T2": "20 20 -"}, "iUPD NE"),
        ("a non-target missing", {"T1": "50 60 60", "O1": "present present -"}, "iUPD NE"),
        ("after iCPD nothing changes", {"T1": "50 60 65 10"}, "iUPD iCPD iCPD"),
        ("iCR with the new lesion still there is iPR", {"T1": "50 60 0", "N1": "- 10 10"}, "iUPD iPR"),
        ("non-targets alone", {"O1": "present present absent"}, "NON-iCR/NON-iUPD iCR"),
        ("non-targets alone, new lesion stays", {"O1": "present present present", "N1": "- 10 10"}, "iUPD iUPD"),
        ("iCR holds", {"T1": "50 0 0"}, "iCR iCR"),
        ("not all evaluated", {"T1": "50 -", "O1": "present present"}, "NE"),
    ],
)  # fmt: skip
def test_after_unconfirmed_progression(immune, why, found, expected):
    """Table 2 of Seymour 2017: what confirms, what takes back, what leaves waiting."""
    assert immune(found) == expected, why


def test_new_lesions_beyond_two_per_organ_count_by_any_increase(immune):
    """Two new lesions of one organ have a sum of their own (5 mm); the third confirms by any increase."""
    grows = {"T1": "50 50 50", "N1": "- 20 22", "N2": "- 20 22", "N3": "- 15 15"}
    assert immune(grows) == "iUPD iUPD"
    third = {"T1": "50 50 50", "N1": "- 20 20", "N2": "- 20 20", "N3": "- 15 16"}
    assert immune(third) == "iUPD iCPD"


def test_date_of_progression(read):
    """The first iUPD of the run that ends in iCPD; also an iUPD that nothing evaluable follows; else none."""
    days = {
        "50 60 60 65": 1,  # iUPD, iUPD, iCPD
        "50 60 40 60 65": 3,  # taken back, then again
        "50 60": 1,  # never looked at again
        "50 60 not_assessed": 1,
        "50 60 60": None,  # looked at, not confirmed
        "50 50": None,
    }
    for line, visit in days.items():
        answer = read({"T1": line}, protocol=IRECIST)
        expected = None if visit is None else answer.timepoints[visit - 1].date
        assert answer.immune_pd_date == expected, line


def test_best_response_is_not_ended_by_recist_pd(read):
    """iBOR goes on after RECIST's PD; another therapy ends it."""
    found = {"T1": "100 125 50"}
    assert read(found, protocol=IRECIST).immune_bor == "iPR"
    course = Course(subject="S1", new_therapy_date=date(2026, 3, 1))
    assert read(found, protocol=IRECIST, course=course).immune_bor == "iUPD"


def test_only_where_the_protocol_asks(read):
    """Without irecist in the protocol nothing is computed."""
    answer = read({"T1": "100 125 50"})
    assert answer.immune_bor is None
    assert [tp.immune for tp in answer.timepoints] == [None, None]
