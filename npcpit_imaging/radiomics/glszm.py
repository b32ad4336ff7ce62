"""Grey level size zone matrix (IBSI 1, 3.8): how many voxels of one grey level hang together."""

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.counts import CountMatrix, count_pairs, merge, named
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.texture import GreyLevels, by_block, tagged
from npcpit_imaging.radiomics.zones import find_zones

NAMES = (
    *("sze", "lze", "lgze", "hgze", "szlge", "szhge", "lzlge", "lzhge"),
    *("glnu", "glnu_norm", "zsnu", "zsnu_norm", "z_perc", "gl_var", "zs_var", "zs_entr"),
)
"""IBSI's names of the quantities of `counts.Emphases`."""


def size_zones(levels: GreyLevels, dimensions: tuple[Dimension, ...]) -> Values:
    """Return the 16 features for each dimension."""
    values: Values = {}
    for dimension in dimensions:
        matrices = [zone_sizes(block) for block in levels.blocks(dimension)]
        table = by_block(matrices, merge, lambda matrix: named(matrix, NAMES), dimension)
        values |= tagged(table, "szm", dimension)
    return values


def zone_sizes(block: GreyLevels) -> CountMatrix:
    """Count zones by grey level and number of voxels."""
    zones = find_zones(block)
    return count_pairs(zones.levels, zones.sizes, block.voxels)
