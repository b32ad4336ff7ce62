"""How far two readers agree on a size: Bland-Altman for several lesions a patient, and ICC(2,1) (recist.md 4)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from npcpit_imaging.analysis.clustered import SEED
from npcpit_imaging.analysis.proportion import CONFIDENCE, Estimate, Floats
from npcpit_imaging.errors import AnalysisError, NpcpitError

LEAST_PAIRS = 3
"""Fewer pairs have no limits of agreement worth a line."""

SAMPLES = 2000
"""Resamplings of patients for the intervals of the limits."""

SPREAD_GROWS = 0.3
"""Rank correlation of difference size and mean from which the log scale is advised."""

IccOf = Callable[[Floats], tuple[float, float, float]]
"""Gives ICC(2,1), lower and upper end of `(N, 2)` ratings; another worker's service, so a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Two readers' values of the same things.

    Args:
        first: `(N,)` values of the first reader.
        second: `(N,)` of the second.
        patient: `(N,)` number of the patient each belongs to.

    Raises:
        AnalysisError: Different lengths, or fewer pairs than `LEAST_PAIRS`.
    """

    first: Floats
    second: Floats
    patient: np.ndarray

    def __post_init__(self) -> None:
        if not self.first.shape == self.second.shape == self.patient.shape:
            raise AnalysisError(
                f"pairs: expected as many values of both, found {self.first.shape}, {self.second.shape}"
            )
        if self.first.size < LEAST_PAIRS:
            raise AnalysisError(f"pairs: expected at least {LEAST_PAIRS}, found {self.first.size}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlandAltman:
    """Bias and limits of agreement, second minus first; on the log scale second over first.

    Args:
        bias: Mean difference, or geometric mean ratio.
        lower: Lower 95 % limit of agreement.
        upper: Upper one.
        means: `(N,)` mean (geometric mean) of each pair.
        differences: `(N,)` difference (ratio) of each pair.
        patients: Whose pairs these are.
        log: Whether these are ratios.
        spread_grows: Rank correlation of difference size and mean: the larger, the more the log scale is called for.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate
    means: Floats
    differences: Floats
    patients: int
    log: bool
    spread_grows: float


def bland_altman(
    pairs: Pairs, *, log: bool = False, confidence: float = CONFIDENCE, samples: int = SAMPLES, seed: int = SEED
) -> BlandAltman:
    """Bias and limits of agreement (Bland and Altman 1986; 2007 for several pairs a patient whose true value varies).

    With one pair a patient the ends have Bland and Altman's own intervals. With several the variance is the sum of its
    parts between and within patients, and the intervals come from resampling patients.

    Args:
        pairs: The values; on the log scale all above 0.
        log: Compare ratios.
        confidence: Coverage of the intervals; the limits themselves are always those of 95 %.
        samples: Resamplings.
        seed: Of the resampling.

    Raises:
        AnalysisError: A value of 0 or less on the log scale.
    """
    first, second = pairs.first, pairs.second
    if log:
        if min(first.min(), second.min()) <= 0:
            raise AnalysisError("bland-altman: expected values above 0 for the log scale, found 0 or less")
        first, second = np.log(first), np.log(second)
    difference, mean = second - first, (first + second) / 2.0
    patients = np.unique(pairs.patient).size
    several = patients < difference.size
    ends = (
        _resampled(difference, pairs.patient, confidence, samples, seed)
        if several
        else _in_closed_form(difference, confidence)
    )
    if log:
        ends = [_exponential(end) for end in ends]
        difference, mean = np.exp(difference), np.exp(mean)
    bias, lower, upper = ends
    return BlandAltman(
        bias=bias,
        lower=lower,
        upper=upper,
        means=mean,
        differences=difference,
        patients=patients,
        log=log,
        spread_grows=_rank_correlation(np.abs(np.log(difference) if log else difference), mean),
    )


