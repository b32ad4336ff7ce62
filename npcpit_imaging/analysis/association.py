"""Does a predictor go with an outcome? Tests that know which lesions are one patient's (recist.md 4, radiomics.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, stdtr, stdtrit

from npcpit_imaging.analysis.gee_fit import fit_gee
from npcpit_imaging.analysis.proportion import CONFIDENCE, Floats
from npcpit_imaging.analysis.screening import Predictor, Source
from npcpit_imaging.errors import AnalysisError

LEAST_EVENTS = 3
"""Fewer units with, or without, the outcome: nothing is tested."""

EVENTS_PER_VARIABLE = 10
"""Outcomes a tested predictor should have (Peduzzi et al. 1996); below it results are called exploratory."""

EXACT_BELOW = 50
"""Units of each kind below which Mann-Whitney is exact (wilcox.test of R)."""

LARGEST_LOG_ODDS = 8.0
"""A log odds ratio per standard deviation beyond it is a model that ran away (separation), no estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is to be told apart.

    Args:
        name: In words, e.g. ``lesion CR``.
        table: A row per unit: ``subject``, predictors, and the outcome's column.
        column: True, False, or missing.
    """

    name: str
    table: pd.DataFrame
    column: str


def associate(outcome: Outcome, predictors: Sequence[Predictor], *, volume: str | None) -> pd.DataFrame:
    """Test each predictor alone, and each image feature beyond volume.

    Lesions of one patient: the p value is of a generalised score test whose contributions are summed by patient (Boos
    1992), with t of patients - 1 degrees of freedom; it needs no fit and holds under separation. The effect is a GEE's
    (exchangeable, bias-reduced). One unit a patient: Mann-Whitney for numbers, Fisher for yes or no.

    Args:
        outcome: What is told apart.
        predictors: Screened.
        volume: Column of the null model that image features must beat; None where there is none.

    Returns:
        A row per predictor: n, patients, events, effect (odds ratio per standard deviation, or yes against no) with its
        interval, AUC, p, test, q (Benjamini-Hochberg over this outcome), p, q and odds ratio beyond volume, note.
    """
    rows = [_row(outcome, each, volume) for each in predictors]
    found = pd.DataFrame(rows, columns=COLUMNS)
    found["q"] = benjamini_hochberg(found["p"].to_numpy(float))
    found["q_beyond_volume"] = benjamini_hochberg(found["p_beyond_volume"].to_numpy(float))
    return found


COLUMNS = [
    *("outcome", "predictor", "source", "words", "n", "patients", "events", "odds_ratio", "lower", "upper", "auc"),
    *("p", "q", "test", "p_independent", "rho_volume", "p_beyond_volume", "q_beyond_volume"),
    *("odds_ratio_beyond_volume", "lower_beyond_volume", "upper_beyond_volume", "p_shuffled", "note"),
]


def _row(outcome: Outcome, each: Predictor, volume: str | None) -> dict[str, object]:
    columns = ["subject", outcome.column, each.name]
    known = outcome.table[columns].dropna()
    y, x = numbers(known[outcome.column]), scaled(numbers(known[each.name]), each)
    names, patient = np.unique(known["subject"].astype(str), return_inverse=True)
    events = int(y.sum())
    row: dict[str, object] = {
        "outcome": outcome.name,
        "predictor": each.name,
        "source": each.source.value,
        "words": each.words,
        "n": y.size,
        "patients": names.size,
        "events": events,
        "note": "",
    }
    if min(events, y.size - events) < LEAST_EVENTS or np.ptp(x) == 0:
        return {**row, "note": f"not tested: {events} of {y.size} with the outcome"}
    clustered = names.size < y.size
    alone = mann_whitney(x, y) if not each.binary else fisher(x, y)
    odds, lower, upper, note = _effect(x if each.binary else _standardised(x), y, patient)
    words = ("Fisher" if each.binary else "Mann-Whitney") if not clustered else "score test by patient"
    row |= {
        "odds_ratio": odds,
        "lower": lower,
        "upper": upper,
        "auc": area_under_curve(x, y),
        "p": score_test(x, y, patient) if clustered else alone,
        "test": words,
        "p_independent": alone,
        "note": note,
    }
    if volume is not None and each.name != volume and each.source in (Source.RADIOMICS, Source.SIZE, Source.IMAGE):
        row |= _beyond(outcome, each, volume)
    return row


def _beyond(outcome: Outcome, each: Predictor, volume: str) -> dict[str, object]:
    """Test a feature given the logarithm of volume, the null model, on units where both are known."""
    known = outcome.table[["subject", outcome.column, each.name, volume]].dropna()
    known = known[known[volume] > 0]
    y, x = numbers(known[outcome.column]), scaled(numbers(known[each.name]), each)
    size = np.log(numbers(known[volume]))
    patient = np.unique(known["subject"].astype(str), return_inverse=True)[1]
    if min(y.sum(), y.size - y.sum()) < LEAST_EVENTS or np.ptp(size) == 0 or np.ptp(x) == 0:
        return {}
    odds, lower, upper, _ = _effect(_standardised(x), y, patient, given=_standardised(size))
    return {
        "rho_volume": _spearman(x, size),
        "p_beyond_volume": score_test(x, y, patient, given=size[:, None]),
        "odds_ratio_beyond_volume": odds,
        "lower_beyond_volume": lower,
        "upper_beyond_volume": upper,
    }


def score_test(x: Floats, y: Floats, patient: np.ndarray, *, given: Floats | None = None) -> float:
    """Two-sided p of the generalised score test of x in a logistic model, contributions summed by patient.

    The model under the null has an intercept and `given`, fitted by maximum likelihood as if independent; the robust
    variance makes it valid for clusters. The statistic is the one-sample t of the patients' summed contributions.

    Args:
        x: `(N,)` the predictor.
        y: `(N,)` 0 or 1.
        patient: `(N,)` number of the patient.
        given: `(N, G)` what the null model knows.
    """
    if given is None:
        return float(score_tests(x[:, None], y[:, None], patient)[0])
    z = np.column_stack([np.ones(y.size), _columns(given)])
    p = _logistic(z, y)
    weight = p * (1.0 - p)
    left = z * weight[:, None]
    try:
        rest = x - z @ np.linalg.solve(left.T @ z, left.T @ x)
    except np.linalg.LinAlgError:
        return float("nan")
    if np.sum(weight * rest**2) <= 1e-9 * max(np.sum(weight * (x - x.mean()) ** 2), 1e-300):
        return float("nan")  # the null model tells it already
    own = np.bincount(patient, weights=rest * (y - p))
    own = own[np.bincount(patient) > 0]
    spread = float(own.std(ddof=1)) if own.size > 1 else 0.0
    if spread == 0.0:
        return float("nan")
    t = float(own.mean()) / (spread / np.sqrt(own.size))
    return float(2.0 * stdtr(own.size - 1, -abs(t)))


def score_tests(x: Floats, y: Floats, patient: np.ndarray) -> Floats:
    """`score_test` of many columns at once, with nothing but an intercept under the null, which is then the rate.

    Args:
        x: `(N, K)` predictors, each of which varies.
        y: `(N, K)` 0 or 1, the outcome each predictor is tested with.
        patient: `(N,)` number of the patient.

    Returns:
        `(K,)` two-sided p; NaN where nothing varies between patients.
    """
    order = np.argsort(patient, kind="stable")
    starts = np.flatnonzero(np.diff(patient[order], prepend=-1))
    rows, outcomes = np.ascontiguousarray(x[order].T), np.ascontiguousarray(y[order].T)  # each is summed as if alone
    pull = (rows - rows.mean(axis=1, keepdims=True)) * (outcomes - outcomes.mean(axis=1, keepdims=True))
    own = np.add.reduceat(pull, starts, axis=1)
    number = starts.size
    if number < 2:
        return np.full(x.shape[1], np.nan)
    spread = own.std(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # no spread: NaN below
        t = own.mean(axis=1) / (spread / np.sqrt(number))
    return np.where(spread > 0, 2.0 * stdtr(number - 1, -np.abs(t)), np.nan)


def _columns(given: Floats) -> Floats:
    return np.column_stack([_standardised(column) for column in given.T])


def _logistic(z: Floats, y: Floats, steps: int = 30) -> Floats:
    """Fitted probabilities of a logistic model (Newton), kept away from 0 and 1."""
    beta = np.zeros(z.shape[1])
    for _ in range(steps):
        p = np.clip(expit(z @ beta), 1e-8, 1.0 - 1e-8)
        hessian = (z * (p * (1.0 - p))[:, None]).T @ z + 1e-10 * np.eye(z.shape[1])
        change = np.linalg.solve(hessian, z.T @ (y - p))
        beta += np.clip(change, -2.0, 2.0)
        if np.abs(change).max() < 1e-10:
            break
    return np.clip(expit(z @ beta), 1e-8, 1.0 - 1e-8)


def _effect(
    x: Floats, y: Floats, patient: np.ndarray, *, given: Floats | None = None
) -> tuple[float, float, float, str]:
    """Odds ratio and its interval from a GEE; NaN with the reason where the model has no estimate.

    Args:
        x: `(N,)` the predictor.
        y: `(N,)` 0 or 1.
        patient: `(N,)` number of the patient.
        given: `(N,)` what the model knows besides.
    """
    patients = np.unique(patient).size
    order = np.argsort(patient, kind="stable")
    design = np.column_stack([np.ones(y.size), x, *([] if given is None else [given])])[order]
    fitted = fit_gee(y[order], design, patient[order])
    slope, error, well = float(fitted.estimates[1]), float(fitted.errors[1]), fitted.converged
    if not well or not np.isfinite(slope) or not np.isfinite(error) or abs(slope) > LARGEST_LOG_ODDS:
        return float("nan"), float("nan"), float("nan"), "no odds ratio: the model did not converge (separation?)"
    half = float(stdtrit(patients - 1, (1.0 + CONFIDENCE) / 2.0)) * error
    with np.errstate(over="ignore"):
        odds, lower, upper = (float(np.exp(each)) for each in (slope, slope - half, slope + half))
    return odds, lower, upper, ""


def scaled(values: Floats, each: Predictor) -> Floats:
    """A predictor's values as models take them; a logarithm only where every value is above 0."""
    return np.log(values) if each.log and values.size and values.min() > 0 else values


