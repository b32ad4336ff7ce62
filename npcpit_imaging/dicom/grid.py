"""Slices in order of position, and the regular grid they lie on (DICOM PS3.3 C.7.6.2.1.1).

Slices are ordered along the normal, never by InstanceNumber; spacing comes from positions, never from SliceThickness.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.series import Choice, SeriesPolicy
from npcpit_imaging.dicom.instance import series_name
from npcpit_imaging.dicom.split import SAME_POSITION_MM, Slice, SubSeries, offset_mm
from npcpit_imaging.dicom.values import tag_name
from npcpit_imaging.errors import GeometryError, SeriesError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry

GAP_CODE = "slices-interpolated"
"""Finding of a series whose gaps or irregular distances were interpolated."""

TILT_CODE = "tilt-resampled"
"""Finding of a series whose gantry tilt was taken back."""

TILT_TOLERANCE = 1e-3
"""Largest shift within the plane per mm along the normal that is rounding and no gantry tilt (0.06 degrees)."""

IN_PLANE_TOLERANCE = 0.1
"""Largest distance of a slice, within its plane, from the line through all slices, as a fraction of a pixel."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Slices at distinct places along one normal.

    Args:
        series_uid: SeriesInstanceUID, for messages.
        slices: Ordered along the normal; one a place.
        copies: For each place, the other slices that claim it.
        offsets_mm: `(K,)` position of each place along the normal.
    """

    series_uid: str
    slices: tuple[Slice, ...]
    copies: tuple[tuple[Slice, ...], ...]
    offsets_mm: tuple[float, ...]

    def position_mm(self, k: int) -> NDArray[np.float64]:
        """Return ImagePositionPatient of the slice at place `k`, `(3,)`."""
        return np.array(self.slices[k].frame.position_mm, float)


def stack(part: SubSeries) -> Stack:
    """Order slices by their position along the normal.

    Raises:
        SeriesError: A slice does not say where it is; the message names the tag.
    """
    for each in part.slices:
        _require_position(part.series_uid, each)
    places = [(float(offset_mm(each.frame) or 0.0), each) for each in part.slices]
    places.sort(key=lambda place: (place[0], place[1].instance.sop_instance_uid, place[1].frame.index))
    groups: list[list[tuple[float, Slice]]] = []
    for place in places:
        if groups and place[0] - groups[-1][-1][0] <= SAME_POSITION_MM:
            groups[-1].append(place)
        else:
            groups.append([place])
    return Stack(
        series_uid=part.series_uid,
        slices=tuple(members[0][1] for members in groups),
        copies=tuple(tuple(each for _, each in members[1:]) for members in groups),
        offsets_mm=tuple(members[0][0] for members in groups),
    )


def _require_position(series_uid: str, each: Slice) -> None:
    frame = each.frame
    for keyword, value in (
        ("ImagePositionPatient", frame.position_mm),
        ("ImageOrientationPatient", frame.orientation),
        ("PixelSpacing", frame.spacing_mm),
    ):
        where = f"{series_name(series_uid)}: instance {each.instance.sop_instance_uid}"
        if value is None:
            raise SeriesError(f"{where}: {tag_name(keyword)} is missing")
        if not np.isfinite(value).all():
            raise SeriesError(f"{where}: {tag_name(keyword)}: expected finite numbers, found {value}")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The regular grid of a stack, and whether its slices must be resampled to lie on it.

    Args:
        geometry: The grid.
        findings: What is worth knowing about it.
        is_exact: The slices are the grid's own; otherwise they are interpolated, as the policy allowed.
    """

    geometry: Geometry
    findings: tuple[Finding, ...]
    is_exact: bool = True


def regular_grid(stacked: Stack, policy: SeriesPolicy) -> Placement:
    """Return the grid of slices that lie at regular distances, and what is worth knowing about it.

    Raises:
        SeriesError: One slice, a gap, irregular distances or a tilt, where the policy does not allow them.
    """
    if len(stacked.slices) == 1:
        return _lone_slice(stacked, policy)
    spacing, uneven = _spacing(stacked, policy)
    tilted = _tilt(stacked, policy)
    count = math.floor((stacked.offsets_mm[-1] - stacked.offsets_mm[0]) / spacing + policy.position_tolerance) + 1
    geometry = _geometry(stacked, spacing, count)
    if any(finding.code == TILT_CODE for finding in tilted):
        geometry = _widened(geometry, in_plane_drift(stacked))
    findings = (*uneven, *tilted)
    resampled = {GAP_CODE, TILT_CODE} & {finding.code for finding in findings}
    return Placement(geometry=geometry, findings=findings, is_exact=not resampled)


def _lone_slice(stacked: Stack, policy: SeriesPolicy) -> Placement:
    if policy.single_slice is Choice.REFUSE:
        raise SeriesError(
            f"{series_name(stacked.series_uid)}: expected at least 2 slices, found 1 (a lone slice has no spacing)"
        )
    thickness = stacked.slices[0].frame.thickness_mm
    if thickness is None or not thickness > 0:
        raise SeriesError(
            f"{series_name(stacked.series_uid)}: one slice without a positive {tag_name('SliceThickness')}"
        )
    told = Finding(
        code="single-slice",
        severity=Severity.WARNING,
        text=f"one slice: its extent of {thickness:g} mm along the normal is SliceThickness",
    )
    return Placement(geometry=_geometry(stacked, thickness, 1), findings=(told,))


