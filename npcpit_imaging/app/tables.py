"""CSV tables that people hand in: every fault names its line, what was expected and what was found."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.errors import InputError, TableError

YES_NO = {"yes": True, "no": False}
"""How a table says true and false; TOML's and Excel's own words differ between programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table.

    Args:
        line: Counted from 1; the header is line 1.
        values: Column name to text, stripped; an absent optional column is empty.
    """

    line: int
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        """The cell's text.

        Raises:
            TableError: It is empty.
        """
        if not self.values[column]:
            raise TableError(f"{column}: expected a value, found none", line=self.line)
        return self.values[column]

    def flag(self, column: str) -> bool:
        """The cell as yes or no.

        Raises:
            TableError: It is neither.
        """
        found = self.optional_flag(column)
        if found is None:
            raise TableError(f"{column}: expected yes or no, found none", line=self.line)
        return found

    def optional_flag(self, column: str) -> bool | None:
        """The cell as yes or no, None when it is empty.

        Raises:
            TableError: It is something else.
        """
        text = self.values[column].lower()
        if text and text not in YES_NO:
            raise TableError(f"{column}: expected yes or no, found {self.values[column]!r}", line=self.line)
        return YES_NO.get(text)


def read_table(path: Path, *, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Read a CSV table (UTF-8, with or without byte order mark).

    Raises:
        InputError: There is no such file, or it is not text.
        TableError: A required column is missing, one stands twice or nobody asked for it, or a line has too many cells.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path.name}: no such file in {path.parent.name or path.parent}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: expected a UTF-8 table, cannot be read as one") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        reader.fieldnames = _columns(path, reader.fieldnames or (), required, optional)
        return [_row(path, reader.line_num, values, (*required, *optional)) for values in reader]
    except csv.Error as error:
        raise TableError(f"{path.name}: expected comma-separated values, {error}", line=reader.line_num) from error


def _columns(path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    found = [name.strip() for name in header]
    faults = {
        "missing": [name for name in required if name not in found],
        "unknown": [name for name in found if name not in (*required, *optional)],
        "twice": sorted({name for name in found if found.count(name) > 1}),
    }
    if any(faults.values()):
        raise TableError(
            f"{path.name}: expected columns {', '.join(required)}"
            + (f" and perhaps {', '.join(optional)}" if optional else "")
            + "".join(f"; {fault} {', '.join(names)}" for fault, names in faults.items() if names),
            line=1,
        )
    return found


def _row(path: Path, line: int, values: Mapping[str | None, str | list[str] | None], columns: Sequence[str]) -> Row:
    if None in values:
        raise TableError(f"{path.name}: more cells than columns", line=line)
    return Row(line=line, values={name: str(values.get(name) or "").strip() for name in columns})
