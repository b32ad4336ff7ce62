"""Tables of the results' page: which rows stand there, and how a number, a share or a p value is written."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from npcpit_imaging.report.number_words import percent_words, probability_words, ratio_words
from npcpit_imaging.report.results_page import MOST_ROWS, PageTable

DASH = "–"

Columns = Mapping[str, tuple[str, Callable[[object], str]]]
"""A table's column to its heading and how its cells are written."""


def page_table(
    table: pd.DataFrame,
    columns: Columns,
    *,
    caption: str,
    file: str,
    strong: str = "",
) -> PageTable:
    """Make a page's table: chosen columns, at most `MOST_ROWS` rows, the rest named.

    Args:
        table: All rows.
        columns: Column to its heading and how a cell is written.
        caption: What it is.
        file: The file that holds all of it.
        strong: A column of truth values: rows in bold.
    """
    shown = table.head(MOST_ROWS)
    columns = {
        name: column for name, column in columns.items() if name != "note" or (shown[name].fillna("") != "").any()
    }
    rows = tuple(
        tuple(write(row.get(name)) for name, (_, write) in columns.items()) for row in shown.to_dict("records")
    )
    marked = tuple(np.flatnonzero(shown[strong].to_numpy(bool)).tolist()) if strong and len(shown) else ()
    more = f"{len(shown)} of {len(table)} rows; all in {file}" if len(table) > len(shown) else f"File: {file}"
    return PageTable(
        caption=caption,
        header=tuple(heading for heading, _ in columns.values()),
        rows=rows,
        numeric=tuple(place for place, (_, write) in enumerate(columns.values()) if write is not text),
        strong=marked,
        more=more,
    )


def text(value: object) -> str:
    """A cell of words."""
    return DASH if value is None or value == "" or value != value else str(value)  # noqa: PLR0124  # NaN


def number_of(value: object) -> float:
    """A cell's number; NaN where it is none."""
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def whole(value: object) -> str:
    """A count, or a number of days."""
    number = number_of(value)
    if np.isposinf(number):
        return "not reached"
    return DASH if np.isnan(number) else f"{number:.0f}"


def percent(value: object) -> str:
    """A share of 1 in percent."""
    number = number_of(value)
    return DASH if np.isnan(number) else f"{percent_words(number)} %"


def decimal(value: object) -> str:
    """A number of two decimals; nought has no sign.

    Example:
        >>> decimal(-0.001), decimal(-0.456)
        ('0.00', '-0.46')
    """
    number = number_of(value)
    return DASH if np.isnan(number) else f"{number:z.2f}" if abs(number) < 1000 else f"{number:.3g}"


def probability(value: object) -> str:
    """A p value."""
    number = number_of(value)
    return DASH if np.isnan(number) else probability_words(number)


def ratio(value: object) -> str:
    """An odds or hazard ratio."""
    number = number_of(value)
    return DASH if np.isnan(number) else ratio_words(number)


def share(count: object, number: object) -> str:
    """A count with its share.

    Example:
        >>> share(10, 91), share(0, 0)
        ('10 (11.0 %)', '0')
    """
    part, of = number_of(count), number_of(number)
    return f"{part:.0f} ({percent_words(part / of)} %)" if of > 0 else whole(part)


def interval(row: Mapping[str, object]) -> str:
    """An interval in percent."""
    lower, upper = number_of(row["lower"]), number_of(row["upper"])
    return DASH if np.isnan(lower) else f"{percent_words(lower)} to {percent_words(upper)}"


def range_of(lower: object, upper: object) -> str:
    """An interval of two decimals.

    Example:
        >>> range_of(-3.921, 5.22), range_of(float("nan"), float("nan"))
        ('-3.92 to 5.22', '–')
    """
    return DASH if np.isnan(number_of(lower)) else f"{decimal(lower)} to {decimal(upper)}"


def ready(value: object) -> str:
    """A cell that is written already, set as a number is."""
    return text(value)
