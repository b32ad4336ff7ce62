"""DICOM Segmentation objects: lesions' masks written with their tracking UIDs, anybody's read back (PS3.3 A.51)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

import npcpit_imaging
from npcpit_imaging.dicom.anatomy import CATEGORY, LYMPH_NODE, MASS, site_code
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.errors import DicomError, GeometryError, InputError, NpcpitError
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

MANUFACTURER = "npcpit_imaging"
SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"

IN_PLACE_VOXELS = 0.05
"""How far, in voxels, a segmentation's frame may lie from the image's slice that it is put on."""

HALF = 0.5
"""From which fraction a voxel of a fractional segmentation belongs to the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedLesion:
    """One lesion's mask and who proposed it.

    Args:
        lesion: The lesion; its tracking UID becomes the segment's.
        mask: On the voxels of the source series.
        algorithm: Name of the segmenter.
        version: Its version.
    """

    lesion: Lesion
    mask: Mask
    algorithm: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentInfo:
    """What a SEG says of one of its segments."""

    number: int
    label: str
    tracking_uid: str
    tracking_id: str


def write_seg(path: Path, lesions: Sequence[SegmentedLesion], *, sources: Sequence[Path]) -> None:
    """Write a binary SEG, a segment per lesion; overlapping lesions are kept apart.

    Args:
        path: Where to.
        lesions: At least one, all on the voxels of the source series.
        sources: Files of the series that was segmented.

    Raises:
        DicomError: The object cannot be built from these sources.
        GeometryError: A mask does not lie on the sources' voxels.
    """
    images = _read_all(sources)
    digest = [part for each in lesions for part in (each.lesion.tracking_uid, each.mask.digest)]
    try:
        with quiet():
            frames = _frames(lesions, images)
            segmentation = hd.seg.Segmentation(
                source_images=images,
                pixel_array=frames,
                segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=[_description(number, each) for number, each in enumerate(lesions, start=1)],
                series_instance_uid=derived_uid("seg series", images[0].SeriesInstanceUID, *digest),
                series_number=900,
                sop_instance_uid=derived_uid("seg instance", images[0].SeriesInstanceUID, *digest),
                instance_number=1,
                manufacturer=MANUFACTURER,
                manufacturer_model_name=MANUFACTURER,
                software_versions=npcpit_imaging.__version__,
                device_serial_number="0",
                content_label="LESIONS",
                content_description="Lesions accepted by a reader",
                series_description="Lesions (SEG)",
            )
            segmentation.save_as(path)
    except NpcpitError:
        raise
    except Exception as error:  # highdicom raises many kinds for sources it cannot use
        raise DicomError(f"SEG: cannot be built from this series ({type(error).__name__}: {error})") from error


def _read_all(sources: Sequence[Path]) -> list[Dataset]:
    with quiet():
        return [pydicom.dcmread(path, stop_before_pixels=True) for path in sources]


def _frames(lesions: Sequence[SegmentedLesion], images: Sequence[Dataset]) -> NDArray[np.uint8]:
    """Masks as `(F, J, I, segments)`, a frame per source image in the sources' own order."""
    geometry = lesions[0].mask.geometry
    slices = [_slice_of(image, geometry) for image in images]
    return np.stack([each.mask.voxels[slices] for each in lesions], axis=-1).astype(np.uint8)


def _slice_of(image: Dataset, geometry: Geometry) -> int:
    position = [float(value) for value in image.ImagePositionPatient]
    k, j, i = geometry.to_index(position)
    nearest = round(float(k))
    if max(abs(k - nearest), abs(j), abs(i)) > 0.5 or not 0 <= nearest < geometry.shape_kji[0]:
        raise GeometryError(
            f"SEG: expected the mask on the source's voxels, found a source slice at {position} mm outside it"
        )
    return nearest


def _description(number: int, each: SegmentedLesion) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=each.lesion.lesion_id,
        segmented_property_category=CATEGORY,
        segmented_property_type=LYMPH_NODE if each.lesion.nodal else MASS,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=each.algorithm, family=pydicom.sr.codedict.codes.DCM.ArtificialIntelligence, version=each.version
        ),
        tracking_uid=each.lesion.tracking_uid,
        tracking_id=each.lesion.lesion_id,
        anatomic_regions=[site_code(each.lesion.location)],
    )


def segments(path: Path) -> list[SegmentInfo]:
    """List the segments of a SEG.

    Raises:
        DicomError: The file is no segmentation.
    """
    dataset = _read(path)
    return [
        SegmentInfo(
            number=int(item.SegmentNumber),
            label=str(item.get("SegmentLabel", "")),
            tracking_uid=str(item.get("TrackingUID", "")),
            tracking_id=str(item.get("TrackingID", "")),
        )
        for item in dataset.get("SegmentSequence", [])
        if int(item.SegmentNumber) > 0
    ]