def _spacing(stacked: Stack, policy: SeriesPolicy) -> tuple[float, list[Finding]]:
    """Return the slice spacing in mm: the mean step, or the usual one where gaps are interpolated."""
    offsets = np.array(stacked.offsets_mm)
    steps = np.diff(offsets)
    spacing = float(steps.mean())
    off_mm = float(np.abs(offsets - (offsets[0] + spacing * np.arange(len(offsets)))).max())
    if off_mm <= policy.silent_tolerance * spacing:
        return spacing, []
    if off_mm <= policy.position_tolerance * spacing:
        return spacing, [_jitter(steps, spacing, off_mm, policy)]
    words = _irregular_text(stacked, steps, policy)
    if policy.gap is Choice.REFUSE:
        raise SeriesError(f"{series_name(stacked.series_uid)}: {words}")
    told = Finding(code=GAP_CODE, severity=Severity.WARNING, text=f"interpolated to a regular grid: {words}")
    return float(np.median(steps)), [told]


def _jitter(steps: NDArray[np.float64], spacing: float, off_mm: float, policy: SeriesPolicy) -> Finding:
    return Finding(
        code="slice-spacing-jitter",
        severity=Severity.INFO,
        text=(
            f"slice distances {steps.min():.3f} to {steps.max():.3f} mm read as {spacing:.4f} mm: no slice is more "
            f"than {off_mm:.3f} mm from its place (allowed {policy.position_tolerance * spacing:.3f} mm)"
        ),
    )


def _irregular_text(stacked: Stack, steps: NDArray[np.float64], policy: SeriesPolicy) -> str:
    usual = float(np.median(steps))
    k = int(np.abs(steps - usual).argmax())
    x, y, z = stacked.position_mm(k)
    missing = round(float(steps[k]) / usual) - 1
    hint = f", about {missing} missing" if missing > 0 else ""
    return (
        f"slice gap {steps[k]:.3f} mm after slice {k} at ({x:.2f}, {y:.2f}, {z:.2f}) mm, expected {usual:.3f} mm "
        f"with every slice within {policy.position_tolerance * usual:.3f} mm of its place{hint}"
    )


def _tilt(stacked: Stack, policy: SeriesPolicy) -> list[Finding]:
    """Check that slices are stacked along their normal; a tilt is a shift within the plane that grows with height."""
    drift = in_plane_drift(stacked)
    height = np.array(stacked.offsets_mm) - stacked.offsets_mm[0]
    slope = drift[-1] / height[-1]
    stray = np.linalg.norm(drift - height[:, None] * slope, axis=1)
    k = int(stray.argmax())
    pixel_mm = min(stacked.slices[0].frame.spacing_mm or (1.0, 1.0))
    if stray[k] > IN_PLANE_TOLERANCE * pixel_mm:
        raise SeriesError(
            f"{series_name(stacked.series_uid)}: slice {k} lies {stray[k]:.3f} mm beside the others within its plane, "
            f"expected at most {IN_PLANE_TOLERANCE * pixel_mm:.3f} mm"
        )
    tilt = float(np.linalg.norm(slope))
    if tilt <= TILT_TOLERANCE:
        return []
    words = f"slices shifted by {np.degrees(np.arctan(tilt)):.2f} degrees (a gantry tilt)"
    if policy.tilt is Choice.REFUSE:
        raise SeriesError(
            f"{series_name(stacked.series_uid)}: expected slices stacked along their normal, found {words}"
        )
    return [Finding(code=TILT_CODE, severity=Severity.WARNING, text=f"{words} moved back by linear interpolation")]


def _widened(geometry: Geometry, drift_mm: NDArray[np.float64]) -> Geometry:
    """Return the grid made so wide that no shifted slice loses a pixel."""
    pixels = drift_mm / np.array(geometry.spacing_mm[:2])
    before = np.floor(np.minimum(pixels.min(axis=0), 0.0)).astype(int)
    after = np.ceil(np.maximum(pixels.max(axis=0), 0.0)).astype(int)
    slices, rows, columns = geometry.shape_kji
    grown = (slices, rows + int(after[1] - before[1]), columns + int(after[0] - before[0]))
    return geometry.crop((0, int(before[1]), int(before[0])), grown)


def in_plane_drift(stacked: Stack) -> NDArray[np.float64]:
    """Return for each slice how far it lies from the first within the slice plane: `(K, 2)` mm along row and column."""
    axes = axes_of(stacked)
    moved = np.array([stacked.position_mm(k) for k in range(len(stacked.slices))]) - stacked.position_mm(0)
    drift: NDArray[np.float64] = moved @ axes[:, :2]
    return drift


def axes_of(stacked: Stack) -> NDArray[np.float64]:
    """Return the directions of i, j and k as the columns of a `(3, 3)` matrix."""
    cosines = np.array(stacked.slices[0].frame.orientation, float)
    return np.stack([cosines[:3], cosines[3:], np.cross(cosines[:3], cosines[3:])], axis=1)


def _geometry(stacked: Stack, spacing_mm: float, count: int) -> Geometry:
    first = stacked.slices[0]
    rows_mm, columns_mm = first.frame.spacing_mm or (0.0, 0.0)
    pixels = first.instance.pixels
    axes = axes_of(stacked)
    rows, columns = (0, 0) if pixels is None else (pixels.rows, pixels.columns)
    try:
        return Geometry(
            shape_kji=(count, rows, columns),
            origin_mm=_triple(stacked.position_mm(0)),
            spacing_mm=(columns_mm, rows_mm, spacing_mm),
            direction=(_triple(axes[0]), _triple(axes[1]), _triple(axes[2])),
            frame_of_reference_uid=first.instance.frame_of_reference_uid or None,
        )
    except GeometryError as error:
        raise SeriesError(f"{series_name(stacked.series_uid)}: {error}") from error


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
