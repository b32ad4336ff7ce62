"""A region ready for features: crop, interpolate, round, resegment (IBSI 1, chapter 2, figure 1)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import Interpolator, Resampling, Resegmentation
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.grid import Axis, centred_axis, covering, interpolate
from npcpit_imaging.volume.volume import Mask, Volume, require_same_grid

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

HALF = 0.5 - 1e-9
"""A mask voxel is kept from one half on; the margin is for the rounding of a sum of exact halves."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """Voxels in and around a region of interest on the grid features are computed on.

    Args:
        intensities: `(K, J, I)` float64, the region and a margin around it.
        morphological: `(K, J, I)` bool, the shape.
        intensity: `(K, J, I)` bool, the voxels whose intensities count; part of the shape.
        spacing_kji_mm: Distance between voxel centres along k, j, i.
    """

    intensities: Floats
    morphological: Bools
    intensity: Bools
    spacing_kji_mm: tuple[float, float, float]

    @cached_property
    def box(self) -> Box:
        """Bounding box of the shape."""
        return bounding_box(self.morphological)

    @cached_property
    def values(self) -> Floats:
        """Intensities `(N,)` of the intensity mask."""
        chosen: Floats = self.intensities[self.intensity]
        return chosen

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing_kji_mm))


def bounding_box(mask: Bools) -> Box:
    """Return the smallest block that holds every true voxel.

    Raises:
        RadiomicsError: There is none.
    """
    ends = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        if found.size == 0:
            raise RadiomicsError("mask: expected at least one voxel, found none")
        ends.append(slice(int(found[0]), int(found[-1]) + 1))
    return (ends[0], ends[1], ends[2])


def prepare(
    volume: Volume, mask: Mask, *, resampling: Resampling, resegmentation: Resegmentation, margin_mm: float
) -> Region:
    """Crop, interpolate, round and resegment.

    Args:
        volume: The image.
        mask: The region on the image's own grid.
        resampling: The new grid.
        resegmentation: The intensity mask.
        margin_mm: How much of the image around the region is kept.

    Raises:
        GeometryError: The mask lies on another grid.
        RadiomicsError: The mask is empty, before or after interpolation, or holds voxels that are not finite.
    """
    require_same_grid(volume, mask)
    region = resample_region(volume, mask, resampling, margin_mm)
    _require_finite(region)
    return replace(region, intensity=resegment(region, resegmentation))


def resample_region(volume: Volume, mask: Mask, resampling: Resampling, margin_mm: float) -> Region:
    """Return the region on its new grid, before resegmentation.

    Raises:
        RadiomicsError: The mask is empty, before or after interpolation.
    """
    axes = _axes_around(volume, mask, resampling, margin_mm)
    intensities = interpolate(volume.voxels, axes, resampling.interpolator)
    if resampling.round_to_integer:
        intensities = np.rint(intensities)
    inside: Bools = interpolate(mask.voxels, axes, Interpolator.LINEAR) >= HALF
    if not inside.any():
        raise RadiomicsError(
            f"mask: expected at least one voxel after interpolation to {resampling.spacing_mm} mm, found none "
            f"of its {np.count_nonzero(mask.voxels)} voxels"
        )
    k, j, i = axes
    spacing = (k.spacing_mm, j.spacing_mm, i.spacing_mm)
    return Region(intensities=intensities, morphological=inside, intensity=inside, spacing_kji_mm=spacing)


def resegment(region: Region, resegmentation: Resegmentation) -> Bools:
    """Return the intensity mask: within the range, and no outlier of the shape's own intensities (IBSI 1, 2.5)."""
    kept = region.morphological.copy()
    values = region.intensities
    if resegmentation.lower is not None:
        kept &= values >= resegmentation.lower
    if resegmentation.upper is not None:
        kept &= values <= resegmentation.upper
    if resegmentation.outlier_sd is not None and kept.any():
        inside = values[kept]
        reach = resegmentation.outlier_sd * inside.std()
        kept &= np.abs(values - inside.mean()) <= reach
    return kept


def _axes_around(volume: Volume, mask: Mask, resampling: Resampling, margin_mm: float) -> tuple[Axis, Axis, Axis]:
    box = bounding_box(mask.voxels)
    spacing_kji = volume.geometry.spacing_mm[::-1]
    axes = []
    for dimension, (size, spacing, block) in enumerate(zip(volume.voxels.shape, spacing_kji, box, strict=True)):
        keep = resampling.spacing_mm is None or (dimension == 0 and not resampling.slices)
        axis = centred_axis(size, spacing, spacing if keep or resampling.spacing_mm is None else resampling.spacing_mm)
        margin = margin_mm / spacing + 1.0
        axes.append(covering(axis, block.start - margin, block.stop - 1 + margin))
    return (axes[0], axes[1], axes[2])


def _require_finite(region: Region) -> None:
    bad = int(np.count_nonzero(~np.isfinite(region.intensities[region.morphological])))
    if bad:
        total = int(np.count_nonzero(region.morphological))
        raise RadiomicsError(f"image: expected finite intensities in the region, found {bad} of {total} that are not")