def read_segment(path: Path, geometry: Geometry, *, number: int | None = None) -> Mask:
    """Read one segment of a SEG on the voxels of an image; slices without a frame are empty.

    Args:
        path: Binary, fractional or label map segmentation, by whatever program.
        geometry: The image's grid.
        number: Which segment; needed when there are several.

    Raises:
        InputError: There is no such segment, or it must be chosen; the message lists those there are.
        GeometryError: A frame of the segment does not lie on the image's voxels.
        DicomError: The file is no segmentation, or its pixels cannot be read.
    """
    dataset = _read(path)
    known = {each.number: each.label for each in segments(path)}
    listed = ", ".join(f"{key} ({label})" for key, label in sorted(known.items())) or "none"
    if number is None and len(known) != 1:
        raise InputError(f"{path.name}: expected one segment, found {listed}; choose one by its number")
    chosen = next(iter(known)) if number is None else number
    if chosen not in known:
        raise InputError(f"{path.name}: segment {chosen} not present, found {listed}")
    voxels = np.zeros(geometry.shape_kji, np.bool_)
    for frame, place in zip(*_segment_frames(dataset, path, chosen), strict=True):
        _put(voxels, frame, place, geometry, path.name)
    return Mask(voxels=voxels, geometry=geometry, label=known[chosen])


def _read(path: Path) -> Dataset:
    with quiet():
        try:
            dataset = pydicom.dcmread(path)
        except Exception as error:  # pydicom raises many kinds for bytes that are no DICOM
            raise DicomError(f"{path.name}: expected a DICOM segmentation, cannot be read") from error
    if str(dataset.get("SOPClassUID", "")) not in (SEGMENTATION_STORAGE, LABEL_MAP_STORAGE):
        raise DicomError(f"{path.name}: expected a DICOM segmentation, found another kind of object")
    return dataset


def _segment_frames(dataset: Dataset, path: Path, number: int) -> tuple[list[NDArray[np.bool_]], list[Geometry]]:
    """The frames of one segment, each with the one-slice grid it lies on."""
    with quiet():
        try:
            pixels = dataset.pixel_array
        except Exception as error:  # codecs raise many kinds
            raise DicomError(f"{path.name}: pixels cannot be read ({type(error).__name__})") from error
    pixels = pixels if pixels.ndim == 3 else pixels[np.newaxis]
    label_map = str(dataset.get("SegmentationType", "")) == "LABELMAP"
    full = float(dataset.get("MaximumFractionalValue", 1) or 1)
    frames, places = [], []
    for index, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        if not label_map and _frame_segment(dataset, item) != number:
            continue
        frame = pixels[index] == number if label_map else pixels[index] >= HALF * full
        frames.append(frame)
        places.append(_frame_grid(dataset, item, path.name))
    return frames, places


def _frame_segment(dataset: Dataset, item: Dataset) -> int:
    shared = dataset.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in dataset else Dataset()
    for group in (item, shared):
        if "SegmentIdentificationSequence" in group:
            return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    raise DicomError("SEG: a frame does not say its segment (0062,000B)")


def _frame_grid(dataset: Dataset, item: Dataset, name: str) -> Geometry:
    measures = _group(dataset, item, "PixelMeasuresSequence", name)
    orientation = [float(v) for v in _group(dataset, item, "PlaneOrientationSequence", name).ImageOrientationPatient]
    position = [float(v) for v in _group(dataset, item, "PlanePositionSequence", name).ImagePositionPatient]
    row_mm, column_mm = (float(value) for value in measures.PixelSpacing)
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along_row * column_mm, along_column * row_mm
    affine[:3, 2], affine[:3, 3] = np.cross(along_row, along_column), position
    return Geometry.from_affine(affine, (1, int(dataset.Rows), int(dataset.Columns)))


def _group(dataset: Dataset, item: Dataset, keyword: str, name: str) -> Dataset:
    shared = dataset.get("SharedFunctionalGroupsSequence", [])
    for group in (item, *shared):
        if keyword in group and len(group[keyword].value):
            return group[keyword].value[0]
    raise DicomError(f"{name}: a frame has no {keyword}")


def _put(voxels: NDArray[np.bool_], frame: NDArray[np.bool_], place: Geometry, geometry: Geometry, name: str) -> None:
    """Lay one frame on the image's voxels by where its corners are in the patient."""
    if not frame.any():
        return
    rows, columns = frame.shape
    corners = geometry.to_index(place.to_mm([(0, 0, 0), (0, 0, columns - 1), (0, rows - 1, 0)]))
    rounded = np.rint(corners).astype(int)
    k, j, i = rounded[0]
    step_i, step_j = rounded[1] - rounded[0], rounded[2] - rounded[0]
    fits = np.abs(corners - rounded).max() <= IN_PLACE_VOXELS
    straight = tuple(np.abs(step_i)) == (0, 0, columns - 1) and tuple(np.abs(step_j)) == (0, rows - 1, 0)
    if not (fits and straight):
        raise GeometryError(
            f"{name}: expected frames on the image's voxels ({geometry.describe()}), found a frame at "
            f"{tuple(round(value, 2) for value in place.origin_mm)} mm that lies between them"
        )
    flipped = frame[:: -1 if step_j[1] < 0 else 1, :: -1 if step_i[2] < 0 else 1]
    j, i = min(j, j + step_j[1]), min(i, i + step_i[2])
    _paste(voxels, flipped, (int(k), int(j), int(i)), geometry, name)


def _paste(
    voxels: NDArray[np.bool_], frame: NDArray[np.bool_], start: tuple[int, int, int], geometry: Geometry, name: str
) -> None:
    """Paste a frame at its start; what lies outside the image must be empty."""
    k, j, i = start
    rows, columns = np.nonzero(frame)
    rows, columns = rows + j, columns + i
    slices, height, width = geometry.shape_kji
    if not (
        0 <= k < slices and rows.min() >= 0 and rows.max() < height and columns.min() >= 0 and columns.max() < width
    ):
        raise GeometryError(f"{name}: expected the segment within the image, found part of it outside")
    voxels[k, rows, columns] = True
