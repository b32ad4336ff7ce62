"""The default segmenter on lesions as the study has them: small, of low contrast, beside fat, muscle and air."""

import numpy as np
import pytest
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation.calibrated import filled_in_slices
from npcpit_imaging.segmentation.calibration import shipped
from npcpit_imaging.segmentation.features import feature_names
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.prompt import BoxPrompt, LassoPrompt, LinePrompt, PointPrompt, ScribblePrompt
from npcpit_imaging.segmentation.segmenters import SEGMENTERS, segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

SETTINGS = SegmentationSettings(method="calibrated")
NOISE_HU = 12.0
MUSCLE_HU = 55.0


def phantom(*, long_mm, contrast_hu=30.0, angle=0.4, thickness_mm=2.0, seed=7):
    """An ellipsoid (axes 1 : 0.75 : 0.9) in muscle, a fat plane on one side of it, the airway on the other."""
    grid = Geometry(
        shape_kji=(int(100 / thickness_mm), 128, 128),
        origin_mm=(-50.0, -50.0, -50.0),
        spacing_mm=(0.8, 0.8, thickness_mm),
    )
    k, j, i = np.indices(grid.shape_kji)
    x, y, z = grid.to_mm(np.stack([k, j, i], axis=-1)).transpose(3, 0, 1, 2)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    half = long_mm / 2
    inside = (u / half) ** 2 + (v / (0.75 * half)) ** 2 + (z / (0.9 * half)) ** 2 <= 1
    values = np.full(grid.shape_kji, MUSCLE_HU)
    values[(v > 0.75 * half + 3) & (v < 0.75 * half + 7)] = -90.0
    values[v < -0.75 * half - 6] = -1000.0
    values[inside] = MUSCLE_HU + contrast_hu
    values = ndimage.gaussian_filter(values, (0.3, 0.6, 0.6))
    values += np.random.default_rng(seed).normal(0, NOISE_HU, values.shape)
    volume = Volume(voxels=values.astype(np.float32), geometry=grid, modality=Modality.CT, unit=Unit.HU)
    ends = [(s * half * np.cos(angle), s * half * np.sin(angle), 0.0) for s in (-1, 1)]
    return volume, Mask(voxels=inside, geometry=grid), LinePrompt(start_mm=ends[0], end_mm=ends[1])


def box_of(mask):
    index = np.argwhere(mask.voxels)
    low, high = mask.geometry.to_mm(index.min(axis=0) - 1), mask.geometry.to_mm(index.max(axis=0) + 1)
    return BoxPrompt(corner_mm=tuple(map(float, low)), opposite_mm=tuple(map(float, high)))


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def node():
    return phantom(long_mm=24.0)


@pytest.mark.parametrize("contrast_hu", [20.0, 40.0])
@pytest.mark.parametrize("long_mm", [10.0, 16.0, 24.0, 40.0])
def test_a_line_gives_the_true_diameter_within_a_voxel_or_five_percent(long_mm, contrast_hu):
    volume, truth, line = phantom(long_mm=long_mm, contrast_hu=contrast_hu)
    proposal = segment(volume, (line,), SETTINGS)
    assert measure(proposal.mask).longest_diameter_mm == pytest.approx(long_mm, abs=max(0.8, 0.05 * long_mm))
    assert dice(proposal.mask.voxels, truth.voxels) > (0.6 if contrast_hu * long_mm < 400 else 0.75)
    assert measure(proposal.mask).components == 1


def test_a_line_with_ends_a_millimetre_off_still_gives_a_good_mask(node):
    volume, truth, line = node
    shaken = LinePrompt(
        start_mm=tuple(np.add(line.start_mm, (0.7, -0.7, 0.0))), end_mm=tuple(np.add(line.end_mm, (0.7, 0.7, 0.0)))
    )
    proposal = segment(volume, (shaken,), SETTINGS)
    assert dice(proposal.mask.voxels, truth.voxels) > 0.75
    assert measure(proposal.mask).longest_diameter_mm == pytest.approx(shaken.length_mm, abs=0.8)


