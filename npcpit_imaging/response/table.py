"""Tables people write: measurements, subjects, treatments, responses (docs/respond.md); one bad row hides no other."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from sys import intern
from typing import TypeVar

from npcpit_imaging.errors import TableError
from npcpit_imaging.response.best_response import DatedResponse
from npcpit_imaging.response.endoscopy import read_endoscopy
from npcpit_imaging.response.rows import Fault, Row, Table, read_table
from npcpit_imaging.response.table_dates import before_treatment, read_date, read_past_date
from npcpit_imaging.study.assessment import Assessment, Tenths, tenths_from_mm
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.lesion import Evaluator, FieldPosition, LesionRole, LesionState, TumourMarker
from npcpit_imaging.study.response import Response

MEASUREMENTS = (
    *("subject", "timepoint", "date", "reader", "lesion", "role", "nodal", "state"),
    *("longest_diameter_mm", "short_axis_mm"),
)
"""Columns a table of measurements must have."""

MEASUREMENTS_OPTIONAL = (
    *("organ", "irradiated", "field", "endoscopy", "comment", "method", "slice_thickness_mm", "parent_lesion"),
    *("prior_rt", "prior_rt_progression", "biopsy_proven"),
    *("field_distance_mm", "evaluator", "sum_mm", "tumour_marker"),
)
"""Columns it may have."""

SUBJECT_DATES = ("treatment_start", "randomisation", "death_date", "last_contact", "new_therapy_date", "cutoff")
SUBJECT_OTHER = ("consent", "consent_date", "birth_date", "age_years", "exclusion")
"""Columns of the table of subjects that eligibility reads (docs/results.md), and responses do not."""

TREATMENTS = ("subject", "lesion", "cycle", "date")
RESPONSES = ("subject", "date", "response")
RESPONSES_OPTIONAL = ("reference_date", "pd_date")

OVERALL = ("subject", "date", "overall")
OVERALL_OPTIONAL = ("timepoint", "reader", "overall_raw", "excluded", "too_early", *RESPONSES_OPTIONAL)
"""Columns of our own table of time points that a best response needs."""

_YES, _NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")
_TIMEPOINT_RESPONSES = tuple(word for word in Response if word not in (Response.NA, Response.MISSING))

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRow:
    """One row of a table of responses.

    Args:
        dated: The response and its date; None on a row that only names the subject.
        reference: Day from which the minimum duration of SD runs; None when not given.
        pd_date: First PD; None when not given.
    """

    dated: DatedResponse | None
    reference: date | None
    pd_date: date | None


@lru_cache(maxsize=65536)
def _tenths(text: str) -> Tenths:
    return tenths_from_mm(text)


@lru_cache(maxsize=64)
def read_flag(text: str) -> bool:
    """Read yes or no.

    Raises:
        ValueError: Neither.
    """
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise ValueError(f"expected yes or no, found '{text}'")


def _word(kind: type[E]) -> Callable[[str], E]:
    """Give a reader of one of a vocabulary's words, whatever its case."""
    by_text = {member.value.lower(): member for member in kind}

    def read(text: str) -> E:
        try:
            return by_text[text.lower()]
        except KeyError as error:
            words = ", ".join(member.value.lower() for member in kind)
            raise ValueError(f"expected one of {words}; found '{text}'") from error

    return read


_role, _state, _field = _word(LesionRole), _word(LesionState), _word(FieldPosition)
_evaluator, _marker = _word(Evaluator), _word(TumourMarker)


def read_measurements(lines: Iterable[str]) -> Table[Assessment]:
    """Read a table of measurements, one lesion at one time point by one reader a row.

    Args:
        lines: The lines of the file.

    Raises:
        TableError: The header lacks a column or misspells one, so that no row can be trusted.
    """
    return read_table(lines, MEASUREMENTS, MEASUREMENTS_OPTIONAL, _assessment, key=_assessment_key)


def _assessment_key(row: Assessment) -> tuple[str, ...]:
    return (row.timepoint, row.reader, row.lesion)


def _assessment(row: Row) -> Assessment:
    try:
        return Assessment(
            subject=row.needed("subject"),
            timepoint=intern(row.needed("timepoint")),
            date=row.read("date", read_date),
            reader=intern(row.text("reader")),
            lesion=intern(row.needed("lesion")),
            role=row.read("role", _role),
            state=row.read("state", _state),
            organ=intern(row.text("organ")),
            nodal=_nodal(row),
            irradiated=row.maybe("irradiated", read_flag) or False,
            longest_diameter=row.maybe("longest_diameter_mm", _tenths),
            short_axis=row.maybe("short_axis_mm", _tenths),
            method=intern(row.text("method")),
            slice_thickness=row.maybe("slice_thickness_mm", _tenths),
            field=row.maybe("field", _field),
            endoscopy=row.maybe("endoscopy", read_endoscopy),
            comment=row.text("comment"),
            parent_lesion=row.text("parent_lesion"),
            prior_rt=row.maybe("prior_rt", read_flag) or False,
            prior_rt_progression=row.maybe("prior_rt_progression", read_flag),
            biopsy_proven=row.maybe("biopsy_proven", read_flag),
            field_distance=row.maybe("field_distance_mm", _tenths),
            evaluator=row.maybe("evaluator", _evaluator),
            stated_sum=row.maybe("sum_mm", _tenths),
            tumour_marker=row.maybe("tumour_marker", _marker),
        )
    except ValueError as error:
        raise TableError(str(error), line=row.line) from error


