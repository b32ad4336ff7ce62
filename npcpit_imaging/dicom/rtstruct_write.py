"""Masks to an RT Structure Set: contours along pixel edges, on the slices of the series (PS3.3 A.19, C.8.8.5, C.8.8.6).

Read back on the grid of the same series the contours give the same mask, voxel by voxel. Holes are drawn by keyhole in
CLOSED_PLANAR contours, which every reader knows; CLOSEDPLANAR_XOR many do not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage

import npcpit_imaging
from npcpit_imaging.dicom.contour import closed_contours
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.source_images import (
    SourceSlice,
    place_on,
    read_sources,
    require_same_frame_of_reference,
    source_slices,
)
from npcpit_imaging.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from npcpit_imaging.dicom.values import tag_name, text
from npcpit_imaging.errors import DicomError, GeometryError, InputError
from npcpit_imaging.volume.volume import Mask

MANUFACTURER = "npcpit_imaging"

LONG_STRING = 64
"""Characters a ROI's name may hold (LO, PS3.5 section 6.2)."""

STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, the retired class that RT Referenced Study names a study by."""

COPIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
"""Patient and study as the images say them; empty where they do not (all type 2)."""

OPTIONALLY_COPIED = ("SpecificCharacterSet", "PatientIdentityRemoved", "DeidentificationMethod")
"""Copied only where the images have them."""

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 128, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
"""ROI Display Color (3006,002A), one region after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A mask to be drawn as contours.

    Args:
        name: ROI Name (3006,0026), each once in a structure set.
        mask: On the voxels of the source series.
        algorithm: ROI Generation Algorithm (3006,0036): AUTOMATIC, SEMIAUTOMATIC, MANUAL, or empty where unknown.
        interpreted_type: RT ROI Interpreted Type (3006,00A4), e.g. GTV; empty where nobody said.
    """

    name: str
    mask: Mask
    algorithm: str = ""
    interpreted_type: str = ""


def write_rtstruct(
    path: Path, regions: Sequence[Region], *, sources: Sequence[Path], created: datetime | None = None
) -> None:
    """Write masks as an RT Structure Set, a ROI each; it is UNAPPROVED, as no program can approve.

    Args:
        path: Where to.
        regions: At least one, none empty, all on the voxels of the source series.
        sources: Files of the series that the contours are drawn on.
        created: When; now where not given. The same inputs and moment give the same bytes.

    Raises:
        InputError: There is no region, a name is missing or there twice, or a mask is empty.
        DicomError: The files are not of one series, or the object cannot be written.
        GeometryError: A mask does not lie on the sources' voxels.
    """
    _require_regions(regions)
    moment = created or datetime.now().astimezone()
    images = read_sources(sources)
    slices = source_slices(images)
    frame_of_reference = text(images[0], "FrameOfReferenceUID")
    if not frame_of_reference:
        raise DicomError(f"RTSTRUCT: {tag_name('FrameOfReferenceUID')} of the images is missing: no place for contours")
    identity = [f"{each.name} {each.algorithm} {each.interpreted_type} {each.mask.digest}" for each in regions]
    identity += [text(images[0], "SeriesInstanceUID"), moment.isoformat(), npcpit_imaging.__version__]
    with quiet():
        dataset = _head(images[0], moment, identity)
        dataset.FrameOfReferenceUID = frame_of_reference
        dataset.PositionReferenceIndicator = ""
        dataset.ReferencedFrameOfReferenceSequence = Items([_referenced(images, slices, frame_of_reference)])
        dataset.StructureSetROISequence = Items(
            _roi(number, each, frame_of_reference) for number, each in enumerate(regions, 1)
        )
        dataset.ROIContourSequence = Items(_contours(number, each, slices) for number, each in enumerate(regions, 1))
        dataset.RTROIObservationsSequence = Items(_observation(number, each) for number, each in enumerate(regions, 1))
        dataset.ApprovalStatus = "UNAPPROVED"
        _save(dataset, path)


def _require_regions(regions: Sequence[Region]) -> None:
    if not regions:
        raise InputError("RTSTRUCT: expected at least one region, found none")
    names = [each.name for each in regions]
    for each in regions:
        if not 0 < len(each.name.strip()) <= LONG_STRING or "\\" in each.name:
            raise InputError(
                f"RTSTRUCT: expected a region's name of 1 to {LONG_STRING} characters, found {each.name!r}"
            )
        if names.count(each.name) > 1:
            raise InputError(f"RTSTRUCT: expected each region's name once, found {each.name!r} again")
        if not each.mask.voxels.any():
            raise InputError(f"RTSTRUCT: expected a mask with voxels, found an empty one for {each.name!r}")


def _head(image: Dataset, moment: datetime, identity: Sequence[str]) -> FileDataset:
    """Patient, study, series, equipment and structure set, without their contours."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = derived_uid("rtstruct instance", *identity)
    # implicit VR: a long contour does not fit the 64 kB that explicit VR gives a DS element
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    for keyword in COPIED:
        setattr(dataset, keyword, image.get(keyword, ""))
    for keyword in OPTIONALLY_COPIED:
        if keyword in image:
            setattr(dataset, keyword, image.get(keyword))
    dataset.Modality, dataset.SeriesInstanceUID = "RTSTRUCT", derived_uid("rtstruct series", *identity)
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.OperatorsName = 901, 1, ""
    dataset.SeriesDescription = "Regions (RTSTRUCT)"
    dataset.Manufacturer = dataset.ManufacturerModelName = MANUFACTURER
    dataset.SoftwareVersions = npcpit_imaging.__version__
    dataset.StructureSetLabel, dataset.StructureSetName = "REGIONS", "Regions"
    day, time = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
    dataset.StructureSetDate = dataset.SeriesDate = dataset.InstanceCreationDate = day
    dataset.StructureSetTime = dataset.SeriesTime = dataset.InstanceCreationTime = time
    return dataset


