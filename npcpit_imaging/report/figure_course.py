"""Swimmer plots and the timeline of each lesion: treatment, responses, progression, death, adverse events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

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
    mark_handle,
    response_patches,
    response_word,
    visit_handles,
)

ROW_MM = 3.6
"""Height of one unit."""

TALLEST_MM = 225.0
"""Rows of a figure share this height at most, so that it fits a printed page."""

MOST = 100
"""Units of one figure; beyond it the longest courses are shown, and the title says so."""

EVENT_BOX: dict[str, object] = {
    "boxstyle": "circle,pad=0.1",
    "facecolor": "white",
    "edgecolor": RESPONSE_COLOURS["PD"],
    "linewidth": 0.6,
}

EVENT_ROWS = 0.42
"""How far above its bar's middle an adverse event stands: between two bars, where it covers no visit and no death."""

TREATMENT_COLOUR = "#6a3d9a"
"""Of light: apart from progression, the other upright stroke, for every kind of colour vision."""

ARROW, ARROW_POINTS = "$\\rightarrow$", 7.0
"""Behind the bar of a unit whose course goes on."""


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
        new_therapy: Day another therapy began; None where none did.
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
    new_therapy: float | None = None
    new_lesion: float | None = None
    events: Sequence[tuple[float, int]] = ()


def swimmer(
    swimmers: Sequence[Swimmer], *, title: str, unit: str, going_on: str = "alive at last contact", every: int = 0
) -> Figure:
    """A bar per unit as long as it is known, longest on top, with what happened on the way.

    Args:
        swimmers: The units.
        title: What is shown.
        unit: Their name.
        going_on: What an arrow behind a bar says.
        every: How many units there are, where only the longest were given.
    """
    if not swimmers:
        return empty_figure(title, f"no {unit} with a course")
    chosen = sorted(swimmers, key=lambda each: (-each.end, each.name))[:MOST]
    figure = blank(PAGE_MM, _height_mm(len(chosen), ROW_MM))
    axes = figure.subplots()
    _bars(figure, axes, chosen)
    _marks(axes, chosen)
    _frame(axes, chosen, title, max(every, len(swimmers)), which="longest")
    _legend(axes, chosen, going_on=going_on)
    return figure


def _bars(figure: Figure, axes: Axes, chosen: Sequence[Swimmer]) -> None:
    """A bar per unit, and behind that of a unit that is not known to have ended an arrow."""
    colours = [RESPONSE_COLOURS[response_word(each.best)] for each in chosen]
    ends = [each.end for each in chosen]
    axes.barh(range(len(chosen)), ends, height=0.62, color=colours, alpha=0.45, linewidth=0)
    going = [(each.end, place) for place, each in enumerate(chosen) if each.death is None]
    inches = (2.0 + ARROW_POINTS / 2) / 72.0
    behind = axes.transData + ScaledTranslation(inches, 0, figure.dpi_scale_trans)
    _dots(axes, going, marker=ARROW, color=MUTED, markersize=ARROW_POINTS, markeredgewidth=0, transform=behind)


def _marks(axes: Axes, chosen: Sequence[Swimmer]) -> None:
    """What happened to each unit, every kind of mark drawn at once; a later kind lies over an earlier one."""
    rows = list(enumerate(chosen))
    lights = [(day, place) for place, each in rows for day in each.treatments]
    _ticks(axes, lights, half=0.42, color=TREATMENT_COLOUR, width=1.5)
    grown = [(each.progression, place) for place, each in rows if each.progression is not None]
    _ticks(axes, grown, half=0.46, color=RESPONSE_COLOURS["PD"], width=2.0)
    visits = [(response_word(word), day, place) for place, each in rows for day, word in each.visits]
    for word, marker in RESPONSE_MARKERS.items():
        _dots(
            axes,
            [(day, place) for seen, day, place in visits if seen == word],
            marker=marker,
            color=RESPONSE_COLOURS[word],
            markeredgecolor=INK,
            markeredgewidth=0.35,
            markersize=5.2 if word == "CR" else 3.8,
        )
    for place, each in rows:
        for day, grade in each.events:
            axes.text(
                day, place - EVENT_ROWS, str(grade), fontsize=4.2, color=INK, ha="center", va="center", bbox=EVENT_BOX
            )
    found = [(each.new_lesion, place) for place, each in rows if each.new_lesion is not None]
    _dots(axes, found, marker="o", markerfacecolor="none", markeredgecolor=INK, markersize=7, markeredgewidth=0.8)
    other = [(each.new_therapy, place) for place, each in rows if each.new_therapy is not None]
    _dots(axes, other, marker="v", markerfacecolor="white", markeredgecolor=INK, markersize=4.4, markeredgewidth=0.8)
    died = [(each.death, place) for place, each in rows if each.death is not None]
    _dots(axes, died, marker="P", color=INK, markersize=4.8, markeredgewidth=0)


