"""Profiles to be set against outcomes: sizes, radiomics, clinical factors, treatment course, IHC and ctDNA, joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from npcpit_imaging.analysis.endpoints import CR, NOT_EVALUABLE, RESPONDING, irradiated_lesions
from npcpit_imaging.analysis.records import Records, treated_subjects
from npcpit_imaging.analysis.screening import Predictor, Source
from npcpit_imaging.config.variables import Kind, Level, Variable
from npcpit_imaging.errors import AnalysisError
from npcpit_imaging.study.timepoint import BASELINE

VOLUME = "volume_ml"
"""The null model that an image feature must beat."""

SIZES = {
    VOLUME: "volume (mL)",
    "longest_diameter_mm": "longest diameter (mm)",
    "short_axis_mm": "short axis, nearest to thickness (mm)",
}

AFTER_BASELINE = "known only after baseline: it may follow from the response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One declared variable and its table.

    Args:
        variable: What the dictionary says of it.
        table: Its keys and one column of its name: numbers; true or false; words; days from first treatment for a date.
    """

    variable: Variable
    table: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Everything that can be set against an outcome, besides the responses themselves.

    Args:
        sizes: subject, lesion and the columns of `SIZES`, at baseline, by the reader of the analysis.
        lesions: subject, lesion, nodal and prior_rt (true or false).
        radiomics: subject, lesion and a column per feature, at baseline.
        declared: Tables beside the images.
        icc_lower: Lower bound of ICC(2,1) by radiomic column.
        shuffled: As `radiomics`, computed after each lesion's voxels were shuffled; empty where nobody did.
    """

    sizes: pd.DataFrame
    lesions: pd.DataFrame
    radiomics: pd.DataFrame
    declared: Sequence[Declared]
    icc_lower: Mapping[str, float]
    shuffled: pd.DataFrame


def no_profiles() -> Profiles:
    """Nothing but the responses."""
    empty = pd.DataFrame(columns=["subject", "lesion"])
    return Profiles(sizes=empty, lesions=empty, radiomics=empty, declared=(), icc_lower={}, shuffled=empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A row per unit with its outcomes and predictors.

    Args:
        table: ``subject``, (``lesion``), outcomes, predictors.
        predictors: What may be tested.
        notes: By predictor: what its row must say.
    """

    table: pd.DataFrame
    predictors: tuple[Predictor, ...]
    notes: Mapping[str, str]


def lesion_profiles(records: Records, profiles: Profiles) -> Joined:
    """Join everything known of irradiated lesions; outcomes ``cr`` and ``responds``, missing where not evaluable."""
    lesions = irradiated_lesions(records)
    if lesions.empty:
        return Joined(table=lesions, predictors=(), notes={})
    table = (
        lesions[["subject", "lesion", "baseline_mm", "to_progression_days", "to_progression_event"]].copy()
        if ("to_progression_days" in lesions)
        else lesions[["subject", "lesion", "baseline_mm"]].copy()
    )
    known = ~lesions["best"].isin(NOT_EVALUABLE)
    table["cr"] = lesions["best"].isin(CR).where(known)
    table["responds"] = lesions["best"].isin(RESPONDING).where(known)
    found: list[Predictor] = []
    keys = ["subject", "lesion"]
    table, own = _joined(table, profiles.sizes, keys, Source.SIZE, SIZES)
    found += own
    flags = {"nodal": "lymph node", "prior_rt": "in a previously irradiated area"}
    table, own = _joined(table, profiles.lesions, keys, Source.CLINICAL, flags, binary=True)
    found += own
    table, own = _joined(table, _course(records, keys), keys, Source.TREATMENT, _COURSE_WORDS)
    found += own
    names = {name: name for name in profiles.radiomics.columns if name not in keys}
    table, own = _joined(table, profiles.radiomics, keys, Source.RADIOMICS, names)
    found += own
    table, own = _with_declared(table, profiles.declared, keys)
    found += own
    return Joined(table=table, predictors=tuple(found), notes=dict.fromkeys(_COURSE_WORDS, AFTER_BASELINE))


_COURSE_WORDS = {"cycles": "treatment cycles", "cycle_interval_days": "median interval between cycles (days)"}


def _course(records: Records, keys: Sequence[str]) -> pd.DataFrame:
    """Number of cycles of each unit and their median interval."""
    light = records.treatments.drop_duplicates([*keys, "cycle"]).sort_values([*keys, "day"])
    if light.empty:
        return pd.DataFrame(columns=[*keys, *_COURSE_WORDS])
    own = list(keys)
    light = light.assign(interval=light.groupby(own)["day"].diff())
    grouped = light.groupby(own)
    table = pd.DataFrame(
        {"cycles": grouped.size().astype(float), "cycle_interval_days": grouped["interval"].median()},
    )
    return table.reset_index()


def _joined(
    table: pd.DataFrame,
    other: pd.DataFrame,
    keys: Sequence[str],
    source: Source,
    words: Mapping[str, str],
    *,
    binary: bool = False,
) -> tuple[pd.DataFrame, list[Predictor]]:
    names = [name for name in words if name in other.columns]
    if not names or other.empty:
        return table, []
    right = other[[*keys, *names]].drop_duplicates(list(keys))
    right = right.assign(**{name: pd.to_numeric(right[name], errors="coerce").astype(float) for name in names})
    found = [
        Predictor(name=name, source=source, words=words[name], binary=binary, log=name == VOLUME) for name in names
    ]
    return table.merge(right, on=list(keys), how="left"), found


