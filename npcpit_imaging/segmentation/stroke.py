"""The voxels under a brush stroke: a polyline in patient mm, thickened by a radius in mm, in one slice or as a tube."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.prompt import describe_point
from npcpit_imaging.study.caliper import PointMm
from npcpit_imaging.volume.geometry import Geometry

Window = tuple[slice, slice, slice]
"""A block (k, j, i) of a mask."""

Floats = NDArray[np.float64]

ROUNDING_MM = 1e-6
"""A voxel centre this much further than the radius still counts: 3 x 0.7 mm is not quite 2.1 in floating point."""

STEPS_PER_VOXEL = 2
"""How finely a stroke is followed for the voxels right under it."""


def stroke_voxels(
    geometry: Geometry, points_mm: tuple[PointMm, ...], *, radius_mm: float, in_slice: bool
) -> tuple[Window, NDArray[np.bool_]]:
    """Return the block of voxels around a stroke, and which of them lie under it.

    A voxel lies under the stroke when its centre is within the radius of the line through the points, or when the
    line itself runs through it: a brush smaller than a pixel still paints that pixel.

    Args:
        geometry: The grid.
        points_mm: Where the brush went, in its order, LPS mm; one point is a dab.
        radius_mm: Of the brush.
        in_slice: A disc moved in the slice that all points lie in; else a ball.

    Raises:
        SegmentationError: No point, a point or radius that is no number, a flat stroke over several slices, or a
            stroke of which nothing lies in the image.
    """
    if not (math.isfinite(radius_mm) and radius_mm > 0):
        raise SegmentationError(f"brush radius: expected more than 0 mm, found {radius_mm:g}")
    if not points_mm or not np.isfinite(np.array(points_mm, float)).all():
        raise SegmentationError(f"brush: expected at least one point in mm, found {list(points_mm)}")
    path = np.atleast_2d(geometry.to_index(points_mm))
    step = np.array(geometry.spacing_mm[::-1])
    if in_slice:
        path[:, 0] = _slice_of(path[:, 0])
        step[0] = math.inf  # what is not in the slice is infinitely far away
    window, covered = _tube(path, step, radius_mm, geometry.shape_kji)
    if not covered.any():
        raise SegmentationError(
            f"brush: expected a point in the image ({geometry.describe()}), found a stroke wholly outside it, "
            f"from {describe_point(points_mm[0])}"
        )
    return window, covered


def _slice_of(k: Floats) -> float:
    rounded = np.rint(k)
    if np.ptp(rounded) > 0:
        raise SegmentationError(
            f"brush: expected the points of a flat stroke in one slice, found slices {k.min():.1f} to {k.max():.1f}"
        )
    return float(rounded[0])


def _tube(
    path: Floats, step_mm: Floats, radius_mm: float, shape: tuple[int, int, int]
) -> tuple[Window, NDArray[np.bool_]]:
    reach = np.maximum(radius_mm / step_mm, 0.5 * np.isfinite(step_mm))
    window = _window(path.min(axis=0) - reach, path.max(axis=0) + reach, shape)
    covered = np.zeros([max(side.stop - side.start, 0) for side in window], bool)
    start = np.array([side.start for side in window])
    for one, other in pairwise(path) if len(path) > 1 else [(path[0], path[0])]:
        low, high = np.minimum(one, other) - reach, np.maximum(one, other) + reach
        part = _window(low, high, shape)
        inner = tuple(slice(p.start - s, p.stop - s) for p, s in zip(part, start, strict=True))
        covered[inner] |= _near(part, one, other, step_mm, radius_mm)
        _mark_under(covered, one - start, other - start)
    return window, covered


def _window(low: Floats, high: Floats, shape: tuple[int, int, int]) -> Window:
    """The voxels between two fractional indices, cut off at the image's border; empty where nothing is left."""
    first = np.clip(np.ceil(low - ROUNDING_MM), 0, shape).astype(int)
    last = np.clip(np.floor(high + ROUNDING_MM) + 1, first, shape).astype(int)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return (k, j, i)


def _near(part: Window, one: Floats, other: Floats, step_mm: Floats, radius_mm: float) -> NDArray[np.bool_]:
    """Which voxels of a block have their centre within the radius of a segment."""
    flat = ~np.isfinite(step_mm)
    millimetres = np.where(flat, 1.0, step_mm)
    along = np.where(flat, 0.0, (other - one) * millimetres)
    axes = np.ogrid[part]
    offset = [
        np.where(flat[n], 0.0, (axis - one[n]) * millimetres[n]) for n, axis in enumerate(axes)
    ]  # each broadcasts along its own axis
    length2 = float(along @ along)
    share: NDArray[np.float64] | float = 0.0
    if length2 > 0:
        share = np.clip(sum(o * a for o, a in zip(offset, along, strict=True)) / length2, 0.0, 1.0)
    distance2 = sum((o - share * a) ** 2 for o, a in zip(offset, along, strict=True))
    return np.asarray(distance2 <= (radius_mm + ROUNDING_MM) ** 2, bool)


def _mark_under(covered: NDArray[np.bool_], one: Floats, other: Floats) -> None:
    """Mark the voxels a segment runs through."""
    steps = math.ceil(STEPS_PER_VOXEL * float(np.abs(other - one).max())) + 1
    index = np.rint(np.linspace(one, other, steps)).astype(int)
    inside = ((index >= 0) & (index < covered.shape)).all(axis=1)
    covered[tuple(index[inside].T)] = True
