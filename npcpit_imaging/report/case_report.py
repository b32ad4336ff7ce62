"""One subject's report as a PDF: sizes and responses with the rule that fired, key images, registration checks."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from npcpit_imaging.report.key_image import KeyImage

PAGE_INCHES = (11.69, 8.27)
"""A4, landscape."""

ROW_HEIGHT, LINE_HEIGHT, TABLE_WIDTH = 0.0285, 0.019, 0.92
"""Of a table's row, of a further line in it, of the whole table, as fractions of the page."""

FOOT_TOP = 0.06
"""Nothing but the foot stands below this height."""

CHARACTERS_ACROSS = 190
"""Characters of a table's font that fit across the page."""

INK = "#1b2733"
MUTED = "#64748b"
RULE = "#cbd5e1"
LESION = "#ffb000"
LABEL_GAP = 0.065
"""Least distance between two names at the right of the chart, as a fraction of its height."""

LONGEST = "#37d67a"
SHORT = "#4cc9f0"
EDGE_COLOURS = ListedColormap(["#22d3ee"])
COLOURS = ("#0b6e99", "#c2410c", "#5b21b6", "#15803d", "#be123c", "#475569")

NOTICE = "Research software, not a medical device."


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is printed.

    Args:
        title: Above the table.
        header: Column names.
        rows: Cells as text, one row each.
        widths: Relative width of each column.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCurve:
    """One line of the chart: a lesion's size, or the sum, over the time points; None where there is no number."""

    name: str
    sizes_mm: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One page of pictures, in rows of `columns`, with a line of text below the title."""

    title: str
    pictures: tuple[KeyImage, ...]
    columns: int = 4
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class CaseReport:
    """What the report of one subject says.

    Args:
        subject: Subject code.
        title: The trial's name.
        summary: Lines below the title (reader, protocol digest, software).
        timepoints: Names of the time points in order.
        sum_curve: Sum of diameters over the time points.
        lesion_curves: One per lesion.
        tables: Responses and sizes, on the first page.
        details: Visits, reasons, findings, on pages of their own.
        panels: Key images, a page each.
        notes: What a reader of the report must know, e.g. that the read was scripted.
    """

    subject: str
    title: str
    summary: tuple[str, ...]
    timepoints: tuple[str, ...]
    sum_curve: SizeCurve
    lesion_curves: tuple[SizeCurve, ...]
    tables: tuple[Table, ...]
    details: tuple[Table, ...] = ()
    panels: tuple[Panel, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)


def write_case_report(report: CaseReport, path: Path) -> None:
    """Write a report as PDF; the same report gives the same bytes (no creation date inside)."""
    metadata = {"Title": f"{report.title}: {report.subject}", "Creator": "npcpit_imaging", "CreationDate": None}
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK, "pdf.fonttype": 42}):
        pages = [_summary_page(report), *_detail_pages(report)]
        pages += [_panel_page(report, panel) for panel in report.panels]
        with PdfPages(path, metadata=metadata) as pdf:
            for number, page in enumerate(pages, start=1):
                _foot(page, f"{report.subject}   page {number} of {len(pages)}")
                pdf.savefig(page)


def _foot(page: Figure, text: str) -> None:
    page.text(0.04, 0.025, NOTICE, fontsize=7, color=MUTED)
    page.text(0.96, 0.025, text, fontsize=7, color=MUTED, ha="right")


def _head(page: Figure, title: str, subtitle: str) -> None:
    page.text(0.04, 0.945, title, fontsize=15, weight="bold")
    page.text(0.96, 0.947, subtitle, fontsize=9, color=MUTED, ha="right")
    page.add_artist(mpl.lines.Line2D([0.04, 0.96], [0.93, 0.93], color=RULE, linewidth=0.8))


def _summary_page(report: CaseReport) -> Figure:
    page = Figure(figsize=PAGE_INCHES)
    _head(page, f"Subject {report.subject}", report.title)
    page.text(0.04, 0.915, "\n".join(report.summary), fontsize=7.5, color=MUTED, va="top", linespacing=1.5)
    top = 0.905 - 0.024 * len(report.summary)
    if report.notes:
        page.text(0.04, top - 0.005, "\n".join(report.notes), fontsize=8.5, weight="bold", color="#b45309", va="top")
        top -= 0.012 + 0.024 * len(report.notes)
    for table in report.tables:
        top = _draw_table(page, table, top)
    _draw_curves(page.add_axes((0.07, 0.09, 0.88, max(0.12, top - 0.16))), report)
    return page


def _detail_pages(report: CaseReport) -> list[Figure]:
    """Pages of tables; a table that does not fit goes on, row by row, on the next page."""
    pages: list[Figure] = []
    top = 0.0
    for table in report.details:
        for part in _parts(table):
            if not pages or top - _height(part) < FOOT_TOP:
                pages.append(Figure(figsize=PAGE_INCHES))
                _head(pages[-1], "Visits, reasons and findings", f"Subject {report.subject}")
                top = 0.92
            top = _draw_table(pages[-1], part, top)
    return pages


def _parts(table: Table) -> list[Table]:
    """A table in pieces that each fit a page."""
    parts = [replace(table, rows=())]
    for row in table.rows:
        longer = replace(parts[-1], rows=(*parts[-1].rows, row))
        if parts[-1].rows and _height(longer) > 0.92 - FOOT_TOP:
            longer = replace(table, title=f"{table.title} (continued)", rows=(row,))
            parts.append(longer)
        parts[-1] = longer
    return parts


def _height(table: Table) -> float:
    """Height of a drawn table as a fraction of the page."""
    lines = [max(cell.count("\n") for cell in _cells(table, row)) for row in table.rows]
    return 0.072 + len(lines) * ROW_HEIGHT + sum(lines) * LINE_HEIGHT


def _cells(table: Table, row: Sequence[str]) -> list[str]:
    total = sum(table.widths)
    return [_wrapped(cell, TABLE_WIDTH * part / total) for cell, part in zip(row, table.widths, strict=True)]


def _draw_table(page: Figure, table: Table, top: float) -> float:
    """Draw a table whose title is at `top` and return where the next thing may begin."""
    row_height, line_height, left, width = ROW_HEIGHT, LINE_HEIGHT, 0.04, TABLE_WIDTH
    page.text(left, top - 0.022, table.title, fontsize=10, weight="bold")
    total = sum(table.widths)
    edges = [left + width * sum(table.widths[:index]) / total for index in range(len(table.widths))]
    y = top - 0.05
    for edge, name in zip(edges, table.header, strict=True):
        page.text(edge, y, name, fontsize=7.5, color=MUTED)
    for row in table.rows:
        page.add_artist(mpl.lines.Line2D([left, left + width], [y - 0.0075] * 2, color=RULE, linewidth=0.6))
        y -= row_height
        cells = _cells(table, row)
        for edge, cell in zip(edges, cells, strict=True):
            for number, line in enumerate(cell.split("\n")):
                page.text(edge, y - number * line_height, line, fontsize=8)
        y -= line_height * max(cell.count("\n") for cell in cells)
    return y - 0.022


def _wrapped(text: str, width: float) -> str:
    """Break a cell's text so that it stays in its column, `width` being a fraction of the page."""
    return "\n".join(textwrap.wrap(text, max(8, int(width * CHARACTERS_ACROSS)))) or text


