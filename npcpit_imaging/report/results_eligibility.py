"""The part of the results' page on eligibility: who does not meet the protocol's criteria, by reason."""

from collections.abc import Sequence

import pandas as pd

from npcpit_imaging.report.results_cells import Columns, page_table, text, whole
from npcpit_imaging.report.results_page import Section

NAMED = 10
"""Subjects of one verdict that the page names; the table's file has all."""

VERDICTS = {"met": "eligible", "not met": "not eligible", "unknown": "not known"}

COLUMNS: Columns = {
    "verdict": ("eligibility", text),
    "reasons": ("reasons", text),
    "count": ("subjects", whole),
    "subject": ("who", text),
}


def eligibility_section(table: pd.DataFrame) -> Section:
    """Put the part together.

    Args:
        table: A row per subject: subject, eligible, reasons.
    """
    counts = table["eligible"].value_counts()
    said = ", ".join(f"{counts.get(word, 0)} {words}" for word, words in VERDICTS.items())
    others = _by_reason(table[table["eligible"] != "met"])
    shown = page_table(others, COLUMNS, caption="Not eligible, or not known to be", file="tables/eligibility.csv")
    return Section(
        title="Eligibility", texts=[f"Of {len(table)} subjects: {said}."], tables=[shown] if len(others) else []
    )


def _by_reason(table: pd.DataFrame) -> pd.DataFrame:
    """A row per verdict and reasons, with how many subjects and who; the commonest first."""
    grouped = table.groupby(["eligible", "reasons"], sort=False)["subject"].agg(list).reset_index()
    counted = grouped.assign(
        verdict=grouped["eligible"].map(VERDICTS),
        count=grouped["subject"].map(len),
        subject=grouped["subject"].map(_named),
    )
    return counted.sort_values("count", ascending=False, kind="stable")


def _named(subjects: Sequence[str]) -> str:
    more = f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
    return ", ".join(subjects[:NAMED]) + more
