"""The records an analysis starts from: answers of the response engine and study tables, all in days from treatment.

Dates end here. Day 0 is the subject's first treatment (else its baseline, which is flagged), so that no table or figure
of the results can hold a date, true or shifted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import pandas as pd

from npcpit_imaging.analysis.chosen_readers import NO_CHOICES, chosen_readers
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.finding import Severity
from npcpit_imaging.study.response import Response

Rows = Sequence[Mapping[str, object]]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

NOT_COMPUTED = "treated, but nothing of it was read: not evaluable"

NEVER_READ = "(never read"
"""In the engine's reason of a lesion that it knows from its treatment alone."""

TOLD_WARNINGS = ("irradiated-mark-differs", "lesion-without-baseline")
"""Warnings of the engine that results tell of; perhaps the treatments name a lesion otherwise than the reads."""

SHOWN_NAMES = 5
"""Names that a note quotes."""

SUBJECT_DAYS = {"bor_date": "bor_day", "pd_date": "pd_day", "new_out_of_field_date": "out_of_field_day"}
LESION_DAYS = {
    "irradiated_on": "irradiated_day",
    "best_date": "best_day",
    "confirmed_best_date": "confirmed_best_day",
    "to_progression_end": "to_progression_end_day",
}


INSIDE = ("responses", "split_into")
"""Lists within a lesion's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the response engine answered, as plain rows (docs/respond.md).

    Args:
        subjects: A row per subject and reader.
        lesions: A row per subject, reader, lesion and cycle, its responses inside (``responses``).
        timepoints: A row per subject, reader and follow-up.
        findings: A row per finding: subject, reader, code, severity, text.
    """

    subjects: Rows
    lesions: Rows
    timepoints: Rows
    findings: Rows = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """One reader's records of every subject, in days from its first treatment.

    Args:
        subjects: A row per subject.
        lesions: A row per lesion that was irradiated or seen at baseline.
        lesion_timepoints: A row per lesion and follow-up.
        timepoints: A row per subject and follow-up.
        treatments: A row per lesion and cycle: subject, lesion, cycle, day.
        readers: Reader chosen for each subject; empty where nobody read it.
        notes: What a reader of the results must know about how these were gathered.
    """

    subjects: pd.DataFrame
    lesions: pd.DataFrame
    lesion_timepoints: pd.DataFrame
    timepoints: pd.DataFrame
    treatments: pd.DataFrame
    readers: Mapping[str, str]
    notes: tuple[str, ...]


NO_OWNERS: Mapping[tuple[str, str], str] = MappingProxyType({})
"""Every lesion is the study's own."""


def gather(
    answers: Answers,
    *,
    courses: Iterable[Course],
    irradiations: Iterable[Irradiation],
    baselines: Mapping[str, date],
    irradiated: Iterable[tuple[str, str]] = (),
    reader: str = "",
    adjudicated: Mapping[str, str] = NO_CHOICES,
    owners: Mapping[tuple[str, str], str] = NO_OWNERS,
) -> Records:
    """Gather one reader's records; treated subjects and lesions that nobody read are there as not evaluable.

    Args:
        answers: The engine's.
        courses: Other dates of the subjects, in the same (shifted) dates as the answers.
        irradiations: Light treatments, too.
        baselines: Date of each subject's baseline images, where there are any.
        irradiated: Subject and lesion of every lesion that is on record as irradiated.
        reader: Whose reads; see `chosen_readers`.
        adjudicated: An adjudicator's choices; see `chosen_readers`.
        owners: By subject and lesion the reader who found it, where it is not one of the study's own: it is expected
            of nobody else, and counts with that reader's reads alone.

    Raises:
        ReaderChoiceError: The reader is not clear.
    """
    readers = chosen_readers(answers.subjects, reader=reader, adjudicated=adjudicated)

    def counted(subject: str, lesion: str) -> bool:
        owner = owners.get((subject, lesion))
        return owner is None or owner == readers.get(subject)

    course = {each.subject: each for each in courses}
    light = sorted(irradiations, key=lambda each: (each.subject, each.date, each.lesion))
    marked = sorted(pair for pair in irradiated if counted(*pair))
    treated = {each.subject for each in light} | {name for name, each in course.items() if each.treatment_start}
    treated |= {subject for subject, _ in marked}
    lit = [(str(row["subject"]), str(row["lesion"])) for row in answers.lesions if row.get("irradiated") is True]
    treated |= {subject for subject, lesion in lit if counted(subject, lesion)}
    zero, without = _days_zero(course, light, baselines, answers, readers)
    names = sorted(treated | set(readers))

    def own(rows: Rows) -> list[Mapping[str, object]]:
        return [row for row in rows if readers.get(str(row["subject"])) == row["reader"]]

    subjects = _subjects(own(answers.subjects), names, course, treated, zero)
    rows = [row for row in own(answers.lesions) if counted(str(row["subject"]), str(row["lesion"]))]
    expected = {(each.subject, each.lesion) for each in light if counted(each.subject, each.lesion)} | set(marked)
    lesions, inside = _lesions(rows, sorted(expected - _parts(rows)), light, zero)
    timepoints = _with_days(pd.DataFrame(own(answers.timepoints)), {"date": "day"}, zero)
    return Records(
        subjects=subjects,
        lesions=lesions,
        lesion_timepoints=inside,
        timepoints=timepoints,
        treatments=_treatments(light, zero),
        readers={**dict.fromkeys(names, ""), **readers},
        notes=(
            *_notes(without, names, readers, lesions, treated),
            *finding_notes(own(answers.findings)),
            *_adjudicated_note(adjudicated, readers),
        ),
    )


