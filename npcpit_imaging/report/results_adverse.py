"""The part of the results' page on adverse events: worst grade by patient and term, rates by patient and cycle."""

from collections.abc import Mapping

import pandas as pd

from npcpit_imaging.report.results_cells import Columns, interval, page_table, percent, ready, share, text, whole
from npcpit_imaging.report.results_page import PageTable, Section

GRADES: Columns = {
    "term": ("term", text),
    **{f"grade_{grade}": (f"grade {grade}", whole) for grade in range(1, 6)},
    "any_words": ("any grade", ready),
    "severe_words": ("grade 3 or more", ready),
}

RATES: Columns = {
    "what": ("event", text),
    "unit": ("by", text),
    "count": ("with", whole),
    "denominator": ("of", whole),
    "estimate": ("rate", percent),
    "interval": ("95 % CI (%)", ready),
    "method": ("interval", text),
    "note": ("note", text),
}


def adverse_section(tables: Mapping[str, pd.DataFrame]) -> list[Section]:
    """Put the part together; none where the study keeps no adverse events.

    Args:
        tables: Of `analysis`.
    """
    if "adverse_event_worst_grades" not in tables:
        return []
    shown = [_worst(tables["adverse_event_worst_grades"]), _rates(tables["adverse_event_rates"])]
    return [
        Section(title="Adverse events", texts=[_counted(tables["adverse_events"], tables["subjects"])], tables=shown)
    ]


def _counted(events: pd.DataFrame, subjects: pd.DataFrame) -> str:
    """Which events the tables count and which not."""
    treated = events["subject"].isin(subjects.loc[subjects["treated"].astype(bool), "subject"])
    before = treated & (events["start_day"] < 0)
    own = events[treated & ~before]
    said = (
        f"CTCAE grades; {len(own)} events of {own['subject'].nunique()} patients on or after first treatment; a "
        "patient counts once per term, with the worst grade."
    )
    left_out = [
        f"{number} {words}"
        for number, words in (
            (int(before.sum()), "before first treatment"),
            (int((~treated).sum()), "of subjects who were not treated"),
        )
        if number
    ]
    return f"{said} Not counted: {', '.join(left_out)}." if left_out else said


def _worst(table: pd.DataFrame) -> PageTable:
    patients = int(table["patients"].iloc[0]) if len(table) else 0
    written = table.assign(
        any_words=[share(*each) for each in zip(table["any_grade"], table["patients"], strict=True)],
        severe_words=[share(*each) for each in zip(table["severe"], table["patients"], strict=True)],
    )
    caption = f"Patients by worst grade of each term, number (% of {patients} treated patients)"
    return page_table(written, GRADES, caption=caption, file="tables/adverse_event_worst_grades.csv")


def _rates(table: pd.DataFrame) -> PageTable:
    written = table.assign(
        interval=[
            interval({"lower": lower, "upper": upper})
            for lower, upper in zip(table["lower"], table["upper"], strict=True)
        ]
    )
    caption = "Patients, and treatment cycles, with an event"
    return page_table(written, RATES, caption=caption, file="tables/adverse_event_rates.csv")
