"""A study's tables of dates, read whole: each file once, every subject's dates moved by its own constant."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from npcpit_imaging.app.data_cut import Cuts, cut_course, cut_event, cut_light, cuts_of, moved_cuts
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.deidentify import shift_day, subject_shift_days
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.response.rows import Row, Table, read_table
from npcpit_imaging.response.table import read_flag, read_subjects, read_treatments
from npcpit_imaging.response.table_dates import read_past_date, with_late_starts
from npcpit_imaging.store.bulk import deidentified_subjects
from npcpit_imaging.study.adverse_event import AdverseEvent, term_key
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.treatment import TreatmentCycle

T = TypeVar("T")

ADVERSE_EVENTS = ("subject", "term", "grade", "start")
ADVERSE_EVENTS_OPTIONAL = ("end", "lesion", "field", "related", "serious")
CYCLES = ("subject", "cycle", "infusion", "illumination")

SHOWN_FAULTS = 5
"""Faults that a refusal quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectCycle:
    """One treatment cycle of one subject."""

    subject: str
    cycle: TreatmentCycle


def parsed_table(path: Path, reader: Callable[[Iterable[str]], Table[T]]) -> Table[T]:
    """Read a table, once as long as the file does not change; a table that is not there is empty.

    Raises:
        InputError: The file is not text.
        TableError: A header from which no row can be trusted; the message names the file.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        return Table(by_subject={}, faults=())
    return _parsed(path, state.st_mtime_ns, state.st_size, reader)


@lru_cache(maxsize=16)
def _parsed(path: Path, _changed: int, _size: int, reader: Callable[[Iterable[str]], Table[T]]) -> Table[T]:
    try:
        return reader(path.read_text(encoding="utf-8-sig").splitlines(keepends=True))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: expected a UTF-8 table, cannot be read as one") from error
    except TableError as error:
        raise TableError(f"{path.name}: {error}") from error


def read_adverse_events(lines: Iterable[str]) -> Table[AdverseEvent]:
    """Read tables/adverse_events.csv, one event a row (docs/results.md).

    Raises:
        TableError: The header lacks a column or misspells one.
    """
    return read_table(lines, ADVERSE_EVENTS, ADVERSE_EVENTS_OPTIONAL, _event, key=_event_key)


def _event(row: Row) -> AdverseEvent:
    try:
        return AdverseEvent(
            subject=row.needed("subject"),
            term=row.needed("term"),
            grade=row.read("grade", _whole),
            start=row.read("start", read_past_date),
            end=row.maybe("end", read_past_date),
            lesion=row.text("lesion"),
            field=row.text("field"),
            related=row.maybe("related", read_flag),
            serious=row.maybe("serious", read_flag),
        )
    except TableError:
        raise
    except InputError as error:
        raise TableError(str(error), line=row.line) from error


def _event_key(event: AdverseEvent) -> tuple[str, ...]:
    return (term_key(event.term), event.start.isoformat(), event.lesion)


def read_cycles(lines: Iterable[str]) -> Table[SubjectCycle]:
    """Read tables/cycles.csv, one treatment cycle a row: infusion and illumination.

    Raises:
        TableError: The header lacks a column or misspells one.
    """
    return read_table(lines, CYCLES, (), _subject_cycle, key=lambda own: (str(own.cycle.number),))


def _subject_cycle(row: Row) -> SubjectCycle:
    try:
        cycle = TreatmentCycle(
            number=row.read("cycle", _whole),
            infusion=row.read("infusion", read_past_date),
            illumination=row.read("illumination", read_past_date),
        )
    except TableError:
        raise
    except InputError as error:
        raise TableError(str(error), line=row.line) from error
    return SubjectCycle(subject=row.needed("subject"), cycle=cycle)


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"expected a whole number, found '{text}'")
    return int(text)


READERS: dict[str, Callable[[Iterable[str]], Table[object]]] = {
    "subjects.csv": read_subjects,  # type: ignore[dict-item]  # each reader makes a table of its own kind
    "treatments.csv": read_treatments,  # type: ignore[dict-item]
    "adverse_events.csv": read_adverse_events,  # type: ignore[dict-item]
    "cycles.csv": read_cycles,  # type: ignore[dict-item]
}
"""The tables of dates and who reads each."""


class DateShift:
    """Moves the hospital's dates to the study's own, subject by subject, as its images' dates were moved.

    Whether a subject's dates are moved is as its images arrived, whatever site.toml says by now.

    Args:
        study: The study.
        subjects: Whose dates will be asked for; None: anybody's.
    """

    def __init__(self, study: Study, subjects: Collection[str] | None = None) -> None:
        with study.database.session() as session:
            self._known = deidentified_subjects(session, subjects)
        self._otherwise = study.site.deidentification.enabled
        self._study = study
        self._key: bytes | None = None

    @property
    def subjects(self) -> Collection[str]:
        """Codes of the store's subjects that were asked for."""
        return self._known.keys()

    def days(self, subject: str) -> int:
        """How many days a subject's dates move; 0 where its images came as they were."""
        if not self._known.get(subject, self._otherwise):
            return 0
        if self._key is None:
            self._key = study_key(self._study)
        return subject_shift_days(self._key, subject)

    def __call__(self, subject: str, day: date | None) -> date | None:
        """Move one date; None stays None."""
        return None if day is None else shift_day(day, self.days(subject))


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedTables:
    """Everything the tables of dates say, in the study's own (shifted) dates, up to the data cut.

    Args:
        courses: A course per subject named in subjects.csv.
        irradiations: Light treatments.
        events: Adverse events.
        later_events: Subject of every adverse event that began after the data cut, which is not counted.
        cycles: Treatment cycles.
        treated_later: Subject and lesion of those irradiated only after the data cut.
        cuts: Until which day anything else of a subject counts.
    """

    courses: tuple[Course, ...]
    irradiations: tuple[Irradiation, ...]
    events: tuple[AdverseEvent, ...]
    later_events: tuple[str, ...]
    cycles: tuple[SubjectCycle, ...]
    treated_later: frozenset[tuple[str, str]]
    cuts: Cuts


