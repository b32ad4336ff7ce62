"""Lengths in exact tenths, and assessments that are valid once constructed."""

from datetime import date

import pytest

from npcpit_imaging.study.assessment import Assessment, mm_text, tenths_from_mm
from npcpit_imaging.study.lesion import LesionRole, LesionState


@pytest.mark.parametrize(
    ("text", "tenths"),
    [("12.34", 123), ("12.35", 124), ("12.3499999", 123), ("0", 0), ("0.05", 1), ("1000", 10000), ("1e1", 100)],
)
def test_half_up(text, tenths):
    """Values with more than one decimal are rounded half up, per value."""
    assert tenths_from_mm(text) == tenths


@pytest.mark.parametrize("text", ["", "a", "12,3", "-0.1", "1000.1", "nan", "inf"])
def test_not_a_length(text):
    """Anything but a plain number from 0 to 1000 is refused."""
    with pytest.raises(ValueError, match="expected a length"):
        tenths_from_mm(text)


@pytest.mark.parametrize(("tenths", "text"), [(0, "0.0"), (5, "0.5"), (-5, "-0.5"), (1234, "123.4")])
def test_mm_text(tenths, text):
    """Tenths are written as mm with one decimal."""
    assert mm_text(tenths) == text


def assessment(**change):
    values = {
        "subject": "S1", "timepoint": "BASELINE", "date": date(2026, 1, 1), "reader": "R1", "lesion": "T1",
        "role": LesionRole.TARGET, "state": LesionState.MEASURED, "longest_diameter": 200,
    }  # fmt: skip
    return Assessment(**{**values, **change})


def test_size_is_the_short_axis_of_a_node():
    """A node's size is its short axis, anything else's its longest diameter."""
    assert assessment(short_axis=100).size == 200
    assert assessment(short_axis=100, nodal=True).size == 100


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"longest_diameter": None}, "expected longest_diameter_mm"),
        ({"nodal": True}, "expected short_axis_mm"),
        ({"state": LesionState.MERGED}, "expected parent_lesion"),
        ({"parent_lesion": "T1"}, "the lesion itself"),
    ],
)
def test_what_cannot_be(change, text):
    """A measured lesion has its size, a merged one its partner, and nothing is its own parent."""
    with pytest.raises(ValueError, match=text):
        assessment(**change)
