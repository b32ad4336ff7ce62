"""A mask's axes against the reader's own calipers: both are kept; where they differ in length or place is shown."""

import numpy as np

from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.volume import Mask

DIFFERENCE_LIMIT_MM = 2.0
"""A larger difference between mask and caliper is a finding."""

DIFFERENCE_LIMIT_PERCENT = 10.0
"""A larger difference, in percent of the caliper, is a finding even when it is small in mm."""

LEAST_ANGLE_DEGREES = 60.0
"""A short axis lies across the long one (RECIST 1.1); a hand draws it so within a third of a right angle."""

SAMPLES = 200
"""Places along a caliper at which it is asked whether they lie in the mask."""

ROUNDING_MM = 1e-9
"""Lengths come from square roots: exactly 2 mm of difference is not more than 2 mm."""


def caliper_findings(
    measurement: Measurement | None, long: Caliper | None, short: Caliper | None
) -> tuple[Finding, ...]:
    """A reader's own calipers beside a mask's axes, or only beside each other where there is no mask.

    Args:
        measurement: What was measured on the mask; None where there is none.
        long: The long axis as the reader drew it; nothing is said without.
        short: The short axis as the reader drew it.

    Returns:
        Findings of `compare_with_caliper` and `axes_findings`.
    """
    if long is None:
        return ()
    if measurement is not None:
        return compare_with_caliper(measurement, long, short)
    return () if short is None else axes_findings(long, short)


def compare_with_caliper(
    measurement: Measurement, caliper: Caliper, short_caliper: Caliper | None = None
) -> tuple[Finding, ...]:
    """Say whether the mask and the reader's calipers disagree by more than 2 mm or 10 %.

    Args:
        measurement: What was measured on the mask.
        caliper: The long axis as the reader drew it.
        short_caliper: The short axis as the reader drew it; the size of a lymph node.

    Returns:
        Nothing, or findings: ``caliper-differs``, ``short-caliper-differs``, ``short-caliper-not-across`` (the two run
        alike), or ``caliper-without-mask`` when the mask is empty.

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
    return (*found, *(() if short_caliper is None else axes_findings(caliper, short_caliper)))


def axes_findings(long: Caliper, short: Caliper) -> tuple[Finding, ...]:
    """Say when a reader's two calipers are not the two axes of one lesion.

    Returns:
        Nothing, or ``short-caliper-not-across`` (less than 60 degrees between them), or ``short-caliper-longer``.

    Example:
        >>> long = Caliper(start_mm=(0, 0, 0), end_mm=(12, 0, 0))
        >>> [f.code for f in axes_findings(long, long)]
        ['short-caliper-not-across']
    """
    one, other = (np.subtract(line.end_mm, line.start_mm) for line in (long, short))
    cosine = abs(float(one @ other)) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), ROUNDING_MM)
    angle = float(np.degrees(np.arccos(min(1.0, cosine))))
    found = []
    if angle < LEAST_ANGLE_DEGREES:
        text = f"short caliper: expected across the long one, found {angle:.0f} degrees between them"
        found.append(Finding(code="short-caliper-not-across", severity=Severity.WARNING, text=text))
    if short.length_mm > long.length_mm + ROUNDING_MM:
        text = f"short caliper: expected at most the long one's {long.length_mm:.1f} mm, found {short.length_mm:.1f} mm"
        found.append(Finding(code="short-caliper-longer", severity=Severity.WARNING, text=text))
    return tuple(found)


def place_findings(name: str, caliper: Caliper, mask: Mask, measurement: Measurement) -> tuple[Finding, ...]:
    """Say when a reader's caliper does not lie on the lesion that a mask outlines.

    Args:
        name: What to call it in the text.
        caliper: As the reader drew it, in the mask's own space.
        mask: The lesion.
        measurement: What was measured on it.

    Returns:
        Nothing; or ``caliper-beside-lesion``, where no place of it lies in the mask; or, for information,
        ``caliper-in-another-slice`` than the one the mask was measured in.
    """
    if measurement.slice_index_k is None:
        return ()
    path = mask.geometry.to_index(np.linspace(caliper.start_mm, caliper.end_mm, SAMPLES))
    index = np.clip(np.rint(path).astype(int), 0, np.array(mask.geometry.shape_kji) - 1)
    k = round(float(path[:, 0].mean()))
    if not mask.voxels[tuple(index.T)].any():
        slices = np.flatnonzero(mask.voxels.any(axis=(1, 2)))
        text = (
            f"{name}: expected on the lesion, which lies in slices {slices[0]} to {slices[-1]}, found in slice {k} and "
            "nowhere in it; it may belong to another lesion or image"
        )
        return (Finding(code="caliper-beside-lesion", severity=Severity.WARNING, text=text),)
    if k == measurement.slice_index_k:
        return ()
    text = f"{name}: drawn in slice {k}, the mask was measured in slice {measurement.slice_index_k}"
    return (Finding(code="caliper-in-another-slice", severity=Severity.INFO, text=text),)


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
