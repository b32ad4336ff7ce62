"""Properties that hold for every subject: order, time, missing values, boundaries (Hypothesis)."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.best_response import DatedResponse, best_response, confirmed_best_response
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.target import is_increase, is_partial
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.lesion import LesionRole, LesionState
from npcpit_imaging.study.response import Response

START = date(2026, 1, 1)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COURSE = Course(subject="S1", treatment_start=date(2026, 1, 3))

TARGET_STATES = [LesionState.ABSENT, LesionState.TOO_SMALL, LesionState.NOT_ASSESSED]
OTHER_STATES = [LesionState.ABSENT, LesionState.PRESENT, LesionState.NOT_ASSESSED, LesionState.UNEQUIVOCAL_PD]
NEW_STATES = [LesionState.EQUIVOCAL, LesionState.UNEQUIVOCAL, LesionState.ABSENT, LesionState.DISPROVED]


def row(lesion, visit, role, state, size=None, *, nodal=False, reader="R1"):
    return Assessment(
        subject="S1",
        reader=reader,
        timepoint="BASELINE" if visit == 0 else f"FU{visit}",
        date=START + timedelta(days=40 * visit),
        lesion=lesion,
        role=role,
        state=state,
        nodal=nodal,
        irradiated=lesion == "T1",
        longest_diameter=None if nodal else size,
        short_axis=size if nodal else None,
    )


@st.composite
def target_rows(draw, lesion, visit, *, nodal):
    state = LesionState.MEASURED if visit == 0 else draw(st.sampled_from([LesionState.MEASURED] * 4 + TARGET_STATES))
    size = draw(st.integers(100 if visit == 0 else 1, 400)) if state is LesionState.MEASURED else None
    return row(lesion, visit, LesionRole.TARGET, state, size, nodal=nodal)


@st.composite
def subjects(draw, *, visits=4):
    rows = []
    for visit in range(visits + 1):
        rows += [draw(target_rows(f"T{n}", visit, nodal=n == 3)) for n in range(1, 4)]
        state = LesionState.PRESENT if visit == 0 else draw(st.sampled_from(OTHER_STATES))
        rows.append(row("O1", visit, LesionRole.NON_TARGET, state))
        if visit and draw(st.booleans()):
            rows.append(row("N1", visit, LesionRole.NEW, draw(st.sampled_from(NEW_STATES))))
    return rows


def respond(rows, **protocol):
    (answer,) = respond_case(Case(records=tuple(rows), course=COURSE), protocol=Protocol(irecist=True, **protocol))
    return answer


@QUICK
@given(subjects(), st.randoms())
def test_order_of_rows_never_matters(rows, random):
    """Shuffled rows give the same answer to the last word."""
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert respond(shuffled) == respond(rows)


@QUICK
@given(subjects())
def test_names_of_lesions_never_matter(rows):
    """Renaming lesions changes no response."""
    names = {"T1": "T9", "T2": "T1", "T3": "T0", "O1": "O7", "N1": "N4"}
    renamed = [replace(record, lesion=names[record.lesion]) for record in rows]
    assert [tp.overall for tp in respond(renamed).timepoints] == [tp.overall for tp in respond(rows).timepoints]


@QUICK
@given(subjects(), subjects())
def test_readers_do_not_touch_each_other(first, second):
    """A second reader's rows leave the first reader's answer as it was."""
    other = [replace(record, reader="R2") for record in second]
    both = respond_case(Case(records=(*other, *first), course=COURSE), protocol=Protocol(irecist=True))
    assert both[0] == respond(first)


@QUICK
@given(subjects(visits=4))
def test_a_later_visit_changes_an_earlier_one_only_by_retro_dating(rows):
    """Dropping the last visit leaves earlier answers as they were, unless the last one proved a lesion."""
    earlier = [record for record in rows if record.timepoint != "FU4"]
    changed = False
    for before, after in zip(respond(earlier).timepoints, respond(rows).timepoints, strict=False):
        if after.retro_dated_by == "FU4":
            changed = True
            assert after.overall is Response.PD
        elif not changed:  # after a retro-dated PD the history itself is another one
            assert (before.overall, before.total, before.nadir) == (after.overall, after.total, after.nadir)


@QUICK
@given(subjects(), st.integers(1, 4), st.sampled_from(["T1", "T2", "T3"]))
def test_removing_a_value_never_creates_a_response(rows, visit, lesion):
    """Without one target's value a time point's target response stays what it was or becomes NE."""
    name = f"FU{visit}"
    fewer = [r for r in rows if not (r.timepoint == name and r.lesion == lesion)]
    before = next(tp for tp in respond(rows).timepoints if tp.timepoint == name)
    after = next(tp for tp in respond(fewer).timepoints if tp.timepoint == name)
    assert after.target_raw in {before.target_raw, Response.NE}
    assert after.target_raw not in {Response.CR, Response.PR, Response.SD}


@QUICK
@given(subjects())
def test_the_nadir_never_rises(rows):
    """From one time point to the next the nadir is the same or smaller, and never above baseline."""
    nadirs = [tp.nadir.total for tp in respond(rows).timepoints]
    assert nadirs == sorted(nadirs, reverse=True)
    assert nadirs[0] == respond(rows).timepoints[0].baseline


@QUICK
@given(subjects())
def test_available_targets_that_are_pd_make_pd(rows):
    """Where the assessed targets alone meet PD against the nadir, and are not all gone, the time point is PD."""
    answer = respond(rows)
    for tp in answer.timepoints:
        small = [r for r in rows if r.timepoint == tp.timepoint and r.role is LesionRole.TARGET and not gone(r)]
        if small and is_increase(tp.total, tp.nadir.total, Protocol()):
            assert tp.overall is Response.PD


def gone(record):
    """Say whether a row leaves nothing of a target, or nothing known."""
    if record.state is LesionState.MEASURED:
        return record.nodal and record.size < 100
    return record.state in (LesionState.ABSENT, LesionState.NOT_ASSESSED) or record.nodal


@QUICK
@given(st.integers(1, 3000), st.integers(0, 3000))
def test_boundaries_are_exact_at_every_tenth(before, now):
    """PD and PR agree with exact rational arithmetic at every tenth of a millimetre."""
    from fractions import Fraction

    change = Fraction(now - before, before)
    assert is_increase(now, before, Protocol()) == (change >= Fraction(1, 5) and now - before >= 50)
    assert is_partial(now, before, Protocol()) == (change <= Fraction(-3, 10))


RESPONSES = st.lists(
    st.sampled_from([Response.CR, Response.PR, Response.SD, Response.PD, Response.NE, Response.NON_CR_NON_PD]),
    max_size=6,
)


@QUICK
@given(RESPONSES, RESPONSES)
def test_best_response_is_unchanged_by_records_after_pd(before, after):
    """Whatever follows the first PD changes neither best response."""
    records = [
        DatedResponse(date=START + timedelta(days=28 * n), response=r)
        for n, r in enumerate([*before, Response.PD, *after])
    ]
    pd_date = next(r.date for r in records if r.response is Response.PD)
    upto = [r for r in records if r.date <= pd_date]
    for best in (best_response, confirmed_best_response):
        answers = [best(kept, protocol=Protocol(), reference=START, pd_date=pd_date) for kept in (records, upto)]
        assert answers[0] == answers[1]


@QUICK
@given(RESPONSES)
def test_confirmation_never_improves(words):
    """The confirmed best response never outranks the unconfirmed one, but for what table 3 grants a short SD."""
    records = [DatedResponse(date=START + timedelta(days=28 * n), response=r) for n, r in enumerate(words, start=1)]
    admiral = Protocol(short_sd_rule="admiral")
    from npcpit_imaging.response.best_response import RANK

    plain = best_response(records, protocol=admiral, reference=START).response
    confirmed = confirmed_best_response(records, protocol=admiral, reference=START).response
    assert RANK[confirmed] >= RANK[plain]


@QUICK
@given(subjects())
def test_a_lesion_alone_answers_as_the_target_sum_of_that_lesion(rows):
    """An irradiated target has the target response of a subject with that one lesion."""
    alone = [record for record in rows if record.lesion == "T1"]
    light = (Irradiation(subject="S1", lesion="T1", cycle=1, date=date(2026, 1, 3)),)
    protocol = Protocol(pr_persistence="none", too_early_days=0)
    (answer,) = respond_case(Case(records=tuple(alone), irradiations=light), protocol=protocol)
    lesion = answer.lesions[0]
    for tp, own in zip(answer.timepoints, lesion.timepoints, strict=True):
        assert own.response == tp.target_raw
