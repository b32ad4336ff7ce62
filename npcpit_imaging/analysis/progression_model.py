"""Which predictors go with a lesion's time to progression: Cox model with a variance by patient (Lin and Wei 1989)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from npcpit_imaging.analysis.association import (
    EVENTS_PER_VARIABLE,
    LARGEST_LOG_ODDS,
    LEAST_EVENTS,
    benjamini_hochberg,
    numbers,
    scaled,
)
from npcpit_imaging.analysis.proportion import CONFIDENCE, Floats, Ints
from npcpit_imaging.analysis.screening import Predictor

STEPS = 50
"""Newton steps before a fit is given up."""

SMALL_STEP = 1e-10
"""Change of the log hazard ratio at which a fit is done."""

COLUMNS = ["predictor", "words", "n", "patients", "events", "hazard_ratio", "lower", "upper", "p", "q", "note"]


def cox_by_patient(table: pd.DataFrame, predictors: Sequence[Predictor], *, days: str, event: str) -> pd.DataFrame:
    """One model per predictor, hazard ratio per standard deviation (yes against no), sandwich variance by patient.

    Args:
        table: A row per lesion: ``subject``, predictors, days and event.
        predictors: Screened.
        days: Column of times.
        event: Column of true or false.
    """
    rows = [_row(table, each, days, event) for each in predictors]
    found = pd.DataFrame(rows, columns=COLUMNS)
    found["q"] = benjamini_hochberg(found["p"].to_numpy(float))
    return found


def _row(table: pd.DataFrame, each: Predictor, days: str, event: str) -> dict[str, object]:
    known = table[["subject", days, event, each.name]].dropna()
    known = known[pd.to_numeric(known[days]) > 0]
    x = scaled(numbers(known[each.name]), each)
    happened = np.array([bool(value) for value in known[event]], np.int64)
    row: dict[str, object] = {
        "predictor": each.name,
        "words": each.words,
        "n": len(known),
        "patients": known["subject"].nunique(),
        "events": int(happened.sum()),
        "note": "",
    }
    if happened.sum() < LEAST_EVENTS or np.ptp(x) == 0:
        return {**row, "note": f"not tested: {int(happened.sum())} events"}
    standard = x if each.binary else (x - x.mean()) / x.std(ddof=1)
    if happened.sum() < EVENTS_PER_VARIABLE:
        row["note"] = f"{int(happened.sum())} events, expected {EVENTS_PER_VARIABLE} or more: exploratory"
    ratio = _fit(standard, numbers(known[days]), happened, known["subject"].to_numpy(str))
    return {**row, **ratio}


def _fit(x: Floats, days: Floats, event: Ints, patient: np.ndarray) -> dict[str, object]:
    found = cox(x, days, event, np.unique(patient, return_inverse=True)[1])
    if not np.isfinite(found.error) or abs(found.slope) > LARGEST_LOG_ODDS:
        return {"note": "no hazard ratio: the model did not converge (separation?)"}
    half = float(ndtri((1.0 + CONFIDENCE) / 2.0)) * found.error
    ratio, lower, upper = np.exp([found.slope, found.slope - half, found.slope + half])
    return {
        "hazard_ratio": float(ratio),
        "lower": float(lower),
        "upper": float(upper),
        "p": float(2.0 * ndtr(-abs(found.slope) / found.error)),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """A Cox model of one predictor.

    Args:
        slope: Log hazard ratio per unit; NaN where the likelihood has no maximum.
        error: Its standard error, by patient; NaN then too.
    """

    slope: float
    error: float


def cox(x: Floats, days: Floats, event: Ints, patient: Ints) -> CoxFit:
    """Fit one predictor by partial likelihood, ties after Efron, with the sandwich variance over patients.

    Args:
        x: `(N,)` the predictor, centred or not.
        days: `(N,)` times.
        event: `(N,)` 1 for the event, 0 for censored.
        patient: `(N,)` number of the patient.

    Example:
        R: ``coxph(Surv(days, event) ~ x, cluster = patient, ties = "efron")``.
    """
    order = np.argsort(-days, kind="stable")
    x, days, event, patient = x[order] - x.mean(), days[order], event[order], patient[order]
    slope = 0.0
    for _ in range(STEPS):
        score, information, _ = _derivatives(slope, x, days, event, residuals=False)
        if not np.isfinite(information) or information <= 0 or abs(slope) > 2 * LARGEST_LOG_ODDS:
            return CoxFit(slope=float("nan"), error=float("nan"))
        step = float(np.clip(score / information, -1.0, 1.0))
        slope += step
        if abs(step) < SMALL_STEP:
            break
    else:
        return CoxFit(slope=float("nan"), error=float("nan"))
    _, information, residual = _derivatives(slope, x, days, event)
    own = np.bincount(patient, weights=residual)
    return CoxFit(slope=slope, error=float(np.sqrt(np.sum(own**2))) / information)


def _derivatives(
    slope: float, x: Floats, days: Floats, event: Ints, *, residuals: bool = True
) -> tuple[float, float, Floats]:
    """Score, information and each unit's score residual; units in order of falling time."""
    weight = np.exp(slope * x)
    s0, s1, s2 = (np.cumsum(weight * x**power) for power in (0, 1, 2))
    ends = np.flatnonzero(np.diff(days, append=-1.0))  # last unit of each distinct time: all before it are at risk
    starts = np.concatenate([[0], ends[:-1] + 1])
    score, information, residual = 0.0, 0.0, np.zeros(x.size)
    for start, end in zip(starts, ends, strict=True):
        dying = start + np.flatnonzero(event[start : end + 1])
        deaths = dying.size
        if not deaths:
            continue
        own = [float(np.sum(weight[dying] * x[dying] ** power)) for power in (0, 1, 2)]
        for number in range(deaths):
            part = number / deaths
            total = s0[end] - part * own[0]
            mean = (s1[end] - part * own[1]) / total
            information += (s2[end] - part * own[2]) / total - mean**2
            score += float(np.mean(x[dying])) - mean
            if not residuals:
                continue
            residual[dying] += (x[dying] - mean) / deaths
            pull = weight[: end + 1] * (x[: end + 1] - mean) / total
            residual[: end + 1] -= pull
            residual[dying] += part * pull[dying]
    return score, float(information), residual
