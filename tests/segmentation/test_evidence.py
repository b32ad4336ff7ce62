"""Air and an even image hold no lesion: whoever proposes, what was drawn there is said to be no more than drawn."""

import numpy as np
import pytest

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.segmentation.evidence import difference
from npcpit_imaging.segmentation.prompt import BoxPrompt, LinePrompt, PointPrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume

GRID = Geometry(shape_kji=(16, 64, 64), origin_mm=(-48.0, -48.0, -24.0), spacing_mm=(1.5, 1.5, 3.0))
X, Y, Z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)), -1, 0)
IMAGES = {
    "CT": (Modality.CT, Unit.HU, -1000.0, 50.0, 95.0, 12.0),
    "MR": (Modality.MR, Unit.ARBITRARY, 8.0, 300.0, 500.0, 15.0),
    "PET": (Modality.PT, Unit.SUVBW, 0.02, 0.9, 6.0, 0.02),
}
"""Modality, unit, and the values of air, tissue and lesion, with the noise's spread."""

PROMPTS = {
    "line": lambda x: LinePrompt(start_mm=(x - 9.0, 0.0, 0.0), end_mm=(x + 9.0, 0.0, 0.0)),
    "box": lambda x: BoxPrompt(corner_mm=(x - 10.0, -10.0, -10.0), opposite_mm=(x + 10.0, 10.0, 10.0)),
    "click": lambda x: PointPrompt(point_mm=(x, 0.0, 0.0)),
}


def made(kind, *, noise=True):
    """A lesion of 18 mm at x = 20 in tissue that begins at x = -20; air before it."""
    modality, unit, air, tissue, lesion, spread = IMAGES[kind]
    values = np.where(X < -20, air, tissue)
    values = np.where((X - 20) ** 2 + Y**2 + Z**2 <= 9**2, lesion, values)
    values = values + (np.random.default_rng(4).normal(0, spread, values.shape) if noise else 0.0)
    return Volume(voxels=values.astype(np.float32), geometry=GRID, modality=modality, unit=unit)


def codes(volume, prompt, method):
    return [each.code for each in segment(volume, (prompt,), SegmentationSettings(method=method)).findings]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("kind", IMAGES)
def test_air_is_said_to_hold_nothing_and_a_lesion_is_not(kind, prompt):
    volume = made(kind)
    assert "nothing-at-the-prompt" in codes(volume, PROMPTS[prompt](-36.0), "calibrated")
    assert "nothing-at-the-prompt" not in codes(volume, PROMPTS[prompt](20.0), "calibrated")


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("noise", [True, False], ids=["noise", "constant"])
@pytest.mark.parametrize("kind", IMAGES)
def test_an_even_image_is_said_to_hold_nothing(kind, noise, prompt):
    modality, unit, _, tissue, _, spread = IMAGES[kind]
    values = np.full(GRID.shape_kji, tissue) + noise * np.random.default_rng(5).normal(0, spread, GRID.shape_kji)
    volume = Volume(voxels=values.astype(np.float32), geometry=GRID, modality=modality, unit=unit)
    assert "nothing-at-the-prompt" in codes(volume, PROMPTS[prompt](0.0), "calibrated")


@pytest.mark.parametrize("method", ["ellipsoid", "pet-gradient", "pet-41-percent"])
def test_whoever_proposes_it_is_said(method):
    volume = made("PET")
    assert "nothing-at-the-prompt" in codes(volume, PROMPTS["box"](-36.0), method)
    assert "nothing-at-the-prompt" not in codes(volume, PROMPTS["box"](20.0), method)


def test_a_lesion_of_few_voxels_is_not_doubted():
    """A node of 5 mm on voxels of 1.5 x 1.5 x 3 mm: a core of a few voxels, 40 HU above noise of 12."""
    values = np.where(X**2 + Y**2 + Z**2 <= 2.6**2, 95.0, 55.0) + np.random.default_rng(6).normal(0, 12, X.shape)
    volume = Volume(voxels=values.astype(np.float32), geometry=GRID, modality=Modality.CT, unit=Unit.HU)
    line = LinePrompt(start_mm=(-2.5, 0.0, 0.0), end_mm=(2.5, 0.0, 0.0))
    assert "nothing-at-the-prompt" not in codes(volume, line, "calibrated")


def test_kolmogorovs_distance_of_samples_worked_by_hand():
    """Of 1, 2 and 2, 3 half against none lie at or below 1; at or below 2 all against half."""
    one, other = np.array([1.0, 2.0], np.float32), np.array([2.0, 3.0], np.float32)
    assert difference(one, other) == 0.5
    assert difference(one, one) == 0.0
    assert difference(one, one + 5) == 1.0
    assert difference(one, one[:0]) == 1.0
