"""The part of the results' page on associations: tests, what they add to volume, controls, what was not tested."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from npcpit_imaging.report.results_cells import DASH, decimal, page_table, percent, probability, ready, text, whole
from npcpit_imaging.report.results_page import PageTable, Picture, Section

Columns = Mapping[str, tuple[str, Callable[[object], str]]]

INTRODUCTION = (
    "Predictors are screened before any look at the outcome: unstable, constant and redundant image features are "
    "left out. Lesions of one patient are tested together (score test by patient). Image features must add to "
    "volume, the null model."
)

COUNTS: Columns = {
    "words": ("predictor", text),
    "n": ("n", whole),
    "patients": ("patients", whole),
    "events": ("events", whole),
}

TESTED: Columns = {
    "outcome": ("outcome", text),
    **COUNTS,
    "odds_ratio_ci": ("odds ratio (95 % CI)", ready),
    "auc": ("AUC", decimal),
    "p": ("p", probability),
    "q": ("q", probability),
    "p_beyond_volume": ("p beyond volume", probability),
    "odds_ratio_beyond_volume": ("odds ratio beyond volume", decimal),
    "test": ("test", text),
    "note": ("note", text),
}

PROGRESSION: Columns = {
    **COUNTS,
    "hazard_ratio_ci": ("hazard ratio (95 % CI)", ready),
    "p": ("p", probability),
    "q": ("q", probability),
    "note": ("note", text),
}


def association_section(
    tables: Mapping[str, pd.DataFrame], cautions: Mapping[str, Sequence[str]], figures: tuple[Picture, ...]
) -> Section:
    """Put the part together.

    Args:
        tables: Of `analysis`.
        cautions: By outcome.
        figures: Its forests.
    """
    said = [f"{outcome}: {caution}" for outcome, texts in cautions.items() for caution in texts]
    shown = [*_tested(tables), *_left_out(tables["association_screening"])]
    return Section(title="Association", texts=[INTRODUCTION], cautions=said, tables=shown, figures=figures)


def _tested(tables: Mapping[str, pd.DataFrame]) -> list[PageTable]:
    shown = []
    if len(tables["association"]):
        ordered = tables["association"].sort_values(["outcome", "p"], kind="stable")
        caption = "Associations with response and adverse events"
        shown.append(
            page_table(_with_interval(ordered, "odds_ratio"), TESTED, caption=caption, file="tables/association.csv")
        )
    progression = tables.get("association_progression")
    if progression is not None and progression["p"].notna().any():
        caption = "Time to local progression: Cox models, variance by patient"
        written = _with_interval(progression, "hazard_ratio")
        shown.append(page_table(written, PROGRESSION, caption=caption, file="tables/association_progression.csv"))
    if len(tables["association_controls"]):
        shown.append(_controls(tables["association_controls"]))
    return shown


def _with_interval(table: pd.DataFrame, ratio: str) -> pd.DataFrame:
    """Add the ratio and its interval as one text."""
    cells = zip(table[ratio], table["lower"], table["upper"], strict=True)
    return table.assign(**{f"{ratio}_ci": [_ratio(*each) for each in cells]})


def _ratio(middle: object, lower: object, upper: object) -> str:
    written = decimal(middle)
    return written if written == DASH else f"{written} ({decimal(lower)} to {decimal(upper)})"


def _left_out(screening: pd.DataFrame) -> list[PageTable]:
    left_out = screening[~screening["kept"].astype(bool)] if len(screening) else screening
    if left_out.empty:
        return []
    columns: Columns = {
        "level": ("level", text),
        "words": ("predictor", text),
        "reason": ("why it was not tested", text),
    }
    file = "tables/association_screening.csv"
    return [page_table(left_out, columns, caption="Left out before testing", file=file)]


def _controls(table: pd.DataFrame) -> PageTable:
    return page_table(
        table,
        {
            "outcome": ("outcome", text),
            "control": ("negative control", text),
            "tests": ("tests", whole),
            "share_p_below_0_05": ("p below 0.05", percent),
            "share_rounds_with_q_below_0_05": ("rounds with q below 0.05", percent),
            "note": ("note", text),
        },
        caption="Negative controls: about 5 % expected where there is nothing to be found; of shuffled voxels, "
        "which keep volume and histogram, no more than of the real ones",
        file="tables/association_controls.csv",
    )
