"""The verb ``npcpit analyse``: a study's results from tables alone, without a study folder or images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from npcpit_imaging.analysis.adverse import event_table
from npcpit_imaging.analysis.profiles import Profiles
from npcpit_imaging.analysis.records import Answers, Records, gather
from npcpit_imaging.analysis.study_results import Inputs, compute
from npcpit_imaging.app.profile_tables import declared_tables, read_stability
from npcpit_imaging.app.respond import RespondReport, respond
from npcpit_imaging.app.result_files import Provenance, write_results
from npcpit_imaging.app.results import NO_DATA_CUT, cycle_table, day_zero, icc_of, readers_words
from npcpit_imaging.app.study_tables import cut_tables, parsed_table
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import InputError
from npcpit_imaging.response.rows import Fault
from npcpit_imaging.response.table import read_measurements
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.timepoint import BASELINE


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseFiles:
    """The tables that are given.

    Args:
        measurements: As for ``npcpit respond``.
        subjects: Treatment start, death and other dates.
        treatments: Light treatments by lesion.
        adverse_events: CTCAE terms and grades.
        cycles: Infusion and illumination of each cycle.
        profiles: Folder with dictionary.toml and the tables it declares.
        stability: Of ``npcpit radiomics --cases --perturb``.
    """

    measurements: Path
    subjects: Path | None = None
    treatments: Path | None = None
    adverse_events: Path | None = None
    cycles: Path | None = None
    profiles: Path | None = None
    stability: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseReport:
    """What was written, and what was refused.

    Args:
        said: One line.
        folder: Where.
        faults: Refused rows and subjects; results are then not written.
        notes: What a reader of the results must know first, as on their page.
    """

    said: str
    folder: Path
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The report for a program."""
        faults = [{"subject": each.subject, "line": each.line, "text": each.text} for each in self.faults]
        return {"said": self.said, "folder": str(self.folder), "faults": faults, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """The report for a person."""
        where = [f"line {each.line}: " if each.line else "" for each in self.faults]
        faults = [f"{line}{each.subject}: {each.text}" for line, each in zip(where, self.faults, strict=True)]
        return [*faults, *self.notes, self.said if self.faults else f"{self.said} in {self.folder}"]


def analyse(files: AnalyseFiles, output: Path, *, protocol: Protocol) -> AnalyseReport:
    """Compute responses and every result from tables, and write them into a folder.

    Args:
        files: The tables.
        output: Folder for tables, figures and results.html; must not hold anything else.
        protocol: The study's decisions.

    Raises:
        InputError: A file cannot be read, or the folder holds something else.
        TableError: A table cannot be used.
        ReaderChoiceError: The reader of the analysis is not clear.
    """
    _require_own(output)
    report = respond(files.measurements, protocol=protocol, subjects=files.subjects, treatments=files.treatments)
    if report.faults:
        return AnalyseReport(
            said="nothing written: a result without the refused rows could be wrong",
            folder=output,
            faults=report.faults,
        )
    inputs = table_inputs(files, report, protocol=protocol)
    results = compute(inputs, protocol=protocol, icc=icc_of)
    cut = protocol.results.data_cut
    provenance = Provenance(
        title=protocol.title,
        protocol_digest=protocol.digest,
        data_cut=NO_DATA_CUT.replace("in the store", "in the tables") if cut is None else cut.isoformat(),
        readers=readers_words(inputs.records),
        inputs_digest=_digest(files),
    )
    said = write_results(results, output, provenance=provenance)
    return AnalyseReport(said=said, folder=output, faults=(), notes=results.records.notes)


def _require_own(output: Path) -> None:
    ours = {"tables", "figures", "results.html"}
    if output.exists() and (not output.is_dir() or {each.name for each in output.iterdir()} - ours):
        raise InputError(f"{output}: expected no folder, an empty one or earlier results, found something else")


def table_inputs(files: AnalyseFiles, report: RespondReport, *, protocol: Protocol) -> Inputs:
    """Gather what results are computed from out of tables and the responses computed from them.

    Args:
        files: The tables.
        report: Their responses, without a fault.
        protocol: The study's decisions.

    Raises:
        TableError: A table cannot be used.
        ReaderChoiceError: The reader of the analysis is not clear.
    """
    dated = cut_tables(
        subjects=files.subjects,
        treatments=files.treatments,
        adverse_events=files.adverse_events,
        cycles=files.cycles,
        data_cut=protocol.results.data_cut,
    )
    measured = [
        row
        for rows in parsed_table(files.measurements, read_measurements).by_subject.values()
        for row in rows
        if dated.cuts.keeps(row.subject, row.date)
    ]
    first = _baselines(measured)
    records = gather(
        Answers(
            subjects=report.subjects, lesions=report.lesions, timepoints=report.timepoints, findings=report.findings
        ),
        courses=dated.courses,
        irradiations=dated.irradiations,
        baselines=first,
        reader=protocol.results.analysis_reader,
    )
    zero = day_zero(records, dated, first)
    cycles = cycle_table(dated.cycles, records, zero)

    def day_of(subject: str, day: date) -> float | None:
        known = subject in zero and dated.cuts.keeps(subject, day)
        return float((day - zero[subject]).days) if known else None

    return Inputs(
        records=records,
        profiles=Profiles(
            sizes=_sizes(measured, records),
            lesions=_flags(measured, records),
            radiomics=pd.DataFrame(columns=["subject", "lesion"]),
            declared=[] if files.profiles is None else declared_tables(files.profiles, day_of=day_of),
            icc_lower={} if files.stability is None else read_stability(files.stability),
            shuffled=pd.DataFrame(columns=["subject", "lesion"]),
        ),
        events=None if files.adverse_events is None else event_table(dated.events, cycles, zero),
        cycles=cycles,
        measurements=_measurements(measured),
        all_subjects=report.subjects,
        later_events=dated.later_events,
    )


def _baselines(measured: Sequence[Assessment]) -> dict[str, date]:
    """Date of each subject's visit named BASELINE, else of its earliest."""
    found: dict[str, date] = {}
    for row in sorted(measured, key=_baseline_first):
        found.setdefault(row.subject, row.date)
    return found


def _baseline_first(row: Assessment) -> tuple[bool, date]:
    return row.timepoint.upper() != BASELINE, row.date


def _mm(tenths: int | None) -> float | None:
    return None if tenths is None else tenths / 10


def _at_baseline(measured: Sequence[Assessment], records: Records) -> list[Assessment]:
    """The chosen reader's rows of each subject's baseline, which the response engine takes too."""
    own = [row for row in measured if records.readers.get(row.subject) == row.reader]
    names: dict[str, str] = {}
    for row in sorted(own, key=_baseline_first):
        names.setdefault(row.subject, row.timepoint)
    return [row for row in own if row.timepoint == names[row.subject]]


def _sizes(measured: Sequence[Assessment], records: Records) -> pd.DataFrame:
    rows = [
        (row.subject, row.lesion, _mm(row.longest_diameter), _mm(row.short_axis))
        for row in _at_baseline(measured, records)
    ]
    return pd.DataFrame(rows, columns=["subject", "lesion", "longest_diameter_mm", "short_axis_mm"])


def _flags(measured: Sequence[Assessment], records: Records) -> pd.DataFrame:
    rows = [(row.subject, row.lesion, row.nodal, row.prior_rt) for row in _at_baseline(measured, records)]
    return pd.DataFrame(rows, columns=["subject", "lesion", "nodal", "prior_rt"])


def _measurements(measured: Sequence[Assessment]) -> pd.DataFrame:
    rows = [(row.subject, row.timepoint, row.lesion, row.reader, _mm(row.size)) for row in measured]
    table = pd.DataFrame(rows, columns=["subject", "timepoint", "lesion", "reader", "size_mm"])
    return table.assign(size_mm=pd.to_numeric(table["size_mm"]))


def _digest(files: AnalyseFiles) -> str:
    given = (files.measurements, files.subjects, files.treatments, files.adverse_events, files.cycles, files.stability)
    inside = sorted(each for each in files.profiles.glob("*") if each.is_file()) if files.profiles else []
    state = hashlib.sha256()
    for path in (*given, *inside):
        if path is not None and path.exists():
            state.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return state.hexdigest()
