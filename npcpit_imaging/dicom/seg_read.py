"""DICOM Segmentations by anybody, read on an image's own voxels: binary, fractional, label map (PS3.3 C.8.20)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels import pixel_array

from npcpit_imaging.dicom.enhanced import enhanced_frames
from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.dicom.instance import Frame
from npcpit_imaging.dicom.report_codes import code_of, spelled
from npcpit_imaging.dicom.source_images import (
    ANY_MODALITY,
    Place,
    frame_grid,
    place_on,
    require_same_frame_of_reference,
)
from npcpit_imaging.dicom.values import number as number_of
from npcpit_imaging.dicom.values import text
from npcpit_imaging.errors import DicomError, GeometryError, InputError, NpcpitError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"

HALF = 0.5
"""From which fraction a voxel of a fractional segmentation belongs to the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What a SEG says of one of its segments.

    Args:
        number: Segment number; a label map's background (0) is no segment.
        label: Segment label.
        tracking_uid: Tracking UID; empty where it has none.
        tracking_id: Tracking ID; empty where it has none.
        property_type: What it is, e.g. Mass, in the object's words; empty where it does not say.
        property_code: Scheme and value, as ``SCT 4147007``.
        site: Anatomic region; empty where it has none.
        site_code: Scheme and value.
        algorithm: Type and name of what drew it, e.g. ``SEMIAUTOMATIC calibrated``.
    """

    number: int
    label: str
    tracking_uid: str
    tracking_id: str
    property_type: str = ""
    property_code: str = ""
    site: str = ""
    site_code: str = ""
    algorithm: str = ""


def segments(path: Path) -> tuple[Segment, ...]:
    """List the segments of a SEG, by number.

    Raises:
        DicomError: The file is no segmentation, or is broken.
    """
    return _segments(_read(path, pixels=False), path.name)


def read_segment(path: Path, geometry: Geometry, *, number: int | None = None) -> Mask:
    """Read one segment of a SEG on the voxels of an image; slices without a frame are empty.

    Args:
        path: Binary, fractional or label map segmentation, by whatever program.
        geometry: The image's grid.
        number: Which segment; needed when there are several.

    Returns:
        The mask; a fractional one holds the voxels from one half up, and says so as a finding.

    Raises:
        InputError: There is no such segment, or it must be chosen; the message lists those there are.
        GeometryError: A frame of the segment lies elsewhere than on the image's voxels.
        DicomError: The file is no segmentation, or its pixels cannot be read.
    """
    dataset = _read(path, pixels=True)
    chosen = _choose(_segments(dataset, path.name), number, path.name)
    require_same_frame_of_reference(text(dataset, "FrameOfReferenceUID"), geometry, path.name)
    voxels = np.zeros(geometry.shape_kji, np.bool_)
    try:
        with quiet():
            _fill(voxels, dataset, chosen.number, geometry)
    except NpcpitError as error:
        raise type(error)(f"{path.name}: {error}") from error
    except Exception as error:  # codecs and broken functional groups raise many kinds
        raise DicomError(f"{path.name}: frames cannot be read ({type(error).__name__})") from error
    return Mask(voxels=voxels, geometry=geometry, label=chosen.label, findings=_findings(dataset))


def _read(path: Path, *, pixels: bool) -> Dataset:
    try:
        dataset = read_dataset(path, pixels=pixels)
    except DicomError as error:
        raise DicomError(f"{path.name}: expected a DICOM segmentation, found: {error}") from error
    if text(dataset, "SOPClassUID") not in (SEGMENTATION_STORAGE, LABEL_MAP_STORAGE):
        raise DicomError(f"{path.name}: expected a DICOM segmentation, found another kind of object")
    return dataset


def _segments(dataset: Dataset, name: str) -> tuple[Segment, ...]:
    try:
        with quiet():
            found = [_segment(item) for item in dataset.get("SegmentSequence") or []]
    except Exception as error:  # pydicom raises many kinds for broken items
        raise DicomError(f"{name}: segments cannot be read ({type(error).__name__})") from error
    return tuple(sorted((each for each in found if each.number > 0), key=lambda each: each.number))


def _segment(item: Dataset) -> Segment:
    kind = code_of(item, "SegmentedPropertyTypeCodeSequence")
    site = code_of(item, "AnatomicRegionSequence")
    return Segment(
        number=int(item.SegmentNumber),
        label=text(item, "SegmentLabel"),
        tracking_uid=text(item, "TrackingUID"),
        tracking_id=text(item, "TrackingID"),
        property_type=kind.meaning,
        property_code=spelled(kind),
        site=site.meaning,
        site_code=spelled(site),
        algorithm=f"{text(item, 'SegmentAlgorithmType')} {text(item, 'SegmentAlgorithmName')}".strip(),
    )


def _choose(known: tuple[Segment, ...], number: int | None, name: str) -> Segment:
    listed = ", ".join(f"{each.number} ({each.label})" for each in known) or "none"
    if number is None and len(known) != 1:
        raise InputError(f"{name}: expected one segment, found {listed}; choose one by its number")
    for each in known:
        if number in (None, each.number):
            return each
    raise InputError(f"{name}: segment {number} not present, found {listed}")


def _fill(voxels: NDArray[np.bool_], dataset: Dataset, number: int, geometry: Geometry) -> None:
    """Lay every frame of the segment on the image's voxels by where it is in the patient."""
    seen: set[int] = set()
    for frame in segment_frames(dataset, number):
        pixels = _member(dataset, frame.index, number)
        if not pixels.any():
            continue
        place = place_on(frame_grid(frame, dataset), geometry)
        if place.k in seen:
            raise DicomError(f"expected one frame of segment {number} on slice {place.k}, found several")
        seen.add(place.k)
        _paste(voxels, np.flip(pixels, place.flips), place)


