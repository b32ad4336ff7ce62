"""Deformable refinement of a phantom that was bent by a known amount."""

from dataclasses import replace

import numpy as np
import pytest

from npcpit_imaging.config.registration import Deformable, DeformableLevel, RegistrationPlan
from npcpit_imaging.errors import RegistrationCancelledError
from npcpit_imaging.registration.align import align
from npcpit_imaging.registration.assess import assess_refined
from npcpit_imaging.registration.deform import deform
from npcpit_imaging.registration.normalise import normalised
from npcpit_imaging.registration.penalty import Penalty
from npcpit_imaging.registration.prepare import prepare
from npcpit_imaging.registration.propagate import Direction, propagate_mask, propagate_point
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.registration.search import Pair
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

LEVELS = (DeformableLevel(spacing_mm=8.0, iterations=10), DeformableLevel(spacing_mm=4.0, iterations=10))
PLAN = RegistrationPlan(deformable=Deformable(enabled=True, control_spacing_mm=24.0, local_mm=0.0, levels=LEVELS))


def bend(points):
    """A smooth bend of the head: up to 4 mm forwards and 3 mm upwards, over a wavelength of about 190 mm."""
    x, y, z = np.moveaxis(points, -1, 0)
    shift = [0.0 * x, 4.0 * np.sin(z / 30.0) * np.exp(-((x / 80.0) ** 2)), 3.0 * np.sin(y / 30.0)]
    return points + np.stack(shift, axis=-1)


class Bent:
    """The phantom's motion: bent, then moved rigidly."""

    def __init__(self, motion):
        self.motion = motion

    def map(self, points):
        return self.motion.map(bend(np.asarray(points, float)))


@pytest.fixture(scope="module")
def true(phantom):
    return Bent(phantom.motion)


@pytest.fixture(scope="module")
def bent(phantom, true):
    """The follow-up of a patient who holds the head otherwise."""
    return phantom.scanned(phantom.grid((44, 60, 58), (3.2, 3.2, 4.4), uid="1.2.9"), motion=true, seed=3)


@pytest.fixture(scope="module")
def refined(bent, baseline):
    return align(bent, baseline, PLAN)


@pytest.fixture(scope="module")
def pair(bent, baseline):
    return Pair(
        fixed=prepare(bent, PLAN, role="fixed"),
        moving=prepare(baseline, PLAN, role="moving"),
        plan=PLAN,
        cancelled=lambda: False,
    )


def errors_mm(found, true, image):
    """Distance from the truth at the body's voxels."""
    body = prepare(image, PLAN, role="fixed").body
    points = body.geometry.to_mm(np.argwhere(body.voxels))
    return np.linalg.norm(found.map(points) - true.map(points), axis=1)


def test_refinement_follows_a_bend_that_a_rigid_transform_cannot(refined, true, bent):
    """The mean error falls to less than half of the rigid one (4.7 mm), and well below a voxel of 3.2 mm."""
    rigid, deformed = errors_mm(refined.rigid, true, bent), errors_mm(refined.transform, true, bent)
    assert deformed.mean() < 2.2
    assert deformed.mean() < 0.5 * rigid.mean()
    assert refined.quality.verdict is not Verdict.REJECT


def test_its_quality_says_that_nothing_folds_and_how_far_it_went(refined):
    """The bend is up to 5 mm; the smallest determinant stays well above nought."""
    numbers = refined.quality.numbers
    assert 0.3 < numbers.jacobian_min < 1.0
    assert 2.0 < numbers.deformation_mm < 12.0
    assert numbers.inverse_consistency_mm < 4.0


def test_the_same_pair_gives_the_same_bits_twice(refined, pair):
    """Nothing is sampled by chance in the refinement."""
    again = deform(pair, refined.rigid, PLAN.deformable, lambda fraction, text: None)
    assert np.array_equal(again.coefficients_mm, refined.transform.coefficients_mm)


def test_a_seed_and_a_mask_follow_the_bend_both_ways(refined, true, bent, baseline):
    """A seed goes to the moving image and back within 0.1 mm; a ball lands about its true place (Dice >= 0.85)."""
    seed = (10.0, -20.0, 15.0)
    there = propagate_point(seed, refined, Direction.TO_MOVING)
    assert there.value == pytest.approx(true.map(np.array(seed)), abs=1.5)
    assert propagate_point(there.value, refined, Direction.TO_FIXED).value == pytest.approx(seed, abs=0.1)
    centre = true.map(np.array(seed))
    ball = Mask(voxels=_ball(baseline.geometry, lambda points: points, centre), geometry=baseline.geometry)
    wanted = _ball(bent.geometry, true.map, centre)
    carried = propagate_mask(ball, bent.geometry, refined).value.voxels
    assert 2 * (wanted & carried).sum() / (wanted.sum() + carried.sum()) >= 0.85


def _ball(geometry, mapped, centre):
    points = mapped(geometry.to_mm(np.moveaxis(np.indices(geometry.shape_kji), 0, -1)))
    return np.linalg.norm(points - centre, axis=-1) < 14.0


