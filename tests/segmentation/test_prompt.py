"""Prompts and their spelling on the command line."""

import math

import pytest

from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.segmentation.prompt import (
    BoxPrompt,
    LassoPrompt,
    LinePrompt,
    PointPrompt,
    ScribblePrompt,
    parse_box,
    parse_lasso,
    parse_line,
    parse_point,
    parse_scribble,
)


def test_a_line_is_two_points_in_mm():
    line = parse_line("-12.5,3,1e2:0,-4.5,100")
    assert line == LinePrompt(start_mm=(-12.5, 3.0, 100.0), end_mm=(0.0, -4.5, 100.0))
    assert line.length_mm == pytest.approx(math.hypot(12.5, 7.5))


def test_a_box_is_two_opposite_corners():
    assert parse_box("0,0,0:1,2,3") == BoxPrompt(corner_mm=(0.0, 0.0, 0.0), opposite_mm=(1.0, 2.0, 3.0))


def test_a_point_is_three_numbers():
    assert parse_point("1, 2 ,3") == PointPrompt(point_mm=(1.0, 2.0, 3.0))


def test_a_stroke_and_an_outline_are_rows_of_points_of_either_sign():
    row = ((0.0, 0.0, 5.0), (3.0, 0.0, 5.0), (3.0, 4.0, 5.0))
    text = "0,0,5:3,0,5:3,4,5"
    assert parse_scribble(text) == ScribblePrompt(points_mm=row)
    assert parse_lasso(text, positive=False) == LassoPrompt(points_mm=row, positive=False)
    assert parse_point("1,2,3", positive=False) == PointPrompt(point_mm=(1.0, 2.0, 3.0), positive=False)


def test_too_few_points_for_an_outline_are_refused():
    with pytest.raises(SegmentationError, match="lasso: expected at least 3 points, found 2"):
        parse_lasso("0,0,0:1,0,0")


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2:3,4", "1,2,3:4,5,x", "1,2,3:4,5,6:7,8,9", "1,2,3,4:5,6,7,8"])
def test_a_misspelt_line_is_shown_with_what_was_expected(text):
    with pytest.raises(InputError, match=r"x,y,z"):
        parse_line(text)


@pytest.mark.parametrize("text", ["nan,0,0", "inf,0,0", "1,2"])
def test_a_misspelt_point_is_refused(text):
    with pytest.raises(InputError):
        parse_point(text)


def test_a_line_without_length_is_refused():
    with pytest.raises(SegmentationError, match="expected two different points"):
        parse_line("1,2,3:1,2,3")


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinePrompt(start_mm=(math.nan, 0, 0), end_mm=(1, 0, 0)),
        lambda: PointPrompt(point_mm=(0, math.inf, 0)),
        lambda: BoxPrompt(corner_mm=(1, 1, 1), opposite_mm=(1, 1, 1)),
        lambda: ScribblePrompt(points_mm=((0, 0, 0),)),
        lambda: LassoPrompt(points_mm=((0, 0, 0), (1, 0, 0))),
    ],
)
def test_a_constructed_prompt_is_valid(make):
    with pytest.raises(SegmentationError):
        make()
