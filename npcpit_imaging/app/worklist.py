"""A core lab's work list: which studies are to be pulled, one row of a CSV table each."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.archive import StudyQuery
from npcpit_imaging.errors import InputError, TableError

COLUMNS = ("patient_id", "accession", "study_uid", "date_from", "date_to", "modality", "subject")
"""Columns of a work list; each may be absent, but one of the first three must have a value in every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """A row as it stands in the table.

    Args:
        line: The line of the file; the header is line 1.
        values: Column to text.
    """

    line: int
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """What one row asks for.

    Args:
        line: The line of the file.
        query: Which studies.
        modalities: Which modalities; empty for the site's rule.
        subject: The subject code of the patient; empty where the subject table, or minting, decides.
    """

    line: int
    query: StudyQuery
    modalities: tuple[str, ...] = ()
    subject: str = ""


def read_worklist(path: Path) -> list[RawRow]:
    """Read a work list; its rows are judged one by one, so that one bad row never hides another.

    Raises:
        InputError: The file cannot be read, has a column nobody knows or none that names a study, or no rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            _check_columns(path, reader.fieldnames or ())
            rows = [RawRow(line=reader.line_num, values=_plain(row)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: cannot be read as a UTF-8 CSV table") from error
    if not rows:
        raise InputError(f"{path.name}: expected rows, found none")
    return rows


def _check_columns(path: Path, found: Sequence[str]) -> None:
    unknown = sorted(set(found) - set(COLUMNS))
    if unknown:
        raise InputError(f"{path.name}: expected the columns {', '.join(COLUMNS)}, found {', '.join(unknown)}")
    if not set(found) & set(COLUMNS[:3]):
        raise InputError(f"{path.name}: expected a column patient_id, accession or study_uid, found none of them")


def _plain(row: Mapping[str | None, str | list[str] | None]) -> dict[str, str]:
    """Texts without blanks around them; a surplus cell makes the row one that `parse_row` refuses."""
    return {str(column): value.strip() if isinstance(value, str) else "surplus" for column, value in row.items()}


def parse_row(row: RawRow, pacs: PacsSite) -> WorkRow:
    """Judge a row; the site's date window holds where the row has none.

    Raises:
        TableError: It cannot be asked; the message names the line and never a value that names a patient.
    """
    values = row.values
    if not set(values) <= set(COLUMNS):
        raise TableError("expected as many cells as columns, found more", line=row.line)
    try:
        query = StudyQuery(
            patient_id=values.get("patient_id", ""),
            accession=values.get("accession", ""),
            study_uid=values.get("study_uid", ""),
            date_from=_day(values, "date_from") or pacs.date_from,
            date_to=_day(values, "date_to") or pacs.date_to,
        )
    except InputError as error:
        raise TableError(str(error), line=row.line) from error
    modalities = tuple(values.get("modality", "").replace("|", " ").upper().split())
    return WorkRow(line=row.line, query=query, modalities=modalities, subject=values.get("subject", ""))


def _day(values: Mapping[str, str], column: str) -> date | None:
    text = values.get(column, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError(f"{column}: expected a day as 2026-01-31, found something else") from error
