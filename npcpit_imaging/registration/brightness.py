"""How bright one image is where another shows the same: a local line of best fit between their grey values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform

FLAT = 0.05
"""Share of the whole variance added to every local one: in flat tissue the whole image's contrast holds."""

Image = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Brightness:
    """``fixed = scale * moving + offset``, a number each per voxel or point."""

    scale: NDArray[np.floating]
    offset: NDArray[np.floating]

    def at(self, places: NDArray[np.float64]) -> "Brightness":
        """At places between the voxels, by their indices ``(3, N)`` along k, j, i."""
        scale, offset = (
            ndimage.map_coordinates(part, places, order=1, mode="nearest") for part in (self.scale, self.offset)
        )
        return Brightness(scale=scale, offset=offset)


def matched(
    fixed: tuple[Image, Geometry, NDArray[np.bool_]],
    moving: tuple[Image, Geometry],
    transform: RigidTransform,
    *,
    reach_mm: float,
) -> Brightness:
    """Fit the moving image's grey values to the fixed one's within a Gaussian reach, under a transform.

    Two MR images differ by a smooth bias field and by contrast; locally that is a scale and an offset.

    Args:
        fixed: Image `(K, J, I)`, its grid, and where it shows the body.
        moving: Image and its grid.
        transform: Maps fixed points to moving points.
        reach_mm: Spread of the Gaussian.
    """
    here, grid, body = fixed
    there, other = moving
    there_on_grid = _warped(there, other, grid, transform)
    common = body & np.isfinite(there_on_grid)
    one = np.where(common, here, 0).astype(np.float32)
    two = np.where(common, there_on_grid, 0).astype(np.float32)
    share = _smooth(common.astype(np.float32), grid, reach_mm) + 1e-3
    mean_one, mean_two = (_smooth(image, grid, reach_mm) / share for image in (one, two))
    variance = _smooth(two * two, grid, reach_mm) / share - mean_two**2
    covariance = _smooth(one * two, grid, reach_mm) / share - mean_one * mean_two
    whole = float(two[common].var()) + 1e-12 if common.any() else 1.0
    ratio = float(np.sqrt(one[common].var() / whole)) if common.any() else 1.0
    scale = (covariance + FLAT * whole * ratio) / (np.maximum(variance, 0) + FLAT * whole)
    return Brightness(scale=scale, offset=mean_one - scale * mean_two)


def _smooth(image: Image, grid: Geometry, reach_mm: float) -> Image:
    smooth: Image = ndimage.gaussian_filter(image, [reach_mm / step for step in grid.spacing_mm[::-1]], truncate=2.5)
    return smooth


def _warped(image: Image, grid: Geometry, onto: Geometry, transform: RigidTransform) -> Image:
    """The moving image on the fixed grid; NaN where it shows nothing."""
    back = np.linalg.inv(grid.affine[:3, :3])
    matrix = back @ transform.rotation @ onto.affine[:3, :3]
    offset = back @ (transform.map(onto.affine[:3, 3]) - grid.affine[:3, 3])
    warped: Image = ndimage.affine_transform(
        image, matrix[::-1, ::-1], offset[::-1], output_shape=onto.shape_kji, order=1, cval=np.nan, output=np.float32
    )
    return warped
