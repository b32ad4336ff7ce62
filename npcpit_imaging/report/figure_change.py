"""Waterfall and spider: how far lesions, and patients' sums, shrank (Eisenhauer 2009's thresholds as lines)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from npcpit_imaging.report.figure_style import (
    GRID,
    INK,
    MUTED,
    PAGE_MM,
    RESPONSE_COLOURS,
    RESPONSE_MARKERS,
    Handle,
    ManyLines,
    blank,
    empty_figure,
    light_grid,
    mark_handle,
    response_patches,
    response_word,
    visit_handles,
)

Floats = NDArray[np.float64]

MANY = 80
"""Lines from which a spider's are drawn thin and its marks small: the few must be seen among the many."""

PIXELS_FROM = 2000
"""Bars or lines from which an SVG holds them as a picture: each of so many as a shape would be tens of megabytes."""

TOP_PERCENT = 100.0
"""Bars and lines end here, with a mark and the number."""

LABELLED = 60
"""Up to so many bars each has its name, and a cut one its number, which then can be read."""

APART = 90
"""Up to so many bars there is room between them."""

THRESHOLDS = (20.0, -30.0)
"""PD against the nadir, and PR: what the eye compares with. PD is not read off a waterfall, so the line is dotted."""

LEAST_BAR_PERCENT = 0.5
"""A change of nothing is drawn as high as this, so that its response is seen."""


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
        nodes: Units whose CR is of a node, or holds one: their size need not be 0, which is marked.
    """
    if best.empty:
        return empty_figure(title, f"no {unit} with a change from baseline")
    table = best.sort_values(["best_change_percent", "unit"], ascending=[False, True]).reset_index(drop=True)
    figure = blank(PAGE_MM, 78.0)
    axes = figure.subplots()
    values = table["best_change_percent"].to_numpy(float)
    words = [response_word(responses.get(name, "NE")) for name in table["unit"]]
    ends = _bars(axes, values, words)
    progressed = np.flatnonzero(table["at_progression"].to_numpy(bool)).tolist()
    marked = np.flatnonzero(table["unit"].isin(nodes)).tolist()
    _bar_marks(axes, ends, "†", progressed)
    _bar_marks(axes, ends, "n", marked)
    _thresholds(axes)
    _name_bars(axes, table["unit"].tolist(), unit)
    axes.set_ylim(-108, max(30.0, min(TOP_PERCENT, float(values.max())) + 14))
    axes.set_ylabel("best change from baseline (%)")
    axes.set_title(f"{title} (n = {len(table)} of {len(table) + left_out})")
    light_grid(axes)
    notes = [
        f"{left_out} without a change" if left_out else "",
        "† only change is at progression" if progressed else "",
        "n: lymph node, CR below 10 mm" if marked else "",
        f"▲ above +{TOP_PERCENT:.0f} %" if len(table) > LABELLED and (values > TOP_PERCENT).any() else "",
    ]
    _beside(axes, [*response_patches(words), *(_words_only(note) for note in notes if note)], "best response")
    return figure


def _bars(axes: Axes, values: Floats, words: Sequence[str]) -> Floats:
    """Draw the bars and the numbers of those that are cut; returns where each ends."""
    ends = np.where(
        np.abs(values) < LEAST_BAR_PERCENT,
        np.where(values < 0, -LEAST_BAR_PERCENT, LEAST_BAR_PERCENT),
        np.minimum(values, TOP_PERCENT),
    )
    if values.size > APART:
        _many_bars(axes, ends, words)
    else:
        colours = [RESPONSE_COLOURS[word] for word in words]
        axes.bar(range(values.size), ends, width=0.82, color=colours, edgecolor="white", linewidth=0.3)
    _cut(axes, values)
    return ends


def _cut(axes: Axes, values: Floats) -> None:
    """Write the numbers of bars that are cut; so many that they would touch have a mark."""
    places = np.flatnonzero(values > TOP_PERCENT)
    if values.size > LABELLED:
        height = np.full(places.size, TOP_PERCENT + 3)
        axes.plot(places, height, linestyle="none", marker="^", color=MUTED, markersize=2)
        return
    for place in places.tolist():
        number = f"// {values[place]:+.0f}"
        axes.text(place, TOP_PERCENT + 2, number, ha="center", va="bottom", fontsize=5.5, rotation=90)


def _many_bars(axes: Axes, ends: Floats, words: Sequence[str]) -> None:
    """Draw bars without a gap as one collection."""
    along, high = np.array([-0.5, -0.5, 0.5, 0.5]), np.array([0, 1, 1, 0])
    corners = np.stack([np.arange(ends.size)[:, None] + along, ends[:, None] * high], axis=-1)
    axes.add_collection(
        PolyCollection(
            list(corners),
            facecolors=[RESPONSE_COLOURS[word] for word in words],
            linewidths=0,
            rasterized=ends.size > PIXELS_FROM,
        )
    )


def _bar_marks(axes: Axes, ends: Floats, mark: str, places: Sequence[int]) -> None:
    """Write a mark at the end of bars; a cut bar has its number there, so the mark stands below its end."""
    up = (ends[places] > 0) & (ends[places] < TOP_PERCENT)
    if ends.size > APART:
        at = ends[places] + np.where(up, 3.5, -3.5)
        drawn = TextPath((0, 0), mark)  # as a letter: mathtext draws a dagger as a dash
        middle = drawn.get_extents().get_points().mean(axis=0)
        letter = Path(drawn.vertices - middle, drawn.codes)
        axes.plot(places, at, linestyle="none", marker=letter, color=INK, markersize=6, markeredgewidth=0)
        return
    for place, rises in zip(places, up, strict=True):
        at, side = (ends[place] + 1.5, "bottom") if rises else (ends[place] - 1.5, "top")
        axes.text(place, at, mark, ha="center", va=side, fontsize=6)


def _thresholds(axes: Axes) -> None:
    for level in THRESHOLDS:
        axes.axhline(level, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)) if level < 0 else (0, (1, 2)))
    axes.axhline(0, color=INK, linewidth=0.6)


def _name_bars(axes: Axes, names: Sequence[str], unit: str) -> None:
    axes.set_xlim(-0.7, len(names) - 0.3)
    if len(names) > LABELLED:
        axes.set_xticks([])
        axes.set_xlabel(f"{unit}s")
        return
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=5.0 if len(names) > 45 else 5.5)
    axes.tick_params(axis="x", length=0, pad=1)


def _words_only(note: str) -> Handle:
    return Line2D([], [], linestyle="none", label=note)


def _beside(axes: Axes, handles: Sequence[Handle], title: str) -> None:
    axes.legend(
        handles=list(handles),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        handlelength=1.4,
        title=title,
        alignment="left",
    )


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
    words = _lines(axes, known, responses)
    seen = _visits(axes, known)
    circled = _new_lesions(axes, known, new or {})
    _thresholds(axes)
    _spider_frame(axes, known)
    axes.set_title(f"{title} (n = {known['unit'].nunique()} of {len(responses)})")
    _spider_legend(axes, words, seen, circled)
    return figure


def _lines(axes: Axes, known: pd.DataFrame, responses: Mapping[str, str]) -> list[str]:
    """Draw a line per unit; returns their best responses."""
    ordered = known.sort_values(["unit", "day"])
    names = ordered["unit"].to_numpy(str)
    points = np.column_stack([ordered["day"], np.minimum(ordered["change_percent"], TOP_PERCENT)]).astype(float)
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    lines = np.split(np.insert(points, starts, 0.0, axis=0), (starts + np.arange(starts.size))[1:])
    words = [response_word(responses.get(str(name), "NE")) for name in names[starts]]
    many, pixels = len(lines) > MANY, len(lines) > PIXELS_FROM
    axes.add_collection(
        (ManyLines if pixels else LineCollection)(
            lines,
            colors=[RESPONSE_COLOURS[word] for word in words],
            linewidths=0.4 if many else 0.9,
            alpha=0.35 if many else 0.85,
            rasterized=pixels,
        )
    )
    return words


def _visits(axes: Axes, known: pd.DataFrame) -> set[str]:
    """Draw each visit's response as its mark; returns those that were drawn."""
    seen, many = known["response"].map(response_word), known["unit"].nunique() > MANY
    for word, marker in RESPONSE_MARKERS.items():
        own = known[seen == word]
        axes.scatter(
            own["day"],
            np.minimum(own["change_percent"], TOP_PERCENT),
            marker=marker,
            s=(22 if word in ("CR", "PD") else 9) / (1.6 if many else 1),
            color=RESPONSE_COLOURS[word],
            edgecolors="white",
            linewidths=0.15 if many else 0.3,
            zorder=3,
            rasterized=len(known) > PIXELS_FROM,
        )
    return set(seen)