def numbers(values: pd.Series) -> Floats:
    """A column as numbers; true is 1."""
    return np.array(values, dtype=np.float64)


def mann_whitney(x: Floats, y: Floats) -> float:
    """Two-sided p, units taken as independent; exact without ties and with fewer than 50 of each, as in R."""
    return float(mann_whitney_tests(x[:, None], y[:, None])[0])


def mann_whitney_tests(x: Floats, y: Floats) -> Floats:
    """`mann_whitney` of many columns at once: scipy ranks those with as many of each kind together.

    Args:
        x: `(N, K)` values.
        y: `(N, K)` 0 or 1, the outcome each column is tested with.
    """
    from scipy.stats import mannwhitneyu

    answer = np.empty(x.shape[1])
    ones = (y == 1).sum(axis=0)
    tied = np.array([np.unique(column).size < column.size for column in x.T])
    exact = ~tied & (np.maximum(ones, len(y) - ones) < EXACT_BELOW)
    for count, how in sorted(set(zip(ones.tolist(), exact.tolist(), strict=True))):
        own = np.flatnonzero((ones == count) & (exact == how))
        values, picked = x.T[own], y.T[own] == 1
        found = mannwhitneyu(
            values[picked].reshape(own.size, count),
            values[~picked].reshape(own.size, len(y) - count),
            alternative="two-sided",
            method="exact" if how else "asymptotic",
            axis=1,
        )
        answer[own] = found.pvalue
    return answer


def fisher(x: Floats, y: Floats) -> float:
    """Two-sided p of Fisher's exact test of two yes-or-no values, units taken as independent."""
    from scipy.stats import fisher_exact

    counts = [[int(np.sum((x == a) & (y == b))) for b in (1, 0)] for a in (1, 0)]
    return float(fisher_exact(np.array(counts)).pvalue)


def area_under_curve(x: Floats, y: Floats) -> float:
    """Chance that a unit with the outcome has the larger value; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(x)
    ones = float(y.sum())
    return float((ranks[y == 1].sum() - ones * (ones + 1) / 2.0) / (ones * (y.size - ones)))


def _standardised(x: Floats) -> Floats:
    spread = float(x.std(ddof=1))
    if spread == 0:
        raise AnalysisError("association: expected values that vary, found one")
    return np.asarray((x - x.mean()) / spread, np.float64)


def _spearman(x: Floats, other: Floats) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(x), rankdata(other))[0, 1])


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p values over those that are known (Benjamini and Hochberg 1995); NaN stays NaN.

    Example:
        >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
        [0.03, 0.04, 0.04, nan]
    """
    answer = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not known.size:
        return answer
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * known.size / np.arange(1, known.size + 1)
    answer[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return answer
