"""A click's size is looked for: the box whose draft parts best from around, on phantoms of known size."""

import numpy as np
import pytest

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.segmentation.calibrated import segment_calibrated
from npcpit_imaging.segmentation.click import contrast, share_in_image
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.prompt import PointPrompt, ScribblePrompt
from npcpit_imaging.segmentation.region import cut_region
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume

GRID = Geometry(shape_kji=(50, 90, 90), origin_mm=(-90.0, -90.0, -75.0), spacing_mm=(2.0, 2.0, 3.0))
SETTINGS = SegmentationSettings(click_radii_mm=(7.0, 10.0, 15.0, 22.0, 32.0, 45.0, 62.0, 80.0))


def ball(radius_mm, modality=Modality.CT, unit=Unit.HU, levels=(40.0, 100.0, 10.0)):
    """A ball about the origin in even tissue: background, lesion and noise in the image's unit."""
    x, y, z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)), -1, 0)
    inside = np.sqrt(x * x + y * y + z * z) <= radius_mm
    low, high, noise = levels
    values = np.where(inside, high, low) + np.random.default_rng(5).normal(0, noise, inside.shape)
    return Volume(voxels=values.astype(np.float32), geometry=GRID, modality=modality, unit=unit), inside


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


KINDS = {
    "CT": (Modality.CT, Unit.HU, (40.0, 100.0, 10.0)),
    "bright MR": (Modality.MR, Unit.ARBITRARY, (300.0, 700.0, 40.0)),
    "dark MR": (Modality.MR, Unit.ARBITRARY, (700.0, 300.0, 40.0)),
    "PET": (Modality.PT, Unit.SUVBW, (1.0, 6.0, 0.1)),
}


@pytest.mark.parametrize("radius_mm", [12.0, 30.0, 50.0])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_click_beside_the_middle_finds_a_ball_of_any_size(kind, radius_mm):
    """24, 60 and 100 mm; a box of 30 mm would hold a fortieth of the largest."""
    volume, inside = ball(radius_mm, *kind)
    click = (PointPrompt(point_mm=(radius_mm / 3, -radius_mm / 4, 0.0)),)
    found = segment_calibrated(volume, click, previous=None, settings=SETTINGS)
    assert dice(found.mask.voxels, inside) > 0.7
    (finding,) = (each for each in found.findings if each.code == "size-assumed")
    assert "fits the image best" in finding.text


def test_one_size_is_the_default():
    volume, inside = ball(50.0)
    fixed = SegmentationSettings()
    found = segment_calibrated(volume, (PointPrompt(point_mm=(0.0, 0.0, 0.0)),), previous=None, settings=fixed)
    assert np.count_nonzero(found.mask.voxels) * 12 / 1000 < 30  # mL; the box holds 27
    assert "a lesion of 30 mm was assumed" in found.findings[0].text
    assert dice(found.mask.voxels, inside) < 0.15


def test_a_stroke_is_widened_alike():
    volume, inside = ball(30.0)
    stroke = (ScribblePrompt(points_mm=((-10.0, 0.0, 0.0), (10.0, 4.0, 0.0))),)
    found = segment_calibrated(volume, stroke, previous=None, settings=SETTINGS)
    assert dice(found.mask.voxels, inside) > 0.7


def test_where_nothing_parts_from_nothing_the_click_keeps_its_box():
    """An even image has no edge at any size."""
    even = Volume(voxels=np.full(GRID.shape_kji, 40, np.float32), geometry=GRID, modality=Modality.CT, unit=Unit.HU)
    found = segment_calibrated(even, (PointPrompt(point_mm=(0.0, 0.0, 0.0)),), previous=None, settings=SETTINGS)
    assert "a lesion of 30 mm was assumed" in found.findings[0].text


def test_a_box_at_the_border_is_tried_only_where_most_of_it_lies_in_the_image():
    """A click 9 mm from the left border, half a pixel included: 25 of 30 mm of its box are in the image."""
    frame = frame_of(ball(10.0)[0], (PointPrompt(point_mm=(-81.0, 0.0, 0.0)),), None, SETTINGS)
    assert share_in_image(frame, GRID) == pytest.approx(25 / 30)


def test_contrast_is_the_rims_difference_in_spreads():
    """Lesion 10 +/- 1 in 4 +/- 1, checkerboards: |10 - 4| / sqrt(1 + 1)."""
    parity = np.indices(GRID.shape_kji).sum(axis=0) % 2 * 2.0 - 1.0
    inside = np.zeros(GRID.shape_kji, bool)
    inside[15:35, 25:65, 25:65] = True
    voxels = (np.where(inside, 10.0, 4.0) + parity).astype(np.float32)
    volume = Volume(voxels=voxels, geometry=GRID, modality=Modality.MR, unit=Unit.ARBITRARY)
    frame = frame_of(volume, (PointPrompt(point_mm=(0.0, 0.0, 0.0)),), None, SETTINGS)
    region = cut_region(volume, np.zeros(3), np.array(GRID.shape_kji) - 1.0, voxel_budget=10**6)
    assert contrast(frame, region, region.values, inside) == pytest.approx(6 / np.sqrt(2), rel=0.01)
    assert contrast(frame, region, region.values, np.ones_like(inside)) == 0.0
    assert contrast(frame, region, region.values, np.zeros_like(inside)) == 0.0