def test_a_box_gives_a_mask_inside_it(node):
    volume, truth, _ = node
    proposal = segment(volume, (box_of(truth),), SETTINGS)
    assert dice(proposal.mask.voxels, truth.voxels) > 0.8
    found = np.argwhere(proposal.mask.voxels)
    real = np.argwhere(truth.voxels)
    assert (found.min(axis=0) >= real.min(axis=0) - 1).all()
    assert (found.max(axis=0) <= real.max(axis=0) + 1).all()


def test_neither_air_nor_fat_is_proposed(node):
    volume, _, line = node
    inside = volume.voxels[segment(volume, (line,), SETTINGS).mask.voxels]
    assert np.count_nonzero(inside < -300) == 0
    assert np.mean(inside < -40) < 0.02


def test_the_same_input_gives_the_same_mask_and_provenance(node):
    volume, _, line = node
    one, other = (segment(volume, (line,), SETTINGS) for _ in range(2))
    assert one.mask.digest == other.mask.digest
    assert one.provenance == other.provenance
    assert one.provenance.name == "calibrated"
    assert len(one.provenance.weights_digest) == 64
    assert one.provenance.settings_digest == SETTINGS.digest
    assert one.provenance.seconds is None


def test_a_rotated_image_gives_the_same_lesion(node):
    """The same voxels in a patient turned by 90 degrees and moved: the proposal turns with them."""
    volume, _, line = node
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    shift = np.array([10.0, 20.0, 30.0])
    grid = volume.geometry
    turned = Geometry(
        shape_kji=grid.shape_kji,
        origin_mm=tuple(turn @ grid.origin_mm + shift),
        spacing_mm=grid.spacing_mm,
        direction=tuple(map(tuple, turn @ np.array(grid.direction))),
    )
    moved = Volume(voxels=volume.voxels, geometry=turned, modality=Modality.CT, unit=Unit.HU)
    ends = [tuple(turn @ np.array(end) + shift) for end in (line.start_mm, line.end_mm)]
    found = segment(moved, (LinePrompt(start_mm=ends[0], end_mm=ends[1]),), SETTINGS)
    assert dice(found.mask.voxels, segment(volume, (line,), SETTINGS).mask.voxels) > 0.99


def test_clicks_add_and_take_away(node):
    volume, _, line = node
    first = segment(volume, (line,), SETTINGS).mask
    edge = (0.0, 14.0, 0.0)
    centre = (0.0, -5.0, 0.0)
    added = segment(volume, (line, PointPrompt(point_mm=edge)), SETTINGS).mask
    taken = segment(volume, (line, PointPrompt(point_mm=centre, positive=False)), SETTINGS).mask
    index = tuple(np.rint(volume.geometry.to_index(edge)).astype(int))
    assert added.voxels[index]
    assert not first.voxels[index]
    assert np.count_nonzero(taken.voxels) < np.count_nonzero(first.voxels)
    assert not taken.voxels[tuple(np.rint(volume.geometry.to_index(centre)).astype(int))]


def test_a_previous_mask_is_refined_and_not_forgotten(node):
    volume, truth, line = node
    larger = Mask(voxels=ndimage.binary_dilation(truth.voxels, iterations=2), geometry=truth.geometry)
    alone = segment(volume, (line,), SETTINGS).mask
    refined = segment(volume, (PointPrompt(point_mm=(0.0, 0.0, 0.0)),), SETTINGS, previous=larger).mask
    assert dice(refined.voxels, larger.voxels) > dice(alone.voxels, larger.voxels)


def test_a_lasso_bounds_its_slice(node):
    volume, truth, _ = node
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    lasso = LassoPrompt(points_mm=tuple((13.0 * float(np.cos(t)), 10.0 * float(np.sin(t)), 0.0) for t in turns))
    proposal = segment(volume, (lasso,), SETTINGS)
    k = int(volume.geometry.to_index((0.0, 0.0, 0.0))[0])
    j, i = np.nonzero(proposal.mask.voxels[k])
    x, y, _ = volume.geometry.to_mm(np.column_stack([np.full(len(j), k), j, i])).T
    assert ((x / 13.0) ** 2 + (y / 10.0) ** 2 <= 1.05).all()
    assert dice(proposal.mask.voxels, truth.voxels) > 0.6


