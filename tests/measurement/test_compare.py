"""The mask's diameter against the reader's caliper."""

import pytest

from npcpit_imaging.measurement.compare import axes_findings, caliper_findings, compare_with_caliper
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.measurement import Measurement


def line(length_mm):
    return Caliper(start_mm=(0.0, 0.0, 5.0), end_mm=(length_mm, 0.0, 5.0))


def measured(length_mm):
    return Measurement(
        longest_diameter=None if length_mm is None else line(length_mm),
        short_axis=None if length_mm is None else line(length_mm / 2),
        slice_index_k=0,
        slice_position_mm=5.0,
        volume_ml=1.0,
        components=1,
        convention="test",
    )


@pytest.mark.parametrize(
    ("mask_mm", "caliper_mm", "differs"),
    [
        (30.0, 31.9, False),
        (30.0, 32.1, True),
        (10.0, 11.0, False),
        (10.0, 11.2, True),
        (11.2, 10.0, True),
        (60.0, 62.5, True),
    ],
)
def test_a_difference_above_two_mm_or_ten_percent_is_a_finding(mask_mm, caliper_mm, differs):
    findings = compare_with_caliper(measured(mask_mm), line(caliper_mm))
    assert [finding.code for finding in findings] == (["caliper-differs"] if differs else [])


def test_the_finding_tells_both_numbers_and_the_sign():
    (finding,) = compare_with_caliper(measured(27.0), line(30.0))
    assert "mask 27.0 mm" in finding.text
    assert "caliper 30.0 mm" in finding.text
    assert "-3.0 mm" in finding.text


def across(length_mm):
    """A line perpendicular to every `line`."""
    return Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(0.0, length_mm, 0.0))


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        (((0, 0, 0), (0, 15, 0)), []),
        (((0, 0, 0), (7, 13, 0)), []),
        (((0, 0, 0), (13, 7, 0)), ["short-caliper-not-across"]),
        (((0, 0, 0), (30, 0, 0)), ["short-caliper-not-across"]),
        (((0, 0, 0), (0, 31, 0)), ["short-caliper-longer"]),
    ],
)
def test_a_short_caliper_lies_across_the_long_one_and_is_no_longer(short, expected):
    """Angles of 90, 61.7, 28.3 and 0 degrees; without a mask the two are still compared with each other."""
    drawn = Caliper(start_mm=short[0], end_mm=short[1])
    assert [finding.code for finding in axes_findings(line(30.0), drawn)] == expected
    assert [finding.code for finding in caliper_findings(None, line(30.0), drawn)] == expected
    assert set(expected) <= {finding.code for finding in caliper_findings(measured(30.0), line(30.0), drawn)}
    assert caliper_findings(None, None, drawn) == ()


@pytest.mark.parametrize(
    ("short_mm", "differs"), [(15.0, False), (16.6, False), (16.9, True), (13.7, False), (13.5, True)]
)
def test_the_short_axis_is_compared_too(short_mm, differs):
    """The mask's is 15 mm. Reader 16.6: 9.6 % off; 16.9: 11.2 %; 13.7: 9.5 %; 13.5: 11.1 %."""
    findings = compare_with_caliper(measured(30.0), line(30.0), across(short_mm))
    assert [finding.code for finding in findings] == (["short-caliper-differs"] if differs else [])


@pytest.mark.parametrize(("mask_mm", "caliper_mm"), [(32.0, 30.0), (28.0, 30.0), (11.0, 10.0)])
def test_exactly_two_mm_or_ten_percent_is_no_finding(mask_mm, caliper_mm):
    assert compare_with_caliper(measured(mask_mm), line(caliper_mm)) == ()


def test_a_caliper_without_a_mask_is_a_finding():
    (finding,) = compare_with_caliper(measured(None), line(12.0))
    assert finding.code == "caliper-without-mask"
