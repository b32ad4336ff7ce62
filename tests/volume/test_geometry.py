"""Where voxels are: worked by hand in LPS millimetres; a grid that is none is refused."""

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.geometry import Geometry

# Sagittal slices: i runs to posterior (+y), j to inferior (-z), k to the left (+x).
SAGITTAL = Geometry(
    shape_kji=(4, 3, 2),
    origin_mm=(10.0, 20.0, 30.0),
    spacing_mm=(0.5, 2.0, 3.0),
    direction=((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
)


def test_an_index_in_slice_row_column_order_maps_to_xyz():
    """(k, j, i) = (3, 2, 1): x = 10 + 3*3, y = 20 + 1*0.5, z = 30 - 2*2."""
    np.testing.assert_allclose(SAGITTAL.to_mm((3, 2, 1)), [19.0, 20.5, 26.0])


def test_a_point_maps_back_to_its_index_whole_or_fractional():
    np.testing.assert_allclose(SAGITTAL.to_index([19.0, 20.5, 26.0]), [3, 2, 1])
    np.testing.assert_allclose(SAGITTAL.to_index([[11.5, 20.25, 29.0]]), [[0.5, 0.5, 0.5]])


def test_voxel_volume_size_and_normal():
    assert SAGITTAL.voxel_ml == pytest.approx(0.003)
    assert SAGITTAL.size_mm == (1.0, 6.0, 12.0)
    assert SAGITTAL.normal.tolist() == [1.0, 0.0, 0.0]
    assert SAGITTAL.describe() == "2x3x4 voxels of 0.5x2x3 mm"


@pytest.mark.parametrize(("tilt_degrees", "expected"), [(0, 0), (20, 20), (160, 20), (180, 0), (90, 90)])
def test_the_angle_to_the_axial_plane_is_between_0_and_90(tilt_degrees, expected):
    c, s = np.cos(np.radians(tilt_degrees)), np.sin(np.radians(tilt_degrees))
    tilted = Geometry(
        shape_kji=(2, 2, 2),
        origin_mm=(0, 0, 0),
        spacing_mm=(1, 1, 1),
        direction=((1, 0, 0), (0, c, -s), (0, s, c)),
    )
    assert tilted.off_axial_degrees == pytest.approx(expected, abs=1e-5)


def test_a_point_counts_as_inside_up_to_the_outer_edge_of_the_voxel():
    """The first voxel's centre is at x = 10 and slices are 3 mm apart: its edge is at 8.5."""
    assert SAGITTAL.contains([[8.6, 20.0, 30.0], [8.4, 20.0, 30.0]]).tolist() == [True, False]


def test_the_eight_corners():
    corners = SAGITTAL.corners_mm()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners.min(axis=0), [10, 20, 26])
    np.testing.assert_allclose(corners.max(axis=0), [19, 20.5, 30])


def test_a_crop_keeps_its_voxels_where_they_were():
    block = SAGITTAL.crop((1, 1, 1), (2, 2, 1))
    np.testing.assert_allclose(block.to_mm((0, 0, 0)), SAGITTAL.to_mm((1, 1, 1)))
    np.testing.assert_allclose(block.to_mm((1, 1, 0)), SAGITTAL.to_mm((2, 2, 1)))


def test_a_grid_survives_its_affine():
    again = Geometry.from_affine(SAGITTAL.affine, SAGITTAL.shape_kji)
    assert again.same_grid(SAGITTAL)
    assert again.spacing_mm == pytest.approx(SAGITTAL.spacing_mm)


@pytest.mark.parametrize(("shift_mm", "same"), [(0.004, True), (0.006, False)])
def test_grids_are_the_same_within_a_hundredth_of_a_voxel(shift_mm, same):
    """The smallest spacing is 0.5 mm: 0.005 mm is the limit."""
    moved = Geometry(
        shape_kji=SAGITTAL.shape_kji,
        origin_mm=(10.0 + shift_mm, 20.0, 30.0),
        spacing_mm=SAGITTAL.spacing_mm,
        direction=SAGITTAL.direction,
    )
    assert SAGITTAL.same_grid(moved) is same


def test_a_spacing_that_is_a_little_off_is_another_grid_when_it_moves_the_far_corner():
    def grid(spacing_mm: float) -> Geometry:
        return Geometry(shape_kji=(1, 1, 512), origin_mm=(0, 0, 0), spacing_mm=(spacing_mm, 1, 1))

    assert grid(1.0).same_grid(grid(1.00001))
    assert not grid(1.0).same_grid(grid(1.0001))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spacing_mm": (1, 0, 1)}, "positive size and spacing"),
        ({"spacing_mm": (1, -1, 1)}, "positive size and spacing"),
        ({"shape_kji": (0, 1, 1)}, "positive size and spacing"),
        ({"origin_mm": (float("nan"), 0, 0)}, "finite"),
        ({"direction": ((1, 0.01, 0), (0, 1, 0), (0, 0, 1))}, "orthogonal"),
        ({"direction": ((2, 0, 0), (0, 1, 0), (0, 0, 1))}, "orthogonal"),
    ],
)
def test_what_is_no_grid_is_refused(change, words):
    values = {"shape_kji": (2, 2, 2), "origin_mm": (0.0, 0.0, 0.0), "spacing_mm": (1.0, 1.0, 1.0)}
    with pytest.raises(GeometryError, match=words):
        Geometry(**{**values, **change})


def test_an_affine_with_a_zero_axis_or_shear_is_refused():
    with pytest.raises(GeometryError, match="non-zero axes"):
        Geometry.from_affine(np.diag([1.0, 0.0, 1.0, 1.0]), (2, 2, 2))
    sheared = np.eye(4)
    sheared[0, 1] = 0.1
    with pytest.raises(GeometryError, match="orthogonal"):
        Geometry.from_affine(sheared, (2, 2, 2))
