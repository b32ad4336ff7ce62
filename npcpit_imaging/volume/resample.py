"""Resample a volume or a mask onto another grid through a transform."""

import numpy as np
import SimpleITK as sitk

from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import reference_image, to_itk, to_itk_transform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Modality, Volume

CT_AIR_HU = -1000.0
"""What lies outside a CT's field of view."""


def resample(
    volume: Volume, geometry: Geometry, transform: RigidTransform | None = None, *, outside: float | None = None
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


def resample_mask(mask: Mask, geometry: Geometry, transform: RigidTransform | None = None) -> Mask:
    """Resample a mask linearly onto `geometry` and keep where it is at least one half (IBSI 1, 3.4)."""
    image = sitk.Cast(to_itk(mask), sitk.sitkFloat32)
    moved = sitk.GetArrayFromImage(_resample(image, geometry, transform, sitk.sitkLinear, 0.0))
    return Mask(voxels=moved >= np.float32(0.5), geometry=geometry, label=mask.label)


def _resample(
    image: sitk.Image, geometry: Geometry, transform: RigidTransform | None, interpolator: int, outside: float
) -> sitk.Image:
    moved = to_itk_transform(transform or RigidTransform.identity())
    return sitk.Resample(image, reference_image(geometry), moved, interpolator, outside, image.GetPixelID())