def test_a_scribble_and_a_click_start_from_an_assumed_size_and_say_so(node):
    volume, truth, _ = node
    stroke = ScribblePrompt(points_mm=((-4.0, 0.0, 0.0), (0.0, 0.0, 0.0), (4.0, 0.0, 0.0)))
    for prompt in (stroke, PointPrompt(point_mm=(0.0, 0.0, 0.0))):
        proposal = segment(volume, (prompt,), SETTINGS)
        assert "size-assumed" in [finding.code for finding in proposal.findings]
        assert dice(proposal.mask.voxels, truth.voxels) > 0.3


def test_what_is_looked_at_does_not_grow_with_the_image_or_the_lesion():
    """512x512x150 voxels, a lesion of 80 mm: the region keeps to its budget, which bounds the time of an answer."""
    grid = Geometry(shape_kji=(150, 512, 512), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(0.7, 0.7, 2.0))
    noise = np.random.default_rng(1).normal(50, 12, (150, 64, 64)).astype(np.float32)
    volume = Volume(voxels=np.tile(noise, (1, 8, 8)), geometry=grid, modality=Modality.CT, unit=Unit.HU)
    line = LinePrompt(start_mm=(140.0, 180.0, 150.0), end_mm=(220.0, 180.0, 150.0))
    region = frame_of(volume, (line,), None, SETTINGS).region(volume, SETTINGS)
    assert 0.5 * SETTINGS.voxel_budget < region.values.size <= 1.1 * SETTINGS.voxel_budget
    assert segment(volume, (line,), SETTINGS).mask.geometry.same_grid(grid)


def test_the_shipped_calibrations_were_fitted_on_the_features_of_today():
    for modality in (Modality.CT, Modality.MR, Modality.PT):
        for prompt in ("line", "box"):
            assert shipped(f"{modality}-{prompt}").names == feature_names(modality)


@pytest.mark.parametrize("modality", [Modality.MR, Modality.OT])
def test_mr_of_any_scale_gives_the_same_mask(node, modality):
    volume, truth, line = node
    found = []
    for gain in (1.0, 37.0):
        values = np.clip(volume.voxels + 200, 0, None) * gain
        image = Volume(voxels=values, geometry=volume.geometry, modality=modality)
        found.append(segment(image, (line,), SETTINGS))
    assert dice(found[0].mask.voxels, found[1].mask.voxels) > 0.99
    assert dice(found[0].mask.voxels, truth.voxels) > 0.7
    codes = [finding.code for finding in found[0].findings]
    assert ("modality-assumed" in codes) == (modality is Modality.OT)


