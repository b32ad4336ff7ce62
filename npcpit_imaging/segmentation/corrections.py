"""What clicks, strokes and lassos of a reader change: likely nearby, certain where they were drawn."""

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.drawn import points_of
from npcpit_imaging.segmentation.frame import box_frame
from npcpit_imaging.segmentation.prompt import BoxPrompt, LassoPrompt, Prompt
from npcpit_imaging.segmentation.region import Floats, Region, require_inside

ROUNDING = 1e-4
"""Places in a box are single precision."""

REACH = 0.12
"""How far a click speaks, as a fraction of the lesion's diameter (standard deviation)."""

LEAST_REACH_MM = 2.0
CLICK_LOG_ODDS = 6.0
"""How strongly a click speaks at its own place; more than almost any voxel's own evidence."""


def correction_log_odds(region: Region, prompts: tuple[Prompt, ...], diameter_mm: float) -> Floats:
    """Log-odds `(K, J, I)` that clicks and strokes add on the coarse grid, falling off with distance.

    Raises:
        SegmentationError: A point lies outside the image.
    """
    total = np.zeros(region.values.shape, np.float32)
    reach = max(REACH * diameter_mm, LEAST_REACH_MM)
    for prompt in prompts:
        for point in points_of(prompt):
            require_inside("point", point, region.native)
            total = _stronger(total, _bump(region, point, reach) * (1.0 if prompt.positive else -1.0))
    return total


def apply_corrections(inside: NDArray[np.bool_], region: Region, prompts: tuple[Prompt, ...]) -> NDArray[np.bool_]:
    """Make the drawn voxels themselves certain; later prompts win over earlier ones.

    A positive lasso excludes what lies outside it in its slice, a negative one what lies inside it. A positive box
    excludes every voxel that it does not touch, a negative one every voxel whose centre lies in it.

    Raises:
        SegmentationError: A lasso is not drawn in one slice, or leaves the image.
    """
    changed = inside.copy()
    for prompt in prompts:
        if isinstance(prompt, BoxPrompt):
            changed &= _touched(region, prompt) if prompt.positive else ~_in_box(region, prompt, edge_voxels=0.0)
        if isinstance(prompt, LassoPrompt):
            k, enclosed = lasso_plane(region, prompt)
            if 0 <= k < len(changed):
                changed[k] &= enclosed if prompt.positive else ~enclosed
        for point in points_of(prompt):
            index = np.rint(region.native.to_index(point)).astype(int) - np.array(region.start_kji)
            if ((index >= 0) & (index < np.array(region.shape_kji))).all():
                changed[tuple(index)] = prompt.positive
    return changed


def _touched(region: Region, box: BoxPrompt) -> NDArray[np.bool_]:
    return _in_box(region, box, edge_voxels=0.5)


def _in_box(region: Region, box: BoxPrompt, *, edge_voxels: float) -> NDArray[np.bool_]:
    """Which voxels `(K, J, I)` of the block lie in a box, or within so many voxels of it."""
    frame = box_frame(box, region.native)
    edge = 1.0 + edge_voxels * np.array(region.native.spacing_mm) / frame.half_mm + ROUNDING
    u, v, w = frame.coordinates(region.native.crop(region.start_kji, region.shape_kji))
    return np.asarray((np.abs(u) <= edge[0]) & (np.abs(v) <= edge[1]) & (np.abs(w) <= edge[2]))


def lasso_plane(region: Region, lasso: LassoPrompt) -> tuple[int, NDArray[np.bool_]]:
    """The slice of a lasso, counted from the region's first, and what it encloses there `(J, I)`.

    Raises:
        SegmentationError: It is not drawn in one slice, or leaves the image.
    """
    for point in lasso.points_mm:
        require_inside("lasso", point, region.native)
    index = region.native.to_index(lasso.points_mm)
    if np.ptp(index[:, 0]) > 1.0:
        raise SegmentationError(
            f"lasso: expected all points in one slice (at most one slice apart), found slices "
            f"{index[:, 0].min():.1f} to {index[:, 0].max():.1f}"
        )
    k = round(float(index[:, 0].mean())) - region.start_kji[0]
    enclosed: NDArray[np.bool_] = polygon2mask(region.shape_kji[1:], index[:, 1:] - np.array(region.start_kji[1:]))
    return k, enclosed


def _bump(region: Region, point_mm: tuple[float, float, float], reach_mm: float) -> Floats:
    index = region.geometry.to_index(point_mm)
    axes = [
        np.exp(-0.5 * ((np.arange(size) - centre) * spacing / reach_mm) ** 2)
        for size, centre, spacing in zip(
            region.geometry.shape_kji, index, region.geometry.spacing_mm[::-1], strict=True
        )
    ]
    bump: Floats = CLICK_LOG_ODDS * np.einsum("k,j,i->kji", *axes).astype(np.float32)
    return bump


def _stronger(one: Floats, other: Floats) -> Floats:
    return np.where(np.abs(other) > np.abs(one), other, one)
