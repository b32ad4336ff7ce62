"""Swimmer plots and the timeline of each lesion: treatment, responses, progression, death, adverse events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
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

ROW_MM = 3.6
"""Height of one unit."""

MOST = 60
"""Units of one figure; beyond it the longest courses are shown, and the title says so."""

TREATMENT_COLOUR = "#1b7f5c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swimmer:
    """One bar, in days since first treatment.

    Args:
        name: Unit.
        best: Best response, the bar's colour.
        end: Last day the unit is known at.
        visits: Day and response of each visit.
        treatments: Days of treatment.
        progression: Day of progression; None where there was none.
        death: Day of death; None where it did not happen.
        new_lesion: Day of the first new lesion outside the field; None where there was none.
        events: Day and grade of severe adverse events.
    """

    name: str
    best: str
    end: float
    visits: Sequence[tuple[float, str]]
    treatments: Sequence[float]
    progression: float | None = None
    death: float | None = None
    new_lesion: float | None = None
    events: Sequence[tuple[float, int]] = ()


def swimmer(swimmers: Sequence[Swimmer], *, title: str, unit: str) -> Figure:
    """A bar per unit as long as it is known, longest on top, with what happened on the way."""
    if not swimmers:
        return empty_figure(title, f"no {unit} with a course")
    chosen = sorted(swimmers, key=lambda each: (-each.end, each.name))[:MOST]
    figure = blank(PAGE_MM, 26.0 + ROW_MM * len(chosen))
    axes = figure.subplots()
    for place, each in enumerate(chosen):
        _bar(axes, place, each)
    _frame(axes, chosen, title, len(swimmers), which="longest")
    _legend(axes, chosen, arrows=True)
    return figure


def _bar(axes: Axes, place: int, each: Swimmer) -> None:
    colour = RESPONSE_COLOURS[response_word(each.best)]
    axes.barh(place, each.end, height=0.62, color=colour, alpha=0.45, linewidth=0)
    _marks(axes, place, each)
    if each.death is None:
        axes.annotate(
            "", (each.end + 9, place), (each.end, place), arrowprops={"arrowstyle": "->", "color": MUTED, "lw": 0.7}
        )


def _marks(axes: Axes, place: int, each: Swimmer) -> None:
    for day in each.treatments:
        axes.plot(
            [day, day], [place - 0.42, place + 0.42], color=TREATMENT_COLOUR, linewidth=1.5, solid_capstyle="butt"
        )
    if each.progression is not None:
        colour = RESPONSE_COLOURS["PD"]
        axes.plot(each.progression, place, marker="|", color=colour, markersize=11, markeredgewidth=1.8)
    for day, response in each.visits:
        word = response_word(response)
        axes.plot(
            day,
            place,
            marker=RESPONSE_MARKERS[word],
            color=RESPONSE_COLOURS[word],
            markeredgecolor=INK,
            markeredgewidth=0.35,
            markersize=5.2 if word == "CR" else 3.8,
            linestyle="none",
        )
    for day, grade in each.events:
        box = {
            "boxstyle": "circle,pad=0.12",
            "facecolor": "white",
            "edgecolor": RESPONSE_COLOURS["PD"],
            "linewidth": 0.6,
        }
        axes.text(day + 4, place, str(grade), fontsize=4.6, color=INK, ha="left", va="center", bbox=box)
    if each.new_lesion is not None:
        axes.plot(
            each.new_lesion,
            place,
            marker="o",
            markerfacecolor="none",
            markeredgecolor=INK,
            markersize=7,
            markeredgewidth=0.8,
        )
    if each.death is not None:
        axes.plot(each.death, place, marker="P", color=INK, markersize=4.8, markeredgewidth=0)


def _frame(axes: Axes, chosen: Sequence[Swimmer], title: str, every: int, *, which: str) -> None:
    axes.set_yticks(range(len(chosen)), [each.name for each in chosen], fontsize=5.6)
    axes.set_ylim(len(chosen) - 0.4, -0.8)
    axes.set_xlim(left=min(0.0, min((min(each.treatments, default=0.0) for each in chosen), default=0.0)) - 4)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("days since first treatment")
    more = f"; the {which} {len(chosen)} of {every}" if every > len(chosen) else f" (n = {every})"
    axes.set_title(f"{title}{more}")
    axes.spines["left"].set_color(GRID)
    light_grid(axes, "x")


def _legend(axes: Axes, chosen: Sequence[Swimmer], *, arrows: bool) -> None:
    seen = {response_word(word) for each in chosen for _, word in each.visits}
    best = {response_word(each.best) for each in chosen}
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colour, alpha=0.45, label=f"best {word}")
        for word, colour in RESPONSE_COLOURS.items()
        if word in best
    ]
    handles += [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=RESPONSE_MARKERS[word],
            color=colour,
            markeredgecolor=INK,
            markeredgewidth=0.35,
            markersize=4.5,
            label=f"visit {word}",
        )
        for word, colour in RESPONSE_COLOURS.items()
        if word in seen
    ]
    handles.append(
        Line2D(
            [],
            [],
            linestyle="none",
            marker="|",
            markersize=7,
            markeredgewidth=1.5,
            color=TREATMENT_COLOUR,
            label="treatment",
        )
    )
    for there, marker, colour, face, label in (
        (any(each.progression is not None for each in chosen), "|", RESPONSE_COLOURS["PD"], None, "progression"),
        (any(each.new_lesion is not None for each in chosen), "o", INK, "none", "new lesion outside the field"),
        (any(each.death is not None for each in chosen), "P", INK, None, "death"),
    ):
        if there:
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="none",
                    marker=marker,
                    markeredgecolor=colour,
                    markerfacecolor=face or colour,
                    markersize=6,
                    label=label,
                )
            )
    if any(each.events for each in chosen):
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="$3$",
                color=RESPONSE_COLOURS["PD"],
                markersize=4,
                label="adverse event, grade",
            )
        )
    if arrows:
        handles.append(
            Line2D([], [], linestyle="none", marker="$\\rightarrow$", color=MUTED, markersize=6, label="in follow-up")
        )
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def lesion_timeline(
    swimmers: Sequence[Swimmer], sizes: Mapping[str, Sequence[tuple[float, float]]], *, title: str
) -> Figure:
    """Each lesion's size over time as a band as high as it is large, with its treatments and responses.

    Args:
        swimmers: The lesions.
        sizes: Day and size in mm of each lesion; day 0 or before is its baseline.
        title: What is shown.
    """
    chosen = [each for each in sorted(swimmers, key=lambda each: each.name) if sizes.get(each.name)][:MOST]
    if not chosen:
        return empty_figure(title, "no lesion with a size")
    largest = max(size for each in chosen for _, size in sizes[each.name])
    figure = blank(PAGE_MM, 26.0 + 1.5 * ROW_MM * len(chosen))
    axes = figure.subplots()
    for place, each in enumerate(chosen):
        points = np.array(sorted(sizes[each.name]), float)
        half = 0.44 * points[:, 1] / largest
        axes.fill_between(
            points[:, 0],
            place - half,
            place + half,
            color=RESPONSE_COLOURS[response_word(each.best)],
            alpha=0.4,
            linewidth=0,
        )
        axes.text(points[0, 0] - 3, place, f"{points[0, 1]:.0f} mm", ha="right", va="center", fontsize=5.2, color=MUTED)
        _marks(axes, place, each)
    _frame(axes, chosen, title, len([each for each in swimmers if sizes.get(each.name)]), which="first")
    first = min(point[0] for each in chosen for point in sizes[each.name])
    last = max(day for each in chosen for day in (each.end, *(point[0] for point in sizes[each.name])))
    axes.set_xlim(first - 0.09 * (last - first), last + 0.02 * (last - first))
    _legend(axes, chosen, arrows=False)
    return figure
