"""Measurements are values: lengths come from their calipers, and an empty mask has none."""

from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.measurement import Measurement


def measurement(longest, short):
    return Measurement(
        longest_diameter=longest,
        short_axis=short,
        slice_index_k=None,
        slice_position_mm=None,
        volume_ml=0.0,
        components=0,
        convention="in-plane 1",
    )


def test_lengths_and_their_product():
    """A 3-4-5 triangle and 2 mm across: 5 mm, 2 mm and 10 mm2."""
    found = measurement(
        Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(3.0, 4.0, 0.0)),
        Caliper(start_mm=(1.0, 0.0, 0.0), end_mm=(1.0, 2.0, 0.0)),
    )
    assert (found.longest_diameter_mm, found.short_axis_mm, found.bidimensional_product_mm2) == (5.0, 2.0, 10.0)


def test_an_empty_mask_has_no_length():
    """None, and not 0 mm."""
    found = measurement(None, None)
    assert (found.longest_diameter_mm, found.short_axis_mm, found.bidimensional_product_mm2) == (None, None, None)