def _nodal(row: Row) -> bool:
    """Read whether it is a node; empty is no, but not beside a short axis, which would then be left out silently."""
    if row.text("short_axis_mm") and not row.text("nodal"):
        raise TableError("nodal: expected yes or no beside a short axis, found none", line=row.line)
    return row.maybe("nodal", read_flag) or False


def read_subjects(lines: Iterable[str]) -> Table[Course]:
    """Read a table of subjects: treatment start, death and other dates, one subject a row.

    Raises:
        TableError: The header lacks a column or misspells one.
    """
    return read_table(lines, ("subject",), (*SUBJECT_DATES, *SUBJECT_OTHER), _course, key=lambda row: (row.subject,))


def _course(row: Row) -> Course:
    dates = {column: row.maybe(column, _COURSE_DAYS.get(column, read_past_date)) for column in SUBJECT_DATES}
    course = Course(subject=row.needed("subject"), **dates)
    early = before_treatment(course)
    if early:
        raise TableError(early, line=row.line)
    return course


_COURSE_DAYS = {"cutoff": read_date}
"""A cut-off may be planned; everything else has happened."""


def read_treatments(lines: Iterable[str]) -> Table[Irradiation]:
    """Read a table of light treatments, one lesion in one cycle a row.

    Raises:
        TableError: The header lacks a column or misspells one.
    """
    return read_table(lines, TREATMENTS, (), _irradiation, key=lambda row: (row.lesion, str(row.cycle)))


def _irradiation(row: Row) -> Irradiation:
    return Irradiation(
        subject=row.needed("subject"),
        lesion=row.needed("lesion"),
        cycle=row.read("cycle", _cycle),
        date=row.read("date", read_past_date),
    )


def _cycle(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"expected a number from 1, found '{text}'")
    return int(text)


def read_responses(lines: Iterable[str]) -> Table[ResponseRow]:
    """Read a table of time-point responses; a row without date and response only names its subject.

    Our own ``responses_timepoint.csv`` (and ``timepoints.csv`` of ``npcpit respond``) is one too: its response is the
    column ``overall_raw``, else ``overall``; of its time points those that ``excluded`` says do not count are left out.

    Raises:
        TableError: The header lacks a column or misspells one, or the table holds several readers.
    """
    kept = list(lines)
    header = [name.strip().lower().removeprefix("\ufeff") for name in next(csv.reader(kept[:1]), [])]
    if "response" in header or "overall" not in header:
        return read_table(kept, RESPONSES, RESPONSES_OPTIONAL, _response_row, key=_response_key)
    found = read_table(kept, OVERALL, OVERALL_OPTIONAL, _overall_row, key=lambda row: (row.timepoint, row.reader))
    return _of_one_reader(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OverallRow:
    timepoint: str
    reader: str
    row: ResponseRow
    counts: bool


def _overall_row(row: Row) -> _OverallRow:
    column = "overall_raw" if row.text("overall_raw") else "overall"
    dated = DatedResponse(
        date=row.read("date", read_date),
        response=row.read(column, _timepoint_response),
        early=row.maybe("too_early", read_flag) or False,
    )
    found = ResponseRow(
        dated=dated, reference=row.maybe("reference_date", read_date), pd_date=row.maybe("pd_date", read_date)
    )
    return _OverallRow(
        timepoint=row.text("timepoint"), reader=row.text("reader"), row=found, counts=not row.text("excluded")
    )


def _of_one_reader(table: Table[_OverallRow]) -> Table[ResponseRow]:
    """Give each subject's rows that count; readers' rows are never mixed into one best response."""
    faults = list(table.faults)
    rows: dict[str, tuple[ResponseRow, ...]] = {}
    for subject, own in table.by_subject.items():
        readers = sorted({each.reader for each in own})
        if len(readers) > 1:
            text = (
                f"expected the time points of one reader, found {', '.join(readers)}: give a table of one reader each"
            )
            faults.append(Fault(subject=subject, line=None, text=text))
        rows[subject] = tuple(each.row for each in own if each.counts)
    return Table(by_subject=rows, faults=tuple(faults), ignored=table.ignored)


def _response_key(row: ResponseRow) -> tuple[str, ...]:
    return ("" if row.dated is None else row.dated.date.isoformat(),)


def _response_row(row: Row) -> ResponseRow:
    dated = None
    if row.text("date") or row.text("response"):
        dated = DatedResponse(date=row.read("date", read_date), response=row.read("response", _timepoint_response))
    return ResponseRow(
        dated=dated,
        reference=row.maybe("reference_date", read_date),
        pd_date=row.maybe("pd_date", read_date),
    )


def _timepoint_response(text: str) -> Response:
    response = next((word for word in _TIMEPOINT_RESPONSES if word.value.lower() == text.lower()), None)
    if response is None:
        words = ", ".join(_TIMEPOINT_RESPONSES)
        raise ValueError(f"expected one of {words}; found '{text}'; leave the row out where there is none")
    return Response.NE if response is Response.NOT_ALL_EVALUATED else response  # Eisenhauer 2009, table 1
