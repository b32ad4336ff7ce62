"""Duration of response and progression-free survival with FDA-style censoring (Eisenhauer 2009, 4.7; recist.md 1.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.best_response import DatedResponse
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.response import Duration, Response

_NOT_ADEQUATE = (Response.NE, Response.NA, Response.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    date: date
    what: str


def duration_of_response(
    responses: Sequence[DatedResponse],
    *,
    start: date | None,
    pd_date: date | None,
    course: Course | None,
    protocol: Protocol,
) -> Duration:
    """Time from the first response to progression or death; censored at the last adequate assessment.

    Args:
        responses: Time-point responses.
        start: Day of the first CR or PR; None when there was none.
        pd_date: First PD; None when there was none.
        course: Death, new therapy and cut-off; None when not known.
        protocol: The censoring rules.
    """
    if start is None:
        return _none("no response")
    return _until(responses, start, pd_date, course, protocol)


def progression_free_survival(
    responses: Sequence[DatedResponse],
    *,
    start: date | None,
    pd_date: date | None,
    course: Course | None,
    protocol: Protocol,
    baseline_known: bool = True,
) -> Duration:
    """Time from the start of treatment to progression or death.

    Args:
        responses: Time-point responses.
        start: Start of treatment; None when not known.
        pd_date: First PD; None when there was none.
        course: Death, new therapy and cut-off; None when not known.
        protocol: The censoring rules.
        baseline_known: False when there is no baseline to compare with: censored at day 1.
    """
    if start is None:
        return _none("the treatment start is not known")
    if not baseline_known:
        return _censored(start, start, "no baseline assessment")
    return _until(responses, start, pd_date, course, protocol)


def time_to_progression(responses: Sequence[DatedResponse], *, start: date | None, pd_date: date | None) -> Duration:
    """Time from a lesion's irradiation to its own progression; censored at its last adequate assessment."""
    if start is None:
        return _none("the day of irradiation is not known")
    if pd_date is not None:
        return _event(start, _Event(date=pd_date, what="progression of the lesion"))
    last = _last_adequate(responses, start, None)
    return _censored(start, last, "last adequate assessment" if last > start else "no assessment after irradiation")


def _until(
    responses: Sequence[DatedResponse], start: date, pd_date: date | None, course: Course | None, protocol: Protocol
) -> Duration:
    if course is None and pd_date is None:
        return _none("no progression, and whether the subject died is not known without a subjects file")
    event = _first_event(pd_date, course)
    if event is not None and event.date < start:
        return _none(f"{event.what} on {event.date} is before the start on {start}")
    new_therapy = course.new_therapy_date if course is not None and protocol.censor_at_new_therapy else None
    if new_therapy is not None and (event is None or new_therapy < event.date):
        return _censored(start, _last_adequate(responses, start, new_therapy), f"new therapy on {new_therapy}")
    if event is None:
        last = _last_adequate(responses, start, None)
        return _censored(start, last, "last adequate assessment" if last > start else "no adequate assessment")
    before = _last_adequate(responses, start, event.date)
    gap, limit = (event.date - before).days, protocol.max_missed_visits * protocol.scheduled_interval_days
    if protocol.censor_after_missed_visits and gap > limit:
        return _censored(start, before, f"{event.what} {gap} days after the last adequate assessment, limit {limit}")
    return _event(start, event)


def _first_event(pd_date: date | None, course: Course | None) -> _Event | None:
    events = [] if pd_date is None else [_Event(date=pd_date, what="progression")]
    died = None if course is None else course.death_date
    if course is not None and died is not None and (course.cutoff is None or died <= course.cutoff):
        events.append(_Event(date=died, what="death"))
    return min(events, key=lambda event: event.date, default=None)


def _last_adequate(responses: Sequence[DatedResponse], start: date, before: date | None) -> date:
    """Give the day of the last assessment that could have shown progression; the start when there is none."""
    adequate = (r.date for r in responses if r.response not in _NOT_ADEQUATE and (before is None or r.date < before))
    return max((day for day in adequate if day >= start), default=start)


def _none(reason: str) -> Duration:
    return Duration(days=None, event=False, start=None, end=None, reason=f"NA: {reason}")


def _event(start: date, event: _Event) -> Duration:
    return Duration(days=_days(start, event.date), event=True, start=start, end=event.date, reason=event.what)


def _censored(start: date, end: date, reason: str) -> Duration:
    return Duration(days=_days(start, end), event=False, start=start, end=end, reason=f"censored: {reason}")


def _days(start: date, end: date) -> int:
    """Count both days: an event on the first day has taken one day (ADTTE convention)."""
    return (end - start).days + 1
