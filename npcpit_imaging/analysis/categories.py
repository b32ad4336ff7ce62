"""How far two readers agree on a response: weighted kappa, specific agreement, discordance (recist.md 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import ndtri

from npcpit_imaging.analysis.proportion import CONFIDENCE, Estimate, Floats, clopper_pearson
from npcpit_imaging.errors import AnalysisError


class Weights(StrEnum):
    """How a disagreement over several steps counts."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAgreement:
    """What two readers' responses say of each other.

    Args:
        kappa: Linearly weighted kappa.
        gwet_ac1: Gwet's AC1, which a rare category does not bring down.
        observed: Share of equal answers.
        positive: Positive agreement on response (CR or PR).
        negative: Negative agreement.
        discordance: Share of subjects whose answers differ.
        table: `(C, C)` counts, first reader by rows.
        categories: Names of rows and columns.
    """

    kappa: Estimate
    gwet_ac1: float
    observed: float
    positive: Estimate
    negative: Estimate
    discordance: Estimate
    table: np.ndarray
    categories: tuple[str, ...]


def compare_responses(
    first: Sequence[str], second: Sequence[str], *, order: Sequence[str], responding: Sequence[str]
) -> ResponseAgreement:
    """Compare two readers' responses of the same subjects or lesions.

    Args:
        first: The first reader's.
        second: The second's, in the same order.
        order: Every category in its order, best first; answers outside it are refused.
        responding: Which of them are responses.

    Raises:
        AnalysisError: Different numbers of answers, none, or one outside `order`.
    """
    if len(first) != len(second) or not first:
        raise AnalysisError(f"responses: expected as many of both and at least one, found {len(first)}, {len(second)}")
    odd = sorted({each for each in (*first, *second) if each not in order})
    if odd:
        raise AnalysisError(f"responses: expected one of {', '.join(order)}; found {', '.join(odd)}")
    used = tuple(each for each in order if each in first or each in second)
    table = np.zeros((len(used), len(used)))
    for one, other in zip(first, second, strict=True):
        table[used.index(one), used.index(other)] += 1
    responds = [each in responding for each in used]
    differ = sum(one != other for one, other in zip(first, second, strict=True))
    positive, negative = specific_agreement(_two_by_two(table, responds))
    return ResponseAgreement(
        kappa=weighted_kappa(table, weights=Weights.LINEAR),
        gwet_ac1=gwet_ac1(table),
        observed=float(np.trace(table) / table.sum()),
        positive=positive,
        negative=negative,
        discordance=clopper_pearson(differ, len(first)),
        table=table.astype(np.int64),
        categories=used,
    )


def _two_by_two(table: Floats, yes: Sequence[bool]) -> Floats:
    mark = np.asarray(yes)
    return np.array([[table[np.ix_(one, other)].sum() for other in (mark, ~mark)] for one in (mark, ~mark)])


def weighted_kappa(table: Floats, *, weights: Weights, confidence: float = CONFIDENCE) -> Estimate:
    """Cohen's kappa with its large-sample interval (Fleiss, Cohen and Everitt 1969).

    Args:
        table: `(C, C)` counts, categories in their order.
        weights: How disagreements count.
        confidence: Coverage.
    """
    n, size = float(table.sum()), table.shape[0]
    if size < 2:
        return Estimate(value=np.nan, lower=np.nan, upper=np.nan, method="kappa", note="one category only")
    place = np.arange(size)
    apart = np.abs(place[:, None] - place[None, :]) / (size - 1)
    agree = {
        Weights.NONE: (apart == 0).astype(float),
        Weights.LINEAR: 1.0 - apart,
        Weights.QUADRATIC: 1.0 - apart**2,
    }[weights]
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, expected = float(np.sum(agree * share)), float(np.sum(agree * np.outer(rows, columns)))
    if expected >= 1.0:
        return Estimate(value=np.nan, lower=np.nan, upper=np.nan, method="kappa", note="no disagreement is possible")
    value = (observed - expected) / (1.0 - expected)
    mean_rows, mean_columns = agree @ columns, rows @ agree
    pull = agree - (mean_rows[:, None] + mean_columns[None, :]) * (1.0 - value)
    variance = float(np.sum(share * pull**2) - (value - expected * (1.0 - value)) ** 2) / (n * (1.0 - expected) ** 2)
    half = float(ndtri((1.0 + confidence) / 2.0)) * float(np.sqrt(max(variance, 0.0)))
    return Estimate(
        value=value,
        lower=max(-1.0, value - half),
        upper=min(1.0, value + half),
        method=f"kappa, {weights} weights, Fleiss-Cohen-Everitt",
    )


def gwet_ac1(table: Floats) -> float:
    """Gwet's AC1 (Gwet 2008); NaN for one category."""
    size = table.shape[0]
    if size < 2:
        return float("nan")
    share = table / table.sum()
    mean = (share.sum(axis=0) + share.sum(axis=1)) / 2.0
    chance = float(np.sum(mean * (1.0 - mean))) / (size - 1)
    return float((np.trace(share) - chance) / (1.0 - chance))


def specific_agreement(table: Floats, *, confidence: float = CONFIDENCE) -> tuple[Estimate, Estimate]:
    """Positive and negative agreement of two by two counts (Cicchetti and Feinstein 1990; Graham and Bull 1998).

    Args:
        table: `((both yes, first only), (second only, both no))`.
        confidence: Coverage.
    """
    both, neither, apart = float(table[0, 0]), float(table[1, 1]), float(table[0, 1] + table[1, 0])
    z = float(ndtri((1.0 + confidence) / 2.0))

    def specific(agreed: float) -> Estimate:
        method = "specific agreement, delta method"
        if 2.0 * agreed + apart == 0:
            return Estimate(value=np.nan, lower=np.nan, upper=np.nan, method=method, note="neither reader said so")
        value = 2.0 * agreed / (2.0 * agreed + apart)
        half = z * 2.0 * float(np.sqrt(agreed * apart * (agreed + apart))) / (2.0 * agreed + apart) ** 2
        note = "agreement is complete: the delta method gives no width" if apart == 0 else ""
        return Estimate(
            value=value, lower=max(0.0, value - half), upper=min(1.0, value + half), method=method, note=note
        )

    return specific(both), specific(neither)