def _parts(rows: Rows) -> set[tuple[str, str]]:
    """Lesions that others split into: light on one of them is light on the lesion it was, and no lesion more."""
    found = set()
    for row in rows:
        names = row.get("split_into")
        found |= {(str(row["subject"]), str(name)) for name in (names if isinstance(names, list) else [])}
    return found


def _days_zero(
    course: Mapping[str, Course],
    light: Sequence[Irradiation],
    baselines: Mapping[str, date],
    answers: Answers,
    readers: Mapping[str, str],
) -> tuple[dict[str, date], list[str]]:
    """Day 0 of each subject, and those for whom it is the baseline for want of a treatment date."""
    zero: dict[str, date] = {}
    for each in light:
        zero[each.subject] = min(each.date, zero.get(each.subject, each.date))
    zero |= {name: each.treatment_start for name, each in course.items() if each.treatment_start is not None}
    without = [name for name in readers if name not in zero]
    first: dict[str, date] = {}
    for row in answers.timepoints:
        day = date.fromisoformat(str(row["date"]))
        first[str(row["subject"])] = min(day, first.get(str(row["subject"]), day))
    for name in without:
        found = baselines.get(name, first.get(name))
        if found is not None:
            zero[name] = found
    return zero, without


def _notes(
    without: Sequence[str],
    names: Sequence[str],
    readers: Mapping[str, str],
    lesions: pd.DataFrame,
    treated: set[str],
) -> tuple[str, ...]:
    unread = [name for name in names if name not in readers]
    notes = []
    untreated = len(names) - len(treated & set(names))
    if untreated and treated:
        notes.append(f"{untreated} subjects were read but have no treatment on record: not in the rates over patients")
    if without:
        notes.append(f"{len(without)} subjects without a treatment date: their days count from the baseline images")
    if unread:
        notes.append(f"{len(unread)} treated subjects were never read: they count as not evaluable, so non-responders")
    unread_lesions = _never_read(lesions)
    if unread_lesions:
        notes.append(
            f"{len(unread_lesions)} irradiated lesions were never read: they count as not evaluable, so non-responders"
            f" ({shown(unread_lesions)})"
        )
    return tuple(notes)


def _never_read(lesions: pd.DataFrame) -> list[str]:
    """Subject and lesion of each lesion that is irradiated by its treatment, and that no read knows."""
    if lesions.empty:
        return []
    reason = lesions["reason"].fillna("").astype(str)
    never = lesions[(reason == NOT_COMPUTED) | reason.str.contains(NEVER_READ, regex=False)]
    return [f"{subject} {lesion}" for subject, lesion in zip(never["subject"], never["lesion"], strict=True)]


def shown(names: Sequence[str]) -> str:
    """The first few names, and how many more there are.

    Example:
        >>> shown(["S1", "S2", "S3", "S4", "S5", "S6", "S7"])
        'S1, S2, S3, S4, S5 and 2 more'
    """
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def is_told(*, severity: str, code: str) -> bool:
    """Whether a finding of the engine is told beside the results: any error, and some warnings.

    Example:
        >>> is_told(severity="error", code="cycle-order"), is_told(severity="warning", code="visit-window")
        (True, False)
    """
    return severity == Severity.ERROR or code in TOLD_WARNINGS


def finding_notes(findings: Rows) -> tuple[str, ...]:
    """A note per kind of finding that may make a number wrong: every error, and treatments that no read agrees with.

    Args:
        findings: Of the reads that are counted.
    """
    by_code: dict[str, list[str]] = {}
    for row in findings:
        if is_told(severity=str(row["severity"]), code=str(row["code"])):
            by_code.setdefault(str(row["code"]), []).append(f"{row['subject']}: {undated(str(row['text']))}")
    return tuple(
        f"{len(texts)} findings {code}, so a number may be wrong ({shown(texts)})"
        for code, texts in sorted(by_code.items())
    )


def _adjudicated_note(adjudicated: Mapping[str, str], readers: Mapping[str, str]) -> tuple[str, ...]:
    count = len(adjudicated.keys() & readers.keys())
    return (f"{count} subjects were adjudicated: the chosen reader's reads are counted",) if count else ()


