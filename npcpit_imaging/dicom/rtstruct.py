"""RTSTRUCT regions to masks: planar contours onto an image's own grid (DICOM PS3.3 C.8.8.5, C.8.8.6)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.dicom.polygon import combine, inside_polygon
from npcpit_imaging.dicom.values import tag_name, text
from npcpit_imaging.errors import DicomError, GeometryError, InputError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

XOR_TYPE = "CLOSEDPLANAR_XOR"
"""ContourGeometricType (3006,0042) of contours of which those on a slice are combined by exclusive or, all of them."""

CLOSED_TYPES = ("CLOSED_PLANAR", XOR_TYPE)
"""ContourGeometricType that encloses an area."""

PLANE_TOLERANCE = 0.1
"""Largest spread of a contour's points along the normal, and distance from a slice that needs no finding, in slices."""

LEAST_POINTS = 3
"""A closed contour of fewer points encloses nothing."""


@dataclass(frozen=True, kw_only=True)
class Contour:
    """A closed contour on the image's grid.

    Args:
        points_kji: `(N, 3)` fractional (k, j, i).
        plane: Mean k of the points.
        is_xor: Whether it is one of CLOSEDPLANAR_XOR, where an overlap is a hole.
    """

    points_kji: NDArray[np.float64]
    plane: float
    is_xor: bool = False


def roi_names(path: Path) -> tuple[str, ...]:
    """Return the names of the regions in an RTSTRUCT, in its order.

    Raises:
        InputError: There is no such file or it is no RTSTRUCT.
        DicomError: It cannot be read.
    """
    return tuple(text(roi, "ROIName") for roi in _rois(_structure_set(path)))


def read_roi(path: Path, name: str, geometry: Geometry) -> Mask:
    """Rasterise one region onto a grid: the voxels whose centre lies inside its contours.

    Args:
        path: The RTSTRUCT.
        name: ROIName; it must be there once.
        geometry: The image's grid; contours must lie parallel to its slices.

    Returns:
        The mask, with what was noticed as findings.

    Raises:
        InputError: The file is no RTSTRUCT, or the name is not in it once; the message lists the names.
        GeometryError: The region is in another frame of reference, across the slices, or outside the image.
        DicomError: The file cannot be read, or the region has no closed contour.
    """
    with quiet():
        structure_set = _structure_set(path)
        roi = _named_roi(structure_set, name, path)
        _require_frame_of_reference(roi, structure_set, name, geometry)
        contours, findings = _contours(_contour_items(structure_set, roi, name), name, geometry)
    by_slice, placed = _place(contours, name, geometry)
    voxels = np.zeros(geometry.shape_kji, np.bool_)
    for k, members in by_slice.items():
        pixels = [inside_polygon(each.points_kji[:, 1:], geometry.shape_kji[1:]) for each in members]
        if any(each.is_xor for each in members):
            voxels[k] = np.logical_xor.reduce(pixels)
            continue
        voxels[k], overlapping = combine(pixels)
        if overlapping:
            placed.append(_finding("roi-overlapping-contours", f"contours overlap on slice {k}; they were united"))
    placed += _skipped_slices(sorted(by_slice))
    return Mask(voxels=voxels, geometry=geometry, label=name, findings=(*findings, *placed))


def _structure_set(path: Path) -> Dataset:
    if not path.is_file():
        raise InputError(f"{path.name}: no such file")
    with quiet():
        dataset = read_dataset(path)
        modality = text(dataset, "Modality")
    if modality != "RTSTRUCT":
        raise InputError(f"expected an RTSTRUCT, found {tag_name('Modality')} {modality or 'none'}")
    return dataset


def _rois(structure_set: Dataset) -> list[Dataset]:
    return list(structure_set.get("StructureSetROISequence") or [])


def _named_roi(structure_set: Dataset, name: str, path: Path) -> Dataset:
    rois = _rois(structure_set)
    found = [roi for roi in rois if text(roi, "ROIName") == name]
    if len(found) != 1:
        names = ", ".join(text(roi, "ROIName") for roi in rois) or "none"
        raise InputError(f"{path.name}: expected one region named {name!r}, found {len(found)}; regions: {names}")
    return found[0]


def _require_frame_of_reference(roi: Dataset, structure_set: Dataset, name: str, geometry: Geometry) -> None:
    found = text(roi, "ReferencedFrameOfReferenceUID") or text(structure_set, "FrameOfReferenceUID")
    expected = geometry.frame_of_reference_uid
    if expected and found and found != expected:
        raise GeometryError(f"region {name!r}: expected frame of reference {expected} (the image's), found {found}")


def _contour_items(structure_set: Dataset, roi: Dataset, name: str) -> list[Dataset]:
    number = text(roi, "ROINumber")
    items = [
        contour
        for each in structure_set.get("ROIContourSequence") or []
        if text(each, "ReferencedROINumber") == number
        for contour in each.get("ContourSequence") or []
    ]
    if not items:
        raise DicomError(f"region {name!r}: {tag_name('ContourSequence')} is missing or empty")
    return items


