"""A region with its voxels in random order: what is left of a feature is volume, shape and histogram (Welch 2019)."""

from dataclasses import replace

import numpy as np

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.volume.volume import Mask, Volume, require_same_grid


def shuffled(volume: Volume, mask: Mask, *, seed: int) -> Volume:
    """Return the image with the intensities inside the mask permuted; outside nothing changes.

    A negative control: shape and histogram stay as they are, texture is lost. A texture feature that goes with an
    outcome as well after it as before tells of those, not of texture (Welch et al. 2019, Radiother Oncol 130:2-9).

    Args:
        volume: The image.
        mask: The region.
        seed: The same seed gives the same order.

    Raises:
        GeometryError: The mask lies on another grid than the image.
        RadiomicsError: The mask is empty.
    """
    require_same_grid(volume, mask)
    inside = np.flatnonzero(mask.voxels)
    if not inside.size:
        raise RadiomicsError("mask: expected voxels to shuffle, found none")
    order = np.random.default_rng(seed).permutation(inside.size)
    voxels = np.array(volume.voxels)
    voxels.flat[inside] = volume.voxels.flat[inside[order]]
    return replace(volume, voxels=voxels)
