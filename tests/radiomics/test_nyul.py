"""Nyul's standard scale: worked by hand on whole numbers, and what it is for: two scanners' images read alike."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Normalise, NyulScale, RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.normalise import normalise
from npcpit_imaging.radiomics.nyul import PERCENTILES, fit, landmarks, to_standard_scale
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume


def image(values):
    values = np.asarray(values, np.float32).reshape(1, 1, -1)
    geometry = Geometry(shape_kji=values.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    return Volume(voxels=values, geometry=geometry, modality=Modality.MR, unit=Unit.ARBITRARY)


EVERYWHERE = np.ones((1, 1, 101), bool)


def test_a_scale_is_the_mean_place_of_each_landmark():
    """Percentiles of 0..100 are their own numbers; squared, the median lies at a quarter. Mean of 50 and 25: 37.5."""
    one = landmarks(image(np.arange(101.0)), EVERYWHERE, (0.0, 50.0, 100.0))
    other = landmarks(image(np.arange(101.0) ** 2), EVERYWHERE, (0.0, 50.0, 100.0))
    np.testing.assert_allclose(other, [0.0, 2500.0, 10000.0])
    scale = fit([one, other], (0.0, 50.0, 100.0))
    assert scale.landmarks == pytest.approx((0.0, 37.5, 100.0))


def test_intensities_move_straight_between_landmarks_and_beyond_them():
    """Landmarks 10, 50, 90 to 0, 30, 100: slopes 3/4 and 7/4; the ends go on with their neighbours' slopes."""
    scale = NyulScale(percentiles=(10.0, 50.0, 90.0), landmarks=(0.0, 30.0, 100.0))
    moved = to_standard_scale(image(np.arange(101.0)), EVERYWHERE, scale).voxels.ravel()
    np.testing.assert_allclose(moved[[0, 10, 30, 50, 70, 90, 100]], [-7.5, 0.0, 15.0, 30.0, 65.0, 100.0, 117.5])
    assert (np.diff(moved) > 0).all()


def phantom(gain, offset, gamma):
    """A ball of tissue in air, as scanners of other gain, offset and contrast would show it."""
    k, j, i = np.indices((16, 32, 32))
    body = (k - 7.5) ** 2 / 0.25 + (j - 15.5) ** 2 + (i - 15.5) ** 2 <= 14.0**2
    tissue = 100.0 + 40.0 * np.sin(j / 3.0) * np.cos(i / 4.0) + np.random.default_rng(1).normal(0.0, 5.0, body.shape)
    values = np.where(body, (tissue / 100.0) ** gamma * gain + offset, offset / 50.0)
    geometry = Geometry(shape_kji=body.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 2.0))
    return Volume(voxels=values, geometry=geometry, modality=Modality.MR), Mask(voxels=body, geometry=geometry)


def test_two_scanners_read_alike_on_the_scale():
    """Other gain, offset and contrast: the lesion's mean is 30-fold before, and within 1 % of the scale after."""
    (one, body), (other, _) = phantom(100.0, 20.0, 1.0), phantom(3000.0, 500.0, 1.3)
    scale = fit([landmarks(each, body.voxels) for each in (one, other)])
    lesion = body.voxels & (np.indices(body.voxels.shape)[2] > 18)
    settings = Normalise.model_validate({"method": "nyul", "nyul": scale})
    means = [normalise(each, settings).voxels[lesion].mean() for each in (one, other)]
    assert other.voxels[lesion].mean() > 20 * one.voxels[lesion].mean()
    assert abs(means[0] - means[1]) < 1.0


def test_the_scale_stands_in_the_settings_digest_and_the_same_image_gives_the_same_numbers():
    volume, body = phantom(100.0, 20.0, 1.0)
    scale = fit([landmarks(volume, body.voxels), landmarks(volume, body.voxels)])
    chosen = {"normalise": {"method": "nyul", "nyul": scale.model_dump()}, "families": ["intensity_statistics"]}
    settings = RadiomicsSettings.model_validate(chosen)
    one, again = extract(volume, body, settings), extract(volume, body, settings)
    assert one == again
    assert one["stat_mean"].unit == "1"
    chosen["normalise"]["nyul"]["landmarks"] = [value * 2 for value in scale.landmarks]
    assert RadiomicsSettings.model_validate(chosen).digest != settings.digest


def test_images_without_landmarks_and_too_few_are_refused():
    flat = image([5.0] * 60 + list(range(6, 47)))
    with pytest.raises(RadiomicsError, match="landmarks that ascend"):
        landmarks(flat, EVERYWHERE)
    with pytest.raises(RadiomicsError, match="landmarks that ascend"):
        landmarks(flat, np.zeros_like(EVERYWHERE))
    with pytest.raises(RadiomicsError, match="at least 2 images to fit on, found 1"):
        fit([np.arange(float(len(PERCENTILES)))])


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"method": "nyul"}, "a scale with method nyul and only there"),
        ({"method": "z_score", "nyul": {"percentiles": [1, 99], "landmarks": [0, 1]}}, "a scale with method nyul"),
        ({"method": "nyul", "nyul": {"percentiles": [1, 99], "landmarks": [0]}}, "expected 2 landmarks, found 1"),
        ({"method": "nyul", "nyul": {"percentiles": [1, 99], "landmarks": [1, 0]}}, "landmarks that ascend"),
        ({"method": "nyul", "nyul": {"percentiles": [1, 101], "landmarks": [0, 1]}}, "less than or equal to 100"),
    ],
)
def test_settings_that_name_no_usable_scale_are_refused(chosen, expected):
    with pytest.raises(ValueError, match=expected):
        Normalise.model_validate(chosen)
