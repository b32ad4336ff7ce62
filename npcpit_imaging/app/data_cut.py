"""The data cut: until which day what is dated counts, by subject, and what a course and a treatment look like then."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from npcpit_imaging.study.adverse_event import AdverseEvent
from npcpit_imaging.study.course import Course, Irradiation, treated_later


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The last day that counts, of every subject.

    Args:
        own: By subject; the protocol's data cut or the subject's own cut-off, where that is earlier.
        otherwise: Of a subject that is not named; None: everything counts.
    """

    own: Mapping[str, date]
    otherwise: date | None

    def of(self, subject: str) -> date | None:
        """The last day that counts; None when everything does."""
        return self.own.get(subject, self.otherwise)

    def keeps(self, subject: str, day: date) -> bool:
        """Whether something of that day counts.

        Example:
            >>> cuts = Cuts(own={"S1": date(2026, 3, 1)}, otherwise=date(2026, 6, 1))
            >>> cuts.keeps("S1", date(2026, 4, 1)), cuts.keeps("S2", date(2026, 4, 1))
            (False, True)
        """
        last = self.of(subject)
        return last is None or day <= last


def cuts_of(courses: Iterable[Course], data_cut: date | None) -> Cuts:
    """The cuts that the protocol and courses of `cut_course` state."""
    return Cuts(own={each.subject: each.cutoff for each in courses if each.cutoff is not None}, otherwise=data_cut)


def moved_cuts(cuts: Cuts, subjects: Collection[str], shift: Callable[[str, date], date]) -> Cuts:
    """Cuts in the study's own dates, of some subjects: the protocol's day is another one for each of them."""
    days = {subject: last for subject in subjects if (last := cuts.of(subject)) is not None}
    return Cuts(own={subject: shift(subject, last) for subject, last in days.items()}, otherwise=cuts.otherwise)


def cut_course(course: Course, data_cut: date | None) -> Course:
    """A course up to the data cut: its cut-off is the earlier of both; what comes after it has not happened yet."""
    days = [day for day in (course.cutoff, data_cut) if day is not None]
    cutoff = min(days, default=None)

    def happened(day: date | None) -> date | None:
        return None if day is None or (cutoff is not None and day > cutoff) else day

    return replace(
        course,
        cutoff=cutoff,
        treatment_start=happened(course.treatment_start),
        death_date=happened(course.death_date),
        new_therapy_date=happened(course.new_therapy_date),
    )


def cut_event(event: AdverseEvent, cuts: Cuts) -> AdverseEvent:
    """An adverse event as it was known on the day of the cut: one that ended later still went on."""
    over = event.end is not None and cuts.keeps(event.subject, event.end)
    return event if over or event.end is None else replace(event, end=None)


def cut_light(
    light: Sequence[Irradiation], courses: Iterable[Course], data_cut: date | None
) -> tuple[list[Irradiation], frozenset[tuple[str, str]]]:
    """Light up to each subject's cut-off, and the lesions that light reached only later.

    Args:
        light: Every treatment.
        courses: Courses that `cut_course` made.
        data_cut: Holds for a subject without a course.
    """
    cuts = {each.subject: each.cutoff for each in courses}
    own: dict[str, list[Irradiation]] = {}
    for each in light:
        own.setdefault(each.subject, []).append(each)
    kept: list[Irradiation] = []
    later: set[tuple[str, str]] = set()
    for subject, rows in own.items():
        cut = cuts.get(subject, data_cut)
        kept += [each for each in rows if cut is None or each.date <= cut]
        later |= treated_later(rows, cut)
    return kept, frozenset(later)
