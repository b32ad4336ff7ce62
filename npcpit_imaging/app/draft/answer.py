"""The live answer: the response engine on this reader's signed reads and the draft, as if it were signed now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from npcpit_imaging.app.draft.content import DraftContent, LesionEntry
from npcpit_imaging.app.draft.opening import own_reads
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.states import signed_state
from npcpit_imaging.app.responses import assessment_of, course_of, irradiations_of, tenths_of
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.response.chart import Chart, draw_chart
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.result import SubjectResponse
from npcpit_imaging.response.sums import SumOfDiameters, sum_of_diameters
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import lesions_of
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.lesion import LesionRole, LesionState
from npcpit_imaging.study.timepoint import BASELINE


@dataclass(frozen=True, kw_only=True)
class LiveAnswer:
    """What the engine says of a draft.

    Args:
        response: Everything; None when nothing can be said yet.
        sums: Sum of diameters by visit, drafts included.
        problem: Why there is no response; empty when there is one.
        checks: Edit checks of this visit; an error blocks signing.
    """

    response: SubjectResponse | None
    sums: dict[str, SumOfDiameters]
    problem: str
    checks: tuple[Finding, ...]


def live_answer(desk: Desk, place: Place, content: DraftContent) -> LiveAnswer:
    """Answer a draft, from this reader's own reads alone."""
    day = visit_date(desk, place)
    earlier = _signed_records(desk, place)
    drafted = [draft_record(entry, place, day, content) for entry in content.lesions if entry.confirmed]
    todo = _todo(content)
    if not earlier and not drafted:
        return LiveAnswer(response=None, sums={}, problem="nothing is confirmed yet", checks=todo)
    try:
        before = _respond(desk, place, earlier) if earlier else None
        case = _case(desk, place, [*earlier, *drafted])
        response = respond_case(case, protocol=desk.study.protocol)[0]
        sums = _sums(draw_chart(case.records), desk.study.protocol)
    except NpcpitError as error:
        fault = Finding(code="contradiction", severity=Severity.ERROR, text=str(error))
        return LiveAnswer(response=None, sums={}, problem=str(error), checks=(*todo, fault))
    known = frozenset() if before is None else frozenset(before.findings)
    checks = tuple(each for each in response.findings if each not in known and _is_here(each, place))
    return LiveAnswer(
        response=response,
        sums=_at_baseline_incomplete(sums, content) if place.at_baseline else sums,
        problem="",
        checks=(*todo, *checks, *_beyond(content, place)),
    )


def _respond(desk: Desk, place: Place, records: Sequence[Assessment]) -> SubjectResponse:
    return respond_case(_case(desk, place, records), protocol=desk.study.protocol)[0]


def _case(desk: Desk, place: Place, records: Sequence[Assessment]) -> Case:
    return Case(
        records=tuple(records),
        course=course_of(desk.study, place.subject),
        irradiations=irradiations_of(desk.study, place.subject),
    )


def visit_date(desk: Desk, place: Place) -> date:
    """The date of a place's visit."""
    with desk.study.database.session() as session:
        return next(each.date for each in timepoints(session, place.subject) if each.name == place.timepoint)


def _signed_records(desk: Desk, place: Place) -> list[Assessment]:
    """Records of this reader's signed reads before this visit."""
    with desk.study.database.session() as session:
        lesions = {each.tracking_uid: each for each in lesions_of(session, place.subject)}
    day = visit_date(desk, place)
    reads = [each for each in own_reads(desk, place) if each.timepoint != place.timepoint and each.date < day]
    return [assessment_of(read, row, lesions[row.tracking_uid]) for read in reads for row in read.lesions]


def draft_record(entry: LesionEntry, place: Place, day: date, content: DraftContent) -> Assessment:
    """A confirmed entry as the record that signing would make of it."""
    return Assessment(
        subject=place.subject,
        timepoint=place.timepoint,
        date=day,
        reader=place.reader.name,
        lesion=entry.lesion_id,
        role=entry.role,
        state=signed_state(entry),
        organ=entry.organ,
        nodal=entry.nodal,
        irradiated=entry.irradiated,
        longest_diameter=tenths_of(entry.longest_diameter_mm),
        short_axis=tenths_of(entry.short_axis_mm),
        field=entry.field,
        endoscopy=entry.endoscopy,
        comment=entry.comment,
        parent_lesion=entry.linked_lesion,
        prior_rt=entry.prior_rt,
        prior_rt_progression=entry.prior_rt_progression_documented,
        tumour_marker=content.whole.tumour_marker,
    )


def _sums(chart: Chart, protocol: Protocol) -> dict[str, SumOfDiameters]:
    return {visit.name: sum_of_diameters(chart, visit, chart.targets, protocol) for visit in chart.visits}


def _at_baseline_incomplete(sums: dict[str, SumOfDiameters], content: DraftContent) -> dict[str, SumOfDiameters]:
    """At baseline the rows make the list of targets; those not confirmed yet are missing from the sum."""
    missing = tuple(each.lesion_id for each in content.lesions if each.role is LesionRole.TARGET and not each.confirmed)
    if BASELINE not in sums:
        return sums
    found = sums[BASELINE]
    return {**sums, BASELINE: replace(found, missing=tuple(sorted({*found.missing, *missing})))}


def _todo(content: DraftContent) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            code="not-assessed",
            severity=Severity.ERROR,
            text=f"{each.lesion_id}: not assessed yet ({each.status}); confirm a size or say what was found",
        )
        for each in content.lesions
        if not each.confirmed
    )


def _beyond(content: DraftContent, place: Place) -> tuple[Finding, ...]:
    """What this study asks of a reader beyond RECIST."""
    found = [
        Finding(
            code="new-lesion-field",
            severity=Severity.WARNING,
            text=f"{each.lesion_id}: not said whether this new lesion lies in, at the margin of, or out of the field",
        )
        for each in content.lesions
        if each.role is LesionRole.NEW and each.confirmed and each.field is None and _is_there(each)
    ]
    if not content.lesions:
        text = f"{place.timepoint}: the read names no lesion"
        found.append(Finding(code="no-lesion", severity=Severity.WARNING, text=text))
    return tuple(found)


def _is_there(entry: LesionEntry) -> bool:
    return entry.state in (LesionState.EQUIVOCAL, LesionState.UNEQUIVOCAL, LesionState.MEASURED)


def _is_here(finding: Finding, place: Place) -> bool:
    """Leave out what is told lesion by lesion: that a lesion of this visit has no row yet."""
    return finding.code != "lesion-missing" or place.timepoint not in finding.text