def _dots(axes: Axes, places: Sequence[tuple[float, int]], **how: object) -> None:
    if places:
        days, rows = zip(*places, strict=True)
        axes.plot(days, rows, linestyle="none", **how)  # type: ignore[arg-type]  # properties of a line, by name


def _ticks(axes: Axes, places: Sequence[tuple[float, int]], *, half: float, color: str, width: float) -> None:
    """Upright strokes across bars."""
    strokes = [[(day, row - half), (day, row + half)] for day, row in places]
    axes.add_collection(LineCollection(strokes, colors=color, linewidths=width, capstyle="butt", zorder=2))


def _frame(axes: Axes, chosen: Sequence[Swimmer], title: str, every: int, *, which: str) -> None:
    size = 5.6 if len(chosen) * ROW_MM <= TALLEST_MM else 4.4
    axes.set_yticks(range(len(chosen)), [each.name for each in chosen], fontsize=size)
    axes.set_ylim(len(chosen) - 0.4, -0.8)
    axes.set_xlim(left=min(0.0, min((min(each.treatments, default=0.0) for each in chosen), default=0.0)) - 4)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("days since first treatment")
    more = f"; the {which} {len(chosen)} of {every}" if every > len(chosen) else f" (n = {every})"
    axes.set_title(f"{title}{more}")
    axes.spines["left"].set_color(GRID)
    light_grid(axes, "x")


def _legend(axes: Axes, chosen: Sequence[Swimmer], *, going_on: str = "") -> None:
    best = [response_word(each.best) for each in chosen]
    seen = {response_word(word) for each in chosen for _, word in each.visits}
    marks = (
        (True, mark_handle("|", TREATMENT_COLOUR, "treatment", size=7, width=1.5)),
        (
            any(each.progression is not None for each in chosen),
            mark_handle("|", RESPONSE_COLOURS["PD"], "progression", size=7, width=2.0),
        ),
        (
            any(each.new_lesion is not None for each in chosen),
            mark_handle("o", INK, "new lesion outside the field", face="none"),
        ),
        (
            any(each.new_therapy is not None for each in chosen),
            mark_handle("v", INK, "other anticancer therapy", face="white", size=4.4, width=0.8),
        ),
        (any(each.death is not None for each in chosen), mark_handle("P", INK, "death")),
        (
            any(each.events for each in chosen),
            mark_handle(
                "$\N{CIRCLED DIGIT THREE}$", RESPONSE_COLOURS["PD"], "adverse event, its grade", size=7, width=0
            ),
        ),
        (going_on != "" and any(each.death is None for each in chosen), mark_handle(ARROW, MUTED, going_on)),
    )
    handles = [
        *response_patches(best, count=False, alpha=0.45),
        *visit_handles(seen),
        *(mark for there, mark in marks if there),
    ]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def lesion_timeline(
    swimmers: Sequence[Swimmer], sizes: Mapping[str, Sequence[tuple[float, float]]], *, title: str, every: int = 0
) -> Figure:
    """Each lesion's size over time as a band as high as it is large, with its treatments and responses.

    Args:
        swimmers: The lesions.
        sizes: Day and size in mm of each lesion; day 0 or before is its baseline.
        title: What is shown.
        every: How many lesions there are, where only the first were given.
    """
    known = [each for each in sorted(swimmers, key=lambda each: each.name) if sizes.get(each.name)]
    chosen = known[:MOST]
    if not chosen:
        return empty_figure(title, "no lesion with a size")
    largest = max(size for each in chosen for _, size in sizes[each.name])
    figure = blank(PAGE_MM, _height_mm(len(chosen), 1.5 * ROW_MM))
    axes = figure.subplots()
    for place, each in enumerate(chosen):
        _band(axes, place, each, sorted(sizes[each.name]), largest)
    _marks(axes, chosen)
    _frame(
        axes,
        chosen,
        f"{title} (height of the band; the largest {largest:.0f} mm)",
        max(every, len(known)),
        which="first",
    )
    first = min(point[0] for each in chosen for point in sizes[each.name])
    ends = [day for each in chosen for day in (each.end, each.death or 0.0)]  # nobody who died may look alive
    last = max(*ends, *(point[0] for each in chosen for point in sizes[each.name]))
    axes.set_xlim(first - 0.09 * (last - first), last + 0.02 * (last - first))
    _legend(axes, chosen)
    return figure


def _band(axes: Axes, place: int, each: Swimmer, points: Sequence[tuple[float, float]], largest: float) -> None:
    days, sizes = np.array(points, float).T
    half = 0.44 * sizes / largest
    colour = RESPONSE_COLOURS[response_word(each.best)]
    axes.fill_between(days, place - half, place + half, color=colour, alpha=0.4, linewidth=0)
    axes.text(days[0] - 3, place, f"{sizes[0]:.0f} mm", ha="right", va="center", fontsize=5.2, color=MUTED)


def _height_mm(rows: int, row_mm: float) -> float:
    """Height of a figure of so many rows, which is never more than a page's."""
    return 26.0 + min(row_mm * rows, TALLEST_MM)
