"""Rows of a CSV table, each read or refused with its line number; one bad row hides no other."""

import csv
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from npcpit_imaging.errors import TableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that was refused.

    Args:
        subject: Whose; empty when the row does not say, or when it is the whole table.
        line: Line of the file, the header being line 1; None when it is not one line.
        text: What was expected and what was found.
    """

    subject: str
    line: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Generic[T]):
    """The usable rows of a table, and what was refused.

    Args:
        by_subject: Rows by subject, in the order of the file.
        faults: Refused rows.
        ignored: Columns that mean nothing here.
        numbered: Every usable row with its line, as read; rows left out of ``by_subject`` later are still here.
    """

    by_subject: Mapping[str, tuple[T, ...]]
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...] = ()
    numbered: tuple[tuple[int, T], ...] = ()


class Row:
    """One row: its cells by column, and readers that name the column when a cell cannot be read."""

    def __init__(self, columns: Mapping[str, int], cells: Sequence[str], line: int) -> None:
        self._texts = {column: cells[index].strip() for column, index in columns.items()}
        self.line = line

    def text(self, column: str) -> str:
        """Give a cell; empty when the column is not there."""
        return self._texts.get(column, "")

    def needed(self, column: str) -> str:
        """Give a cell that must not be empty."""
        text = self._texts.get(column)
        if not text:
            raise TableError(f"{column}: expected a value, found none", line=self.line)
        return text

    def read(self, column: str, reader: Callable[[str], T]) -> T:
        """Read a cell that must not be empty."""
        try:
            return reader(self.needed(column))
        except ValueError as error:
            raise TableError(f"{column}: {error}", line=self.line) from error

    def maybe(self, column: str, reader: Callable[[str], T]) -> T | None:
        """Read a cell; None when it is empty."""
        return self.read(column, reader) if self._texts.get(column) else None


def read_table(
    lines: Iterable[str],
    required: Sequence[str],
    optional: Sequence[str],
    reader: Callable[[Row], T],
    *,
    key: Callable[[T], tuple[str, ...]],
) -> Table[T]:
    """Read every row it can; a row that cannot be read, or stands twice, becomes a fault of its subject.

    Args:
        lines: The lines of the file.
        required: Columns the header must have; ``subject`` is one of them.
        optional: Columns it may have.
        reader: Makes a value of a row; raises `TableError`.
        key: What makes a row unique within its subject.

    Raises:
        TableError: The header lacks a column or misspells one, or a quote is never closed: no row can be trusted.
    """
    table = csv.reader(lines, strict=True)
    numbered = _lines(table, lambda: table.line_num)
    _, header = next(numbered, (1, []))
    columns, ignored = _header(header, required, optional)
    by_subject: dict[str, list[T]] = {}
    first_line: dict[tuple[str, ...], int] = {}
    faults: list[Fault] = []
    kept: list[tuple[int, T]] = []
    for line, cells in numbered:
        subject = _subject(columns, cells)
        try:
            if len(cells) != len(header):
                raise TableError(f"expected {len(header)} cells, found {len(cells)}", line=line)
            row = reader(Row(columns, cells, line))
            before = first_line.setdefault((subject, *key(row)), line)
            if before != line:
                raise TableError(f"the same as line {before} says something already; expected it once", line=line)
        except TableError as error:
            faults.append(Fault(subject=subject, line=line, text=str(error).removeprefix(f"line {line}: ")))
            continue
        by_subject.setdefault(subject, []).append(row)
        kept.append((line, row))
    rows = {subject: tuple(rows) for subject, rows in by_subject.items()}
    return Table(by_subject=rows, faults=tuple(faults), ignored=ignored, numbered=tuple(kept))


def _header(
    names: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Give the position of each known column, and the columns that mean nothing here."""
    found = [name.strip().lower().removeprefix("\ufeff") for name in names]
    missing = [name for name in required if name not in found]
    for sign, called in ((";", "semicolons"), ("\t", "tabs")):
        if missing and len(names) == 1 and sign in names[0]:
            raise TableError(f"expected commas between columns and a point as decimal mark, found {called}", line=1)
    if missing:
        raise TableError(f"expected the column {missing[0]}, found {', '.join(found) or 'nothing'}", line=1)
    twice = [name for name in found if name and found.count(name) > 1]
    if twice:
        raise TableError(f"the column {twice[0]} stands twice", line=1)
    known = (*required, *optional)
    ignored = tuple(name for name in found if name and name not in known)
    for name in ignored:
        meant = difflib.get_close_matches(name, [other for other in optional if other not in found], cutoff=0.75)
        if meant:
            raise TableError(f"unknown column {name}; did you mean {meant[0]}?", line=1)
    return {name: index for index, name in enumerate(found) if name in known}, ignored


def _subject(columns: Mapping[str, int], cells: Sequence[str]) -> str:
    index = columns["subject"]
    return cells[index].strip() if index < len(cells) else ""


def _lines(table: Iterator[list[str]], line_of: Callable[[], int]) -> Iterator[tuple[int, list[str]]]:
    """Number the rows as the file's lines, and leave out those without any text."""
    try:
        for cells in table:
            if any(cell.strip() for cell in cells):  # spreadsheets write rows of nothing but commas
                yield line_of(), cells
    except csv.Error as error:
        raise TableError(f"not a table from here on: {error}", line=line_of()) from error
