"""Tables of a batch: long, wide, data dictionary and outcomes, made from the cases' parts."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from npcpit_imaging.app.radiomics_parts import Part, part_path, read_part
from npcpit_imaging.app.tables import Row
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Outcome, Status
from npcpit_imaging.radiomics.table import LONG_COLUMNS, LesionTable, data_dictionary, long_rows, wide_table

CASES_A_BATCH = 100
"""Cases whose long rows are in memory at a time."""

OUTCOME_COLUMNS = ("case", "line", "status", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedTables:
    """What was written.

    Args:
        files: Every file, in the order written.
        cases_with_values: Rows of the wide tables.
    """

    files: tuple[Path, ...]
    cases_with_values: int


def export(output: Path, outcomes: Sequence[Outcome], rows: Mapping[str, Row]) -> ExportedTables:
    """Write outcomes, long and wide tables and the data dictionary of a batch.

    Args:
        output: Folder of the results.
        outcomes: One a case, in order; a part of an earlier run whose case failed now is left out.
        rows: The table's lines, by case.

    Raises:
        InputError: A file cannot be written or a part cannot be read.
    """
    try:
        return _export(output, outcomes, rows)
    except OSError as error:
        raise InputError(f"{output.name}: tables cannot be written ({error.strerror or 'unknown reason'})") from error


def _export(output: Path, outcomes: Sequence[Outcome], rows: Mapping[str, Row]) -> ExportedTables:
    files = [write_outcomes(output / "outcomes.csv", outcomes, rows)]
    by_settings: dict[str, list[LesionTable]] = {}
    with _LongTable(output) as long:
        for lesion, part in _lesions(output, outcomes, rows):
            long.add(lesion)
            if not part.reason:
                by_settings.setdefault(lesion.table.provenance.settings_digest, []).append(lesion)
    files += long.files
    for stale in output.glob("wide*"):
        stale.unlink()
    for digest, lesions in by_settings.items():
        name = "wide" if len(by_settings) == 1 else f"wide_{digest[:12]}"
        files += _write_frame(output / name, wide_table(lesions))
    every = [lesion.table for lesions in by_settings.values() for lesion in lesions]
    files.append(_write_dictionary(output / "dictionary.csv", data_dictionary(every)))
    return ExportedTables(files=tuple(files), cases_with_values=len(every))


def _lesions(output: Path, outcomes: Sequence[Outcome], rows: Mapping[str, Row]) -> Iterator[tuple[LesionTable, Part]]:
    """Tables of the cases that were computed now or are as they were; an older part of a failed case is no result."""
    for outcome in outcomes:
        part = read_part(part_path(output, outcome.case.name))
        if part is None or not part.tables or bool(part.reason) != (outcome.status is Status.FAILED):
            continue
        yield lesion_of(part, rows[outcome.case.name]), part


def lesion_of(part: Part, row: Row) -> LesionTable:
    """A part's features under the names the table gives them now."""
    return LesionTable(
        case=part.case,
        subject=row.values["subject"],
        lesion_uid=row.values["lesion"],
        time_point=row.values["timepoint"],
        reader=row.values["reader"],
        table=part.tables[0],
        created=part.created,
    )


def write_outcomes(path: Path, outcomes: Sequence[Outcome], rows: Mapping[str, Row]) -> Path:
    """Write one line a case: what became of it, and why."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(OUTCOME_COLUMNS)
        for each in outcomes:
            writer.writerow((each.case.name, rows[each.case.name].line, each.status.value, each.reason))
    return path


def _write_dictionary(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def _write_frame(path: Path, frame: pd.DataFrame) -> list[Path]:
    files = [path.with_suffix(".csv"), path.with_suffix(".parquet")]
    frame.to_csv(files[0], index=False)
    frame.to_parquet(files[1], index=False)
    return files


class _LongTable:
    """The long table as CSV and Parquet, some cases at a time, for it may be larger than memory."""

    def __init__(self, output: Path) -> None:
        self.files = [output / "long.csv", output / "long.parquet"]
        self._schema = pa.schema([(name, _ARROW[kind]) for name, kind in LONG_COLUMNS.items()])
        self._lesions: list[LesionTable] = []

    def __enter__(self) -> "_LongTable":
        self._csv = self.files[0].open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._csv, list(LONG_COLUMNS))
        self._writer.writeheader()
        self._parquet = parquet.ParquetWriter(self.files[1], self._schema)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._parquet.close()
        self._csv.close()

    def add(self, lesion: LesionTable) -> None:
        self._lesions.append(lesion)
        if len(self._lesions) == CASES_A_BATCH:
            self._flush()

    def _flush(self) -> None:
        rows = [row for lesion in self._lesions for row in long_rows(lesion)]
        self._writer.writerows(rows)
        if rows:
            self._parquet.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        self._lesions = []


_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64()}