def _with_days(table: pd.DataFrame, columns: Mapping[str, str], zero: Mapping[str, date]) -> pd.DataFrame:
    """Replace ISO dates by days from the subject's day 0, and drop every other date."""
    if table.empty:
        return pd.DataFrame(columns=["subject", *columns.values()])
    start = pd.to_datetime(table["subject"].map(zero))
    for name, day in columns.items():
        if name in table:
            table[day] = (pd.to_datetime(table[name], format="%Y-%m-%d") - start).dt.days.astype(float)
    dated = [name for name in table.columns if name.endswith(("_date", "_start", "_end")) or name in ("date", *columns)]
    return table.drop(columns=dated)


def _subjects(
    rows: Rows,
    names: Sequence[str],
    course: Mapping[str, Course],
    treated: set[str],
    zero: Mapping[str, date],
) -> pd.DataFrame:
    found = {str(row["subject"]): row for row in rows}
    missing = {"bor": Response.MISSING.value, "confirmed_bor": Response.MISSING.value, "clinical_benefit": "N"}
    table = pd.DataFrame([{"subject": name, "reader": "", **missing, **found.get(name, {})} for name in names])
    if table.empty:
        return pd.DataFrame(columns=["subject", "bor", "confirmed_bor", "clinical_benefit", "treated", "read"])
    table = _with_days(table, SUBJECT_DAYS, zero)
    table["treated"] = table["subject"].isin(treated)
    table["read"] = table["subject"].isin(found)
    for column in ("death", "last_contact", "new_therapy", "cutoff"):
        field = column if column in ("last_contact", "cutoff") else f"{column}_date"
        table[f"{column}_day"] = [_day(getattr(course.get(name), field, None), zero.get(name)) for name in names]
    table["course_known"] = table["subject"].isin(course)
    return table


def _day(day: date | None, zero: date | None) -> float:
    return float("nan") if day is None or zero is None else float((day - zero).days)


def _lesions(
    rows: Rows, expected: Sequence[tuple[str, str]], light: Sequence[Irradiation], zero: Mapping[str, date]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row per lesion (its first cycle where every cycle has its own), and a row per lesion and follow-up."""
    first: dict[tuple[str, str], Mapping[str, object]] = {}
    for row in sorted(rows, key=lambda row: (str(row["subject"]), str(row["lesion"]), _cycle(row))):
        first.setdefault((str(row["subject"]), str(row["lesion"])), row)
    when: dict[tuple[str, str], date] = {}
    for each in light:
        when.setdefault((each.subject, each.lesion), each.date)
    for pair in expected:
        if pair not in first:
            first[pair] = _unread(pair, when.get(pair))
    ordered = [first[pair] for pair in sorted(first)]
    inside = [
        {**{name: row[name] for name in ("subject", "lesion", "irradiated", "measurable", "baseline_mm")}, **response}
        for row in ordered
        for response in _responses(row)
    ]
    flat = pd.DataFrame([{name: cell for name, cell in row.items() if name not in INSIDE} for row in ordered])
    table = _with_days(flat, LESION_DAYS, zero)
    return table, _with_days(pd.DataFrame(inside), {"date": "day"}, zero)


def _cycle(row: Mapping[str, object]) -> int:
    cycle = row.get("cycle")
    return cycle if isinstance(cycle, int) else 0


def _responses(row: Mapping[str, object]) -> list[Mapping[str, object]]:
    responses = row.get("responses")
    return [each for each in responses if isinstance(each, dict)] if isinstance(responses, list) else []


def _unread(pair: tuple[str, str], day: date | None) -> dict[str, object]:
    return {
        "subject": pair[0],
        "reader": "",
        "lesion": pair[1],
        "irradiated": True,
        "cycle": 1,
        "irradiated_on": None if day is None else day.isoformat(),
        "baseline_mm": None,
        "measurable": False,
        "best": Response.NE.value,
        "confirmed_best": Response.NE.value,
        "reason": NOT_COMPUTED,
        "responses": [],
    }


def _treatments(light: Sequence[Irradiation], zero: Mapping[str, date]) -> pd.DataFrame:
    rows = [
        {
            "subject": each.subject,
            "lesion": each.lesion,
            "cycle": each.cycle,
            "day": _day(each.date, zero.get(each.subject)),
        }
        for each in light
    ]
    return pd.DataFrame(rows, columns=["subject", "lesion", "cycle", "day"])


def undated(text: str) -> str:
    """A sentence of the engine without the dates it quotes.

    Example:
        >>> undated("PD on 2024-03-01 is before the start")
        'PD on (date) is before the start'
    """
    return _DATE.sub("(date)", text)


def treated_subjects(records: Records) -> pd.DataFrame:
    """The patients of patient-level endpoints: who was treated; everybody where no treatment is on record at all."""
    subjects = records.subjects
    if subjects.empty or not subjects["treated"].any():
        return subjects
    return subjects[subjects["treated"]].reset_index(drop=True)
