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
from npcpit_imaging.study.response import Response

Rows = Sequence[Mapping[str, object]]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

NOT_COMPUTED = "treated, but nothing of it was read: not evaluable"

SUBJECT_DAYS = {"bor_date": "bor_day", "pd_date": "pd_day", "new_out_of_field_date": "out_of_field_day"}
LESION_DAYS = {
    "irradiated_on": "irradiated_day",
    "best_date": "best_day",
    "confirmed_best_date": "confirmed_best_day",
    "to_progression_end": "to_progression_end_day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the response engine answered, as plain rows (docs/respond.md).

    Args:
        subjects: A row per subject and reader.
        lesions: A row per subject, reader, lesion and cycle, its responses inside (``responses``).
        timepoints: A row per subject, reader and follow-up.
    """

    subjects: Rows
    lesions: Rows
    timepoints: Rows


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
    zero, without = _days_zero(course, light, baselines, answers, readers)
    names = sorted(treated | set(readers))
    known = {**dict.fromkeys(names, ""), **readers}

    def own(rows: Rows) -> list[Mapping[str, object]]:
        return [row for row in rows if readers.get(str(row["subject"])) == row["reader"]]

    subjects = _subjects(own(answers.subjects), names, course, treated, zero)
    expected = sorted(
        {(each.subject, each.lesion) for each in light if counted(each.subject, each.lesion)} | set(marked)
    )
    of_lesions = [row for row in own(answers.lesions) if counted(str(row["subject"]), str(row["lesion"]))]
    lesions, inside = _lesions(of_lesions, expected, light, zero)
    timepoints = _with_days(pd.DataFrame(own(answers.timepoints)), {"date": "day"}, zero)
    return Records(
        subjects=subjects,
        lesions=lesions,
        lesion_timepoints=inside,
        timepoints=timepoints,
        treatments=_treatments(light, zero),
        readers=known,
        notes=(*_notes(without, names, readers, lesions), *_adjudicated_note(adjudicated, readers)),
    )


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
    without: Sequence[str], names: Sequence[str], readers: Mapping[str, str], lesions: pd.DataFrame
) -> tuple[str, ...]:
    unread = [name for name in names if name not in readers]
    notes = []
    if without:
        notes.append(f"{len(without)} subjects without a treatment date: their days count from the baseline images")
    if unread:
        notes.append(f"{len(unread)} treated subjects were never read: they count as not evaluable, so non-responders")
    added = int((lesions["reason"] == NOT_COMPUTED).sum()) if len(lesions) else 0
    if added:
        notes.append(f"{added} irradiated lesions were never read: they count as not evaluable, so non-responders")
    return tuple(notes)


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
    flat = pd.DataFrame([{name: cell for name, cell in row.items() if name != "responses"} for row in ordered])
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


def best_change(changes: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Best (smallest) change of each unit before its progression; at progression where there is none before.

    Args:
        changes: ``keys``, change_percent, counted (bool), progression (bool): a row per follow-up.
        keys: Columns that name a unit.
    """
    known = changes[changes["counted"] & changes["change_percent"].notna()]
    if known.empty:
        return pd.DataFrame(columns=[*keys, "best_change_percent", "at_progression"])
    before = known[~known["progression"]].groupby(list(keys), sort=True)["change_percent"].min()
    at = known[known["progression"]].groupby(list(keys), sort=True)["change_percent"].min()
    best = before.combine_first(at).rename("best_change_percent").reset_index()
    index = pd.MultiIndex.from_frame(best[list(keys)]) if len(keys) > 1 else pd.Index(best[keys[0]])
    best["at_progression"] = ~index.isin(before.index)
    return best


def lesion_changes(records: Records) -> pd.DataFrame:
    """Change of each measurable lesion from its own baseline at each follow-up, and whether it counts."""
    table = records.lesion_timepoints
    if table.empty:
        return pd.DataFrame(
            columns=["subject", "lesion", "day", "change_percent", "counted", "progression", "response"]
        )
    base = table["baseline_mm"].astype(float)
    value = table["value_mm"].astype(float)
    change = 100.0 * (value - base) / base.where(base > 0)
    change = change.where(table["measurable"].astype(bool))
    return pd.DataFrame(
        {
            "subject": table["subject"],
            "lesion": table["lesion"],
            "irradiated": table["irradiated"].astype(bool),
            "timepoint": table["timepoint"],
            "day": table["day"],
            "value_mm": value,
            "change_percent": change,
            "response": table["response"],
            "counted": ~table["after_stop"].astype(bool) & (table["day"] >= 0),
            "progression": table["response"] == Response.PD.value,
        }
    )


def subject_changes(records: Records) -> pd.DataFrame:
    """Change of each subject's sum from baseline at each follow-up: change_percent, counted, progression."""
    table = records.timepoints
    if table.empty or "overall" not in table:
        return pd.DataFrame(
            columns=["subject", "day", "change_percent", "counted", "progression", "response", "in_spider"]
        )
    return pd.DataFrame(
        {
            "subject": table["subject"],
            "timepoint": table["timepoint"],
            "day": table["day"],
            "sum_mm": table["sum_mm"].astype(float),
            "change_percent": table["change_percent"].astype(float),
            "response": table["overall"],
            "counted": table["excluded"].fillna("") == "",
            "progression": table["overall"] == Response.PD.value,
            "in_spider": table["in_spider"].astype(bool),
        }
    )


def undated(text: str) -> str:
    """A sentence of the engine without the dates it quotes.

    Example:
        >>> undated("PD on 2024-03-01 is before the start")
        'PD on (date) is before the start'
    """
    return _DATE.sub("(date)", text)
