"""DICOM Spatial Registration and Deformable Spatial Registration objects (PS3.3 A.39, C.20.2 and C.20.3).

The registered frame of reference is the fixed image's. The two kinds differ in direction: a spatial registration's
matrix maps points of the *moving* image to the registered space (C.20.2.1.1); a deformable one maps points of the
*registered* space to the moving image, ``moving = post (pre x + d(x))`` (C.20.3.1.1), which is our own direction.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian

import npcpit_imaging
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.source_images import read_sources
from npcpit_imaging.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from npcpit_imaging.dicom.values import text
from npcpit_imaging.errors import DicomError
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform

SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE_SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.3"

GRID_STEP_MM = 2.5
"""Grid on which a spline's displacement is tabulated; readers interpolate it linearly."""

LONG_STRING = 64
"""Characters of a description (LO, PS3.5 section 6.2)."""

COPIED = (
    "SpecificCharacterSet",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
)
"""Taken from the fixed image where it has them."""

REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Taken from the fixed image, empty where it has none (type 2)."""


def write_spatial_registration(
    path: Path,
    transform: RigidTransform | DeformableTransform,
    *,
    fixed: Sequence[Path],
    moving: Sequence[Path],
    created: datetime | None = None,
    comment: str = "",
) -> None:
    """Write how a moving series lies on a fixed one.

    Args:
        path: Where to.
        transform: Maps fixed points to moving points, LPS mm; a deformable one becomes a deformable object.
        fixed: Files of the fixed series; its patient and study are the object's.
        moving: Files of the moving series.
        created: When it was registered; now where not given. The same inputs and moment give the same bytes.
        comment: What must be known of it, e.g. its verdict.

    Raises:
        DicomError: A series has no frame of reference, or the two are of different patients.
    """
    moment = created or datetime.now().astimezone()
    here, there = read_sources(fixed), read_sources(moving)
    _require_fit(here[0], there[0])
    rigid = isinstance(transform, RigidTransform)
    uid_class = SPATIAL_REGISTRATION if rigid else DEFORMABLE_SPATIAL_REGISTRATION
    identity = [here[0].SeriesInstanceUID, there[0].SeriesInstanceUID, moment.isoformat(), _numbers(transform), comment]
    with quiet():
        dataset = _object(path, uid_class, here[0], moment, identity)
        if isinstance(transform, RigidTransform):
            dataset.RegistrationSequence = DicomSequence(_rigid(transform, here, there))
        else:
            dataset.DeformableRegistrationSequence = DicomSequence(_deformable(transform, here, there))
        dataset.ContentDescription = comment[:LONG_STRING].strip()
        _refer(dataset, here, there)
        dataset.save_as(path, enforce_file_format=True)


def _require_fit(fixed: Dataset, moving: Dataset) -> None:
    for image, role in ((fixed, "fixed"), (moving, "moving")):
        if not text(image, "FrameOfReferenceUID"):
            raise DicomError(f"spatial registration: expected a frame of reference of the {role} series, found none")
    if text(fixed, "PatientID") != text(moving, "PatientID"):
        raise DicomError("spatial registration: expected two series of one patient, found two patient identifiers")


def _numbers(transform: RigidTransform | DeformableTransform) -> str:
    rigid = transform.rigid if isinstance(transform, DeformableTransform) else transform
    more = transform.coefficients_mm.tobytes() if isinstance(transform, DeformableTransform) else b""
    return (rigid.rotation.tobytes() + rigid.translation_mm.tobytes() + more).hex()


def _object(path: Path, uid_class: str, image: Dataset, moment: datetime, identity: Sequence[str]) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid_class
    meta.MediaStorageSOPInstanceUID = derived_uid("spatial registration", *identity)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword in COPIED:
        if keyword in image:
            setattr(dataset, keyword, image[keyword].value)
    for keyword in REQUIRED:
        setattr(dataset, keyword, image.get(keyword, ""))
    dataset.SOPClassUID = uid_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "REG"
    dataset.SeriesInstanceUID = derived_uid("spatial registration series", *identity)
    dataset.SeriesNumber, dataset.InstanceNumber = 910, 1
    dataset.SeriesDescription, dataset.Laterality = "Registration", ""
    dataset.Manufacturer = dataset.ManufacturerModelName = "npcpit_imaging"
    dataset.SoftwareVersions = dataset.DeviceSerialNumber = npcpit_imaging.__version__
    dataset.FrameOfReferenceUID = image.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = text(image, "PositionReferenceIndicator")
    dataset.ContentDate = dataset.InstanceCreationDate = dataset.SeriesDate = f"{moment:%Y%m%d}"
    dataset.ContentTime = dataset.InstanceCreationTime = dataset.SeriesTime = f"{moment:%H%M%S}"
    dataset.ContentLabel, dataset.ContentCreatorName = "REGISTRATION", ""
    return dataset


def _rigid(transform: RigidTransform, fixed: list[Dataset], moving: list[Dataset]) -> list[Dataset]:
    items = []
    for images, matrix in ((fixed, RigidTransform.identity()), (moving, transform.inverse())):
        step = Dataset()
        step.MatrixSequence = DicomSequence([_matrix(matrix)])
        step.RegistrationTypeCodeSequence = DicomSequence([_by_content()])
        item = Dataset()
        item.FrameOfReferenceUID = images[0].FrameOfReferenceUID
        item.ReferencedImageSequence = DicomSequence([_reference(image) for image in images])
        item.MatrixRegistrationSequence = DicomSequence([step])
        items.append(item)
    return items


def _deformable(transform: DeformableTransform, fixed: list[Dataset], moving: list[Dataset]) -> list[Dataset]:
    items = []
    for images in (fixed, moving):
        item = Dataset()
        item.SourceFrameOfReferenceUID = images[0].FrameOfReferenceUID
        item.ReferencedImageSequence = DicomSequence([_reference(image) for image in images])
        item.RegistrationTypeCodeSequence = DicomSequence([_by_content()])
        items.append(item)
    moved = items[1]
    moved.PreDeformationMatrixRegistrationSequence = DicomSequence([_matrix(RigidTransform.identity())])
    moved.PostDeformationMatrixRegistrationSequence = DicomSequence([_matrix(transform.rigid)])
    moved.DeformableRegistrationGridSequence = DicomSequence([_grid(transform)])
    return items


def _grid(transform: DeformableTransform) -> Dataset:
    """Tabulate the displacement; columns run along the first direction, so x (i) is the fastest."""
    grid = _right_handed(transform.grid(GRID_STEP_MM))
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1))
    axes = np.array(grid.direction)
    item = Dataset()
    item.ImagePositionPatient = [f"{value:.10g}" for value in grid.origin_mm]
    item.ImageOrientationPatient = [f"{value:.10g}" for value in (*axes[:, 0], *axes[:, 1])]
    item.GridDimensions = list(grid.shape_kji[::-1])
    item.GridResolution = list(grid.spacing_mm)
    item.VectorGridData = transform.continued_mm(points).astype("<f4").tobytes()
    return item


def _right_handed(grid: Geometry) -> Geometry:
    """The same points with k reversed where the axes are left-handed: DICOM's third axis is the cross product."""
    axes = np.array(grid.direction)
    if np.linalg.det(axes) > 0:
        return grid
    last = grid.shape_kji[0] - 1
    affine: NDArray[np.float64] = grid.affine.copy()
    affine[:3, 3] = grid.to_mm((last, 0, 0))
    affine[:3, 2] = -affine[:3, 2]
    return Geometry.from_affine(affine, grid.shape_kji)