BAD = {
    "outside": (
        LinePrompt(start_mm=(0.0, 0.0, 0.0), end_mm=(500.0, 0.0, 0.0)),
        "line end: expected a point in the image",
    ),
    "two slices": (LinePrompt(start_mm=(0.0, 0.0, 0.0), end_mm=(10.0, 0.0, 9.0)), "in one slice"),
    "short": (LinePrompt(start_mm=(0.0, 0.0, 0.0), end_mm=(0.1, 0.0, 0.0)), "at least one pixel"),
    "box outside": (BoxPrompt(corner_mm=(300.0, 0.0, 0.0), opposite_mm=(310.0, 10.0, 9.0)), "box: expected a point in"),
    "box line": (BoxPrompt(corner_mm=(0.0, 0.0, 0.0), opposite_mm=(10.0, 0.0, 9.0)), "at least one pixel each way"),
    "click outside": (PointPrompt(point_mm=(0.0, 0.0, 900.0)), "point: expected a point in the image"),
    "negative only": (PointPrompt(point_mm=(0.0, 0.0, 0.0), positive=False), "at least one positive prompt"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_prompt_that_cannot_be_used_is_refused_with_what_and_where(node, name):
    prompt, message = BAD[name]
    with pytest.raises(SegmentationError, match=message):
        segment(node[0], (prompt,), SETTINGS)


def test_a_line_between_two_slices_is_projected_with_a_finding(node):
    volume, truth, line = node
    tilted = LinePrompt(start_mm=line.start_mm, end_mm=(*line.end_mm[:2], line.end_mm[2] + 1.6))
    proposal = segment(volume, (tilted,), SETTINGS)
    assert [finding.code for finding in proposal.findings] == ["line-between-slices"]
    assert dice(proposal.mask.voxels, truth.voxels) > 0.7


def test_nan_near_the_prompt_is_refused_and_located(node):
    volume, _, line = node
    values = volume.voxels.copy()
    values[25, 64, 64] = np.nan
    broken = Volume(voxels=values, geometry=volume.geometry, modality=Modality.CT, unit=Unit.HU)
    with pytest.raises(SegmentationError, match=r"1 NaN or infinite voxels, the first at \(1.2, 1.2, 0.0\) mm"):
        segment(broken, (line,), SETTINGS)


def test_a_lesion_at_the_border_is_proposed_as_far_as_the_image_goes(node):
    volume, truth, line = node
    grid = volume.geometry.crop((25, 0, 0), (25, 128, 128))
    cut = Volume(voxels=volume.voxels[25:], geometry=grid, modality=Modality.CT, unit=Unit.HU)
    proposal = segment(cut, (line,), SETTINGS)
    assert dice(proposal.mask.voxels, truth.voxels[25:]) > 0.7
    assert "truncated" in [finding.code for finding in measure(proposal.mask).findings]


def test_a_box_that_reaches_out_of_the_image_is_cut_off_with_a_finding(node):
    volume = node[0]
    box = BoxPrompt(corner_mm=(-90.0, -12.0, -12.0), opposite_mm=(12.0, 12.0, 12.0))
    assert "box-cut-off" in [finding.code for finding in segment(volume, (box,), SETTINGS).findings]


def test_an_unknown_segmenter_is_refused_with_the_known_ones(node):
    with pytest.raises(InputError, match="expected one of auto, network, calibrated, pet-gradient"):
        segment(node[0], (node[2],), SETTINGS, method="magic")


def test_every_segmenter_has_the_floor_as_its_last():
    assert list(SEGMENTERS)[-1] == "ellipsoid"
    assert next(iter(SEGMENTERS)) == SegmentationSettings().method


@pytest.mark.parametrize("long_mm", [38.0, 16.0, 8.0])
def test_a_long_and_a_short_axis_bind_both_diameters_of_their_slice(long_mm):
    """In whichever order they are drawn, both diameters stay within a pixel or 5 % of them."""
    volume, _, line = phantom(long_mm=long_mm, contrast_hu=20.0)
    x, y, z = (0.75 * value for value in line.end_mm)
    short = LinePrompt(start_mm=(-y, x, z), end_mm=(y, -x, z))
    for prompts in ((line, short), (short, line)):
        found = measure(segment(volume, prompts, SETTINGS).mask)
        assert found.longest_diameter_mm == pytest.approx(long_mm, abs=max(0.8, 0.05 * long_mm))
        assert found.short_axis_mm == pytest.approx(0.75 * long_mm, abs=max(0.8, 0.05 * 0.75 * long_mm))


def test_two_lines_that_are_not_the_axes_of_one_lesion_are_refused(node):
    volume, _, line = node
    (x0, y0, z), (x1, y1, _) = line.start_mm, line.end_mm
    beside = LinePrompt(start_mm=(x0, y0 + 2, z), end_mm=(x1, y1 + 3, z))
    above = LinePrompt(start_mm=(-3.0, 5.0, z + 8), end_mm=(3.0, -5.0, z + 8))
    for other in (beside, above):
        with pytest.raises(SegmentationError, match="expected a long and a short axis across each other in one slice"):
            segment(volume, (line, other), SETTINGS)


def test_holes_are_filled_slice_by_slice_as_scipy_fills_each():
    rng = np.random.default_rng(5)
    masks = [ndimage.gaussian_filter(rng.normal(size=(6, 30, 25)), (0, 1, 1)) > level for level in (-0.1, 0.0, 0.1)]
    masks += [np.ones((2, 4, 5), bool), np.zeros((2, 4, 5), bool)]
    for mask in masks:
        expected = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
        assert np.array_equal(filled_in_slices(mask), expected)
    assert (filled_in_slices(masks[1]) != masks[1]).any(), "there were holes"
