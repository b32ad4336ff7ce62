"""The ADaM-style tables as files: each as CSV and Parquet."""

import csv
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from npcpit_imaging.errors import InputError
from npcpit_imaging.report.sdtm_rows import Cell, ColumnRows


def write_tables(tables: Mapping[str, ColumnRows[Cell]], folder: Path) -> list[Path]:
    """Write each table as CSV and Parquet.

    Raises:
        InputError: A file cannot be written.
    """
    written: list[Path] = []
    try:
        for name, rows in tables.items():
            frame = pd.DataFrame(dict(rows.columns))
            _write_csv(frame, rows, folder / f"{name}.csv")
            frame.to_parquet(folder / f"{name}.parquet", index=False)
            written += [folder / f"{name}.csv", folder / f"{name}.parquet"]
    except OSError as error:
        raise InputError(f"{folder.name}: cannot be written: {error.strerror}") from error
    return written


def _write_csv(frame: pd.DataFrame, rows: ColumnRows[Cell], path: Path) -> None:
    """Write what `DataFrame.to_csv` would: text from the rows themselves, which the frame holds in another form."""
    columns = [_numbers(frame[name]) if is_numeric_dtype(frame[name]) else own for name, own in rows.columns.items()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(frame.columns)
        writer.writerows(zip(*columns, strict=True))


def _numbers(column: "pd.Series[float] | pd.Series[int]") -> Sequence[float | None]:
    return [None if isnan(number) else number for number in column.tolist()]