def _with_declared(
    table: pd.DataFrame, declared: Sequence[Declared], keys: Sequence[str]
) -> tuple[pd.DataFrame, list[Predictor]]:
    """Join declared variables; of a visit's values the baseline's. A lesion's variable joins no table of subjects."""
    found: list[Predictor] = []
    for each in declared:
        variable, own = each.variable, each.table
        if "lesion" in variable.keys and "lesion" not in keys:
            continue
        if variable.name in table.columns:
            raise AnalysisError(f"dictionary: {variable.name} is a column of ours; expected another name")
        if variable.level in (Level.TIMEPOINT, Level.LESION_TIMEPOINT):
            own = own[own["timepoint"] == BASELINE]
        on = [key for key in variable.keys if key in keys]
        columns, predictors = _columns(variable, own[variable.name])
        right = pd.concat([own[on].reset_index(drop=True), columns.reset_index(drop=True)], axis=1)
        table = table.merge(right, on=on, how="left")
        found += predictors
    return table, found


def _columns(variable: Variable, values: pd.Series) -> tuple[pd.DataFrame, list[Predictor]]:
    """A variable as numbers: a category becomes one yes-or-no column a value, the first being the rest."""
    source = Source.SIZE if variable.name == VOLUME else Source(variable.group.value)  # never left out as redundant
    if variable.kind is not Kind.CATEGORY:
        numbers = pd.to_numeric(values).astype(float)
        if variable.log:
            numbers = numbers.apply(np.log10)
        words = f"log10 {variable.words}" if variable.log else variable.words
        binary = variable.kind is Kind.FLAG
        log = variable.name == VOLUME
        predictor = Predictor(name=variable.name, source=source, words=words, binary=binary, log=log)
        return pd.DataFrame({variable.name: numbers}), [predictor]
    columns, predictors = {}, []
    for value in variable.allowed if len(variable.allowed) > 2 else variable.allowed[1:]:
        name = f"{variable.name}={value}"
        columns[name] = (values == value).astype(float).where(values.notna())
        words = f"{variable.label or variable.name}: {value}"
        predictors.append(Predictor(name=name, source=source, words=words, binary=True))
    return pd.DataFrame(columns), predictors


def subject_profiles(records: Records, profiles: Profiles, *, severe: Mapping[str, bool] | None = None) -> Joined:
    """Join everything known of patients; outcomes ``responds`` and, where events are kept, ``severe``.

    Args:
        records: The records.
        profiles: What is known besides; a patient's volume is the sum over irradiated lesions.
        severe: Whether each treated patient had a severe adverse event; None where none are kept.
    """
    subjects = treated_subjects(records)
    if subjects.empty:
        return Joined(table=subjects, predictors=(), notes={})
    table = subjects[["subject"]].copy()
    known = ~subjects["bor"].isin(NOT_EVALUABLE)
    table["responds"] = subjects["bor"].isin(RESPONDING).where(known)
    if severe is not None:
        table["severe"] = subjects["subject"].map(severe)
    lesions = irradiated_lesions(records)
    sizes = (
        profiles.sizes.merge(lesions[["subject", "lesion"]], on=["subject", "lesion"])
        if len(lesions)
        else profiles.sizes
    )
    found: list[Predictor] = []
    for other, words in (
        (
            _sums(sizes),
            {VOLUME: "irradiated volume, sum (mL)", "longest_diameter_mm": "largest irradiated lesion (mm)"},
        ),
        (
            _burden(records, lesions),
            {"baseline_sum_mm": "sum of diameters (mm)", "lesions": "number of irradiated lesions"},
        ),
    ):
        table, own = _joined(table, other, ["subject"], Source.SIZE, words)
        found += own
    table, own = _joined(table, _course(records, ["subject"]), ["subject"], Source.TREATMENT, _COURSE_WORDS)
    found += own
    table, own = _with_declared(table, profiles.declared, ["subject"])
    found += own
    return Joined(table=table, predictors=tuple(found), notes=dict.fromkeys(_COURSE_WORDS, AFTER_BASELINE))


def _sums(sizes: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in (VOLUME, "longest_diameter_mm") if name in sizes.columns]
    if sizes.empty or not names:
        return pd.DataFrame(columns=["subject"])
    grouped = sizes.assign(**{name: pd.to_numeric(sizes[name]) for name in names}).groupby("subject")
    table = pd.DataFrame({name: grouped[name].max() for name in names})
    if VOLUME in names:  # a sum without one of its lesions would be too small
        table[VOLUME] = grouped[VOLUME].sum().where(grouped[VOLUME].count() == grouped.size())
    return table.reset_index()


def _burden(records: Records, lesions: pd.DataFrame) -> pd.DataFrame:
    counts = lesions.groupby("subject").size().astype(float).rename("lesions").reset_index() if len(lesions) else None
    points = records.timepoints
    table = pd.DataFrame({"subject": records.subjects["subject"]})
    if counts is not None:
        table = table.merge(counts, on="subject", how="left")
    if len(points) and "baseline_mm" in points:
        sums = pd.to_numeric(points["baseline_mm"]).groupby(points["subject"]).first()
        table["baseline_sum_mm"] = table["subject"].map(sums)
    return table
