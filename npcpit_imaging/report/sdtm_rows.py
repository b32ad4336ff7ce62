"""Rows kept by column: a large export's rows as dicts would fill the memory, and a check needs few columns of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeAlias, TypeVar, overload

Cell: TypeAlias = str | int | float | None
Row: TypeAlias = Mapping[str, Cell]

C = TypeVar("C")


class ColumnRows(Sequence[Mapping[str, C | None]], Generic[C]):
    """Rows that look like a tuple of mappings; every row has every column, None where nothing was said.

    Args:
        groups: The rows, some at a time.
        names: Columns that are there in any case, and first.

    Example:
        >>> rows = ColumnRows([[{"A": 1}], [{"B": "x"}]])
        >>> rows[0], rows.column("B"), len(rows)
        ({'A': 1, 'B': None}, [None, 'x'], 2)
    """

    def __init__(self, groups: Iterable[Sequence[Mapping[str, C]]], names: Iterable[str] = ()) -> None:
        self._count = 0
        self._columns: dict[str, list[C | None]] = {name: [] for name in names}
        for group in groups:
            self.add(group)

    def add(self, group: Sequence[Mapping[str, C]]) -> None:
        """Put some rows behind the others."""
        names = tuple(self._columns)
        if all(tuple(row) == names for row in group):
            for own, more in zip(
                self._columns.values(), zip(*(row.values() for row in group), strict=True), strict=False
            ):
                own.extend(more)
        else:
            self._add_by_name(group)
        self._count += len(group)

    def _add_by_name(self, group: Sequence[Mapping[str, C]]) -> None:
        """Rows that lack columns, bring others or have them in another order."""
        for name in dict.fromkeys(chain.from_iterable(group)):
            if name not in self._columns:
                self._columns[name] = [None] * self._count
        for name, cells in self._columns.items():
            cells.extend([row.get(name) for row in group])

    def clear(self) -> None:
        """Forget every row; the columns stay."""
        self._count = 0
        self._columns = {name: [] for name in self._columns}

    @property
    def columns(self) -> Mapping[str, Sequence[C | None]]:
        """Cells by column, in the order the columns appeared."""
        return self._columns

    def column(self, name: str) -> Sequence[C | None]:
        """The cells of a column; of one that is not there, as many None as there are rows."""
        found = self._columns.get(name)
        return [None] * self._count if found is None else found

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Mapping[str, C | None]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, C | None]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, C | None] | Sequence[Mapping[str, C | None]]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        return {name: cells[index] for name, cells in self._columns.items()}

    def __iter__(self) -> Iterator[Mapping[str, C | None]]:
        names = tuple(self._columns)
        return (dict(zip(names, cells, strict=True)) for cells in zip(*self._columns.values(), strict=True))
