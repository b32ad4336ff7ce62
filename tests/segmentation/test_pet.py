"""PET contours inside a box."""

import numpy as np
import pytest
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings, parse_reference
from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.segmentation.pet import PET_SEGMENTERS
from npcpit_imaging.segmentation.prompt import BoxPrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume

SETTINGS = SegmentationSettings()
GRID = Geometry(shape_kji=(30, 40, 40), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(3.0, 3.0, 3.0))
BOX = BoxPrompt(corner_mm=(28.0, 28.0, 20.0), opposite_mm=(74.0, 74.0, 70.0))


def hot_sphere(radius_mm=12.0, centre_mm=(51.0, 51.0, 45.0)):
    place = GRID.to_mm(np.stack(np.indices(GRID.shape_kji), axis=-1))
    return np.linalg.norm(place - centre_mm, axis=-1) <= radius_mm


def pet(values, unit=Unit.SUVBW):
    return Volume(voxels=values.astype(np.float32), geometry=GRID, modality=Modality.PT, unit=unit)


@pytest.fixture(scope="module")
def scene():
    """A lesion of SUV 8 on a background of 1, with a hotter neighbour (tonsil) outside the box; blurred as PET is."""
    values = np.ones(GRID.shape_kji)
    values[hot_sphere()] = 8.0
    values[hot_sphere(9.0, (96.0, 51.0, 45.0))] = 15.0
    return pet(ndimage.gaussian_filter(values, 1.0)), hot_sphere()


@pytest.mark.parametrize("name", ["pet-gradient", "pet-41-percent", "pet-50-percent", "pet-suv-4.0"])
def test_every_contour_finds_the_lesion_and_not_the_hotter_neighbour(scene, name):
    volume, truth = scene
    found = segment(volume, (BOX,), SETTINGS, method=name).mask.voxels
    assert 2 * np.count_nonzero(found & truth) / (found.sum() + truth.sum()) > 0.85
    assert not found[:, :, 26:].any()


def test_thresholds_are_exact_without_blur():
    names = [name for name in PET_SEGMENTERS if name != "pet-percist"]
    values = np.ones(GRID.shape_kji)
    values[15, 15:20, 15:20] = [10.0, 5.01, 4.99, 4.11, 4.09]
    counts = {name: int(segment(pet(values), (BOX,), SETTINGS, method=name).mask.voxels.sum()) for name in names}
    assert counts["pet-50-percent"] == 10
    assert counts["pet-41-percent"] == 20
    assert counts["pet-suv-4.0"] == 25
    assert counts["pet-suv-2.5"] == 25


def test_only_the_component_with_the_hottest_voxel_is_proposed():
    values = np.ones(GRID.shape_kji)
    values[15, 12:14, 12:14] = 6.0
    values[15, 20:23, 20:23] = 9.0
    found = segment(pet(values), (BOX,), SETTINGS, method="pet-suv-2.5").mask.voxels
    assert found.sum() == 9
    assert found[15, 21, 21]


def test_a_cold_lesion_gives_an_empty_mask_with_a_finding():
    proposal = segment(pet(np.ones(GRID.shape_kji)), (BOX,), SETTINGS, method="pet-suv-4.0")
    assert not proposal.mask.voxels.any()
    assert [finding.code for finding in proposal.findings] == ["empty-mask", "nothing-at-the-prompt"]


def test_a_contour_that_reaches_the_box_says_so():
    proposal = segment(pet(np.full(GRID.shape_kji, 6.0)), (BOX,), SETTINGS, method="pet-suv-4.0")
    assert "contour-reaches-box" in [finding.code for finding in proposal.findings]


def test_becquerels_are_refused():
    with pytest.raises(SegmentationError, match="expected a PET in SUVbw, found it in BQML"):
        segment(pet(np.ones(GRID.shape_kji), Unit.BQML), (BOX,), SETTINGS, method="pet-suv-4.0")


def test_the_calibrated_segmenter_finds_it_too(scene):
    volume, truth = scene
    found = segment(volume, (BOX,), SETTINGS).mask.voxels
    assert 2 * np.count_nonzero(found & truth) / (found.sum() + truth.sum()) > 0.7


def test_percist_takes_its_threshold_from_the_reference_region(scene):
    """1.5 x 2.0 + 2 x 0.5 = 4.0 from the liver, 2.0 x 1.5 + 2 x 0.5 = 4.0 from the blood: the contour of SUV 4.0."""
    volume, _ = scene
    fixed = segment(volume, (BOX,), SETTINGS, method="pet-suv-4.0").mask
    for text in ("liver,2.0,0.5", "Blood, 1.5, 0.5"):
        settings = SETTINGS.model_copy(update={"percist_reference": parse_reference(text)})
        assert segment(volume, (BOX,), settings, method="pet-percist").mask.digest == fixed.digest


def test_percist_without_a_reference_says_what_it_needs(scene):
    with pytest.raises(SegmentationError, match="expected the mean and standard deviation of the liver or the blood"):
        segment(scene[0], (BOX,), SETTINGS, method="pet-percist")


@pytest.mark.parametrize("text", ["", "liver", "spleen,2,1", "liver,x,1", "liver,-2,1", "liver,2,1,0", "liver,nan,1"])
def test_a_misspelt_reference_is_shown_with_what_was_expected(text):
    with pytest.raises(InputError, match="liver,MEAN,SD"):
        parse_reference(text)
