"""What a person should know about a series before measuring on it, from headers alone (DICOM PS3.3 C.7.6, C.8.9)."""

from collections import Counter

import numpy as np

from npcpit_imaging.config.series import DEFAULT_POLICY, Choice, SeriesPolicy
from npcpit_imaging.dicom.grid import Stack, regular_grid, stack
from npcpit_imaging.dicom.instance import Kind
from npcpit_imaging.dicom.pet import suv_scaling
from npcpit_imaging.dicom.scan import Series
from npcpit_imaging.dicom.split import SubSeries, split_series
from npcpit_imaging.dicom.values import tag_name
from npcpit_imaging.errors import NpcpitError, SeriesError
from npcpit_imaging.study.finding import Finding, Severity

GAP_FACTOR = 1.5
"""A step between slices this many times the usual one is a gap, not jitter."""

THICKNESS_TOLERANCE = 0.01
"""SliceThickness and slice spacing that differ by less, as a fraction of the spacing, are the same."""

COMPLETENESS_POLICY = SeriesPolicy(tilt=Choice.ALLOW)
"""A tilted series can be whole: only holes, uneven steps and lone slices say that something has not arrived."""

FLAG_FINDINGS = {
    "lossy": ("lossy-compression", "LossyImageCompression"),
    "burned-in": ("burned-in-annotation", "BurnedInAnnotation"),
    "localiser": ("localiser", "ImageType"),
}
"""Header flag to finding code and the tag that says so."""


def series_findings(series: Series, *, policy: SeriesPolicy = DEFAULT_POLICY) -> tuple[Finding, ...]:
    """Return what is worth knowing about a series of images; an error means it cannot be read as one volume.

    Args:
        series: A series of a scan.
        policy: How strict reading will be.

    Returns:
        Findings, worst first; none for objects that are no images.
    """
    if series.kind is not Kind.IMAGE:
        return ()
    findings = [*_flags(series), *_faults(series)]
    if series.is_measurable:
        parts = split_series(series)
        findings += _several(parts) if len(parts) > 1 else _one_volume(parts[0], policy)
        findings += _uptake(series)
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def completeness_fault(series: Series) -> str:
    """Say why the geometry of a series is not that of a whole one; an empty text when it is plausible.

    Volumes of a mixture are judged one by one. Objects that are no slices (contours, secondary captures, localisers)
    have no geometry to judge. A series that lacks its outermost slices looks whole: only who sent it can tell.
    """
    if series.kind is not Kind.IMAGE or not series.is_measurable:
        return ""
    for part in split_series(series):
        try:
            regular_grid(stack(part), COMPLETENESS_POLICY)
        except SeriesError as error:
            return str(error)
    return ""


def _flags(series: Series) -> list[Finding]:
    found = Counter(flag for instance in series.instances for flag in instance.flags)
    return [
        _finding(FLAG_FINDINGS[flag][0], Severity.WARNING, f"{tag_name(FLAG_FINDINGS[flag][1])} of {count} instances")
        for flag, count in sorted(found.items())
    ]


def _faults(series: Series) -> list[Finding]:
    faults = Counter(instance.fault for instance in series.instances if instance.fault)
    return [
        _finding("not-measurable", Severity.ERROR, f"{count} instances: {fault}")
        for fault, count in sorted(faults.items())
    ]


def _several(parts: tuple[SubSeries, ...]) -> list[Finding]:
    words = "; ".join(part.describe() for part in parts)
    return [_finding("several-volumes", Severity.ERROR, f"{len(parts)} volumes in one series: {words}")]


def _one_volume(part: SubSeries, policy: SeriesPolicy) -> list[Finding]:
    try:
        stacked = stack(part)
    except SeriesError as error:
        return [_finding("no-geometry", Severity.ERROR, str(error))]
    findings = [*_copies(stacked), *_thickness(stacked), *_frame_of_reference(stacked)]
    try:
        findings += regular_grid(stacked, policy).findings
    except SeriesError as error:
        findings.append(_finding(_geometry_code(stacked), Severity.ERROR, str(error)))
    return findings


def _geometry_code(stacked: Stack) -> str:
    steps = np.diff(stacked.offsets_mm)
    if len(steps) == 0:
        return "single-slice"
    return "slice-gap" if steps.max() > GAP_FACTOR * np.median(steps) else "irregular-slices"


def _copies(stacked: Stack) -> list[Finding]:
    count = sum(len(copies) for copies in stacked.copies)
    if not count:
        return []
    return [_finding("duplicate-slice", Severity.WARNING, f"{count} slices at places that are taken already")]


def _thickness(stacked: Stack) -> list[Finding]:
    thickness = stacked.slices[0].frame.thickness_mm
    if thickness is None or len(stacked.slices) == 1:
        return []
    spacing = float(np.median(np.diff(stacked.offsets_mm)))
    if abs(thickness - spacing) <= THICKNESS_TOLERANCE * spacing:
        return []
    kind = "overlap" if thickness > spacing else "leave gaps"
    words = f"{tag_name('SliceThickness')} {thickness:g} mm and slice spacing {spacing:g} mm: slices {kind}"
    return [_finding("thickness-is-not-spacing", Severity.INFO, words)]


def _frame_of_reference(stacked: Stack) -> list[Finding]:
    if stacked.slices[0].instance.frame_of_reference_uid:
        return []
    return [_finding("no-frame-of-reference", Severity.WARNING, f"{tag_name('FrameOfReferenceUID')} is missing")]


def _uptake(series: Series) -> list[Finding]:
    """Tell beforehand whether a PET can be read as SUV."""
    if series.modality != "PT":
        return []
    try:
        return list(suv_scaling(series).findings)
    except NpcpitError as error:
        return [_finding("no-suv", Severity.WARNING, str(error))]


def _finding(code: str, severity: Severity, text: str) -> Finding:
    return Finding(code=code, severity=severity, text=text)
