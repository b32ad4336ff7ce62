"""Carry seeds, boxes and masks between baseline and follow-up, each with its uncertainty in mm.

Fixed is the follow-up, moving the baseline. What is carried is where to look; the pixels that are measured never move.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.align import Alignment
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.study.caliper import Caliper, PointMm
from npcpit_imaging.volume.deformable import Transform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample_mask
from npcpit_imaging.volume.volume import Mask

MASK_POINTS = 2000
"""Voxels of a mask, evenly chosen, at which its uncertainty is taken."""

T = TypeVar("T")


class Direction(StrEnum):
    """Which way a thing is carried."""

    TO_FIXED = "to_fixed"
    TO_MOVING = "to_moving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright box in patient space, LPS mm."""

    low_mm: PointMm
    high_mm: PointMm


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagated(Generic[T]):
    """A thing carried to the other time point.

    Args:
        value: The thing, in the other image's patient space.
        uncertainty_mm: Largest distance by which the independent results differ here, never below the plan's floor.
        hint_only: The uncertainty is above the plan's limit or the registration was rejected: show where to look,
            do not start a segmentation from it unseen.
    """

    value: T
    uncertainty_mm: float
    hint_only: bool


def transform_of(alignment: Alignment, direction: Direction) -> Transform:
    """Return the transform that maps points the given way."""
    return alignment.transform if direction is Direction.TO_MOVING else alignment.transform.inverse()


def uncertainty_mm(alignment: Alignment, points_mm: ArrayLike, direction: Direction) -> float:
    """Return how far the independent results differ at points ``(N, 3)`` of the image they come from.

    The result is compared with the registration that was run the other way, its rigid part with the nearest refined
    start.

    Returns:
        Millimetres, never below the plan's floor.
    """
    points = np.atleast_2d(np.asarray(points_mm, float))
    carried = transform_of(alignment, direction).map(points)
    to_fixed = direction is Direction.TO_FIXED
    reverse = alignment.reverse if to_fixed else alignment.reverse.inverse()
    rigid = alignment.rigid.inverse() if to_fixed else alignment.rigid
    rivals = [rival.inverse() if to_fixed else rival for rival in alignment.rivals]
    differences = [_largest(reverse.map(points), carried)]
    if rivals:
        differences.append(min(_largest(rival.map(points), rigid.map(points)) for rival in rivals))
    return max(alignment.plan.uncertainty_floor_mm, *differences)


def propagate_point(
    point_mm: PointMm, alignment: Alignment, direction: Direction = Direction.TO_FIXED, *, overruled: bool = False
) -> Propagated[PointMm]:
    """Carry a point.

    Args:
        point_mm: LPS mm in the image it comes from.
        alignment: Follow-up (fixed) and baseline (moving).
        direction: Baseline to follow-up by default.
        overruled: A reader looked at a rejected registration and uses it all the same.

    Raises:
        RegistrationError: The registration was rejected.
    """
    (moved,) = _map([point_mm], alignment, direction, overruled=overruled)
    return _propagated(moved, np.array([point_mm]), alignment, direction)


def propagate_line(
    line: Caliper, alignment: Alignment, direction: Direction = Direction.TO_FIXED, *, overruled: bool = False
) -> Propagated[Caliper]:
    """Carry a line; its length stays.

    Raises:
        RegistrationError: The registration was rejected.
    """
    start, end = _map([line.start_mm, line.end_mm], alignment, direction, overruled=overruled)
    ends = np.array([line.start_mm, line.end_mm])
    return _propagated(Caliper(start_mm=start, end_mm=end), ends, alignment, direction)


def propagate_box(
    box: Box, alignment: Alignment, direction: Direction = Direction.TO_FIXED, *, overruled: bool = False
) -> Propagated[Box]:
    """Carry a box: the upright box around its eight carried corners, so that nothing is lost.

    Raises:
        RegistrationError: The registration was rejected.
    """
    (x0, y0, z0), (x1, y1, z1) = box.low_mm, box.high_mm
    corners: list[PointMm] = list(product((x0, x1), (y0, y1), (z0, z1)))
    moved: NDArray[np.float64] = np.array(_map(corners, alignment, direction, overruled=overruled))
    around = Box(low_mm=_point(moved.min(axis=0)), high_mm=_point(moved.max(axis=0)))
    return _propagated(around, np.array(corners), alignment, direction)


def propagate_mask(
    mask: Mask,
    geometry: Geometry,
    alignment: Alignment,
    direction: Direction = Direction.TO_FIXED,
    *,
    overruled: bool = False,
) -> Propagated[Mask]:
    """Carry a mask onto the other image's grid.

    Args:
        mask: On the grid it comes from.
        geometry: The other image's grid.
        alignment: Follow-up (fixed) and baseline (moving).
        direction: Baseline to follow-up by default.
        overruled: A reader looked at a rejected registration and uses it all the same.

    Raises:
        RegistrationError: The registration was rejected, or the mask is empty.
    """
    _require_usable(alignment, overruled=overruled)
    points = mask_points_mm(mask)
    back = transform_of(alignment, direction).inverse()
    return _propagated(resample_mask(mask, geometry, back), points, alignment, direction)


def mask_points_mm(mask: Mask) -> NDArray[np.float64]:
    """Return positions ``(N, 3)`` that stand for a mask: at most about `MASK_POINTS` of its voxels, LPS mm.

    Raises:
        RegistrationError: The mask is empty.
    """
    index = np.argwhere(mask.voxels)
    if len(index) == 0:
        raise RegistrationError(f"mask {mask.label!r}: expected voxels to carry, found an empty mask")
    return mask.geometry.to_mm(index[:: max(1, len(index) // MASK_POINTS)])


def _map(points: list[PointMm], alignment: Alignment, direction: Direction, *, overruled: bool) -> list[PointMm]:
    _require_usable(alignment, overruled=overruled)
    return [_point(moved) for moved in transform_of(alignment, direction).map(points)]


def _require_usable(alignment: Alignment, *, overruled: bool) -> None:
    if alignment.quality.verdict is Verdict.REJECT and not overruled:
        reasons = "; ".join(alignment.quality.reasons)
        raise RegistrationError(f"propagation: expected a registration that is not rejected, found {reasons}")


def _propagated(value: T, points: NDArray[np.float64], alignment: Alignment, direction: Direction) -> Propagated[T]:
    error = uncertainty_mm(alignment, points, direction)
    doubtful = alignment.quality.verdict is Verdict.REJECT or error > alignment.plan.hint_above_mm
    return Propagated(value=value, uncertainty_mm=error, hint_only=doubtful)


def _largest(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one - other, axis=1).max())


def _point(values: NDArray[np.float64]) -> PointMm:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
