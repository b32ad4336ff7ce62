"""A proportion with its interval: Clopper-Pearson, Wilson, and Korn-Graubard for lesions within patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from npcpit_imaging.errors import AnalysisError

CONFIDENCE = 0.95
"""Coverage of every two-sided interval of the results."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate and its two-sided interval; NaN with a reason where there is none.

    Args:
        value: The estimate.
        lower: Lower end.
        upper: Upper end.
        method: How the interval was made.
        note: A fallback that was taken, or why there is no interval; empty otherwise.
    """

    value: float
    lower: float
    upper: float
    method: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Counts of lesions by patient.

    Args:
        responding: `(P,)` responding lesions of each patient.
        lesions: `(P,)` lesions of each patient, at least 1.

    Raises:
        AnalysisError: Not one count each, none at all, or more responding lesions than lesions.
    """

    responding: Ints
    lesions: Ints

    def __post_init__(self) -> None:
        y, m = self.responding, self.lesions
        if y.shape != m.shape or y.ndim != 1 or not y.size:
            raise AnalysisError(f"clusters: expected one pair of counts a patient, found {y.shape} and {m.shape}")
        if (m < 1).any() or (y < 0).any() or (y > m).any():
            raise AnalysisError("clusters: expected 0 <= responding <= lesions and at least 1 lesion a patient")

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.lesions.size)

    @property
    def total(self) -> int:
        """Number of lesions."""
        return int(self.lesions.sum())

    @property
    def responders(self) -> int:
        """Number of responding lesions."""
        return int(self.responding.sum())

    @property
    def rate(self) -> float:
        """Responding lesions over lesions."""
        return self.responders / self.total


def clusters(patient: Sequence[str], responds: Sequence[bool]) -> Clusters:
    """Count lesions by patient.

    Args:
        patient: Whose each lesion is.
        responds: Whether each lesion responded.

    Example:
        >>> clusters(["a", "a", "b"], [True, False, True]).responding.tolist()
        [1, 1]
    """
    names, place = np.unique(np.asarray(patient, dtype=str), return_inverse=True)
    counts = np.bincount(place, minlength=names.size)
    positive = np.bincount(place, weights=np.asarray(responds, dtype=float), minlength=names.size)
    return Clusters(responding=positive.astype(np.int64), lesions=counts.astype(np.int64))


def clopper_pearson(
    count: float, number: float, *, confidence: float = CONFIDENCE, method: str = "Clopper-Pearson"
) -> Estimate:
    """Exact interval of a binomial proportion (Clopper and Pearson 1934); counts need not be whole.

    Args:
        count: Successes.
        number: Trials.
        confidence: Coverage.
        method: Name in the answer, where it is a step of another interval.

    Raises:
        AnalysisError: No trial, or more successes than trials.

    Example:
        >>> found = clopper_pearson(0, 10)
        >>> round(found.upper, 4)
        0.3085
    """
    _require(count, number)
    tail = (1.0 - confidence) / 2.0
    lower = 0.0 if count <= 0 else float(betaincinv(count, number - count + 1, tail))
    upper = 1.0 if count >= number else float(betaincinv(count + 1, number - count, 1.0 - tail))
    return Estimate(value=count / number, lower=lower, upper=upper, method=method)


def wilson(count: float, number: float, *, confidence: float = CONFIDENCE) -> Estimate:
    """Score interval of a binomial proportion (Wilson 1927).

    Raises:
        AnalysisError: No trial, or more successes than trials.
    """
    _require(count, number)
    z = float(ndtri((1.0 + confidence) / 2.0))
    rate, spread = count / number, z * z / number
    middle = (rate + spread / 2.0) / (1.0 + spread)
    half = z / (1.0 + spread) * np.sqrt(rate * (1.0 - rate) / number + spread / (4.0 * number))
    return Estimate(
        value=rate, lower=float(max(0.0, middle - half)), upper=float(min(1.0, middle + half)), method="Wilson"
    )


def _require(count: float, number: float) -> None:
    if number <= 0 or not 0 <= count <= number:
        raise AnalysisError(f"proportion: expected 0 <= count <= number and number > 0, found {count:g} of {number:g}")


def linearised_variance(found: Clusters) -> float:
    """Variance of lesions responding over lesions, patients being the sampled units (Taylor linearisation)."""
    k = found.patients
    residual = found.responding - found.rate * found.lesions
    return float(k / (k - 1) * np.sum(residual**2) / found.total**2)


def design_effect(found: Clusters) -> float:
    """How much larger the variance is than that of as many independent lesions; NaN at 0 %, 100 % or one patient."""
    rate = found.rate
    if found.patients < 2 or rate in (0.0, 1.0):
        return float("nan")
    return linearised_variance(found) / (rate * (1.0 - rate) / found.total)


def korn_graubard(found: Clusters, *, confidence: float = CONFIDENCE) -> Estimate:
    """Clopper-Pearson on the effective number of lesions, t-adjusted (Korn and Graubard 1998).

    The effective number is lesions / design effect, times the square of t with lesions - 1 degrees of freedom over t
    with patients - 1, and never more than the lesions there are (Parker et al. 2017, NCHS). At 0 % and 100 % the design
    effect cannot be estimated: the interval is then Clopper-Pearson on patients, as for a single patient's lesions.
    """
    method = "Korn-Graubard"
    if found.rate in (0.0, 1.0) or found.patients < 2:
        why = "one patient" if found.patients < 2 else f"{found.rate:.0%} of lesions"
        exact = clopper_pearson(found.rate * found.patients, found.patients, confidence=confidence)
        return Estimate(
            value=found.rate,
            lower=exact.lower,
            upper=exact.upper,
            method=method,
            note=f"{why}: no design effect, so Clopper-Pearson on {found.patients} patients",
        )
    number = effective_number(found, confidence=confidence)
    exact = clopper_pearson(found.rate * number, number, confidence=confidence)
    return Estimate(value=found.rate, lower=exact.lower, upper=exact.upper, method=method)


def effective_number(found: Clusters, *, confidence: float = CONFIDENCE) -> float:
    """The t-adjusted effective number of lesions, at most the number of lesions."""
    effect = design_effect(found)
    if effect <= 0:
        return float(found.total)
    tail = (1.0 + confidence) / 2.0
    ratio = stdtrit(found.total - 1, tail) / stdtrit(found.patients - 1, tail)
    return float(min(found.total, found.total / effect * ratio**2))
