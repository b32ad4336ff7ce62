"""Intensity-volume histogram (IBSI 1, 3.5): how much of a region is at least how bright."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Discretisation, Discretiser, Resegmentation
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.feature import Values

MAX_STEPS = 1_000_000
"""Most steps of an intensity-volume histogram."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The histogram: volume fraction with at least each of the ordered intensities.

    Args:
        intensities: `(M,)` ascending, evenly spaced.
        fractions: `(M,)` fraction of the region's voxels at or above each.
    """

    intensities: Floats
    fractions: Floats

    @property
    def relative(self) -> Floats:
        """Intensity fraction `(M,)`, from 0 at the first to 1 at the last; NaN for a single intensity."""
        span = self.intensities[-1] - self.intensities[0]
        fractions: Floats = (self.intensities - self.intensities[0]) / (span if span > 0 else np.nan)
        return fractions


def intensity_volume_histogram(values: Floats, how: Discretisation, bounds: Resegmentation) -> Values:
    """Return the 7 features.

    Args:
        values: `(N,)` intensities of the intensity mask, at least one.
        how: Discretisation of the histogram; none takes whole numbers as they are.
        bounds: Where the intensity axis begins and ends; the region's own minimum and maximum where it does not say.

    Raises:
        RadiomicsError: More than `MAX_STEPS` steps, or fractional intensities without a discretisation.
    """
    curve = volume_curve(values, how, bounds)
    v10, v90 = _volume_at(curve, 0.10), _volume_at(curve, 0.90)
    i10, i90 = _intensity_at(curve, 0.10), _intensity_at(curve, 0.90)
    return {
        "ivh_v10": v10,
        "ivh_v90": v90,
        "ivh_i10": i10,
        "ivh_i90": i90,
        "ivh_diff_v10_v90": v10 - v90,
        "ivh_diff_i10_i90": i10 - i90,
        "ivh_auc": float(np.trapezoid(curve.fractions, curve.relative)),
    }


def volume_curve(values: Floats, how: Discretisation, bounds: Resegmentation) -> Curve:
    """Return the curve on IBSI's intensity axis for whole numbers, fixed bin size or fixed bin number (3.5)."""
    if how.method is Discretiser.FIXED_BIN_NUMBER and how.bin_count is not None:
        return _by_bin_number(values, how.bin_count)
    if how.method is Discretiser.FIXED_BIN_SIZE and how.bin_width is not None:
        return _by_bin_size(values, how.bin_width, bounds)
    if how.method is Discretiser.NONE:
        return _by_whole_numbers(values, bounds)
    raise RadiomicsError("ivh: expected none, fixed_bin_size or fixed_bin_number, found equalised")


def _by_bin_number(values: Floats, count: int) -> Curve:
    low, span = values.min(), np.ptp(values)
    if span == 0:
        return Curve(intensities=np.ones(1), fractions=np.ones(1))
    levels = np.minimum(np.floor(count * (values - low) / span), count - 1).astype(int)
    return Curve(intensities=np.arange(1.0, count + 1.0), fractions=_at_least(levels, count))


def _by_bin_size(values: Floats, width: float, bounds: Resegmentation) -> Curve:
    low = float(values.min()) if bounds.lower is None else bounds.lower
    high = float(values.max()) if bounds.upper is None else bounds.upper
    levels = np.floor((values - low) / width).astype(int)
    count = _step_count(max(np.ceil(round((high - low) / width, 9)), float(levels.max()) + 1.0, 1.0))
    return Curve(
        intensities=low + (np.arange(count, dtype=np.float64) + 0.5) * width, fractions=_at_least(levels, count)
    )


def _by_whole_numbers(values: Floats, bounds: Resegmentation) -> Curve:
    if not np.array_equal(values, np.rint(values)):
        raise RadiomicsError("ivh none: expected whole-number intensities, found fractional ones")
    low = float(values.min()) if bounds.lower is None else float(np.ceil(bounds.lower))
    high = float(values.max()) if bounds.upper is None else float(np.floor(bounds.upper))
    count = _step_count(high - low + 1.0)
    return Curve(
        intensities=low + np.arange(count, dtype=np.float64), fractions=_at_least((values - low).astype(int), count)
    )


def _step_count(count: float) -> int:
    if count > MAX_STEPS:
        raise RadiomicsError(f"ivh: expected at most {MAX_STEPS} steps, found {count:.6g}; choose a larger bin width")
    return int(count)


def _at_least(levels: NDArray[np.int64], count: int) -> Floats:
    counts = np.bincount(levels, minlength=count)
    fractions: Floats = np.cumsum(counts[::-1])[::-1] / levels.size
    return fractions


def _volume_at(curve: Curve, intensity_fraction: float) -> float:
    reached = curve.relative >= intensity_fraction - 1e-12
    return float(curve.fractions[reached].max()) if reached.any() else float("nan")


def _intensity_at(curve: Curve, volume_fraction: float) -> float:
    within = curve.fractions <= volume_fraction
    if within.any():
        return float(curve.intensities[within].min())
    # More than this share of the voxels lies in the last step: IBSI's phantom continues one step beyond it.
    step = curve.intensities[-1] - curve.intensities[-2] if curve.intensities.size > 1 else 0.0
    return float(curve.intensities[-1] + step)
