"""The parts of the results' page: which tables and figures stand together, and what is said of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from npcpit_imaging.report.figures import DrawnFigure
from npcpit_imaging.report.results_adverse import adverse_section
from npcpit_imaging.report.results_agreement import agreement_section
from npcpit_imaging.report.results_association import association_section
from npcpit_imaging.report.results_cells import (
    DASH,
    decimal,
    interval,
    number_of,
    page_table,
    percent,
    ready,
    share,
    text,
    whole,
)
from npcpit_imaging.report.results_eligibility import eligibility_section
from npcpit_imaging.report.results_page import PageTable, Picture, PrimaryResult, Section, picture


def primary_result(rates: pd.DataFrame) -> PrimaryResult | None:
    """The primary endpoint, from its row of the rates."""
    rows = rates[rates["primary"].astype(bool)] if len(rates) else rates
    if rows.empty:
        return None
    row = rows.iloc[0]
    note = f" ({row['note']})" if row["note"] else ""
    effect = f"; design effect {row['design_effect']:.2f}" if np.isfinite(row["design_effect"]) else ""
    return PrimaryResult(
        words=f"Primary endpoint: {row['endpoint']} over all irradiated lesions, {row['response']}",
        number=f"{100 * row['estimate']:.1f} %",
        interval=f"95 % CI {100 * row['lower']:.1f} to {100 * row['upper']:.1f} %, {row['method']}{note}",
        denominator=f"{row['responders']} of {row['denominator']} lesions in {row['patients']} patients{effect}",
    )


def sections(
    tables: Mapping[str, pd.DataFrame],
    drawn: Sequence[DrawnFigure],
    *,
    cautions: Mapping[str, Sequence[str]],
    eligibility: pd.DataFrame | None,
) -> list[Section]:
    """Put tables and figures together.

    Args:
        tables: Of `analysis`.
        drawn: The figures.
        cautions: By outcome of the associations.
        eligibility: A row per subject; None where it was not checked.
    """

    def named(*starts: str) -> tuple[Picture, ...]:
        return tuple(picture(each) for each in drawn if each.name.startswith(starts))

    parts = [
        Section(title="Response", tables=_response_tables(tables), figures=named("rates")),
        Section(title="Depth of response", figures=named("waterfall", "spider")),
        Section(title="Courses", figures=named("swimmer", "timeline")),
        Section(title="Time to event", tables=[_times(tables["time_to_event"])], figures=named("km", "incidence")),
        agreement_section(tables["reader_agreement"], named("bland_altman")),
        association_section(tables, cautions, named("association")),
        *adverse_section(tables),
    ]
    if eligibility is not None:
        parts.insert(0, eligibility_section(eligibility))
    return parts


def _response_tables(tables: Mapping[str, pd.DataFrame]) -> list[PageTable]:
    rates = tables["response_rates"]
    return [
        *(_rates(rates[rates["level"] == level], level) for level in ("lesion", "patient") if len(rates)),
        _best_responses(tables["response_distribution"]),
    ]


_LEVELS = {"lesion": "irradiated lesions", "patient": "patients"}


def _best_responses(table: pd.DataFrame) -> PageTable:
    """A row per level, confirmed or not; a column per response with its share."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for row in _records(table):
        level, response = str(row["level"]), str(row["response"])
        own = rows.setdefault(
            (level, response), {"who": _LEVELS[level], "response": response, "of": row["denominator"]}
        )
        own[str(row["best"])] = share(row["count"], row["denominator"])
    seen = list(dict.fromkeys(word for own in rows.values() for word in own if word not in ("who", "response", "of")))
    words = [*(word for word in RESPONSES if word in seen), *(word for word in seen if word not in RESPONSES)]
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "who": ("units", text),
        "response": ("response", text),
        "of": ("number", whole),
        **{word: (word, ready) for word in words},
    }
    filled = [{**{word: share(0, own["of"]) for word in words}, **own} for own in rows.values()]
    shown = pd.DataFrame(filled, columns=list(columns))
    return page_table(shown, columns, caption="Best response, number (%)", file="tables/response_distribution.csv")


RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "MISSING")
"""Best responses in the order in which papers give them."""


