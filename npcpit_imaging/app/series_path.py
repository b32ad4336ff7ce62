"""Points of one series in another's patient space: the shortest way through frames of reference and registrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from npcpit_imaging.app.links import Link, Points, links_of, map_known
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import ReadingError
from npcpit_imaging.store.images import SeriesSummary
from npcpit_imaging.volume.deformable import Transform


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step from a series to another.

    Args:
        to_series_uid: Where it leads.
        transform: Maps the points; None where both series share a frame of reference.
        uncertainty_mm: What a mapped point carries.
    """

    to_series_uid: str
    transform: Transform | None
    uncertainty_mm: float


@dataclass(frozen=True, kw_only=True)
class SeriesPath:
    """How points of one series become points of another.

    Args:
        steps: In order; none where both are one series.
    """

    steps: tuple[Step, ...]

    @property
    def uncertainty_mm(self) -> float:
        """What a mapped point carries: the steps' doubts added up, the cautious way."""
        return float(sum(step.uncertainty_mm for step in self.steps))

    @property
    def registered(self) -> bool:
        """Whether a registration stands between, not only shared frames of reference."""
        return any(step.transform is not None for step in self.steps)

    def map(self, points_mm: Points) -> Points:
        """Map points `(N, 3)`; NaN where a deformation folds and a point has no inverse."""
        for step in self.steps:
            if step.transform is not None:
                points_mm = map_known(step.transform, points_mm)
        return points_mm


def series_path(
    study: Study, subject: str, series: Sequence[SeriesSummary], *, from_series_uid: str, to_series_uid: str
) -> SeriesPath:
    """Find the way from one of a subject's series to another, by as few registrations as can be.

    Args:
        study: The study.
        subject: Subject code.
        series: The series that the way may go through: those that somebody may see.
        from_series_uid: Where the points are.
        to_series_uid: Where they are wanted.

    Raises:
        ReadingError: No usable registration leads there; the message says what stands in the way.
    """
    visits = list(dict.fromkeys(each.timepoint for each in series if each.timepoint))
    links = links_of(study, subject, visits)
    found = shortest(series, links, from_series_uid=from_series_uid, to_series_uid=to_series_uid)
    if found is not None:
        return found
    problems = sorted({each.problem for each in links if each.problem}) or ["not registered"]
    raise ReadingError(f"{subject}: no points can be carried from one series to the other ({'; '.join(problems)})")


def shortest(
    series: Sequence[SeriesSummary], links: Sequence[Link], *, from_series_uid: str, to_series_uid: str
) -> SeriesPath | None:
    """The way of fewest registrations, of several the one of least doubt; None when there is none."""
    steps = _steps(series, links)
    order = count()  # between equal ways the first found
    ways: list[tuple[int, float, int, str, tuple[Step, ...]]] = [(0, 0.0, next(order), from_series_uid, ())]
    done: set[str] = set()
    while ways:
        registrations, doubt_mm, _, here, gone = heappop(ways)
        if here == to_series_uid:
            return SeriesPath(steps=gone)
        if here in done:
            continue
        done.add(here)
        for step in steps.get(here, ()):
            more = registrations + (step.transform is not None)
            heappush(ways, (more, doubt_mm + step.uncertainty_mm, next(order), step.to_series_uid, (*gone, step)))
    return None


def _steps(series: Sequence[SeriesSummary], links: Sequence[Link]) -> Mapping[str, list[Step]]:
    """From each series: those of its own frame of reference and visit, and those it is registered with, both ways."""
    steps: dict[str, list[Step]] = {each.uid: [] for each in series}
    for each in series:
        frame = each.frame_of_reference_uid
        steps[each.uid] += [
            Step(to_series_uid=other.uid, transform=None, uncertainty_mm=0.0)
            for other in series
            if frame
            and other.uid != each.uid
            and (other.frame_of_reference_uid, other.timepoint) == (frame, each.timepoint)
        ]
    for link in links:
        if link.transform is None or link.problem or not {link.from_series_uid, link.to_series_uid} <= steps.keys():
            continue
        doubt = link.uncertainty_mm or 0.0
        forward = Step(to_series_uid=link.to_series_uid, transform=link.transform, uncertainty_mm=doubt)
        back = Step(to_series_uid=link.from_series_uid, transform=link.transform.inverse(), uncertainty_mm=doubt)
        steps[link.from_series_uid].append(forward)
        steps[link.to_series_uid].append(back)
    return steps
