"""Times to events: Kaplan-Meier with log-log intervals, reverse Kaplan-Meier, landmarks, Aalen-Johansen (recist.md 4).

Written here and not taken from a library, because lesions of one patient need a variance by patient and because ties
are to be handled exactly (decision 0110); R's survival and cmprsk and lifelines are the second opinions of the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from npcpit_imaging.analysis.proportion import CONFIDENCE, Estimate, Floats, Ints
from npcpit_imaging.errors import AnalysisError

HALF = 0.5
ROUNDING = 1e-9
"""A survival that should be one half may miss it by the rounding of its factors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Times to an event, or to the end of follow-up.

    Args:
        days: `(N,)` days, not negative.
        event: `(N,)` 0 censored, 1 the event, 2 a competing one.
        cluster: `(N,)` number of the patient each belongs to.

    Raises:
        AnalysisError: The lengths differ, there is none, or a time is negative or not a number.
    """

    days: Floats
    event: Ints
    cluster: Ints

    def __post_init__(self) -> None:
        if not self.days.size or not self.days.shape == self.event.shape == self.cluster.shape:
            raise AnalysisError(f"times: expected one event a time and at least one, found {self.days.shape}")
        if not np.isfinite(self.days).all() or (self.days < 0).any():
            raise AnalysisError("times: expected finite days that are not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A step function of time with its interval; the first step is time 0.

    Args:
        days: `(T,)` times of the steps: every time at which something happened, 0 first.
        value: `(T,)` survival or cumulative incidence from that time on.
        lower: `(T,)` lower end of its interval.
        upper: `(T,)` upper end.
        at_risk: `(T,)` at risk just before.
        events: `(T,)` events at that time.
        method: How the interval was made.
    """

    days: Floats
    value: Floats
    lower: Floats
    upper: Floats
    at_risk: Ints
    events: Ints
    method: str

    def at(self, day: float) -> Estimate:
        """The value at a day; no number beyond the last time anybody was followed."""
        if day > self.days[-1]:
            return Estimate(
                value=np.nan, lower=np.nan, upper=np.nan, method=self.method, note="beyond the last follow-up"
            )
        place = int(np.searchsorted(self.days, day, side="right")) - 1
        return Estimate(
            value=float(self.value[place]),
            lower=float(self.lower[place]),
            upper=float(self.upper[place]),
            method=self.method,
        )


def times(days: Sequence[float], event: Sequence[int], patient: Sequence[str] | None = None) -> Times:
    """Make times; without patients each time is its own cluster."""
    cluster = np.arange(len(days)) if patient is None else np.unique(np.asarray(patient, str), return_inverse=True)[1]
    return Times(days=np.asarray(days, float), event=np.asarray(event, np.int64), cluster=cluster.astype(np.int64))


def kaplan_meier(found: Times, *, confidence: float = CONFIDENCE) -> Curve:
    """Product-limit estimate; interval from log(-log S).

    Where patients have several times (lesions) the variance is the infinitesimal jackknife over patients, as R's
    ``survfit(..., cluster = patient)``; otherwise it is Greenwood's. Events other than 1 count as censored.
    """
    grid, at_risk, events = _steps(found, found.event == 1)
    hazard = np.divide(events, at_risk, out=np.zeros(grid.size), where=at_risk > 0)
    survival = _floats(np.cumprod(1.0 - hazard))
    clustered = np.unique(found.cluster).size < found.days.size
    variance = _jackknife_variance(found, grid, at_risk, events) if clustered else _greenwood(at_risk, events)
    lower, upper = _log_log(survival, _floats(np.sqrt(variance)), confidence)
    method = "log-log, variance by patient" if clustered else "log-log, Greenwood"
    return Curve(days=grid, value=survival, lower=lower, upper=upper, at_risk=at_risk, events=events, method=method)


def _steps(found: Times, event: np.ndarray) -> tuple[Floats, Ints, Ints]:
    """Give the distinct times after a leading 0, how many are at risk just before each, and events at each."""
    grid, place = np.unique(found.days, return_inverse=True)
    leaving = np.bincount(place, minlength=grid.size)
    events = np.bincount(place, weights=event.astype(float), minlength=grid.size).astype(np.int64)
    at_risk = found.days.size - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    if grid[0] == 0.0:
        return grid, at_risk.astype(np.int64), events
    zero = np.zeros(1, np.int64)
    return (
        np.concatenate([[0.0], grid]),
        np.concatenate([[found.days.size], at_risk]).astype(np.int64),
        np.concatenate([zero, events]),
    )


def _floats(values: "np.ndarray") -> Floats:
    return np.asarray(values, np.float64)


def _greenwood(at_risk: Ints, events: Ints) -> Floats:
    """Variance of log S."""
    rest = (at_risk - events).astype(float)
    terms = np.divide(events, at_risk * rest, out=np.full(events.size, np.inf), where=rest > 0)
    return np.cumsum(np.where(events > 0, terms, 0.0))