def dated_tables(study: Study) -> DatedTables:
    """Read the study's tables of dates; one fault refuses all: a result without that line could be wrong.

    Raises:
        TableError: A table cannot be used; the message names the file and its lines.
    """
    shift, folder = DateShift(study), study.tables
    stated = cut_tables(
        subjects=folder / "subjects.csv",
        treatments=folder / "treatments.csv",
        adverse_events=folder / "adverse_events.csv",
        cycles=folder / "cycles.csv",
        data_cut=study.protocol.results.data_cut,
    )
    return DatedTables(
        courses=tuple(moved_course(each, shift) for each in stated.courses),
        irradiations=tuple(
            replace(each, date=shift_day(each.date, shift.days(each.subject))) for each in stated.irradiations
        ),
        events=tuple(_moved_event(each, shift) for each in stated.events),
        later_events=stated.later_events,
        cycles=tuple(_moved_cycle(each, shift) for each in stated.cycles),
        treated_later=stated.treated_later,
        cuts=moved_cuts(stated.cuts, shift.subjects, lambda subject, day: shift_day(day, shift.days(subject))),
    )


def cut_tables(
    *,
    subjects: Path | None,
    treatments: Path | None,
    adverse_events: Path | None,
    cycles: Path | None,
    data_cut: date | None,
) -> DatedTables:
    """Read tables of dates up to the data cut, or a subject's own cut-off where that is earlier, in their own dates.

    Args:
        subjects: As tables/subjects.csv; None: no such table.
        treatments: As tables/treatments.csv.
        adverse_events: As tables/adverse_events.csv.
        cycles: As tables/cycles.csv.
        data_cut: The protocol's.

    Raises:
        TableError: A table cannot be used, or two contradict each other.
    """
    every_course = with_late_starts(_table(subjects, read_subjects), _table(treatments, read_treatments))
    courses = [cut_course(each, data_cut) for each in _rows("subjects.csv", every_course)]
    cuts = cuts_of(courses, data_cut)
    every_light = table_rows(treatments, read_treatments)
    light, later = cut_light(every_light, courses, data_cut)
    every_event, every_cycle = table_rows(adverse_events, read_adverse_events), table_rows(cycles, read_cycles)
    refuse_contradictions(every_light, every_cycle)  # the cut may lie between two days stated of one cycle
    return DatedTables(
        courses=tuple(courses),
        irradiations=tuple(light),
        events=tuple(cut_event(each, cuts) for each in every_event if cuts.keeps(each.subject, each.start)),
        later_events=tuple(each.subject for each in every_event if not cuts.keeps(each.subject, each.start)),
        cycles=tuple(each for each in every_cycle if cuts.keeps(each.subject, each.cycle.illumination)),
        treated_later=later,
        cuts=cuts,
    )


def table_rows(path: Path | None, reader: Callable[[Iterable[str]], Table[T]]) -> list[T]:
    """Every row of a table; none without one.

    Raises:
        TableError: A row was refused; the message names the file and its lines.
    """
    return [] if path is None else _rows(path.name, parsed_table(path, reader))


def _table(path: Path | None, reader: Callable[[Iterable[str]], Table[T]]) -> Table[T]:
    return Table(by_subject={}, faults=()) if path is None else parsed_table(path, reader)


def _rows(name: str, table: Table[T]) -> list[T]:
    if table.faults:
        quoted = [f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in table.faults]
        more = f"; and {len(quoted) - SHOWN_FAULTS} more" if len(quoted) > SHOWN_FAULTS else ""
        raise TableError(f"{name}: {'; '.join(quoted[:SHOWN_FAULTS])}{more}")
    return [row for rows in table.by_subject.values() for row in rows]


def refuse_contradictions(light: Iterable[Irradiation], cycles: Iterable[SubjectCycle]) -> None:
    """Refuse a cycle whose illumination differs between the two tables: a response may count from either."""
    stated = {(each.subject, each.cycle.number): each.cycle.illumination for each in cycles}
    odd = sorted(
        {
            f"{each.subject} cycle {each.cycle}"
            for each in light
            if stated.get((each.subject, each.cycle), each.date) != each.date
        }
    )
    if odd:
        shown = ", ".join(odd[:SHOWN_FAULTS])
        raise TableError(
            f"cycles.csv: expected the day of illumination that treatments.csv has, found another: {shown}"
        )


def moved_course(course: Course, shift: DateShift) -> Course:
    """A course in the study's own dates."""
    own = course.subject
    if not shift.days(own):
        return course
    return replace(
        course,
        treatment_start=shift(own, course.treatment_start),
        randomisation=shift(own, course.randomisation),
        death_date=shift(own, course.death_date),
        last_contact=shift(own, course.last_contact),
        new_therapy_date=shift(own, course.new_therapy_date),
        cutoff=shift(own, course.cutoff),
    )


def _moved_event(event: AdverseEvent, shift: DateShift) -> AdverseEvent:
    return replace(event, start=shift_day(event.start, shift.days(event.subject)), end=shift(event.subject, event.end))


def _moved_cycle(own: SubjectCycle, shift: DateShift) -> SubjectCycle:
    days = shift.days(own.subject)
    moved = replace(
        own.cycle,
        infusion=shift_day(own.cycle.infusion, days),
        illumination=shift_day(own.cycle.illumination, days),
    )
    return replace(own, cycle=moved)
