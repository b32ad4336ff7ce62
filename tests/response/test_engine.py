"""The engine's own decisions: windows, dates, references, partial sums."""

from dataclasses import replace
from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.lesion import Evaluator, FieldPosition, LesionState, TumourMarker


def test_another_therapy_ends_the_window_of_the_best_response(read):
    """A PR after another therapy does not count, unless the protocol continues."""
    course = Course(subject="S1", treatment_start=date(2026, 1, 6), new_therapy_date=date(2026, 3, 1))
    found = {"T1": "20 20 10"}
    stops = read(found, course=course, protocol=Protocol(min_sd_days=28))
    assert (stops.bor.response, stops.timepoints[1].excluded) == ("SD", "after the start of another anticancer therapy")
    assert read(found, course=course, protocol=Protocol(new_therapy_rule="continue")).bor.response == "PR"


@pytest.mark.parametrize(
    ("reference", "course", "expected"),
    [
        ("first_treatment", Course(subject="S1", treatment_start=date(2026, 1, 6)), "NE"),
        ("baseline", Course(subject="S1"), "SD"),
        ("randomisation", Course(subject="S1", randomisation=date(2026, 1, 5)), "SD"),
        ("randomisation", None, "NA"),
        ("first_treatment", None, "NA"),
    ],
)
def test_the_minimum_of_sd_runs_from_the_date_the_protocol_names(read, reference, course, expected):
    """SD on day 42 after baseline is day 41 after treatment."""
    answer = read({"T1": "20 20"}, course=course, protocol=Protocol(sd_window_ref=reference))
    assert answer.bor.response == expected


def test_treatment_starts_with_the_first_irradiation(read):
    """Without a subjects file the first light treatment is the start."""
    answer = read({"T1": "20 40"}, treated={"T1": "2026-03-02 2026-01-06"})
    assert answer.pfs.start == date(2026, 1, 6)


def test_dates_of_a_time_point(records):
    """PD is dated by its earliest scan, anything else by its latest; all_earliest takes the earliest always."""
    rows = list(records({"T1": "20 20 40", "T2": "20 20 20"}))
    late = [replace(r, date=date(2026, 2, 25)) if (r.timepoint, r.lesion) == ("FU1", "T2") else r for r in rows]
    late = [replace(r, date=date(2026, 4, 8)) if (r.timepoint, r.lesion) == ("FU2", "T2") else r for r in late]
    (answer,) = respond_case(Case(records=tuple(late)), protocol=Protocol())
    assert [tp.date for tp in answer.timepoints] == [date(2026, 2, 25), date(2026, 3, 30)]
    (first,) = respond_case(Case(records=tuple(late)), protocol=Protocol(tp_date_rule="all_earliest"))
    assert [tp.date for tp in first.timepoints] == [date(2026, 2, 16), date(2026, 3, 30)]


def test_sums_inside_and_outside_the_field(records):
    """Irradiated and other targets have their own sums and responses."""
    rows = [replace(r, irradiated=r.lesion == "T1") for r in records({"T1": "20 10", "T2": "20 30"})]
    (answer,) = respond_case(Case(records=tuple(rows)), protocol=Protocol())
    (tp,) = answer.timepoints
    assert (tp.irradiated.total, tp.irradiated.response) == (100, "PR")
    assert (tp.not_irradiated.total, tp.not_irradiated.response) == (300, "PD")
    assert tp.overall == "SD"


def test_non_target_partly_assessed(overall):
    """One non-target missing makes NE; ignore_missing looks at the others."""
    found = {"T1": "20 20", "O1": "present present", "O2": "present not_assessed"}
    ignore = Protocol(nt_partial_policy="ignore_missing")
    assert overall({"T1": "20 0", "O1": "present absent", "O2": "present -"}) == "PR"
    assert overall({"T1": "20 0", "O1": "present absent", "O2": "present -"}, protocol=ignore) == "CR"
    unread = {"T1": "20 20", "O1": "present -", "O2": "present not_assessed"}
    assert overall(unread, protocol=ignore) == "SD"
    assert overall(found) == "SD"


