"""Forest of associations and of rates; Bland-Altman of two readers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from npcpit_imaging.report.figure_style import (
    COLUMN_MM,
    INK,
    MUTED,
    PAGE_MM,
    SERIES_COLOURS,
    blank,
    empty_figure,
    light_grid,
)
from npcpit_imaging.report.number_words import percent_words, probability_words, ratio_words

Floats = NDArray[np.float64]

MOST = 25
"""Rows of a forest: sizes and what is not radiomics first, then the smallest p values."""

SHORTEST, LONGEST = 0.02, 50.0
"""Odds ratios beyond these are drawn at the edge with an arrow."""


def association_forest(table: pd.DataFrame, *, title: str, note: str = "") -> Figure:
    """Odds ratio of each predictor with its interval, p, q, and p beyond volume.

    Args:
        table: words, source, n, events, odds_ratio, lower, upper, p, q, p_beyond_volume.
        title: The outcome.
        note: What a reader must know first.
    """
    tested = table[table["p"].notna()]
    if tested.empty:
        return empty_figure(title, "nothing could be tested: too few events or no predictor")
    ordered = tested.assign(radiomics=tested["source"] == "radiomics").sort_values(["radiomics", "p"], kind="stable")
    rows = ordered.head(MOST).reset_index(drop=True)
    figure = blank(PAGE_MM, 30.0 + 4.6 * len(rows))
    names, plot, numbers = figure.subplots(1, 3, width_ratios=[4.0, 4.2, 5.2])
    for axes in (names, plot, numbers):
        axes.set_ylim(len(rows) - 0.4, -1.4)
    _names(names, rows)
    for place, row in enumerate(rows.to_dict("records")):
        _estimate(plot, float(place), {str(name): value for name, value in row.items()})
    plot.axvline(1.0, color=INK, linewidth=0.7)
    plot.set_xscale("log")
    plot.set_xlim(SHORTEST, LONGEST)
    plot.set_xticks([0.05, 0.2, 1, 5, 20], ["0.05", "0.2", "1", "5", "20"])
    plot.minorticks_off()
    plot.set_yticks([])
    plot.spines["left"].set_visible(False)
    plot.set_xlabel("odds ratio (per SD; yes against no), 95 % CI")
    light_grid(plot, "x")
    _numbers(numbers, rows)
    shown = f"; {len(rows)} of {len(tested)} tested" if len(tested) > len(rows) else ""
    names.set_title(f"{_capital(title)} ({_events(rows)}{shown})", loc="left")
    if note:
        figure.supxlabel(note, fontsize=6, color=MUTED, x=0.01, ha="left", wrap=True)
    return figure


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _events(rows: pd.DataFrame) -> str:
    """Events of units in patients, of the predictor known for most."""
    most = rows.iloc[int(rows["n"].argmax())]
    units = f"{most['events']:.0f} of {most['n']:.0f}"
    return units if most["patients"] == most["n"] else f"{units} in {most['patients']:.0f} patients"


def _names(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_axis_off()
    for place, words in enumerate(rows["words"]):
        text = str(words) if len(str(words)) <= 44 else f"{str(words)[:42]}…"
        axes.text(0.0, place, text, va="center", fontsize=6.4, transform=axes.get_yaxis_transform())


def _estimate(axes: Axes, place: float, row: Mapping[str, object]) -> None:
    odds, lower, upper = (float(str(row[name])) for name in ("odds_ratio", "lower", "upper"))
    if not np.isfinite(odds):
        axes.text(1.0, place, "  no estimate", fontsize=5.6, color=MUTED, va="center")
        return
    strong = float(str(row["q"])) < 0.05
    colour = SERIES_COLOURS[0] if strong else MUTED
    low, high = max(lower, SHORTEST), min(upper, LONGEST)
    axes.plot([low, high], [place, place], color=colour, linewidth=1.1)
    for end, limit, marker in ((lower, SHORTEST, "<"), (upper, LONGEST, ">")):
        if (end < limit) if marker == "<" else (end > limit):
            axes.plot(limit, place, marker=marker, color=colour, markersize=3.5, clip_on=False)
    axes.plot(
        np.clip(odds, SHORTEST, LONGEST),
        place,
        marker="s",
        markersize=4.2,
        color=colour,
        markerfacecolor=colour if strong else "white",
    )


def _numbers(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_axis_off()
    columns = ((0.0, "OR (95 % CI)"), (0.45, "n"), (0.58, "p"), (0.72, "q"), (0.86, "p beyond\nvolume"))
    for x, words in columns:
        axes.text(x, -0.95, words, fontsize=6.2, color=MUTED, va="center", transform=axes.get_yaxis_transform())
    for place, (_, row) in enumerate(rows.iterrows()):
        ratios = [ratio_words(row[name]) for name in ("odds_ratio", "lower", "upper")]
        odds = f"{ratios[0]} ({ratios[1]} to {ratios[2]})" if np.isfinite(row["odds_ratio"]) else "–"
        cells = (odds, f"{row['n']:.0f}", _p(row["p"]), _p(row["q"]), _p(row["p_beyond_volume"]))
        for (x, _), text in zip(columns, cells, strict=True):
            axes.text(x, place, text, fontsize=6.2, va="center", transform=axes.get_yaxis_transform())


def _p(value: float) -> str:
    return probability_words(value) if np.isfinite(value) else "–"


def rate_forest(rows: pd.DataFrame, *, title: str) -> Figure:
    """Rates with their intervals, a row each: words, count, denominator, estimate, lower, upper, primary."""
    known = rows[rows["lower"].notna()].reset_index(drop=True)
    if known.empty:
        return empty_figure(title, "no rate")
    figure = blank(PAGE_MM, 24.0 + 4.6 * len(known))
    names, plot = figure.subplots(1, 2, width_ratios=[9.4, 5])
    for axes in (names, plot):
        axes.set_ylim(len(known) - 0.4, -1.2)
    names.set_axis_off()
    head = {"fontsize": 6.2, "color": MUTED, "va": "center", "ha": "right", "transform": names.get_yaxis_transform()}
    names.text(1.0, -0.85, "n/N   rate (95 % CI)", **head)
    for place, row in known.iterrows():
        weight = "bold" if row["primary"] else "normal"
        y = float(str(place))
        across = names.get_yaxis_transform()
        names.text(0.0, y, str(row["words"]), fontsize=6.4, va="center", fontweight=weight, transform=across)
        counts = _count_words(row["count"], row["denominator"], row["estimate"], row["lower"], row["upper"])
        names.text(1.0, y, counts, fontsize=6.4, va="center", ha="right", fontweight=weight, transform=across)
        colour = SERIES_COLOURS[0] if row["primary"] else MUTED
        plot.plot([row["lower"], row["upper"]], [y, y], color=colour, linewidth=1.4 if row["primary"] else 1.0)
        size = 5.0 if row["primary"] else 3.8
        plot.plot(row["estimate"], y, marker="s", color=colour, markersize=size, clip_on=False)
    plot.set_xlim(0, 1)
    plot.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20", "40", "60", "80", "100"])
    plot.set_yticks([])
    plot.spines["left"].set_visible(False)
    plot.set_xlabel("rate (%), 95 % CI")
    light_grid(plot, "x")
    names.set_title(title, loc="left")
    return figure


def _count_words(*numbers: float) -> str:
    count, number, rate, lower, upper = numbers
    return f"{count:.0f}/{number:.0f}   {percent_words(rate)} % ({percent_words(lower)} to {percent_words(upper)})"


def bland_altman_figure(
    means: Floats,
    differences: Floats,
    ends: tuple[tuple[float, float, float], ...],
    *,
    log: bool,
    title: str,
    first: str,
    second: str,
    patients: int,
) -> Figure:
    """Differences over means with bias and limits of agreement, each with its interval as a band.

    Args:
        means: `(N,)` mean of each pair in mm.
        differences: `(N,)` second minus first in mm, or their ratio.
        ends: Bias, lower and upper limit, each with lower and upper end of its interval.
        log: Whether differences are ratios.
        title: What is shown.
        first: The first reader.
        second: The second.
        patients: Whose sizes these are.
    """
    figure = blank(COLUMN_MM, 68.0)
    axes = figure.subplots()
    axes.scatter(means, differences, s=7, color=SERIES_COLOURS[0], alpha=0.45, linewidths=0)
    for end, words in zip(ends, ("bias", "lower limit", "upper limit"), strict=True):
        _level(axes, end, words, log=log)
    axes.axhline(1.0 if log else 0.0, color=MUTED, linewidth=0.5, linestyle=(0, (1, 2)))
    if log:  # a factor of two up and down are as far from 1
        ticks = [float(each) for each in MaxNLocator(7, steps=[1, 2, 5, 10]).tick_values(*axes.get_ylim()) if each > 0]
        axes.set_yscale("log")
        axes.set_yticks(ticks, [f"{each:g}" for each in np.round(ticks, 3)])
        axes.minorticks_off()
    axes.set_xlabel(f"{'geometric ' if log else ''}mean size of both readers (mm)")
    axes.set_ylabel(f"{second} / {first}" if log else f"{second} − {first} (mm)")
    axes.set_title(f"{title} (n = {means.size} pairs, {patients} patients)")
    return figure


def _level(axes: Axes, end: tuple[float, float, float], words: str, *, log: bool) -> None:
    """Draw the bias or a limit, its interval as a band, and its number beside the plot."""
    value, lower, upper = end
    colour = INK if words == "bias" else SERIES_COLOURS[1]
    axes.axhline(value, color=colour, linewidth=0.9, linestyle="-" if words == "bias" else (0, (4, 2)))
    if np.isfinite(lower):
        axes.axhspan(lower, upper, color=colour, alpha=0.12, linewidth=0)
    text = f"{value:.2f}" if log else f"{value:+.1f} mm".replace("-", "−")
    axes.annotate(
        f"{words}\n{text}",
        (1.0, value),
        xycoords=("axes fraction", "data"),
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        fontsize=6.0,
        color=colour,
    )
