"""The part of the results' page on how far readers agree."""

import pandas as pd

from npcpit_imaging.report.results_cells import Columns, decimal, page_table, range_of, ready, text, whole
from npcpit_imaging.report.results_page import Picture, Section

COLUMNS: Columns = {
    "readers": ("readers", text),
    "statistic": ("statistic", text),
    "scale": ("unit", text),
    "n": ("n", whole),
    "patients": ("patients", whole),
    "value": ("value", decimal),
    "interval": ("95 % CI", ready),
    "method": ("method", text),
    "note": ("note", text),
}


def agreement_section(table: pd.DataFrame, figures: tuple[Picture, ...]) -> Section:
    """Put the part together.

    Args:
        table: ``reader_agreement`` of `analysis`.
        figures: Bland-Altman plots.
    """
    if table.empty:
        return Section(title="Reader agreement", texts=["One reader only: nothing to compare."])
    written = table.assign(
        readers=table["first"].astype(str) + ", " + table["second"].astype(str),
        interval=[range_of(*ends) for ends in zip(table["lower"], table["upper"], strict=True)],
    )
    caption = "Agreement of readers; differences are second minus first reader, ratios second over first"
    shown = page_table(written, COLUMNS, caption=caption, file="tables/reader_agreement.csv")
    return Section(title="Reader agreement", tables=[shown], figures=figures)