def test_pd_of_a_non_target_carries_the_readers_words(read):
    """The rule quotes the comment; a split non-target is as bad as its worst part."""
    (tp,) = read({"T1": "20 20", "O1": "present unequivocal_pd"}, comment="clearly larger").timepoints
    assert tp.rule.text == "PD: unequivocal progression of O1 (clearly larger)"


def test_a_small_non_target_node_is_gone(overall):
    """A non-target node measured below 10 mm is normal, at 10 mm it is there."""
    assert overall({"T1": "20 0", "O1": "12 9.9"}, nodal="O1") == "CR"
    assert overall({"T1": "20 0", "O1": "12 10"}, nodal="O1") == "PR"


def test_new_node_rules(overall):
    """ge10 counts 10 mm at once; ge15 never counts 14.9 mm."""
    found = {"T1": "20 20 20", "N1": "- 10 14.9"}
    assert overall(found, nodal="N1", protocol=Protocol(new_node_rule="ge10")) == "PD PD"
    assert overall(found, nodal="N1", protocol=Protocol(new_node_rule="ge15")) == "SD SD"
    assert overall(found, nodal="N1") == "PD SD"


def test_an_equivocal_lesion_seen_twice_is_still_equivocal(overall):
    """Only a node measured again, or a certain sighting, proves; two doubts do not, nor does a gap."""
    assert overall({"T1": "20 20 20", "N1": "- equivocal equivocal"}) == "SD SD"
    assert overall({"T1": "20 20 20", "N1": "- 12 12"}, nodal="N1", protocol=Protocol(new_node_rule="ge15")) == "SD SD"
    assert overall({"T1": "20 20 20 20", "N1": "- equivocal not_assessed unequivocal"}) == "PD SD PD"


def test_a_lesion_irradiated_without_any_earlier_scan_is_na(read):
    """No scan before the irradiation: NA with the reason, whether the date is known or not."""
    late = read({"T1": "20 20", "N1": "- 10"}, treated={"T1": "2026-01-06", "N1": "2026-01-06", "X9": "2026-01-06"})
    reasons = {lesion.lesion: lesion.reason for lesion in late.lesions}
    assert reasons["N1"] == (
        "NA: no scan of the lesion before its irradiation (first seen at FU1, irradiated on 2026-01-06)"
    )
    assert "never read" in reasons["X9"]
    assert reasons["T1"] == ""
    unknown = read({"T1": "20 20", "N1": "- 10"}, irradiated=True)
    assert "its treatment date is not known" in {x.lesion: x.reason for x in unknown.lesions}["N1"]


def test_a_measurable_lesion_without_a_number(read):
    """Present but not measured is NE; unequivocal progression stands without a number."""
    answer = read({"O1": "20 present unequivocal_pd"}, irradiated=True)
    assert [tp.response for tp in answer.lesions[0].timepoints] == ["NE", "PD"]
    assert answer.lesions[0].timepoints[0].rule.text == "NE: no diameter (present)"


def test_without_endoscopy_imaging_answers(read):
    """Where endoscopy could answer but was not done, the lesion's state on imaging does."""
    endo = Protocol(endo_policy="only_when_not_measurable")
    answer = read({"O1": "20 not_imaged 20", "O2": "present present absent"}, irradiated=True, protocol=endo)
    responses = {x.lesion: [tp.response for tp in x.timepoints] for x in answer.lesions}
    assert responses == {"O1": ["NE", "SD"], "O2": ["NON-CR/NON-PD", "CR"]}


