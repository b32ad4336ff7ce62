"""The parts of the results' page: which tables and figures stand together, and what is said of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from npcpit_imaging.report.figures import DrawnFigure
from npcpit_imaging.report.results_association import association_section
from npcpit_imaging.report.results_cells import (
    DASH,
    decimal,
    interval,
    number_of,
    page_table,
    percent,
    ready,
    text,
    whole,
)
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
        _agreement(tables["reader_agreement"], named("bland_altman")),
        association_section(tables, cautions, named("association")),
        *_adverse(tables),
    ]
    if eligibility is not None:
        parts.insert(0, _eligibility(eligibility))
    return parts


def _response_tables(tables: Mapping[str, pd.DataFrame]) -> list[PageTable]:
    rates = tables["response_rates"]
    return [
        *(_rates(rates[rates["level"] == level], level) for level in ("lesion", "patient") if len(rates)),
        page_table(
            tables["response_distribution"],
            {
                "level": ("level", text),
                "response": ("response", text),
                "best": ("best response", text),
                "count": ("number", whole),
                "denominator": ("of", whole),
            },
            caption="Best responses",
            file="tables/response_distribution.csv",
        ),
    ]


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
        first = {**row, "of": f"{whole(row['units'])} {row['level']}s", "median": _median(*middle), "note": ""}
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


def _agreement(table: pd.DataFrame, figures: tuple[Picture, ...]) -> Section:
    if table.empty:
        return Section(title="Reader agreement", texts=["One reader only: nothing to compare."])
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "first": ("first reader", text),
        "second": ("second", text),
        "statistic": ("statistic", text),
        "scale": ("scale", text),
        "n": ("n", whole),
        "patients": ("patients", whole),
        "value": ("value", decimal),
        "lower": ("95 % CI from", decimal),
        "upper": ("to", decimal),
        "note": ("note", text),
    }
    shown = page_table(table, columns, caption="Agreement of readers", file="tables/reader_agreement.csv")
    return Section(title="Reader agreement", tables=[shown], figures=figures)


def _adverse(tables: Mapping[str, pd.DataFrame]) -> list[Section]:
    if "adverse_event_worst_grades" not in tables:
        return []
    grades: dict[str, tuple[str, Callable[[object], str]]] = {
        "term": ("term", text),
        **{f"grade_{grade}": (f"grade {grade}", whole) for grade in range(1, 6)},
        "any_grade": ("any", whole),
        "severe": ("3 or more", whole),
        "patients": ("of patients", whole),
    }
    rates: dict[str, tuple[str, Callable[[object], str]]] = {
        "what": ("event", text),
        "unit": ("by", text),
        "count": ("with", whole),
        "denominator": ("of", whole),
        "estimate": ("rate", percent),
        "lower": ("95 % CI from", percent),
        "upper": ("to", percent),
        "method": ("interval", text),
    }
    worst = tables["adverse_event_worst_grades"]
    return [
        Section(
            title="Adverse events",
            texts=["CTCAE; on or after first treatment; a patient counts once per term, with the worst grade."],
            tables=[
                page_table(
                    worst, grades, caption="Patients by worst grade", file="tables/adverse_event_worst_grades.csv"
                ),
                page_table(
                    tables["adverse_event_rates"], rates, caption="Rates", file="tables/adverse_event_rates.csv"
                ),
            ],
        )
    ]


def _eligibility(table: pd.DataFrame) -> Section:
    counts = table["eligible"].value_counts()
    said = ", ".join(f"{counts.get(word, 0)} {words}" for word, words in _VERDICTS)
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "count": ("subjects", whole),
        "eligible": ("eligible", text),
        "reasons": ("reasons", text),
        "subject": ("who", text),
    }
    others = _by_reason(table[table["eligible"] != "met"])
    shown = page_table(others, columns, caption="Not eligible, or not known to be", file="tables/eligibility.csv")
    return Section(
        title="Eligibility", texts=[f"Of {len(table)} subjects: {said}."], tables=[shown] if len(others) else []
    )


def _by_reason(table: pd.DataFrame) -> pd.DataFrame:
    """A row per verdict and reasons, with how many subjects and who; the commonest first."""
    grouped = table.groupby(["eligible", "reasons"], sort=False)["subject"].agg(list).reset_index()
    counted = grouped.assign(count=grouped["subject"].map(len), subject=grouped["subject"].map(_named))
    return counted.sort_values("count", ascending=False, kind="stable")


def _named(subjects: Sequence[str]) -> str:
    more = f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
    return ", ".join(subjects[:NAMED]) + more


NAMED = 10
"""Subjects of one verdict that the page names; the table's file has all."""

_VERDICTS = (("met", "eligible"), ("not met", "not eligible"), ("unknown", "not known"))
