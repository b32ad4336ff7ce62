"""The mask's diameter against the reader's caliper."""

import pytest

from npcpit_imaging.measurement.compare import compare_with_caliper
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


@pytest.mark.parametrize(
    ("short_mm", "differs"), [(15.0, False), (16.6, False), (16.9, True), (13.7, False), (13.5, True)]
)
def test_the_short_axis_is_compared_too(short_mm, differs):
    """The mask's is 15 mm. Reader 16.6: 9.6 % off; 16.9: 11.2 %; 13.7: 9.5 %; 13.5: 11.1 %."""
    findings = compare_with_caliper(measured(30.0), line(30.0), line(short_mm))
    assert [finding.code for finding in findings] == (["short-caliper-differs"] if differs else [])


@pytest.mark.parametrize(("mask_mm", "caliper_mm"), [(32.0, 30.0), (28.0, 30.0), (11.0, 10.0)])
def test_exactly_two_mm_or_ten_percent_is_no_finding(mask_mm, caliper_mm):
    assert compare_with_caliper(measured(mask_mm), line(caliper_mm)) == ()


def test_a_caliper_without_a_mask_is_a_finding():
    (finding,) = compare_with_caliper(measured(None), line(12.0))
    assert finding.code == "caliper-without-mask"