def test_an_irradiated_node_too_small_to_be_measurable(read):
    """A node of 12 mm is not measurable; below 10 mm it is normal and CR."""
    answer = read({"O1": "12 11 9.9"}, irradiated=True, nodal="O1")
    (lesion,) = answer.lesions
    assert not lesion.measurable
    assert [tp.response for tp in lesion.timepoints] == ["NON-CR/NON-PD", "CR"]
    assert lesion.timepoints[1].rule.text == "CR: node of 9.9 mm short axis, below 10 mm"


def test_merged_into_a_lesion_that_was_not_irradiated(records):
    """A lesion that merged into one without a response of its own is NE."""
    rows = [replace(r, irradiated=r.lesion == "T2") for r in records({"T1": "20 36 36", "T2": "20 20 20"})]
    rows[-1] = replace(rows[-1], state=LesionState.MERGED, parent_lesion="T1", longest_diameter=None)
    (answer,) = respond_case(Case(records=tuple(rows)), protocol=Protocol())
    responses = {x.lesion: [tp.response for tp in x.timepoints] for x in answer.lesions}
    assert responses["T2"] == ["SD", "NE"]
    assert [x.irradiated for x in answer.lesions] == [False, True]


def test_lesions_that_no_light_reached_have_a_response_too(read):
    """Targets by size, non-targets by presence, from the subject's baseline; never marked irradiated."""
    course = Course(subject="S1", treatment_start=date(2026, 1, 6))
    found = {"T1": "20 14 20", "T2": "20 20 20", "O1": "30 15 absent", "N1": "- 10 10"}
    answer = read(found, treated={"T1": "2026-01-06"}, course=course, protocol=Protocol(min_sd_days=28))
    lesions = {x.lesion: x for x in answer.lesions}
    assert {name: x.irradiated for name, x in lesions.items()} == {"T1": True, "T2": False, "O1": False}
    assert [tp.response for tp in lesions["T2"].timepoints] == ["SD", "SD"]
    assert (lesions["T2"].best.response, lesions["T2"].baseline_at, lesions["T2"].baseline) == ("SD", "BASELINE", 200)
    assert (lesions["T2"].cycle, lesions["T2"].irradiated_on) == (None, None)
    assert lesions["T2"].to_progression.days == 84
    assert [tp.response for tp in lesions["O1"].timepoints] == ["NON-CR/NON-PD", "CR"]
    assert lesions["O1"].measurable_reason == "non-target, not irradiated"


def test_a_visit_without_a_row_is_ne_for_the_lesion_and_counts_between_response_and_confirmation(read):
    """PR, nothing, nothing, PR is not confirmed where one NE is allowed, for the lesion as for the subject."""
    answer = read({"T1": "20 14 - - 14", "T2": "20 14 14 14 14"}, treated={"T1": "2026-01-06"})
    lesion = next(x for x in answer.lesions if x.lesion == "T1")
    assert [tp.response for tp in lesion.timepoints] == ["PR", "NE", "NE", "PR"]
    assert lesion.timepoints[1].rule.text == "NE: no row at FU2"
    assert (lesion.confirmed.response, answer.confirmed_bor.response) == ("SD", "SD")


def test_a_lesions_baseline_is_the_last_scan_that_shows_it(read):
    """Not assessed at the scan before the light: the scan before that one is its baseline."""
    answer = read({"T1": "20 not_assessed 14", "T2": "20 20 20"}, treated={"T1": "2026-02-20"})
    lesion = next(x for x in answer.lesions if x.lesion == "T1")
    assert (lesion.baseline_at, lesion.baseline) == ("BASELINE", 200)
    assert [tp.response for tp in lesion.timepoints] == ["NE", "PR"]


def test_early_after_any_cycle_of_the_lesion(read):
    """A scan soon after the second cycle is early too."""
    answer = read({"T1": "20 14 14"}, treated={"T1": "2026-01-06 2026-03-20"})
    assert [tp.too_early for tp in answer.lesions[0].timepoints] == [False, True]


def test_only_a_baseline(read):
    """With no follow-up there is nothing to answer: MISSING."""
    answer = read({"T1": "20"})
    assert (answer.timepoints, answer.bor.response) == ((), "MISSING")


