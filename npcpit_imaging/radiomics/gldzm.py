"""Grey level distance zone matrix (IBSI 1, 3.9): how deep in the region zones of one grey level lie."""

import numpy as np
from scipy.ndimage import distance_transform_cdt

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.counts import CountMatrix, count_pairs, merge, named
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.texture import Bools, GreyLevels, by_block, tagged
from npcpit_imaging.radiomics.zones import find_zones

NAMES = (
    *("sde", "lde", "lgze", "hgze", "sdlge", "sdhge", "ldlge", "ldhge"),
    *("glnu", "glnu_norm", "zdnu", "zdnu_norm", "z_perc", "gl_var", "zd_var", "zd_entr"),
)
"""IBSI's names of the quantities of `counts.Emphases`."""


def distance_zones(levels: GreyLevels, dimensions: tuple[Dimension, ...]) -> Values:
    """Return the 16 features for each dimension."""
    values: Values = {}
    for dimension in dimensions:
        matrices = [zone_distances(block, dimension) for block in levels.blocks(dimension)]
        table = by_block(matrices, merge, lambda matrix: named(matrix, NAMES), dimension)
        values |= tagged(table, "dzm", dimension)
    return values


def zone_distances(block: GreyLevels, dimension: Dimension) -> CountMatrix:
    """Count zones by grey level and by their shortest distance to the border of the morphological mask."""
    zones = find_zones(block)
    depth = depth_of(block.shape, dimension)
    inside = zones.numbers > 0
    shortest = np.full(zones.levels.size + 1, np.iinfo(np.int64).max)
    np.minimum.at(shortest, zones.numbers[inside], depth[inside])
    return count_pairs(zones.levels, shortest[1:], block.voxels)


def depth_of(shape: Bools, dimension: Dimension) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """City-block steps `(K, J, I)` to the outside, 1 at the border; a slice has no outside above or below."""
    pad = 1 if dimension is Dimension.D3 else ((0, 0), (1, 1), (1, 1))
    padded = np.pad(shape, pad)
    if dimension is Dimension.D3:
        return distance_transform_cdt(padded, metric="taxicab")[1:-1, 1:-1, 1:-1].astype(np.int64)
    return distance_transform_cdt(padded[0], metric="taxicab")[None, 1:-1, 1:-1].astype(np.int64)
