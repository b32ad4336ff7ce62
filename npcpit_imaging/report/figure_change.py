"""Waterfall and spider: how far lesions, and patients' sums, shrank (Eisenhauer 2009's thresholds as lines)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from npcpit_imaging.report.figure_style import (
    GRID,
    INK,
    MUTED,
    PAGE_MM,
    RESPONSE_COLOURS,
    RESPONSE_MARKERS,
    blank,
    empty_figure,
    light_grid,
    response_word,
)

TOP_PERCENT = 100.0
"""Bars and lines end here, with a mark and the number."""

LABELLED = 90
"""Up to so many bars each has its name."""

THRESHOLDS = (20.0, -30.0)
"""PD against the nadir, and PR: what the eye compares with. PD is not read off a waterfall, so the line is dotted."""


def waterfall(
    best: pd.DataFrame, responses: Mapping[str, str], *, title: str, unit: str, left_out: int, nodes: Sequence[str] = ()
) -> Figure:
    """Best change of each unit, largest growth first.

    Args:
        best: ``unit``, best_change_percent, at_progression.
        responses: Best response by unit, which is its bar's colour.
        title: What is shown.
        unit: ``lesion`` or ``patient``.
        left_out: Units without a change: not measurable, or never measured again.
        nodes: Units that are nodes with a CR: their size need not be 0, which is marked.
    """
    if best.empty:
        return empty_figure(title, f"no {unit} with a change from baseline")
    table = best.sort_values(["best_change_percent", "unit"], ascending=[False, True]).reset_index(drop=True)
    figure = blank(PAGE_MM, 78.0)
    axes = figure.subplots()
    values = table["best_change_percent"].to_numpy(float)
    words = [response_word(responses.get(name, "NE")) for name in table["unit"]]
    shown = np.where(np.abs(values) < 0.5, np.sign(values + 1e-9) * 0.5, np.minimum(values, TOP_PERCENT))
    axes.bar(
        range(len(table)),
        shown,
        width=0.82 if len(table) <= LABELLED else 1.0,
        color=[RESPONSE_COLOURS[word] for word in words],
        edgecolor="white" if len(table) <= LABELLED else "none",
        linewidth=0.3,
    )
    for place in np.flatnonzero(values > TOP_PERCENT).tolist():
        axes.text(place, TOP_PERCENT + 2, f"//\n{values[place]:+.0f}", ha="center", va="bottom", fontsize=5.5)
    for place in np.flatnonzero(table["at_progression"].to_numpy(bool)).tolist():
        axes.text(
            place,
            shown[place] + (1.5 if shown[place] > 0 else -1.5),
            "†",
            ha="center",
            va="bottom" if shown[place] > 0 else "top",
            fontsize=6,
        )
    for place in [number for number, name in enumerate(table["unit"]) if name in nodes]:
        axes.text(place, shown[place] - 1.5, "n", ha="center", va="top", fontsize=6)
    for level in THRESHOLDS:
        axes.axhline(level, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)) if level < 0 else (0, (1, 2)))
    axes.axhline(0, color=INK, linewidth=0.6)
    _name_bars(axes, table["unit"].tolist(), unit)
    axes.set_ylim(-108, max(30.0, min(TOP_PERCENT, float(values.max())) + 14))
    axes.set_ylabel("best change from baseline (%)")
    axes.set_title(f"{title} (n = {len(table)})")
    light_grid(axes)
    notes = [
        f"{left_out} without a change" if left_out else "",
        "† first change is at progression" if table["at_progression"].any() else "",
    ]
    _legend(axes, words, [note for note in notes if note])
    return figure


def _name_bars(axes: Axes, names: Sequence[str], unit: str) -> None:
    axes.set_xlim(-0.7, len(names) - 0.3)
    if len(names) > LABELLED:
        axes.set_xticks([])
        axes.set_xlabel(f"{unit}s")
        return
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=4.6 if len(names) > 45 else 5.5)
    axes.tick_params(axis="x", length=0, pad=1)


def _legend(axes: Axes, words: Sequence[str], notes: Sequence[str]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colour, label=f"{word} ({list(words).count(word)})")
        for word, colour in RESPONSE_COLOURS.items()
        if word in words
    ]
    handles += [Line2D([], [], linestyle="none", label=note) for note in notes]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.0, title="best response")


def spider(
    changes: pd.DataFrame,
    responses: Mapping[str, str],
    *,
    title: str,
    unit: str,
    new: Mapping[str, float] | None = None,
) -> Figure:
    """Change of each unit over time, from 0 at baseline.

    Args:
        changes: ``unit``, day, change_percent, response, progression; the rows to show.
        responses: Best response by unit, which is its line's colour.
        title: What is shown.
        unit: ``lesion`` or ``patient``.
        new: Day of a unit's first new lesion, where it has one.
    """
    known = changes[changes["change_percent"].notna()]
    if known.empty:
        return empty_figure(title, f"no {unit} with a change from baseline")
    figure = blank(PAGE_MM, 85.0)
    axes = figure.subplots()
    lines, colours, words = [], [], []
    for name, own in known.sort_values(["unit", "day"]).groupby("unit"):
        word = response_word(responses.get(str(name), "NE"))
        points = np.column_stack([own["day"], np.minimum(own["change_percent"], TOP_PERCENT)])
        lines.append(np.vstack([[[0.0, 0.0]], points]))
        colours.append(RESPONSE_COLOURS[word])
        words.append(word)
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.9, alpha=0.85))
    for word, marker in RESPONSE_MARKERS.items():
        own = known[known["response"].map(response_word) == word]
        size = 22 if word in ("CR", "PD") else 9
        axes.scatter(
            own["day"],
            np.minimum(own["change_percent"], TOP_PERCENT),
            marker=marker,
            s=size,
            color=RESPONSE_COLOURS[word],
            edgecolors="white",
            linewidths=0.3,
            zorder=3,
        )
    _new_lesions(axes, known, new or {})
    for level in THRESHOLDS:
        axes.axhline(level, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)) if level < 0 else (0, (1, 2)))
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xlim(0, float(known["day"].max()) * 1.03)
    axes.set_ylim(-105, max(30.0, min(TOP_PERCENT, float(known["change_percent"].max())) + 8))
    axes.set_xlabel("days since first treatment")
    axes.set_ylabel("change from baseline (%)")
    axes.set_title(f"{title} (n = {known['unit'].nunique()})")
    axes.spines["bottom"].set_color(GRID)
    light_grid(axes)
    _line_legend(axes, words, bool(new))
    return figure


def _new_lesions(axes: Axes, known: pd.DataFrame, new: Mapping[str, float]) -> None:
    for name, own in known.groupby("unit"):
        day = new.get(str(name))
        if day is None:
            continue
        here = own[own["day"] >= day]
        if len(here):
            first = here.sort_values("day").iloc[0]
            axes.scatter(
                first["day"],
                min(first["change_percent"], TOP_PERCENT),
                s=46,
                facecolors="none",
                edgecolors=INK,
                linewidths=0.8,
                zorder=4,
            )


def _line_legend(axes: Axes, words: Sequence[str], new: bool) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=colour,
            marker=RESPONSE_MARKERS[word],
            markersize=4.5,
            label=f"{word} ({list(words).count(word)})",
        )
        for word, colour in RESPONSE_COLOURS.items()
        if word in words
    ]
    if new:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markersize=6,
                markerfacecolor="none",
                markeredgecolor=INK,
                label="new lesion outside the field",
            )
        )
    axes.legend(
        handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), title="line: best response\nmark: that visit"
    )
