"""MR intensities: a z-score over the body, and a bias field that goes away."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Normalise, RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import Status
from npcpit_imaging.radiomics.normalise import body_mask, n4, normalise, z_score
from npcpit_imaging.volume.volume import Unit


@pytest.fixture(scope="module")
def head():
    """A cylinder of 100 with a dark hole and a brighter core, in noise."""
    _, j, i = np.indices((20, 40, 40))
    radius = np.hypot(j - 20, i - 20)
    values = np.where(radius < 17, 100.0, 0.0)
    values[radius < 8] = 140.0
    values[np.hypot(j - 20, i - 7) < 2] = 0.0
    return values + np.random.default_rng(1).normal(0.0, 2.0, values.shape), radius < 17


def test_the_body_is_the_bright_piece_with_its_holes_filled(make, head):
    values, inside = head
    values = values.copy()
    values[:, :3, :3] = 200.0
    volume, _ = make(values, inside)
    np.testing.assert_array_equal(body_mask(volume), inside)


def test_dark_muscle_beside_bright_fat_is_body_too(make):
    """T1 of a limb: an open rim of fat (900), muscle (350), air (5); half of the field of view is body."""
    _, j, i = np.indices((6, 40, 40))
    values = np.where(j < 20, 350.0, 5.0)
    values[(j < 20) & (i < 8)] = 900.0
    volume, _ = make(values + np.random.default_rng(0).normal(0, 2, values.shape), j < 20)
    np.testing.assert_array_equal(body_mask(volume), j < 20)


def test_a_z_score_has_mean_0_and_standard_deviation_1_in_the_body(make, head):
    volume, mask = make(*head)
    found = normalise(volume, Normalise(method="z_score", multiple=100.0))
    assert found.voxels[mask.voxels].mean() == pytest.approx(0.0, abs=1e-3)
    assert found.voxels[mask.voxels].std() == pytest.approx(100.0, rel=1e-3)
    assert found.unit is Unit.ARBITRARY


def test_a_scanner_s_scale_and_offset_do_not_matter_after_a_z_score(make, head):
    values, inside = head
    how = Normalise(method="z_score")
    one, other = (normalise(make(scaled, inside)[0], how) for scaled in (values, 7 * values + 30))
    np.testing.assert_allclose(one.voxels, other.voxels, atol=1e-3)


def test_n4_flattens_a_bias_field(make, head):
    values, inside = head
    field = np.exp(0.5 * (np.indices(values.shape)[2] - 20) / 20)
    volume, mask = make(values * field, inside, (2.0, 2.0, 2.0))
    rim = inside & (values > 90) & (values < 115)
    corrected = n4(volume, mask.voxels)
    before, after = (image[rim].std() / image[rim].mean() for image in (volume.voxels, corrected.voxels))
    assert before > 0.2
    assert after < before / 3


def test_nothing_asked_for_is_nothing_done(make, head):
    volume, _ = make(*head)
    assert normalise(volume, Normalise()) is volume


def test_an_image_without_a_body_is_refused(make):
    volume, mask = make(np.full((4, 5, 6), 3.0), np.ones((4, 5, 6)))
    with pytest.raises(RadiomicsError, match="uniform image"):
        normalise(volume, Normalise(method="z_score"))
    with pytest.raises(RadiomicsError, match="varying intensity"):
        z_score(volume, mask.voxels)


def test_nan_anywhere_is_a_reason_where_the_whole_image_is_normalised(make, noise, ball):
    noise[0, 0, 0] = np.nan
    settings = RadiomicsSettings.model_validate({"normalise": {"method": "z_score"}})
    table = extract(*make(noise, ball), settings)
    assert {feature.status for feature in table} == {Status.REFUSED}
    assert "normalisation: expected finite" in table["stat_mean"].reason
    assert table["stat_mean"].unit == "1"
