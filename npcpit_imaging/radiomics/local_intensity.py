"""Local intensity peaks: means over 1 mL spheres, which may reach beyond the region (IBSI 1, 3.2)."""

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.region import Region

PEAK_RADIUS_MM = (3.0 / (4.0 * np.pi)) ** (1.0 / 3.0) * 10.0
"""Radius of a sphere of 1 mL, 6.2 mm."""

Floats = NDArray[np.float64]


def local_intensity(region: Region) -> Values:
    """Return the local and the global peak.

    The local peak is at the brightest voxel; of several, at the one with the highest mean (3.2.1).
    """
    means = sphere_means(region)
    brightest = region.values == region.values.max()
    return {"loc_peak_loc": float(means[brightest].max()), "loc_peak_glob": float(means.max())}


def sphere_means(region: Region) -> Floats:
    """Mean intensity `(N,)` of the voxel centres within 6.2 mm of each voxel of the intensity mask.

    Only voxels of the image count. Each sphere is a bundle of rods along i; a running sum gives all rods of one length.
    """
    reach = [int(PEAK_RADIUS_MM / spacing) for spacing in region.spacing_kji_mm]
    block = _reachable(region, reach)
    intensities, mask = region.intensities[block], region.intensity[block]
    if not np.isfinite(intensities).all():
        raise RadiomicsError("local intensity: expected finite intensities around the region, found some that are not")
    sums = _sphere_sums(intensities, reach, region.spacing_kji_mm)[mask]
    if all(side.stop - side.start == size + 2 * r for side, size, r in zip(block, _shape(region), reach, strict=True)):
        return np.asarray(sums / _offsets(reach, region.spacing_kji_mm).sum())
    return np.asarray(sums / _sphere_sums(np.ones(mask.shape), reach, region.spacing_kji_mm)[mask])


def _shape(region: Region) -> list[int]:
    return [side.stop - side.start for side in region.box]


def _reachable(region: Region, reach: list[int]) -> tuple[slice, ...]:
    shape = region.intensities.shape
    return tuple(
        slice(max(0, side.start - r), min(size, side.stop + r))
        for side, r, size in zip(region.box, reach, shape, strict=True)
    )


def _offsets(reach: list[int], spacing_kji_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """Voxels `(2K + 1, 2J + 1)` of the sphere's rod along i through each point of the plane at i = 0."""
    k, j = (np.arange(-r, r + 1) * spacing for r, spacing in zip(reach[:2], spacing_kji_mm[:2], strict=True))
    rest = PEAK_RADIUS_MM**2 - k[:, None] ** 2 - j**2
    half = np.floor(np.sqrt(np.maximum(rest, 0.0)) / spacing_kji_mm[2]).astype(np.int64)
    return np.where(rest >= 0, 2 * half + 1, 0)


def _sphere_sums(block: Floats, reach: list[int], spacing_kji_mm: tuple[float, float, float]) -> Floats:
    """Sum `(K, J, I)` over the sphere about each voxel of a block, nothing being outside it."""
    padded = np.pad(block, [(reach[0], reach[0]), (reach[1], reach[1]), (reach[2] + 1, reach[2])])
    running = np.cumsum(padded, axis=2)
    total = np.zeros(block.shape)
    lengths = _offsets(reach, spacing_kji_mm)
    for length in np.unique(lengths[lengths > 0]):
        first = reach[2] - int(length) // 2
        rods = (
            running[:, :, first + int(length) :][:, :, : block.shape[2]] - running[:, :, first:][:, :, : block.shape[2]]
        )
        for k, j in np.argwhere(lengths == length):
            total += rods[k : k + block.shape[0], j : j + block.shape[1]]
    return total
