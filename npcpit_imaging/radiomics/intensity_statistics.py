"""Intensity-based statistics (IBSI 1, 3.3): a region's intensities, wherever they lie."""

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.radiomics.feature import Values

ROUNDING = 1e-7
"""What counts as zero, in relation to the numbers it was summed from: voxels are single precision (6e-8)."""

Floats = NDArray[np.float64]


def intensity_statistics(values: Floats) -> Values:
    """Return the 18 statistics.

    Args:
        values: `(N,)` intensities of the intensity mask, at least one.
    """
    return {
        **{f"stat_{name}": value for name, value in describe(values).items()},
        "stat_energy": float(np.sum(values**2)),
        "stat_rms": float(np.sqrt(np.mean(values**2))),
    }


def describe(values: Floats) -> Values:
    """Return the 16 statistics that intensities and grey levels share (3.3.1 to 3.3.16, 3.4.1 to 3.4.17)."""
    p10, p25, median, p75, p90 = (float(value) for value in np.percentile(values, (10, 25, 50, 75, 90)))
    mean = float(values.mean())
    deviation = values - mean
    variance = float(np.mean(deviation**2))
    robust = values[(values >= p10) & (values <= p90)]
    return {
        "mean": mean,
        "var": variance,
        **_shape(deviation, variance),
        "median": median,
        "min": float(values.min()),
        "p10": p10,
        "p90": p90,
        "max": float(values.max()),
        "iqr": p75 - p25,
        "range": float(np.ptp(values)),
        "mad": float(np.mean(np.abs(deviation))),
        "rmad": float(np.mean(np.abs(robust - robust.mean()))) if robust.size else 0.0,
        "medad": float(np.mean(np.abs(values - median))),
        "cov": ratio(np.sqrt(variance), mean, scale=float(np.max(np.abs(values)))),
        "qcod": ratio(p75 - p25, p75 + p25, scale=max(abs(p25), abs(p75))),
    }


def ratio(numerator: float, denominator: float, *, scale: float = 0.0) -> float:
    """Divide; NaN where the denominator is zero, or only the rounding of numbers as large as `scale`."""
    if abs(denominator) <= ROUNDING * abs(scale):
        return float("nan")
    return float(numerator / denominator)


def _shape(deviation: Floats, variance: float) -> Values:
    # IBSI 1, 3.3.3: a region of equal intensities has skewness and kurtosis 0.
    if variance <= np.finfo(float).eps * max(1.0, float(np.max(np.abs(deviation)))):
        return {"skew": 0.0, "kurt": 0.0}
    square = deviation * deviation
    return {
        "skew": float(np.mean(square * deviation) / variance**1.5),
        "kurt": float(np.mean(square * square) / variance**2 - 3.0),
    }
