"""The tables beside the images that a dictionary declares (clinical factors, IHC, ctDNA), read and checked."""

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from npcpit_imaging.analysis.profiles import Declared
from npcpit_imaging.app.tables import YES_NO, Row, read_table
from npcpit_imaging.config.base import load
from npcpit_imaging.config.variables import Dictionary, Kind, Variable
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.response.table_dates import read_date
from npcpit_imaging.study.timepoint import BASELINE

DICTIONARY = "dictionary.toml"

NEGLIGIBLE = ("", "NA", "ND")
"""Cells that say nothing: empty, not available, not done. A value below detection is a number of the dictionary."""

DayOf = Callable[[str, date], float | None]
"""Days from a subject's first treatment to a date of its tables; None where the first treatment is not known."""


def dictionary_of(folder: Path) -> Dictionary:
    """Read a folder's dictionary; a folder without one declares nothing.

    Raises:
        ConfigError: The dictionary cannot be used.
        InputError: A table lies there that no variable names.
    """
    path = folder / DICTIONARY
    if not path.exists():
        stray = sorted(each.name for each in folder.glob("*.csv")) if folder.is_dir() else []
        if stray:
            raise InputError(f"{folder.name}: expected {DICTIONARY} beside {', '.join(stray)}, found none")
        return Dictionary()
    return load(path, Dictionary)


def declared_tables(folder: Path, *, day_of: DayOf) -> list[Declared]:
    """Read every declared variable of a folder, each value checked against the dictionary.

    Args:
        folder: ``tables/profiles`` of a study, or any.
        day_of: Makes days of a date.

    Raises:
        ConfigError: The dictionary cannot be used.
        InputError: A file or one of its columns is missing or not declared.
        TableError: A value is not what the dictionary says; the message names file, line and column.
    """
    dictionary = dictionary_of(folder)
    found: list[Declared] = []
    for file in dict.fromkeys(each.file for each in dictionary.variables):
        found += _of_file(folder / file, dictionary.of(file), day_of)
    return found


def _of_file(path: Path, variables: Sequence[Variable], day_of: DayOf) -> list[Declared]:
    keys = variables[0].keys
    rows = read_table(path, required=(*keys, *(each.name for each in variables)))
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row.text(name) for name in keys)
        if key in seen:
            raise TableError(f"{path.name}: {', '.join(key)} stands in line {seen[key]} already", line=row.line)
        seen[key] = row.line
    return [
        Declared(
            variable=each,
            table=pd.DataFrame(
                [
                    {**{name: row.text(name) for name in keys}, each.name: _value(path, row, each, day_of)}
                    for row in rows
                ],
                columns=[*keys, each.name],
            ),
        )
        for each in variables
    ]


def _value(path: Path, row: Row, variable: Variable, day_of: DayOf) -> object:
    text = row.values[variable.name]
    if text in NEGLIGIBLE:
        return None
    try:
        return _READERS[variable.kind](text, variable, row.text("subject"), day_of)
    except ValueError as error:
        raise TableError(f"{path.name}: {variable.name}: {error}", line=row.line) from error


def _number(text: str, variable: Variable, _subject: str, _day_of: DayOf) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"expected a number, found '{text}'") from error
    low, high = variable.minimum, variable.maximum
    if not (value == value and abs(value) != float("inf")):  # noqa: PLR0124  # NaN is not equal to itself
        raise ValueError(f"expected a finite number, found '{text}'")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"expected {_range(low, high)} {variable.unit}, found {text}")
    return value


def _range(low: float | None, high: float | None) -> str:
    ends = [f"{low:g} or more" if low is not None else "", f"{high:g} or less" if high is not None else ""]
    return " and ".join(end for end in ends if end)


def _word(text: str, variable: Variable, _subject: str, _day_of: DayOf) -> str:
    if text not in variable.allowed:
        raise ValueError(f"expected one of {', '.join(variable.allowed)}; found '{text}'")
    return text


def _flag(text: str, _variable: Variable, _subject: str, _day_of: DayOf) -> bool:
    if text.lower() not in YES_NO:
        raise ValueError(f"expected yes or no, found '{text}'")
    return YES_NO[text.lower()]


def _days(text: str, _variable: Variable, subject: str, day_of: DayOf) -> float | None:
    return day_of(subject, read_date(text))


_READERS: dict[Kind, Callable[[str, Variable, str, DayOf], object]] = {
    Kind.NUMBER: _number,
    Kind.CATEGORY: _word,
    Kind.FLAG: _flag,
    Kind.DATE: _days,
}


def read_stability(path: Path) -> dict[str, float]:
    """Lower bounds of ICC(2,1) by feature, from the table that ``npcpit radiomics --cases --perturb`` writes.

    Raises:
        InputError: The file cannot be read or lacks a column.
        TableError: A bound is no number.
    """
    if not path.exists():
        return {}
    found: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), start=2):
                found |= _bound(path, number, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: cannot be read as a table") from error
    return found


def _bound(path: Path, line: int, row: Mapping[str, str | None]) -> dict[str, float]:
    if row.get("feature") is None or row.get("icc_2_1_lower") is None:
        raise InputError(f"{path.name}: expected columns feature and icc_2_1_lower, found {', '.join(row)}")
    text = str(row["icc_2_1_lower"])
    if text == "":
        return {}
    try:
        return {str(row["feature"]): float(text)}
    except ValueError as error:
        raise TableError(f"{path.name}: icc_2_1_lower: expected a number, found '{text}'", line=line) from error


def read_shuffled(path: Path) -> pd.DataFrame:
    """Features of shuffled voxels at baseline, from the table that ``npcpit radiomics --cases --shuffle`` writes.

    Args:
        path: The table; none is no row.

    Returns:
        subject, lesion and a column per feature.

    Raises:
        InputError: The file cannot be read, lacks a column, or names a lesion twice.
    """
    if not path.exists():
        return pd.DataFrame(columns=["subject", "lesion"])
    try:
        table = pd.read_csv(path, dtype={"subject": str, "lesion": str, "timepoint": str})
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read as a table") from error
    missing = [name for name in ("subject", "lesion", "timepoint") if name not in table]
    if missing:
        raise InputError(f"{path.name}: expected columns subject, lesion and timepoint, found no {', '.join(missing)}")
    own = table[table["timepoint"] == BASELINE].drop(columns=["timepoint", "case", "reader"], errors="ignore")
    twice = int(own.duplicated(["subject", "lesion"]).sum())
    if twice:
        raise InputError(f"{path.name}: expected each lesion once at {BASELINE}, found {twice} more rows")
    features = [str(name) for name in own.columns if name not in ("subject", "lesion")]
    return own.assign(**{name: pd.to_numeric(own[name], errors="coerce") for name in features}).reset_index(drop=True)
