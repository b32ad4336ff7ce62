"""Volumes, masks and transforms to SimpleITK and back."""

import threading

import numpy as np
import SimpleITK as sitk

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.bspline import BORDER
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Volume

FILES = threading.Lock()
"""Held while ITK reads or writes a file: its readers are looked up in a registry that threads break (they crashed)."""


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


def to_itk_deformable(transform: DeformableTransform) -> sitk.CompositeTransform:
    """Return a deformable transform as ITK's composite: the B-spline acts first, then the rigid part."""
    lattice = transform.lattice
    cells = [size - 3 for size in lattice.shape_kji[::-1]]
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainOrigin(lattice.to_mm((BORDER, BORDER, BORDER)).tolist())
    spline.SetTransformDomainPhysicalDimensions(
        [count * step for count, step in zip(cells, lattice.spacing_mm, strict=True)]
    )
    spline.SetTransformDomainMeshSize(cells)
    spline.SetTransformDomainDirection([value for row in lattice.direction for value in row])
    spline.SetParameters(transform.coefficients_mm.ravel().tolist())
    return sitk.CompositeTransform([to_itk_transform(transform.rigid), spline])


def from_itk_deformable(transform: sitk.Transform) -> DeformableTransform:
    """Return ITK's composite of a rigid transform and a cubic B-spline that acts first as ours.

    Raises:
        GeometryError: It is composed otherwise.
    """
    parts = _parts(transform)
    if len(parts) != 2 or parts[1].GetName() != "BSplineTransform" or not parts[0].IsLinear():
        found = ", ".join(part.GetName() for part in parts)
        raise GeometryError(f"transform: expected a rigid part after a B-spline, found {found}")
    spline = sitk.BSplineTransform(parts[1])
    cells = np.array(spline.GetTransformDomainMeshSize())
    spacing = np.array(spline.GetTransformDomainPhysicalDimensions()) / cells
    axes = np.array(spline.GetTransformDomainDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = np.array(spline.GetTransformDomainOrigin()) - axes @ (BORDER * spacing)
    i, j, k = (int(value) + 3 for value in cells)
    coefficients = np.array(spline.GetParameters()).reshape(3, k, j, i)
    return DeformableTransform(
        rigid=from_itk_transform(parts[0]),
        lattice=Geometry.from_affine(affine, (k, j, i)),
        coefficients_mm=coefficients,
    )


def _parts(transform: sitk.Transform) -> list[sitk.Transform]:
    if transform.GetName() != "CompositeTransform":
        return [transform]
    composite = sitk.CompositeTransform(transform)
    return [composite.GetNthTransform(number) for number in range(composite.GetNumberOfTransforms())]
