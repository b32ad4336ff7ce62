"""One reader's records of one subject, laid out by visit and lesion (recist.md 1.0, 1.3): what every rule reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.errors import ResponseError
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import LesionRole
from npcpit_imaging.study.timepoint import BASELINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One time point of one reader.

    Args:
        name: The time point's name.
        first_date: Earliest scan.
        last_date: Latest scan.
        by_lesion: What was found, by lesion.
    """

    name: str
    first_date: date
    last_date: date
    by_lesion: Mapping[str, Assessment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One reader's records of one subject.

    Args:
        subject: Subject code.
        reader: The reader.
        baseline: The visit all others are compared with.
        follow_ups: The other visits in date order.
        targets: Names of the baseline target lesions, sorted.
        non_targets: Names of the baseline non-target lesions, sorted.
        new: Names of the lesions that appeared after baseline, sorted.
        fragments: By baseline lesion, the lesions it split into.
    """

    subject: str
    reader: str
    baseline: Visit
    follow_ups: tuple[Visit, ...]
    targets: tuple[str, ...]
    non_targets: tuple[str, ...]
    new: tuple[str, ...]
    fragments: Mapping[str, tuple[str, ...]]

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Baseline and follow-ups in date order."""
        return (self.baseline, *self.follow_ups)

    def pieces(self, visit: Visit, lesion: str) -> tuple[Assessment, ...]:
        """What was found of a lesion at a visit: its own row and those of the lesions it split into."""
        if lesion not in self.fragments:
            row = visit.by_lesion.get(lesion)
            return () if row is None else (row,)
        names = (lesion, *self.fragments[lesion])
        return tuple(visit.by_lesion[name] for name in names if name in visit.by_lesion)


def draw_chart(records: Sequence[Assessment]) -> Chart:
    """Lay one reader's records of one subject out by visit and lesion; their order does not matter.

    Args:
        records: At least one record, all of one subject and one reader.

    Raises:
        ResponseError: Records that contradict each other: a lesion twice at one time point, a lesion that is nodal
            at one time point and not at another, two time points of one date, a target or non-target without baseline.
    """
    visits = _visits(records)
    baseline = _baseline(visits)
    follow_ups = tuple(visit for visit in visits if visit is not baseline)
    _check_order(baseline, follow_ups)
    _check_constant(records)
    known = _baseline_lesions(baseline)
    roots = _roots(records, known)
    _check_late(follow_ups, known, roots)
    return Chart(
        subject=records[0].subject,
        reader=records[0].reader,
        baseline=baseline,
        follow_ups=follow_ups,
        targets=_named(known, LesionRole.TARGET),
        non_targets=_named(known, LesionRole.NON_TARGET),
        new=tuple(sorted({r.lesion for r in records if r.role is LesionRole.NEW and r.lesion not in roots})),
        fragments=_fragments(roots),
    )


def _visits(records: Iterable[Assessment]) -> list[Visit]:
    rows: dict[str, dict[str, Assessment]] = {}
    for record in records:
        at_visit = rows.setdefault(record.timepoint, {})
        if record.lesion in at_visit:
            raise ResponseError(f"lesion {record.lesion} stands twice at {record.timepoint}, expected once per reader")
        at_visit[record.lesion] = record
    visits = [
        Visit(
            name=name,
            first_date=min(r.date for r in by_lesion.values()),
            last_date=max(r.date for r in by_lesion.values()),
            by_lesion=by_lesion,
        )
        for name, by_lesion in rows.items()
    ]
    return sorted(visits, key=lambda visit: (visit.first_date, visit.last_date, visit.name))


def _baseline(visits: Sequence[Visit]) -> Visit:
    named = [visit for visit in visits if visit.name.upper() == BASELINE]
    if len(named) > 1:
        raise ResponseError(f"{len(named)} time points are named {BASELINE} (in different case), expected one")
    return named[0] if named else visits[0]


def _check_order(baseline: Visit, follow_ups: Sequence[Visit]) -> None:
    before = baseline
    for visit in follow_ups:
        if visit.first_date < baseline.first_date:
            raise ResponseError(
                f"{visit.name} is dated {visit.first_date}, before {baseline.name} of {baseline.first_date}"
            )
        if visit.first_date == before.first_date:
            raise ResponseError(f"{before.name} and {visit.name} have the same date {visit.first_date}")
        before = visit


def _check_constant(records: Sequence[Assessment]) -> None:
    seen: dict[str, Assessment] = {}
    for record in records:
        first = seen.setdefault(record.lesion, record)
        if record.nodal != first.nodal:
            raise ResponseError(f"lesion {record.lesion} is nodal at one time point and not at another")
        if record.role is not first.role:
            raise ResponseError(
                f"lesion {record.lesion} is both {first.role} and {record.role}; a lesion keeps its role"
            )


def _baseline_lesions(baseline: Visit) -> dict[str, LesionRole]:
    new = sorted(r.lesion for r in baseline.by_lesion.values() if r.role is LesionRole.NEW)
    if new:
        raise ResponseError(f"lesion {new[0]} is new at {baseline.name}; what is there at baseline is not new")
    return {name: record.role for name, record in baseline.by_lesion.items()}


def _roots(records: Sequence[Assessment], known: Mapping[str, LesionRole]) -> dict[str, str]:
    """Map each lesion that split from a baseline lesion, directly or in several steps, to that lesion."""
    parents = {r.lesion: r.parent_lesion for r in records if r.parent_lesion and r.lesion not in known}
    roots: dict[str, str] = {}
    for lesion, parent in parents.items():
        seen, root = {lesion}, parent
        while root in parents and root not in seen:
            seen.add(root)
            root = parents[root]
        if root in seen:
            raise ResponseError(f"lesion {lesion}: its parents form a circle")
        if root in known:
            roots[lesion] = root
    return roots


def _check_late(follow_ups: Sequence[Visit], known: Mapping[str, LesionRole], roots: Mapping[str, str]) -> None:
    for visit in follow_ups:
        for name, record in visit.by_lesion.items():
            if record.role is not LesionRole.NEW and name not in known and name not in roots:
                raise ResponseError(
                    f"lesion {name} is {record.role} at {visit.name} but has no row at baseline; "
                    "expected a baseline row, the role new, or a parent_lesion it split from"
                )


def _named(known: Mapping[str, LesionRole], role: LesionRole) -> tuple[str, ...]:
    return tuple(sorted(name for name, own in known.items() if own is role))


def _fragments(roots: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    fragments: dict[str, tuple[str, ...]] = {}
    for lesion, root in sorted(roots.items()):
        fragments[root] = (*fragments.get(root, ()), lesion)
    return fragments
