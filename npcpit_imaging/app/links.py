"""Points of one visit in another: through the stored registrations to the baseline, and within a visit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from npcpit_imaging.app.registrations import stored_transform
from npcpit_imaging.app.series import find_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError, NpcpitError, ReadingError
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.store.images import SeriesSummary, series_of
from npcpit_imaging.store.results import registration_between
from npcpit_imaging.store.schema import RegistrationRow
from npcpit_imaging.store.staleness import is_current
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.deformable import DeformableTransform, InverseTransform, Transform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Modality

Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Link:
    """How points of one series become points of another.

    Args:
        from_visit: The visit whose points are given.
        to_visit: The visit whose points they become.
        from_series_uid: Its series.
        to_series_uid: The other's.
        transform: Maps the points; None when there is none to use.
        verdict: What was decided of the registration.
        reasons: Why.
        uncertainty_mm: What a mapped point carries; None when not known.
        numbers: What was measured of the registration.
        problem: Why it cannot be used; empty when it can.
    """

    from_visit: str
    to_visit: str
    from_series_uid: str
    to_series_uid: str
    transform: RigidTransform | DeformableTransform | None
    verdict: str
    reasons: tuple[str, ...]
    uncertainty_mm: float | None
    numbers: dict[str, object]
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether points may be mapped with it."""
        return self.transform is not None and not self.problem


def links_of(study: Study, subject: str, visits: Sequence[str]) -> list[Link]:
    """Every stored link between the given visits: follow-ups to the baseline, and series of one visit."""
    found = [_to_baseline(study, subject, name) for name in visits if name != BASELINE]
    return [*(each for each in found if each is not None), *_within(study, subject, visits)]


def _to_baseline(study: Study, subject: str, visit: str) -> Link | None:
    try:
        fixed = find_series(study, subject, visit, Modality.CT).uid
        moving = find_series(study, subject, BASELINE, Modality.CT).uid
    except InputError:
        return None
    with study.database.session() as session:
        row = registration_between(session, fixed, moving)
    return None if row is None else _link(study, row, visit, BASELINE)


def _within(study: Study, subject: str, visits: Sequence[str]) -> list[Link]:
    with study.database.session() as session:
        series = {each.uid: each for each in series_of(session, subject=subject) if each.timepoint in visits}
        rows = session.scalars(
            select(RegistrationRow).where(RegistrationRow.fixed_series_uid.in_(series)).order_by(RegistrationRow.id)
        )
        newest = {(row.fixed_series_uid, row.moving_series_uid): row for row in rows}
    return [
        _link(study, row, visit, visit)
        for (fixed, moving), row in newest.items()
        if moving in series and (visit := _same_visit(series[fixed], series[moving]))
    ]


def _same_visit(one: SeriesSummary, other: SeriesSummary) -> str:
    return one.timepoint or "" if one.timepoint == other.timepoint else ""


def _link(study: Study, row: RegistrationRow, from_visit: str, to_visit: str) -> Link:
    with study.database.session() as session:
        current = is_current(session, row.inputs)
    problem = "" if current else "the images changed since the registration"
    if row.verdict == Verdict.REJECT:
        problem = "the registration was rejected"
    transform: RigidTransform | DeformableTransform | None = None
    try:
        transform = stored_transform(study, row)
    except NpcpitError as error:
        problem = problem or str(error)
    numbers, reasons = row.quality.get("numbers"), row.quality.get("reasons")
    uncertainty = row.quality.get("uncertainty_mm")
    return Link(
        from_visit=from_visit,
        to_visit=to_visit,
        from_series_uid=row.fixed_series_uid,
        to_series_uid=row.moving_series_uid,
        transform=transform,
        verdict=row.verdict,
        reasons=tuple(str(each) for each in reasons) if isinstance(reasons, list) else (),
        uncertainty_mm=float(uncertainty) if isinstance(uncertainty, int | float) else None,
        numbers=dict(numbers) if isinstance(numbers, dict) else {},
        problem=problem,
    )


def map_known(transform: Transform, points_mm: Points) -> Points:
    """Map points `(N, 3)`; those that are NaN, or that have no inverse, come out as NaN."""
    mapped = np.full(points_mm.shape, np.nan)
    known = np.isfinite(points_mm).all(axis=1)
    if isinstance(transform, InverseTransform):
        found, has_one = transform.find(points_mm[known])
        mapped[known] = np.where(has_one[:, None], found, np.nan)
    else:
        mapped[known] = transform.map(points_mm[known])
    return mapped


def map_between(
    study: Study, subject: str, points_mm: Points, *, from_visit: str, to_visit: str
) -> tuple[Points, float | None]:
    """Map points `(N, 3)` of one visit to another, through the baseline; also what they carry in mm.

    A point where a deformation folds has no inverse: it comes out as NaN.

    Raises:
        ReadingError: There is no registration that may be used.
    """
    mapped, carried = points_mm, 0.0
    for visit, inverse in ((from_visit, False), (to_visit, True)):
        if visit == BASELINE or from_visit == to_visit:
            continue
        link = _to_baseline(study, subject, visit)
        if link is None or link.transform is None or link.problem:
            reason = "not registered" if link is None else link.problem
            raise ReadingError(f"{subject} {visit} and {BASELINE}: no points can be carried over ({reason})")
        mapped = map_known(link.transform.inverse() if inverse else link.transform, mapped)
        carried += link.uncertainty_mm or 0.0
    return mapped, carried
