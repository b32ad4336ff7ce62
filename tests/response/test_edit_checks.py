"""Every edit check: one subject that fires it, and a clean subject that fires none."""

from dataclasses import replace
from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol, VisitWindow
from npcpit_imaging.response.edit_checks import CHECKS
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.lesion import EndoscopyState, FieldPosition, LesionState

TREATED = (Irradiation(subject="S1", lesion="T1", cycle=1, date=date(2026, 1, 12)),)
COURSE = Course(subject="S1", treatment_start=date(2026, 1, 12))


def codes(rows, *, course=COURSE, treated=(), **protocol):
    (answer,) = respond_case(
        Case(records=tuple(rows), course=course, irradiations=treated), protocol=Protocol(**protocol)
    )
    return {finding.code for finding in answer.findings}


def at(rows, lesion, timepoint, /, **change):
    """The same rows with one of them changed."""
    return [replace(r, **change) if (r.lesion, r.timepoint) == (lesion, timepoint) else r for r in rows]


CLEAN = {"T1": "20 20 20"}

MERGED = {"parent_lesion": "T2", "state": LesionState.MERGED, "longest_diameter": None}
TWO_VISITS = (VisitWindow(name="FU1", day=60), VisitWindow(name="FU2", day=77))

FIRED = {
    "cycle-order": {"found": CLEAN, "treated": (*TREATED, replace(TREATED[0], cycle=2, date=date(2026, 1, 6)))},
    "sum-inconsistent": {"found": CLEAN, "row": ("T1", "FU1", {"stated_sum": 199})},
    "node-not-marked": {"found": CLEAN, "row": ("T1", "BASELINE", {"organ": "lymph node"})},
    "baseline-by-date": {"found": CLEAN, "row": ("T1", "BASELINE", {"timepoint": "SCREENING"})},
    "non-target-state": {"found": {"T1": "20 20", "O1": "present equivocal"}},
    "field-differs": {"found": CLEAN, "row": ("T1", "FU1", {"field": FieldPosition.OUT, "field_distance": 0})},
    "follow-up-before-treatment": {"found": CLEAN, "course": Course(subject="S1", treatment_start=date(2026, 3, 1))},
    "too-many-targets": {"found": {f"T{n}": "20 20" for n in range(6)}, "organs": "abcdef"},
    "too-many-targets-per-organ": {"found": {f"T{n}": "20 20" for n in range(3)}},
    "organ-missing": {"found": {"T1": "20 20"}, "row": ("T1", "BASELINE", {"organ": ""})},
    "target-not-measurable": {"found": {"T1": "9 9"}},
    "target-prior-rt": {"found": CLEAN, "row": ("T1", "BASELINE", {"prior_rt": True})},
    "target-unmeasured-at-baseline": {"found": {"T1": "present 20"}},
    "short-axis-exceeds-longest-diameter": {"found": CLEAN, "row": ("T1", "FU1", {"short_axis": 201})},
    "number-beside-state": {"found": {"T1": "20 absent"}, "row": ("T1", "FU1", {"longest_diameter": 40})},
    "baseline-too-old": {"found": CLEAN, "course": Course(subject="S1", treatment_start=date(2026, 2, 3))},
    "baseline-after-treatment": {"found": CLEAN, "course": Course(subject="S1", treatment_start=date(2026, 1, 4))},
    "lesion-missing": {"found": {"T1": "20 - 20", "T2": "20 20 20"}},
    "target-state": {"found": {"T1": "20 present"}},
    "lesion-removed": {"found": {"T1": "20 removed"}},
    "method-changed": {"found": CLEAN, "row": ("T1", "FU1", {"method": "CT SCAN"}), "method": "MRI"},
    "slices-thicker": {"found": CLEAN, "row": ("T1", "FU1", {"slice_thickness": 50}), "slice_thickness": 30},
    "organ-changed": {"found": CLEAN, "row": ("T1", "FU1", {"organ": "liver"})},
    "pd-without-comment": {"found": {"T1": "20 20", "O1": "present unequivocal_pd"}},
    "new-lesion-without-words": {"found": {"T1": "20 20", "N1": "- 20"}, "row": ("N1", "FU1", {"organ": ""})},
    "new-lesion-without-field": {"found": {"T1": "20 20", "N1": "- 20"}, "treated": TREATED},
    "new-node-normal": {"found": {"T1": "20 20", "N1": "- 9"}, "nodal": "N1"},
    "new-lesion-equivocal": {"found": {"T1": "20 20", "N1": "- equivocal"}},
    "retro-dated": {"found": {"T1": "20 20 20", "N1": "- equivocal unequivocal"}},
    "new-lesion-disproved-late": {"found": {"T1": "20 20 20", "N1": "- unequivocal disproved"}},
    "endoscopy-disagrees": {"found": CLEAN, "row": ("T1", "FU1", {"endoscopy": EndoscopyState.PD})},
    "pet-blackout": {
        "found": {"T1": "20 20", "N1": "- unequivocal"},
        "treated": TREATED,
        "row": ("N1", "FU1", {"method": "FDG-PET"}),
    },
    "split-beside-parent": {"found": {"T1": "20 10", "T2": "- 9"}, "row": ("T2", "FU1", {"parent_lesion": "T1"})},
    "merged-alone": {"found": {"T1": "20 20", "T2": "20 -"}, "row": ("T1", "FU1", MERGED)},
    "after-pd": {"found": {"T1": "20 40 40"}},
    "after-new-therapy": {
        "found": CLEAN,
        "course": Course(subject="S1", treatment_start=date(2026, 1, 12), new_therapy_date=date(2026, 3, 1)),
    },
    "too-early": {"found": {"T1": "20 40"}, "course": Course(subject="S1", treatment_start=date(2026, 1, 30))},
    "visit-window": {"found": CLEAN, "protocol": {"visits": TWO_VISITS}},
    "visit-unplanned": {"found": CLEAN, "protocol": {"visits": (VisitWindow(name="FU1", day=35),)}},
    "visits-overlap": {"found": {"T1": "20 20 20", "T2": "20 20 20"}, "row": ("T2", "FU1", {"date": date(2026, 4, 1)})},
    "visit-wide": {"found": {"T1": "20 20", "T2": "20 20"}, "row": ("T2", "FU1", {"date": date(2026, 3, 4)})},
    "record-after-death": {
        "found": CLEAN,
        "course": Course(subject="S1", treatment_start=date(2026, 1, 12), death_date=date(2026, 3, 1)),
    },
    "record-after-last-contact": {
        "found": CLEAN,
        "course": Course(subject="S1", treatment_start=date(2026, 1, 12), last_contact=date(2026, 3, 1)),
    },
    "cr-then-pr": {"found": {"T1": "20 absent 4"}, "course": Course(subject="S1", treatment_start=date(2026, 1, 30))},
    "irradiated-mark-differs": {"found": CLEAN, "treated": TREATED},
    "cycles": {
        "found": CLEAN,
        "treated": (*TREATED, Irradiation(subject="S1", lesion="T1", cycle=2, date=date(2026, 2, 8))),
    },
    "lesion-without-baseline": {
        "found": {"T1": "20 20", "N1": "- 20"},
        "treated": (Irradiation(subject="S1", lesion="N1", cycle=1, date=date(2026, 1, 12)),),
    },
    "irecist-late": {"found": {"T1": "20 40 40"}, "every": 60, "protocol": {"irecist": True}},
}  # fmt: skip


