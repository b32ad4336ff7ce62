"""The verbs ``npcpit respond`` and ``npcpit best-response``: tables in, responses out, every refusal named."""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from npcpit_imaging.app.data_cut import cut_course, cut_light
from npcpit_imaging.config.protocol import Protocol, ShortSdRule
from npcpit_imaging.errors import InputError, ResponseError
from npcpit_imaging.response.answers import (
    Answer,
    Cell,
    benefit_word,
    finding_answers,
    flat_lesions,
    lesion_answers,
    subject_answer,
    timepoint_answers,
)
from npcpit_imaging.response.best_response import (
    DatedResponse,
    clinical_benefit,
    confirmed_best_response,
    cr_then_pr_at,
)
from npcpit_imaging.response.best_response import best_response as unconfirmed
from npcpit_imaging.response.columns import FINDING_COLUMNS, LESION_COLUMNS, SUBJECT_COLUMNS, TIMEPOINT_COLUMNS
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.rows import Fault, Table
from npcpit_imaging.response.table import (
    ResponseRow,
    read_measurements,
    read_responses,
    read_subjects,
    read_treatments,
)
from npcpit_imaging.response.table_dates import with_late_starts
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.response import Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RespondReport:
    """What ``npcpit respond`` answers.

    Args:
        protocol: Title of the protocol.
        protocol_digest: Its digest: the same digest means the same decisions.
        timepoints: One row per subject, reader and follow-up.
        lesions: One row per subject, reader, irradiated lesion and cycle.
        subjects: One row per subject and reader.
        findings: Edit checks and other things to know.
        faults: What was refused; the exit code is 0 only when there is none.
    """

    protocol: str
    protocol_digest: str
    timepoints: tuple[Answer, ...]
    lesions: tuple[Answer, ...]
    subjects: tuple[Answer, ...]
    findings: tuple[Answer, ...]
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """True when nothing was refused."""
        return not self.faults

    def to_json(self) -> Answer:
        """Give the report as values for `json.dumps`."""
        return {
            "protocol": self.protocol,
            "protocol_digest": self.protocol_digest,
            "timepoints": list(self.timepoints),
            "lesions": list(self.lesions),
            "subjects": list(self.subjects),
            "findings": list(self.findings),
            "faults": _fault_answers(self.faults),
        }

    def tables(self) -> dict[str, str]:
        """Give the CSV files by name: timepoints, lesions, subjects, findings."""
        return {
            "timepoints.csv": to_csv(self.timepoints, TIMEPOINT_COLUMNS),
            "lesions.csv": to_csv(flat_lesions(self.lesions), LESION_COLUMNS),
            "subjects.csv": to_csv(self.subjects, SUBJECT_COLUMNS),
            "findings.csv": to_csv(self.findings, FINDING_COLUMNS),
        }

    def write_csv(self, folder: Path) -> tuple[Path, ...]:
        """Write the CSV files into a folder, which is made when it is not there.

        Raises:
            InputError: The folder cannot be written.
        """
        tables = self.tables()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in tables.items():
                (folder / name).write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
        return tuple(folder / name for name in tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestResponseReport:
    """What ``npcpit best-response`` answers.

    Args:
        subjects: One row per subject: bor, bor_date, confirmed_bor, confirmed_bor_date and why.
        faults: What was refused; the exit code is 0 only when there is none.
    """

    subjects: tuple[Answer, ...]
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """True when nothing was refused."""
        return not self.faults

    def to_json(self) -> Answer:
        """Give the report as values for `json.dumps`."""
        return {"subjects": list(self.subjects), "faults": _fault_answers(self.faults)}


def respond(
    measurements: Path, *, protocol: Protocol, subjects: Path | None = None, treatments: Path | None = None
) -> RespondReport:
    """Compute every response of a table of measurements.

    Args:
        measurements: CSV, one lesion at one time point by one reader a row.
        protocol: The study's decisions.
        subjects: CSV of treatment start, death and other dates; without it what needs them is NA.
        treatments: CSV of light treatments by lesion.

    Returns:
        The answers of every subject that could be computed, and what was refused.

    Raises:
        InputError: A file cannot be read.
        TableError: A header from which no row can be trusted.
    """
    rows = cut_records(_open(measurements, read_measurements), protocol)
    treated = _open(treatments, read_treatments)
    courses = with_late_starts(_open(subjects, read_subjects), treated)
    faults = [*rows.faults, *courses.faults, *treated.faults]
    refused = {fault.subject for fault in faults}
    report: dict[str, list[Answer]] = {"timepoints": [], "lesions": [], "subjects": [], "findings": []}
    for subject in sorted(rows.by_subject):
        if subject in refused:
            continue
        case = cut_case(subject, rows, courses, treated, protocol.results.data_cut)
        try:
            _add(report, case, protocol)
        except ResponseError as error:
            faults.append(Fault(subject=subject, line=None, text=str(error)))
    faults += _not_computed(rows.by_subject, refused)
    _add_unread(report, rows, courses, treated, protocol)
    return RespondReport(
        protocol=protocol.title,
        protocol_digest=protocol.digest,
        **{name: tuple(answers) for name, answers in report.items()},
        faults=tuple(faults),
    )


def cut_case(
    subject: str, rows: Table[Assessment], courses: Table[Course], treated: Table[Irradiation], cut: date | None
) -> Case:
    """A subject's records, course and light up to the data cut; the records are cut by `cut_records` already."""
    course = [cut_course(each, cut) for each in courses.by_subject.get(subject, ())[:1]]
    light, later = cut_light(treated.by_subject.get(subject, ()), course, cut)
    return Case(
        records=without_light(rows.by_subject[subject], {lesion for _, lesion in later}),
        course=course[0] if course else None,
        irradiations=tuple(light),
    )


def without_light(records: Iterable[Assessment], lesions: Collection[str]) -> tuple[Assessment, ...]:
    """Records in which some lesions, treated after the data cut only, are not marked as irradiated."""
    return tuple(replace(one, irradiated=False) if one.lesion in lesions else one for one in records)


def cut_records(rows: Table[Assessment], protocol: Protocol) -> Table[Assessment]:
    """Leave out the records after the protocol's data cut; a subject without an earlier one has no read."""
    cut = protocol.results.data_cut
    if cut is None:
        return rows
    kept = {name: tuple(one for one in own if one.date <= cut) for name, own in rows.by_subject.items()}
    return replace(rows, by_subject={name: own for name, own in kept.items() if own})


def _add(report: Mapping[str, list[Answer]], case: Case, protocol: Protocol) -> None:
    answers = respond_case(case, protocol=protocol)
    if len(answers) > 1 and sum(bool(answer.for_analysis) for answer in answers) != 1:
        wanted = protocol.reader_for_analysis
        text = f"{len(answers)} readers; expected one whose evaluator is {wanted} (reader_for_analysis)"
        report["findings"].append(_finding(answers[0].subject, "reader-for-analysis", "warning", text))
    for answer in answers:
        report["timepoints"] += timepoint_answers(answer)
        report["lesions"] += lesion_answers(answer)
        report["subjects"].append(subject_answer(answer))
        report["findings"] += finding_answers(answer)


def _not_computed(by_subject: Iterable[str], refused: set[str]) -> list[Fault]:
    text = "not computed: a response from the remaining rows could be wrong"
    return [Fault(subject=name, line=None, text=text) for name in sorted(refused & set(by_subject))]


def _add_unread(
    report: Mapping[str, list[Answer]],
    rows: Table[Assessment],
    courses: Table[Course],
    treated: Table[Irradiation],
    protocol: Protocol,
) -> None:
    """Say which subjects were treated or listed but never read: in the analysis they are non-responders."""
    read = set(rows.by_subject) | {fault.subject for fault in rows.faults}
    for subject in sorted((set(courses.by_subject) | set(treated.by_subject)) - read):
        best = (Response.NE if protocol.missing_as_ne else Response.MISSING).value
        text = "no measurement of this subject"
        report["subjects"].append(
            {"subject": subject, "reader": "", "bor": best, "bor_rule": text, "confirmed_bor": best}
        )
        report["findings"].append(_finding(subject, "subject-without-read", "warning", text))
    for column in rows.ignored:
        text = f"the column {column} of the measurements means nothing here and was not used"
        report["findings"].append(_finding("", "column-ignored", "info", text))
    if not read:
        report["findings"].append(_finding("", "table-empty", "warning", "the measurements have no row"))
    for names in _alike(read):
        text = f"the subjects {' and '.join(names)} differ only in case or in how a letter is written: one or two?"
        report["findings"].append(_finding(names[0], "subjects-alike", "warning", text))


def _finding(subject: str, code: str, severity: str, text: str) -> Answer:
    return {"subject": subject, "reader": "", "code": code, "severity": severity, "text": text}


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Group the names that look the same."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(unicodedata.normalize("NFKC", name).casefold(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def best_response(responses: Path, *, protocol: Protocol) -> BestResponseReport:
    """Compute best overall responses from a table of time-point responses.

    Args:
        responses: CSV: subject, date, response and, where known, reference_date and pd_date.
        protocol: ``min_sd_days``, ``ref_confirm``, ``max_nr_ne``, ``accept_sd``, ``missing_as_ne``, ``short_sd_rule``,
            ``cr_then_pr``. Under ``short_sd_rule = admiral`` only a given pd_date ends the window, as in admiralonco;
            under ``table3`` the first PD in the table does too, and a response before the reference date is refused.

    Raises:
        InputError: The file cannot be read.
        TableError: A header from which no row can be trusted.
    """
    rows = _open(responses, read_responses)
    faults = list(rows.faults)
    refused = {fault.subject for fault in faults}
    answers: list[Answer] = []
    for subject in sorted(set(rows.by_subject) - refused):
        try:
            answers.append(_best_answer(subject, rows.by_subject[subject], protocol))
        except ResponseError as error:
            faults.append(Fault(subject=subject, line=None, text=str(error)))
    faults += _not_computed(rows.by_subject, refused)
    return BestResponseReport(subjects=tuple(answers), faults=tuple(faults))


def _best_answer(subject: str, rows: Sequence[ResponseRow], protocol: Protocol) -> Answer:
    records = [row.dated for row in rows if row.dated is not None]
    reference = _only("reference_date", [row.reference for row in rows])
    pd_date = _only("pd_date", [row.pd_date for row in rows])
    if protocol.short_sd_rule is ShortSdRule.TABLE3:  # admiralonco takes dates as they are stated
        _refuse_before(reference, records)
        first_pd = (record.date for record in records if record.response is Response.PD)
        pd_date = min([*first_pd, *([] if pd_date is None else [pd_date])], default=None)
    best = unconfirmed(records, protocol=protocol, reference=reference, pd_date=pd_date)
    confirmed = confirmed_best_response(records, protocol=protocol, reference=reference, pd_date=pd_date)
    benefit = clinical_benefit(records, protocol=protocol, reference=reference, pd_date=pd_date)
    query = cr_then_pr_at(records, pd_date=pd_date)
    return {
        "subject": subject,
        "bor": best.response.value,
        "bor_date": None if best.date is None else best.date.isoformat(),
        "confirmed_bor": confirmed.response.value,
        "confirmed_bor_date": None if confirmed.date is None else confirmed.date.isoformat(),
        "clinical_benefit": benefit_word(benefit),
        "clinical_benefit_date": None if benefit.date is None else benefit.date.isoformat(),
        "bor_rule": best.rule.text,
        "confirmed_bor_rule": confirmed.rule.text,
        "query": None if query is None else f"PR on {query} after CR: was the CR real? (table 3, footnote a)",
    }


def _refuse_before(reference: date | None, records: Iterable[DatedResponse]) -> None:
    for record in records:
        if reference is not None and record.date < reference:
            raise ResponseError(f"{record.response} on {record.date} is before the reference_date {reference}")


def _only(column: str, values: Iterable[T | None]) -> T | None:
    found = {value for value in values if value is not None}
    if len(found) > 1:
        raise ResponseError(f"expected one {column}, found {len(found)} different ones")
    return found.pop() if found else None


def _open(path: Path | None, reader: Callable[[Iterable[str]], Table[T]]) -> Table[T]:
    """Read a table; no file is an empty table."""
    if path is None:
        return Table(by_subject={}, faults=())
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return reader(lines)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text") from error


def _fault_answers(faults: Iterable[Fault]) -> list[Cell]:
    return [{"subject": fault.subject, "line": fault.line, "text": fault.text} for fault in faults]


def to_csv(rows: Iterable[Answer], columns: Sequence[str] = ()) -> str:
    """Write rows as CSV: empty for None, JSON for lists.

    Args:
        rows: The rows.
        columns: The first columns, there also without any row; other columns follow in order of appearance.
    """
    table = list(rows)
    columns = list(dict.fromkeys([*columns, *(name for row in table for name in row)]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    names = tuple(columns)
    in_order = (row.values() if tuple(row) == names else map(row.get, names) for row in table)
    writer.writerows([cell if type(cell) in _AS_IS else _cell(cell) for cell in cells] for cells in in_order)
    return text.getvalue()


def csv_cells(cells: Sequence[Cell]) -> Sequence[Cell]:
    """A column as `to_csv` writes it; most hold nothing but text and numbers, and are not gone through cell by cell."""
    return cells if _AS_IS.issuperset(map(type, cells)) else [c if type(c) in _AS_IS else _cell(c) for c in cells]


_AS_IS = frozenset({str, int, float, type(None)})
"""What a CSV writer writes as `_cell` would, in C; true and false are no int here."""


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, int | float):
        return str(cell).lower()  # true and false, as in JSON
    if isinstance(cell, list) and all(isinstance(item, str) for item in cell):
        return " ".join(str(item) for item in cell)
    return json.dumps(cell)