def test_a_follow_up_before_treatment_is_not_counted(read):
    """A second scan before treatment is neither a response nor progression, but it is a nadir."""
    course = Course(subject="S1", treatment_start=date(2026, 3, 1))
    answer = read({"T1": "20 40 20 30"}, course=course)
    assert [(tp.overall, tp.excluded) for tp in answer.timepoints] == [
        ("PD", "before treatment began on 2026-03-01"),
        ("SD", ""),
        ("PD", ""),
    ]
    assert (answer.pd_date, answer.bor.response) == (date(2026, 5, 11), "PD")
    assert [tp.response for tp in answer.lesions[0].timepoints] == ["PD", "SD", "PD"]
    assert answer.lesions[0].to_progression.end == date(2026, 5, 11)


def test_a_reader_without_the_baseline_is_refused(records):
    """The first follow-up of a reader who has no baseline must not pass for one: R1 and r1 are two readers."""
    rows = records({"T1": "20 10"})
    mixed = (rows[0], replace(rows[1], reader="r1"))
    with pytest.raises(ResponseError, match="same time point, found BASELINE of reader R1, FU1 of reader r1"):
        respond_case(Case(records=mixed), protocol=Protocol())


def test_whose_read_the_analysis_takes(records):
    """reader_for_analysis names an evaluator; a reader who does not say is not known; two words are refused."""
    rows = [
        replace(r, reader=reader, evaluator=evaluator)
        for reader, evaluator in (("R1", Evaluator.INVESTIGATOR), ("R2", Evaluator.BICR), ("R3", None))
        for r in records({"T1": "20 10"})
    ]
    answers = respond_case(Case(records=tuple(rows)), protocol=Protocol(reader_for_analysis="bicr"))
    assert [answer.for_analysis for answer in answers] == [False, True, None]
    rows[0] = replace(rows[0], evaluator=Evaluator.ADJUDICATED)
    with pytest.raises(ResponseError, match="expected one evaluator, found adjudicated, investigator"):
        respond_case(Case(records=tuple(rows)), protocol=Protocol())


def test_time_points_after_pd_are_in_the_spider_plot_only_where_the_protocol_says_so(read):
    """after_pd decides what the plot shows; nothing after PD ever counts."""
    found = {"T1": "20 40 10"}
    assert [tp.in_spider for tp in read(found).timepoints] == [True, False]
    shown = read(found, protocol=Protocol(after_pd="include_for_spider"))
    assert [tp.in_spider for tp in shown.timepoints] == [True, True]
    assert shown.bor.response == "PD"


@pytest.mark.parametrize(
    ("distance", "margin", "field"),
    [(0, None, "in"), (40, None, None), (40, 5, "margin"), (50, 5, "margin"), (51, 5, "out")],
)
def test_distance_from_the_field_against_the_margin(records, distance, margin, field):
    """field_margin_mm turns a distance into in, margin or out; without it only what touches the field is known."""
    rows = [
        replace(r, field_distance=distance if r.lesion == "N1" else None)
        for r in records({"T1": "20 20", "N1": "- unequivocal"})
    ]
    (answer,) = respond_case(Case(records=tuple(rows)), protocol=Protocol(field_margin_mm=margin))
    assert answer.timepoints[0].new.certain[0].field == field
    assert (answer.new_out_of_field_date is not None) == (field == "out")


def test_the_readers_word_on_the_field_goes_before_the_distance(records):
    """A stated field is what the reader saw."""
    rows = [
        replace(r, field=FieldPosition.OUT, field_distance=0) for r in records({"T1": "20 20", "N1": "- unequivocal"})
    ]
    (answer,) = respond_case(Case(records=tuple(rows)), protocol=Protocol())
    assert answer.timepoints[0].new.certain[0].field == "out"


