"""Shuffled voxels: histogram and everything outside stay, order does not, and a seed repeats it."""

import numpy as np
import pytest

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.shuffle import shuffled
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

GEOMETRY = Geometry(shape_kji=(4, 5, 6), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
IMAGE = Volume(voxels=np.arange(120, dtype=np.float64).reshape(4, 5, 6), geometry=GEOMETRY)


def mask(*, empty: bool = False) -> Mask:
    voxels = np.zeros((4, 5, 6), bool)
    voxels[1:3, 1:4, 2:5] = not empty
    return Mask(voxels=voxels, geometry=GEOMETRY)


def test_the_histogram_and_the_outside_stay_and_the_order_does_not():
    region = mask()
    found = shuffled(IMAGE, region, seed=1)
    inside = region.voxels
    assert sorted(found.voxels[inside]) == sorted(IMAGE.voxels[inside])
    assert (found.voxels[inside] != IMAGE.voxels[inside]).sum() > 9  # of 18
    assert np.array_equal(found.voxels[~inside], IMAGE.voxels[~inside])


def test_a_seed_repeats_the_order_and_another_gives_another():
    first, again, other = (shuffled(IMAGE, mask(), seed=seed).voxels for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_empty_mask_is_refused():
    with pytest.raises(RadiomicsError, match="expected voxels to shuffle, found none"):
        shuffled(IMAGE, mask(empty=True), seed=1)
