"""Response endpoints: irradiated lesions (the primary one) and patients, each with its denominator (recist.md 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from npcpit_imaging.analysis.clustered import BOOTSTRAP_SAMPLES, SEED, bootstrap, gee, intraclass_correlation
from npcpit_imaging.analysis.proportion import (
    Clusters,
    Estimate,
    clopper_pearson,
    clusters,
    design_effect,
    korn_graubard,
    wilson,
)
from npcpit_imaging.analysis.records import Records, treated_subjects
from npcpit_imaging.study.response import Response

CR, RESPONDING = (Response.CR.value,), (Response.CR.value, Response.PR.value)
NOT_EVALUABLE = tuple(
    word.value for word in (Response.NE, Response.NA, Response.MISSING, Response.NOT_ALL_EVALUATED, Response.ND)
)
ORDER = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "MISSING", "NA")
"""Best first, as tables and figures list them."""


class Population(StrEnum):
    """Which units are counted, and what a not evaluable one is."""

    ALL = "all"
    MEASURABLE = "measurable at baseline"
    EVALUABLE = "evaluable"
    NE_RESPONDS = "all, NE as response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """Which of the rates is the primary one.

    Args:
        confirmed: Whether responses need confirmation.
        complete: Complete response rate instead of objective response rate.
    """

    confirmed: bool
    complete: bool = False


COLUMNS = [
    *("level", "endpoint", "population", "response", "responders", "denominator", "patients"),
    *("estimate", "lower", "upper", "method", "primary", "icc", "design_effect", "note"),
]


def irradiated_lesions(records: Records) -> pd.DataFrame:
    """The lesions of the primary endpoint: every one that light reached."""
    if records.lesions.empty:
        return records.lesions
    return records.lesions[records.lesions["irradiated"].astype(bool)].reset_index(drop=True)


def lesion_rates(
    records: Records, *, primary: Primary, samples: int = BOOTSTRAP_SAMPLES, seed: int = SEED
) -> pd.DataFrame:
    """Rates over irradiated lesions: CR or PR, and CR; confirmed or not; with three intervals that know the patients.

    The primary row is over all irradiated lesions, not evaluable ones being non-responders, with the Korn-Graubard
    interval. A lesion that is not measurable cannot be PR, so the rate over measurable ones stands beside it.
    """
    lesions = irradiated_lesions(records)
    rows: list[dict[str, object]] = []
    known: dict[tuple[bytes, bytes], tuple[Estimate, ...]] = {}
    for column, response in (("best", "unconfirmed"), ("confirmed_best", "confirmed")):
        for endpoint, words in (("ORR", RESPONDING), ("CR rate", CR)):
            for population in Population:
                chosen, responds = _population(lesions, column, words, population)
                if chosen.empty:
                    continue
                first = primary.confirmed == (response == "confirmed") and primary.complete == (endpoint == "CR rate")
                found = clusters(chosen["subject"].tolist(), responds.tolist())
                shared: dict[str, object] = {
                    "level": "lesion",
                    "endpoint": endpoint,
                    "population": population.value,
                    "response": response,
                }
                # populations often hold the same lesions, and a fit of many patients takes seconds
                key = (found.lesions.tobytes(), found.responding.tobytes())
                if key not in known:
                    known[key] = _intervals(found, samples, seed)
                rows += _clustered_rows(found, known[key], shared, first and population is Population.ALL)
    return pd.DataFrame(rows, columns=COLUMNS)


def _population(
    units: pd.DataFrame, column: str, words: Sequence[str], population: Population
) -> tuple[pd.DataFrame, np.ndarray]:
    """Give the units of a population and which of them responded."""
    if units.empty:
        return units, np.empty(0, bool)
    if population is Population.MEASURABLE:
        units = units[units["measurable"].astype(bool)]
    if population is Population.EVALUABLE:
        units = units[~units[column].isin(NOT_EVALUABLE)]
    responds = units[column].isin(words).to_numpy(bool)
    if population is Population.NE_RESPONDS:
        responds = responds | units[column].isin(NOT_EVALUABLE).to_numpy(bool)
    return units, responds


def _intervals(found: Clusters, samples: int, seed: int) -> tuple[Estimate, ...]:
    return korn_graubard(found), gee(found), bootstrap(found, samples=samples, seed=seed)


def _clustered_rows(
    found: Clusters, estimates: Sequence[Estimate], shared: dict[str, object], is_primary: bool
) -> list[dict[str, object]]:
    counts = {
        "responders": found.responders,
        "denominator": found.total,
        "patients": found.patients,
        "icc": intraclass_correlation(found),
        "design_effect": design_effect(found),
    }
    return [
        {**shared, **counts, **_cells(each), "primary": is_primary and number == 0}
        for number, each in enumerate(estimates)
    ]


def _cells(found: Estimate) -> dict[str, object]:
    return {
        "estimate": found.value,
        "lower": found.lower,
        "upper": found.upper,
        "method": found.method,
        "note": found.note,
    }


def subject_rates(records: Records) -> pd.DataFrame:
    """Rates over patients (Clopper-Pearson, Wilson): ORR, CR, DCR; all irradiated lesions CR; any responding."""
    rows: list[dict[str, object]] = []
    subjects = treated_subjects(records)
    for column, response in (("bor", "unconfirmed"), ("confirmed_bor", "confirmed")):
        for endpoint, words in (("ORR", RESPONDING), ("CR rate", CR)):
            for population in (Population.ALL, Population.EVALUABLE):
                chosen, responds = _population(subjects, column, words, population)
                rows += _patient_rows(responds, endpoint, population, response)
    for population in (Population.ALL, Population.EVALUABLE):
        chosen, _ = _population(subjects, "bor", RESPONDING, population)
        if not chosen.empty:
            unknown = int((chosen["clinical_benefit"] == "NA").sum())
            note = f"{unknown} without the date that SD counts from: taken as no disease control" if unknown else ""
            rows += _patient_rows(
                (chosen["clinical_benefit"] == "Y").to_numpy(), "DCR", population, "unconfirmed", note
            )
    return pd.DataFrame([*rows, *_companions(records)], columns=COLUMNS)


def _companions(records: Records) -> list[dict[str, object]]:
    """Patients by their irradiated lesions: all CR, any response."""
    lesions = irradiated_lesions(records)
    if lesions.empty:
        return []
    rows: list[dict[str, object]] = []
    for column, response in (("best", "unconfirmed"), ("confirmed_best", "confirmed")):
        complete = lesions[column].isin(CR).groupby(lesions["subject"]).all().to_numpy()
        any_one = lesions[column].isin(RESPONDING).groupby(lesions["subject"]).any().to_numpy()
        rows += _patient_rows(complete, "all irradiated lesions CR", Population.ALL, response)
        rows += _patient_rows(any_one, "any irradiated lesion CR or PR", Population.ALL, response)
    return rows


def _patient_rows(
    responds: np.ndarray, endpoint: str, population: Population, response: str, note: str = ""
) -> list[dict[str, object]]:
    if not responds.size:
        return []
    count, number = int(responds.sum()), int(responds.size)
    shared: dict[str, object] = {
        "level": "patient",
        "endpoint": endpoint,
        "population": population.value,
        "response": response,
        "responders": count,
        "denominator": number,
        "patients": number,
        "primary": False,
    }
    estimates = (clopper_pearson(count, number), wilson(count, number))
    return [{**shared, **_cells(each), **({"note": note} if note else {})} for each in estimates]


def distribution(records: Records) -> pd.DataFrame:
    """How many irradiated lesions, and patients, have each best response."""
    rows = []
    lesions = irradiated_lesions(records)
    for level, table, columns in (
        ("lesion", lesions, ("best", "confirmed_best")),
        ("patient", treated_subjects(records), ("bor", "confirmed_bor")),
    ):
        for column, response in zip(columns, ("unconfirmed", "confirmed"), strict=True):
            counts = table[column].value_counts() if len(table) else pd.Series(dtype=int)
            words = [*ORDER, *sorted(set(counts.index) - set(ORDER))]
            rows += [
                {
                    "level": level,
                    "response": response,
                    "best": word,
                    "count": int(counts.get(word, 0)),
                    "denominator": len(table),
                    "percent": 100.0 * counts.get(word, 0) / len(table),
                }
                for word in words
                if counts.get(word, 0)
            ]
    return pd.DataFrame(rows, columns=["level", "response", "best", "count", "denominator", "percent"])
