"""Prompts given together: each is followed, or refused by name; none is passed over."""

import numpy as np
import pytest

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.segmentation.prompt import (
    BoxPrompt,
    LinePrompt,
    PointPrompt,
    ScribblePrompt,
    parse_axes,
)
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

GRID = Geometry(shape_kji=(20, 60, 60), origin_mm=(-30.0, -30.0, -30.0), spacing_mm=(1.0, 1.0, 3.0))
SETTINGS = SegmentationSettings(method="calibrated")
X, Y, Z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)), -1, 0)
BALL = X**2 + Y**2 + Z**2 <= 10**2
LINE = LinePrompt(start_mm=(-10.0, 0.0, 0.0), end_mm=(10.0, 0.0, 0.0))
BOX = BoxPrompt(corner_mm=(-11.0, -11.0, -11.0), opposite_mm=(11.0, 11.0, 11.0))


def point(x, y, z, *, positive=True):
    return PointPrompt(point_mm=(x, y, z), positive=positive)


@pytest.fixture(scope="module")
def ball():
    """A ball of 20 mm, 40 HU above muscle."""
    values = np.where(BALL, 95.0, 55.0) + np.random.default_rng(3).normal(0, 8, BALL.shape)
    return Volume(voxels=values.astype(np.float32), geometry=GRID, modality=Modality.CT, unit=Unit.HU)


def proposed(volume, *prompts, previous=None):
    proposal = segment(volume, prompts, SETTINGS, previous=previous)
    return proposal.mask.voxels, [finding.code for finding in proposal.findings]


def test_a_box_beside_a_line_bounds_the_proposal(ball):
    """The box ends 2 mm above and below the line's slice: at most the slices it touches are left."""
    flat = BoxPrompt(corner_mm=(-11.0, -11.0, -2.0), opposite_mm=(11.0, 11.0, 2.0))
    alone, _ = proposed(ball, LINE)
    bounded, _ = proposed(ball, LINE, flat)
    assert np.abs(Z[alone]).max() > 6
    assert np.abs(Z[bounded]).max() <= 3
    assert bounded.any()


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ((LINE, BoxPrompt(corner_mm=(0.0, -9.0, -9.0), opposite_mm=(20.0, 9.0, 9.0))), "line: expected inside the box"),
        ((BOX, point(20, 0, 0)), "point: expected inside the box"),
        ((LINE, point(0, 27, 0)), "expected within the line's reach"),
        ((LINE, point(0, 0, 26)), "expected within the line's reach"),
        ((LINE, point(0, 0, 500)), "expected a point in the image"),
        ((LINE, LINE, LINE), "found 3"),
        ((BOX, BOX), "expected one box"),
    ],
)
def test_prompts_that_contradict_each_other_are_refused_by_name(ball, prompts, said):
    with pytest.raises(SegmentationError, match=said):
        proposed(ball, *prompts)


def test_a_click_that_stays_apart_from_the_proposal_is_said(ball):
    voxels, codes = proposed(ball, LINE, point(3, 0, 0))
    assert "prompt-apart" not in codes
    voxels, codes = proposed(ball, LINE, point(0, 12, 12))
    assert "prompt-apart" in codes
    assert voxels[tuple(np.rint(GRID.to_index((0, 12, 12))).astype(int))]


def test_a_click_beside_a_previous_mask_widens_the_place_that_is_looked_at(ball):
    """The previous mask is the ball's left half; a click at its right edge is 10 mm away and was passed over."""
    half = Mask(voxels=BALL & (X < -2), geometry=GRID)
    voxels, codes = proposed(ball, point(9, 0, 0), previous=half)
    assert "prompt-apart" not in codes
    assert np.count_nonzero(voxels & BALL & (X > 2)) > 0.5 * np.count_nonzero(BALL & (X > 2))


@pytest.mark.parametrize(
    "negative",
    [
        LinePrompt(start_mm=(-4.0, 5.0, 0.0), end_mm=(4.0, 5.0, 0.0), positive=False),
        ScribblePrompt(points_mm=((-4.0, 5.0, 0.0), (4.0, 5.0, 0.0)), positive=False),
        BoxPrompt(corner_mm=(-4.5, 4.5, -1.5), opposite_mm=(4.5, 5.5, 1.5), positive=False),
    ],
    ids=["line", "stroke", "box"],
)
def test_a_negative_line_stroke_or_box_takes_away_all_it_runs_over(ball, negative):
    under = (np.abs(X) <= 4) & (Y == 5) & (Z == 0)
    before, _ = proposed(ball, LINE)
    after, _ = proposed(ball, LINE, negative)
    assert before[under].all()
    assert not after[under].any()
    assert after.any()


def test_two_axes_in_the_other_order_are_said_to_be_exchanged(ball):
    short = LinePrompt(start_mm=(0.0, -8.0, 0.0), end_mm=(0.0, 8.0, 0.0))
    right, codes = proposed(ball, LINE, short)
    assert "axes-exchanged" not in codes
    wrong, codes = proposed(ball, short, LINE)
    assert "axes-exchanged" in codes
    assert (right == wrong).all()


def test_a_short_axis_alone_or_longer_than_the_long_one_is_refused():
    with pytest.raises(InputError, match="short axis: expected a long axis beside it, found none"):
        parse_axes(None, "0,0,0:5,0,0")
    with pytest.raises(InputError, match=r"short axis: expected at most the long axis's 5\.0 mm, found 8\.0 mm"):
        parse_axes("0,0,0:5,0,0", "0,0,0:0,8,0")
    assert len(parse_axes("0,0,0:5,0,0", None)) == 1
    assert parse_axes(None, None) == ()


@pytest.mark.parametrize("prompts", [(LINE,), (BOX,), (point(0, 0, 0),)], ids=["line", "box", "click"])
def test_an_empty_previous_mask_takes_nothing_away(ball, prompts):
    """It would speak against every voxel; it is left out and that is said."""
    alone, _ = proposed(ball, *prompts)
    empty = Mask(voxels=np.zeros(GRID.shape_kji, bool), geometry=GRID)
    beside, codes = proposed(ball, *prompts, previous=empty)
    np.testing.assert_array_equal(beside, alone)
    assert "previous-elsewhere" in codes


@pytest.mark.parametrize("prompt", [LINE, BOX], ids=["line", "box"])
def test_a_previous_mask_of_another_lesion_takes_nothing_away(ball, prompt):
    """It lies 24 mm beside the ball; one of the ball itself is refined as before."""
    other = Mask(voxels=(X - 24) ** 2 + Y**2 + Z**2 <= 4**2, geometry=GRID)
    alone, _ = proposed(ball, prompt)
    beside, codes = proposed(ball, prompt, previous=other)
    np.testing.assert_array_equal(beside, alone)
    assert "previous-elsewhere" in codes
    _, codes = proposed(ball, prompt, previous=Mask(voxels=BALL, geometry=GRID))
    assert "previous-elsewhere" not in codes
