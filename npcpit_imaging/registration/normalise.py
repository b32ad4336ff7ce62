"""Grey values that two images of one place have in common, whatever their scale and bias field."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.volume.geometry import Geometry

FLAT = 0.05
"""Share of the whole variance added to every local variance, so that noise in flat tissue stays small."""

TRUNCATE = 2.5
"""The Gaussian ends at so many spreads."""

Array = NDArray[np.float32]


def normalised(
    images: tuple[Array, Array], common: NDArray[np.bool_], grid: Geometry, local_mm: float
) -> tuple[Array, Array]:
    """Return two images' grey values less their local mean, over their local spread.

    Mean and spread of both are taken over the same voxels. Taken over all that each image shows, the mean of one that
    ends here and of one that goes on are means of two places, and their grey values differ where nothing has moved.

    Args:
        images: Both `(K, J, I)` on one grid, one of them warped.
        common: `(K, J, I)` bool, where both show the body; elsewhere what comes out means nothing.
        grid: The grid.
        local_mm: Spread of the Gaussian within which they are taken; 0 compares grey values as they are, both less the
            first image's mean and over its spread.
    """
    one, other = images
    if local_mm == 0:
        centre, spread = one[common].mean(), np.float32(np.sqrt(_variance(one, common)))
        return (one - centre) / spread, (other - centre) / spread
    reach = [local_mm / step for step in grid.spacing_mm[::-1]]
    inside = common.astype(np.float32)
    share = _smooth(inside, reach) + np.float32(1e-3)
    return _local(one, common, share, reach), _local(other, common, share, reach)


def _local(image: Array, common: NDArray[np.bool_], share: Array, reach: list[float]) -> Array:
    inside: Array = np.where(common, image, np.float32(0))
    mean = _smooth(inside, reach) / share
    variance = _smooth(inside * inside, reach) / share - mean * mean
    spread = np.sqrt(np.maximum(variance, 0) + np.float32(FLAT * _variance(image, common)))
    found: Array = ((image - mean) / spread).astype(np.float32)
    return found


def _variance(image: Array, common: NDArray[np.bool_]) -> float:
    return float(image[common].var()) + 1e-6


def _smooth(image: Array, reach: list[float]) -> Array:
    smooth: Array = ndimage.gaussian_filter(image, reach, truncate=TRUNCATE)
    return smooth