def rows_of(records, case):
    how = {name: case[name] for name in ("every", "nodal", "method", "slice_thickness") if name in case}
    rows = list(records(case["found"], organ="nasopharynx", **how))
    if "organs" in case:
        rows = [replace(r, organ=case["organs"][int(r.lesion[1])]) for r in rows]
    return at(rows, *case["row"][:2], **case["row"][2]) if "row" in case else rows


@pytest.mark.parametrize("code", list(FIRED))
def test_fired(records, code):
    """The check finds what it is for."""
    case = FIRED[code]
    found = codes(
        rows_of(records, case),
        course=case.get("course", COURSE),
        treated=case.get("treated", ()),
        **case.get("protocol", {}),
    )
    assert code in found


def test_every_check_has_a_case():
    """No check is without a subject that fires it, and codes are unique."""
    names = [check.code for check in CHECKS]
    assert sorted(names) == sorted(FIRED)
    assert len(names) >= 25


def test_a_clean_subject_fires_nothing(records):
    """A subject read by the book has no finding at all."""
    rows = records(
        {"T1": "20 20 14", "T2": "18 16 9", "O1": "present present present"}, nodal="T2", organ="nasopharynx"
    )
    assert codes(rows, visits=(VisitWindow(name="FU1", day=35), VisitWindow(name="FU2", day=77))) == set()


