"""Every figure of a study's results, drawn from its tables (docs/results.md says which and why)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from npcpit_imaging.report.figure_change import spider, waterfall
from npcpit_imaging.report.figure_course import Swimmer, lesion_timeline, swimmer
from npcpit_imaging.report.figure_curves import StepCurve, curves
from npcpit_imaging.report.figure_forest import association_forest, bland_altman_figure, rate_forest
from npcpit_imaging.report.figure_style import save, styled

SEVERE = 3
"""Grade from which an adverse event is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlandAltmanPlot:
    """What a Bland-Altman figure needs.

    Args:
        first: The first reader.
        second: The second.
        log: Whether differences are ratios.
        means: `(N,)` mm.
        differences: `(N,)` mm or ratio.
        ends: Bias, lower and upper limit with their intervals.
    """

    first: str
    second: str
    log: bool
    means: np.ndarray
    differences: np.ndarray
    ends: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCurve:
    """One time-to-event endpoint to be drawn.

    Args:
        name: In words, as in the tables.
        level: ``lesion`` or ``patient``.
        competing: Cumulative incidence, or survival.
        curve: Its steps.
        note: Median and interval.
    """

    name: str
    level: str
    competing: bool
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
    yield (
        "rates",
        "Response rates with their 95 % intervals; the primary one in bold.",
        rate_forest(rates_to_show(given.tables["response_rates"]), title="Response rates"),
    )
    yield from _changes(given)
    yield from _courses(given)
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
            pair.means, pair.differences, pair.ends, log=pair.log, title=title, first=pair.first, second=pair.second
        )
        caption = f"Sizes by {title}, {kind}: bias and 95 % limits of agreement with their intervals as bands."
        yield f"bland_altman_{_plain(pair.first)}_{_plain(pair.second)}_{kind}", caption, figure


def rates_to_show(rates: pd.DataFrame) -> pd.DataFrame:
    """The rows of the rates' figure: the first interval of every rate, of every population."""
    if rates.empty:
        return pd.DataFrame(columns=["words", "count", "denominator", "estimate", "lower", "upper", "primary"])
    keys = ["level", "endpoint", "population", "response"]
    first = rates.drop_duplicates(keys)
    words = first["level"] + ": " + first["endpoint"] + ", " + first["response"] + ", " + first["population"]
    return first.assign(words=words, count=first["responders"]).reset_index(drop=True)


def _changes(given: FigureTables) -> Iterator[tuple[str, str, Figure]]:
    for level, unit_of in (("lesions", _lesion_unit), ("subjects", _subject_unit)):
        units, changes = given.tables[level], given.tables[f"{level[:-1]}_timepoints"]
        best = given.tables[f"best_change_{level}"]
        if level == "lesions" and len(units):
            units = units[units["irradiated"].astype(bool)]
            changes = changes[changes["irradiated"].astype(bool)]
        word = "lesion" if level == "lesions" else "patient"
        what = "Irradiated lesions" if word == "lesion" else "Patients, sum of diameters"
        answers = _by_unit(units, unit_of, "best" if word == "lesion" else "bor")
        best = best.assign(unit=unit_of(best)) if len(best) else best
        best = best[best["unit"].isin(answers)] if len(best) else best
        yield (
            f"waterfall_{level}",
            f"{what}: best change from baseline before progression; colour: best response. Lines at -30 and +20 %.",
            waterfall(best, answers, title=what, unit=word, left_out=len(answers) - len(best)),
        )
        shown = changes.assign(unit=unit_of(changes)) if len(changes) else changes
        if len(shown):
            shown = shown[(shown["day"] >= 0) & (shown["in_spider"] if "in_spider" in shown else shown["counted"])]
        new = _by_day(units, "out_of_field_day") if word == "patient" else {}
        caption = f"{what}: change from baseline over time, from 0 at first treatment."
        yield f"spider_{level}", caption, spider(shown, answers, title=what, unit=word, new=new)


def _lesion_unit(table: pd.DataFrame) -> "pd.Series[str]":
    return table["subject"].astype(str) + " " + table["lesion"].astype(str)


def _subject_unit(table: pd.DataFrame) -> "pd.Series[str]":
    return table["subject"].astype(str)


def _by_unit(units: pd.DataFrame, unit_of: object, column: str) -> dict[str, str]:
    if units.empty:
        return {}
    names = unit_of(units)  # type: ignore[operator]  # one of the two functions above
    return dict(zip(names, units[column].astype(str), strict=True))


def _by_day(units: pd.DataFrame, column: str) -> dict[str, float]:
    if units.empty or column not in units:
        return {}
    known = units[units[column].notna()]
    return dict(zip(known["subject"].astype(str), known[column].astype(float), strict=True))


