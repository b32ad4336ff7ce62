"""Every figure of a study's results, drawn from its tables (docs/results.md says which and why)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from npcpit_imaging.report.change_figures import change_figures
from npcpit_imaging.report.course_figures import course_figures
from npcpit_imaging.report.figure_curves import StepCurve, curves
from npcpit_imaging.report.figure_forest import association_forest, bland_altman_figure, rate_forest
from npcpit_imaging.report.figure_style import save, styled


@dataclass(frozen=True, slots=True, kw_only=True)
class BlandAltmanPlot:
    """What a Bland-Altman figure needs.

    Args:
        first: The first reader.
        second: The second.
        log: Whether differences are ratios.
        means: `(N,)` mm.
        differences: `(N,)` mm or ratio.
        patients: Whose sizes these are.
        ends: Bias, lower and upper limit with their intervals.
        method: How the intervals were made.
    """

    first: str
    second: str
    log: bool
    means: np.ndarray
    differences: np.ndarray
    patients: int
    ends: tuple[tuple[float, float, float], ...]
    method: str


OVERALL = "overall survival"
"""The endpoint whose curve is of survival itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCurve:
    """One time-to-event endpoint to be drawn.

    Args:
        name: In words, as in the tables.
        level: ``lesion`` or ``patient``.
        competing: Cumulative incidence, or survival.
        since: What its days count from.
        curve: Its steps.
        note: Events, median and interval.
    """

    name: str
    level: str
    competing: bool
    since: str
    curve: StepCurve
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTables:
    """What figures are drawn from; tables as `analysis` gives them.

    Args:
        tables: By name.
        curves: Time-to-event endpoints.
        agreements: Reader pairs.
        associations: By outcome.
        cautions: By outcome.
    """

    tables: Mapping[str, pd.DataFrame]
    curves: Sequence[TimeCurve]
    agreements: Sequence[BlandAltmanPlot]
    associations: Mapping[str, pd.DataFrame]
    cautions: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFigure:
    """One figure on disk.

    Args:
        name: File name without ending.
        caption: What it shows and of how many.
        png: The file.
        svg: The file.
    """

    name: str
    caption: str
    png: Path
    svg: Path


def draw_figures(given: FigureTables, folder: Path) -> list[DrawnFigure]:
    """Draw every figure and write it as PNG and SVG.

    Args:
        given: The tables.
        folder: Where to.
    """
    drawn = []
    with styled():
        for name, caption, figure in _figures(given):
            png, svg = save(figure, folder, name)
            drawn.append(DrawnFigure(name=name, caption=caption, png=png, svg=svg))
    return drawn


def _figures(given: FigureTables) -> Iterator[tuple[str, str, Figure]]:
    rates = rates_to_show(given.tables["response_rates"])
    yield "rates", _rates_caption(rates), rate_forest(rates, title="Response rates")
    yield from change_figures(given.tables)
    yield from course_figures(given.tables)
    for each in given.curves:
        yield _file_name(each), _curve_caption(each), _curve_figure(each)
    for outcome, table in given.associations.items():
        caption = (
            f"Association with {outcome}: odds ratio per standard deviation (yes against no), p, "
            "Benjamini-Hochberg q, and p beyond the logarithm of volume. Filled squares: q below 0.05."
        )
        note = " ".join(given.cautions.get(outcome, ()))
        yield f"association_{_plain(outcome)}", caption, association_forest(table, title=outcome, note=note)
    for pair in given.agreements:
        kind = "ratio" if pair.log else "mm"
        title = f"{pair.first} and {pair.second}"
        figure = bland_altman_figure(
            pair.means,
            pair.differences,
            pair.ends,
            log=pair.log,
            title=title,
            first=pair.first,
            second=pair.second,
            patients=pair.patients,
        )
        caption = (
            f"Bland-Altman, sizes by {title}, {kind}: bias and 95 % limits of agreement with their 95 % intervals as "
            f"bands ({pair.method})."
        )
        yield f"bland_altman_{_plain(pair.first)}_{_plain(pair.second)}_{kind}", caption, figure


def rates_to_show(rates: pd.DataFrame) -> pd.DataFrame:
    """The rows of the rates' figure: the first interval of every rate, of every population."""
    if rates.empty:
        return pd.DataFrame(columns=["words", "count", "denominator", "estimate", "lower", "upper", "primary"])
    keys = ["level", "endpoint", "population", "response"]
    first = rates.drop_duplicates(keys)
    words = first["level"] + ": " + first["endpoint"] + ", " + first["response"] + ", " + first["population"]
    return first.assign(words=words, count=first["responders"]).reset_index(drop=True)


def _rates_caption(rates: pd.DataFrame) -> str:
    """What the intervals are, by level; the first word of a method is its name."""
    by_level = rates.drop_duplicates("level") if "method" in rates else rates
    said = [f"{row['level']}s {str(row['method']).split(',')[0]}" for row in by_level.to_dict("records")]
    methods = f" ({', '.join(said)})" if said else ""
    return f"Response rates with their 95 % intervals{methods}; the primary one in bold."


def _curve_figure(each: TimeCurve) -> Figure:
    label = (
        "cumulative incidence" if each.competing else "survival" if each.name == OVERALL else "event-free probability"
    )
    unit = "lesions" if each.level == "lesion" else "patients"
    title = each.name[0].upper() + each.name[1:]
    return curves(
        [each.curve],
        title=title,
        ylabel=label,
        xlabel=f"days since {each.since}",
        falling=not each.competing,
        note=each.note,
        unit=unit,
    )


def _curve_caption(each: TimeCurve) -> str:
    kind = "Aalen-Johansen" if each.competing else "Kaplan-Meier"
    name = f"{each.name[0].upper()}{each.name[1:]}"
    by = ", variance by patient" if each.level == "lesion" else ""
    return (
        f"{name} by {kind}, pointwise 95 % interval (log-log{by}) as a band, ticks: censored, "
        f"n = {each.curve.times.size} {each.level}s."
    )


def _file_name(each: TimeCurve) -> str:
    return f"{'incidence' if each.competing else 'km'}_{_plain(each.name)}"


def _plain(words: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in words.lower())
    return "_".join(part for part in kept.split("_") if part)