def _matrix(transform: RigidTransform) -> Dataset:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = transform.rotation, transform.translation_mm
    item = Dataset()
    item.FrameOfReferenceTransformationMatrixType = "RIGID"
    item.FrameOfReferenceTransformationMatrix = [_decimal(value) for value in matrix.ravel()]
    return item


def _decimal(value: float) -> str:
    """A number in at most 16 characters (DS, PS3.5 section 6.2)."""
    return next(found for found in (f"{value:.{digits}g}" for digits in range(14, 5, -1)) if len(found) <= 16)


def _by_content() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "125024", "DCM"
    code.CodeMeaning = "Image Content-based Alignment"
    return code


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item


def _refer(dataset: Dataset, fixed: list[Dataset], moving: list[Dataset]) -> None:
    """List both series (Common Instance Reference, C.12.2): the object's own study, and any other."""
    own: list[Dataset] = []
    other: list[Dataset] = []
    for images in (fixed, moving):
        series = Dataset()
        series.SeriesInstanceUID = images[0].SeriesInstanceUID
        series.ReferencedInstanceSequence = DicomSequence([_reference(image) for image in images])
        (own if images[0].StudyInstanceUID == dataset.StudyInstanceUID else other).append(series)
    dataset.ReferencedSeriesSequence = DicomSequence(own)
    if other:
        study = Dataset()
        study.StudyInstanceUID = moving[0].StudyInstanceUID
        study.ReferencedSeriesSequence = DicomSequence(other)
        dataset.StudiesContainingOtherReferencedInstancesSequence = DicomSequence([study])
