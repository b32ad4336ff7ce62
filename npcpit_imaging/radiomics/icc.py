"""Intraclass correlation ICC(2,1) and ICC(3,1) with confidence intervals (Shrout and Fleiss 1979)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from npcpit_imaging.errors import RadiomicsError

CONFIDENCE = 0.95
"""Default coverage of the two-sided intervals."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Icc:
    """One coefficient.

    Args:
        value: The estimate.
        lower: Lower end of its two-sided confidence interval.
        upper: Upper end.
    """

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _MeanSquares:
    subjects: int
    raters: int
    between: float
    raters_mean: float
    error: float


def icc_2_1(ratings: Floats, *, confidence: float = CONFIDENCE) -> Icc:
    """Absolute agreement of single ratings, raters being a sample of many (two-way random).

    Args:
        ratings: `(N, K)` subjects by raters (or perturbations), finite.
        confidence: Coverage of the interval.

    Raises:
        RadiomicsError: Fewer than two subjects or raters, or ratings that do not vary.
    """
    ms = _mean_squares(ratings)
    n, k = ms.subjects, ms.raters
    value = (ms.between - ms.error) / (ms.between + (k - 1) * ms.error + k * (ms.raters_mean - ms.error) / n)
    if ms.error == 0 and ms.raters_mean == 0:
        return Icc(value=1.0, lower=1.0, upper=1.0)
    freedom = _satterthwaite(ms, value)
    tail = (1.0 + confidence) / 2.0
    above, below = fdtri(n - 1, freedom, tail), fdtri(freedom, n - 1, tail)
    rest = k * ms.raters_mean + (k * n - k - n) * ms.error
    return Icc(
        value=float(value),
        lower=float(n * (ms.between - above * ms.error) / (above * rest + n * ms.between)),
        upper=float(n * (below * ms.between - ms.error) / (rest + n * below * ms.between)),
    )


def icc_3_1(ratings: Floats, *, confidence: float = CONFIDENCE) -> Icc:
    """Consistency of single ratings, these raters being the only ones (two-way mixed).

    Args:
        ratings: `(N, K)` subjects by raters (or perturbations), finite.
        confidence: Coverage of the interval.

    Raises:
        RadiomicsError: Fewer than two subjects or raters, or ratings that do not vary.
    """
    ms = _mean_squares(ratings)
    n, k = ms.subjects, ms.raters
    if ms.error == 0:
        return Icc(value=1.0, lower=1.0, upper=1.0)
    ratio, tail = ms.between / ms.error, (1.0 + confidence) / 2.0
    low = ratio / fdtri(n - 1, (n - 1) * (k - 1), tail)
    high = ratio * fdtri((n - 1) * (k - 1), n - 1, tail)
    value, lower, upper = ((f - 1.0) / (f + k - 1.0) for f in (ratio, low, high))
    return Icc(value=float(value), lower=float(lower), upper=float(upper))


def _mean_squares(ratings: Floats) -> _MeanSquares:
    table = np.asarray(ratings, float)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise RadiomicsError(f"icc: expected finite ratings of at least 2 subjects by 2 raters, found {table.shape}")
    if np.ptp(table) == 0:
        raise RadiomicsError("icc: expected ratings that vary, found one value")
    n, k = table.shape
    mean = table.mean()
    subjects, raters = table.mean(axis=1), table.mean(axis=0)
    residual = table - subjects[:, None] - raters + mean
    # A residual at the rounding of the numbers is none: it would make a ratio of two roundings.
    error = float(np.sum(residual**2)) if np.abs(residual).max() > 1e-13 * np.abs(table).max() else 0.0
    return _MeanSquares(
        subjects=n,
        raters=k,
        between=float(k * np.sum((subjects - mean) ** 2) / (n - 1)),
        raters_mean=float(n * np.sum((raters - mean) ** 2) / (k - 1)) if error or np.ptp(raters) > 0 else 0.0,
        error=error / ((n - 1) * (k - 1)),
    )


def _satterthwaite(ms: _MeanSquares, value: float) -> float:
    """Degrees of freedom of the interval of ICC(2,1) (Shrout and Fleiss 1979, p. 424)."""
    n, k = ms.subjects, ms.raters
    if ms.error == 0:
        return float(k - 1)
    ratio = ms.raters_mean / ms.error
    linear = n * (1.0 + (k - 1) * value) - k * value
    above = (k - 1) * (n - 1) * (k * value * ratio + linear) ** 2
    return float(above / ((n - 1) * k**2 * value**2 * ratio**2 + linear**2))
