"""The verb ``npcpit sdtm``: measurements to SDTM (XPT v5, Dataset-JSON 1.1) and ADaM-style tables, checked."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from npcpit_imaging.app.respond import cut_case, cut_records
from npcpit_imaging.app.sdtm_readers import evaluators_of, read_readers
from npcpit_imaging.app.sdtm_reads import subject_reads
from npcpit_imaging.app.stored_reads import Said
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import InputError, NpcpitError
from npcpit_imaging.report.sdtm import Tabulation, tabulate
from npcpit_imaging.report.sdtm_adam import analysis_tables
from npcpit_imaging.report.sdtm_adam_files import write_tables
from npcpit_imaging.report.sdtm_checking import CheckResult
from npcpit_imaging.report.sdtm_checks import run_checks
from npcpit_imaging.report.sdtm_checks_structure import text_length
from npcpit_imaging.report.sdtm_files import write_datasets
from npcpit_imaging.report.sdtm_records import Evaluator, SubjectRead
from npcpit_imaging.report.sdtm_spec import LONGEST_TEXT
from npcpit_imaging.response.checking import Case
from npcpit_imaging.response.rows import Fault, Table
from npcpit_imaging.response.table import read_measurements, read_subjects, read_treatments
from npcpit_imaging.response.table_dates import with_late_starts
from npcpit_imaging.store.bulk import in_groups
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.finding import Severity
from npcpit_imaging.study.lesion import Lesion

SaidOf: TypeAlias = Callable[[Sequence[Case]], Mapping[str, Sequence[Said]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SdtmReport:
    """What an export wrote and what its checks found.

    Args:
        files: What was written.
        records: Number of rows by dataset.
        checks: What every check found.
        readers: Which evaluator each reader became.
        notes: What a person should know.
        faults: What was refused.
    """

    files: tuple[Path, ...]
    records: Mapping[str, int]
    checks: tuple[CheckResult, ...]
    readers: Mapping[str, Evaluator]
    notes: tuple[str, ...]
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """True when nothing was refused and no check of severity error found anything."""
        return not self.faults and not any(check.hits and check.severity is Severity.ERROR for check in self.checks)


def export_sdtm(
    measurements: Path,
    out: Path,
    *,
    protocol: Protocol,
    subjects: Path | None = None,
    treatments: Path | None = None,
    readers: Path | None = None,
    study_id: str = "NPC-PIT",
    now: datetime | None = None,
) -> SdtmReport:
    """Write a table of measurements and its responses as SDTM and ADaM-style datasets.

    Args:
        measurements: CSV as for ``npcpit respond``.
        out: Folder; made when it is not there.
        protocol: The study's decisions.
        subjects: CSV of treatment start, death and other dates; without it there are no study days.
        treatments: CSV of light treatments by lesion.
        readers: CSV: reader, eval, evalid; without it names that are CDISC's own words are taken as such.
        study_id: STUDYID.
        now: When the files are made; this moment when not given.

    Returns:
        What was written, what the checks found, and what was refused; other subjects are still exported.

    Raises:
        InputError: A file cannot be read or written.
        TableError: A header from which no row can be trusted.
    """
    rows, courses, treated = _tables(measurements, subjects, treatments)
    rows, cut = cut_records(rows, protocol), protocol.results.data_cut
    faults = [*rows.faults, *courses.faults, *treated.faults]
    refused = {fault.subject for fault in faults}
    stopped = sorted(refused & set(rows.by_subject))
    faults += [Fault(subject=name, line=None, text="not exported: a row was refused") for name in stopped]
    return export_cases(
        [cut_case(name, rows, courses, treated, cut) for name in sorted(set(rows.by_subject) - set(stopped))],
        out,
        protocol=protocol,
        study_id=study_id,
        now=now or datetime.now(UTC),
        readers=read_readers(readers),
        notes=_unread(rows, courses, treated),
        faults=faults,
    )


def _unread(rows: Table[Assessment], courses: Table[Course], treated: Table[Irradiation]) -> list[str]:
    """Name subjects that were listed or treated but never read, and columns that mean nothing here."""
    known = set(rows.by_subject) | {fault.subject for fault in rows.faults}
    unread = sorted((set(courses.by_subject) | set(treated.by_subject)) - known)
    notes = [f"subject {subject}: no measurement, so no row in any dataset" for subject in unread]
    return notes + [
        f"column {column} of the measurements means nothing here and was not used" for column in rows.ignored
    ]


def export_cases(
    cases: Sequence[Case],
    out: Path,
    *,
    protocol: Protocol,
    study_id: str,
    now: datetime,
    readers: Mapping[str, Evaluator] | None = None,
    lesions: Mapping[str, Mapping[str, Lesion]] | None = None,
    accepted: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    faults: Sequence[Fault] = (),
    said_of: SaidOf = lambda _: {},
) -> SdtmReport:
    """Write subjects' records and their responses; a subject that cannot be exported is a fault, the others are.

    Args:
        cases: One per subject.
        out: Folder; made when it is not there.
        protocol: The study's decisions.
        study_id: STUDYID.
        now: When the files are made.
        readers: Who the readers are, where the study says so.
        lesions: By subject and name, where a store knows tracking UID and location.
        accepted: The reader whose reads an adjudicator chose, by subject: --ACPTFL is Y on those rows.
        notes: What a person should know already.
        faults: What was refused before.
        said_of: Gives what the records of some of the cases came to, by subject, where that is known already.

    Raises:
        InputError: The folder cannot be written, or two readers are one evaluator.
    """
    if not study_id.strip():
        raise InputError("study_id: expected a STUDYID, found none")
    evaluators, unnamed = evaluators_of({r.reader for case in cases for r in case.records}, readers)
    reads: dict[str, list[SubjectRead]] = {}
    refused: dict[str, str] = {}
    for group in in_groups(cases):
        said = said_of(group)
        for case in group:
            subject = case.records[0].subject
            try:
                reads[subject] = subject_reads(
                    case,
                    protocol=protocol,
                    evaluators=evaluators,
                    lesions=(lesions or {}).get(subject),
                    accepted=(accepted or {}).get(subject),
                    said=said.get(subject, ()),
                )
            except NpcpitError as error:
                refused[subject] = str(error)
    tabulation = _tabulate_what_fits(reads, refused, protocol, study_id)
    return _write(
        [read for own in reads.values() for read in own],
        tabulation,
        out,
        protocol=protocol,
        study_id=study_id,
        now=now,
        evaluators=evaluators,
        notes=[*notes, *unnamed, *_never_read(read for own in reads.values() for read in own)],
        faults=[*faults, *_in_order(refused, cases)],
    )


def _in_order(refused: Mapping[str, str], cases: Iterable[Case]) -> list[Fault]:
    subjects = (case.records[0].subject for case in cases)
    return [Fault(subject=name, line=None, text=refused[name]) for name in subjects if name in refused]


def _tabulate_what_fits(
    reads: dict[str, list[SubjectRead]], refused: dict[str, str], protocol: Protocol, study_id: str
) -> Tabulation:
    """Tabulate everybody; subjects whose text a transport file cannot hold move to `refused` and stop no other.

    Each is looked at alone only where the whole does not fit: for all of a large study that would be everything twice.
    """
    try:
        return _fitting([read for own in reads.values() for read in own], protocol, study_id)
    except NpcpitError:
        for subject, own in list(reads.items()):
            try:
                _fitting(own, protocol, study_id)
            except NpcpitError as error:
                refused[subject] = str(error)
                del reads[subject]
    return tabulate([read for own in reads.values() for read in own], study_id=study_id, protocol=protocol)


def _fitting(reads: Sequence[SubjectRead], protocol: Protocol, study_id: str) -> Tabulation:
    tabulation = tabulate(reads, study_id=study_id, protocol=protocol)
    hit = next(text_length(tabulation), None)
    if hit is not None:
        raise InputError(f"{hit.dataset}.{hit.text}, expected at most {LONGEST_TEXT}")
    return tabulation


def _never_read(reads: Iterable[SubjectRead]) -> list[str]:
    """Name the lesions that were treated and never read: they are in the analysis, and in no SDTM row."""
    return [
        f"subject {read.subject}, {read.evaluator.code}: lesion {lesion} was treated but never read"
        for read in reads
        for lesion in sorted({t.lesion for t in read.irradiations} - {r.lesion for r in read.assessments})
    ]


def _write(
    reads: Sequence[SubjectRead],
    tabulation: Tabulation,
    out: Path,
    *,
    protocol: Protocol,
    study_id: str,
    now: datetime,
    evaluators: Mapping[str, Evaluator],
    notes: Sequence[str],
    faults: Sequence[Fault],
) -> SdtmReport:
    """Write datasets, analysis tables and the checks' findings into a folder.

    Raises:
        InputError: A file cannot be written, or holds what its form cannot.
    """
    checks = run_checks(tabulation)
    tables = analysis_tables(reads, tabulation, study_id=study_id, protocol=protocol)
    _make(out)
    files = write_datasets(tabulation.datasets.values(), out, study_id=study_id, created=now)
    files += write_tables(tables, out)
    files.append(_write_checks(checks, out / "checks.csv"))
    records = {name: len(dataset.rows) for name, dataset in tabulation.datasets.items()}
    return SdtmReport(
        files=tuple(files),
        records={**records, **{name.upper(): len(table) for name, table in tables.items()}},
        checks=checks,
        readers=dict(evaluators),
        notes=tuple(notes),
        faults=tuple(faults),
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from error


def _write_checks(checks: Iterable[CheckResult], path: Path) -> Path:
    """Write one row per hit, and one per check that found nothing."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["id", "severity", "check", "hits", "dataset", "row", "found"])
            for check in checks:
                start = [check.id, check.severity.value, check.text, len(check.hits)]
                writer.writerows([*start, hit.dataset, hit.row or "", hit.text] for hit in check.hits)
                if not check.hits:
                    writer.writerow([*start, "", "", ""])
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _tables(
    measurements: Path, subjects: Path | None, treatments: Path | None
) -> tuple[Table[Assessment], Table[Course], Table[Irradiation]]:
    courses: Table[Course] = Table(by_subject={}, faults=())
    treated: Table[Irradiation] = Table(by_subject={}, faults=())
    if subjects is not None:
        courses = read_subjects(_lines(subjects))
    if treatments is not None:
        treated = read_treatments(_lines(treatments))
    return read_measurements(_lines(measurements)), with_late_starts(courses, treated), treated


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return list(lines)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text") from error
