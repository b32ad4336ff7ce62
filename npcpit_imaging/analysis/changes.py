"""How far each lesion, and each subject's sum, changed from baseline at each follow-up: what figures of depth show."""

from collections.abc import Sequence

import pandas as pd

from npcpit_imaging.analysis.records import Records
from npcpit_imaging.study.response import Response


def best_change(changes: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Best (smallest) change of each unit before its progression; at progression where there is none before.

    Args:
        changes: ``keys``, change_percent, counted (bool), progression (bool): a row per follow-up.
        keys: Columns that name a unit.
    """
    known = changes[changes["counted"] & changes["change_percent"].notna()]
    if known.empty:
        return pd.DataFrame(columns=[*keys, "best_change_percent", "at_progression"])
    before = known[~known["progression"]].groupby(list(keys), sort=True)["change_percent"].min()
    at = known[known["progression"]].groupby(list(keys), sort=True)["change_percent"].min()
    best = before.combine_first(at).rename("best_change_percent").reset_index()
    index = pd.MultiIndex.from_frame(best[list(keys)]) if len(keys) > 1 else pd.Index(best[keys[0]])
    best["at_progression"] = ~index.isin(before.index)
    return best


def lesion_changes(records: Records) -> pd.DataFrame:
    """Change of each measurable lesion from its own baseline at each follow-up, and whether it counts."""
    table = records.lesion_timepoints
    if table.empty:
        return pd.DataFrame(
            columns=["subject", "lesion", "day", "change_percent", "counted", "progression", "response", "source"]
        )
    base = table["baseline_mm"].astype(float)
    value = table["value_mm"].astype(float)
    change = 100.0 * (value - base) / base.where(base > 0)
    change = change.where(table["measurable"].astype(bool))
    return pd.DataFrame(
        {
            "subject": table["subject"],
            "lesion": table["lesion"],
            "irradiated": table["irradiated"].astype(bool),
            "timepoint": table["timepoint"],
            "day": table["day"],
            "value_mm": value,
            "change_percent": change,
            "response": table["response"],
            "source": table["source"],
            "counted": ~table["after_stop"].astype(bool) & (table["day"] >= 0),
            "progression": table["response"] == Response.PD.value,
        }
    )


def subject_changes(records: Records) -> pd.DataFrame:
    """Change of each subject's sum from baseline at each follow-up: change_percent, counted, progression."""
    table = records.timepoints
    if table.empty or "overall" not in table:
        return pd.DataFrame(
            columns=["subject", "day", "change_percent", "counted", "progression", "response", "in_spider"]
        )
    return pd.DataFrame(
        {
            "subject": table["subject"],
            "timepoint": table["timepoint"],
            "day": table["day"],
            "sum_mm": table["sum_mm"].astype(float),
            "change_percent": table["change_percent"].astype(float),
            "response": table["overall"],
            "counted": table["excluded"].fillna("") == "",
            "progression": table["overall"] == Response.PD.value,
            "in_spider": table["in_spider"].astype(bool),
        }
    )
