"""Diameters and volume of a mask on its native grid, and what a reader should know of them (RECIST 1.1, section 3)."""

import math

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.measurement.diameter import CONVENTION, Diameter, find_diameter
from npcpit_imaging.measurement.runs import Runs, find_runs, label_volume
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

OBLIQUE_LIMIT_DEGREES = 20.0
"""Slices further than this from the axial plane are measured where they lie, with a warning."""

SAMPLES_PER_PIXEL = 4
"""How finely a caliper is followed when asking whether it leaves the lesion."""

SLACK_PIXEL = 0.5
"""How far beside the lesion's pixels a caliper may run: its ends are set out, and a digital edge is a staircase."""

OUTSIDE_LIMIT_PIXEL = 0.5
"""Less of a caliper outside the lesion is the staircase of a convex edge (at most 0.32 on 1800 random ellipses)."""


def measure(mask: Mask) -> Measurement:
    """Measure one lesion's mask in the slices it was drawn on.

    Several components are reported and never spanned: each slice's largest is measured.

    Args:
        mask: The lesion; empty gives no diameters and the finding ``empty-mask``.

    Returns:
        Longest diameter, short axis, volume and findings: ``several-components``, ``several-components-in-slice``,
        ``line-leaves-lesion``, ``oblique``, ``truncated``, ``empty-mask``.

    Example:
        >>> import numpy as np
        >>> from npcpit_imaging.volume.geometry import Geometry
        >>> grid = Geometry(shape_kji=(3, 9, 9), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 5.0))
        >>> voxels = np.zeros(grid.shape_kji, bool)
        >>> voxels[1, 4, 2:7] = True
        >>> found = measure(Mask(voxels=voxels, geometry=grid))
        >>> round(found.longest_diameter_mm, 2), found.slice_index_k, found.volume_ml
        (4.53, 1, 0.025)
    """
    runs = find_runs(mask.voxels)
    if len(runs.k) == 0:
        return _empty()
    geometry = mask.geometry
    components, label = label_volume(runs, geometry.shape_kji[1])
    found = find_diameter(runs, geometry)
    return Measurement(
        longest_diameter=found.longest,
        short_axis=found.short,
        slice_index_k=found.slice_index_k,
        slice_position_mm=float(geometry.to_mm((found.slice_index_k, 0, 0)) @ geometry.normal),
        volume_ml=int(runs.voxels.sum()) * geometry.voxel_ml,
        components=components,
        convention=CONVENTION,
        findings=(
            *_component_findings(runs, label, components, found, geometry),
            *_line_findings(mask, found),
            *_oblique_finding(geometry),
            *_truncation_finding(runs, geometry),
        ),
    )


def _empty() -> Measurement:
    text = "mask: expected at least one voxel, found none; no diameter"
    return Measurement(
        longest_diameter=None,
        short_axis=None,
        slice_index_k=None,
        slice_position_mm=None,
        volume_ml=0.0,
        components=0,
        convention=CONVENTION,
        findings=(Finding(code="empty-mask", severity=Severity.WARNING, text=text),),
    )


def _component_findings(
    runs: Runs, label: NDArray[np.int64], components: int, found: Diameter, geometry: Geometry
) -> list[Finding]:
    findings = []
    if components > 1:
        size_ml = np.sort(np.bincount(label, weights=runs.voxels))[::-1] * geometry.voxel_ml
        text = (
            f"mask: expected one component, found {components} (largest {size_ml[0]:.3g} mL, "
            f"next {size_ml[1]:.3g} mL); no line spans two of them"
        )
        findings.append(Finding(code="several-components", severity=Severity.WARNING, text=text))
    if found.slice_components > 1:
        text = (
            f"mask: {found.slice_components} separate parts in slice {found.slice_index_k}; "
            "only the largest was measured"
        )
        findings.append(Finding(code="several-components-in-slice", severity=Severity.WARNING, text=text))
    return findings


def _line_findings(mask: Mask, found: Diameter) -> list[Finding]:
    limit_mm = OUTSIDE_LIMIT_PIXEL * max(mask.geometry.spacing_mm[:2])
    lines = {"longest diameter": found.longest, "short axis": found.short}
    return [
        Finding(
            code="line-leaves-lesion",
            severity=Severity.WARNING,
            text=f"{name}: {outside_mm:.1f} mm of the line in slice {found.slice_index_k} lie outside the lesion",
        )
        for name, line in lines.items()
        if (outside_mm := _length_outside_mm(mask, line, found.slice_index_k)) > limit_mm
    ]


def _length_outside_mm(mask: Mask, line: Caliper, k: int) -> float:
    """Length of the line further than half a pixel beside every pixel of the lesion."""
    ends = mask.geometry.to_index([line.start_mm, line.end_mm])[:, 1:]
    steps = max(2, math.ceil(SAMPLES_PER_PIXEL * float(np.abs(ends[1] - ends[0]).max())) + 1)
    samples = np.linspace(ends[0], ends[1], steps)
    inside = np.zeros(steps, bool)
    for offset in ((0.0, 0.0), (SLACK_PIXEL, 0.0), (-SLACK_PIXEL, 0.0), (0.0, SLACK_PIXEL), (0.0, -SLACK_PIXEL)):
        j, i = np.rint(samples + offset).astype(int).T
        j, i = np.clip(j, 0, mask.voxels.shape[1] - 1), np.clip(i, 0, mask.voxels.shape[2] - 1)
        inside |= mask.voxels[k, j, i]
    return float(np.count_nonzero(~inside)) / steps * line.length_mm


def _oblique_finding(geometry: Geometry) -> list[Finding]:
    angle = geometry.off_axial_degrees
    if angle <= OBLIQUE_LIMIT_DEGREES:
        return []
    text = (
        f"slices: expected within {OBLIQUE_LIMIT_DEGREES:g} degrees of axial, found {angle:.1f}; measured as acquired"
    )
    return [Finding(code="oblique", severity=Severity.WARNING, text=text)]


def _truncation_finding(runs: Runs, geometry: Geometry) -> list[Finding]:
    slices, rows, columns = geometry.shape_kji
    touched = {
        "first slice": runs.k.min() == 0,
        "last slice": runs.k.max() == slices - 1,
        "first row": runs.j.min() == 0,
        "last row": runs.j.max() == rows - 1,
        "first column": runs.first_i.min() == 0,
        "last column": runs.last_i.max() == columns - 1,
    }
    borders = [name for name, touches in touched.items() if touches]
    if not borders:
        return []
    text = f"mask: touches the volume's {', '.join(borders)}; the lesion may go on outside the image"
    return [Finding(code="truncated", severity=Severity.WARNING, text=text)]
