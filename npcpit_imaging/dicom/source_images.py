"""Images that a SEG or SR refers to, slice by slice: classic and enhanced multi-frame alike (PS3.3 C.7.6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from npcpit_imaging.dicom.enhanced import enhanced_frames, is_enhanced
from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.dicom.instance import Frame
from npcpit_imaging.dicom.values import numbers, tag_name, text
from npcpit_imaging.errors import DicomError, GeometryError
from npcpit_imaging.volume.geometry import Geometry

ANY_MODALITY = "MR"
"""Asks `enhanced_frames` for places only: an MR alone needs no rescale."""

IN_PLACE_VOXELS = 0.1
"""How far, in voxels, a slice may lie from its place on a grid: what a series may jitter (decision 0010), doubled."""


TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
"""Elements of Patient and General Study (PS3.3 C.7.1.1, C.7.2.1) that must be there and may be empty. Some images lack
them; what is made from such an image has them, empty.
"""


@dataclass(frozen=True, kw_only=True)
class SourceSlice:
    """One slice of a source image.

    Args:
        image: The file's header.
        frame_number: From 1 in a multi-frame file; None in a classic one.
        grid: The one-slice grid it lies on.
    """

    image: Dataset
    frame_number: int | None
    grid: Geometry


def read_sources(paths: Sequence[Path]) -> list[Dataset]:
    """Read the headers of one series' files.

    Raises:
        DicomError: There is none, one cannot be read, or they are of several series.
    """
    with quiet():
        images = [read_dataset(path, pixels=False) for path in paths]
        found = sorted({text(image, "SeriesInstanceUID") for image in images})
    if len(found) != 1:
        raise DicomError(f"source images: expected the files of one series, found {len(found)} series")
    for image in images:
        for keyword in TYPE_2:
            if keyword not in image:
                setattr(image, keyword, "")
    return images


def source_slices(images: Sequence[Dataset]) -> list[SourceSlice]:
    """Return every slice of the images, in their own order.

    Raises:
        DicomError: A slice does not say where it is; the message names the tag.
    """
    with quiet():
        return [each for image in images for each in _slices(image)]


def _slices(image: Dataset) -> list[SourceSlice]:
    if is_enhanced(image):
        return [
            SourceSlice(image=image, frame_number=frame.index + 1, grid=frame_grid(frame, image))
            for frame in enhanced_frames(image, ANY_MODALITY)
        ]
    position = _required(image, "ImagePositionPatient", 3)
    orientation, spacing = _required(image, "ImageOrientationPatient", 6), _required(image, "PixelSpacing", 2)
    return [SourceSlice(image=image, frame_number=None, grid=_grid(position, orientation, spacing, image))]


def frame_grid(frame: Frame, image: Dataset) -> Geometry:
    """Return the one-slice grid of a frame; its thickness is nominal.

    Raises:
        DicomError: The frame does not say where it is.
    """
    if frame.position_mm is None or frame.orientation is None or frame.spacing_mm is None:
        raise DicomError(f"frame {frame.index + 1}: position, orientation or pixel spacing is missing")
    return _grid(frame.position_mm, frame.orientation, frame.spacing_mm, image)


def _required(image: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    found = numbers(image, keyword, count)
    if found is None:
        raise DicomError(f"source image {text(image, 'SOPInstanceUID')}: {tag_name(keyword)} is missing")
    return found


def _grid(
    position_mm: Sequence[float], orientation: Sequence[float], spacing_mm: Sequence[float], image: Dataset
) -> Geometry:
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along_row * spacing_mm[1], along_column * spacing_mm[0]
    affine[:3, 2], affine[:3, 3] = np.cross(along_row, along_column), position_mm
    try:
        rows, columns = int(image.Rows), int(image.Columns)
    except (AttributeError, TypeError, ValueError) as error:
        raise DicomError(f"{tag_name('Rows')} or {tag_name('Columns')} is missing") from error
    frame_of_reference = text(image, "FrameOfReferenceUID") or None
    return Geometry.from_affine(affine, (1, rows, columns), frame_of_reference_uid=frame_of_reference)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a frame's pixels are on a grid: each within `IN_PLACE_VOXELS` of a voxel, flipped perhaps.

    Args:
        k: The slice.
        j: Row of the frame's first row after flipping.
        i: Column of its first column after flipping.
        flips: Array axes of the frame to flip before it is laid down.
    """

    k: int
    j: int
    i: int
    flips: tuple[int, ...]


def place_on(frame: Geometry, geometry: Geometry) -> Place:
    """Return where a one-slice grid lies on another grid.

    Raises:
        GeometryError: Its pixels lie between the voxels, or across the slices.
    """
    _, rows, columns = frame.shape_kji
    corners = geometry.to_index(frame.to_mm([(0, 0, 0), (0, 0, columns - 1), (0, rows - 1, 0)]))
    rounded: NDArray[np.int64] = np.rint(corners).astype(np.int64)
    first, along_row, along_column = rounded[0], rounded[1] - rounded[0], rounded[2] - rounded[0]
    fits = float(np.abs(corners - rounded).max()) <= IN_PLACE_VOXELS
    straight = tuple(np.abs(along_row)) == (0, 0, columns - 1) and tuple(np.abs(along_column)) == (0, rows - 1, 0)
    if not (fits and straight):
        x, y, z = frame.origin_mm
        raise GeometryError(
            f"expected slices on the image's voxels ({geometry.describe()}), found one at "
            f"({x:.2f}, {y:.2f}, {z:.2f}) mm that lies between them or on another grid ({frame.describe()})"
        )
    return Place(
        k=int(first[0]),
        j=int(first[1] + min(along_column[1], 0)),
        i=int(first[2] + min(along_row[2], 0)),
        flips=tuple(axis for axis, step in ((0, along_column[1]), (1, along_row[2])) if step < 0),
    )


def require_same_frame_of_reference(found: str, geometry: Geometry, name: str) -> None:
    """Refuse an object of another frame of reference than the image's; unknown ones pass.

    Raises:
        GeometryError: Both are known and differ.
    """
    expected = geometry.frame_of_reference_uid
    if expected and found and found != expected:
        raise GeometryError(f"{name}: expected frame of reference {expected} (the image's), found {found}")
