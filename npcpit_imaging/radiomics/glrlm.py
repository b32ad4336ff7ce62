"""Grey level run length matrix (IBSI 1, 3.7): how far equal grey levels go on in a line."""

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.counts import CountMatrix, count_pairs, merge, named
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.texture import GreyLevels, Levels, Offset, by_direction, directions, tagged

NAMES = (
    *("sre", "lre", "lgre", "hgre", "srlge", "srhge", "lrlge", "lrhge"),
    *("glnu", "glnu_norm", "rlnu", "rlnu_norm", "r_perc", "gl_var", "rl_var", "rl_entr"),
)
"""IBSI's names of the quantities of `counts.Emphases`."""


def run_lengths(levels: GreyLevels, dimensions: tuple[Dimension, ...]) -> Values:
    """Return the 16 features, averaged and merged, for each dimension."""
    values: Values = {}
    for dimension in dimensions:
        offsets = directions(dimension)
        matrices = ([runs(block.levels, offset) for offset in offsets] for block in levels.blocks(dimension))
        for suffix, table in by_direction(matrices, merge, lambda matrix: named(matrix, NAMES), dimension).items():
            values |= tagged(table, "rlm", suffix)
    return values


def runs(levels: Levels, offset: Offset) -> CountMatrix:
    """Count the runs of equal grey levels along one direction of a `(K, J, I)` block, 0 being outside.

    In a block with a border of zeros, laid out flat, voxels `offset` apart are a fixed number of places apart. Read
    with that stride, every line of the direction is contiguous and ends in zeros: runs end where the value changes.
    """
    lines = _in_line(levels, offset)
    change = np.flatnonzero(lines[1:] != lines[:-1]) + 1
    length = np.diff(change, append=lines.size)
    level = lines[change]
    inside = level > 0
    return count_pairs(level[inside], length[inside], int(np.count_nonzero(levels)))


def _in_line(levels: Levels, offset: Offset) -> NDArray[np.uint16]:
    padded = np.pad(levels, 1)
    _, rows, columns = padded.shape
    stride = (offset[0] * rows + offset[1]) * columns + offset[2]
    flat = padded.ravel()
    filled = np.zeros(-(-flat.size // stride) * stride, flat.dtype)
    filled[: flat.size] = flat
    ordered: NDArray[np.uint16] = np.ascontiguousarray(filled.reshape(-1, stride).T).ravel()
    return ordered
