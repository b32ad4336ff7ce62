"""ComBat: a batch's shift and scale, shrunk towards what they are over all features (Johnson 2007; Fortin 2018)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import RadiomicsError

CONVERGED = 1e-8
"""Relative change of shift and scale from one iteration to the next at which the posterior is found."""

ITERATIONS = 10_000
"""Most iterations; a posterior that is not found by then is refused."""

Floats = NDArray[np.float64]


def combat(values: Floats, batches: NDArray[np.int64], covariates: Floats, *, converged: float = CONVERGED) -> Floats:
    """Return values without the batches' shifts and scales, the covariates' effects kept.

    Args:
        values: `(N, P)` cases by at least two features.
        batches: `(N,)` number of each case's batch, from 0; every batch has at least two cases.
        covariates: `(N, C)` design of what is kept, without an intercept; C may be 0.
        converged: Relative change that ends the iteration.

    Raises:
        RadiomicsError: The posterior of a batch is not found.
    """
    indicator = (batches[:, None] == np.arange(batches.max() + 1)).astype(np.float64)
    coefficients = np.linalg.lstsq(np.hstack([indicator, covariates]), values, rcond=None)[0]
    counts = indicator.sum(axis=0)
    of_batches, of_covariates = np.vsplit(coefficients, [len(counts)])
    kept = counts @ of_batches / counts.sum() + covariates @ of_covariates
    spread = np.sqrt(np.mean((values - indicator @ of_batches - covariates @ of_covariates) ** 2, axis=0))
    standard = (values - kept) / spread
    adjusted = np.empty_like(standard)
    for number in range(len(counts)):
        inside = standard[batches == number]
        posterior = _posterior(inside, converged)
        adjusted[batches == number] = (inside - posterior.shift) / np.sqrt(posterior.variance)
    result: Floats = adjusted * spread + kept
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Shift and variance `(P,)` of one batch in units of the pooled spread."""

    shift: Floats
    variance: Floats


def _posterior(inside: Floats, converged: float) -> _Batch:
    """Posterior means under a normal prior of the shift and an inverse gamma prior of the variance, over features.

    Equations 3.1 of Johnson 2007, with the priors' parameters by the method of moments.
    """
    n = len(inside)
    shift, variance = inside.mean(axis=0), inside.var(axis=0, ddof=1)
    prior_shift, prior_spread = shift.mean(), shift.var(ddof=1)
    mean, moment = variance.mean(), variance.var(ddof=1)
    shape, rate = 2.0 + mean**2 / moment, mean + mean**3 / moment
    found = _Batch(shift=shift, variance=variance)
    for _ in range(ITERATIONS):
        new_shift = (n * prior_spread * shift + found.variance * prior_shift) / (n * prior_spread + found.variance)
        squares = np.sum((inside - new_shift) ** 2, axis=0)
        new = _Batch(shift=new_shift, variance=(rate + squares / 2.0) / (n / 2.0 + shape - 1.0))
        change = max(_change(new.shift, found.shift), _change(new.variance, found.variance))
        found = new
        if change <= converged:
            return found
    raise RadiomicsError(f"combat: expected a posterior within {ITERATIONS} iterations, found none")


def _change(new: Floats, old: Floats) -> float:
    return float(np.max(np.abs(new - old) / np.maximum(np.abs(old), np.finfo(float).tiny)))
