"""Neighbourhood grey tone difference matrix (IBSI 1, 3.10): how voxels differ from their neighbours' mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.intensity_statistics import ratio
from npcpit_imaging.radiomics.texture import GreyLevels, by_block, tagged

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ToneDifferences:
    """The matrix.

    Args:
        counts: `(G,)` voxels of each grey level that have a neighbour in the region.
        differences: `(G,)` sum of their absolute differences to the mean of their neighbours.
    """

    counts: Floats
    differences: Floats


def tone_differences(levels: GreyLevels, dimensions: tuple[Dimension, ...]) -> Values:
    """Return the 5 features for each dimension."""
    values: Values = {}
    for dimension in dimensions:
        matrices = [neighbour_differences(block) for block in levels.blocks(dimension)]
        values |= tagged(by_block(matrices, _add, tone_features, dimension), "ngt", dimension)
    return values


def neighbour_differences(block: GreyLevels) -> ToneDifferences:
    """Gather differences over the 26 (in a slice: 8) neighbours of every voxel."""
    inside = block.levels > 0
    own = block.levels.astype(np.int32)
    around = _box_sum(own) - own
    neighbours = _box_sum(inside.astype(np.int32)) - inside
    counted = inside & (neighbours > 0)
    level = own[counted]
    difference = np.abs(level - around[counted] / neighbours[counted])
    return ToneDifferences(
        counts=np.bincount(level, minlength=block.count + 1)[1:].astype(float),
        differences=np.asarray(np.bincount(level, weights=difference, minlength=block.count + 1)[1:], np.float64),
    )


def _box_sum(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sum over 3x3x3 voxels, one axis after the other."""
    total = array
    for axis in range(3):
        ends = np.moveaxis(total, axis, 0)
        summed = ends.copy()
        summed[1:] += ends[:-1]
        summed[:-1] += ends[1:]
        total = np.moveaxis(summed, 0, axis)
    return total


def _add(matrices: list[ToneDifferences]) -> ToneDifferences:
    return ToneDifferences(
        counts=np.sum([matrix.counts for matrix in matrices], axis=0),
        differences=np.sum([matrix.differences for matrix in matrices], axis=0),
    )


def tone_features(matrix: ToneDifferences) -> Values:
    """Return the features of one matrix, NaN where a formula divides by zero."""
    present = matrix.counts > 0
    total = matrix.counts.sum()
    if total == 0:
        return dict.fromkeys(("coarseness", "contrast", "busyness", "complexity", "strength"), float("nan"))
    share, sums = matrix.counts[present] / total, matrix.differences[present]
    level = np.flatnonzero(present).astype(np.float64) + 1.0
    weighted = float(share @ sums)
    gap = np.abs(level[:, None] - level)
    pairs = share[:, None] + share
    cross = (share * sums)[:, None] + share * sums
    return {
        "coarseness": 1.0 / weighted if weighted > 0 else float("nan"),
        "contrast": _contrast(share, gap, float(sums.sum() / total)),
        "busyness": _busyness(share, level, weighted),
        "complexity": float(np.sum(gap * cross / pairs) / total),
        "strength": float(np.sum(pairs * gap**2) / sums.sum()) if sums.sum() > 0 else float("nan"),
    }


def _contrast(share: Floats, gap: Floats, difference: float) -> float:
    kinds = share.size
    if kinds < 2:
        return float("nan")
    return float(share @ gap**2 @ share) / (kinds * (kinds - 1)) * difference


def _busyness(share: Floats, level: Floats, weighted: float) -> float:
    if share.size < 2:
        return float("nan")
    moment = share * level
    return ratio(weighted, float(np.sum(np.abs(moment[:, None] - moment))), scale=float(moment.max()))
