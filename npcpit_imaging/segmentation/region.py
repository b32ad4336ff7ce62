"""The part of an image a segmenter looks at: a block near the prompt, coarsened to about 150,000 voxels.

The block keeps the image's axes. Coarsening is by a triangle kernel as wide as the coarse voxel, so that thin
structures are averaged and not skipped; the answer comes back by linear interpolation.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.prompt import describe_point
from npcpit_imaging.study.caliper import PointMm
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

VOXEL_BUDGET = 150_000
"""A region near this many voxels is answered in less than a second on two cores."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Region:
    """A block of an image on a grid no finer than the image's.

    Args:
        values: `(K, J, I)` float32 intensities on the coarse grid.
        geometry: The coarse grid.
        native: The image's whole grid.
        start_kji: First voxel of the block on the native grid.
        shape_kji: Size of the block on the native grid.
    """

    values: Floats
    geometry: Geometry
    native: Geometry
    start_kji: tuple[int, int, int]
    shape_kji: tuple[int, int, int]

    @property
    def window(self) -> tuple[slice, slice, slice]:
        """The block as slices (k, j, i) of a native array."""
        k, j, i = (slice(start, start + size) for start, size in zip(self.start_kji, self.shape_kji, strict=True))
        return (k, j, i)


def cut_region(
    volume: Volume, low_kji: NDArray[np.float64], high_kji: NDArray[np.float64], *, voxel_budget: int = VOXEL_BUDGET
) -> Region:
    """Cut the block between two fractional indices, cut off at the image's border, and coarsen it to the budget.

    Args:
        volume: The image.
        low_kji: `(3,)` lowest index (k, j, i) of interest.
        high_kji: `(3,)` highest.
        voxel_budget: About how many voxels the coarse grid may have.

    Raises:
        SegmentationError: The block lies outside the image, or holds NaN or infinity.
    """
    geometry = volume.geometry
    shape = np.array(geometry.shape_kji)
    start = np.clip(np.floor(low_kji), 0, shape - 1).astype(int)
    stop = np.clip(np.ceil(high_kji) + 1, start + 1, shape).astype(int)
    size = stop - start
    block = volume.voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    _require_finite(block, start, geometry)
    step = _coarse_step(size, np.array(geometry.spacing_mm[::-1]), voxel_budget)
    coarse = np.maximum(1, np.ceil(size / step - 1e-9)).astype(int)
    values = block
    for axis in range(3):
        values = _apply(coarsening(int(size[axis]), int(coarse[axis])), values, axis)
    centre = (size / coarse - 1) / 2
    spacing = np.array(geometry.spacing_mm[::-1]) * size / coarse
    grid = Geometry(
        shape_kji=_ints(coarse),
        origin_mm=_point(geometry.to_mm(start + centre)),
        spacing_mm=_point(spacing[::-1]),
        direction=geometry.direction,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
    )
    return Region(values=values, geometry=grid, native=geometry, start_kji=_ints(start), shape_kji=_ints(size))


def to_native(region: Region, values: Floats) -> Floats:
    """Interpolate `(K, J, I)` values of the coarse grid onto the native block."""
    for axis in range(3):
        values = _apply(refining(region.shape_kji[axis], values.shape[axis]), values, axis)
    return values


def to_region(region: Region, mask: Mask) -> Floats:
    """The fraction `(K, J, I)` of each coarse voxel that a native mask covers.

    Raises:
        SegmentationError: The mask lies on another grid than the image.
    """
    if not mask.geometry.same_grid(region.native):
        raise SegmentationError(
            f"previous mask: expected the image's grid ({region.native.describe()}), found {mask.geometry.describe()}"
        )
    values = mask.voxels[region.window].astype(np.float32)
    for axis in range(3):
        values = _apply(coarsening(region.shape_kji[axis], region.values.shape[axis]), values, axis)
    return values


def fill_mask(region: Region, inside: NDArray[np.bool_], label: str) -> Mask:
    """A mask of the whole image from the native block ``inside: `(K, J, I)` bool``."""
    voxels = np.zeros(region.native.shape_kji, bool)
    voxels[region.window] = inside
    return Mask(voxels=voxels, geometry=region.native, label=label)


def require_inside(name: str, point_mm: PointMm, geometry: Geometry) -> None:
    """Refuse a point outside the image.

    Raises:
        SegmentationError: It lies outside; the message says where the image lies.
    """
    if not bool(geometry.contains(point_mm)):
        corners = geometry.corners_mm()
        low, high = _point(corners.min(axis=0)), _point(corners.max(axis=0))
        raise SegmentationError(
            f"{name}: expected a point in the image, between {describe_point(low)} and {describe_point(high)}, "
            f"found {describe_point(point_mm)}"
        )


def coarsening(fine: int, coarse: int) -> Floats:
    """Weights `(coarse, fine)` that average a fine axis onto a coarse one of the same extent."""
    factor = fine / coarse
    centres = (np.arange(coarse) + 0.5) * factor - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(fine) - centres[:, None]) / factor)
    normalised: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


def refining(fine: int, coarse: int) -> Floats:
    """Weights `(fine, coarse)` that interpolate a coarse axis linearly onto a fine one, constant beyond its ends."""
    position = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1)
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(coarse) - position[:, None]))
    return weights.astype(np.float32)


def _apply(weights: Floats, values: NDArray[np.float32], axis: int) -> Floats:
    if weights.shape[0] == weights.shape[1]:
        return values
    product: Floats = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(product)


def _coarse_step(size: NDArray[np.int64], spacing: NDArray[np.float64], budget: int) -> NDArray[np.float64]:
    """Native voxels per coarse voxel along each axis: finest axes are coarsened first, towards cubes."""
    low, high = float(spacing.min()), float((size * spacing).max())
    for _ in range(40):
        edge = math.sqrt(low * high)
        count = float(np.prod(np.ceil(size / np.maximum(1.0, edge / spacing))))
        low, high = (edge, high) if count > budget else (low, edge)
    step: NDArray[np.float64] = np.maximum(1.0, high / spacing)
    return step if np.prod(size) > budget else np.ones(3)


def _require_finite(block: Floats, start: NDArray[np.int64], geometry: Geometry) -> None:
    bad = ~np.isfinite(block)
    if bad.any():
        first = np.argwhere(bad)[0] + start
        raise SegmentationError(
            f"image: expected finite values near the prompt, found {int(bad.sum())} NaN or infinite voxels, "
            f"the first at {describe_point(_point(geometry.to_mm(first)))}"
        )


def _point(values: NDArray[np.float64]) -> PointMm:
    x, y, z = (float(value) for value in values)
    return (x, y, z)


def _ints(values: NDArray[np.int64]) -> tuple[int, int, int]:
    k, j, i = (int(value) for value in values)
    return (k, j, i)
