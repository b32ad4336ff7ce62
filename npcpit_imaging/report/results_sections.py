"""The parts of the results' page: which tables and figures stand together, and what is said of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from npcpit_imaging.report.figures import DrawnFigure
from npcpit_imaging.report.results_page import MOST_ROWS, PageTable, Picture, PrimaryResult, Section, picture

DASH = "–"


def page_table(
    table: pd.DataFrame,
    columns: Mapping[str, tuple[str, Callable[[object], str]]],
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


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def whole(value: object) -> str:
    """A count, or a number of days."""
    number = _number(value)
    if np.isposinf(number):
        return "not reached"
    return DASH if np.isnan(number) else f"{number:.0f}"


def percent(value: object) -> str:
    """A share of 1 in percent."""
    number = _number(value)
    return DASH if np.isnan(number) else f"{100 * number:.1f} %"


def decimal(value: object) -> str:
    """A number of two decimals."""
    number = _number(value)
    return DASH if np.isnan(number) else f"{number:.2f}" if abs(number) < 1000 else f"{number:.3g}"


def probability(value: object) -> str:
    """A p value."""
    number = _number(value)
    return DASH if np.isnan(number) else "<0.001" if number < 0.001 else f"{number:.3f}"


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
        _association(tables, cautions, named("association")),
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
        "patients": ("patients", whole),
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


def interval(row: Mapping[str, object]) -> str:
    """An interval in percent."""
    lower, upper = _number(row["lower"]), _number(row["upper"])
    return DASH if np.isnan(lower) else f"{100 * lower:.1f} to {100 * upper:.1f}"


def ready(value: object) -> str:
    """A cell that is written already, set as a number is."""
    return DASH if value is None or value != value else str(value)  # noqa: PLR0124  # NaN


def _times(table: pd.DataFrame) -> PageTable:
    rows = []
    for row in _records(table):
        middle = [whole(row[name]) for name in ("median_days", "median_lower", "median_upper")]
        rows.append(
            {
                **row,
                "median": DASH if middle[0] == DASH else f"{middle[0]} ({middle[1]} to {middle[2]})",
                "rate_ci": DASH if np.isnan(_number(row["rate"])) else f"{percent(row['rate'])} ({interval(row)})",
            }
        )
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "level": ("level", text),
        "endpoint": ("endpoint", text),
        "analysed": ("analysed", whole),
        "units": ("of", whole),
        "events": ("events", whole),
        "competing": ("deaths first", whole),
        "median": ("median days (95 % CI)", ready),
        "follow_up_median_days": ("median follow-up", whole),
        "day": ("at day", whole),
        "at_risk": ("at risk", whole),
        "rate_ci": ("rate (95 % CI)", ready),
        "note": ("note", text),
    }
    caption = "Time-to-event endpoints at landmark days; where death competes the rate is an incidence"
    return page_table(
        pd.DataFrame(rows, columns=list(columns)), columns, caption=caption, file="tables/time_to_event.csv"
    )


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


def _association(
    tables: Mapping[str, pd.DataFrame], cautions: Mapping[str, Sequence[str]], figures: tuple[Picture, ...]
) -> Section:
    said = [f"{outcome}: {caution}" for outcome, texts in cautions.items() for caution in texts]
    texts = [
        "Predictors are screened before any look at the outcome: unstable, constant and redundant image features are "
        "left out. Lesions of one patient are tested together (score test by patient). Image features must add to "
        "volume, the null model.",
    ]
    screening = tables["association_screening"]
    left_out = screening[~screening["kept"].astype(bool)] if len(screening) else screening
    shown = []
    if len(tables["association"]):
        shown.append(
            page_table(
                tables["association"].sort_values(["outcome", "p"], kind="stable"),
                {
                    "outcome": ("outcome", text),
                    "words": ("predictor", text),
                    "n": ("n", whole),
                    "patients": ("patients", whole),
                    "events": ("events", whole),
                    "odds_ratio": ("odds ratio", decimal),
                    "lower": ("95 % CI from", decimal),
                    "upper": ("to", decimal),
                    "auc": ("AUC", decimal),
                    "p": ("p", probability),
                    "q": ("q", probability),
                    "p_beyond_volume": ("p beyond volume", probability),
                    "test": ("test", text),
                    "note": ("note", text),
                },
                caption="Associations with response and adverse events",
                file="tables/association.csv",
            )
        )
    if "association_progression" in tables and tables["association_progression"]["p"].notna().any():
        shown.append(
            page_table(
                tables["association_progression"],
                {
                    "words": ("predictor", text),
                    "n": ("n", whole),
                    "patients": ("patients", whole),
                    "events": ("events", whole),
                    "hazard_ratio": ("hazard ratio", decimal),
                    "lower": ("95 % CI from", decimal),
                    "upper": ("to", decimal),
                    "p": ("p", probability),
                    "q": ("q", probability),
                    "note": ("note", text),
                },
                caption="Time to local progression: Cox models, variance by patient",
                file="tables/association_progression.csv",
            )
        )
    if len(tables["association_controls"]):
        shown.append(_controls(tables["association_controls"]))
    if len(left_out):
        shown.append(
            page_table(
                left_out,
                {"level": ("level", text), "words": ("predictor", text), "reason": ("why it was not tested", text)},
                caption="Left out before testing",
                file="tables/association_screening.csv",
            )
        )
    return Section(title="Association", texts=texts, cautions=said, tables=shown, figures=figures)


def _controls(table: pd.DataFrame) -> PageTable:
    return page_table(
        table,
        {
            "outcome": ("outcome", text),
            "control": ("negative control", text),
            "tests": ("tests", whole),
            "share_p_below_0_05": ("p below 0.05", percent),
            "share_rounds_with_q_below_0_05": ("rounds with q below 0.05", percent),
        },
        caption="Negative controls: about 5 % expected where there is nothing to be found",
        file="tables/association_controls.csv",
    )


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
        "subject": ("subject", text),
        "eligible": ("eligible", text),
        "reasons": ("reasons", text),
    }
    others = table[table["eligible"] != "met"]
    shown = page_table(others, columns, caption="Not eligible, or not known to be", file="tables/eligibility.csv")
    return Section(
        title="Eligibility", texts=[f"Of {len(table)} subjects: {said}."], tables=[shown] if len(others) else []
    )


_VERDICTS = (("met", "eligible"), ("not met", "not eligible"), ("unknown", "not known"))