def _jackknife_variance(found: Times, grid: Floats, at_risk: Ints, events: Ints) -> Floats:
    """Variance of log S from each patient's influence on it."""
    rest = (at_risk - events).astype(float)
    step = np.divide(1.0, rest, out=np.zeros(grid.size), where=rest > 0)
    hazard = np.divide(events, at_risk, out=np.zeros(grid.size), where=at_risk > 0)
    compensator = np.cumsum(hazard * step)
    own = np.searchsorted(grid, found.days)
    influence = np.zeros((int(found.cluster.max()) + 1, grid.size))
    for number, (place, event) in enumerate(zip(own, found.event == 1, strict=True)):
        row = influence[found.cluster[number]]
        row[:place] += compensator[:place]
        row[place:] += compensator[place]
        if event:
            row[place:] -= step[place]
    variance = np.sum(influence**2, axis=0)
    return np.where(np.cumprod(1.0 - hazard) <= 0.0, np.inf, variance)


def _log_log(survival: Floats, error: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Interval on the scale of log(-log S); S of 1 has none, and neither has S of 0 (as in R)."""
    z = float(ndtri((1.0 + confidence) / 2.0))
    lower, upper = np.full(survival.size, np.nan), np.full(survival.size, np.nan)
    inside = (survival > 0.0) & (survival < 1.0)
    log_s = np.log(survival[inside])
    shift = z * error[inside] / log_s  # negative, for log S is
    lower[inside] = np.exp(log_s * np.exp(-shift))
    upper[inside] = np.exp(log_s * np.exp(shift))
    lower[survival >= 1.0] = upper[survival >= 1.0] = 1.0
    return lower, upper


def median(curve: Curve) -> Estimate:
    """First day on which survival is one half or less, interval by inverting the curve's (Brookmeyer and Crowley 1982).

    An end that is not reached is infinite.
    """

    def first(values: Floats) -> float:
        below = np.flatnonzero(values <= HALF + ROUNDING)
        return float(curve.days[below[0]]) if below.size else float("inf")

    return Estimate(value=first(curve.value), lower=first(curve.lower), upper=first(curve.upper), method=curve.method)


def reverse_kaplan_meier(found: Times, *, confidence: float = CONFIDENCE) -> Curve:
    """Follow-up: the event is the end of follow-up, and what happened before it censors (Schemper and Smith 1996)."""
    turned = Times(days=found.days, event=(found.event == 0).astype(np.int64), cluster=found.cluster)
    return kaplan_meier(turned, confidence=confidence)


def cumulative_incidence(found: Times, *, confidence: float = CONFIDENCE) -> Curve:
    """Aalen-Johansen estimate of the incidence of event 1 while event 2 competes; interval from log(-log) of it.

    The variance is the infinitesimal jackknife over patients, as R's ``survfit`` of a multi-state outcome.
    """
    grid, at_risk, events = _steps(found, found.event == 1)
    _, _, every = _steps(found, found.event > 0)
    survival = np.cumprod(1.0 - np.divide(every, at_risk, out=np.zeros(grid.size), where=at_risk > 0))
    before = np.concatenate([[1.0], survival[:-1]])
    hazard = np.divide(events, at_risk, out=np.zeros(grid.size), where=at_risk > 0)
    value = np.cumsum(before * hazard)
    error = np.sqrt(_incidence_variance(found, grid, at_risk, events, every))
    lower, upper = _log_log_incidence(value, error, confidence)
    return Curve(
        days=grid,
        value=value,
        lower=lower,
        upper=upper,
        at_risk=at_risk,
        events=events,
        method="log-log, variance by patient",
    )


def _incidence_variance(found: Times, grid: Floats, at_risk: Ints, events: Ints, every: Ints) -> Floats:
    """Sum over patients of the squared influence on the incidence, followed step by step.

    With F the incidence, S the event-free survival and U their influences: dF = S- dN1/Y, so
    dU_F = U_S- h1 + S- (dN1_i - Y_i h1)/Y, and S = S- (1 - h), so U_S = U_S- (1 - h) - S- (dN_i - Y_i h)/Y.
    """
    number = int(found.cluster.max()) + 1
    of_survival, of_incidence = np.zeros(number), np.zeros(number)
    own = np.searchsorted(grid, found.days)
    order = np.argsort(own, kind="stable")
    starts = np.searchsorted(own[order], np.arange(grid.size + 1))
    present = np.bincount(found.cluster, minlength=number).astype(float)
    survival, variance = 1.0, np.zeros(grid.size)
    for step in range(grid.size):
        leaving = order[starts[step] : starts[step + 1]]
        at = float(at_risk[step])
        if every[step]:
            first = np.bincount(found.cluster[leaving][found.event[leaving] == 1], minlength=number)
            any_one = np.bincount(found.cluster[leaving][found.event[leaving] > 0], minlength=number)
            h1, h = events[step] / at, every[step] / at
            of_incidence += of_survival * h1 + survival * (first - present * h1) / at
            of_survival = of_survival * (1.0 - h) - survival * (any_one - present * h) / at
            survival *= 1.0 - h
        present -= np.bincount(found.cluster[leaving], minlength=number)
        variance[step] = float(np.sum(of_incidence**2))
    return variance


def _log_log_incidence(value: Floats, error: Floats, confidence: float) -> tuple[Floats, Floats]:
    z = float(ndtri((1.0 + confidence) / 2.0))
    lower, upper = np.zeros(value.size), np.zeros(value.size)
    inside = (value > 0.0) & (value < 1.0)
    own = value[inside]
    shift = z * error[inside] / (own * np.log(own))  # negative
    lower[inside] = own ** np.exp(-shift)
    upper[inside] = own ** np.exp(shift)
    lower[value >= 1.0] = np.nan
    upper[value >= 1.0] = np.nan
    return lower, upper
