"""Edit checks of dates, treatments and the course of responses (recist.md 1.8 to 1.10, 1.13)."""

from collections.abc import Iterator
from itertools import pairwise

from npcpit_imaging.response.best_response import DatedResponse, cr_then_pr_at
from npcpit_imaging.response.checking import Check, Read, error, info, warning
from npcpit_imaging.study.response import ImmuneResponse, Response

WIDE_VISIT_DAYS = 14
"""Scans of one time point that lie further apart are asked about."""


def _after_pd(read: Read) -> Iterator[str]:
    for tp in read.answer.timepoints:
        if tp.after_pd:
            yield f"{tp.timepoint} is {tp.excluded}: stored, not counted"


def _after_therapy(read: Read) -> Iterator[str]:
    for tp in read.answer.timepoints:
        if tp.excluded.startswith("after the start"):
            yield f"{tp.timepoint} is {tp.excluded}: not counted for the best response"


def _before_treatment(read: Read) -> Iterator[str]:
    for tp in read.answer.timepoints:
        if tp.excluded.startswith("before"):
            yield f"{tp.timepoint} is {tp.excluded}: not counted; is it the baseline?"


def _too_early(read: Read) -> Iterator[str]:
    advice = {
        Response.PD: "confirm at the next scan",
        Response.CR: "cannot stand as confirmed alone",
        Response.PR: "cannot stand as confirmed alone",
    }
    for tp in read.answer.timepoints:
        if tp.too_early and tp.overall in advice:
            days = read.protocol.too_early_days
            yield f"{tp.overall} at {tp.timepoint} within {days} days of treatment: {advice[tp.overall]}"


def _window(read: Read) -> Iterator[str]:
    start = read.case.treatment_start
    planned = {visit.name: visit for visit in read.protocol.visits}
    for visit in read.chart.follow_ups:
        plan = planned.get(visit.name)
        if start is None or plan is None:
            continue
        for day in sorted({(visit.first_date - start).days, (visit.last_date - start).days}):
            if not plan.day - plan.early_days <= day <= plan.day + plan.late_days:
                yield f"{visit.name} on day {day}, expected {plan.day - plan.early_days} to {plan.day + plan.late_days}"


def _unplanned(read: Read) -> Iterator[str]:
    planned = {visit.name for visit in read.protocol.visits}
    for visit in read.chart.follow_ups:
        if planned and visit.name not in planned:
            yield f"{visit.name} is not a visit of the protocol"


def _overlap(read: Read) -> Iterator[str]:
    for before, after in pairwise(read.chart.visits):
        if after.first_date <= before.last_date:
            yield f"{after.name} begins on {after.first_date}, before {before.name} ends on {before.last_date}"


def _wide(read: Read) -> Iterator[str]:
    for visit in read.chart.visits:
        days = (visit.last_date - visit.first_date).days
        if days > WIDE_VISIT_DAYS:
            yield f"{visit.name}: its scans lie {days} days apart, expected at most {WIDE_VISIT_DAYS}"


def _after_death(read: Read) -> Iterator[str]:
    died = None if read.case.course is None else read.case.course.death_date
    for visit in read.chart.visits:
        if died is not None and visit.last_date > died:
            yield f"{visit.name} of {visit.last_date} is after death on {died}"


def _after_last_contact(read: Read) -> Iterator[str]:
    last = None if read.case.course is None else read.case.course.last_contact
    for visit in read.chart.visits:
        if last is not None and visit.last_date > last:
            yield f"{visit.name} of {visit.last_date} is after the last contact on {last}"


def _cr_then_pr(read: Read) -> Iterator[str]:
    if not any(tp.overall_raw is Response.CR for tp in read.answer.timepoints):
        return
    dated = [DatedResponse(date=tp.date, response=tp.overall_raw) for tp in read.answer.timepoints]
    found = cr_then_pr_at(dated, pd_date=read.answer.pd_date)
    if found is not None:
        yield f"PR on {found} after CR: was the CR real? (Eisenhauer 2009, table 3, footnote a)"


def _marks_differ(read: Read) -> Iterator[str]:
    marked = {row.lesion for _, row in read.rows() if row.irradiated}
    treated = {treatment.lesion for treatment in read.case.irradiations}
    fragments = {name for names in read.chart.fragments.values() for name in names}
    unmarked = {row.lesion for _, row in read.rows() if not row.irradiated}
    for lesion in sorted((marked & unmarked) - fragments):
        rows = [(visit, row) for visit, row in read.rows() if row.lesion == lesion]
        for (_, before), (visit, after) in pairwise(rows):
            if before.irradiated and not after.irradiated:
                yield f"{lesion} is marked irradiated, but not at {visit.name}"
    for lesion in sorted(treated - marked):
        yield f"{lesion} was treated, but no row says that it is irradiated"
    for lesion in sorted(marked - treated - fragments if treated else ()):
        yield f"{lesion} is marked irradiated, but has no treatment row"


def _cycles(read: Read) -> Iterator[str]:
    days = sorted({treatment.date for treatment in read.case.irradiations})
    if len(days) > read.protocol.max_cycles:
        yield f"{len(days)} days of light treatment, expected at most {read.protocol.max_cycles} cycles"
    for before, after in pairwise(days):
        if (after - before).days < read.protocol.min_cycle_interval_days:
            least = read.protocol.min_cycle_interval_days
            yield f"cycles on {before} and {after}: {(after - before).days} days apart, expected at least {least}"


def _cycle_order(read: Read) -> Iterator[str]:
    for before, after in pairwise(sorted(read.case.irradiations, key=lambda light: (light.lesion, light.cycle))):
        if before.lesion == after.lesion and after.date <= before.date:
            yield (
                f"{after.lesion}: cycle {after.cycle} on {after.date}, expected after cycle {before.cycle} "
                f"on {before.date}"
            )


def _no_lesion_baseline(read: Read) -> Iterator[str]:
    for lesion in read.answer.lesions:
        if lesion.reason:
            yield f"{lesion.lesion}: {lesion.reason}"


def _late_confirmation(read: Read) -> Iterator[str]:
    waiting = None
    for tp in read.answer.timepoints:
        response = None if tp.immune is None else tp.immune.response
        most = read.protocol.irecist_confirm_max_days
        if waiting is not None and (tp.date - waiting.date).days > most:
            days = (tp.date - waiting.date).days
            yield f"{tp.timepoint} is {days} days after iUPD at {waiting.timepoint}, expected at most {most}"
        waiting = tp if response is ImmuneResponse.IUPD else None


COURSE_CHECKS: tuple[Check, ...] = (
    info("after-pd", _after_pd),
    info("after-new-therapy", _after_therapy),
    error("follow-up-before-treatment", _before_treatment),
    warning("too-early", _too_early),
    warning("visit-window", _window),
    info("visit-unplanned", _unplanned),
    warning("visits-overlap", _overlap),
    warning("visit-wide", _wide),
    error("record-after-death", _after_death),
    warning("record-after-last-contact", _after_last_contact),
    warning("cr-then-pr", _cr_then_pr),
    warning("irradiated-mark-differs", _marks_differ),
    warning("cycles", _cycles),
    error("cycle-order", _cycle_order),
    warning("lesion-without-baseline", _no_lesion_baseline),
    warning("irecist-late", _late_confirmation),
)
