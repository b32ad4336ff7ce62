"""The part of the results' page on associations: tests, what they add to volume, controls, what was not tested."""

from collections.abc import Mapping, Sequence

import pandas as pd

from npcpit_imaging.report.results_cells import (
    DASH,
    Columns,
    decimal,
    page_table,
    percent,
    probability,
    ratio,
    ready,
    text,
    whole,
)
from npcpit_imaging.report.results_page import PageTable, Picture, Section

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
    **COUNTS,
    "odds_ratio_ci": ("odds ratio (95 % CI)", ready),
    "auc": ("AUC", decimal),
    "p": ("p", probability),
    "q": ("q", probability),
    "p_beyond_volume": ("p beyond volume", probability),
    "odds_ratio_beyond_volume": ("odds ratio beyond volume", ratio),
    "p_shuffled": ("p, voxels shuffled", probability),
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
    tested = tables["association"]
    shown = [_of_outcome(str(name), own) for name, own in tested.groupby("outcome", sort=False)] if len(tested) else []
    progression = tables.get("association_progression")
    if progression is not None and progression["p"].notna().any():
        caption = (
            "Time to local progression, death censoring it: a Cox model per predictor, variance by patient; hazard "
            "ratio per standard deviation (yes against no)"
        )
        written = _with_interval(progression.sort_values("p", kind="stable"), "hazard_ratio")
        shown.append(page_table(written, PROGRESSION, caption=caption, file="tables/association_progression.csv"))
    if len(tables["association_controls"]):
        shown.append(_controls(tables["association_controls"]))
    return shown


def _of_outcome(outcome: str, own: pd.DataFrame) -> PageTable:
    """The table of one outcome, smallest p first; a column that says nothing, or the same of all, is left out."""
    empty = {name for name in ("p_shuffled", "p_beyond_volume", "odds_ratio_beyond_volume") if _nothing(own, name)}
    if (own["patients"] == own["n"]).all():
        empty.add("patients")
    tests = own["test"].dropna().unique().tolist()
    said = ""
    if len(tests) == 1:
        empty.add("test")
        said = f"; p: {tests[0]}"
    columns = {name: column for name, column in TESTED.items() if name not in empty}
    caption = f"{outcome[:1].upper()}{outcome[1:]}: odds ratio per standard deviation (yes against no){said}"
    written = _with_interval(own.sort_values("p", kind="stable"), "odds_ratio")
    return page_table(written, columns, caption=caption, file="tables/association.csv")


def _nothing(table: pd.DataFrame, name: str) -> bool:
    return name not in table or not table[name].notna().any()


def _with_interval(table: pd.DataFrame, ratio: str) -> pd.DataFrame:
    """Add the ratio and its interval as one text."""
    cells = zip(table[ratio], table["lower"], table["upper"], strict=True)
    return table.assign(**{f"{ratio}_ci": [_ratio(*each) for each in cells]})


def _ratio(middle: object, lower: object, upper: object) -> str:
    written = ratio(middle)
    return written if written == DASH else f"{written} ({ratio(lower)} to {ratio(upper)})"


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
