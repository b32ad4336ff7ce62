"""Volumes, masks and transforms to SimpleITK and back."""

import numpy as np
import SimpleITK as sitk

from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Volume


def to_itk(image: Volume | Mask) -> sitk.Image:
    """Return the image as SimpleITK: float32 for a volume, uint8 for a mask."""
    voxels = image.voxels.astype(np.uint8) if isinstance(image, Mask) else image.voxels
    itk_image = sitk.GetImageFromArray(voxels)
    set_geometry(itk_image, image.geometry)
    return itk_image


def set_geometry(image: sitk.Image, geometry: Geometry) -> None:
    """Give a SimpleITK image this grid's origin, spacing and direction."""
    image.SetOrigin(geometry.origin_mm)
    image.SetSpacing(geometry.spacing_mm)
    image.SetDirection([value for row in geometry.direction for value in row])


def reference_image(geometry: Geometry) -> sitk.Image:
    """An empty SimpleITK image on this grid, to resample onto."""
    k, j, i = geometry.shape_kji
    image = sitk.Image([i, j, k], sitk.sitkUInt8)
    set_geometry(image, geometry)
    return image


def geometry_of(image: sitk.Image, *, frame_of_reference_uid: str | None = None) -> Geometry:
    """Return a SimpleITK image's grid."""
    i, j, k = image.GetSize()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return Geometry.from_affine(affine, (k, j, i), frame_of_reference_uid=frame_of_reference_uid)


def to_itk_transform(transform: RigidTransform) -> sitk.VersorRigid3DTransform:
    """Return a rigid transform as ITK's versor transform (centre at the origin)."""
    itk_transform = sitk.VersorRigid3DTransform()
    itk_transform.SetMatrix(transform.rotation.ravel().tolist(), 1e-4)
    itk_transform.SetTranslation(transform.translation_mm.tolist())
    return itk_transform


def from_itk_transform(transform: sitk.Transform) -> RigidTransform:
    """Return any rigid ITK transform (also a composite of rigid ones) as ours.

    Raises:
        GeometryError: The transform is not rigid.
    """
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    axes = np.array([transform.TransformPoint(tuple(axis)) for axis in np.eye(3)]).T - origin[:, None]
    return RigidTransform(rotation=axes, translation_mm=origin)
