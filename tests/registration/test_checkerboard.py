"""The check figure's arrays: the point in the middle, patient directions on screen, tiles in turn."""

import numpy as np
import pytest

from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.checkerboard import check_planes, checkerboard
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Volume


def test_tiles_alternate_from_the_top_left():
    board = checkerboard(np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32), 2)
    assert board.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]


def test_planes_show_the_patient_the_right_way_round():
    """A bright block Left, Posterior and Superior of the point: right on screen, and below (axial) or above it."""
    voxels = np.zeros((41, 41, 41), np.float32)
    voxels[30:35, 30:35, 30:35] = 100.0
    geometry = Geometry(shape_kji=(41, 41, 41), origin_mm=(-20.0, -20.0, -20.0), spacing_mm=(1.0, 1.0, 1.0))
    volume = Volume(voxels=voxels, geometry=geometry)
    planes = check_planes(volume, volume, RigidTransform.identity(), (12.0, 12.0, 12.0), half_width_mm=20.0)
    assert [plane.name for plane in planes] == ["axial", "coronal", "sagittal"]
    seen = check_planes(volume, volume, RigidTransform.identity(), (0.0, 0.0, 12.0), half_width_mm=20.0)[0]
    assert seen.fixed.shape == (41, 41)
    assert seen.extent_mm == (-20.5, 20.5, 20.5, -20.5)
    rows, columns = np.nonzero(seen.fixed > 0.5)
    assert (rows.mean(), columns.mean()) == (32.0, 32.0)
    coronal = check_planes(volume, volume, RigidTransform.identity(), (0.0, 12.0, 0.0), half_width_mm=20.0)[1]
    rows, columns = np.nonzero(coronal.fixed > 0.5)
    assert (rows.mean(), columns.mean()) == (8.0, 32.0)
    sagittal = check_planes(volume, volume, RigidTransform.identity(), (12.0, 0.0, 0.0), half_width_mm=20.0)[2]
    rows, columns = np.nonzero(sagittal.fixed > 0.5)
    assert (rows.mean(), columns.mean()) == (8.0, 32.0)


def test_after_alignment_both_images_agree_and_before_they_do_not(aligned, baseline, follow_up):
    after = check_planes(follow_up, baseline, aligned.transform, (0.0, 0.0, 0.0))
    before = check_planes(follow_up, baseline, RigidTransform.identity(), (0.0, 0.0, 0.0))
    for plane, earlier in zip(after, before, strict=True):
        assert np.abs(plane.fixed - plane.moving).mean() < 0.5 * np.abs(earlier.fixed - earlier.moving).mean()
        assert plane.board.dtype == np.float32
        assert 0 <= plane.board.min() <= plane.board.max() <= 1


def test_a_point_outside_the_fixed_image_is_refused(baseline):
    with pytest.raises(RegistrationError, match="inside the fixed image"):
        check_planes(baseline, baseline, RigidTransform.identity(), (999.0, 0.0, 0.0))


def test_edges_of_the_fixed_image_lie_on_the_moving_ones_after_alignment(aligned, baseline, follow_up):
    """Where the follow-up has an edge, the moved baseline is steep: far more so than as acquired."""
    after = check_planes(follow_up, baseline, aligned.transform, (0.0, 0.0, 0.0))
    before = check_planes(follow_up, baseline, RigidTransform.identity(), (0.0, 0.0, 0.0))
    for plane, earlier in zip(after, before, strict=True):
        steep, steep_before = (np.hypot(*np.gradient(each.moving)) for each in (plane, earlier))
        assert 0.005 < plane.edges.mean() < 0.2, "lines, not areas"
        assert steep[plane.edges].mean() > 1.5 * steep_before[earlier.edges].mean()


def test_a_lesion_is_carried_as_the_image_is(aligned, baseline, follow_up, phantom):
    """A ball at the baseline lands at its true place in every plane; without a lesion nothing is drawn."""
    centre = np.array([24.0, -20.0, 36.0])
    points = baseline.geometry.to_mm(np.moveaxis(np.indices(baseline.geometry.shape_kji), 0, -1))
    ball = Mask(voxels=np.linalg.norm(points - centre, axis=-1) < 12.0, geometry=baseline.geometry)
    there = phantom.motion.inverse().map(centre)
    for plane in check_planes(follow_up, baseline, aligned.transform, there, lesion=ball):
        rows, columns = np.nonzero(plane.lesion)
        assert (rows.mean(), columns.mean()) == pytest.approx((80.0, 80.0), abs=1.5)
        assert plane.lesion.sum() == pytest.approx(np.pi * 12.0**2, rel=0.15)
    assert not any(plane.lesion.any() for plane in check_planes(follow_up, baseline, aligned.transform, there))
