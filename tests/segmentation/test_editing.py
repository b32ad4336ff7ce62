"""Mask editing: millimetres stay millimetres on anisotropic voxels."""

import numpy as np
import pytest

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.editing import (
    brush,
    clip_to_tissue,
    erase,
    fill_between_slices,
    grow,
    largest_component,
    smooth,
)
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

GRID = Geometry(shape_kji=(11, 40, 40), origin_mm=(-20.0, -20.0, 0.0), spacing_mm=(1.0, 1.0, 3.0))


def mask(voxels=None):
    return Mask(voxels=np.zeros(GRID.shape_kji, bool) if voxels is None else voxels, geometry=GRID, label="T01")


def ball(radius_mm, centre_mm=(0.0, 0.0, 15.0)):
    k, j, i = np.ogrid[:11, :40, :40]
    x, y, z = i - 20.0 - centre_mm[0], j - 20.0 - centre_mm[1], k * 3.0 - centre_mm[2]
    return mask(x**2 + y**2 + z**2 <= radius_mm**2)


def test_a_brush_paints_a_disc_in_its_slice():
    painted = brush(mask(), ((0.0, 0.0, 15.0),), radius_mm=5.0)
    assert np.flatnonzero(painted.voxels.any(axis=(1, 2))).tolist() == [5]
    assert painted.voxels.sum() == 81  # lattice points in a circle of radius 5 (Gauss)
    assert painted.label == "T01"


def test_a_ball_brush_is_round_in_mm():
    painted = brush(mask(), ((0.0, 0.0, 15.0),), radius_mm=6.5, in_slice=False)
    assert np.array_equal(painted.voxels, ball(6.5).voxels)


def test_erasing_undoes_the_brush_and_nothing_else():
    start = ball(8.0)
    edited = brush(start, ((10.0, 0.0, 15.0),), radius_mm=1.5)
    assert np.array_equal(erase(edited, ((10.0, 0.0, 15.0),), radius_mm=1.5).voxels, start.voxels)


def test_the_mask_before_is_unchanged():
    start = ball(8.0)
    before = start.digest
    brush(start, ((10.0, 0.0, 15.0),), radius_mm=3.0)
    grow(start, 2.0)
    assert Mask(voxels=start.voxels, geometry=GRID).digest == before


def test_growing_is_in_mm_in_every_direction():
    single = np.zeros(GRID.shape_kji, bool)
    single[5, 20, 20] = True
    assert np.array_equal(grow(mask(single), 6.0).voxels, ball(6.0).voxels)


def test_shrinking_a_ball_gives_a_smaller_ball():
    shrunk = grow(ball(12.0), -3.0)
    assert shrunk.voxels.sum() == pytest.approx(ball(9.0).voxels.sum(), rel=0.15)
    assert not (shrunk.voxels & ~ball(12.0).voxels).any()


def test_the_image_border_is_no_edge_to_shrink_from():
    full = mask(np.ones(GRID.shape_kji, bool))
    assert grow(full, -5.0).voxels.all()


def test_only_the_largest_component_is_kept():
    both = mask(ball(6.0, (-8.0, 0.0, 15.0)).voxels | ball(3.0, (12.0, 0.0, 15.0)).voxels)
    assert np.array_equal(largest_component(both).voxels, ball(6.0, (-8.0, 0.0, 15.0)).voxels)


def test_smoothing_removes_a_spike_and_keeps_the_volume():
    voxels = ball(10.0).voxels.copy()
    voxels[5, 20, 31:37] = True
    rounded = smooth(mask(voxels), radius_mm=2.0)
    assert not rounded.voxels[5, 20, 33:].any()
    assert rounded.voxels.sum() == pytest.approx(ball(10.0).voxels.sum(), rel=0.12)


def test_slices_between_a_large_and_a_small_disc_are_cones():
    """Discs of radius 12 and 4 four slices apart: the disc half-way has the radius 8."""
    drawn = brush(mask(), ((0.0, 0.0, 6.0),), radius_mm=12.0)
    drawn = brush(drawn, ((0.0, 0.0, 18.0),), radius_mm=4.0)
    filled = fill_between_slices(drawn)
    assert np.flatnonzero(filled.voxels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]
    assert filled.voxels[4].sum() == pytest.approx(np.pi * 8.0**2, rel=0.07)
    assert np.array_equal(filled.voxels[2], drawn.voxels[2])


def test_filling_needs_two_slices():
    with pytest.raises(SegmentationError, match="at least two drawn slices, found 1"):
        fill_between_slices(brush(mask(), ((0.0, 0.0, 6.0),), radius_mm=12.0))


def test_air_and_bone_are_clipped_from_a_ct_mask():
    voxels = np.zeros(GRID.shape_kji, np.float32)
    voxels[..., :10], voxels[..., 30:] = -900.0, 900.0
    volume = Volume(voxels=voxels, geometry=GRID, modality=Modality.CT, unit=Unit.HU)
    full = mask(np.ones(GRID.shape_kji, bool))
    assert clip_to_tissue(full, volume).voxels[0, 0].nonzero()[0].tolist() == list(range(10, 30))
    assert clip_to_tissue(full, volume, bone=False).voxels[0, 0].nonzero()[0].tolist() == list(range(10, 40))


def test_only_ct_has_hounsfield_units_to_clip_by():
    volume = Volume(voxels=np.zeros(GRID.shape_kji), geometry=GRID, modality=Modality.MR)
    with pytest.raises(SegmentationError, match="expected a CT"):
        clip_to_tissue(ball(5.0), volume)


@pytest.mark.parametrize("radius_mm", [0.0, -1.0, float("nan")])
def test_a_brush_needs_a_radius(radius_mm):
    with pytest.raises(SegmentationError, match="radius"):
        brush(mask(), ((0.0, 0.0, 15.0),), radius_mm=radius_mm)


def test_a_brush_outside_the_image_is_refused():
    with pytest.raises(SegmentationError, match="expected a point in the image"):
        brush(mask(), ((500.0, 0.0, 15.0),), radius_mm=2.0)
