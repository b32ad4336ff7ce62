"""Neighbouring grey level dependence matrix (IBSI 1, 3.11): how many neighbours have a voxel's own grey level."""

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.counts import CountMatrix, count_pairs, merge, named
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.texture import GreyLevels, Levels, by_block, directions, overlap, tagged

NAMES = (
    *("lde", "hde", "lgce", "hgce", "ldlge", "ldhge", "hdlge", "hdhge"),
    *("glnu", "glnu_norm", "dcnu", "dcnu_norm", "dc_perc", "gl_var", "dc_var", "dc_entr", "dc_energy"),
)
"""IBSI's names of the quantities of `counts.Emphases`."""


def dependences(levels: GreyLevels, dimensions: tuple[Dimension, ...], coarseness: int = 0) -> Values:
    """Return the 17 features for each dimension.

    Args:
        levels: The grey levels.
        dimensions: Which aggregations.
        coarseness: Largest difference of grey levels that counts as dependence (alpha).
    """
    values: Values = {}
    for dimension in dimensions:
        matrices = [dependence_counts(block, dimension, coarseness) for block in levels.blocks(dimension)]
        table = by_block(matrices, merge, lambda matrix: named(matrix, NAMES), dimension)
        values |= tagged(table, "ngl", dimension)
    return values


def dependence_counts(block: GreyLevels, dimension: Dimension, coarseness: int) -> CountMatrix:
    """Count voxels by grey level and by one plus the number of their dependent neighbours."""
    dependent = np.ones(block.levels.shape, np.uint8)
    for offset in directions(dimension):
        first, second = overlap(block.levels, offset)
        alike = _alike(block.levels[first], block.levels[second], coarseness)
        dependent[first] += alike
        dependent[second] += alike
    inside = block.levels > 0
    return count_pairs(block.levels[inside], dependent[inside], block.voxels)


def _alike(one: Levels, other: Levels, coarseness: int) -> NDArray[np.bool_]:
    if coarseness == 0:
        # Outside voxels (0) may pair with each other; they are not counted in the end.
        return np.equal(one, other)
    near = np.abs(one.astype(np.int32) - other) <= coarseness
    return np.asarray(near & (one > 0) & (other > 0))
