"""Align two volumes both ways, rigidly and where the plan says so deformably, and say how far to trust the result."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from npcpit_imaging.config.registration import EngineName, RegistrationPlan
from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.assess import assess, assess_refined
from npcpit_imaging.registration.deform import deform
from npcpit_imaging.registration.elastix import run_elastix
from npcpit_imaging.registration.polish import polished
from npcpit_imaging.registration.prepare import Prepared, prepare
from npcpit_imaging.registration.quality import RegistrationQuality
from npcpit_imaging.registration.search import Cancelled, Pair, Progress, StartResult, search
from npcpit_imaging.registration.starts import starts
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Volume

Found = RigidTransform | DeformableTransform


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where a fixed image's points lie in a moving image.

    Args:
        transform: Maps fixed points to moving points, LPS mm; it resamples the moving image onto the fixed grid.
        metric: Negative Mattes mutual information where the search ended; lower is better, one pair only.
        starts: Where every start ended, best first.
        quality: How far to trust it.
        reverse: Independent registration the other way: maps moving points to fixed points.
        plan: The plan used.
    """

    transform: Found
    metric: float
    starts: tuple[StartResult, ...]
    quality: RegistrationQuality
    reverse: Found
    plan: RegistrationPlan

    @property
    def plan_digest(self) -> str:
        """Digest of the plan used."""
        return self.plan.digest

    @property
    def rigid(self) -> RigidTransform:
        """The rigid part, fixed to moving."""
        return self.transform.rigid if isinstance(self.transform, DeformableTransform) else self.transform

    @property
    def rivals(self) -> tuple[RigidTransform, ...]:
        """Where the other refined starts ended, fixed to moving; of another engine's result, our own rigid results."""
        coarsest = max(result.level_mm for result in self.starts)
        first = 1 if self.plan.engine.name is EngineName.BUILTIN else 0
        return tuple(result.transform for result in self.starts[first:] if result.level_mm < coarsest)


def align(
    fixed: Volume,
    moving: Volume,
    plan: RegistrationPlan,
    *,
    initial: Sequence[RigidTransform] = (),
    points_mm: ArrayLike | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Alignment:
    """Align two volumes of one patient.

    The same volumes and plan give the same bits on one machine (``threads = 1``).

    Args:
        fixed: The follow-up.
        moving: The baseline.
        plan: How; see ``configs/npc-pit/imaging/registration``.
        initial: Further starts, fixed to moving, e.g. a reader's own alignment.
        points_mm: ``(N, 3)`` points of the **moving** image, LPS mm, where trust matters (baseline lesions);
            a grid over the body when None.
        progress: Called with a fraction 0 to 1 and a line of text.
        cancelled: Asked at every iteration; True stops.

    Returns:
        The transform with its quality; a bad result is rejected in `quality`, not raised.

    Raises:
        RegistrationError: An image is too thin, holds NaN, is uniform, without a body, or the two never overlap.
        RegistrationCancelledError: `cancelled` said so.
        MissingPartError: The plan's other engine is not installed.

    Example:
        >>> alignment = align(follow_up, baseline, RegistrationPlan())  # doctest: +SKIP
        >>> alignment.quality.verdict  # doctest: +SKIP
        <Verdict.ACCEPT: 'accept'>
    """
    report = progress or _silent
    report(0.0, "preparing")
    one, other = prepare(fixed, plan, role="fixed"), prepare(moving, plan, role="moving")
    points = None if points_mm is None else _checked(points_mm)
    pair = Pair(fixed=one, moving=other, plan=plan, cancelled=cancelled or _never)
    refines = plan.deformable.enabled or plan.engine.name is not EngineName.BUILTIN
    with threadpool_limits(limits=1, user_api="blas"):  # a refinement has two threads; BLAS's own would wait for them
        rigid = _rigidly(pair, initial, points, _part(report, 0.0, 0.4 if refines else 1.0))
        found = rigid
        if refines:
            found = _refined(pair, rigid, points, _part(report, 0.4, 1.0))
    report(1.0, f"registration: {found.quality.verdict}")
    return found


def _rigidly(
    pair: Pair, initial: Sequence[RigidTransform], points_mm: NDArray[np.float64] | None, report: Progress
) -> Alignment:
    found = search(pair, starts(pair.fixed, pair.moving, pair.plan, initial), _part(report, 0.05, 0.5))
    there = polished(pair, found)
    back_starts = starts(pair.moving, pair.fixed, pair.plan, [transform.inverse() for transform in initial])
    back = polished(pair.reversed(), search(pair.reversed(), back_starts, _part(report, 0.5, 0.9)))
    report(0.9, "quality")
    best = there[0]
    return Alignment(
        transform=best.transform,
        metric=best.metric,
        starts=there,
        quality=assess(pair, there, back, _where(pair, points_mm, best.transform)),
        reverse=back[0].transform,
        plan=pair.plan,
    )


def _refined(pair: Pair, rigid: Alignment, points_mm: NDArray[np.float64] | None, report: Progress) -> Alignment:
    """Replace the rigid results of both ways by deformable ones or another engine's, both at once, and judge again."""
    with ThreadPoolExecutor(2) as both:
        back_job = both.submit(_refine, pair.reversed(), rigid.reverse, _silent)
        there = _refine(pair, rigid.rigid, _part(report, 0.0, 0.95))
        back = back_job.result()
    found = replace(rigid, transform=there, reverse=back)
    points = _where(pair, points_mm, rigid.rigid)
    return replace(
        found, quality=assess_refined(pair, rigid.quality, (there, back), rivals=found.rivals, points_mm=points)
    )


def _refine(pair: Pair, start: Found, report: Progress) -> Found:
    found = start
    if pair.plan.engine.name is EngineName.ELASTIX:
        found = run_elastix(pair, report)
    if pair.plan.deformable.enabled and isinstance(found, RigidTransform):
        found = deform(pair, found, pair.plan.deformable, report)
    return found


def _where(pair: Pair, points_mm: NDArray[np.float64] | None, transform: RigidTransform) -> NDArray[np.float64]:
    return _shared_points(pair.fixed, pair.moving, transform) if points_mm is None else points_mm


def _checked(points_mm: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(points_mm, float)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0 or not np.isfinite(points).all():
        raise RegistrationError(
            f"points: expected (N, 3) finite LPS mm of the moving image, found shape {points.shape}"
        )
    return points


def _shared_points(fixed: Prepared, moving: Prepared, transform: RigidTransform) -> NDArray[np.float64]:
    """Points of the moving body that the fixed image shows; without lesions, only these need to be trusted."""
    points = moving.body_points_mm
    shown = fixed.geometry.contains(transform.inverse().map(points))
    return points[shown] if shown.any() else points


def _part(report: Progress, start: float, end: float) -> Callable[[float, str], None]:
    def partly(fraction: float, text: str) -> None:
        report(start + (end - start) * fraction, text)

    return partly


def _silent(fraction: float, text: str) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False
