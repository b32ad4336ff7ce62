"""The results as one HTML page that needs nothing else: figures inside, prints well, same input, same bytes."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from npcpit_imaging.report.figures import DrawnFigure

NOTICE = "Research software, not a medical device: no diagnosis or treatment may rest on this page."

WIDE_NAMES = ("rates", "waterfall", "spider", "swimmer", "timeline", "association")
"""Figures of two columns' width, by how their names begin."""

MOST_ROWS = 60
"""Rows of a table on the page; the files hold all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTable:
    """A table as the page shows it.

    Args:
        caption: What it is.
        header: Column names.
        rows: Cells as text.
        numeric: Columns of numbers.
        strong: Rows in bold.
        more: What is not shown, and where it is.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    strong: tuple[int, ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure within the page."""

    name: str
    caption: str
    base64: str
    wide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page.

    Args:
        title: Its heading.
        texts: Paragraphs.
        cautions: What must be known before the numbers.
        tables: Its tables.
        figures: Its figures.
    """

    title: str
    texts: Sequence[str] = ()
    cautions: Sequence[str] = ()
    tables: Sequence[PageTable] = ()
    figures: Sequence[Picture] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryResult:
    """The primary endpoint at a glance."""

    words: str
    number: str
    interval: str
    denominator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """Everything on the page.

    Args:
        title: The study.
        facts: Data cut, protocol, versions, reader, counts: name and value.
        primary: The primary endpoint; None where it cannot be computed.
        notes: What holds for all of it.
        sections: The parts.
        definitions: Terms and what they mean here.
        stamp: What every figure's caption says besides: data cut and protocol.
        notice: What this page is not.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    primary: PrimaryResult | None
    notes: Sequence[str]
    sections: Sequence[Section]
    definitions: Sequence[tuple[str, str]]
    stamp: str
    notice: str = NOTICE


def picture(drawn: DrawnFigure) -> Picture:
    """Take a drawn figure into the page."""
    return Picture(
        name=drawn.name,
        caption=drawn.caption,
        base64=base64.b64encode(drawn.png.read_bytes()).decode("ascii"),
        wide=drawn.name.startswith(WIDE_NAMES),
    )


def render(page: ResultsPage) -> str:
    """Give the page as HTML; every text is escaped."""
    return _template().render(page=page)


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files("npcpit_imaging.report").joinpath("results.html.j2").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(text)
