"""What a registration compares: clamped intensities on a pyramid of grids, and the body's mask."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import geometry_of, reference_image, to_itk
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

MIN_EXTENT_MM = 16.0
"""Thinner than this along any axis, six degrees of freedom cannot be told apart."""

MIN_VOXELS = 4
"""Voxels along every axis of a pyramid level that interpolation and its gradient need."""

CT_RANGE_HU = (-1024.0, 3071.0)
"""What a 12-bit CT can show; padding outside the field of view lies below."""

MIN_BODY_ML = 5.0
"""A smaller body is noise."""

OVERLAP_POINTS = 10_000
"""Body voxels, evenly chosen, by which overlap is counted: half a percent of error at most."""

BODY_POINTS = 500
"""Points that stand for the whole body where no lesion is given."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One image made ready for the search.

    Args:
        pyramid: One SimpleITK float32 image per level of the plan, coarse to fine.
        clamped: The whole image, clamped, on its native grid.
        native: The same, as acquired (a CT within `CT_RANGE_HU`).
        body: The body on its own coarse grid.
        geometry: The native grid.
    """

    pyramid: tuple[sitk.Image, ...]
    clamped: sitk.Image
    native: sitk.Image
    body: Mask
    geometry: Geometry

    @property
    def body_image(self) -> sitk.Image:
        """The body's mask as a SimpleITK image."""
        return to_itk(self.body)

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """Centre ``(3,)`` of the native grid, LPS mm."""
        return np.asarray(self.geometry.corners_mm().mean(axis=0), float)

    @property
    def body_centre_mm(self) -> NDArray[np.float64]:
        """Centroid ``(3,)`` of the body, LPS mm."""
        return self.body.geometry.to_mm(np.argwhere(self.body.voxels).mean(axis=0))

    @property
    def body_points_mm(self) -> NDArray[np.float64]:
        """Body voxels ``(N, 3)``, at most about `BODY_POINTS`, evenly chosen, LPS mm."""
        index = np.argwhere(self.body.voxels)
        return self.body.geometry.to_mm(index[:: max(1, len(index) // BODY_POINTS)])


def prepare(volume: Volume, plan: RegistrationPlan, *, role: str) -> Prepared:
    """Clamp, resample and mask one image.

    Args:
        volume: Any grid; the original is not touched.
        plan: Clamp, body rule and levels.
        role: ``fixed`` or ``moving``, for messages.

    Raises:
        RegistrationError: The image is too thin, holds NaN, is uniform, or shows no body; says which and what.
    """
    _require_usable(volume, role)
    clamp, threshold = intensity_limits(volume, plan)
    if clamp[1] <= clamp[0]:
        raise RegistrationError(
            f"{role} image: expected contrast between {clamp[0]:g} and more, found a uniform image "
            f"({volume.geometry.describe()})"
        )
    body = body_mask(volume, threshold, plan)
    if body.volume_ml < MIN_BODY_ML:
        raise RegistrationError(
            f"{role} image: expected a body of at least {MIN_BODY_ML:g} mL above {threshold:g}, "
            f"found {body.volume_ml:.1f} mL ({volume.geometry.describe()})"
        )
    native = sitk.Cast(to_itk(volume), sitk.sitkFloat32)
    if volume.modality is Modality.CT:
        native = sitk.Clamp(native, sitk.sitkFloat32, *CT_RANGE_HU)
    clamped = sitk.Clamp(native, sitk.sitkFloat32, *clamp)
    pyramid = tuple(shrink(clamped, level.spacing_mm) for level in plan.levels)
    return Prepared(pyramid=pyramid, clamped=clamped, native=native, body=body, geometry=volume.geometry)


def intensity_limits(volume: Volume, plan: RegistrationPlan) -> tuple[tuple[float, float], float]:
    """Return the values to clamp between and the value above which lies the body."""
    if volume.modality is Modality.CT or volume.unit is Unit.HU:
        low, high = plan.ct.clamp_hu
        found = float(volume.voxels.min()), float(volume.voxels.max())
        return (max(low, found[0]), min(high, found[1])), plan.ct.body_above_hu
    rule = plan.relative
    clamp = np.percentile(volume.voxels, rule.clamp_percentiles)
    low, high = (float(value) for value in np.percentile(volume.voxels, rule.body_percentiles))
    return (float(clamp[0]), float(clamp[1])), low + rule.body_fraction * (high - low)


def body_mask(volume: Volume, threshold: float, plan: RegistrationPlan) -> Mask:
    """Return what lies above `threshold` on a coarse grid, closed and dilated as the plan says."""
    above = sitk.Cast(to_itk(volume) > threshold, sitk.sitkFloat32)
    coarse = shrink(above, plan.body.grid_mm)
    geometry = geometry_of(coarse)
    body = sitk.GetArrayFromImage(coarse) >= np.float32(0.5)
    closing, dilation = plan.body.closing_mm, plan.body.dilation_mm
    body = _grow(_grow(body, closing, geometry, outwards=True), closing, geometry, outwards=False)
    return Mask(voxels=_grow(body, dilation, geometry, outwards=True), geometry=geometry, label="body")


def overlap(fixed: Mask, moving: Mask, transform: RigidTransform) -> float:
    """Return the common volume of two bodies under a transform, as a fraction of the smaller one."""
    index = np.argwhere(fixed.voxels)
    index = index[:: max(1, len(index) // OVERLAP_POINTS)]
    common = float(np.mean(_inside(moving, transform.map(fixed.geometry.to_mm(index))))) * fixed.volume_ml
    return float(min(1.0, common / min(fixed.volume_ml, moving.volume_ml)))


def shrink(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Resample to about `spacing_mm`, never finer than native, averaging first so that nothing aliases."""
    spacing = np.array(image.GetSpacing())
    size = np.array(image.GetSize())
    factors = np.clip(np.floor(spacing_mm / spacing + 1e-6), 1, np.maximum(1, size // MIN_VOXELS)).astype(int)
    geometry = _isotropic(geometry_of(image), spacing_mm)
    binned = sitk.BinShrink(image, factors.tolist()) if factors.max() > 1 else image
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(reference_image(geometry))
    resample.SetOutputPixelType(sitk.sitkFloat32)
    resample.UseNearestNeighborExtrapolatorOn()
    return resample.Execute(binned)


def _isotropic(geometry: Geometry, spacing_mm: float) -> Geometry:
    extent = np.array(geometry.size_mm)
    wanted = np.maximum(spacing_mm, geometry.spacing_mm)
    size = np.maximum(MIN_VOXELS, np.rint(extent / wanted)).astype(int)
    spacing = extent / size
    centre = geometry.corners_mm().mean(axis=0)
    origin = centre - np.array(geometry.direction) @ ((size - 1) / 2.0 * spacing)
    affine = np.eye(4)
    affine[:3, :3] = np.array(geometry.direction) * spacing
    affine[:3, 3] = origin
    i, j, k = (int(value) for value in size)
    return Geometry.from_affine(affine, (k, j, i))


def _grow(body: NDArray[np.bool_], radius_mm: float, geometry: Geometry, *, outwards: bool) -> NDArray[np.bool_]:
    if radius_mm == 0 or body.all() or not body.any():
        return body
    spacing = geometry.spacing_mm[::-1]
    distance = ndimage.distance_transform_edt(~body if outwards else body, sampling=spacing)
    grown: NDArray[np.bool_] = distance <= radius_mm if outwards else distance > radius_mm
    return grown


def _inside(mask: Mask, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    index = np.rint(mask.geometry.to_index(points_mm)).astype(int)
    within = np.all((index >= 0) & (index < mask.geometry.shape_kji), axis=-1)
    found = np.zeros(len(index), bool)
    found[within] = mask.voxels[tuple(index[within].T)]
    return found


def _require_usable(volume: Volume, role: str) -> None:
    if min(volume.geometry.size_mm) < MIN_EXTENT_MM:
        raise RegistrationError(
            f"{role} image: expected at least {MIN_EXTENT_MM:g} mm along every axis, found {volume.geometry.describe()}"
        )
    if not np.isfinite(volume.voxels).all():
        count = int(np.count_nonzero(~np.isfinite(volume.voxels)))
        raise RegistrationError(f"{role} image: expected finite values, found {count} NaN or infinite voxels")
