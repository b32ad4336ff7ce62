"""The tables of the whole study: measurements, responses, features, SDTM; subjects are asked for together, and once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from npcpit_imaging.app.collecting import collecting_rarely
from npcpit_imaging.app.delivery_tables import LEVELS, feature_rows, measurement_rows, response_rows, write_table
from npcpit_imaging.app.field_positions import read_positions, write_positions
from npcpit_imaging.app.outdated import refuse_outdated, response_state
from npcpit_imaging.app.responses import StoredReads, cases_of, response_key, stored_reads
from npcpit_imaging.app.sdtm import export_cases
from npcpit_imaging.app.stored_reads import Said, said_before
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import DateShift
from npcpit_imaging.dicom.deidentify import shift_moment
from npcpit_imaging.errors import NpcpitError, ResponseError
from npcpit_imaging.report.feature_table import write_features
from npcpit_imaging.report.sdtm_rows import ColumnRows
from npcpit_imaging.response.answers import Cell
from npcpit_imaging.response.checking import Case
from npcpit_imaging.store.adjudications import Adjudications, adjudications_on_record
from npcpit_imaging.store.bulk import StoredAnswer, answers_of_each, in_groups
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.mask_numbers import MaskNumbers, mask_numbers_of_each
from npcpit_imaging.study.lesion import Lesion

SAID_LEVELS = ("timepoint", "lesion", "subject")
"""What an SDTM export takes from stored responses; findings are in none of its datasets."""


@collecting_rarely()
def deliver_tables(study: Study) -> str:
    """Write the study's tables: measurements, responses, features (CSV; features also as Parquet, long and wide).

    Raises:
        OutdatedError: Stored responses are not those of the reads, tables and protocol as they are now.
    """
    refuse_outdated(response_state(study))
    study.deliver.mkdir(parents=True, exist_ok=True)
    with study.database.session() as session:
        codes = subjects(session)
    found = _gathered(study, codes)
    write_table(study.deliver / "measurements.csv", found.measured)
    for level, rows in found.answered.items():
        write_table(study.deliver / f"responses_{level}.csv", rows)
    counts = f"{len(found.measured)} measurements, {sum(map(len, found.answered.values()))} responses"
    for rows in (found.measured, *found.answered.values()):
        rows.clear()  # of a large study the largest things in memory
    _write_field_positions(study)
    described = feature_rows(study)
    write_features(study.deliver, described)
    return f"{counts}, {len(described)} feature values; {_write_sdtm(study, found, study.deliver / 'sdtm')}"


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What the store holds of every subject, as tables and the SDTM export take it.

    Args:
        decided: Adjudications.
        measured: Rows of measurements.csv.
        answered: Rows of responses_LEVEL.csv, by level.
        cases: Of every subject with a signed read on or before the data cut.
        said: What `respond` stored of these very records, by subject; not where reads or tables are newer.
        lesions: By name, of every subject with a signed read.
        signed: Newest signature of each subject, by code.
        refused: Why there can be no cases; the tables of what is stored are written all the same.
    """

    decided: Adjudications
    measured: ColumnRows[Cell] = field(default_factory=lambda: ColumnRows(()))
    answered: dict[str, ColumnRows[Cell]] = field(
        default_factory=lambda: {level: ColumnRows((), columns) for level, columns in LEVELS.items()}
    )
    cases: list[Case] = field(default_factory=list)
    said: dict[str, tuple[Said, ...]] = field(default_factory=dict)
    lesions: dict[str, dict[str, Lesion]] = field(default_factory=dict)
    signed: dict[str, datetime] = field(default_factory=dict)
    refused: NpcpitError | None = None


def write_sdtm(study: Study, folder: Path, codes: Sequence[str]) -> str:
    """Write SDTM of some subjects alone, as `deliver_tables` writes it of all.

    Raises:
        NpcpitError: Records from which no response can be computed.
    """
    return _write_sdtm(study, _gathered(study, codes), folder)


