"""Rigid refinement on voxels: finer than the search, the same every time, under bias fields too."""

import numpy as np
import pytest

from npcpit_imaging.config.registration import Polish, RegistrationPlan
from npcpit_imaging.errors import RegistrationCancelledError
from npcpit_imaging.registration.brightness import matched
from npcpit_imaging.registration.polish import polished
from npcpit_imaging.registration.prepare import prepare
from npcpit_imaging.registration.search import Pair, StartResult
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Modality

GREY = RegistrationPlan(polish=Polish(enabled=True, spacings_mm=(6.0, 0.0), points=60_000))
LOCAL = RegistrationPlan(polish=Polish(enabled=True, spacings_mm=(6.0, 0.0), points=60_000, local_mm=12.0))


def pair_of(fixed, moving, plan, cancelled=lambda: False):
    return Pair(
        fixed=prepare(fixed, plan, role="fixed"),
        moving=prepare(moving, plan, role="moving"),
        plan=plan,
        cancelled=cancelled,
    )


def ended(transform, level_mm=4.0):
    return StartResult(name="made", transform=transform, metric=-1.0, overlap=1.0, level_mm=level_mm)


def off(true):
    """A transform a millimetre or two from the true one."""
    vector = np.radians((0.8, -0.5, 0.6))
    small = np.eye(3) + np.cross(np.eye(3), -vector)
    u, _, v = np.linalg.svd(small)
    return RigidTransform(
        rotation=u @ v @ true.rotation, translation_mm=true.translation_mm + np.array((1.2, -0.8, 1.0))
    )


def error_mm(found, true, image):
    side = np.linspace(-60, 60, 5)
    points = np.stack(np.meshgrid(side, side, side), -1).reshape(-1, 3)
    points = points[image.geometry.contains(points)]
    return float(np.linalg.norm(found.map(points) - true.map(points), axis=1).mean())


def test_a_ct_is_refined_to_a_fortieth_of_a_voxel(baseline, follow_up, phantom):
    """From 1.9 mm off; voxels are 3 and 2.6 x 2.6 x 4 mm."""
    start = off(phantom.motion)
    assert error_mm(start, phantom.motion, follow_up) > 1.5
    (found,) = polished(pair_of(follow_up, baseline, GREY), [ended(start)])
    assert error_mm(found.transform, phantom.motion, follow_up) < 0.075


def test_the_same_pair_gives_the_same_bits_twice(baseline, follow_up, phantom):
    """No sample points, no sum in an order that threads decide."""
    pair = pair_of(follow_up, baseline, GREY)
    one, two = (polished(pair, [ended(off(phantom.motion))])[0].transform for _ in range(2))
    assert one.rotation.tobytes() == two.rotation.tobytes()
    assert one.translation_mm.tobytes() == two.translation_mm.tobytes()


@pytest.fixture(scope="module")
def heads(phantom):
    """An MR of the head, and one of another day under a bias field of +/- 30 %."""
    plain = phantom.scanned(phantom.grid((48, 56, 56), (3.5, 3.5, 4.0)), modality=Modality.MR, noise=15)
    other = phantom.scanned(
        phantom.grid((44, 54, 52), (3.8, 3.6, 4.4)), motion=phantom.motion, modality=Modality.MR, noise=15, seed=6
    )
    x = np.linspace(0.7, 1.3, other.voxels.shape[2], dtype=np.float32)
    return plain, other.__class__(voxels=other.voxels * x, geometry=other.geometry, modality=other.modality)


def test_a_bias_field_is_fitted_locally(heads, phantom):
    """The local fit is the more exact by far."""
    plain, biased = heads
    start = ended(off(phantom.motion))
    local, whole = (polished(pair_of(biased, plain, plan), [start])[0].transform for plan in (LOCAL, GREY))
    assert error_mm(local, phantom.motion, biased) < 0.15
    assert error_mm(local, phantom.motion, biased) < 0.7 * error_mm(whole, phantom.motion, biased)


def test_local_brightness_is_the_scale_and_offset_that_was_put_in(phantom):
    """fixed = 1.5 x moving + 20, without noise, everywhere: the fit says so within 1 %."""
    volume = phantom.scanned(phantom.grid((20, 30, 30), (6.0, 6.0, 6.0)), modality=Modality.MR, noise=0.0)
    body = np.ones(volume.voxels.shape, bool)
    found = matched(
        (1.5 * volume.voxels + 20, volume.geometry, body),
        (volume.voxels, volume.geometry),
        RigidTransform.identity(),
        reach_mm=12.0,
    )
    fitted = found.scale * volume.voxels + found.offset
    assert np.abs(fitted - (1.5 * volume.voxels + 20)).mean() < 0.01 * 1.5 * volume.voxels.std()


def test_a_refinement_that_leads_far_off_is_not_believed(baseline, follow_up, phantom):
    """Half a millimetre is allowed and two would be needed: the search's own result stays."""
    plan = GREY.model_copy(update={"polish": GREY.polish.model_copy(update={"farthest_mm": 0.5})})
    start = off(phantom.motion)
    (found,) = polished(pair_of(follow_up, baseline, plan), [ended(start)])
    assert found.transform is start


def test_cancel_stops_the_refinement(baseline, follow_up, phantom):
    with pytest.raises(RegistrationCancelledError, match="during the rigid refinement"):
        polished(pair_of(follow_up, baseline, GREY, cancelled=lambda: True), [ended(phantom.motion)])