def _draw_curves(axes: Axes, report: CaseReport) -> None:
    places = range(len(report.timepoints))
    _draw_curve(axes, places, report.sum_curve, colour=INK, width=2.4)
    for index, curve in enumerate(report.lesion_curves):
        _draw_curve(axes, places, curve, colour=COLOURS[index % len(COLOURS)], width=1.4)
    baseline = report.sum_curve.sizes_mm[0] if report.sum_curve.sizes_mm else None
    if baseline:
        axes.axhline(0.7 * baseline, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.text(
            len(report.timepoints) - 1,
            0.7 * baseline,
            "-30 % of baseline ",
            fontsize=7,
            color=MUTED,
            ha="right",
            va="bottom",
        )
    axes.set_ylim(bottom=0)
    _name_curves(axes, places, report)
    axes.set_xticks(list(places), report.timepoints, fontsize=8)
    axes.set_xlim(-0.15, len(report.timepoints) - 1 + 0.35)
    axes.set_ylabel("mm", fontsize=8)
    axes.tick_params(axis="y", labelsize=7, colors=MUTED)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_curve(axes: Axes, places: Sequence[int], curve: SizeCurve, *, colour: str, width: float) -> None:
    known = [(place, size) for place, size in zip(places, curve.sizes_mm, strict=True) if size is not None]
    if not known:
        return
    xs, ys = zip(*known, strict=True)
    axes.plot(xs, ys, color=colour, linewidth=width, marker="o", markersize=4)


def _name_curves(axes: Axes, places: Sequence[int], report: CaseReport) -> None:
    """Name each curve at its last point, names kept apart where the curves end together."""
    curves = [(report.sum_curve, INK)]
    curves += [(curve, COLOURS[index % len(COLOURS)]) for index, curve in enumerate(report.lesion_curves)]
    ends = []
    for curve, colour in curves:
        known = [(place, size) for place, size in zip(places, curve.sizes_mm, strict=True) if size is not None]
        if known:
            place, size = known[-1]
            ends.append((size, place, curve.name, colour))
    gap = (axes.get_ylim()[1] - axes.get_ylim()[0]) * LABEL_GAP
    lowest = float("-inf")
    for size, place, name, colour in sorted(ends):
        lowest = max(size, lowest + gap)
        text, offset = f"{name}  {size:.1f}", (9, 0)
        axes.annotate(
            text, (place, lowest), xytext=offset, textcoords="offset points", fontsize=8, color=colour, va="center"
        )


def _panel_page(report: CaseReport, panel: Panel) -> Figure:
    page = Figure(figsize=PAGE_INCHES)
    _head(page, panel.title, f"Subject {report.subject}")
    page.text(0.04, 0.915, _wrapped(panel.note, TABLE_WIDTH), fontsize=8, color=MUTED, va="top")
    columns = min(panel.columns, max(1, len(panel.pictures)))
    rows = -(-len(panel.pictures) // columns)
    width, height = 0.92 / columns, 0.84 / max(rows, 1)
    for index, picture in enumerate(panel.pictures):
        row, column = divmod(index, columns)
        axes = page.add_axes(
            (0.04 + column * width, 0.07 + (rows - 1 - row) * height + 0.04, width * 0.96, height - 0.085)
        )
        draw_key_image(axes, picture)
    return page


def draw_key_image(axes: Axes, picture: KeyImage) -> None:
    """Draw one key image: slice, contour, calipers, title and numbers."""
    axes.imshow(
        picture.pixels,
        cmap="gray_r" if picture.reversed_grey else "gray",
        vmin=0,
        vmax=1,
        aspect=picture.pixel_aspect,
        interpolation="bilinear",
    )
    if picture.edges is not None:
        shown = np.ma.masked_equal(picture.edges, 0)
        axes.imshow(shown, cmap=EDGE_COLOURS, aspect=picture.pixel_aspect, interpolation="nearest")
    if picture.mask.any():
        axes.contour(picture.mask.astype(float), levels=[0.5], colors=[LESION], linewidths=0.9)
    for line, colour in zip(picture.calipers, (LONGEST, SHORT), strict=False):
        (x0, y0), (x1, y1) = line
        axes.plot([x0, x1], [y0, y1], color=colour, linewidth=1.2, marker="+", markersize=5)
    axes.set_title(picture.title, fontsize=9, weight="bold", loc="left", pad=3)
    axes.text(
        0.0, -0.015, picture.caption, transform=axes.transAxes, fontsize=7.2, va="top", color=INK, linespacing=1.4
    )
    axes.set_axis_off()
