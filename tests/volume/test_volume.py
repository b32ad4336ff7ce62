"""A volume and a mask: voxels that fit their grid, read-only, with a digest of all that matters."""

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume, require_same_grid

GRID = Geometry(shape_kji=(2, 3, 4), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(0.5, 2.0, 5.0))


def a_volume(voxels: np.ndarray | None = None, geometry: Geometry = GRID) -> Volume:
    return Volume(voxels=np.arange(24.0).reshape(2, 3, 4) if voxels is None else voxels, geometry=geometry)


def test_voxels_are_float32_and_cannot_be_changed():
    volume = a_volume()
    assert volume.voxels.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        volume.voxels[0, 0, 0] = 1


def test_a_shape_that_is_not_the_grid_s_is_refused_with_both():
    with pytest.raises(GeometryError, match=r"expected shape \(2, 3, 4\) \(k, j, i\), found \(4, 3, 2\)"):
        a_volume(np.zeros((4, 3, 2)))


def test_the_volume_of_a_mask_is_voxels_times_voxel_size():
    """Three voxels of 0.5 x 2 x 5 mm are 15 cubic millimetres."""
    voxels = np.zeros((2, 3, 4), bool)
    voxels[0, 0, :3] = True
    assert Mask(voxels=voxels, geometry=GRID).volume_ml == pytest.approx(0.015)


def test_the_digest_changes_with_a_voxel_the_place_and_the_shape_and_with_nothing_else():
    same, other = a_volume(), np.arange(24.0).reshape(2, 3, 4)
    other[1, 2, 3] = -1
    moved = Geometry(shape_kji=(2, 3, 4), origin_mm=(0.001, 0.0, 0.0), spacing_mm=GRID.spacing_mm)
    flat = Geometry(shape_kji=(1, 6, 4), origin_mm=GRID.origin_mm, spacing_mm=GRID.spacing_mm)
    digests = [
        a_volume().digest,
        a_volume(other).digest,
        a_volume(geometry=moved).digest,
        a_volume(np.arange(24.0).reshape(1, 6, 4), flat).digest,
    ]
    assert len(set(digests)) == 4
    assert same.digest == digests[0]
    assert a_volume(np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))).digest == digests[0]


def test_a_mask_on_another_grid_is_refused_and_both_are_described():
    far = Geometry(shape_kji=(2, 3, 4), origin_mm=(7.0, 0.0, 0.0), spacing_mm=GRID.spacing_mm)
    mask = Mask(voxels=np.ones((2, 3, 4), bool), geometry=far)
    with pytest.raises(GeometryError, match=r"4x3x2 voxels of 0\.5x2x5 mm.*\(0\.00, .*\(7\.00, "):
        require_same_grid(a_volume(), mask)
    require_same_grid(a_volume(), Mask(voxels=mask.voxels, geometry=GRID))
