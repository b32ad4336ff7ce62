"""Mask editing: millimetres stay millimetres on anisotropic voxels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

NOTE = Finding(code="seg-fractional", severity=Severity.WARNING, text="cut at 0.5")
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
    assert clip_to_tissue(full, volume, high_hu=None).voxels[0, 0].nonzero()[0].tolist() == list(range(10, 40))
    assert clip_to_tissue(full, volume, low_hu=None).voxels[0, 0].nonzero()[0].tolist() == list(range(30))
    assert clip_to_tissue(full, volume, high_hu=900.0).voxels[0, 0].nonzero()[0].tolist() == list(range(10, 40))


def test_only_ct_has_hounsfield_units_to_clip_by():
    volume = Volume(voxels=np.zeros(GRID.shape_kji), geometry=GRID, modality=Modality.MR)
    with pytest.raises(SegmentationError, match="expected a CT"):
        clip_to_tissue(ball(5.0), volume)


@pytest.mark.parametrize("radius_mm", [0.0, -1.0, float("nan"), float("inf")])
def test_a_brush_needs_a_radius(radius_mm):
    with pytest.raises(SegmentationError, match="radius"):
        brush(mask(), ((0.0, 0.0, 15.0),), radius_mm=radius_mm)


def test_a_brush_outside_the_image_is_refused():
    with pytest.raises(SegmentationError, match="expected a point in the image"):
        brush(mask(), ((500.0, 0.0, 15.0),), radius_mm=2.0)


def test_a_stroke_is_drawn_between_its_points():
    """From x = -10 to 10 with a radius of 2: 21 x 5 pixels, and beyond each end column the 3 + 1 of a half disc."""
    painted = brush(mask(), ((-10.0, 0.0, 15.0), (10.0, 0.0, 15.0)), radius_mm=2.0)
    assert painted.voxels.sum() == 21 * 5 + 2 * (3 + 1)
    assert painted.voxels[5, 20, 8:33].all()


def test_a_brush_smaller_than_a_pixel_paints_the_pixels_it_runs_through():
    painted = brush(mask(), ((0.4, 0.4, 15.0), (3.4, 0.4, 15.0)), radius_mm=0.1)
    assert np.argwhere(painted.voxels).tolist() == [[5, 20, i] for i in (20, 21, 22, 23)]


def test_a_stroke_over_the_border_paints_what_is_inside():
    painted = brush(mask(), ((-30.0, 0.0, 15.0), (-18.0, 0.0, 15.0)), radius_mm=1.0)
    assert np.flatnonzero(painted.voxels[5, 20]).tolist() == [0, 1, 2, 3]


def test_a_flat_stroke_through_several_slices_is_refused():
    with pytest.raises(SegmentationError, match=r"in one slice, found slices 5\.0 to 6\.0"):
        brush(mask(), ((0.0, 0.0, 15.0), (0.0, 0.0, 18.0)), radius_mm=1.0)


@pytest.mark.parametrize("points", [(), ((float("nan"), 0.0, 15.0),)])
def test_a_stroke_needs_points(points):
    with pytest.raises(SegmentationError, match="expected at least one point"):
        brush(mask(), points, radius_mm=1.0)


ROTATED = Geometry(
    shape_kji=(7, 16, 20),
    origin_mm=(5.0, -7.0, 30.0),
    spacing_mm=(0.9, 1.3, 2.7),
    direction=((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, -1.0)),  # left-handed, as a feet-first stack may be
)
coordinate = st.floats(-3.0, 22.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=4), st.floats(1.5, 9.0))
def test_a_ball_stroke_is_every_voxel_within_the_radius_of_the_line(index, radius_mm):
    """Against the distance of every voxel to every segment in patient space; a voxel the line runs through counts."""
    points = ROTATED.to_mm([(k / 3, j, i) for k, j, i in index])
    voxels = ROTATED.to_mm(np.argwhere(np.ones(ROTATED.shape_kji, bool)))
    nearest = np.full(len(voxels), np.inf)
    for one, other in zip(points, points[1:] if len(points) > 1 else points, strict=False):
        along = other - one
        share = np.clip((voxels - one) @ along / max(along @ along, 1e-30), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(voxels - one - share[:, None] * along, axis=1))
    empty = Mask(voxels=np.zeros(ROTATED.shape_kji, bool), geometry=ROTATED)
    sure, never = nearest < radius_mm - 1e-5, nearest > radius_mm + 1e-5
    try:
        painted = brush(empty, tuple(map(tuple, points)), radius_mm=radius_mm, in_slice=False).voxels.ravel()
    except SegmentationError:
        assert not sure.any()
        return
    half_diagonal_mm = math.hypot(0.9, 1.3, 2.7) / 2
    assert painted[sure].all()
    assert not painted[never & (nearest > half_diagonal_mm)].any()
    assert not painted[never].any() or radius_mm < half_diagonal_mm


def test_slices_between_discs_that_do_not_overlap_lie_between_them():
    """An oblique cylinder of radius 5: centres at x = -12 and 12, four slices apart; in the middle x = 0."""
    drawn = brush(mask(), ((-12.0, 0.0, 6.0),), radius_mm=5.0)
    filled = fill_between_slices(brush(drawn, ((12.0, 0.0, 18.0),), radius_mm=5.0))
    for k, x in ((3, -6.0), (4, 0.0), (5, 6.0)):
        expected = brush(mask(), ((x, 0.0, 3.0 * k),), radius_mm=5.0).voxels[k]
        assert np.array_equal(filled.voxels[k], expected)


def test_filling_is_in_mm_in_the_plane():
    """Ellipses in pixels of 0.5 x 2 mm that are circles in mm: half-way between radius 8 and 4 lies radius 6."""
    geometry = Geometry(shape_kji=(3, 25, 100), origin_mm=(-25.0, -25.0, 0.0), spacing_mm=(0.5, 2.0, 5.0))
    empty = Mask(voxels=np.zeros(geometry.shape_kji, bool), geometry=geometry)
    drawn = brush(empty, ((0.0, 0.0, 0.0),), radius_mm=8.0)
    filled = fill_between_slices(brush(drawn, ((0.0, 0.0, 10.0),), radius_mm=4.0))
    assert filled.voxels[1].sum() * 0.5 * 2.0 == pytest.approx(math.pi * 6.0**2, rel=0.05)


def test_between_chosen_key_slices_what_was_there_is_replaced():
    drawn = mask()
    for k, radius_mm in ((2, 6.0), (3, 15.0), (4, 6.0), (8, 3.0)):
        drawn = brush(drawn, ((0.0, 0.0, 3.0 * k),), radius_mm=radius_mm)
    filled = fill_between_slices(drawn, key_slices=(2, 4))
    assert np.array_equal(filled.voxels[3], filled.voxels[2])
    assert not filled.voxels[5:8].any()
    assert np.array_equal(filled.voxels[8], drawn.voxels[8])


@pytest.mark.parametrize("keys", [(2, 6), (2, 99), (-1, 2)])
def test_a_key_slice_without_an_outline_is_refused(keys):
    with pytest.raises(SegmentationError, match="expected key slices with an outline"):
        fill_between_slices(ball(8.0), key_slices=keys)


def test_growing_and_shrinking_are_exact_on_voxels_of_seven_tenths():
    """3 x 0.7 mm is not quite 2.1 in floating point; the third voxel belongs to a growth of 2.1 mm all the same."""
    geometry = Geometry(shape_kji=(1, 1, 21), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(0.7, 0.7, 1.0))
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[0, 0, 8:13] = True
    grown = grow(Mask(voxels=voxels, geometry=geometry), 2.1)
    assert np.flatnonzero(grown.voxels).tolist() == list(range(5, 16))
    assert np.flatnonzero(grow(grown, -2.1).voxels).tolist() == list(range(8, 13))


@pytest.mark.parametrize(
    "edit", [lambda m: grow(m, -20.0), lambda m: smooth(m, radius_mm=30.0), lambda m: grow(m, float("nan"))]
)
def test_an_edit_that_would_leave_nothing_is_refused(edit):
    with pytest.raises(SegmentationError, match="expected"):
        edit(ball(6.0))


def test_a_lesion_of_one_slice_is_smoothed_in_its_slice():
    drawn = brush(mask(), ((0.0, 0.0, 15.0),), radius_mm=8.0)
    with pytest.raises(SegmentationError, match="nothing"):
        smooth(drawn, radius_mm=4.0)
    rounded = smooth(drawn, radius_mm=2.0, in_slice=True)
    assert np.flatnonzero(rounded.voxels.any(axis=(1, 2))).tolist() == [5]
    assert rounded.voxels.sum() == pytest.approx(drawn.voxels.sum(), rel=0.08)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: grow(m, 2.0),
        lambda m: smooth(m, radius_mm=2.0),
        largest_component,
        lambda m: erase(m, ((0.0, 0.0, 15.0),), radius_mm=1.0),
    ],
)
def test_an_empty_mask_stays_empty(edit):
    assert not edit(mask()).voxels.any()


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: brush(m, ((0.0, 0.0, 15.0),), radius_mm=3.0),
        lambda m: erase(m, ((0.0, 0.0, 15.0),), radius_mm=3.0),
        lambda m: grow(m, 2.0),
        lambda m: grow(m, -2.0),
        lambda m: smooth(m, radius_mm=1.0),
        fill_between_slices,
        largest_component,
    ],
)
def test_grid_label_findings_and_type_stay(edit):
    start = Mask(voxels=ball(9.0).voxels, geometry=GRID, label="T01", findings=(NOTE,))
    edited = edit(start)
    assert edited.geometry is GRID
    assert (edited.label, edited.findings, edited.voxels.dtype) == ("T01", (NOTE,), np.bool_)
    assert not edited.voxels.flags.writeable
