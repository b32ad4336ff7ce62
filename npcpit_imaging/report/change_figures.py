"""Waterfalls and spiders of a study's results, from its tables."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd
from matplotlib.figure import Figure

from npcpit_imaging.report.figure_change import spider, waterfall

Tables: TypeAlias = Mapping[str, pd.DataFrame]


def change_figures(tables: Tables) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and figure of each, lesions first.

    Args:
        tables: lesions, subjects, their time points and best changes, as `analysis` gives them.
    """
    lesions, visits = tables["lesions"], tables["lesion_timepoints"]
    if len(lesions):
        lesions = lesions[lesions["irradiated"].astype(bool)]
    if len(visits):  # before the first follow-up there is none, and no column
        visits = visits[visits["irradiated"].astype(bool)]
    yield from _pair(
        _Units(word="lesion", words="Irradiated lesions", answers=_by_unit(lesions, _lesion_unit, "best")),
        _named(tables["best_change_lesions"], _lesion_unit),
        _named(visits, _lesion_unit),
        new={},
    )
    subjects = tables["subjects"]
    if len(subjects) and subjects["treated"].any():
        subjects = subjects[subjects["treated"].astype(bool)]
    yield from _pair(
        _Units(word="patient", words="Patients, sum of diameters", answers=_by_unit(subjects, _subject_unit, "bor")),
        _named(tables["best_change_subjects"], _subject_unit),
        _named(tables["subject_timepoints"], _subject_unit),
        new=days_by_subject(subjects, "out_of_field_day"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Units:
    """Whose changes are drawn: one in words, all in words, best response of each."""

    word: str
    words: str
    answers: Mapping[str, str]


def _pair(
    units: _Units, best: pd.DataFrame, visits: pd.DataFrame, *, new: Mapping[str, float]
) -> Iterator[tuple[str, str, Figure]]:
    level = {"lesion": "lesions", "patient": "subjects"}[units.word]
    best = best[best["unit"].isin(units.answers)] if len(best) else best
    nodes = _with_size_left(visits)
    yield (
        f"waterfall_{level}",
        f"{units.words}: best change from baseline before progression; colour: best response. Dashed: -30 % (PR); "
        "dotted: +20 %, which is PD only against the smallest size before.",
        waterfall(
            best,
            units.answers,
            title=units.words,
            unit=units.word,
            left_out=len(units.answers) - len(best),
            nodes=nodes,
        ),
    )
    shown = visits
    if len(shown):
        shown = shown[(shown["day"] >= 0) & (shown["in_spider"] if "in_spider" in shown else shown["counted"])]
    caption = (
        f"{units.words}: change from baseline over time; the baseline stands at 0 % on the day of first treatment. "
        "Dashed: -30 %; dotted: +20 %. A size that grew 20 % and 5 mm from its smallest is PD wherever it stands."
    )
    yield f"spider_{level}", caption, spider(shown, units.answers, title=units.words, unit=units.word, new=new)


def _with_size_left(visits: pd.DataFrame) -> list[str]:
    """Units with a CR whose size is not 0: lymph nodes below 10 mm."""
    if visits.empty:
        return []
    left = visits[(visits["response"] == "CR") & (visits["change_percent"] > -100.0)]
    return sorted(set(left["unit"]))


def _named(table: pd.DataFrame, unit_of: Callable[[pd.DataFrame], "pd.Series[str]"]) -> pd.DataFrame:
    return table.assign(unit=unit_of(table)) if len(table) else table.assign(unit="")


def _lesion_unit(table: pd.DataFrame) -> "pd.Series[str]":
    return table["subject"].astype(str) + " " + table["lesion"].astype(str)


def _subject_unit(table: pd.DataFrame) -> "pd.Series[str]":
    return table["subject"].astype(str)


def _by_unit(units: pd.DataFrame, unit_of: Callable[[pd.DataFrame], "pd.Series[str]"], column: str) -> dict[str, str]:
    if units.empty:
        return {}
    return dict(zip(unit_of(units), units[column].astype(str), strict=True))


def days_by_subject(units: pd.DataFrame, column: str) -> dict[str, float]:
    """A column of days by subject, where it has one."""
    if units.empty or column not in units:
        return {}
    known = units[units[column].notna()]
    return dict(zip(known["subject"].astype(str), known[column].astype(float), strict=True))