def _new_lesions(axes: Axes, known: pd.DataFrame, new: Mapping[str, float]) -> bool:
    """Circle the first visit with a new lesion; returns whether there was one to circle."""
    late = known[known["day"] >= known["unit"].map(new).astype(float)]
    first = late.sort_values("day").drop_duplicates("unit")
    axes.scatter(
        first["day"],
        np.minimum(first["change_percent"], TOP_PERCENT),
        s=46,
        facecolors="none",
        edgecolors=INK,
        linewidths=0.8,
        zorder=4,
    )
    return len(first) > 0


def _spider_frame(axes: Axes, known: pd.DataFrame) -> None:
    axes.set_xlim(0, float(known["day"].max()) * 1.03)
    axes.set_ylim(-105, max(30.0, min(TOP_PERCENT, float(known["change_percent"].max())) + 8))
    axes.set_xlabel("days since first treatment")
    axes.set_ylabel("change from baseline (%)")
    axes.spines["bottom"].set_color(GRID)
    light_grid(axes)


def _spider_legend(axes: Axes, words: Sequence[str], seen: set[str], circled: bool) -> None:
    lines: list[Handle] = [
        Line2D([], [], color=colour, label=f"best {word} ({list(words).count(word)})")
        for word, colour in RESPONSE_COLOURS.items()
        if word in words
    ]
    more = [mark_handle("o", INK, "new lesion outside the field", face="none")] if circled else []
    _beside(axes, [*lines, *visit_handles(seen, edge="white"), *more], "line: best response\nmark: that visit")
