"""PET uptake in a mask: SUVmax, mean and peak, SULpeak, MTV, TLG (IBSI reference manual, global intensity peak)."""

import math

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import MeasurementError, QuantityError
from npcpit_imaging.study.measurement import Uptake
from npcpit_imaging.volume.volume import Mask, Unit, Volume, require_same_grid

PEAK_RADIUS_MM = 10.0 * (3.0 / (4.0 * math.pi)) ** (1.0 / 3.0)
"""Radius of a sphere of 1 mL: 6.2035 mm."""


def uptake(volume_suv: Volume, mask: Mask, *, lean_fraction: float | None = None) -> Uptake:
    """Measure the uptake of one lesion.

    SUVpeak is the highest mean over 1 mL spheres centred on each voxel of the mask; a sphere takes every voxel whose
    centre lies within 6.2 mm, in the mask or not, and is cut off at the image's border.

    Args:
        volume_suv: PET in SUVbw.
        mask: The lesion, on the PET's own grid.
        lean_fraction: Lean body mass over body weight, which makes an SUVbw an SUVlbm; None where it is not known.

    Raises:
        GeometryError: The mask lies on another grid.
        QuantityError: The volume is not in SUVbw, or holds NaN or infinity in the mask, or the fraction is no fraction.
        MeasurementError: The mask is empty.
    """
    require_same_grid(volume_suv, mask)
    if volume_suv.unit is not Unit.SUVBW:
        raise QuantityError(f"uptake: expected a volume in {Unit.SUVBW}, found {volume_suv.unit}")
    values = volume_suv.voxels[mask.voxels].astype(np.float64)
    if values.size == 0:
        raise MeasurementError("uptake: expected at least one voxel in the mask, found none")
    if not np.isfinite(values).all():
        raise QuantityError("uptake: expected finite SUVs in the mask, found NaN or infinity")
    if lean_fraction is not None and not 0 < lean_fraction <= 1:
        raise QuantityError(f"uptake: expected a lean body fraction between 0 and 1, found {lean_fraction:g}")
    mean = float(values.mean())
    peak = float(_sphere_means(volume_suv, mask)[mask.voxels[_box(mask)]].max())
    return Uptake(
        suv_max=float(values.max()),
        suv_mean=mean,
        suv_peak=peak,
        mtv_ml=mask.volume_ml,
        tlg_g=mean * mask.volume_ml,
        sul_peak=None if lean_fraction is None else peak * lean_fraction,
    )


def _sphere_means(volume: Volume, mask: Mask) -> NDArray[np.float64]:
    """Mean over the 1 mL sphere around every voxel of the mask's bounding box."""
    offsets = _sphere_offsets(volume.geometry.spacing_mm)
    reach = np.abs(offsets).max(axis=0)
    inner = _box(mask)
    around = _neighbourhood(volume.voxels, inner, reach)
    shape = mask.voxels[inner].shape
    total, count = np.zeros(shape), np.zeros(shape)
    for offset in offsets:
        start = reach + offset
        shifted = around[tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))]
        known = np.isfinite(shifted)
        total += np.where(known, shifted, 0.0)
        count += known
    # A sphere at a voxel outside the mask may hold nothing but NaN; nobody reads it.
    means: NDArray[np.float64] = total / np.maximum(count, 1)
    return means


def _neighbourhood(
    voxels: NDArray[np.float32], inner: tuple[slice, slice, slice], reach: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The voxels in `inner` and `reach` around it; NaN outside the image."""
    sides = [(int(s.start - r), int(s.stop + r)) for s, r in zip(inner, reach, strict=True)]
    cut = voxels[tuple(slice(max(low, 0), high) for low, high in sides)].astype(np.float64)
    missing = [(max(-low, 0), max(high - n, 0)) for (low, high), n in zip(sides, voxels.shape, strict=True)]
    return np.pad(cut, missing, constant_values=np.nan)


def _sphere_offsets(spacing_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """Index offsets `(N, 3)` as (k, j, i) of all voxels with their centre in the sphere."""
    step = np.array(spacing_mm[::-1])
    reach = np.floor(PEAK_RADIUS_MM / step).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.linalg.norm(grid * step, axis=1) <= PEAK_RADIUS_MM
    offsets: NDArray[np.int64] = grid[inside]
    return offsets


def _box(mask: Mask) -> tuple[slice, slice, slice]:
    """Slices (k, j, i) of the mask's bounding box."""
    axes = ((1, 2), (0, 2), (0, 1))
    spans = [np.flatnonzero(mask.voxels.any(axis=axis)) for axis in axes]
    k, j, i = (slice(int(s[0]), int(s[-1]) + 1) for s in spans)
    return (k, j, i)
