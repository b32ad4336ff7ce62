"""Matrices that count (grey level, size) pairs: what runs, zones and dependences share (IBSI 1, 3.7 to 3.11)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.radiomics.feature import Values

DENSE_CELLS = 1 << 22
"""Largest matrix counted densely; beyond it the pairs are sorted."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class CountMatrix:
    """The non-zero cells of a matrix of (grey level, size) counts, every cell once.

    Args:
        levels: `(N,)` grey levels, from 1.
        sizes: `(N,)` run lengths, zone sizes, distances or dependence counts, from 1.
        counts: `(N,)` how often each pair was found.
        voxels: Number of voxels the counts were gathered from.
    """

    levels: Integers
    sizes: Integers
    counts: Integers
    voxels: int


def count_pairs(levels: NDArray[np.integer], sizes: NDArray[np.integer], voxels: int) -> CountMatrix:
    """Count pairs `(N,)`, `(N,)`."""
    return _collect(levels.astype(np.int64), sizes.astype(np.int64), None, voxels)


def merge(matrices: list[CountMatrix]) -> CountMatrix:
    """Add matrices; their voxels add up too, so that percentages stay per direction and slice."""
    levels, sizes, counts = (
        np.concatenate([getattr(matrix, name) for matrix in matrices]) for name in ("levels", "sizes", "counts")
    )
    return _collect(levels, sizes, counts, sum(matrix.voxels for matrix in matrices))


def _collect(levels: Integers, sizes: Integers, counts: Integers | None, voxels: int) -> CountMatrix:
    width = int(sizes.max(initial=0)) + 1
    keys = levels * width + sizes
    if (int(levels.max(initial=0)) + 1) * width <= DENSE_CELLS:
        dense = np.bincount(keys, weights=counts)
        cells = np.flatnonzero(dense)
        totals = dense[cells]
    else:
        cells, group = np.unique(keys, return_inverse=True)
        totals = np.bincount(group, weights=counts)
    return CountMatrix(levels=cells // width, sizes=cells % width, counts=totals.astype(np.int64), voxels=voxels)


@dataclass(frozen=True, kw_only=True)
class Emphases:
    """The 17 quantities of a count matrix under neutral names; each family gives them its own.

    All are NaN for an empty matrix.
    """

    small: float
    large: float
    low: float
    high: float
    small_low: float
    small_high: float
    large_low: float
    large_high: float
    level_nonuniformity: float
    level_nonuniformity_norm: float
    size_nonuniformity: float
    size_nonuniformity_norm: float
    percentage: float
    level_variance: float
    size_variance: float
    entropy: float
    energy: float


def emphases(matrix: CountMatrix) -> Emphases:
    """Return the features of one matrix."""
    total = int(matrix.counts.sum())
    if total == 0:
        return Emphases(**dict.fromkeys(Emphases.__dataclass_fields__, float("nan")))
    share = matrix.counts / total
    level2, size2 = matrix.levels.astype(float) ** 2, matrix.sizes.astype(float) ** 2
    by_level, by_size = _marginal(matrix.levels, matrix.counts), _marginal(matrix.sizes, matrix.counts)
    return Emphases(
        small=float(share @ (1.0 / size2)),
        large=float(share @ size2),
        low=float(share @ (1.0 / level2)),
        high=float(share @ level2),
        small_low=float(share @ (1.0 / (level2 * size2))),
        small_high=float(share @ (level2 / size2)),
        large_low=float(share @ (size2 / level2)),
        large_high=float(share @ (size2 * level2)),
        level_nonuniformity=float(by_level @ by_level) / total,
        level_nonuniformity_norm=float(by_level @ by_level) / total**2,
        size_nonuniformity=float(by_size @ by_size) / total,
        size_nonuniformity_norm=float(by_size @ by_size) / total**2,
        percentage=total / matrix.voxels,
        level_variance=_variance(share, matrix.levels),
        size_variance=_variance(share, matrix.sizes),
        entropy=float(-share @ np.log2(share)),
        energy=float(share @ share),
    )


def _marginal(keys: Integers, counts: Integers) -> Floats:
    if keys.max() <= DENSE_CELLS:
        return np.asarray(np.bincount(keys, weights=counts), np.float64)
    _, group = np.unique(keys, return_inverse=True)
    return np.asarray(np.bincount(group, weights=counts), np.float64)


def _variance(share: Floats, values: Integers) -> float:
    mean = float(share @ values)
    return float(share @ (values - mean) ** 2)


def named(matrix: CountMatrix, names: tuple[str, ...]) -> Values:
    """Return a matrix's features under a family's own names, in the order of `Emphases`."""
    found = emphases(matrix)
    return dict(zip(names, (getattr(found, field) for field in Emphases.__dataclass_fields__), strict=False))
