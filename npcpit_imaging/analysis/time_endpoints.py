"""Time-to-event endpoints: DoR, PFS, OS, local progression, lesions outside the field, follow-up (recist.md 1.9, 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from npcpit_imaging.analysis.endpoints import NOT_EVALUABLE, irradiated_lesions
from npcpit_imaging.analysis.records import Records, undated
from npcpit_imaging.analysis.survival import (
    Curve,
    Times,
    cumulative_incidence,
    kaplan_meier,
    median,
    reverse_kaplan_meier,
    times,
)

LANDMARK_DAYS = (90, 180, 365)
"""Days at which rates are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEndpoint:
    """One time-to-event endpoint.

    Args:
        name: In words.
        level: ``lesion`` or ``patient``.
        competing: Whether death competes (Aalen-Johansen) or not (Kaplan-Meier).
        found: The times; None where no unit has one.
        units: Units that could have a time.
        left_out: Units without one.
        why: Why they have none.
    """

    name: str
    level: str
    competing: bool
    found: Times | None
    units: int
    left_out: int
    why: str

    def curve(self) -> Curve | None:
        """The curve; None without times."""
        if self.found is None:
            return None
        return cumulative_incidence(self.found) if self.competing else kaplan_meier(self.found)


def time_endpoints(records: Records) -> list[TimeEndpoint]:
    """Every time-to-event endpoint of a study, also those without times, which say why."""
    return [
        _duration(records, "pfs", "progression-free survival"),
        _duration(records, "dor", "duration of response", only_responders="bor"),
        _duration(records, "confirmed_dor", "duration of confirmed response", only_responders="confirmed_bor"),
        _overall_survival(records),
        _local_progression(records, competing=False),
        _local_progression(records, competing=True),
        _out_of_field(records),
    ]


def _endpoint(name: str, level: str, competing: bool, table: pd.DataFrame, *, units: int, why: str) -> TimeEndpoint:
    """Make an endpoint of a table with subject, days and event; rows without days are left out and counted."""
    known = table[table["days"].notna() & (table["days"] >= 0)] if len(table) else table
    several = level == "lesion"
    found = None
    if len(known):
        patients = known["subject"].tolist() if several else None
        found = times(known["days"].tolist(), known["event"].astype(int).tolist(), patients)
    return TimeEndpoint(
        name=name,
        level=level,
        competing=competing,
        found=found,
        units=units,
        left_out=units - len(known),
        why=why if units > len(known) else "",
    )


def _duration(records: Records, name: str, words: str, *, only_responders: str = "") -> TimeEndpoint:
    subjects = records.subjects
    if only_responders:
        subjects = subjects[subjects[only_responders].isin(["CR", "PR"])]
    if subjects.empty or f"{name}_days" not in subjects:
        return _endpoint(words, "patient", False, pd.DataFrame(), units=len(subjects), why="no times in the answers")
    table = pd.DataFrame(
        {
            "subject": subjects["subject"],
            "days": pd.to_numeric(subjects[f"{name}_days"]),
            "event": subjects[f"{name}_event"].map(lambda value: int(value is True)),
        }
    )
    reasons = subjects.loc[table["days"].isna(), f"{name}_reason"].fillna("never read").map(undated).value_counts()
    why = "; ".join(f"{count} x {text}" for text, count in reasons.items())
    return _endpoint(words, "patient", False, table, units=len(subjects), why=why)


def _overall_survival(records: Records) -> TimeEndpoint:
    subjects = records.subjects
    if subjects.empty:
        return _endpoint("overall survival", "patient", False, subjects, units=0, why="")
    died = _deaths(subjects)
    last = subjects["last_contact_day"].where(
        subjects["cutoff_day"].isna() | (subjects["last_contact_day"] <= subjects["cutoff_day"]), subjects["cutoff_day"]
    )
    table = pd.DataFrame(
        {"subject": subjects["subject"], "days": died.where(died.notna(), last) + 1, "event": died.notna().astype(int)}
    )
    table.loc[~subjects["treated"], "days"] = np.nan
    return _endpoint(
        "overall survival",
        "patient",
        False,
        table,
        units=len(subjects),
        why="no day of first treatment, or neither death nor last contact on record",
    )


def _deaths(subjects: pd.DataFrame) -> pd.Series:
    """Day of death up to the data cut."""
    died = subjects["death_day"]
    return died.where(subjects["cutoff_day"].isna() | (died <= subjects["cutoff_day"]))