def _rates(rates: pd.DataFrame, level: str) -> PageTable:
    """A row per rate, its intervals side by side."""
    methods = list(dict.fromkeys(_short(method) for method in rates["method"]))
    rows: dict[tuple[str, ...], dict[str, object]] = {}
    for row in _records(rates):
        key = tuple(str(row[name]) for name in ("endpoint", "response", "population"))
        own = rows.setdefault(key, {**row, "rate": row["estimate"], "is_primary": False})
        own[_short(str(row["method"]))] = interval(row)
        own["is_primary"] = bool(own["is_primary"]) or bool(row["primary"])
        own["note"] = own["note"] or row["note"]
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "endpoint": ("endpoint", text),
        "response": ("response", text),
        "population": ("population", text),
        "responders": ("responders", whole),
        "denominator": (f"of {level}s", whole),
        **({"patients": ("patients", whole)} if level == "lesion" else {}),
        "rate": ("rate", percent),
        **{method: (f"95 % CI (%), {method}", ready) for method in methods},
        **({"icc": ("ICC", decimal), "design_effect": ("deff", decimal)} if level == "lesion" else {}),
        "note": ("note", text),
    }
    caption = {
        "lesion": "Rates over irradiated lesions, intervals that know the patients; the primary endpoint is bold",
        "patient": "Rates over patients",
    }[level]
    table = pd.DataFrame(list(rows.values()), columns=[*columns, "is_primary"])
    return page_table(table, columns, caption=caption, file="tables/response_rates.csv", strong="is_primary")


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _short(method: object) -> str:
    return str(method).split(",", maxsplit=1)[0]


def _range(row: dict[str, object]) -> str:
    """An interval; before the first event the variance is 0 and there is none."""
    return "no interval" if row["lower"] == row["upper"] else interval(row)


def _median(middle: str, lower: str, upper: str) -> str:
    """A median with its interval; where none of the three is reached that is said once."""
    if middle == DASH:
        return DASH
    return (middle if middle == lower == upper else f"{middle} ({lower} to {upper})").replace("not reached", "NR")


def _times(table: pd.DataFrame) -> PageTable:
    """A row per endpoint, its landmark days side by side."""
    rows: dict[tuple[str, ...], dict[str, object]] = {}
    for row in _records(table):
        middle = [whole(row[name]) for name in ("median_days", "median_lower", "median_upper")]
        competing = row["competing"] if row["estimator"] == "Aalen-Johansen" else None  # elsewhere nothing competes
        first = {
            **row,
            "competing": competing,
            "of": f"{whole(row['units'])} {row['level']}s",
            "median": _median(*middle),
            "note": "",
        }
        own = rows.setdefault((str(row["level"]), str(row["endpoint"])), first)
        cell, notes = _at_landmark(row)
        own[f"day {whole(row['day'])}"] = cell
        own["note"] = "; ".join(dict.fromkeys([*str(own["note"]).split("; "), *notes])).removeprefix("; ")
    days = [f"day {whole(day)}" for day in dict.fromkeys(table["day"].dropna())]  # none where nobody has a time
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "endpoint": ("endpoint", text),
        "analysed": ("analysed", whole),
        "of": ("of", ready),
        "events": ("events", whole),
        "competing": ("deaths first", whole),
        "median": ("median days (95 % CI)", ready),
        "follow_up_median_days": ("median follow-up", whole),
        **{day: (day, ready) for day in days},
        "note": ("note", text),
    }
    caption = (
        "Time-to-event endpoints: days, and the rate (95 % CI; number at risk) at landmark days; where death competes "
        "the rate is an incidence. NR: not reached"
    )
    shown = pd.DataFrame(list(rows.values()), columns=list(columns))
    return page_table(shown, columns, caption=caption, file="tables/time_to_event.csv")


def _at_landmark(row: dict[str, object]) -> tuple[str, list[str]]:
    """The rate at a day with how many were still at risk, or why there is none; and what is noted besides."""
    notes = str(row["note"]).split("; ") if row["note"] else []
    if not np.isnan(number_of(row["rate"])):
        return f"{percent(row['rate'])} ({_range(row)}; {whole(row['at_risk'])})", notes
    beyond = [note for note in notes if note.startswith("beyond")]
    return "".join(beyond).replace("the last ", "") or DASH, [note for note in notes if note not in beyond]