def test_pd_of_targets_and_a_new_lesion_is_dated_by_the_first_scan(records):
    """Only PD by new lesions alone waits for the scan that shows them."""
    for size, day in (("20", date(2026, 2, 25)), ("40", date(2026, 2, 16))):
        rows = [
            replace(r, date=date(2026, 2, 25)) if r.lesion == "N1" else r
            for r in records({"T1": f"20 {size}", "N1": "- unequivocal"})
        ]
        (answer,) = respond_case(Case(records=tuple(rows)), protocol=Protocol())
        assert answer.pd_date == day


@pytest.mark.parametrize(
    ("markers", "found", "expected"),
    [
        ("elevated normal", {"T1": "20 0"}, "CR"),
        ("elevated elevated", {"T1": "20 0"}, "PR"),
        ("elevated not_done", {"T1": "20 0"}, "PR"),
        ("elevated -", {"T1": "20 0"}, "PR"),
        ("normal not_done", {"T1": "20 0"}, "CR"),
        ("normal elevated", {"T1": "20 0"}, "PR"),
        ("elevated elevated", {"T1": "20 20"}, "SD"),
        ("elevated elevated", {"O1": "present absent"}, "NON-CR/NON-PD"),
        ("elevated -", {"O1": "present absent"}, "NE"),
        ("elevated elevated", {"T1": "20 20", "O1": "present unequivocal_pd"}, "PD"),
    ],
)
def test_a_tumour_marker_can_only_take_a_cr_away(records, markers, found, expected):
    """Eisenhauer 2009, 4.3.3: CR needs a normal marker, where the study collects it; it is never progression."""
    by_visit = dict(zip(("BASELINE", "FU1"), markers.split(), strict=True))
    rows = tuple(
        replace(r, tumour_marker=None if by_visit[r.timepoint] == "-" else TumourMarker(by_visit[r.timepoint]))
        for r in records(found)
    )
    (answer,) = respond_case(Case(records=rows), protocol=Protocol(tumour_marker_policy="normal_for_CR"))
    assert answer.timepoints[0].overall == expected
    (unused,) = respond_case(Case(records=rows), protocol=Protocol())
    (without,) = respond_case(Case(records=records(found)), protocol=Protocol())
    assert unused.timepoints == without.timepoints


def test_two_markers_at_one_time_point_are_refused(records):
    """Rows of one visit that contradict each other."""
    rows = list(records({"T1": "20 0", "T2": "20 0"}))
    rows = [replace(r, tumour_marker=TumourMarker.NORMAL if r.lesion == "T1" else TumourMarker.ELEVATED) for r in rows]
    with pytest.raises(ResponseError, match="2 different tumour_marker"):
        respond_case(Case(records=tuple(rows)), protocol=Protocol(tumour_marker_policy="normal_for_CR"))


def test_a_part_without_a_row_is_missing_and_not_gone(records):
    """T1 splits into T3 and T4; where only one of them is read the sum is not a smaller sum (recist.md 1.3)."""
    rows = records({"T1": "20 - - -", "T3": "- 8 8 8", "T4": "- 5 - absent"})
    rows = tuple(r if r.lesion == "T1" else replace(r, parent_lesion="T1") for r in rows)
    (answer,) = respond_case(Case(records=rows), protocol=Protocol())
    assert [(tp.overall, tp.total) for tp in answer.timepoints] == [("PR", 130), ("NE", 0), ("PR", 80)]


def test_the_part_that_kept_the_name_is_missed_too(records):
    """T1 keeps its name beside T3; without a row of T1 the lesion has no value, with T1 alone it is one again."""
    rows = records({"T1": "20 9 - 12", "T3": "- 5 5 -"})
    rows = tuple(r if r.lesion == "T1" else replace(r, parent_lesion="T1") for r in rows)
    (answer,) = respond_case(Case(records=rows), protocol=Protocol())
    assert [(tp.overall, tp.total) for tp in answer.timepoints] == [("PR", 140), ("NE", 0), ("PR", 120)]
