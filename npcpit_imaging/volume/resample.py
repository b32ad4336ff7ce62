"""Resample a volume or a mask onto another grid through a transform."""

import numpy as np
import SimpleITK as sitk

from npcpit_imaging.volume.deformable import DeformableTransform, InverseTransform, Transform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import reference_image, set_geometry, to_itk, to_itk_deformable, to_itk_transform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Modality, Volume

CT_AIR_HU = -1000.0
"""What lies outside a CT's field of view."""

FIELD_STEP_MM = 3.0
"""Grid on which an inverse deformation is tabulated; between its points a 12 mm spline is straight to 0.1 mm."""


def resample(
    volume: Volume, geometry: Geometry, transform: Transform | None = None, *, outside: float | None = None
) -> Volume:
    """Resample a volume linearly onto `geometry`.

    Args:
        volume: The moving image.
        geometry: The fixed grid.
        transform: Maps fixed points to moving points; None for the same patient space.
        outside: Value outside the moving image; air for CT and 0 otherwise by default.

    Returns:
        The volume on the fixed grid, with the fixed grid's frame of reference.
    """
    if outside is None:
        outside = CT_AIR_HU if volume.modality is Modality.CT else 0.0
    image = _resample(to_itk(volume), geometry, transform, sitk.sitkLinear, outside)
    return Volume(
        voxels=sitk.GetArrayFromImage(image),
        geometry=geometry,
        modality=volume.modality,
        unit=volume.unit,
        series_uid=volume.series_uid,
        findings=volume.findings,
    )


def resample_mask(mask: Mask, geometry: Geometry, transform: Transform | None = None) -> Mask:
    """Resample a mask linearly onto `geometry` and keep where it is at least one half (IBSI 1, 3.4)."""
    image = sitk.Cast(to_itk(mask), sitk.sitkFloat32)
    moved = sitk.GetArrayFromImage(_resample(image, geometry, transform, sitk.sitkLinear, 0.0))
    return Mask(voxels=moved >= np.float32(0.5), geometry=geometry, label=mask.label)


def _resample(
    image: sitk.Image, geometry: Geometry, transform: Transform | None, interpolator: int, outside: float
) -> sitk.Image:
    moved = itk_transform(transform or RigidTransform.identity(), geometry)
    return sitk.Resample(image, reference_image(geometry), moved, interpolator, outside, image.GetPixelID())


def itk_transform(transform: Transform, geometry: Geometry) -> sitk.Transform:
    """Return any transform for ITK; an inverse deformation is tabulated over `geometry`."""
    if isinstance(transform, RigidTransform):
        return to_itk_transform(transform)
    if isinstance(transform, DeformableTransform):
        return to_itk_deformable(transform)
    return _tabulated(transform, geometry)


def _tabulated(transform: InverseTransform, geometry: Geometry) -> sitk.DisplacementFieldTransform:
    """Tabulate an inverse over a grid and its outer voxel edges."""
    size = np.array(geometry.size_mm)
    steps = np.maximum(1, np.ceil(size / FIELD_STEP_MM)).astype(int)
    axes = np.array(geometry.direction)
    affine = np.eye(4)
    affine[:3, :3] = axes * (size / steps)
    affine[:3, 3] = geometry.to_mm((-0.5, -0.5, -0.5))
    i, j, k = (int(value) + 1 for value in steps)
    grid = Geometry.from_affine(affine, (k, j, i))
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1))
    field = sitk.GetImageFromArray(transform.map(points) - points, isVector=True)
    set_geometry(field, grid)
    return sitk.DisplacementFieldTransform(field)
