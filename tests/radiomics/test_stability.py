"""ICC against the example of Shrout and Fleiss (1979); perturbations that are what they say."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.icc import icc_2_1, icc_3_1
from npcpit_imaging.radiomics.perturb import Limits, Perturbation, draw, noise_of, perturb
from npcpit_imaging.radiomics.stability import block_around, perturbed_tables, stability

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
"""Table 2 of the paper: 6 targets, 4 judges."""


def test_icc_2_1_is_the_published_0_29():
    """Table 4 of the paper; interval as R's psych::ICC prints it."""
    found = icc_2_1(SHROUT_FLEISS)
    assert round(found.value, 2) == 0.29
    assert (round(found.lower, 3), round(found.upper, 2)) == (0.019, 0.76)


def test_icc_3_1_is_the_published_0_71():
    found = icc_3_1(SHROUT_FLEISS)
    assert round(found.value, 2) == 0.71
    assert (round(found.lower, 2), round(found.upper, 2)) == (0.34, 0.95)


def test_a_constant_offset_between_readers_lowers_agreement_and_not_consistency():
    one = np.array([1.0, 2.0, 3.0, 5.0, 8.0])
    ratings = np.column_stack([one, one + 2.0])
    assert icc_3_1(ratings).value == 1.0
    # By hand: BMS = 2 var(one) = 15.4, JMS = n d^2 / 2 = 10, EMS = 0: 15.4 / (15.4 + 2 * 10 / 5).
    assert icc_2_1(ratings).value == pytest.approx(15.4 / (15.4 + 4.0))


def test_identical_ratings_agree_fully():
    ratings = np.column_stack([[1.0, 2.0, 3.0]] * 2)
    assert (icc_2_1(ratings).lower, icc_3_1(ratings).lower) == (1.0, 1.0)


@pytest.mark.parametrize(
    "ratings", [np.ones((5, 3)), np.ones((1, 3)), np.arange(5.0)[:, None], np.full((3, 3), np.nan)]
)
def test_ratings_without_information_are_refused(ratings):
    with pytest.raises(RadiomicsError, match="icc: expected"):
        icc_2_1(ratings)


def test_the_same_seed_draws_the_same_perturbations_within_their_limits():
    limits = Limits(rotation_degrees=3.0, shift_voxels=0.25, growth=0.05)
    found = draw(20, seed=4, limits=limits)
    assert found == draw(20, seed=4, limits=limits)
    assert found != draw(20, seed=5, limits=limits)
    assert max(abs(change.rotation_degrees) for change in found) <= 3.0
    assert max(abs(shift) for change in found for shift in change.shift_voxels) <= 0.25
    assert max(abs(change.growth) for change in found) <= 0.05
    assert len({change.seed for change in found}) == 20


@pytest.mark.parametrize("growth", [-0.2, 0.1, 0.25])
def test_growth_changes_the_volume_by_what_it_says(make, noise, ball, growth):
    volume, mask = make(noise, ball)
    _, grown = perturb(volume, mask, Perturbation(growth=growth))
    assert grown.voxels.sum() == round(ball.sum() * (1.0 + growth))
    assert (grown.voxels >= ball).all() if growth > 0 else (grown.voxels <= ball).all()


def test_a_whole_voxel_shift_moves_image_and_mask_together(make, noise, ball):
    volume, mask = make(noise, ball)
    moved_volume, moved_mask = perturb(volume, mask, Perturbation(shift_voxels=(1.0, 0.0, 0.0)))
    np.testing.assert_array_equal(moved_mask.voxels[:, :, :-1], ball[:, :, 1:])
    np.testing.assert_allclose(moved_volume.voxels[:, :, :-1], volume.voxels[:, :, 1:], rtol=1e-5)


def test_a_quarter_turn_leaves_a_ball_a_ball(make, noise, ball):
    _, turned = perturb(*make(noise, ball), Perturbation(rotation_degrees=90.0))
    assert turned.voxels.sum() == ball.sum()


def test_noise_is_estimated_and_added_as_a_multiple_of_itself(make):
    random = np.random.default_rng(0)
    volume, mask = make(random.normal(0.0, 5.0, (10, 40, 40)), np.ones((10, 40, 40)))
    assert noise_of(volume) == pytest.approx(5.0, rel=0.05)
    noisy, _ = perturb(volume, mask, Perturbation(noise_sd=2.0, seed=3))
    assert noisy.voxels.std() == pytest.approx(5.0 * np.sqrt(5.0), rel=0.03)
    again, _ = perturb(volume, mask, Perturbation(noise_sd=2.0, seed=3))
    np.testing.assert_array_equal(noisy.voxels, again.voxels)