def _contours(items: list[Dataset], name: str, geometry: Geometry) -> tuple[list[Contour], list[Finding]]:
    """Return the closed contours in index space, each once."""
    contours: dict[bytes, Contour] = {}
    open_count = repeated = 0
    for item in items:
        points_mm, kind = _points_mm(item, name), text(item, "ContourGeometricType")
        if kind not in CLOSED_TYPES or len(points_mm) < LEAST_POINTS:
            open_count += 1
            continue
        repeated += points_mm.tobytes() in contours
        contours[points_mm.tobytes()] = _on_grid(points_mm, name, geometry, is_xor=kind == XOR_TYPE)
    if not contours:
        raise DicomError(f"region {name!r}: expected closed planar contours, found {open_count} points or open lines")
    findings = []
    if open_count:
        findings.append(_finding("roi-open-contours", f"{open_count} contours that enclose no area were left out"))
    if repeated:
        findings.append(_finding("roi-repeated-contours", f"{repeated} contours that were there twice count once"))
    return list(contours.values()), findings


def _points_mm(item: Dataset, name: str) -> NDArray[np.float64]:
    """Return ContourData as `(N, 3)` LPS mm, parsed without pydicom's object for each number."""
    try:
        element = item.get_item("ContourData")
        value = b"" if element is None else element.value
        parts = value.split(b"\\") if isinstance(value, bytes) else value
        numbers = np.array(list(parts) if isinstance(parts, (MultiValue, list)) else [parts], float)
    except (TypeError, ValueError, KeyError) as error:
        raise DicomError(f"region {name!r}: {tag_name('ContourData')}: expected numbers") from error
    if numbers.size % 3 or not np.isfinite(numbers).all():
        raise DicomError(f"region {name!r}: {tag_name('ContourData')}: expected finite x, y, z triples")
    return numbers.reshape(-1, 3)


def _on_grid(points_mm: NDArray[np.float64], name: str, geometry: Geometry, *, is_xor: bool) -> Contour:
    points = geometry.to_index(points_mm)
    planes = points[:, 0]
    if np.ptp(planes) > PLANE_TOLERANCE:
        raise GeometryError(
            f"region {name!r}: expected contours parallel to the slices, found one from slice "
            f"{planes.min():.2f} to {planes.max():.2f}"
        )
    plane = float(planes.mean())
    if not -0.5 <= plane <= geometry.shape_kji[0] - 0.5:
        x, y, z = points_mm[0]
        raise GeometryError(
            f"region {name!r}: contour at ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the image "
            f"(at slice {plane:.1f} of 0 to {geometry.shape_kji[0] - 1})"
        )
    return Contour(points_kji=points, plane=plane, is_xor=is_xor)


def _place(contours: list[Contour], name: str, geometry: Geometry) -> tuple[dict[int, list[Contour]], list[Finding]]:
    """Give each contour its nearest slice; two planes on one slice are refused, as they would cancel or be lost."""
    by_slice: dict[int, list[Contour]] = {}
    for each in contours:
        k = min(max(round(each.plane), 0), geometry.shape_kji[0] - 1)
        by_slice.setdefault(k, []).append(each)
    for k, members in by_slice.items():
        planes = [each.plane for each in members]
        if max(planes) - min(planes) > PLANE_TOLERANCE:
            raise GeometryError(
                f"region {name!r}: expected contours on one plane of slice {k}, found planes at {min(planes):.2f} "
                f"and {max(planes):.2f}: contours closer than the slices need a finer image"
            )
    return by_slice, _placement_findings(contours, geometry)


def _placement_findings(contours: list[Contour], geometry: Geometry) -> list[Finding]:
    findings = []
    off = max(abs(each.plane - round(each.plane)) for each in contours)
    if off > PLANE_TOLERANCE:
        moved = off * geometry.spacing_mm[2]
        findings.append(
            _finding("roi-between-slices", f"contours up to {moved:.2f} mm from the nearest slice moved to it")
        )
    _, rows, columns = geometry.shape_kji
    points = np.concatenate([each.points_kji[:, 1:] for each in contours])
    if points.min() < -0.5 or (points.max(axis=0) > (rows - 0.5, columns - 0.5)).any():
        findings.append(_finding("roi-clipped", "contours reach beyond the image; the mask ends at its edge"))
    return findings


def _skipped_slices(slices: list[int]) -> list[Finding]:
    """Report slices without a contour between slices with one: drawn on every other slice, or two parts."""
    missing = slices[-1] - slices[0] + 1 - len(slices)
    if not missing:
        return []
    text_ = f"{missing} slices between {slices[0]} and {slices[-1]} have no contour; nothing was interpolated"
    return [_finding("roi-skipped-slices", text_)]


def _finding(code: str, words: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, text=words)
