"""What an edit check is: a code, a severity, and a function from a read to what is wrong with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.result import SubjectResponse
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.finding import Severity
from npcpit_imaging.study.lesion import LesionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything known of one subject.

    Args:
        records: What readers found, of one subject, in any order.
        course: Treatment start, death, other therapy; None when not known.
        irradiations: Light treatments by lesion, in any order.
    """

    records: tuple[Assessment, ...]
    course: Course | None = None
    irradiations: tuple[Irradiation, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty case, and records of two subjects."""
        subjects = {record.subject for record in self.records}
        if len(subjects) != 1:
            raise ResponseError(f"expected the records of one subject, found {len(subjects)}")

    @property
    def treatment_start(self) -> date | None:
        """First treatment: as stated, else the first irradiation; None when neither is known."""
        if self.course is not None and self.course.treatment_start is not None:
            return self.course.treatment_start
        return min((treatment.date for treatment in self.irradiations), default=None)

    @property
    def treated_on(self) -> tuple[date, ...]:
        """Every day of treatment that is known, in order."""
        start = self.treatment_start
        return tuple(sorted({t.date for t in self.irradiations} | (set() if start is None else {start})))


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a check looks at.

    Args:
        chart: One reader's records of one subject.
        answer: What the engine made of them.
        case: The subject's course and treatments.
        protocol: The study's decisions.
    """

    chart: Chart
    answer: SubjectResponse
    case: Case
    protocol: Protocol

    def rows(self) -> Iterator[tuple[Visit, Assessment]]:
        """Go through every row in date order, then by lesion."""
        return iter(self._in_order)

    def rows_in(self, *states: LesionState) -> Iterator[tuple[Visit, Assessment]]:
        """Go through the rows of some states; most reads have none, and are not gone through for each check."""
        return iter([own for own in self._in_order if own[1].state in states] if self._states & {*states} else ())

    @cached_property
    def _states(self) -> frozenset[LesionState]:
        return frozenset(row.state for _, row in self._in_order)

    @cached_property
    def _in_order(self) -> tuple[tuple[Visit, Assessment], ...]:
        return tuple((visit, row) for visit in self.chart.visits for _, row in sorted(visit.by_lesion.items()))

    def targets(self) -> Iterator[Assessment]:
        """Go through the target lesions' rows at baseline."""
        for lesion in self.chart.targets:
            yield self.chart.baseline.by_lesion[lesion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One edit check.

    Args:
        code: Short stable name.
        severity: ``error`` forbids signing; ``warning`` asks the reader; ``info`` is for the record.
        find: Yields one text per thing that is wrong.
    """

    code: str
    severity: Severity
    find: Callable[[Read], Iterator[str]]


def error(code: str, find: Callable[[Read], Iterator[str]]) -> Check:
    """Make a check that forbids signing."""
    return Check(code=code, severity=Severity.ERROR, find=find)


def warning(code: str, find: Callable[[Read], Iterator[str]]) -> Check:
    """Make a check that asks the reader."""
    return Check(code=code, severity=Severity.WARNING, find=find)


def info(code: str, find: Callable[[Read], Iterator[str]]) -> Check:
    """Make a check that is for the record."""
    return Check(code=code, severity=Severity.INFO, find=find)
