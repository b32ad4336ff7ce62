"""A mask's axes against the reader's own calipers: both are kept, a difference is shown."""

from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.measurement import Measurement

DIFFERENCE_LIMIT_MM = 2.0
"""A larger difference between mask and caliper is a finding."""

DIFFERENCE_LIMIT_PERCENT = 10.0
"""A larger difference, in percent of the caliper, is a finding even when it is small in mm."""

ROUNDING_MM = 1e-9
"""Lengths come from square roots: exactly 2 mm of difference is not more than 2 mm."""


def compare_with_caliper(
    measurement: Measurement, caliper: Caliper, short_caliper: Caliper | None = None
) -> tuple[Finding, ...]:
    """Say whether the mask and the reader's calipers disagree by more than 2 mm or 10 %.

    Args:
        measurement: What was measured on the mask.
        caliper: The long axis as the reader drew it.
        short_caliper: The short axis as the reader drew it; the size of a lymph node.

    Returns:
        Nothing, or findings: ``caliper-differs``, ``short-caliper-differs``, or ``caliper-without-mask`` when the mask
        is empty.

    Example:
        >>> empty = Measurement(longest_diameter=None, short_axis=None, slice_index_k=None, slice_position_mm=None,
        ...     volume_ml=0.0, components=0, convention="")
        >>> [f.code for f in compare_with_caliper(empty, Caliper(start_mm=(0, 0, 0), end_mm=(12, 0, 0)))]
        ['caliper-without-mask']
    """
    drawn_mm, mask_mm = caliper.length_mm, measurement.longest_diameter_mm
    if mask_mm is None:
        text = f"mask: expected a lesion of about {drawn_mm:.1f} mm as the reader's caliper, found no voxel"
        return (Finding(code="caliper-without-mask", severity=Severity.WARNING, text=text),)
    found = _difference("caliper-differs", "longest diameter", mask_mm, drawn_mm)
    if short_caliper is not None and measurement.short_axis_mm is not None:
        short = (measurement.short_axis_mm, short_caliper.length_mm)
        found += _difference("short-caliper-differs", "short axis", *short)
    return tuple(found)


def _difference(code: str, name: str, mask_mm: float, drawn_mm: float) -> list[Finding]:
    difference_mm = mask_mm - drawn_mm
    limit_mm = min(DIFFERENCE_LIMIT_MM, DIFFERENCE_LIMIT_PERCENT / 100.0 * drawn_mm)
    if abs(difference_mm) <= limit_mm + ROUNDING_MM:
        return []
    text = (
        f"{name}: mask {mask_mm:.1f} mm, reader's caliper {drawn_mm:.1f} mm; "
        f"difference {difference_mm:+.1f} mm, expected within {DIFFERENCE_LIMIT_MM:g} mm "
        f"and {DIFFERENCE_LIMIT_PERCENT:g} %"
    )
    return [Finding(code=code, severity=Severity.WARNING, text=text)]
