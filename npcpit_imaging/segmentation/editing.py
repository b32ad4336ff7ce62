"""Mask editing as pure functions, Mask to Mask: a brush is round in mm, growing is in mm, whatever the voxels' shape.

Undo is keeping the mask before: every function returns a new one.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.region import require_inside
from npcpit_imaging.study.caliper import PointMm
from npcpit_imaging.volume.volume import Mask, Modality, Volume, require_same_grid

AIR_HU = -300.0
"""CT voxels below are air."""

BONE_HU = 300.0
"""CT voxels above are bone (or dense contrast)."""

Box = tuple[slice, slice, slice]


def brush(mask: Mask, points_mm: tuple[PointMm, ...], *, radius_mm: float, in_slice: bool = True) -> Mask:
    """Add what lies within a radius of any of the points.

    Args:
        mask: The mask.
        points_mm: Where the brush went, close together.
        radius_mm: Of the brush.
        in_slice: Paint only each point's own slice, as a brush on a page does; else a ball.

    Raises:
        SegmentationError: A point lies outside the image, or the radius is not positive.
    """
    return _with(mask, mask.voxels | _painted(mask, points_mm, radius_mm, in_slice=in_slice))


def erase(mask: Mask, points_mm: tuple[PointMm, ...], *, radius_mm: float, in_slice: bool = True) -> Mask:
    """Take away what lies within a radius of any of the points; see `brush`."""
    return _with(mask, mask.voxels & ~_painted(mask, points_mm, radius_mm, in_slice=in_slice))


def grow(mask: Mask, distance_mm: float) -> Mask:
    """Grow by a distance in mm, or shrink by a negative one, between voxel centres and the mask's edge.

    Example:
        >>> import numpy as np
        >>> from npcpit_imaging.volume.geometry import Geometry
        >>> grid = Geometry(shape_kji=(5, 5, 5), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 3.0))
        >>> voxels = np.zeros(grid.shape_kji, bool)
        >>> voxels[2, 2, 2] = True
        >>> int(grow(Mask(voxels=voxels, geometry=grid), 1.0).voxels.sum())
        5
    """
    if distance_mm == 0 or not mask.voxels.any():
        return mask
    box = _around(mask, max(distance_mm, 0.0))
    voxels = mask.voxels[box]
    spacing = mask.geometry.spacing_mm[::-1]
    if distance_mm > 0:
        changed = ndimage.distance_transform_edt(~voxels, sampling=spacing) <= distance_mm
    else:
        # The image's border is no edge of the lesion: what lies beyond is not known to be healthy.
        padded = np.pad(voxels, 1, mode="edge")
        changed = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1] > -distance_mm
    return _replaced(mask, box, np.asarray(changed, bool))


def largest_component(mask: Mask) -> Mask:
    """Keep the largest 26-connected component."""
    label, count = ndimage.label(mask.voxels, np.ones((3, 3, 3)))
    if count < 2:
        return mask
    return _with(mask, label == 1 + int(np.bincount(label.ravel())[1:].argmax()))


def smooth(mask: Mask, *, radius_mm: float) -> Mask:
    """Round corners and fill notches smaller than a radius: a Gaussian in mm, cut at one half.

    Raises:
        SegmentationError: The radius is not positive.
    """
    _require_positive("radius", radius_mm)
    if not mask.voxels.any():
        return mask
    box = _around(mask, 3 * radius_mm)
    sigma = radius_mm / np.array(mask.geometry.spacing_mm[::-1])
    blurred = ndimage.gaussian_filter(mask.voxels[box].astype(np.float32), sigma, mode="nearest")
    return _replaced(mask, box, blurred >= 0.5)


def fill_between_slices(mask: Mask) -> Mask:
    """Fill empty slices between drawn ones by shape-based interpolation (Raya and Udupa 1990).

    The signed distance in mm to the outline is interpolated linearly between neighbouring drawn slices.

    Raises:
        SegmentationError: Fewer than two slices are drawn.
    """
    drawn = np.flatnonzero(mask.voxels.any(axis=(1, 2)))
    if len(drawn) < 2:
        raise SegmentationError(f"fill between slices: expected at least two drawn slices, found {len(drawn)}")
    voxels = mask.voxels.copy()
    pixel = mask.geometry.spacing_mm[1::-1]
    for low, high in pairwise(drawn):
        if high - low < 2:
            continue
        below, above = (_signed_distance(mask.voxels[k], pixel) for k in (low, high))
        for k in range(low + 1, high):
            share = (k - low) / (high - low)
            voxels[k] = (1 - share) * below + share * above > 0
    return _with(mask, voxels)


def clip_to_tissue(mask: Mask, volume: Volume, *, air: bool = True, bone: bool = True) -> Mask:
    """Take air and bone out of a CT mask.

    Raises:
        GeometryError: The mask lies on another grid.
        SegmentationError: The image is not a CT.
    """
    require_same_grid(volume, mask)
    if volume.modality is not Modality.CT:
        raise SegmentationError(f"clip to tissue: expected a CT in HU, found {volume.modality}")
    keep = np.ones(mask.voxels.shape, bool)
    if air:
        keep &= volume.voxels >= AIR_HU
    if bone:
        keep &= volume.voxels <= BONE_HU
    return _with(mask, mask.voxels & keep)


def _painted(mask: Mask, points_mm: tuple[PointMm, ...], radius_mm: float, *, in_slice: bool) -> NDArray[np.bool_]:
    _require_positive("radius", radius_mm)
    painted = np.zeros(mask.voxels.shape, bool)
    spacing = np.array(mask.geometry.spacing_mm[::-1])
    for point in points_mm:
        require_inside("brush", point, mask.geometry)
        centre = mask.geometry.to_index(point)
        if in_slice:
            centre[0] = round(float(centre[0]))
        reach = radius_mm / spacing * (0.0 if in_slice else 1.0, 1.0, 1.0)
        low = np.maximum(np.ceil(centre - reach - 1e-9), 0).astype(int)
        high = np.minimum(np.floor(centre + reach + 1e-9) + 1, mask.voxels.shape).astype(int)
        k, j, i = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        offsets = [(axis - c) * s for axis, c, s in zip((k, j, i), centre, spacing, strict=True)]
        window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        painted[window] |= sum(offset**2 for offset in offsets) <= radius_mm**2 + 1e-9
    return painted


def _signed_distance(plane: NDArray[np.bool_], pixel_mm: tuple[float, ...]) -> NDArray[np.float64]:
    inside = ndimage.distance_transform_edt(plane, sampling=pixel_mm)
    outside = ndimage.distance_transform_edt(~plane, sampling=pixel_mm)
    return np.asarray(inside - outside, np.float64)


def _around(mask: Mask, margin_mm: float) -> Box:
    """The bounding box with a margin in mm, at least one voxel."""
    index = [np.flatnonzero(mask.voxels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    margin = [int(np.ceil(margin_mm / step)) + 1 for step in mask.geometry.spacing_mm[::-1]]
    k, j, i = (slice(max(int(s[0]) - m, 0), int(s[-1]) + m + 1) for s, m in zip(index, margin, strict=True))
    return (k, j, i)


def _replaced(mask: Mask, box: Box, inside: NDArray[np.bool_]) -> Mask:
    voxels = np.zeros(mask.voxels.shape, bool)
    voxels[box] = inside
    return _with(mask, voxels)


def _with(mask: Mask, voxels: NDArray[np.bool_]) -> Mask:
    return Mask(voxels=voxels, geometry=mask.geometry, label=mask.label)


def _require_positive(name: str, value: float) -> None:
    if not value > 0:
        raise SegmentationError(f"{name}: expected more than 0 mm, found {value:g}")
