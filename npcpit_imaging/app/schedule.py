"""When a subject's visits are expected by the protocol, and which are overdue; in the subject's own dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from npcpit_imaging.app.responses import course_of, irradiations_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import DateShift
from npcpit_imaging.config.protocol import VisitWindow
from npcpit_imaging.dicom.deidentify import shift_day


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVisit:
    """A visit that the protocol plans.

    Args:
        name: The time point's name.
        expected: Its planned day; None while the first treatment is not known.
        earliest: First day of its window.
        latest: Last day of its window.
        is_overdue: Nothing of it has come and its window is over; never after a death or the data cut.
    """

    name: str
    expected: date | None
    earliest: date | None
    latest: date | None
    is_overdue: bool


def treatment_start(study: Study, subject: str, *, shift: DateShift | None = None) -> date | None:
    """The day from which visits are planned: the course's own, else the first irradiation's."""
    course = course_of(study, subject, shift=shift)
    if course is not None and course.treatment_start is not None:
        return course.treatment_start
    return min((each.date for each in irradiations_of(study, subject, shift=shift)), default=None)


def planned_visits(
    study: Study, subject: str, received: Mapping[str, date], *, shift: DateShift | None = None
) -> tuple[PlannedVisit, ...]:
    """The visits of the protocol for one subject, in its order; none where care is routine and none are planned.

    Args:
        study: The study.
        subject: Its code.
        received: Day of each visit of which images have come, by name.
        shift: How dates move, where it is known already.
    """
    if not study.protocol.visits:
        return ()
    moves = shift or DateShift(study, (subject,))
    start = treatment_start(study, subject, shift=moves)
    course = course_of(study, subject, shift=moves)
    ends = [] if course is None else [day for day in (course.death_date, course.cutoff) if day is not None]
    last = min([shift_day(study.now().date(), moves.days(subject)), *ends])
    return tuple(_planned(window, start, last, has_come=window.name in received) for window in study.protocol.visits)


def _planned(window: VisitWindow, start: date | None, last: date, *, has_come: bool) -> PlannedVisit:
    if start is None:
        return PlannedVisit(name=window.name, expected=None, earliest=None, latest=None, is_overdue=False)
    expected = start + timedelta(days=window.day)
    latest = expected + timedelta(days=window.late_days)
    return PlannedVisit(
        name=window.name,
        expected=expected,
        earliest=expected - timedelta(days=window.early_days),
        latest=latest,
        is_overdue=not has_come and last > latest,
    )