def _gathered(study: Study, codes: Sequence[str]) -> _Gathered:
    with study.database.session() as session:
        found = _Gathered(decided=adjudications_on_record(session))
    for group in in_groups(codes):
        with study.database.session() as session:
            stored = stored_reads(session, group)
            masks = mask_numbers_of_each(session, group)
            answers = answers_of_each(session, group, levels=tuple(LEVELS))
        _add_rows(found, stored, masks, answers)
        try:
            _add_cases(study, found, stored, answers)
        except NpcpitError as error:
            found.refused = found.refused or error
    return found


def _add_rows(
    found: _Gathered,
    stored: StoredReads,
    masks: Mapping[str, Sequence[MaskNumbers]],
    answers: Mapping[str, Sequence[StoredAnswer]],
) -> None:
    found.measured.add(list(measurement_rows(stored, masks, found.decided)))
    for level, rows in found.answered.items():
        rows.add(list(response_rows(answers, level, stored, found.decided)))


def _add_cases(
    study: Study, found: _Gathered, stored: StoredReads, answers: Mapping[str, Sequence[StoredAnswer]]
) -> None:
    """Add the cases of the subjects with a signed read; one that was read only after the data cut has none."""
    case_of = cases_of(study, stored, found.decided)
    read = [code for code, own in stored.reads.items() if own]
    found.signed |= {code: max(each.signed for each in stored.reads[code]) for code in read}
    found.lesions |= {code: {lesion.lesion_id: lesion for lesion in stored.lesions[code]} for code in read}
    cases = [case for code in read if (case := case_of(code).case) is not None]
    found.cases += cases
    found.said |= _said(study, cases, answers)


def _said(
    study: Study, cases: Iterable[Case], answers: Mapping[str, Sequence[StoredAnswer]]
) -> dict[str, tuple[Said, ...]]:
    """What `respond` stored of these very records; not of subjects whose reads or tables are newer."""
    digest = study.protocol.digest
    keys = {case.records[0].subject: response_key(case, digest) for case in cases}
    said: dict[str, tuple[Said, ...]] = {}
    for subject, key in keys.items():
        rows = [row for row in answers[subject] if row.level in SAID_LEVELS]
        if rows and all(row.key == key for row in rows):
            said[subject] = said_before(rows)
    return said


def _write_field_positions(study: Study) -> None:
    """Write field_positions.csv, a line per reader, visit and lesion; gone with fields.csv."""
    path = study.deliver / "field_positions.csv"
    path.unlink(missing_ok=True)
    with study.database.session() as session:
        codes = subjects(session)
    found = [each for code in codes for each in read_positions(study, code)]
    if found:
        write_positions(found, path)


def _write_sdtm(study: Study, found: _Gathered, folder: Path) -> str:
    """Write SDTM and ADaM-style datasets of every subject with a signed read, checks included.

    The files' own moment is the data cut, the newest signature in the study's (shifted) dates: the true one beside
    shifted dates would give the shifts away, and the same reads give the same bytes.
    """
    if found.refused is not None:
        raise found.refused
    if not found.signed:
        return "no SDTM: no signed read"
    shift = DateShift(study)
    report = export_cases(
        found.cases,
        folder,
        protocol=study.protocol,
        study_id=study.protocol.title,
        now=max(shift_moment(signed, shift.days(code)) for code, signed in found.signed.items()),
        lesions=found.lesions,
        accepted={subject: each.chosen for subject, each in found.decided.items() if not each.stale},
        said_of=lambda _: found.said,
    )
    if report.faults:
        raise ResponseError("SDTM: " + "; ".join(f"{fault.subject}: {fault.text}" for fault in report.faults))
    checks = [check.id for check in report.checks if check.hits]
    return f"SDTM {report.records['TR']} TR rows" + (f", checks to look at: {', '.join(checks)}" if checks else "")
