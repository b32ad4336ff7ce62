"""Interpolation onto a grid aligned at the image centre (IBSI 1, 2.4), one axis after the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.radiomics import Interpolator

SPLINE_REACH = 16
"""Voxels beyond which a cubic spline's prefilter is below 1e-9 of the value (its pole is sqrt(3) - 2)."""

COUNT_DECIMALS = 3
"""Rounding of a grid's size, so that 90.0000003 voxels (a float32 spacing) are 90 and not 91."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """New voxel centres along one axis, in index units of the old grid.

    Args:
        positions: `(N,)` positions; inside [0, old size - 1] or up to half a voxel outside it.
        spacing_mm: Distance between the new centres.
    """

    positions: Array
    spacing_mm: float

    @property
    def is_identity(self) -> bool:
        """Tell whether the new centres are old ones, one after the other."""
        return bool(np.array_equal(self.positions, np.rint(self.positions)) and np.all(np.diff(self.positions) == 1.0))


def centred_axis(size: int, spacing_mm: float, new_spacing_mm: float) -> Axis:
    """Return new centres that lie symmetrically about the centre of the old ones.

    Example:
        >>> centred_axis(4, 1.0, 2.0).positions.tolist()
        [0.5, 2.5]
    """
    if np.isclose(spacing_mm, new_spacing_mm, rtol=1e-5, atol=0.0):
        return Axis(positions=np.arange(size, dtype=float), spacing_mm=spacing_mm)
    count = max(1, int(np.ceil(np.round(size * spacing_mm / new_spacing_mm, COUNT_DECIMALS))))
    step = new_spacing_mm / spacing_mm
    first = 0.5 * ((size - 1) - (count - 1) * step)
    return Axis(positions=first + step * np.arange(count, dtype=np.float64), spacing_mm=new_spacing_mm)


def covering(axis: Axis, low: float, high: float) -> Axis:
    """Return the part of an axis whose positions cover [low, high], one voxel more on either side."""
    start = max(0, int(np.searchsorted(axis.positions, low)) - 1)
    stop = min(len(axis.positions), int(np.searchsorted(axis.positions, high)) + 2)
    return Axis(positions=axis.positions[start:stop], spacing_mm=axis.spacing_mm)


def interpolate(array: NDArray[np.generic], axes: tuple[Axis, Axis, Axis], interpolator: Interpolator) -> Array:
    """Interpolate a `(K, J, I)` array at the crossing of three axes; the edge value continues outside.

    Args:
        array: The whole old image or mask.
        axes: New centres along k, j, i.
        interpolator: Linear, or cubic B-spline.

    Returns:
        Float64 values, one for each crossing.
    """
    cubic = interpolator is Interpolator.CUBIC
    blocks = [_source(axis, size, SPLINE_REACH if cubic else 1) for axis, size in zip(axes, array.shape, strict=True)]
    values: Array = array[tuple(blocks)].astype(np.float64)
    for dimension, (axis, block) in enumerate(zip(axes, blocks, strict=True)):
        positions = axis.positions - block.start
        if axis.is_identity:
            values = np.take(values, positions.astype(int), axis=dimension)
        elif cubic and values.shape[dimension] > 1:
            values = _cubic(values, positions, dimension)
        else:
            values = _linear(values, positions, dimension)
    return values


def _source(axis: Axis, size: int, reach: int) -> slice:
    start = int(np.floor(axis.positions[0])) - reach
    stop = int(np.floor(axis.positions[-1])) + reach + 1
    return slice(max(0, min(start, size - 1)), max(1, min(stop, size)))


def _linear(values: Array, positions: Array, dimension: int) -> Array:
    last = values.shape[dimension] - 1
    inside = np.clip(positions, 0.0, last)
    lower = np.minimum(np.floor(inside).astype(int), max(last - 1, 0))
    weight = _along(inside - lower, dimension)
    upper = np.minimum(lower + 1, last)
    mixed: Array = np.take(values, lower, axis=dimension) * (1.0 - weight)
    mixed += np.take(values, upper, axis=dimension) * weight
    return mixed


def _cubic(values: Array, positions: Array, dimension: int) -> Array:
    coefficients: Array = ndimage.spline_filter1d(values, order=3, axis=dimension, mode="mirror")
    last = values.shape[dimension] - 1
    inside = np.clip(positions, 0.0, last)
    base = np.floor(inside).astype(int)
    t = inside - base
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (1 - t) ** 3 - 6 * (1 - t) ** 2 + 4, t**3)
    result: Array = np.zeros(())
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        index = np.abs(base + offset)
        mirrored = np.where(index > last, 2 * last - index, index)
        result = result + np.take(coefficients, mirrored, axis=dimension) * _along(weight / 6.0, dimension)
    return result


def _along(weight: Array, dimension: int) -> Array:
    shape = [1, 1, 1]
    shape[dimension] = len(weight)
    return weight.reshape(shape)
