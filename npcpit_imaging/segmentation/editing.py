"""Mask editing as pure functions, Mask to Mask: what a reading page calls when a reader draws.

Every function returns a new mask on the same grid with the same label; points, radii and distances are patient mm,
whatever the voxels' shape. `edits` keeps them in order for undo and redo.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.between import interpolate_slices
from npcpit_imaging.segmentation.stroke import ROUNDING_MM, Window, stroke_voxels
from npcpit_imaging.study.caliper import PointMm
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume, require_same_grid

AIR_HU = -300.0
"""CT voxels below are air."""

BONE_HU = 300.0
"""CT voxels above are bone (or dense contrast)."""


def brush(mask: Mask, points_mm: tuple[PointMm, ...], *, radius_mm: float, in_slice: bool = True) -> Mask:
    """Add what lies within a radius of a stroke.

    Args:
        mask: The mask.
        points_mm: Where the brush went, in its order; straight lines are drawn between them, one point is a dab.
        radius_mm: Of the brush; the voxels that the stroke itself runs through are painted however small it is.
        in_slice: A disc in the one slice that all points lie in, as a brush on a page is; else a ball.

    Raises:
        SegmentationError: Nothing of the stroke lies in the image, a flat one leaves its slice, or the radius is not
            positive.

    Example:
        >>> import numpy as np
        >>> from npcpit_imaging.volume.geometry import Geometry
        >>> grid = Geometry(shape_kji=(3, 9, 9), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 3.0))
        >>> empty = Mask(voxels=np.zeros(grid.shape_kji, bool), geometry=grid)
        >>> int(brush(empty, ((2.0, 4.0, 3.0), (6.0, 4.0, 3.0)), radius_mm=0.5).voxels.sum())
        5
    """
    window, covered = stroke_voxels(mask.geometry, points_mm, radius_mm=radius_mm, in_slice=in_slice)
    return _with_block(mask, window, mask.voxels[window] | covered)


def erase(mask: Mask, points_mm: tuple[PointMm, ...], *, radius_mm: float, in_slice: bool = True) -> Mask:
    """Take away what lies within a radius of a stroke; arguments and errors as of `brush`."""
    window, covered = stroke_voxels(mask.geometry, points_mm, radius_mm=radius_mm, in_slice=in_slice)
    return _with_block(mask, window, mask.voxels[window] & ~covered)


def fill_between_slices(mask: Mask, *, key_slices: tuple[int, ...] = ()) -> Mask:
    """Fill the slices between drawn ones by shape-based interpolation (Raya and Udupa 1990).

    Args:
        mask: The mask.
        key_slices: Slices k that stay as they are; what lies between two of them is replaced. By default every slice
            that holds something is one, so that only empty slices are filled.

    Raises:
        SegmentationError: Fewer than two slices are drawn, a key slice is empty or none of the image's, or two
            outlines cannot be joined.
    """
    drawn = [int(k) for k in np.flatnonzero(mask.voxels.any(axis=(1, 2)))]
    keys = sorted(set(key_slices)) or drawn
    empty = [k for k in keys if k not in drawn]
    if empty:
        raise SegmentationError(f"fill between slices: expected key slices with an outline, found none in {empty}")
    if len(keys) < 2:
        raise SegmentationError(f"fill between slices: expected at least two drawn slices, found {len(keys)}")
    column_mm, row_mm, _ = mask.geometry.spacing_mm
    return replace(mask, voxels=interpolate_slices(mask.voxels, (row_mm, column_mm), tuple(keys)))


def grow(mask: Mask, distance_mm: float) -> Mask:
    """Grow by a distance in mm, or shrink by a negative one, between voxel centres and the mask's edge.

    Raises:
        SegmentationError: The distance is no number, or nothing would be left.

    Example:
        >>> import numpy as np
        >>> from npcpit_imaging.volume.geometry import Geometry
        >>> grid = Geometry(shape_kji=(5, 5, 5), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 3.0))
        >>> voxels = np.zeros(grid.shape_kji, bool)
        >>> voxels[2, 2, 2] = True
        >>> int(grow(Mask(voxels=voxels, geometry=grid), 1.0).voxels.sum())
        5
    """
    if not math.isfinite(distance_mm):
        raise SegmentationError(f"grow: expected a distance in mm, found {distance_mm:g}")
    if distance_mm == 0 or not mask.voxels.any():
        return mask
    box = _around(mask, max(distance_mm, 0.0))
    voxels = mask.voxels[box]
    spacing = mask.geometry.spacing_mm[::-1]
    if distance_mm > 0:
        changed = ndimage.distance_transform_edt(~voxels, sampling=spacing) <= distance_mm + ROUNDING_MM
    else:
        changed = _inside_by(voxels, spacing) > -distance_mm + ROUNDING_MM
    _require_something(changed, f"shrink by {-distance_mm:g} mm")
    return _only_block(mask, box, np.asarray(changed, bool))


def _inside_by(voxels: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance of every voxel to the nearest one outside the mask."""
    if voxels.all():
        return np.full(voxels.shape, np.inf)
    # The image's border is no edge of the lesion: what lies beyond is not known to be healthy.
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(voxels, sampling=spacing)
    return distance