def test_texts_name_lesion_and_visit(records):
    """A finding says which lesion, where, what was expected and what was found."""
    rows = at(records(CLEAN, organ="nasopharynx"), "T1", "FU1", short_axis=201)
    (answer,) = respond_case(Case(records=tuple(rows), course=COURSE), protocol=Protocol())
    assert [f.text for f in answer.findings] == ["T1 at FU1: short axis 20.1 mm exceeds longest diameter 20.0 mm"]


def test_a_stated_sum_is_compared_with_the_sum_of_the_targets(records):
    """The text gives both sums and what is missing; the right sum says nothing."""
    rows = at(records({"T1": "20 20", "T2": "20 -"}, organ="nasopharynx"), "T1", "FU1", stated_sum=400)
    right = at(rows, "T1", "BASELINE", stated_sum=400)
    (answer,) = respond_case(Case(records=tuple(right), course=COURSE), protocol=Protocol())
    texts = [f.text for f in answer.findings if f.code == "sum-inconsistent"]
    assert texts == ["FU1: sum_mm says 40.0 mm, but the targets add up to 20.0 mm without T2"]


def test_a_lesion_that_stops_being_irradiated(records):
    """Light that reached a lesion once has reached it; from no to yes is a later cycle."""
    rows = [replace(r, irradiated=r.timepoint == "FU1") for r in records({"T1": "20 20 20"}, organ="nasopharynx")]
    (answer,) = respond_case(Case(records=tuple(rows), course=COURSE), protocol=Protocol())
    texts = [f.text for f in answer.findings if f.code == "irradiated-mark-differs"]
    assert texts == ["T1 is marked irradiated, but not at FU2"]


def test_lesions_of_a_pair_are_one_organ(records):
    """Left and right lung are one organ; nodes are one organ, or one per station where the protocol says so."""
    lungs = [
        replace(r, organ=o)
        for r, o in zip(records({f"T{n}": "20" for n in range(3)}), ("Lung, left", "lung right", "LUNG"), strict=True)
    ]
    assert "too-many-targets-per-organ" in codes(lungs)
    nodes = [
        replace(r, organ=o)
        for r, o in zip(records({f"T{n}": "20" for n in range(3)}, nodal="T0 T1 T2"), "abc", strict=True)
    ]
    assert "too-many-targets-per-organ" in codes(nodes)
    assert "too-many-targets-per-organ" not in codes(nodes, organ_grouping="per_station")


def test_a_fallback_method_is_named_as_one(records):
    """A change of method to one the protocol lists is still found, and said to be a fallback."""
    rows = at(records(CLEAN, organ="nasopharynx", method="MRI"), "T1", "FU1", method="CT SCAN")
    (answer,) = respond_case(Case(records=tuple(rows), course=COURSE), protocol=Protocol(method_fallback=("CT SCAN",)))
    assert answer.findings[0].text == "T1 at FU1: CT SCAN (a fallback of the protocol), but MRI at baseline"


def test_too_many_cycles(records):
    """More than four days of light treatment are asked about."""
    days = [date(2026, month, 1) for month in range(1, 6)]
    treated = tuple(Irradiation(subject="S1", lesion="T1", cycle=n, date=d) for n, d in enumerate(days, start=1))
    rows = records({"T1": "20"}, organ="nasopharynx", irradiated=True)
    (answer,) = respond_case(Case(records=rows, irradiations=treated), protocol=Protocol())
    assert "5 days of light treatment, expected at most 4 cycles" in [f.text for f in answer.findings]


def test_a_marked_lesion_without_treatment_row(records):
    """Marked irradiated, other lesions have treatment rows: one of the two tables is wrong."""
    rows = records({"T1": "20", "T2": "20"}, organ="nasopharynx", irradiated=True)
    (answer,) = respond_case(Case(records=rows, irradiations=TREATED), protocol=Protocol())
    assert "T2 is marked irradiated, but has no treatment row" in [f.text for f in answer.findings]
