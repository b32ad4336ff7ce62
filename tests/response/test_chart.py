"""Records that contradict each other are refused, and the message says where."""

from dataclasses import replace
from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.response.chart import draw_chart
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.lesion import LesionRole


def test_baseline_is_named_or_else_the_earliest(records):
    """The time point named baseline, in any case, is the baseline; without one the earliest is."""
    rows = records({"T1": "20 20"})
    lower = [replace(r, timepoint=r.timepoint.lower()) for r in rows]
    assert draw_chart(lower).baseline.name == "baseline"
    other = [replace(r, timepoint=r.timepoint.replace("BASELINE", "SCREENING")) for r in rows]
    assert draw_chart(other).baseline.name == "SCREENING"


def test_two_baselines(records):
    """Baseline and BASELINE are two names for one thing: refused."""
    rows = records({"T1": "20 20"})
    with pytest.raises(ResponseError, match="2 time points are named BASELINE"):
        draw_chart([rows[0], replace(rows[1], timepoint="Baseline")])


def test_a_lesion_twice(records):
    """One lesion stands once at a time point."""
    rows = records({"T1": "20 20"})
    with pytest.raises(ResponseError, match="T1 stands twice at FU1"):
        draw_chart([*rows, rows[1]])


def test_dates_out_of_order(records):
    """Nothing is dated before baseline, and no two time points begin on one day."""
    rows = records({"T1": "20 20 20"})
    with pytest.raises(ResponseError, match="before BASELINE"):
        draw_chart([rows[0], rows[1], replace(rows[2], date=date(2025, 1, 1))])
    with pytest.raises(ResponseError, match="FU1 and FU2 have the same date"):
        draw_chart([rows[0], rows[1], replace(rows[2], date=rows[1].date)])


def test_a_lesion_keeps_its_role_and_its_kind(records):
    """A node stays a node, a target stays a target."""
    rows = records({"T1": "20 20"})
    with pytest.raises(ResponseError, match="nodal at one time point"):
        draw_chart([rows[0], replace(rows[1], nodal=True, short_axis=200)])
    with pytest.raises(ResponseError, match="both TARGET and NON-TARGET"):
        draw_chart([rows[0], replace(rows[1], role=LesionRole.NON_TARGET)])


def test_new_at_baseline_and_old_after_it(records):
    """What is there at baseline is not new; what is not there cannot be a target later."""
    with pytest.raises(ResponseError, match="N1 is new at BASELINE"):
        draw_chart(records({"T1": "20 20", "N1": "unequivocal -"}))
    with pytest.raises(ResponseError, match="T2 is TARGET at FU1 but has no row at baseline"):
        draw_chart(records({"T1": "20 20", "T2": "- 20"}))


def test_parents_in_a_circle(records):
    """A lesion that descends from itself is refused."""
    rows = records({"T1": "20 20", "T2": "- 20", "T3": "- 20"})
    circle = [replace(r, parent_lesion={"T2": "T3", "T3": "T2"}.get(r.lesion, "")) for r in rows]
    with pytest.raises(ResponseError, match="circle"):
        draw_chart(circle)


def test_a_fragment_of_a_new_lesion_is_a_new_lesion(records):
    """A new lesion's fragment names its parent and stays new."""
    rows = records({"T1": "20 20", "N1": "- 20", "N2": "- 10"})
    chart = draw_chart([replace(r, parent_lesion="N1" if r.lesion == "N2" else "") for r in rows])
    assert (chart.new, chart.fragments) == (("N1", "N2"), {})


def test_a_parent_that_repeats_its_fragments(records):
    """A parent's diameter that equals the sum of its fragments would be counted twice: refused."""
    rows = records({"T1": "50 30", "T2": "- 18", "T3": "- 12"})
    split = [replace(r, parent_lesion="T1" if r.lesion != "T1" else "") for r in rows]
    with pytest.raises(ResponseError, match=r"T1 at FU1: its own 30.0 mm is the sum of its fragments"):
        respond_case(Case(records=tuple(split)), protocol=Protocol())


def test_a_case_is_one_subject(records):
    """Records of two subjects, or none, are no case."""
    rows = records({"T1": "20 20"})
    with pytest.raises(ResponseError, match="found 2"):
        Case(records=(rows[0], replace(rows[1], subject="S2")))
    with pytest.raises(ResponseError, match="found 0"):
        Case(records=())


def test_the_cut_off_drops_later_records(read, records):
    """Records after the cut-off are not used; when none is left that is said."""
    course = Course(subject="S1", cutoff=date(2026, 2, 20))
    assert [tp.timepoint for tp in read({"T1": "20 20 20"}, course=course).timepoints] == ["FU1"]
    nothing = Course(subject="S1", cutoff=date(2025, 1, 1))
    with pytest.raises(ResponseError, match="no record on or before the cut-off"):
        respond_case(Case(records=records({"T1": "20 20"}), course=nothing), protocol=Protocol())
