"""Swimmer plots and timelines of a study's results, from its tables."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from npcpit_imaging.report.change_figures import Tables, days_by_subject
from npcpit_imaging.report.figure_course import MOST, Swimmer, lesion_timeline, swimmer

COURSE_TABLES = ("subjects", "lesions", "subject_timepoints", "lesion_timepoints", "treatments", "adverse_events")
"""What courses are drawn from."""

SEVERE = 3
"""Grade from which an adverse event is drawn."""


def course_figures(tables: Tables) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and figure of each; of many units only those that are shown are prepared.

    Args:
        tables: lesions, subjects, their time points, treatments and adverse events, as `analysis` gives them.
    """
    patients, lesions = _patient_ends(tables), _lesion_ends(tables)
    marks = "bars: best response; marks: responses by visit; + death"
    shown = _patient_swimmers(_only(tables, longest(patients), ["subject"]))
    events = (
        f"; circled: the grade of adverse events of grade {SEVERE} or more"
        if any(each.events for each in shown)
        else ""
    )
    yield (
        "swimmer_subjects",
        f"Patients' courses, each to death or the last day it is known at; {marks}{events}.",
        swimmer(shown, title="Patients", unit="patient", every=len(patients)),
    )
    yield (
        "swimmer_lesions",
        f"Irradiated lesions' courses, each to its last read; {marks}.",
        swimmer(
            _lesion_swimmers(_only(tables, longest(lesions), ["subject", "lesion"])),
            title="Irradiated lesions",
            unit="lesion",
            going_on="patient not known to have died",
            every=len(lesions),
        ),
    )
    measured = _measured(tables)
    known = sorted(name for name in lesions if name in measured)
    first = _only(tables, known[:MOST], ["subject", "lesion"])
    yield (
        "timeline_lesions",
        "Each irradiated lesion's size over time as the height of its band, with treatments and responses.",
        lesion_timeline(
            _lesion_swimmers(first), _sizes(first), title="Size of each irradiated lesion", every=len(known)
        ),
    )


def longest(ends: Mapping[str, float]) -> list[str]:
    """The units whose courses a figure shows, of equal ones the first by name.

    Example:
        >>> longest({"b": 9.0, "a": 9.0, "c": 30.0})
        ['c', 'a', 'b']
    """
    return sorted(ends, key=lambda name: (-ends[name], name))[:MOST]


def _unit(table: pd.DataFrame, keys: Sequence[str]) -> "pd.Series[str]":
    words = table[keys[0]].astype(str)
    for key in keys[1:]:
        words = words + " " + table[key].astype(str)
    return words