def test_contour_randomisation_keeps_the_volume_and_changes_the_outline(make, noise, ball):
    volume, mask = make(noise, ball)
    _, changed = perturb(volume, mask, Perturbation(contour_mm=1.0, seed=1))
    assert changed.voxels.sum() == ball.sum()
    assert 0 < (changed.voxels != ball).sum() < ball.sum() / 2


def test_an_empty_mask_cannot_be_perturbed(make, noise):
    with pytest.raises(RadiomicsError, match="found none"):
        perturb(*make(noise, np.zeros(noise.shape)), Perturbation(growth=0.1))


SETTINGS = RadiomicsSettings.model_validate({"families": ["morphology", "intensity_statistics"]})


def lesions(make):
    """Four balls of different size and brightness."""
    k, j, i = np.indices((19, 19, 19))
    for number, radius in enumerate((3.0, 4.0, 5.0, 6.0)):
        inside = (k - 9.5) ** 2 + (j - 9.5) ** 2 + (i - 9.5) ** 2 <= radius**2
        values = np.random.default_rng(number).normal(20.0 * number, 5.0, inside.shape)
        yield f"lesion {number}", make(values, inside)


def test_volume_and_mean_of_very_different_lesions_are_stable_under_small_changes(make):
    changes = draw(4, seed=1, limits=Limits(rotation_degrees=4.0, growth=0.05, contour_mm=0.2, noise_sd=0.2))
    tables = {name: perturbed_tables(*lesion, SETTINGS, changes) for name, lesion in lesions(make)}
    found = {row.name: row for row in stability(tables)}
    for name in ("morph_volume", "stat_mean"):
        assert found[name].is_stable()
        assert found[name].agreement.lower <= found[name].agreement.value <= found[name].agreement.upper
    assert found["morph_volume"].cases == 4
    assert found["morph_volume"].repetitions == 4


def test_only_a_block_is_perturbed_and_it_holds_the_region_where_it_was(make):
    """By hand: a cube of 5 has half a diagonal of 4.33; 1.5 (4.33 + 2) is 9.495: from 21.005 to 39.995, 19 voxels."""
    inside = np.zeros((60, 60, 60), bool)
    inside[28:33, 28:33, 28:33] = True
    volume, mask = make(np.random.default_rng(2).normal(size=inside.shape), inside)
    small, region = block_around(volume, mask, 2.0)
    assert small.voxels.shape == region.voxels.shape == (19, 19, 19)
    np.testing.assert_array_equal(small.voxels, volume.voxels[21:40, 21:40, 21:40])
    assert small.geometry.origin_mm == (21.0, 21.0, 21.0)
    assert region.voxels.sum() == 125


def test_a_perturbed_block_gives_what_the_whole_image_gives(make):
    """Without noise the block's edge must not be seen: the same features but for the noise's own estimate."""
    inside = np.zeros((48, 80, 80), bool)
    k, j, i = np.indices(inside.shape)
    inside = (k - 24) ** 2 + (j - 40) ** 2 + (i - 40) ** 2 <= 25
    volume, mask = make(np.random.default_rng(2).normal(100.0, 20.0, inside.shape), inside)
    settings = RadiomicsSettings.model_validate({"families": ["morphology", "local_intensity", "glcm"]})
    change = Perturbation(rotation_degrees=8.0, shift_voxels=(0.3, -0.2, 0.4), growth=0.1, contour_mm=0.0)
    (found,) = perturbed_tables(volume, mask, settings, [change])
    expected = extract(*perturb(volume, mask, change), settings)
    assert found.values() == pytest.approx(expected.values(), rel=1e-5)


def test_tables_of_different_settings_do_not_mix(make, noise, ball):
    one = extract(*make(noise, ball), SETTINGS)
    other = extract(*make(noise, ball), SETTINGS.model_copy(update={"minimum_voxels": 2}))
    with pytest.raises(RadiomicsError, match="one settings digest, found 2"):
        stability({"a": [one, other]})


def test_a_feature_without_values_has_a_reason_and_no_coefficient(make, noise):
    empty = extract(*make(noise, np.zeros(noise.shape)), SETTINGS)
    rows = stability({"a": [empty, empty], "b": [empty, empty]})
    assert all(row.agreement is None and row.reason and not row.is_stable() for row in rows)
