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

    Only voxels of the image count. Each sphere is a bundle of rods along i, and a running sum gives a rod's sum by two
    look-ups.
    """
    reach = [int(PEAK_RADIUS_MM / spacing) for spacing in region.spacing_kji_mm]
    block = _reachable(region, reach)
    intensities, mask = region.intensities[block], region.intensity[block]
    if not np.isfinite(intensities).all():
        raise RadiomicsError("local intensity: expected finite intensities around the region, found some that are not")
    padded = np.pad(intensities, [(r, r) for r in reach])
    sums = _rod_sums(padded, mask.shape, reach, region.spacing_kji_mm)[mask]
    present = np.pad(np.ones(mask.shape), [(r, r) for r in reach])
    counts = _rod_sums(present, mask.shape, reach, region.spacing_kji_mm)[mask]
    means: Floats = sums / counts
    return means


def _reachable(region: Region, reach: list[int]) -> tuple[slice, ...]:
    shape = region.intensities.shape
    return tuple(
        slice(max(0, side.start - r), min(size, side.stop + r))
        for side, r, size in zip(region.box, reach, shape, strict=True)
    )


def _rod_sums(
    padded: Floats, shape: tuple[int, ...], reach: list[int], spacing_kji_mm: tuple[float, float, float]
) -> Floats:
    running = np.cumsum(padded, axis=2)
    running = np.pad(running, [(0, 0), (0, 0), (1, 0)])
    total = np.zeros(shape)
    for k in range(-reach[0], reach[0] + 1):
        for j in range(-reach[1], reach[1] + 1):
            rest = PEAK_RADIUS_MM**2 - (k * spacing_kji_mm[0]) ** 2 - (j * spacing_kji_mm[1]) ** 2
            if rest < 0:
                continue
            half = int(np.sqrt(rest) / spacing_kji_mm[2])
            rows = running[reach[0] + k :, reach[1] + j :][: shape[0], : shape[1]]
            right = rows[:, :, reach[2] + half + 1 :][:, :, : shape[2]]
            left = rows[:, :, reach[2] - half :][:, :, : shape[2]]
            total += right - left
    return total