def test_cancel_stops_the_refinement(refined, pair):
    """Once the refinement has begun, the next step sees the wish."""
    stopped = replace(pair, cancelled=lambda: True)
    with pytest.raises(RegistrationCancelledError, match="during the deformable refinement"):
        deform(stopped, refined.rigid, PLAN.deformable, lambda fraction, text: None)


def test_a_transform_that_folds_is_rejected_with_its_reason(refined, pair):
    """One control point thrown over its neighbours: rejected, and nothing may be propagated with it."""
    thrown = refined.transform.coefficients_mm.copy()
    middle = tuple(size // 2 for size in thrown.shape[1:])
    thrown[(0, *middle)] += 150.0
    folded = DeformableTransform(rigid=refined.rigid, lattice=refined.transform.lattice, coefficients_mm=thrown)
    points = pair.moving.body_points_mm
    quality = assess_refined(pair, refined.quality, (folded, refined.reverse), rivals=refined.rivals, points_mm=points)
    assert quality.verdict is Verdict.REJECT
    assert any(reason.startswith("jacobian-min: expected at least 0.05, found -") for reason in quality.reasons)


def test_local_normalisation_takes_away_a_bias_field(phantom):
    """An image times a slowly varying field looks the same after normalisation, within a few percent of its spread."""
    grid = phantom.grid((20, 40, 40), (4.0, 4.0, 4.0))
    rng = np.random.default_rng(2)
    image = rng.uniform(50, 150, grid.shape_kji).astype(np.float32)
    x = np.arange(40, dtype=np.float32)
    biased = image * (1.0 + 0.3 * x / 40.0)[None, None, :]
    body = np.ones(grid.shape_kji, bool)
    one, other = normalised((image, biased), body, grid, 8.0)
    assert np.abs(one - other).mean() < 0.1 * one.std()


def test_what_only_one_image_shows_leaves_the_grey_values_of_both_alike(phantom):
    """One image goes on, very bright, where the other ends: where both show the body they stay the same to the bit."""
    grid = phantom.grid((20, 40, 40), (4.0, 4.0, 4.0))
    image = np.random.default_rng(2).uniform(50, 150, grid.shape_kji).astype(np.float32)
    longer = image.copy()
    longer[12:] += 1000.0
    common = np.zeros(grid.shape_kji, bool)
    common[:12] = True
    for local_mm in (0.0, 8.0):
        one, other = normalised((image, longer), common, grid, local_mm)
        assert np.array_equal(one[common], other[common])


def test_noise_does_not_push_the_end_slices_of_even_tissue():
    """An even cylinder, cut by both ends of the image, noise on the follow-up alone: its end slices stay.

    Mean over an end slice: 0.06 mm; 0.6 with the noisy image's gradient on every level, 0.9 with one-sided differences
    at the ends too, both of which hold the noise that the residual holds.
    """
    grid = Geometry(shape_kji=(16, 72, 72), origin_mm=(-71.0, -71.0, -30.0), spacing_mm=(2.0, 2.0, 4.0))
    x, y, _ = np.moveaxis(grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1)), -1, 0)
    even = np.where(np.hypot(x, y) < 60.0, 60.0, -1000.0)
    noisy = even + np.random.default_rng(5).normal(0.0, 60.0, even.shape)
    levels = (DeformableLevel(spacing_mm=4.0, iterations=10), DeformableLevel(spacing_mm=2.0, iterations=8))
    plan = PLAN.model_copy(update={"deformable": Deformable(enabled=True, bending=0.01, levels=levels)})
    fixed, moving = (_ct(voxels, grid) for voxels in (noisy, even))
    pair = Pair(
        fixed=prepare(fixed, plan, role="fixed"),
        moving=prepare(moving, plan, role="moving"),
        plan=plan,
        cancelled=lambda: False,
    )
    found = deform(pair, RigidTransform.identity(), plan.deformable, lambda fraction, text: None)
    inner = np.argwhere(np.hypot(x, y) < 48.0)
    for end in (0, 15):
        moved = found.displacement_mm(grid.to_mm(inner[inner[:, 0] == end]))
        assert abs(float(moved[:, 2].mean())) < 0.2


def _ct(voxels, grid):
    return Volume(voxels=voxels.astype(np.float32), geometry=grid, modality=Modality.CT, unit=Unit.HU)


def test_bending_costs_nothing_for_a_plane_and_the_gradient_is_symmetric():
    """Second differences of a plane are nought; <P a, b> = <a, P b>."""
    k, j, i = np.indices((6, 7, 8), dtype=np.float32)
    plane = np.stack([k + 2 * j - i] * 3)
    assert Penalty(bending=1.0, size=0.0)(plane) == pytest.approx(0.0, abs=1e-4)
    rng = np.random.default_rng(4)
    one, other = (rng.normal(size=(3, 6, 7, 8)).astype(np.float32) for _ in range(2))
    penalty = Penalty(bending=0.3, size=0.1)
    assert float((penalty(one) * other).sum()) == pytest.approx(float((one * penalty(other)).sum()), rel=1e-3)
    assert float((penalty(one) * one).sum()) > 0