def _local_progression(records: Records, *, competing: bool) -> TimeEndpoint:
    """Time from a lesion's irradiation to its own progression; death competes or censors."""
    name = "local progression, death competing" if competing else "time to local progression"
    lesions = irradiated_lesions(records)
    if lesions.empty or "to_progression_days" not in lesions:
        return _endpoint(name, "lesion", competing, pd.DataFrame(), units=len(lesions), why="never read")
    days = pd.to_numeric(lesions["to_progression_days"])
    event = lesions["to_progression_event"].map(lambda value: int(value is True))
    if competing and not records.subjects.empty:
        died = lesions["subject"].map(dict(zip(records.subjects["subject"], _deaths(records.subjects), strict=True)))
        until = died - lesions["irradiated_day"] + 1
        died_first = days.notna() & (event == 0) & until.notna() & (until >= days)
        days, event = days.where(~died_first, until), event.where(~died_first, 2)
    table = pd.DataFrame({"subject": lesions["subject"], "days": days, "event": event})
    return _endpoint(
        name, "lesion", competing, table, units=len(lesions), why="never read, or the day of irradiation is not known"
    )


def _out_of_field(records: Records) -> TimeEndpoint:
    """Time from first treatment to the first certain new lesion outside the field; death competes."""
    name, subjects = "new lesion outside the field, death competing", records.subjects
    subjects = subjects[subjects["treated"] & subjects["read"]] if len(subjects) else subjects
    units = int(records.subjects["treated"].sum()) if len(records.subjects) else 0
    if subjects.empty:
        return _endpoint(name, "patient", True, pd.DataFrame(), units=units, why="no day of first treatment")
    seen = _last_adequate(records)
    last = subjects["subject"].map(seen).fillna(0.0)
    found, died = pd.to_numeric(subjects["out_of_field_day"]), _deaths(subjects)
    days = found.where(found.notna(), died.where(died.notna(), last)) + 1
    event = np.where(found.notna(), 1, np.where(died.notna(), 2, 0))
    table = pd.DataFrame({"subject": subjects["subject"], "days": days, "event": event})
    return _endpoint(name, "patient", True, table, units=units, why="never read")


def _last_adequate(records: Records) -> dict[str, float]:
    """Last day on which each subject's images could have shown progression."""
    table = records.timepoints
    if table.empty or "overall" not in table:
        return {}
    adequate = table[~table["overall"].isin(NOT_EVALUABLE) & (table["day"] >= 0)]
    return {str(name): float(day) for name, day in adequate.groupby("subject")["day"].max().items()}


SUMMARY = [
    *("level", "endpoint", "estimator", "units", "left_out", "analysed", "patients", "events", "competing"),
    *("median_days", "median_lower", "median_upper", "follow_up_median_days", "day", "at_risk"),
    *("rate", "lower", "upper", "method", "note"),
]


def summarise_times(endpoints: Sequence[TimeEndpoint], *, landmarks: Sequence[int] = LANDMARK_DAYS) -> pd.DataFrame:
    """A row per endpoint and landmark: counts, median, follow-up, rate with its interval, and the denominator."""
    rows = [row for each in endpoints for row in _summary(each, landmarks)]
    return pd.DataFrame(rows, columns=SUMMARY)


def _summary(each: TimeEndpoint, landmarks: Sequence[int]) -> list[dict[str, object]]:
    shared: dict[str, object] = {
        "level": each.level,
        "endpoint": each.name,
        "estimator": "Aalen-Johansen" if each.competing else "Kaplan-Meier",
        "units": each.units,
        "left_out": each.left_out,
        "note": f"{each.left_out} without a time: {each.why}" if each.left_out else "",
    }
    curve = each.curve()
    if each.found is None or curve is None:
        return [{**shared, "analysed": 0}]
    follow_up = median(reverse_kaplan_meier(each.found)).value if not each.competing else float("nan")
    middle = None if each.competing else median(curve)
    shared |= {
        "analysed": each.found.days.size,
        "patients": np.unique(each.found.cluster).size,
        "events": int((each.found.event == 1).sum()),
        "competing": int((each.found.event == 2).sum()),
        "median_days": np.nan if middle is None else middle.value,
        "median_lower": np.nan if middle is None else middle.lower,
        "median_upper": np.nan if middle is None else middle.upper,
        "follow_up_median_days": follow_up,
        "method": curve.method,
    }
    rows = []
    for day in landmarks:
        found = curve.at(day)
        rows.append(
            {
                **shared,
                "day": day,
                "at_risk": int((each.found.days >= day).sum()),
                "rate": found.value,
                "lower": found.lower,
                "upper": found.upper,
                "note": "; ".join(text for text in (str(shared["note"]), found.note) if text),
            }
        )
    return rows


def curve_table(endpoints: Sequence[TimeEndpoint]) -> pd.DataFrame:
    """Every step of every curve, so that a figure can be drawn again from the table."""
    parts = []
    for each in endpoints:
        curve = each.curve()
        if curve is not None:
            parts.append(
                pd.DataFrame(
                    {
                        "level": each.level,
                        "endpoint": each.name,
                        "day": curve.days,
                        "value": curve.value,
                        "lower": curve.lower,
                        "upper": curve.upper,
                        "at_risk": curve.at_risk,
                        "events": curve.events,
                    }
                )
            )
    columns = ["level", "endpoint", "day", "value", "lower", "upper", "at_risk", "events"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
