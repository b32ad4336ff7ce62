"""Intensities to grey levels: fixed bin size, fixed bin number, equalisation (IBSI 1, 2.7)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import MAX_GREY_LEVELS, Discretisation, Discretiser
from npcpit_imaging.errors import RadiomicsError


@dataclass(frozen=True, kw_only=True)
class Binning:
    """Grey levels of the voxels of an intensity mask.

    Args:
        levels: `(N,)` whole numbers from 1 to `count`.
        count: Number of grey levels the discretisation made (IBSI's N_g).
        lowest: Intensity at the lower edge of level 1.
        width: Width of a level, in the image's unit; 1 where there is none (equalised).
    """

    levels: NDArray[np.int64]
    count: int
    lowest: float
    width: float


def discretise(values: NDArray[np.float64], how: Discretisation, *, lower: float | None = None) -> Binning:
    """Return the grey levels of a region's intensities.

    Args:
        values: `(N,)` intensities, at least one.
        how: The algorithm and its size.
        lower: Lower bound of the resegmentation, where bins of fixed size begin; None begins at the minimum.

    Raises:
        RadiomicsError: More than `MAX_GREY_LEVELS` levels, or intensities that are no grey levels.

    Example:
        >>> how = Discretisation(method="fixed_bin_number", bin_count=2)
        >>> discretise(np.array([0.0, 1.0, 2.0, 4.0]), how).levels.tolist()
        [1, 1, 2, 2]
    """
    if how.method is Discretiser.NONE:
        return _whole_numbers(values)
    if how.method is Discretiser.FIXED_BIN_SIZE:
        assert how.bin_width is not None  # validated by Discretisation
        return _fixed_bin_size(values, how.bin_width, lower)
    assert how.bin_count is not None  # validated by Discretisation
    if how.method is Discretiser.FIXED_BIN_NUMBER:
        return _fixed_bin_number(values, how.bin_count)
    return _equalised(values, how.bin_count)


def _whole_numbers(values: NDArray[np.float64]) -> Binning:
    levels = np.rint(values)
    if not np.array_equal(levels, values) or values.min() < 1:
        raise RadiomicsError(
            f"discretisation none: expected whole-number intensities from 1, found {values.min():g} to {values.max():g}"
        )
    _require_few(levels.max())
    return Binning(levels=levels.astype(np.int64), count=int(levels.max()), lowest=0.5, width=1.0)


def _fixed_bin_size(values: NDArray[np.float64], width: float, lower: float | None) -> Binning:
    lowest = float(values.min()) if lower is None else lower
    levels = np.floor((values - lowest) / width) + 1.0
    _require_few(levels.max())
    return Binning(levels=levels.astype(np.int64), count=int(levels.max()), lowest=lowest, width=width)


def _fixed_bin_number(values: NDArray[np.float64], count: int) -> Binning:
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:
        return Binning(levels=np.ones(values.shape, np.int64), count=count, lowest=lowest, width=1.0)
    levels = np.minimum(np.floor(count * (values - lowest) / (highest - lowest)) + 1.0, count)
    return Binning(levels=levels.astype(np.int64), count=count, lowest=lowest, width=(highest - lowest) / count)


def _equalised(values: NDArray[np.float64], count: int) -> Binning:
    below = np.searchsorted(np.sort(values), values, side="left")
    levels = np.minimum(count * below // values.size + 1, count)
    return Binning(levels=levels.astype(np.int64), count=count, lowest=float(values.min()), width=1.0)


def _require_few(highest: float) -> None:
    if not highest <= MAX_GREY_LEVELS:
        raise RadiomicsError(
            f"discretisation: expected at most {MAX_GREY_LEVELS} grey levels, found {highest:.6g}; "
            "choose a larger bin width or a narrower resegmentation range"
        )