def _referenced(images: Sequence[Dataset], slices: Sequence[SourceSlice], frame_of_reference: str) -> Dataset:
    """Say which images, frames of enhanced ones too, the contours belong to (RT Referenced Study, Series, Images)."""
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = text(images[0], "SeriesInstanceUID")
    series.ContourImageSequence = Items(_image(each) for each in slices)
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = STUDY_COMPONENT, text(images[0], "StudyInstanceUID")
    study.RTReferencedSeriesSequence = Items([series])
    frame.FrameOfReferenceUID = frame_of_reference
    frame.RTReferencedStudySequence = Items([study])
    return frame


def _image(source: SourceSlice) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = text(source.image, "SOPClassUID")
    item.ReferencedSOPInstanceUID = text(source.image, "SOPInstanceUID")
    if source.frame_number is not None:
        item.ReferencedFrameNumber = source.frame_number
    return item


def _roi(number: int, region: Region, frame_of_reference: str) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName, item.ReferencedFrameOfReferenceUID = number, region.name, frame_of_reference
    item.ROIGenerationAlgorithm = region.algorithm
    return item


def _observation(number: int, region: Region) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType, item.ROIInterpreter = region.interpreted_type, ""
    return item


def _contours(number: int, region: Region, slices: Sequence[SourceSlice]) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(COLOURS[(number - 1) % len(COLOURS)])
    item.ReferencedROINumber = number
    drawn: list[Dataset] = []
    for source, pixels in _pixels_by_slice(region, slices):
        drawn += [_contour(len(drawn) + 1, polygon, source) for polygon in closed_contours(pixels)]
    item.ContourSequence = Items(drawn)
    return item


def _contour(number: int, polygon: NDArray[np.float64], source: SourceSlice) -> Dataset:
    """One polygon of (j, i) vertices in the slice's own plane, to a nanometre, 15 of a DS's 16 characters."""
    points_mm = source.grid.to_mm(np.column_stack([np.zeros(len(polygon)), polygon]))
    item = Dataset()
    item.ContourImageSequence = Items([_image(source)])
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(polygon)
    item.ContourNumber = number
    item.ContourData = [f"{value:.6f}" for value in points_mm.ravel()]
    return item


def _pixels_by_slice(region: Region, slices: Sequence[SourceSlice]) -> Iterable[tuple[SourceSlice, NDArray[np.bool_]]]:
    """Each slice of the series that the mask touches, with the pixels in the slice's own rows and columns.

    Raises:
        GeometryError: The mask does not lie on the series' own voxels, or lies where it has no slice.
    """
    mask, name = region.mask, f"RTSTRUCT: mask of {region.name!r}"
    require_same_frame_of_reference(text(slices[0].image, "FrameOfReferenceUID"), mask.geometry, name)
    missing = set(np.flatnonzero(mask.voxels.any(axis=(1, 2))).tolist())
    for source in slices:
        place = place_on(source.grid, mask.geometry)
        if (place.j, place.i) != (0, 0) or source.grid.shape_kji[1:] != mask.geometry.shape_kji[1:]:
            raise GeometryError(
                f"{name}: expected the series' own voxels ({source.grid.describe()} a slice), "
                f"found another grid ({mask.geometry.describe()})"
            )
        if place.k in missing:
            missing.discard(place.k)
            yield source, np.flip(mask.voxels[place.k], place.flips)
    if missing:
        raise GeometryError(
            f"{name}: expected a slice of the series for each of the mask's, found none for {len(missing)}"
        )


def _save(dataset: FileDataset, path: Path) -> None:
    try:
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be written ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # pydicom raises many kinds for values of the source that cannot be encoded
        raise DicomError(f"RTSTRUCT: cannot be written from these images ({type(error).__name__})") from error
