"""Perturbed images and masks, repeatable by seed (after Zwanenburg 2019, Scientific Reports 9:614)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.region import bounding_box
from npcpit_imaging.volume.resample import resample, resample_mask
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Volume

MAD_TO_SD = 0.6745
"""Median absolute value of a normal variable of unit standard deviation."""

SURFACE_MARGIN_MM = 10.0
"""How far beyond the mask its surface can move."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """One small change of an image and a mask.

    Args:
        rotation_degrees: About the slice normal through the mask's centre; image and mask turn together.
        shift_voxels: Along i, j, k, in fractions of a voxel; image and mask move together.
        noise_sd: Standard deviation of added noise, as a multiple of the image's own noise.
        growth: Relative change of the mask's volume, e.g. -0.1 or 0.1.
        contour_mm: Standard deviation of the smooth displacement of the mask's surface.
        seed: Seed of the noise and of the displacement.
    """

    rotation_degrees: float = 0.0
    shift_voxels: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise_sd: float = 0.0
    growth: float = 0.0
    contour_mm: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large perturbations may be; each is drawn evenly from minus to plus its limit.

    Args:
        rotation_degrees: Largest rotation.
        shift_voxels: Largest shift along each axis.
        noise_sd: Noise added to every image, as a multiple of its own.
        growth: Largest relative change of volume.
        contour_mm: Standard deviation of the surface's displacement, in every mask.
    """

    rotation_degrees: float = 8.0
    shift_voxels: float = 0.5
    noise_sd: float = 1.0
    growth: float = 0.1
    contour_mm: float = 0.5


def draw(count: int, *, seed: int, limits: Limits = Limits()) -> list[Perturbation]:
    """Return `count` perturbations; the same seed gives the same ones.

    Example:
        >>> draw(2, seed=1) == draw(2, seed=1)
        True
    """
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        x, y, z = (float(value) for value in random.uniform(-limits.shift_voxels, limits.shift_voxels, 3))
        found.append(
            Perturbation(
                rotation_degrees=float(random.uniform(-limits.rotation_degrees, limits.rotation_degrees)),
                shift_voxels=(x, y, z),
                noise_sd=limits.noise_sd,
                growth=float(random.uniform(-limits.growth, limits.growth)),
                contour_mm=limits.contour_mm,
                seed=int(random.integers(2**31)),
            )
        )
    return found


def perturb(volume: Volume, mask: Mask, change: Perturbation) -> tuple[Volume, Mask]:
    """Return the changed image and mask, both on the image's own grid.

    Raises:
        RadiomicsError: The mask is empty, before or after the change.
    """
    if not mask.voxels.any():
        raise RadiomicsError("perturbation: expected at least one mask voxel, found none")
    noise, surface = (np.random.default_rng(seed) for seed in np.random.SeedSequence(change.seed).spawn(2))
    noisy = _with_noise(volume, change.noise_sd, noise)
    moved_volume, moved_mask = _moved(noisy, mask, change)
    reshaped = _reshaped(moved_mask, change, surface)
    if not reshaped.voxels.any():
        raise RadiomicsError("perturbation: expected at least one mask voxel afterwards, found none")
    return moved_volume, reshaped


def noise_of(volume: Volume) -> float:
    """Estimate an image's noise from its finest diagonal detail, slice by slice (Donoho and Johnstone 1994)."""
    v = volume.voxels.astype(np.float64)
    j, i = (size - size % 2 for size in v.shape[1:])
    if min(j, i) < 2:
        return 0.0
    even = v[:, :j, :i]
    diagonal = (even[:, ::2, ::2] - even[:, ::2, 1::2] - even[:, 1::2, ::2] + even[:, 1::2, 1::2]) / 2.0
    return float(np.median(np.abs(diagonal)) / MAD_TO_SD)


def _with_noise(volume: Volume, multiple: float, random: np.random.Generator) -> Volume:
    if multiple == 0:
        return volume
    noise = random.normal(0.0, multiple * noise_of(volume), volume.voxels.shape)
    return replace(volume, voxels=(volume.voxels + noise).astype(np.float32))


def _moved(volume: Volume, mask: Mask, change: Perturbation) -> tuple[Volume, Mask]:
    if change.rotation_degrees == 0 and not any(change.shift_voxels):
        return volume, mask
    geometry = volume.geometry
    centre = geometry.to_mm(np.argwhere(mask.voxels).mean(axis=0))
    rotation = _about(geometry.normal, np.radians(change.rotation_degrees))
    shift = np.array(geometry.direction) @ (np.array(change.shift_voxels) * np.array(geometry.spacing_mm))
    transform = RigidTransform(rotation=rotation, translation_mm=centre - rotation @ centre + shift)
    outside = float(volume.voxels.min())
    return resample(volume, geometry, transform, outside=outside), resample_mask(mask, geometry, transform)


def _about(axis: Floats, angle: float) -> Floats:
    """Rotation `(3, 3)` about a unit vector (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Floats = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return rotation


def _reshaped(mask: Mask, change: Perturbation, random: np.random.Generator) -> Mask:
    """Move the surface: a smooth random displacement first, then outward or inward until the volume is right."""
    if (change.growth == 0 and change.contour_mm == 0) or not mask.voxels.any():
        return mask
    spacing = mask.geometry.spacing_mm[::-1]
    around = _around(mask, SURFACE_MARGIN_MM + 4.0 * change.contour_mm)
    inside = mask.voxels[around]
    depth = _depth_mm(inside, spacing)
    if change.contour_mm:
        depth = depth - change.contour_mm * _smooth_field(inside.shape, spacing, random)
    target = max(1, round(float(np.count_nonzero(inside)) * (1.0 + change.growth)))
    deepest = np.argsort(-depth.ravel(), kind="stable")[:target]
    chosen = np.zeros(inside.size, np.bool_)
    chosen[deepest] = True
    voxels = np.zeros(mask.voxels.shape, np.bool_)
    voxels[around] = chosen.reshape(inside.shape)
    return replace(mask, voxels=voxels)


def _around(mask: Mask, margin_mm: float) -> tuple[slice, ...]:
    reach = [int(np.ceil(margin_mm / spacing)) + 1 for spacing in mask.geometry.spacing_mm[::-1]]
    box = bounding_box(mask.voxels)
    return tuple(slice(max(0, side.start - r), side.stop + r) for side, r in zip(box, reach, strict=True))


def _depth_mm(inside: NDArray[np.bool_], spacing_kji_mm: tuple[float, ...]) -> Floats:
    """Signed distance `(K, J, I)` to the surface, positive inside.

    Whole shells of voxels lie at one distance; what lies among more of the region counts as a little deeper.
    """
    depth = ndimage.distance_transform_edt(inside, spacing_kji_mm)
    depth = depth - ndimage.distance_transform_edt(~inside, spacing_kji_mm)
    return np.asarray(depth + 1e-3 * ndimage.gaussian_filter(inside.astype(float), 2.0), np.float64)


def _smooth_field(
    shape: tuple[int, ...], spacing_kji_mm: tuple[float, ...], random: np.random.Generator, *, length_mm: float = 5.0
) -> Floats:
    """Random field `(K, J, I)` of unit standard deviation that varies over about `length_mm`."""
    field = ndimage.gaussian_filter(random.normal(size=shape), [length_mm / spacing for spacing in spacing_kji_mm])
    spread = float(field.std())
    return np.asarray(field / spread if spread > 0 else field)
