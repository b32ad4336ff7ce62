"""From a study's results to what its figures are drawn from: the two workers meet here."""

import math
from collections.abc import Sequence

import numpy as np

from npcpit_imaging.analysis.agreement import BlandAltman
from npcpit_imaging.analysis.proportion import Estimate
from npcpit_imaging.analysis.study_results import Results
from npcpit_imaging.analysis.survival import Curve, Times, median
from npcpit_imaging.analysis.time_endpoints import TimeEndpoint
from npcpit_imaging.report.figure_curves import StepCurve
from npcpit_imaging.report.figures import BlandAltmanPlot, FigureTables, TimeCurve
from npcpit_imaging.report.number_words import percent_words

SINCE = {
    "duration of response": "first response",
    "duration of confirmed response": "first response",
    "time to local progression": "first irradiation of the lesion",
    "local progression, death competing": "first irradiation of the lesion",
}
"""What the days of an endpoint count from where that is not the subject's first treatment."""


def figure_tables(results: Results) -> FigureTables:
    """Give figures what they draw."""
    landmarks = results.tables["time_to_event"]["day"].dropna().unique().tolist()
    return FigureTables(
        tables=results.tables,
        curves=[curve for each in results.times if (curve := _curve(each, landmarks)) is not None],
        agreements=[
            _plot(pair.first, pair.second, found, log=log)
            for pair in results.sizes
            for log, found in ((False, pair.plain), (True, pair.ratio))
            if found is not None
        ],
        associations=results.associations,
        cautions=results.cautions,
    )


def _curve(each: TimeEndpoint, landmarks: Sequence[float]) -> TimeCurve | None:
    found, curve = each.found, each.curve()
    if found is None or curve is None:
        return None
    steps = StepCurve(
        name=each.name,
        days=curve.days,
        value=curve.value,
        lower=curve.lower,
        upper=curve.upper,
        censored=np.asarray(found.days[found.event == 0], np.float64),
        times=found.days,
    )
    return TimeCurve(
        name=each.name,
        level=each.level,
        competing=each.competing,
        since=SINCE.get(each.name, "first treatment"),
        curve=steps,
        note=_note(each, found, curve, landmarks),
    )


def _note(each: TimeEndpoint, found: Times, curve: Curve, landmarks: Sequence[float]) -> str:
    """Events, and the median with its interval; of an incidence its last landmark somebody was at risk at."""
    events = int((found.event == 1).sum())
    if not each.competing:
        middle = median(curve)
        return f"{events} events of {found.days.size}; median {_days(middle.value)}{_ends(middle)}"
    said = f"{events} events of {found.days.size}, {int((found.event == 2).sum())} deaths first"
    reached = [day for day in landmarks if (found.days >= day).any()]
    if not reached:
        return said
    rate = curve.at(reached[-1])
    known = math.isfinite(rate.lower) and rate.lower < rate.upper  # without an event its variance is 0, not its doubt
    interval = f" (95 % CI {percent_words(rate.lower)} to {percent_words(rate.upper)})" if known else ", no interval"
    return f"{said}; day {reached[-1]:g}: {percent_words(rate.value)} %{interval}"


def _ends(middle: Estimate) -> str:
    """An interval of days; nothing where neither end was reached."""
    if not math.isfinite(middle.lower):
        return ""
    return f" (95 % CI {middle.lower:.0f} to {_days(middle.upper)})"


def _days(value: float) -> str:
    return f"{value:.0f} days" if math.isfinite(value) else "not reached"


def _plot(first: str, second: str, found: BlandAltman, *, log: bool) -> BlandAltmanPlot:
    return BlandAltmanPlot(
        first=first,
        second=second,
        log=log,
        means=found.means,
        differences=found.differences,
        patients=found.patients,
        method=found.bias.method,
        ends=tuple((each.value, each.lower, each.upper) for each in (found.bias, found.lower, found.upper)),
    )