def largest_component(mask: Mask) -> Mask:
    """Keep the largest 26-connected component; of equal ones the first."""
    if not mask.voxels.any():
        return mask
    box = _around(mask, 0.0)
    label, count = ndimage.label(mask.voxels[box], np.ones((3, 3, 3)))
    if count < 2:
        return mask
    return _only_block(mask, box, label == 1 + int(np.bincount(label.ravel())[1:].argmax()))


def smooth(mask: Mask, *, radius_mm: float, in_slice: bool = False) -> Mask:
    """Round corners and fill notches smaller than a radius: a Gaussian of this width in mm, cut at one half.

    Args:
        mask: The mask.
        radius_mm: Standard deviation of the Gaussian.
        in_slice: Smooth every slice on its own; a lesion drawn in one slice has nothing above and below.

    Raises:
        SegmentationError: The radius is not positive, or nothing would be left.
    """
    if not (math.isfinite(radius_mm) and radius_mm > 0):
        raise SegmentationError(f"smooth radius: expected more than 0 mm, found {radius_mm:g}")
    if not mask.voxels.any():
        return mask
    box = _around(mask, 3 * radius_mm)
    sigma = radius_mm / np.array(mask.geometry.spacing_mm[::-1]) * (0.0 if in_slice else 1.0, 1.0, 1.0)
    inside = ndimage.gaussian_filter(mask.voxels[box].astype(np.float32), sigma, mode="nearest") >= 0.5
    _require_something(inside, f"smooth by {radius_mm:g} mm")
    return _only_block(mask, box, inside)


def clip_to_tissue(
    mask: Mask, volume: Volume, *, low_hu: float | None = AIR_HU, high_hu: float | None = BONE_HU
) -> Mask:
    """Take air and bone out of a CT mask: what is below or above a value.

    Args:
        mask: The mask, on the CT's grid.
        volume: The CT.
        low_hu: Voxels below are taken away; None to keep air.
        high_hu: Voxels above are taken away; None to keep bone.

    Raises:
        GeometryError: The mask lies on another grid.
        SegmentationError: The image is not a CT in HU.
    """
    require_same_grid(volume, mask)
    if volume.modality is not Modality.CT or volume.unit is not Unit.HU:
        raise SegmentationError(f"clip to tissue: expected a CT in HU, found {volume.modality} in {volume.unit}")
    if not mask.voxels.any():
        return mask
    box = _around(mask, 0.0)
    keep = mask.voxels[box].copy()
    if low_hu is not None:
        keep &= volume.voxels[box] >= low_hu
    if high_hu is not None:
        keep &= volume.voxels[box] <= high_hu
    return _only_block(mask, box, keep)


def _around(mask: Mask, margin_mm: float) -> Window:
    """The bounding box with a margin in mm, at least one voxel."""
    index = [np.flatnonzero(mask.voxels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    margin = [int(np.ceil(margin_mm / step)) + 1 for step in mask.geometry.spacing_mm[::-1]]
    k, j, i = (slice(max(int(s[0]) - m, 0), int(s[-1]) + m + 1) for s, m in zip(index, margin, strict=True))
    return (k, j, i)


def _with_block(mask: Mask, window: Window, block: NDArray[np.bool_]) -> Mask:
    voxels = mask.voxels.copy()
    voxels[window] = block
    return replace(mask, voxels=voxels)


def _only_block(mask: Mask, window: Window, block: NDArray[np.bool_]) -> Mask:
    voxels = np.zeros(mask.voxels.shape, bool)
    voxels[window] = block
    return replace(mask, voxels=voxels)


def _require_something(inside: NDArray[np.bool_], what: str) -> None:
    if not inside.any():
        raise SegmentationError(f"{what}: expected something of the lesion to be left, found nothing; use less")
