"""What texture families share: grey levels in their places, blocks, directions, aggregation (IBSI 1, 3.6)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.discretise import Binning
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.region import Region

Levels = NDArray[np.uint16]
Bools = NDArray[np.bool_]
Offset = tuple[int, int, int]
M = TypeVar("M")


@dataclass(frozen=True, kw_only=True)
class GreyLevels:
    """Grey levels in their places.

    Args:
        levels: `(K, J, I)` uint16, 1 to `count` in the intensity mask and 0 outside.
        shape: `(K, J, I)` bool, the morphological mask.
        count: Number of grey levels of the discretisation (N_g).
    """

    levels: Levels
    shape: Bools
    count: int

    def blocks(self, dimension: Dimension) -> list["GreyLevels"]:
        """Return what one matrix is counted in: the whole for 3D, each slice of the region for 2D and 2.5D."""
        if dimension is Dimension.D3:
            return [self]
        occupied = np.flatnonzero(self.levels.any(axis=(1, 2)))
        return [
            GreyLevels(levels=self.levels[k : k + 1], shape=self.shape[k : k + 1], count=self.count) for k in occupied
        ]

    @property
    def voxels(self) -> int:
        """Number of voxels that have a grey level."""
        return int(np.count_nonzero(self.levels))


def place(region: Region, binning: Binning) -> GreyLevels:
    """Return the grey levels of a region in their places, cropped to its shape's bounding box."""
    inside = region.intensity[region.box]
    levels = np.zeros(inside.shape, np.uint16)
    levels[inside] = binning.levels
    return GreyLevels(levels=levels, shape=region.morphological[region.box], count=binning.count)


def directions(dimension: Dimension, distance: int = 1) -> list[Offset]:
    """Return one offset of every opposite pair at this Chebyshev distance: 13 in 3D, 4 in a slice, at distance 1."""
    reach = range(-distance, distance + 1)
    planes = reach if dimension is Dimension.D3 else (0,)
    offsets = [(k, j, i) for k in planes for j in reach for i in reach if max(abs(k), abs(j), abs(i)) == distance]
    return [offset for offset in offsets if offset > (0, 0, 0)]


def overlap(array: NDArray[np.generic], offset: Offset) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the two index blocks of an array whose voxels lie `offset` apart: first and second of each pair."""
    first, second = [], []
    for size, step in zip(array.shape, offset, strict=True):
        first.append(slice(max(0, -step), max(0, size - max(0, step))))
        second.append(slice(max(0, step), max(0, size + min(0, step))))
    return tuple(first), tuple(second)


def mean_of(tables: Iterable[Values]) -> Values:
    """Average each feature over the tables in which it has a value; NaN where none has one."""
    listed = list(tables)
    if len(listed) == 1:
        return listed[0]
    averaged: Values = {}
    for name in listed[0] if listed else ():
        column = np.array([table[name] for table in listed])
        present = column[np.isfinite(column)]
        averaged[name] = float(present.mean()) if present.size else float("nan")
    return averaged


def tagged(values: Values, prefix: str, suffix: str) -> Values:
    """Return the values under their full tags."""
    return {f"{prefix}_{name}_{suffix}": value for name, value in values.items()}


def by_direction(
    blocks: Iterable[list[M]], merge: Callable[[list[M]], M], measure: Callable[[M], Values], dimension: Dimension
) -> dict[str, Values]:
    """Aggregate matrices of several directions as IBSI's six methods do (3.6.1, 3.7.1).

    Args:
        blocks: For each block its matrices, one a direction; taken one block at a time, for they can be large.
        merge: Adds matrices.
        measure: Features of one matrix.
        dimension: 2D averages over slices, 2.5D merges them, 3D has a single block.

    Returns:
        Values under the two suffixes of this dimension.
    """
    if dimension is Dimension.D2:
        tables = [([measure(matrix) for matrix in block], measure(merge(block))) for block in blocks]
        averaged = mean_of(table for singles, _ in tables for table in singles)
        merged = mean_of(table for _, table in tables)
    else:
        columns = reduce(lambda sums, block: [merge(list(pair)) for pair in zip(sums, block, strict=True)], blocks)
        averaged = mean_of(measure(matrix) for matrix in columns)
        merged = measure(merge(columns))
    return {f"{dimension}_avg": averaged, f"{dimension}_comb": merged}


def by_block(
    matrices: list[M], merge: Callable[[list[M]], M], measure: Callable[[M], Values], dimension: Dimension
) -> Values:
    """Aggregate matrices without directions: 2D averages over slices, 2.5D merges them, 3D has a single block."""
    if dimension is Dimension.D2:
        return mean_of(measure(matrix) for matrix in matrices)
    return measure(matrices[0] if len(matrices) == 1 else merge(matrices))
