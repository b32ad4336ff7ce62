"""Resampling: the transform maps fixed points to moving points; outside a CT there is air."""

import numpy as np
import pytest

from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample, resample_mask
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

GRID = Geometry(shape_kji=(5, 6, 7), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))


def a_ramp(modality: Modality = Modality.MR) -> Volume:
    """A value of 100 x + 10 y + z, linear, so that linear interpolation is exact."""
    k, j, i = np.indices(GRID.shape_kji)
    return Volume(voxels=100.0 * i + 10.0 * j + k, geometry=GRID, modality=modality, unit=Unit.ARBITRARY)


def test_a_finer_grid_gets_the_values_between():
    fine = Geometry(shape_kji=(2, 2, 2), origin_mm=(1.5, 2.25, 3.0), spacing_mm=(0.5, 0.5, 0.5))
    found = resample(a_ramp(), fine)
    assert found.voxels[0, 0, 0] == pytest.approx(150 + 22.5 + 3.0)
    assert found.voxels[1, 1, 1] == pytest.approx(200 + 27.5 + 3.5)
    assert found.geometry is fine


def test_the_transform_says_where_a_fixed_point_lies_in_the_moving_image():
    shift = RigidTransform(rotation=np.eye(3), translation_mm=np.array([2.0, 1.0, 0.0]))
    assert resample(a_ramp(), GRID, shift).voxels[3, 1, 1] == pytest.approx(300 + 20 + 3)


@pytest.mark.parametrize(("modality", "expected"), [(Modality.CT, -1000.0), (Modality.MR, 0.0), (Modality.PT, 0.0)])
def test_outside_the_moving_image_there_is_air_in_a_ct_and_nothing_elsewhere(modality, expected):
    far = Geometry(shape_kji=(1, 1, 1), origin_mm=(50.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    assert resample(a_ramp(modality), far).voxels[0, 0, 0] == expected
    assert resample(a_ramp(modality), far, outside=7.0).voxels[0, 0, 0] == 7.0


def test_a_mask_is_kept_where_it_is_at_least_one_half():
    """A voxel at i = 3 moved by half a voxel is one half at two voxels, which both count (IBSI 1, 3.4)."""
    voxels = np.zeros(GRID.shape_kji, bool)
    voxels[2, 2, 3] = True
    half = RigidTransform(rotation=np.eye(3), translation_mm=np.array([0.5, 0.0, 0.0]))
    found = resample_mask(Mask(voxels=voxels, geometry=GRID, label="T01"), GRID, half)
    assert np.argwhere(found.voxels).tolist() == [[2, 2, 2], [2, 2, 3]]
    assert found.label == "T01"
