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
        is_ended: Nothing of it has come and it is awaited no more: the subject died before its window was over.
    """

    name: str
    expected: date | None
    earliest: date | None
    latest: date | None
    is_overdue: bool
    is_ended: bool = False

    def in_window(self, day: date | None) -> bool | None:
        """Whether images of a day lie in the window; None where either is not known.

        Example:
            >>> spring = dict(earliest=date(2026, 4, 5), latest=date(2026, 4, 19))
            >>> fu1 = PlannedVisit(name="FU1", expected=date(2026, 4, 12), is_overdue=False, **spring)
            >>> fu1.in_window(date(2026, 4, 19)), fu1.in_window(date(2026, 4, 20)), fu1.in_window(None)
            (True, False, None)
        """
        if day is None or self.earliest is None or self.latest is None:
            return None
        return self.earliest <= day <= self.latest


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
    death = None if course is None else course.death_date
    cut = moves(subject, study.protocol.results.data_cut) if course is None else course.cutoff
    today = shift_day(study.now().date(), moves.days(subject))
    last = min(day for day in (today, death, cut) if day is not None)
    return tuple(
        _planned(window, start, last, death=death, has_come=window.name in received) for window in study.protocol.visits
    )


def _planned(
    window: VisitWindow, start: date | None, last: date, *, death: date | None, has_come: bool
) -> PlannedVisit:
    if start is None:
        ended = not has_come and death is not None
        return PlannedVisit(
            name=window.name, expected=None, earliest=None, latest=None, is_overdue=False, is_ended=ended
        )
    expected = start + timedelta(days=window.day)
    latest = expected + timedelta(days=window.late_days)
    return PlannedVisit(
        name=window.name,
        expected=expected,
        earliest=expected - timedelta(days=window.early_days),
        latest=latest,
        is_overdue=not has_come and last > latest,
        is_ended=not has_come and death is not None and death <= latest,
    )
