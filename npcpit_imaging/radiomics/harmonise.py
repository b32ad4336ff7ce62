"""ComBat at analysis time, with guard rails (Johnson 2007; Fortin 2018 as neuroCombat): its result is never stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.combat import combat

LEAST_CASES_A_BATCH = 10
"""Smallest batch whose own mean and variance are worth estimating; below, the prior decides and not the data."""

LEAST_FEATURES = 3
"""Fewest features; the priors are what a batch does to all of them."""

NAMED_AT_MOST = 5
"""How many features or cases a message names."""


@dataclass(frozen=True, kw_only=True)
class Harmonised:
    """Values of one analysis with the batches' shifts and scales taken out.

    Args:
        values: One row a case, one column a feature; the index is the case's name.
        batch: What was taken out.
        keep: Covariates whose effect was kept.
        settings_digest: Settings all values were computed with.
    """

    values: pd.DataFrame
    batch: str
    keep: tuple[str, ...]
    settings_digest: str


def harmonise(
    long: pd.DataFrame,
    about: pd.DataFrame,
    *,
    batch: str,
    keep: Sequence[str] = (),
    features: Sequence[str] = (),
    repeated_subjects: bool = False,
    least_cases: int = LEAST_CASES_A_BATCH,
) -> Harmonised:
    """Take the effect of scanners or sites out of features, for one analysis.

    Args:
        long: The long table of a batch of cases.
        about: What is known of the cases: a column ``case``, the batch and the covariates.
        batch: Column of `about` whose effect is taken out, e.g. the scanner.
        keep: Columns of `about` whose effect is kept; numbers are taken as continuous, texts as groups.
        features: Which columns of the wide table; all where none are named.
        repeated_subjects: Accept several cases of one subject, which ComBat takes for independent.
        least_cases: Smallest batch accepted.

    Raises:
        RadiomicsError: The values do not compare, a batch is too small, a cell is missing, a feature does not vary
            within a batch, or batch and covariates cannot be told apart.
    """
    _require_comparable(long, repeated_subjects=repeated_subjects)
    known = _known(about, list(dict.fromkeys(long["case"])), [batch, *keep])
    batches = known[batch].astype(str)
    _require_batches(batches, least_cases)
    design = _design(known[list(keep)])
    _require_separable(batches, design)
    wide = _wide(long, features)
    _require_usable(wide, batches)
    numbers = np.unique(batches, return_inverse=True)[1].astype(np.int64)
    without = combat(wide.to_numpy(float), numbers, design.to_numpy(float))
    return Harmonised(
        values=pd.DataFrame(without, index=wide.index, columns=wide.columns),
        batch=batch,
        keep=tuple(keep),
        settings_digest=str(long["settings_digest"].iloc[0]),
    )


def _require_comparable(long: pd.DataFrame, *, repeated_subjects: bool) -> None:
    for column in ("settings_digest", "engine_version"):
        found = sorted(set(long[column]))
        if len(found) != 1:
            listed = ", ".join(str(each)[:12] for each in found) or "none"
            raise RadiomicsError(f"harmonise: expected one {column.replace('_', ' ')}, found {listed}")
    subjects = long.drop_duplicates("case")["subject"]
    twice = subjects[(subjects != "") & subjects.duplicated()]
    if len(twice) and not repeated_subjects:
        raise RadiomicsError(
            f"harmonise: expected one case a subject, found {len(twice)} more; choose one, or accept repeated subjects"
        )


def _known(about: pd.DataFrame, cases: list[str], columns: list[str]) -> pd.DataFrame:
    absent = [name for name in ("case", *columns) if name not in about.columns]
    if absent:
        raise RadiomicsError(
            f"harmonise: expected the columns {', '.join(('case', *columns))}, missing {_named(absent)}"
        )
    if about["case"].duplicated().any():
        raise RadiomicsError(
            f"harmonise: expected a case once, found twice: {_named(about['case'][about['case'].duplicated()])}"
        )
    known = about.set_index("case").reindex(cases)[columns]
    for column in columns:
        missing = known.index[known[column].isna() | (known[column].astype(str).str.strip() == "")]
        if len(missing):
            raise RadiomicsError(f"harmonise: expected {column} of every case, missing for {_named(missing)}")
    return known


def _require_batches(batches: "pd.Series[str]", least: int) -> None:
    counts = batches.value_counts()
    if len(counts) < 2:
        raise RadiomicsError(f"harmonise: expected at least 2 batches, found {len(counts)}")
    small = counts[counts < least]
    if len(small):
        listed = ", ".join(f"{name} ({count})" for name, count in small.items())
        raise RadiomicsError(f"harmonise: expected at least {least} cases a batch, found {listed}")


def _require_separable(batches: "pd.Series[str]", covariates: pd.DataFrame) -> None:
    """Refuse covariates that are a combination of the batches: ComBat would take them out, or put batches in."""
    design = np.hstack([pd.get_dummies(batches, dtype=float).to_numpy(), covariates.to_numpy(float)])
    scaled = design / np.maximum(np.abs(design).max(axis=0), np.finfo(float).tiny)
    rank = int(np.linalg.matrix_rank(scaled))
    if rank < design.shape[1]:
        raise RadiomicsError(
            f"harmonise: expected batches and covariates that vary apart ({design.shape[1]} columns), found rank {rank}"
        )


def _wide(long: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
    prefix = long["filter"].where(long["filter"] == "", long["filter"] + ".")
    wide = long.assign(column=prefix + long["tag"]).pivot(index="case", columns="column", values="value")
    order = list(features) or list(dict.fromkeys(prefix + long["tag"]))
    unknown = [name for name in order if name not in wide.columns]
    if unknown:
        raise RadiomicsError(f"harmonise: expected features of the table, unknown {_named(unknown)}")
    return wide.loc[list(dict.fromkeys(long["case"])), order].astype(float)


def _require_usable(wide: pd.DataFrame, batches: "pd.Series[str]") -> None:
    if wide.shape[1] < LEAST_FEATURES:
        raise RadiomicsError(f"harmonise: expected at least {LEAST_FEATURES} features, found {wide.shape[1]}")
    missing = [str(name) for name in wide.columns if not np.isfinite(wide[name]).all()]
    if missing:
        raise RadiomicsError(
            f"harmonise: expected a value of every case, missing in {_named(missing)}; choose features"
        )
    spread = wide.groupby(batches).agg(np.ptp)
    flat = [str(name) for name in wide.columns if (spread[name] == 0).any()]
    if flat:
        raise RadiomicsError(f"harmonise: expected values that vary within every batch, not so {_named(flat)}")


def _design(covariates: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, groups as indicators without the first."""
    columns = [
        column.astype(float).to_frame()
        if pd.api.types.is_numeric_dtype(column)
        else pd.get_dummies(column, prefix=str(name), drop_first=True, dtype=float)
        for name, column in covariates.items()
    ]
    return pd.concat([pd.DataFrame(index=covariates.index), *columns], axis=1)


def _named(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    rest = len(listed) - NAMED_AT_MOST
    return ", ".join(listed[:NAMED_AT_MOST]) + (f" and {rest} more" if rest > 0 else "")