def _in_closed_form(difference: Floats, confidence: float) -> list[Estimate]:
    """Bias, lower and upper limit; the standard error of a limit is s sqrt(1/n + 1.96^2 / (2 (n - 1)))."""
    n, middle, spread = difference.size, float(difference.mean()), float(difference.std(ddof=1))
    z, t = float(ndtri(0.975)), float(stdtrit(n - 1, (1.0 + confidence) / 2.0))
    of_bias = t * spread / np.sqrt(n)
    of_limit = t * spread * np.sqrt(1.0 / n + z**2 / (2.0 * (n - 1)))
    method = "Bland-Altman 1986, t"
    return [
        Estimate(value=value, lower=value - half, upper=value + half, method=method)
        for value, half in (
            (middle, of_bias),
            (middle - z * spread, of_limit),
            (middle + z * spread, of_limit),
        )
    ]


def _resampled(difference: Floats, patient: np.ndarray, confidence: float, samples: int, seed: int) -> list[Estimate]:
    names, place = np.unique(patient, return_inverse=True)
    own = [difference[place == number] for number in range(names.size)]
    if names.size < 2:
        ends = _ends(own)
        note = "pairs of one patient: no interval"
        return [Estimate(value=e, lower=np.nan, upper=np.nan, method="Bland-Altman 2007", note=note) for e in ends]
    sums = np.array([[d.size, d.sum(), np.sum(d**2)] for d in own])
    draw = np.random.default_rng(seed)
    drawn = np.array([_ends_of_sums(sums[draw.integers(names.size, size=names.size)]) for _ in range(samples)])
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail], axis=0)
    return [
        Estimate(value=value, lower=float(lo), upper=float(hi), method="Bland-Altman 2007, patients resampled")
        for value, lo, hi in zip(_ends(own), low, high, strict=True)
    ]


def _ends(own: list[Floats]) -> tuple[float, float, float]:
    return _ends_of_sums(np.array([[d.size, d.sum(), np.sum(d**2)] for d in own]))


def _ends_of_sums(sums: Floats) -> tuple[float, float, float]:
    """Bias and limits from each patient's number, sum and sum of squares (one-way analysis of variance)."""
    m, total, squares = sums.T
    n, k = m.sum(), m.size
    middle = float(total.sum() / n)
    within_ss = float(np.sum(squares - total**2 / m))
    between_ss = float(np.sum(m * (total / m - middle) ** 2))
    if k < 2 or n <= k:
        variance = (within_ss + between_ss) / max(n - 1, 1)
    else:
        within, between = within_ss / (n - k), between_ss / (k - 1)
        size = (n - float(np.sum(m**2)) / n) / (k - 1)
        variance = within + max(0.0, (between - within) / size)
    half = float(ndtri(0.975)) * float(np.sqrt(max(variance, 0.0)))
    return middle, middle - half, middle + half


def _exponential(end: Estimate) -> Estimate:
    return Estimate(
        value=float(np.exp(end.value)),
        lower=float(np.exp(end.lower)),
        upper=float(np.exp(end.upper)),
        method=f"{end.method}, ratio",
        note=end.note,
    )


def _rank_correlation(one: Floats, other: Floats) -> float:
    from scipy.stats import rankdata

    a, b = rankdata(one), rankdata(other)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def icc_agreement(pairs: Pairs, icc: IccOf) -> Estimate:
    """ICC(2,1), absolute agreement of single ratings (Shrout and Fleiss 1979), or the reason why there is none."""
    method = "ICC(2,1), Shrout-Fleiss"
    try:
        value, lower, upper = icc(np.column_stack([pairs.first, pairs.second]))
    except NpcpitError as error:
        return Estimate(value=np.nan, lower=np.nan, upper=np.nan, method=method, note=str(error))
    note = "" if np.unique(pairs.patient).size == pairs.first.size else "lesions taken as independent"
    return Estimate(value=value, lower=lower, upper=upper, method=method, note=note)
