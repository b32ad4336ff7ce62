"""From a study's results to what its figures are drawn from: the two workers meet here."""

import math

import numpy as np

from npcpit_imaging.analysis.agreement import BlandAltman
from npcpit_imaging.analysis.study_results import Results
from npcpit_imaging.analysis.survival import median
from npcpit_imaging.analysis.time_endpoints import TimeEndpoint
from npcpit_imaging.report.figure_curves import StepCurve
from npcpit_imaging.report.figures import BlandAltmanPlot, FigureTables, TimeCurve


def figure_tables(results: Results) -> FigureTables:
    """Give figures what they draw."""
    return FigureTables(
        tables=results.tables,
        curves=[curve for each in results.times if (curve := _curve(each)) is not None],
        agreements=[
            _plot(pair.first, pair.second, found, log=log)
            for pair in results.sizes
            for log, found in ((False, pair.plain), (True, pair.ratio))
            if found is not None
        ],
        associations=results.associations,
        cautions=results.cautions,
    )


def _curve(each: TimeEndpoint) -> TimeCurve | None:
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
    events = int((found.event == 1).sum())
    note = f"{events} events"
    if not each.competing:
        middle = median(curve)
        note += f"\nmedian {_days(middle.value)} days\n(95 % CI {_days(middle.lower)} to {_days(middle.upper)})"
    else:
        note += f", {int((found.event == 2).sum())} deaths first"
    return TimeCurve(name=each.name, level=each.level, competing=each.competing, curve=steps, note=note)


def _days(value: float) -> str:
    return "not reached" if math.isinf(value) or math.isnan(value) else f"{value:.0f}"


def _plot(first: str, second: str, found: BlandAltman, *, log: bool) -> BlandAltmanPlot:
    return BlandAltmanPlot(
        first=first,
        second=second,
        log=log,
        means=found.means,
        differences=found.differences,
        ends=tuple((each.value, each.lower, each.upper) for each in (found.bias, found.lower, found.upper)),
    )
