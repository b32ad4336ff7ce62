"""Dates that people write into tables: read, and refused where they cannot be true, by themselves or together."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from npcpit_imaging.response.rows import Fault, Table
from npcpit_imaging.study.course import Course, Irradiation

AFTER_START = ("death_date", "last_contact", "new_therapy_date")
"""What cannot lie before a subject's treatment began."""


@lru_cache(maxsize=65536)
def read_date(text: str) -> date:
    """Read an ISO date.

    Raises:
        ValueError: Not a full date such as 2026-03-01.
    """
    with contextlib.suppress(ValueError):
        day = date.fromisoformat(text)
        if day.isoformat() == text:  # not 20260301, nor a day of a week
            return day
    raise ValueError(f"expected a full date such as 2026-03-01, found '{text}'")


def read_past_date(text: str) -> date:
    """Read the date of something that has happened.

    Raises:
        ValueError: Not a full date, or one that has not come anywhere on earth.
    """
    day = read_date(text)
    latest = datetime.now(UTC).date() + timedelta(days=1)
    if day > latest:
        raise ValueError(f"expected a day that has come, found '{text}'")
    return day


def before_treatment(course: Course) -> str:
    """What of a subject's course lies before its treatment began, in words; empty where nothing does.

    Example:
        >>> before_treatment(Course(subject="S1", treatment_start=date(2026, 2, 1), death_date=date(2026, 1, 31)))
        'death_date: expected on or after treatment_start 2026-02-01, found 2026-01-31'
    """
    start = course.treatment_start
    if start is None:
        return ""
    dates = [(name, getattr(course, name)) for name in AFTER_START]
    return "; ".join(
        f"{name}: expected on or after treatment_start {start}, found {day}"
        for name, day in dates
        if day is not None and day < start
    )


def with_late_starts(courses: Table[Course], light: Table[Irradiation]) -> Table[Course]:
    """Courses, with a fault per subject whose treatment is said to begin after its first light.

    A response counts from either day, so the subject has none until one of them is put right.
    """
    return replace(courses, faults=(*courses.faults, *_late_starts(courses, light)))


def _late_starts(courses: Table[Course], light: Table[Irradiation]) -> Iterator[Fault]:
    for line, course in courses.numbered:
        first = min((each.date for each in light.by_subject.get(course.subject, ())), default=None)
        start = course.treatment_start
        if first is not None and start is not None and first < start:
            text = f"treatment_start: expected on or before the first light {first} of treatments.csv, found {start}"
            yield Fault(subject=course.subject, line=line, text=text)