def _only(tables: Tables, names: Sequence[str], keys: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The tables with the rows of some units only; those that do not tell units apart stay as they are."""
    return {
        name: table[_unit(table, keys).isin(names)] if len(table) and set(keys) <= set(table.columns) else table
        for name, table in tables.items()
        if name in COURSE_TABLES
    }


def _days(table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """A column of days as numbers; NaN where there is none."""
    if column not in table:
        return pd.Series(np.nan, index=table.index)
    days = pd.to_numeric(table[column], errors="coerce").astype(float)
    return days.where(np.isfinite(days))


def _last_visits(points: pd.DataFrame, keys: Sequence[str]) -> "pd.Series[float]":
    days = _days(points, "day")
    seen = days >= 0
    return days[seen].groupby(_unit(points[seen], keys)).max()


def _patient_ends(tables: Tables) -> dict[str, float]:
    """Last day each patient is known at, of those known after day 0."""
    subjects, points = tables["subjects"], tables["subject_timepoints"]
    if subjects.empty:
        return {}
    names, death = _unit(subjects, ["subject"]), _days(subjects, "death_day")
    seen = names.map(_last_visits(points, ["subject"])) if len(points) else pd.Series(np.nan, index=subjects.index)
    last = pd.concat([death, _days(subjects, "last_contact_day"), seen.astype(float)], axis=1).max(axis=1)
    ends = death.fillna(last)[last > 0]
    return dict(zip(names[last > 0], ends, strict=True))


def _lesion_ends(tables: Tables) -> dict[str, float]:
    """Day of the last read of each irradiated lesion that was read on day 0 or later."""
    lesions, points = tables["lesions"], tables["lesion_timepoints"]
    if lesions.empty or points.empty:
        return {}
    last = _last_visits(points, ["subject", "lesion"])
    names = _unit(lesions[lesions["irradiated"].astype(bool)], ["subject", "lesion"])
    return {name: float(last[name]) for name in names if name in last.index}


def _measured(tables: Tables) -> set[str]:
    """Irradiated lesions with a size at baseline."""
    lesions = tables["lesions"]
    if lesions.empty:
        return set()
    known = lesions["irradiated"].astype(bool) & _days(lesions, "baseline_mm").notna()
    return set(_unit(lesions[known], ["subject", "lesion"]))


def _patient_swimmers(tables: Tables) -> list[Swimmer]:
    subjects, points = tables["subjects"], tables["subject_timepoints"]
    light = _days_by(tables["treatments"].drop_duplicates(["subject", "cycle"]), ["subject"])
    severe = _severe_events(tables.get("adverse_events"))
    visits = _visits(points, ["subject"])
    found = []
    for row in subjects.to_dict("records"):
        name = str(row["subject"])
        death, last = _day(row.get("death_day")), _day(row.get("last_contact_day"))
        seen = visits.get((name,), [])
        ends = [day for day in (death, last, *(day for day, _ in seen)) if day is not None]
        if not ends or max(ends) <= 0:
            continue
        found.append(
            Swimmer(
                name=name,
                best=str(row["bor"]),
                end=death if death is not None else max(ends),
                visits=seen,
                treatments=light.get((name,), []),
                progression=_day(row.get("pd_day")),
                death=death,
                new_therapy=_day(row.get("new_therapy_day")),
                new_lesion=_day(row.get("out_of_field_day")),
                events=severe.get(name, ()),
            )
        )
    return found


def _lesion_swimmers(tables: Tables) -> list[Swimmer]:
    lesions, points = tables["lesions"], tables["lesion_timepoints"]
    light = _days_by(tables["treatments"], ["subject", "lesion"])
    visits = _visits(points, ["subject", "lesion"])
    deaths = days_by_subject(tables["subjects"], "death_day")
    found = []
    for row in lesions.to_dict("records"):
        key = (str(row["subject"]), str(row["lesion"]))
        seen = visits.get(key, [])
        if not row["irradiated"] or not seen:
            continue
        progressed = row.get("to_progression_event") is True
        found.append(
            Swimmer(
                name=" ".join(key),
                best=str(row["best"]),
                end=max(day for day, _ in seen),
                visits=seen,
                treatments=light.get(key, []),
                progression=_day(row.get("to_progression_end_day")) if progressed else None,
                death=deaths.get(key[0]),
            )
        )
    return found


def _day(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _days_by(table: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], list[float]]:
    found: dict[tuple[str, ...], list[float]] = {}
    for row in table.to_dict("records"):
        day = _day(row["day"])
        if day is not None:
            found.setdefault(tuple(str(row[key]) for key in keys), []).append(day)
    return found


def _visits(table: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], list[tuple[float, str]]]:
    found: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    for row in table.to_dict("records"):
        day = _day(row["day"])
        if day is not None and day >= 0:
            found.setdefault(tuple(str(row[key]) for key in keys), []).append((day, str(row["response"])))
    return found


def _severe_events(events: pd.DataFrame | None) -> dict[str, list[tuple[float, int]]]:
    found: dict[str, list[tuple[float, int]]] = {}
    if events is not None:
        for row in events[events["grade"] >= SEVERE].to_dict("records"):
            day = _day(row["start_day"])
            if day is not None:
                found.setdefault(str(row["subject"]), []).append((day, int(row["grade"])))
    return found


def _sizes(tables: Tables) -> dict[str, list[tuple[float, float]]]:
    """Day and size of each irradiated lesion, its baseline at day 0."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in tables["lesions"].to_dict("records"):
        size = _day(row.get("baseline_mm"))
        if size is not None and row["irradiated"]:
            found[f"{row['subject']} {row['lesion']}"] = [(0.0, size)]
    for row in tables["lesion_timepoints"].to_dict("records"):
        name, day, size = f"{row['subject']} {row['lesion']}", _day(row["day"]), _day(row["value_mm"])
        if name in found and day is not None and day > 0 and size is not None:
            found[name].append((day, size))
    return found
