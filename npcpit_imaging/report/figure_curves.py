"""Kaplan-Meier and cumulative incidence curves with intervals, censoring marks and numbers at risk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from npcpit_imaging.report.figure_style import COLUMN_MM, INK, MUTED, SERIES_COLOURS, blank, empty_figure, light_grid

Floats = NDArray[np.float64]

TICKS = 6
"""Times at which the numbers at risk stand."""

MANY = 2000
"""Censored units from which those of one day share a mark: so many lie on each other."""

NOTE_LINE_POINTS = 8.0
"""Height of a line of the note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCurve:
    """A curve to be drawn.

    Args:
        name: In words.
        days: `(T,)` times of the steps, 0 first.
        value: `(T,)` from that time on.
        lower: `(T,)` of its interval.
        upper: `(T,)` of its interval.
        censored: Days of censoring.
        times: Every unit's time, for the numbers at risk.
    """

    name: str
    days: Floats
    value: Floats
    lower: Floats
    upper: Floats
    censored: Floats
    times: Floats


def curves(
    shown: Sequence[StepCurve],
    *,
    title: str,
    ylabel: str,
    xlabel: str,
    falling: bool,
    note: str = "",
    unit: str = "patients",
) -> Figure:
    """Draw step curves with a table of numbers at risk below.

    Args:
        shown: The curves.
        title: What is shown.
        ylabel: Of the axis.
        xlabel: Days since what.
        falling: Survival (from 1 down) or incidence (from 0 up).
        note: Below the title, where no curve can cover it: events, median and interval.
        unit: What is at risk.
    """
    if not shown:
        return empty_figure(title, "no times to draw")
    figure = blank(COLUMN_MM, 74.0 + 4.0 * len(shown))
    axes, risk = figure.subplots(2, 1, height_ratios=[10, 0.9 + 0.9 * len(shown)])
    last = max(float(each.times.max()) for each in shown)
    for each, colour in zip(shown, SERIES_COLOURS, strict=False):
        _draw(axes, each, colour, last)
    axes.set_xlim(0, last * 1.02)
    axes.set_xticks(_ticks(last))
    axes.set_ylim(0, 1.02)
    axes.set_ylabel(ylabel)
    axes.set_xlabel(xlabel)
    axes.set_title(title, pad=5.0 + NOTE_LINE_POINTS * len(note.splitlines()))
    below = axes.text(0.0, 1.02, note, transform=axes.transAxes, ha="left", va="bottom", fontsize=6.2, color=INK)
    below.set_in_layout(False)  # a long note must not make the plot narrow
    light_grid(axes)
    if len(shown) > 1:
        axes.legend(loc="upper right" if falling else "upper left")
    _numbers_at_risk(risk, shown, last, unit)
    return figure


def _draw(axes: Axes, each: StepCurve, colour: str, last: float) -> None:
    days = np.append(each.days, last)
    value = np.append(each.value, each.value[-1])
    axes.fill_between(
        days,
        np.append(each.lower, each.lower[-1]),
        np.append(each.upper, each.upper[-1]),
        step="post",
        color=colour,
        alpha=0.16,
        linewidth=0,
    )
    axes.step(days, value, where="post", color=colour, linewidth=1.3, label=each.name)
    if each.censored.size:
        censored = each.censored if each.censored.size < MANY else np.unique(each.censored)
        place = np.searchsorted(each.days, censored, side="right") - 1
        axes.plot(
            censored,
            each.value[place],
            linestyle="none",
            marker="|",
            color=colour,
            markersize=4,
            markeredgewidth=0.8,
        )


def _numbers_at_risk(axes: Axes, shown: Sequence[StepCurve], last: float, unit: str) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, last * 1.02)
    axes.set_ylim(len(shown) + 0.3, -1.0)
    axes.text(0, -0.6, f"{unit} at risk", fontsize=6.2, color=MUTED, va="center")
    for row, each in enumerate(shown):
        for day in _ticks(last):
            count = int((each.times >= day).sum())
            axes.text(
                day,
                row + 0.35,
                str(count),
                fontsize=6.2,
                ha="center",
                va="center",
                color=SERIES_COLOURS[row],
            )


def _ticks(last: float) -> list[float]:
    steps = (30, 60, 90, 120, 180, 365, 730, 1825)
    step = next((each for each in steps if last / each <= TICKS), 3650)
    return [float(day) for day in range(0, int(last) + 1, step)]
