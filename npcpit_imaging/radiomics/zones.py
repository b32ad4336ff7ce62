"""Zones: connected voxels of one grey level, 26-connected in a volume and 8-connected in a slice (IBSI 1, 3.8)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from npcpit_imaging.radiomics.texture import GreyLevels


@dataclass(frozen=True, kw_only=True)
class Zones:
    """The zones of one block.

    Args:
        numbers: `(K, J, I)` number of each voxel's zone, 0 outside.
        levels: `(Z,)` grey level of zone 1, 2, ...
        sizes: `(Z,)` voxels of zone 1, 2, ...
    """

    numbers: NDArray[np.int64]
    levels: NDArray[np.int64]
    sizes: NDArray[np.int64]


def find_zones(block: GreyLevels) -> Zones:
    """Label the zones of a block with at least one grey level."""
    numbers = label(block.levels, background=0, connectivity=block.levels.ndim)
    sizes = np.bincount(numbers.ravel())
    levels = np.zeros(sizes.size, np.int64)
    levels[numbers.ravel()] = block.levels.ravel()
    return Zones(numbers=numbers, levels=levels[1:], sizes=sizes[1:])
