"""How every figure of the results looks: journal sizes, colours that colour-blind readers tell apart, PNG and SVG."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.artist import allow_rasterization
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

Handle: TypeAlias = Patch | Line2D
"""What a legend's row shows."""

MM_PER_INCH = 25.4
COLUMN_MM, PAGE_MM = 89.0, 183.0
"""Widths of one and of two columns of a journal."""

DPI = 300
"""Of the PNG."""

INK, MUTED, GRID = "#1b2733", "#5b6775", "#d5dbe1"

RESPONSE_COLOURS: Mapping[str, str] = {
    "CR": "#005b96",
    "PR": "#56b4e9",
    "SD": "#f0c742",
    "NON-CR/NON-PD": "#cc79a7",
    "PD": "#c44601",
    "NE": "#b4bbc3",
}
"""After Okabe and Ito 2008: apart in hue and in lightness, so that they differ in grey too."""

RESPONSE_MARKERS: Mapping[str, str] = {"CR": "*", "PR": "^", "SD": "s", "NON-CR/NON-PD": "D", "PD": "X", "NE": "o"}
"""A shape for each response: nobody needs the colour."""

SERIES_COLOURS = ("#005b96", "#c44601", "#1b7f5c", "#7a4fa3", "#8a6d00")

STYLE: dict[str, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 8.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "npcpit",
}


def response_word(word: str) -> str:
    """A response as figures show it: what cannot be evaluated, for whatever reason, is NE."""
    return word if word in RESPONSE_COLOURS else "NE"


def blank(width_mm: float = PAGE_MM, height_mm: float = 90.0) -> Figure:
    """An empty figure of a journal's size, drawn within `styled`."""
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained")


def styled() -> AbstractContextManager[None]:
    """Context in which figures are made and saved."""
    return mpl.rc_context(STYLE)  # type: ignore[arg-type]  # its names are a closed list of matplotlib's


def light_grid(axes: Axes, axis: str = "y") -> None:
    """Thin lines behind the data."""
    axes.grid(visible=True, axis=axis, color=GRID, linewidth=0.5)  # type: ignore[arg-type]  # "x", "y" or "both"
    axes.set_axisbelow(True)


def response_patches(words: Sequence[str], *, count: bool = True, alpha: float = 1.0) -> list[Handle]:
    """Legend rows of the best responses among words, each with how many have it."""
    return [
        Patch(facecolor=colour, alpha=alpha, label=f"{word} ({list(words).count(word)})" if count else f"best {word}")
        for word, colour in RESPONSE_COLOURS.items()
        if word in words
    ]


def visit_handles(seen: Collection[str], *, edge: str = INK) -> list[Handle]:
    """Legend rows of the responses of visits, by their marks."""
    return [
        mark_handle(
            RESPONSE_MARKERS[word], edge, f"visit {word}", face=colour, size=6.5 if word == "CR" else 4.8, width=0.35
        )
        for word, colour in RESPONSE_COLOURS.items()
        if word in seen
    ]


def mark_handle(
    marker: str, colour: str, label: str, *, face: str = "", size: float = 6.0, width: float = 1.0
) -> Handle:
    """Legend row of one mark; `face` is its inside where that differs."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=marker,
        markersize=size,
        markeredgecolor=colour,
        markerfacecolor=face or colour,
        markeredgewidth=width,
        label=label,
    )


def empty_figure(title: str, text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = blank(COLUMN_MM, 45.0)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(title)
    axes.text(0.0, 0.6, text, transform=axes.transAxes, color=MUTED, wrap=True)
    return figure


class ManyLines(LineCollection):
    """Lines of which there are tens of thousands: a picture of them is drawn once and stands in both files."""

    @allow_rasterization  # type: ignore[untyped-decorator]
    def draw(self, renderer: RendererBase) -> None:
        """Draw into a picture of the renderer's size, or take the one that is there."""
        if not self.get_visible():
            return
        size = (int(renderer.width), int(renderer.height))  # type: ignore[attr-defined]  # of every renderer of pixels
        if self._size != size:
            own = RendererAgg(*size, renderer.points_to_pixels(72.0))  # type: ignore[no-untyped-call]
            super().draw(own)
            self._size, self._picture = size, np.array(own.buffer_rgba())[::-1]  # type: ignore[no-untyped-call]
        renderer.draw_image(renderer.new_gc(), 0, 0, self._picture)

    _size: tuple[int, int] | None = None
    _picture: NDArray[np.uint8]


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.png and NAME.svg; the same figure gives the same bytes, without the moment it was made.

    By the canvases, not by `Figure.savefig`, which draws everything once more before, for formats that need it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    figure.set_facecolor("white")
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).print_png(str(png), metadata={"Software": "npcpit_imaging"})  # type: ignore[no-untyped-call]
    figure.set_layout_engine("none")  # laid out once: half of the time, and both files show the same
    FigureCanvasSVG(figure).print_svg(str(svg), metadata={"Date": None, "Creator": "npcpit_imaging"})  # type: ignore[no-untyped-call]
    return png, svg
