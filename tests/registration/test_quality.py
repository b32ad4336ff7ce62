"""Good registrations are accepted, bad ones are not, and the reason names the number."""

from dataclasses import replace

import numpy as np
import pytest

from npcpit_imaging.config.registration import QualityLimits
from npcpit_imaging.registration.align import align
from npcpit_imaging.registration.likeness import local_correlation, normalised_mutual_information
from npcpit_imaging.registration.quality import RegistrationNumbers, Verdict, judge
from npcpit_imaging.volume.volume import Volume

FINE = RegistrationNumbers(
    inverse_consistency_mm=1.0,
    agreement_mm=0.5,
    overlap=0.9,
    common_ml=3000.0,
    similarity=0.9,
    mutual_information=0.4,
    mirror_ratio=0.3,
    rotation_degrees=5.0,
    displacement_mm=10.0,
    metric=-1.0,
    points=4,
    points_outside=0,
)


def test_numbers_within_every_limit_are_accepted():
    quality = judge(FINE, QualityLimits())
    assert (quality.verdict, quality.reasons) == (Verdict.ACCEPT, ())
    assert quality.uncertainty_mm == 1.0


@pytest.mark.parametrize("name", list(QualityLimits.model_fields))
def test_each_number_alone_warns_and_rejects(name):
    limits = QualityLimits()
    bound = getattr(limits, name)
    step = 1e-6 if bound.reject > bound.warn else -1e-6
    at_warn = judge(replace(FINE, **{name: bound.warn}), limits)
    past_warn = judge(replace(FINE, **{name: bound.warn + step}), limits)
    past_reject = judge(replace(FINE, **{name: bound.reject + step}), limits)
    assert at_warn.verdict is Verdict.ACCEPT
    assert past_warn.verdict is Verdict.WARN
    assert past_reject.verdict is Verdict.REJECT
    assert past_reject.reasons[0].startswith(name.replace("_", "-"))


@pytest.mark.parametrize("name", ["inverse_consistency_mm", "overlap", "mirror_ratio"])
def test_a_number_that_could_not_be_measured_rejects(name):
    assert judge(replace(FINE, **{name: float("nan")}), QualityLimits()).verdict is Verdict.REJECT


def test_a_lesion_that_leaves_the_follow_up_warns():
    quality = judge(replace(FINE, points_outside=1), QualityLimits())
    assert quality.verdict is Verdict.WARN
    assert quality.reasons == ("point-outside: 1 of 4 points leave the fixed image",)


def test_the_gravest_reason_comes_first():
    quality = judge(replace(FINE, rotation_degrees=25.0, overlap=0.01), QualityLimits())
    assert quality.verdict is Verdict.REJECT
    assert [reason.split(":")[0] for reason in quality.reasons] == ["overlap", "rotation-degrees"]


def test_a_lesion_outside_the_follow_up_is_told_by_align(follow_up, baseline, plan, phantom):
    inside, outside = phantom.motion.map([[0, 0, 0], [0, 0, 150.0]])
    quality = align(follow_up, baseline, plan, points_mm=[inside, outside]).quality
    assert (quality.numbers.points, quality.numbers.points_outside) == (2, 1)
    assert quality.verdict is Verdict.WARN


def test_a_left_right_mirrored_head_is_not_accepted(baseline, plan, phantom):
    mirrored = phantom.scanned(phantom.grid((50, 60, 60), (3, 3, 3.6)), motion=phantom.motion, mirror=True, seed=5)
    quality = align(mirrored, baseline, plan).quality
    assert quality.verdict is not Verdict.ACCEPT
    assert any(reason.startswith("mirror-ratio") for reason in quality.reasons)


def test_two_parts_of_the_head_that_share_nothing_are_not_accepted(plan, phantom):
    top = phantom.scanned(phantom.grid((20, 60, 60), (3, 3, 3), centre=(0, 0, 55)), seed=6)
    jaw = phantom.scanned(phantom.grid((20, 60, 60), (3, 3, 3), centre=(0, 0, -50)), seed=7)
    assert align(top, jaw, plan).quality.verdict is not Verdict.ACCEPT


def test_noise_against_a_head_is_rejected(baseline, plan):
    rng = np.random.default_rng(8)
    noise = rng.normal(40, 100, baseline.voxels.shape).astype(np.float32)
    noise[baseline.voxels < -500] = -1000
    other = Volume(voxels=np.roll(noise, 9, axis=1), geometry=baseline.geometry, modality=baseline.modality)
    assert align(other, baseline, plan).quality.verdict is Verdict.REJECT


def test_local_correlation_is_one_for_any_local_line_and_small_for_noise():
    rng = np.random.default_rng(9)
    one = rng.normal(0, 1, (16, 16, 16))
    mask = np.ones(one.shape, bool)
    assert local_correlation(one, -3 * one + 7, mask) == pytest.approx(1.0, abs=0.05)
    assert local_correlation(one, rng.normal(0, 1, one.shape), mask) < 0.05
    assert local_correlation(one, np.zeros(one.shape), mask) == 0.0


def test_mutual_information_of_two_equal_halves():
    """A fair bit against itself shares all of it, against an independent bit none (Shannon)."""
    one = np.array([0.0, 0, 1, 1] * 25)
    assert normalised_mutual_information(one, one) == pytest.approx(1.0)
    assert normalised_mutual_information(one, 1 - one) == pytest.approx(1.0)
    assert normalised_mutual_information(one, np.array([0.0, 1, 0, 1] * 25)) == pytest.approx(0.0, abs=1e-12)
    assert normalised_mutual_information(np.ones(9), np.ones(9)) == 0.0
