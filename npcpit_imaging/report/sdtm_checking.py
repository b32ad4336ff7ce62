"""What a check of an export is: an id, a severity, a text, and a function that names the rows it finds."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_rows import Cell, Row
from npcpit_imaging.report.sdtm_spec import FINDINGS, Dataset
from npcpit_imaging.study.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something a check found.

    Args:
        dataset: Where.
        row: Which row, from 1; 0 when it is the whole dataset.
        text: What was found.
    """

    dataset: str
    row: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found in an export.

    Args:
        id: Short stable name, e.g. ``NP-07``.
        severity: ``error``: do not deliver; ``warning``: explain; ``info``: know.
        text: What should be.
        hits: Where it is not; empty when all is well.
    """

    id: str
    severity: Severity
    text: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SdtmCheck:
    """One check.

    Args:
        id: Short stable name.
        severity: How much it matters.
        text: What should be.
        find: Names the rows where it is not.
    """

    id: str
    severity: Severity
    text: str
    find: Callable[[Tabulation], Iterator[Hit]]

    def run(self, tabulation: Tabulation) -> CheckResult:
        """Look at an export."""
        return CheckResult(id=self.id, severity=self.severity, text=self.text, hits=tuple(self.find(tabulation)))


def numbered(dataset: Dataset) -> Iterator[tuple[int, Row]]:
    """Go through the rows with their numbers, from 1."""
    return iter(enumerate(dataset.rows, start=1))


def findings(tabulation: Tabulation) -> Iterator[tuple[str, int, Row]]:
    """Go through the rows of TU, TR and RS with their dataset and number."""
    for name in FINDINGS:
        for number, row in numbered(tabulation.datasets[name]):
            yield name, number, row


def odd(is_odd: Callable[..., bool], *columns: Sequence[Cell]) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    """The numbers and cells of rows that are odd by a few columns; equal cells, which most are, are judged once.

    Example:
        >>> list(odd(lambda unit, size: bool(unit) and size is None, ["mm", "mm", ""], [3, None, None]))
        [(2, ('mm', None))]
    """
    wrong = {cells for cells in set(zip(*columns, strict=True)) if is_odd(*cells)}
    if wrong:
        every = enumerate(zip(*columns, strict=True), start=1)
        yield from ((number, cells) for number, cells in every if cells in wrong)


def all_different(*columns: Sequence[Cell]) -> bool:
    """Whether no row has the cells of another."""
    return len(set(zip(*columns, strict=True))) == len(columns[0])


def text_of(row: Row, name: str) -> str:
    """Give a cell as text; empty when it is missing."""
    value = row.get(name)
    return "" if value is None else str(value)


def reader_of(row: Row, domain: str) -> tuple[Cell, ...]:
    """Give subject and reader of a row."""
    return row.get("USUBJID"), text_of(row, f"{domain}EVAL"), text_of(row, f"{domain}EVALID")


def repeated(
    rows: Iterable[tuple[str, int, Row]], key: Callable[[str, Row], Hashable | None], text: str
) -> Iterator[Hit]:
    """Name each row whose key a row before it has; rows whose key is None are not looked at."""
    seen: dict[Hashable, int] = {}
    for dataset, number, row in rows:
        own = key(dataset, row)
        if own is None:
            continue
        first = seen.setdefault((dataset, own), number)
        if first != number:
            yield Hit(dataset=dataset, row=number, text=f"{text}: same as row {first}")


def several(
    rows: Iterable[tuple[str, int, Row]],
    key: Callable[[str, Row], Hashable | None],
    value: Callable[[str, Row], Hashable],
    text: str,
) -> Iterator[Hit]:
    """Name each row that gives its key another value than the first row of that key did."""
    seen: dict[Hashable, Hashable] = {}
    for dataset, number, row in rows:
        own = key(dataset, row)
        if own is None:
            continue
        first = seen.setdefault(own, value(dataset, row))
        if first != value(dataset, row):
            yield Hit(dataset=dataset, row=number, text=f"{text}: {value(dataset, row)}, before {first}")


def qualifiers(tabulation: Tabulation, domain: str, name: str) -> dict[tuple[Cell, str], str]:
    """Give a supplemental qualifier by subject and --SEQ."""
    rows = tabulation.datasets[f"SUPP{domain}"]
    columns = (rows.cells("USUBJID"), rows.texts("IDVARVAL"), rows.texts("QVAL"), rows.cells("QNAM"))
    return {(subject, sequence): value for subject, sequence, value, own in zip(*columns, strict=True) if own == name}
