"""Grey level co-occurrence matrix (IBSI 1, 3.6): which grey levels lie beside each other."""

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Dimension, Family
from npcpit_imaging.radiomics.catalogue import stems
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.texture import GreyLevels, Offset, by_direction, directions, overlap, tagged

Floats = NDArray[np.float64]


def cooccurrence(levels: GreyLevels, dimensions: tuple[Dimension, ...], distance: int = 1) -> Values:
    """Return the 25 features, averaged and merged, for each dimension."""
    values: Values = {}
    for dimension in dimensions:
        offsets = directions(dimension, distance)
        matrices = ([pair_counts(block, offset) for offset in offsets] for block in levels.blocks(dimension))
        for suffix, table in by_direction(matrices, _add, pair_features, dimension).items():
            values |= tagged(table, "cm", suffix)
    return values


def pair_counts(block: GreyLevels, offset: Offset) -> Floats:
    """Count ordered pairs of grey levels `offset` apart, both ways: a symmetric `(G, G)` matrix."""
    first, second = overlap(block.levels, offset)
    size = block.count + 1
    keys = block.levels[first].astype(np.int32) * size
    keys += block.levels[second]
    counts = np.bincount(keys.ravel(), minlength=size * size).reshape(size, size)[1:, 1:]
    return (counts + counts.T).astype(float)


def _add(matrices: list[Floats]) -> Floats:
    total = matrices[0].copy()
    for matrix in matrices[1:]:
        total += matrix
    return total


def pair_features(counts: Floats) -> Values:
    """Return the features of one symmetric `(G, G)` matrix of counts, NaN where there is no pair."""
    total = counts.sum()
    if total == 0:
        return {stem.removeprefix("cm_"): float("nan") for stem in stems(Family.GLCM)}
    joint = counts / total
    count = len(joint)
    marginal = joint.sum(axis=1)
    difference, plus = _diagonals(joint)
    level, gap, pair = np.arange(1.0, count + 1), np.arange(float(count)), np.arange(2.0, 2 * count + 1)
    mean = float(marginal @ level)
    return {
        "joint_max": float(joint.max()),
        "joint_avg": mean,
        "joint_var": float(marginal @ (level - mean) ** 2),
        "joint_entr": _entropy(joint),
        **_of_differences(difference, gap, count),
        **_of_sums(plus, pair, mean),
        "energy": float(np.sum(joint**2)),
        "auto_corr": float(level @ joint @ level),
        **_correlations(joint, marginal, level),
    }


def _diagonals(joint: Floats) -> tuple[Floats, Floats]:
    """Probability `(G,)` of each difference and `(2G - 1,)` of each sum of two grey levels."""
    count = len(joint)
    index = np.arange(count)
    gaps = np.abs(index[:, None] - index).ravel()
    sums = (index[:, None] + index).ravel()
    flat = joint.ravel()
    by_gap = np.bincount(gaps, weights=flat, minlength=count).astype(np.float64)
    return by_gap, np.bincount(sums, weights=flat, minlength=2 * count - 1).astype(np.float64)


def _of_differences(difference: Floats, gap: Floats, count: int) -> Values:
    mean = float(difference @ gap)
    return {
        "diff_avg": mean,
        "diff_var": float(difference @ (gap - mean) ** 2),
        "diff_entr": _entropy(difference),
        "contrast": float(difference @ gap**2),
        "dissimilarity": mean,
        "inv_diff": float(difference @ (1.0 / (1.0 + gap))),
        "inv_diff_norm": float(difference @ (1.0 / (1.0 + gap / count))),
        "inv_diff_mom": float(difference @ (1.0 / (1.0 + gap**2))),
        "inv_diff_mom_norm": float(difference @ (1.0 / (1.0 + (gap / count) ** 2))),
        "inv_var": float(difference[1:] @ (1.0 / gap[1:] ** 2)),
    }


def _of_sums(plus: Floats, pair: Floats, mean: float) -> Values:
    average = float(plus @ pair)
    centred = pair - 2.0 * mean
    return {
        "sum_avg": average,
        "sum_var": float(plus @ (pair - average) ** 2),
        "sum_entr": _entropy(plus),
        "clust_tend": float(plus @ centred**2),
        "clust_shade": float(plus @ centred**3),
        "clust_prom": float(plus @ centred**4),
    }


def _correlations(joint: Floats, marginal: Floats, level: Floats) -> Values:
    mean = float(marginal @ level)
    variance = float(marginal @ (level - mean) ** 2)
    entropy, product = _entropy(marginal), np.outer(marginal, marginal)
    inside = joint > 0
    cross = float(-np.sum(joint[inside] * np.log2(product[inside])))
    shared = max(0.0, 2.0 * entropy - _entropy(joint))
    return {
        "corr": float(level @ joint @ level - mean**2) / variance if variance > 0 else float("nan"),
        "info_corr1": (_entropy(joint) - cross) / entropy if entropy > 0 else float("nan"),
        "info_corr2": float(np.sqrt(1.0 - np.exp(-2.0 * shared))),
    }


def _entropy(probability: Floats) -> float:
    present = probability[probability > 0]
    return float(-np.sum(present * np.log2(present)))
