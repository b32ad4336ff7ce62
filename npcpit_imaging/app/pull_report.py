"""What became of a pull: a final status for every row that was asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class PullStatus(StrEnum):
    """How a row, or a series, ended; the worst of a row's series is the row's."""

    COMPLETE = "complete"
    NOT_FOUND = "not found"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    REFUSED = "refused"


SEVERITY = tuple(PullStatus)
"""From best to worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledSeries:
    """One series of a row.

    Args:
        series_uid: As the study knows it, not the PACS's.
        modality: Of the series.
        status: How it ended.
        expected: Number of instances the PACS lists.
        held: Number of those that are in the study.
        received: Number of those that came into the study by this pull.
        reopened: Whether an earlier pull had found it complete.
        reason: Why it is not complete.
        missing: Original SOP Instance UIDs that are not in the study; kept in the vault, never printed.
    """

    series_uid: str
    modality: str
    status: PullStatus
    expected: int = 0
    held: int = 0
    received: int = 0
    reopened: bool = False
    reason: str = ""
    missing: tuple[str, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, object]:
        """The series for a program."""
        return {
            "series": self.series_uid,
            "modality": self.modality,
            "status": self.status.value,
            "expected": self.expected,
            "held": self.held,
            "received": self.received,
            "missing": len(self.missing),
            "reopened": self.reopened,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledRow:
    """One row that was asked.

    Args:
        line: The line of the work list; 1 for a question from the command line.
        status: How it ended.
        reason: Why it is not complete.
        series: The series the rules chose.
        left_out: How many series the rules left out.
    """

    line: int
    status: PullStatus
    reason: str = ""
    series: tuple[PulledSeries, ...] = ()
    left_out: int = 0

    def as_json(self) -> dict[str, object]:
        """The row for a program."""
        return {
            "line": self.line,
            "status": self.status.value,
            "reason": self.reason,
            "series": [each.as_json() for each in self.series],
            "left_out": self.left_out,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """What became of every row, in the order they were asked.

    Args:
        rows: The rows.
        assembled: Visits per subject.
    """

    rows: tuple[PulledRow, ...]
    assembled: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every row is complete; the exit code of `npcpit pull`."""
        return all(row.status is PullStatus.COMPLETE for row in self.rows)

    def as_json(self) -> dict[str, object]:
        """The report for a program."""
        return {"rows": [row.as_json() for row in self.rows], "timepoints": dict(self.assembled)}

    def lines(self) -> Iterator[str]:
        """The report for a person: a line for each row, one for each of its series, one for each subject."""
        for row in self.rows:
            yield f"line {row.line}: {row.status.value}" + (f": {row.reason}" if row.reason else "")
            for each in row.series:
                counts = f"{each.held} of {each.expected} held, {each.received} received now"
                again = ", reopened" if each.reopened else ""
                reason = f": {each.reason}" if each.reason else ""
                yield f"  {each.modality} {each.status.value}, {counts}{again}{reason}"
            if row.left_out:
                yield f"  {row.left_out} series left out by the rules"
        for subject, visits in self.assembled.items():
            yield f"{subject}: {', '.join(visits)}"


def row_of(line: int, series: Sequence[PulledSeries], *, left_out: int) -> PulledRow:
    """Sum a row up from its series: the worst status, and why."""
    worst = max((each.status for each in series), key=SEVERITY.index)
    faulty = [each for each in series if each.status is not PullStatus.COMPLETE]
    missing = sum(len(each.missing) for each in faulty)
    reasons = list(dict.fromkeys(each.reason for each in faulty if each.reason))
    parts = [f"{missing} missing"] * bool(missing) + reasons
    return PulledRow(line=line, status=worst, reason="; ".join(parts), series=tuple(series), left_out=left_out)
