"""Which predictors are worth a test: stable, varying and not told by another already (recist.md 4, radiomics.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

STABLE_FROM = 0.75
"""Lower confidence bound of ICC(2,1) from which a radiomic feature is tested (Koo and Li 2016)."""

REDUNDANT_FROM = 0.9
"""Rank correlation beyond which one of two image features is enough."""

LEAST_KNOWN = 0.5
"""Share of units that must have a value."""

SAME_SHARE = 0.95
"""Share of one single value from which a predictor does not vary."""


class Source(StrEnum):
    """Where a predictor comes from: image features are screened for redundancy, radiomics for stability too."""

    SIZE = "size"
    RADIOMICS = "radiomics"
    CLINICAL = "clinical"
    TREATMENT = "treatment"
    IHC = "ihc"
    CTDNA = "ctdna"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """One column to be tested.

    Args:
        name: The column.
        source: Where it comes from.
        words: For tables and figures, with its unit.
        binary: True for yes or no (1 or 0); its effect is yes against no, a number's is per standard deviation.
        log: Models take its logarithm (a volume); ranks stay as they are.
    """

    name: str
    source: Source
    words: str
    binary: bool = False
    log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What became of one predictor.

    Args:
        predictor: It.
        kept: Whether it is tested.
        reason: Why not; for a kept one its stability.
        icc_lower: Lower bound of its ICC(2,1); NaN where none is known.
    """

    predictor: Predictor
    kept: bool
    reason: str
    icc_lower: float


def screen(
    table: pd.DataFrame,
    predictors: Sequence[Predictor],
    *,
    icc_lower: Mapping[str, float],
    need_stability: bool = True,
    least: float = STABLE_FROM,
) -> list[Screened]:
    """Sort out predictors before any look at the outcome.

    Args:
        table: A row per unit, a column per predictor.
        predictors: In order of preference: of two redundant ones the earlier stays, radiomics by stability.
        icc_lower: Lower bound of ICC(2,1) of radiomic features, by name.
        need_stability: Leave out radiomic features whose stability nobody measured.
        least: The bound they must reach.
    """
    ordered = sorted(
        predictors,
        key=lambda each: (
            each.source is Source.RADIOMICS,
            -icc_lower.get(each.name, -1.0) if each.source is Source.RADIOMICS else 0.0,
        ),
    )
    ranks = _ranks(table, [each for each in ordered if _is_image(each)])
    words = {each.name: each.words for each in predictors}
    found: dict[str, Screened] = {}
    kept: list[str] = []
    for each in ordered:
        lower = icc_lower.get(each.name, float("nan"))
        reason = _unfit(table[each.name]) or _unstable(each, lower, need_stability, least)
        if not reason and _is_image(each) and each.source is not Source.SIZE:
            reason = _redundant(each.name, kept, ranks, words)
        if not reason and _is_image(each):
            kept.append(each.name)
        said = reason or ("" if np.isnan(lower) else f"ICC lower bound {lower:.2f}")
        found[each.name] = Screened(predictor=each, kept=not reason, reason=said, icc_lower=lower)
    return [found[each.name] for each in predictors]


def _is_image(each: Predictor) -> bool:
    return each.source in (Source.SIZE, Source.RADIOMICS, Source.IMAGE) and not each.binary


def _unfit(values: pd.Series) -> str:
    known = values.dropna().astype(float)
    if len(known) < LEAST_KNOWN * len(values) or known.empty:
        return f"known for {len(known)} of {len(values)} only"
    if not np.isfinite(known).all():
        return "a value that is not finite"
    share = float(known.value_counts(normalize=True).iloc[0])
    if share >= SAME_SHARE:
        return f"near-zero variance: {100 * share:.0f} % are equal"
    return ""


def _unstable(each: Predictor, lower: float, need: bool, least: float) -> str:
    if each.source is not Source.RADIOMICS:
        return ""
    if np.isnan(lower):
        return "stability not measured" if need else ""
    return "" if lower >= least else f"unstable: ICC lower bound {lower:.2f}, expected {least:g} or more"


def _ranks(table: pd.DataFrame, predictors: Sequence[Predictor]) -> pd.DataFrame:
    return table[[each.name for each in predictors]].astype(float).rank()


def _redundant(name: str, kept: Sequence[str], ranks: pd.DataFrame, words: Mapping[str, str]) -> str:
    if not kept:
        return ""
    own = ranks[name].to_numpy()
    others = ranks[list(kept)].to_numpy()
    for other, column in zip(kept, others.T, strict=True):
        both = ~np.isnan(own) & ~np.isnan(column)
        if both.sum() < 3 or np.ptp(own[both]) == 0 or np.ptp(column[both]) == 0:
            continue
        rho = float(np.corrcoef(own[both], column[both])[0, 1])
        if abs(rho) > REDUNDANT_FROM:
            return f"redundant: rank correlation {rho:.2f} with {words[other]}"
    return ""
