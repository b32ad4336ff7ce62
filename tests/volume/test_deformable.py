"""Deformable transforms: the same points as ITK, an inverse that undoes them, a Jacobian that shows folds."""

import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.bspline import lattice_over
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import from_itk_deformable, to_itk_deformable
from npcpit_imaging.volume.resample import resample, resample_mask
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Volume


def turn(degrees: tuple[float, float, float]) -> np.ndarray:
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*np.radians(degrees).tolist())
    return np.array(euler.GetMatrix()).reshape(3, 3)


@pytest.fixture(scope="module")
def grid() -> Geometry:
    """An oblique, anisotropic grid."""
    affine = np.eye(4)
    affine[:3, :3] = turn((10, -20, 5)) * [1.0, 1.2, 3.0]
    affine[:3, 3] = (5, 6, 7)
    return Geometry.from_affine(affine, (20, 60, 50))


@pytest.fixture(scope="module")
def warp(grid: Geometry) -> DeformableTransform:
    lattice = lattice_over(grid, 12.0)
    noise = np.random.default_rng(0).normal(0, 1.5, (3, *lattice.shape_kji))
    rigid = RigidTransform(rotation=turn((6, 3, -4)), translation_mm=np.array([3.0, 4.0, 5.0]))
    return DeformableTransform(rigid=rigid, lattice=lattice, coefficients_mm=noise)


@pytest.fixture(scope="module")
def points(grid: Geometry) -> np.ndarray:
    index = np.random.default_rng(3).uniform(0, 1, (60, 3)) * (np.array(grid.shape_kji) - 1)
    return grid.to_mm(index)


def test_itk_maps_the_same_points(warp, points):
    """ITK's B-spline and rigid transforms, composed, agree to a nanometre, and zero outside the lattice's cells too."""
    itk = to_itk_deformable(warp)
    all_points = np.vstack([points, points + np.array([500.0, 0.0, 0.0])])
    wanted = [itk.TransformPoint(point.tolist()) for point in all_points]
    assert warp.map(all_points) == pytest.approx(np.array(wanted), abs=1e-6)


def test_a_transform_comes_back_from_itk(warp, points):
    """To ITK and back nothing moves."""
    assert from_itk_deformable(to_itk_deformable(warp)).map(points) == pytest.approx(warp.map(points), abs=1e-9)


def test_itk_transforms_composed_otherwise_are_refused():
    """Two rigid transforms after each other are not a rigid one after a B-spline."""
    other = sitk.CompositeTransform([sitk.Euler3DTransform(), sitk.AffineTransform(3)])
    with pytest.raises(GeometryError, match="expected a rigid part after a B-spline, found"):
        from_itk_deformable(other)


def test_the_inverse_undoes_it(warp, points):
    """There and back within 0.01 mm; the inverse's inverse is the transform."""
    assert warp.inverse().map(warp.map(points)) == pytest.approx(points, abs=0.01)
    assert warp.inverse().inverse() is warp


def test_the_jacobian_is_the_derivative_of_the_map(warp, grid):
    """Against central differences of the mapped points."""
    index = (10, 30, 25)
    middle, step = grid.to_mm(index), 1e-3
    columns = [(warp.map(middle + step * axis) - warp.map(middle - step * axis)) / (2 * step) for axis in np.eye(3)]
    assert warp.jacobian(grid)[index] == pytest.approx(float(np.linalg.det(np.array(columns).T)), abs=1e-4)


def test_a_fold_has_a_negative_jacobian_and_no_inverse(grid):
    """A control point thrown 60 mm over its neighbours 12 mm away folds space."""
    lattice = lattice_over(grid, 12.0)
    thrown = np.zeros((3, *lattice.shape_kji))
    thrown[0, 3, 3, 3] = 60.0
    folded = DeformableTransform(rigid=RigidTransform.identity(), lattice=lattice, coefficients_mm=thrown)
    assert folded.jacobian(grid).min() < 0
    around = grid.to_mm(np.argwhere(np.ones(grid.shape_kji, bool)))
    with pytest.raises(GeometryError, match="expected an inverse at every point, found none at"):
        folded.inverse().map(around)


def test_coefficients_must_fit_the_lattice(grid):
    """Three numbers at each control point, finite."""
    lattice = lattice_over(grid, 12.0)
    with pytest.raises(GeometryError, match="expected 3 coefficients at each of"):
        DeformableTransform(rigid=RigidTransform.identity(), lattice=lattice, coefficients_mm=np.zeros((3, 4, 4, 4)))
    with pytest.raises(GeometryError, match="finite coefficients"):
        nothing = np.full((3, *lattice.shape_kji), np.nan)
        DeformableTransform(rigid=RigidTransform.identity(), lattice=lattice, coefficients_mm=nothing)


def test_a_ball_is_carried_both_ways_to_where_its_points_go(warp, grid):
    """A ball of 12 mm radius lands on the fixed grid where `map` leads into it, and comes back as it was."""
    centre = grid.to_mm((10, 30, 25))
    voxels = grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1))
    ball = Mask(voxels=np.linalg.norm(voxels - centre, axis=-1) < 12.0, geometry=grid)
    fixed_ball = resample_mask(ball, grid, warp)
    wanted = np.linalg.norm(warp.map(voxels) - centre, axis=-1) < 12.0
    assert 2 * (wanted & fixed_ball.voxels).sum() / (wanted.sum() + fixed_ball.voxels.sum()) > 0.95
    again = resample_mask(fixed_ball, grid, warp.inverse())
    common = 2 * np.count_nonzero(again.voxels & ball.voxels) / (again.voxels.sum() + ball.voxels.sum())
    assert common > 0.95


def test_a_linear_image_shows_where_each_voxel_came_from(warp, grid):
    """An image whose value is its x position, resampled through the transform, shows the mapped points' x."""
    voxels = grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1))
    ramp = Volume(voxels=voxels[..., 0], geometry=grid)
    shown = resample(ramp, grid, warp, outside=np.nan).voxels
    wanted = warp.map(voxels)
    index = grid.to_index(wanted)
    inside = np.all((index >= 0) & (index <= np.array(grid.shape_kji) - 1), axis=-1)
    assert inside.sum() > 20_000
    assert shown[inside] == pytest.approx(wanted[inside][:, 0], abs=0.01)
