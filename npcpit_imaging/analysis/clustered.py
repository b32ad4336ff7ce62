"""Lesions within patients: intraclass correlation, GEE and bootstrap intervals of a response rate (recist.md 4)."""

import numpy as np
from scipy.special import expit, stdtrit

from npcpit_imaging.analysis.gee_fit import fit_gee
from npcpit_imaging.analysis.proportion import CONFIDENCE, Clusters, Estimate

BOOTSTRAP_SAMPLES = 10_000
"""Resamplings of patients."""

SEED = 20260101
"""Of the bootstrap where the caller names none; a result is the same whenever it is computed."""

BLOCK = 1000
"""Resamplings at a time, which bounds memory for large studies."""

GEE_PATIENTS = 1000
"""From this many patients on the bias reduction of a GEE is beyond sight, and costs a matrix a patient."""


def intraclass_correlation(found: Clusters) -> float:
    """ANOVA estimate of how alike the lesions of one patient are (Ridout et al. 1999); NaN where it is not defined.

    It may be negative: lesions of a patient are then less alike than lesions of different patients.
    """
    y, m = found.responding.astype(float), found.lesions.astype(float)
    k, n = found.patients, float(found.total)
    if k < 2 or n <= k or found.rate in (0.0, 1.0):
        return float("nan")
    between = float(np.sum(m * (y / m - found.rate) ** 2)) / (k - 1)
    within = float(np.sum(y * (1.0 - y / m))) / (n - k)
    size = (n - float(np.sum(m**2)) / n) / (k - 1)
    return (between - within) / (between + (size - 1.0) * within)


def bootstrap(
    found: Clusters, *, confidence: float = CONFIDENCE, samples: int = BOOTSTRAP_SAMPLES, seed: int = SEED
) -> Estimate:
    """Percentile interval from resampling patients, each with all lesions."""
    method = "cluster bootstrap"
    if found.rate in (0.0, 1.0) or found.patients < 2:
        return _undefined(found, method, "does not exist at 0 %, 100 % or with one patient")
    draw = np.random.default_rng(seed)
    rates = np.empty(samples)
    both = (found.responding << 32) + found.lesions  # counted at once: sums stay far below 2**31 each
    for start in range(0, samples, BLOCK):
        stop = min(start + BLOCK, samples)
        chosen = draw.integers(found.patients, size=(stop - start, found.patients))
        sums = both[chosen].sum(axis=1)
        rates[start:stop] = (sums >> 32) / (sums & 0xFFFFFFFF)
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(rates, [tail, 1.0 - tail])
    return Estimate(value=found.rate, lower=float(lower), upper=float(upper), method=method)


def gee(found: Clusters, *, confidence: float = CONFIDENCE) -> Estimate:
    """Interval of a binomial GEE, exchangeable within patients, bias-reduced, t of patients - 1 degrees of freedom.

    Liang and Zeger 1986; Mancl and DeRouen 2001. Its estimate weighs lesions by how alike a patient's are, so it
    may differ from lesions responding over lesions. From `GEE_PATIENTS` patients on the plain robust variance is used.
    """
    variance = "bias-reduced" if found.patients < GEE_PATIENTS else "robust"
    method = f"GEE, exchangeable, {variance}"
    if found.rate in (0.0, 1.0) or found.patients < 3:
        return _undefined(found, method, "does not exist at 0 %, 100 % or with fewer than three patients")
    if not (found.lesions > 1).any():
        method = f"GEE, {variance}"
    coefficient, error, note = _fit_gee(found)
    if not np.isfinite(error):
        return _undefined(found, method, note or "did not converge")
    half = float(stdtrit(found.patients - 1, (1.0 + confidence) / 2.0)) * error
    lower, upper = expit([coefficient - half, coefficient + half])
    return Estimate(value=float(expit(coefficient)), lower=float(lower), upper=float(upper), method=method, note=note)


def _fit_gee(found: Clusters) -> tuple[float, float, str]:
    """Fit an intercept; returns it, its standard error, and what was done otherwise than usual."""
    patient = np.repeat(np.arange(found.patients), found.lesions)
    place = np.arange(found.total) - np.repeat(np.cumsum(found.lesions) - found.lesions, found.lesions)
    outcome = (place < np.repeat(found.responding, found.lesions)).astype(float)
    small = found.patients < GEE_PATIENTS
    fitted = fit_gee(outcome, np.ones((outcome.size, 1)), patient, bias_reduced=small)
    if not fitted.converged:
        return float("nan"), float("nan"), "did not converge"
    note = "" if small else f"plain robust variance: {found.patients} patients need no bias reduction"
    return float(fitted.estimates[0]), float(fitted.errors[0]), note


def _undefined(found: Clusters, method: str, note: str) -> Estimate:
    return Estimate(value=found.rate, lower=float("nan"), upper=float("nan"), method=method, note=note)
