"""What is carried there and back is where it was; its uncertainty is the results' own disagreement."""

from dataclasses import replace

import numpy as np
import pytest

from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.propagate import (
    Box,
    Direction,
    propagate_box,
    propagate_line,
    propagate_mask,
    propagate_point,
    uncertainty_mm,
)
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask

BASELINE_POINT = (20.0, -30.0, 12.0)


@pytest.fixture
def rejected(aligned):
    return replace(aligned, quality=replace(aligned.quality, verdict=Verdict.REJECT, reasons=("overlap: small",)))


def test_a_baseline_seed_lands_where_the_motion_put_it(aligned, phantom):
    carried = propagate_point(BASELINE_POINT, aligned)
    assert carried.value == pytest.approx(phantom.motion.inverse().map(BASELINE_POINT), abs=0.5)
    assert not carried.hint_only
    assert carried.uncertainty_mm == aligned.plan.uncertainty_floor_mm


def test_a_point_there_and_back_is_the_same_point(aligned):
    there = propagate_point(BASELINE_POINT, aligned, Direction.TO_FIXED).value
    assert propagate_point(there, aligned, Direction.TO_MOVING).value == pytest.approx(BASELINE_POINT, abs=1e-9)


def test_a_line_keeps_its_length(aligned):
    line = Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(12.0, -16.0, 9.0))
    carried = propagate_line(line, aligned).value
    assert carried.length_mm == pytest.approx(line.length_mm, abs=1e-9)
    assert carried.start_mm == pytest.approx(propagate_point((0.0, 0.0, 0.0), aligned).value, abs=1e-12)


def test_a_box_turned_by_45_degrees_grows_by_root_two(aligned, phantom):
    turned = phantom.rigid((0, 0, 45))
    around_z = replace(aligned, transform=turned, reverse=turned.inverse(), starts=aligned.starts[:1])
    carried = propagate_box(Box(low_mm=(-10.0, -10.0, -3.0), high_mm=(10.0, 10.0, 3.0)), around_z).value
    side = 10 * np.sqrt(2)
    assert carried.low_mm == pytest.approx((-side, -side, -3.0))
    assert carried.high_mm == pytest.approx((side, side, 3.0))


def test_a_mask_is_carried_onto_the_other_grid_with_its_volume_and_place(aligned, baseline, follow_up, phantom):
    points = baseline.geometry.to_mm(np.indices(baseline.geometry.shape_kji).transpose(1, 2, 3, 0))
    ball = Mask(voxels=np.linalg.norm(points - BASELINE_POINT, axis=-1) <= 20, geometry=baseline.geometry, label="T01")
    carried = propagate_mask(ball, follow_up.geometry, aligned).value
    assert carried.geometry.same_grid(follow_up.geometry)
    assert carried.label == "T01"
    assert carried.volume_ml == pytest.approx(4 / 3 * np.pi * 2.0**3, rel=0.05)
    centre = carried.geometry.to_mm(np.argwhere(carried.voxels).mean(axis=0))
    assert centre == pytest.approx(phantom.motion.inverse().map(BASELINE_POINT), abs=0.7)


def test_uncertainty_is_the_distance_to_the_independent_reverse(aligned):
    """A reverse that is 7 mm off along x makes every seed uncertain by 7 mm, and a hint."""
    off = RigidTransform(rotation=np.eye(3), translation_mm=np.array([7.0, 0.0, 0.0]))
    doubtful = replace(aligned, transform=RigidTransform.identity(), reverse=off, starts=aligned.starts[:1])
    for direction in Direction:
        assert uncertainty_mm(doubtful, [BASELINE_POINT], direction) == pytest.approx(7.0)
    assert propagate_point(BASELINE_POINT, doubtful).hint_only


def test_a_rejected_registration_carries_nothing_unless_a_reader_overrules(rejected):
    with pytest.raises(RegistrationError, match="not rejected, found overlap: small"):
        propagate_point(BASELINE_POINT, rejected)
    assert propagate_point(BASELINE_POINT, rejected, overruled=True).hint_only


def test_an_empty_mask_is_refused(aligned, baseline, follow_up):
    empty = Mask(voxels=np.zeros(baseline.geometry.shape_kji, bool), geometry=baseline.geometry, label="T02")
    with pytest.raises(RegistrationError, match="'T02': expected voxels to carry, found an empty mask"):
        propagate_mask(empty, follow_up.geometry, aligned)