def segment_frames(dataset: Dataset, number: int) -> list[Frame]:
    """Return the frames that hold a segment; any may in a label map.

    Raises:
        DicomError: A frame does not say its segment.
    """
    frames = enhanced_frames(dataset, ANY_MODALITY)
    if _kind(dataset) == "LABELMAP":
        return list(frames)
    shared = [*(dataset.get("SharedFunctionalGroupsSequence") or [])]
    groups = dataset.PerFrameFunctionalGroupsSequence
    return [frame for frame, own in zip(frames, groups, strict=True) if _frame_segment((own, *shared)) == number]


def _frame_segment(groups: tuple[Dataset, ...]) -> int:
    for group in groups:
        items = group.get("SegmentIdentificationSequence")
        if items:
            return int(items[0].ReferencedSegmentNumber)
    raise DicomError("a frame does not say its segment: ReferencedSegmentNumber (0062,000B) is missing")


def _member(dataset: Dataset, index: int, number: int) -> NDArray[np.bool_]:
    """Which pixels `(J, I)` of a frame belong to the segment."""
    stored = _stored(dataset, index)
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise DicomError(f"frame {index + 1}: expected one value a pixel, found an array of shape {stored.shape}")
    kind = _kind(dataset)
    if kind == "LABELMAP":
        member: NDArray[np.bool_] = stored == number
    else:
        member = stored >= HALF * _full(dataset) if kind == "FRACTIONAL" else stored > 0
    return member


def _stored(dataset: Dataset, index: int) -> NDArray[np.unsignedinteger]:
    """A frame's stored values; frames of single bits lie without a gap, so that one may begin within a byte."""
    if dataset.BitsAllocated != 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        values: NDArray[np.unsignedinteger] = pixel_array(dataset, index=index, raw=True)
        return values
    count = int(dataset.Rows) * int(dataset.Columns)
    first, skipped = divmod(index * count, 8)
    part = np.frombuffer(dataset.PixelData, np.uint8, offset=first, count=(skipped + count + 7) // 8)
    bits = np.unpackbits(part, bitorder="little")[skipped : skipped + count]
    return bits.reshape(int(dataset.Rows), int(dataset.Columns))


def _kind(dataset: Dataset) -> str:
    kind = text(dataset, "SegmentationType")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise DicomError(f"SegmentationType (0062,0001): expected BINARY, FRACTIONAL or LABELMAP, found {kind!r}")
    return kind


def _full(dataset: Dataset) -> float:
    full = number_of(dataset, "MaximumFractionalValue")
    if not full or full < 0:
        raise DicomError("MaximumFractionalValue (0062,000E): expected a positive number, found none")
    return full


def _paste(voxels: NDArray[np.bool_], pixels: NDArray[np.bool_], place: Place) -> None:
    """Paste a frame; only its empty part may lie outside the image."""
    rows, columns = np.nonzero(pixels)
    rows, columns = rows + place.j, columns + place.i
    slices, height, width = voxels.shape
    inside = 0 <= place.k < slices and rows.min() >= 0 and columns.min() >= 0
    if not (inside and rows.max() < height and columns.max() < width):
        raise GeometryError("expected the segment within the image, found part of it outside")
    voxels[place.k, rows, columns] = True


def _findings(dataset: Dataset) -> tuple[Finding, ...]:
    if _kind(dataset) != "FRACTIONAL":
        return ()
    words = f"fractional segmentation ({text(dataset, 'SegmentationFractionalType').lower()}): cut at {HALF:g}"
    return (Finding(code="seg-fractional", severity=Severity.WARNING, text=words),)