def _courses(given: FigureTables) -> Iterator[tuple[str, str, Figure]]:
    patients, lesions = _patient_swimmers(given), _lesion_swimmers(given)
    marks = "bars: best response; marks: responses by visit; + death"
    yield "swimmer_subjects", f"Patients' courses; {marks}.", swimmer(patients, title="Patients", unit="patient")
    yield (
        "swimmer_lesions",
        f"Irradiated lesions' courses; {marks}.",
        swimmer(lesions, title="Irradiated lesions", unit="lesion"),
    )
    sizes = _sizes(given)
    yield (
        "timeline_lesions",
        "Each irradiated lesion's size over time as the height of its band, with treatments and responses.",
        lesion_timeline(lesions, sizes, title="Size of each irradiated lesion"),
    )


def _patient_swimmers(given: FigureTables) -> list[Swimmer]:
    subjects, points = given.tables["subjects"], given.tables["subject_timepoints"]
    light = _days_by(given.tables["treatments"].drop_duplicates(["subject", "cycle"]), ["subject"])
    severe = _severe_events(given.tables.get("adverse_events"))
    visits = _visits(points, ["subject"])
    found = []
    for row in subjects.to_dict("records"):
        name = str(row["subject"])
        death, last = _day(row.get("death_day")), _day(row.get("last_contact_day"))
        seen = visits.get((name,), [])
        ends = [day for day in (death, last, *(day for day, _ in seen)) if day is not None]
        if not ends or max(ends) <= 0:
            continue
        found.append(
            Swimmer(
                name=name,
                best=str(row["bor"]),
                end=death if death is not None else max(ends),
                visits=seen,
                treatments=light.get((name,), []),
                progression=_day(row.get("pd_day")),
                death=death,
                new_lesion=_day(row.get("out_of_field_day")),
                events=severe.get(name, ()),
            )
        )
    return found


def _lesion_swimmers(given: FigureTables) -> list[Swimmer]:
    lesions, points = given.tables["lesions"], given.tables["lesion_timepoints"]
    light = _days_by(given.tables["treatments"], ["subject", "lesion"])
    visits = _visits(points, ["subject", "lesion"])
    deaths = _by_day(given.tables["subjects"], "death_day")
    found = []
    for row in lesions.to_dict("records"):
        key = (str(row["subject"]), str(row["lesion"]))
        seen = visits.get(key, [])
        if not row["irradiated"] or not seen:
            continue
        progressed = row.get("to_progression_event") is True
        found.append(
            Swimmer(
                name=" ".join(key),
                best=str(row["best"]),
                end=max(day for day, _ in seen),
                visits=seen,
                treatments=light.get(key, []),
                progression=_day(row.get("to_progression_end_day")) if progressed else None,
                death=deaths.get(key[0]),
            )
        )
    return found


def _day(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _days_by(table: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], list[float]]:
    found: dict[tuple[str, ...], list[float]] = {}
    for row in table.to_dict("records"):
        day = _day(row["day"])
        if day is not None:
            found.setdefault(tuple(str(row[key]) for key in keys), []).append(day)
    return found


def _visits(table: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], list[tuple[float, str]]]:
    found: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    for row in table.to_dict("records"):
        day = _day(row["day"])
        if day is not None and day >= 0:
            found.setdefault(tuple(str(row[key]) for key in keys), []).append((day, str(row["response"])))
    return found


def _severe_events(events: pd.DataFrame | None) -> dict[str, list[tuple[float, int]]]:
    found: dict[str, list[tuple[float, int]]] = {}
    if events is not None:
        for row in events[events["grade"] >= SEVERE].to_dict("records"):
            day = _day(row["start_day"])
            if day is not None:
                found.setdefault(str(row["subject"]), []).append((day, int(row["grade"])))
    return found


def _sizes(given: FigureTables) -> dict[str, list[tuple[float, float]]]:
    """Day and size of each irradiated lesion, its baseline at day 0."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in given.tables["lesions"].to_dict("records"):
        size = _day(row.get("baseline_mm"))
        if size is not None and row["irradiated"]:
            found[f"{row['subject']} {row['lesion']}"] = [(0.0, size)]
    for row in given.tables["lesion_timepoints"].to_dict("records"):
        name, day, size = f"{row['subject']} {row['lesion']}", _day(row["day"]), _day(row["value_mm"])
        if name in found and day is not None and day > 0 and size is not None:
            found[name].append((day, size))
    return found


def _curve_figure(each: TimeCurve) -> Figure:
    label = "cumulative incidence" if each.competing else "probability"
    unit = "lesions" if each.level == "lesion" else "patients"
    title = each.name[0].upper() + each.name[1:]
    return curves([each.curve], title=title, ylabel=label, falling=not each.competing, note=each.note, unit=unit)


def _curve_caption(each: TimeCurve) -> str:
    kind = "Aalen-Johansen" if each.competing else "Kaplan-Meier"
    return f"{each.name[0].upper()}{each.name[1:]} by {kind}, 95 % interval as a band, n = {each.curve.times.size}."


def _file_name(each: TimeCurve) -> str:
    return f"{'incidence' if each.competing else 'km'}_{_plain(each.name)}"


def _plain(words: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in words.lower())
    return "_".join(part for part in kept.split("_") if part)
