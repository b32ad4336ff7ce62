"""Align two volumes rigidly, both ways, and say how far the result can be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.assess import assess
from npcpit_imaging.registration.prepare import Prepared, prepare
from npcpit_imaging.registration.quality import RegistrationQuality
from npcpit_imaging.registration.search import Cancelled, Pair, Progress, StartResult, search
from npcpit_imaging.registration.starts import starts
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Volume


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where a fixed image's points lie in a moving image.

    Args:
        transform: Maps fixed points to moving points, LPS mm; it resamples the moving image onto the fixed grid.
        metric: Negative Mattes mutual information at the finest level; lower is better, not comparable between pairs.
        starts: Where every start ended, best first.
        quality: How far to trust it.
        reverse: Independent registration the other way: maps moving points to fixed points.
        plan: The plan used.
    """

    transform: RigidTransform
    metric: float
    starts: tuple[StartResult, ...]
    quality: RegistrationQuality
    reverse: RigidTransform
    plan: RegistrationPlan

    @property
    def plan_digest(self) -> str:
        """Digest of the plan used."""
        return self.plan.digest

    @property
    def rivals(self) -> tuple[RigidTransform, ...]:
        """Where the other refined starts ended, fixed to moving."""
        coarsest = max(result.level_mm for result in self.starts)
        return tuple(result.transform for result in self.starts[1:] if result.level_mm < coarsest)


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
    """Align two volumes of one patient rigidly.

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

    Example:
        >>> alignment = align(follow_up, baseline, RegistrationPlan())  # doctest: +SKIP
        >>> alignment.quality.verdict  # doctest: +SKIP
        <Verdict.ACCEPT: 'accept'>
    """
    report = progress or _silent
    stop = cancelled or _never
    report(0.0, "preparing")
    one, other = prepare(fixed, plan, role="fixed"), prepare(moving, plan, role="moving")
    points = None if points_mm is None else _checked(points_mm)
    pair = Pair(fixed=one, moving=other, plan=plan, cancelled=stop)
    there = search(pair, starts(one, other, plan, initial), _part(report, 0.05, 0.5))
    back_starts = starts(other, one, plan, [transform.inverse() for transform in initial])
    back = search(pair.reversed(), back_starts, _part(report, 0.5, 0.9))
    report(0.9, "quality")
    where = points if points is not None else _shared_points(one, other, there[0])
    quality = assess(pair, there, back, where)
    report(1.0, f"registration: {quality.verdict}")
    best = there[0]
    return Alignment(
        transform=best.transform,
        metric=best.metric,
        starts=there,
        quality=quality,
        reverse=back[0].transform,
        plan=plan,
    )


def _checked(points_mm: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(points_mm, float)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0 or not np.isfinite(points).all():
        raise RegistrationError(
            f"points: expected (N, 3) finite LPS mm of the moving image, found shape {points.shape}"
        )
    return points


def _shared_points(fixed: Prepared, moving: Prepared, best: StartResult) -> NDArray[np.float64]:
    """Points of the moving body that the fixed image shows; without lesions, only these need to be trusted."""
    points = moving.body_points_mm
    shown = fixed.geometry.contains(best.transform.inverse().map(points))
    return points[shown] if shown.any() else points


def _part(report: Progress, start: float, end: float) -> Callable[[float, str], None]:
    def partly(fraction: float, text: str) -> None:
        report(start + (end - start) * fraction, text)

    return partly


def _silent(fraction: float, text: str) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False
