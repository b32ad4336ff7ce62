"""Three planes of two aligned volumes through a point: the arrays of the registration's check figure.

Each holds both images, a checkerboard of the two, the edges of the fixed one (to be drawn on the moving one), and the
lesion as it was carried over.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.feature import canny

from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.volume.deformable import Transform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample, resample_mask
from npcpit_imaging.volume.volume import Mask, Volume

DISPLAY_PERCENTILES = (1.0, 99.0)
"""Grey values shown as black and white, of each image's own plane."""

EDGE_MM = 1.5
"""Spread of the smoothing before edges are taken: noise gives none, skin, bone and air do."""

WEAK_EDGE, STRONG_EDGE = 0.86, 0.95
"""Quantiles of the gradient: an edge begins at the strong one and goes on down to the weak one."""

PLANE_AXES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}
"""Patient direction (LPS) of a picture's columns (to the right) and rows (downwards)."""


@dataclass(frozen=True, kw_only=True)
class CheckPlane:
    """One plane through the point, both images scaled to 0..1 and a checkerboard of the two.

    Args:
        name: ``axial``, ``coronal`` or ``sagittal`` (of the patient, whatever the acquisition).
        fixed: `(H, W)` float32.
        moving: `(H, W)` float32, resampled through the transform.
        board: `(H, W)` float32, tiles of fixed and moving in turn.
        edges: `(H, W)` bool, the fixed image's strong edges.
        lesion: `(H, W)` bool, the moving image's lesion, resampled as the moving image is; empty without one.
        pixel_mm: Side of a pixel.
        tile_mm: Side of a tile.
        extent_mm: Left, right, bottom, top relative to the point, as matplotlib's ``imshow(extent=...)`` wants.
    """

    name: str
    fixed: NDArray[np.float32]
    moving: NDArray[np.float32]
    board: NDArray[np.float32]
    edges: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    pixel_mm: float
    tile_mm: float
    extent_mm: tuple[float, float, float, float]


def check_planes(
    fixed: Volume,
    moving: Volume,
    transform: Transform,
    point_mm: ArrayLike,
    *,
    lesion: Mask | None = None,
    half_width_mm: float = 80.0,
    pixel_mm: float = 1.0,
    tile_mm: float = 20.0,
) -> tuple[CheckPlane, ...]:
    """Cut both volumes by the patient's axial, coronal and sagittal planes through a point.

    Args:
        fixed: The fixed image.
        moving: The moving image.
        transform: Maps fixed points to moving points; identity shows "before".
        point_mm: ``(3,)`` of the fixed image, LPS mm.
        lesion: The lesion on the moving image, to be carried over.
        half_width_mm: How far the picture reaches on each side of the point.
        pixel_mm: Side of a pixel.
        tile_mm: Side of a tile.

    Returns:
        Three planes: axial, coronal, sagittal; the point is in the middle of each.

    Raises:
        RegistrationError: The point is not inside the fixed image.
    """
    point = np.asarray(point_mm, float)
    if point.shape != (3,) or not bool(fixed.geometry.contains(point)):
        raise RegistrationError("checkerboard: expected a point inside the fixed image, found one outside")
    size = 2 * int(np.ceil(half_width_mm / pixel_mm)) + 1
    tile_pixels = max(1, round(tile_mm / pixel_mm))
    planes: list[CheckPlane] = []
    for name in PLANE_AXES:
        grid = _grid(point, name, size, pixel_mm)
        one, other = _scaled(resample(fixed, grid)), _scaled(resample(moving, grid, transform))
        half = size * pixel_mm / 2.0
        planes.append(
            CheckPlane(
                name=name,
                fixed=one,
                moving=other,
                board=checkerboard(one, other, tile_pixels),
                edges=edges(one, EDGE_MM / pixel_mm),
                lesion=_carried(lesion, grid, transform),
                pixel_mm=pixel_mm,
                tile_mm=tile_pixels * pixel_mm,
                extent_mm=(-half, half, half, -half),
            )
        )
    return tuple(planes)


def checkerboard(one: NDArray[np.float32], other: NDArray[np.float32], tile_pixels: int) -> NDArray[np.float32]:
    """Return `(H, W)` with tiles of `one` (top left) and `other` in turn."""
    rows, columns = np.indices(one.shape) // tile_pixels
    return np.where((rows + columns) % 2 == 0, one, other).astype(np.float32)


def edges(plane: NDArray[np.float32], smoothing_pixels: float) -> NDArray[np.bool_]:
    """Return `(H, W)` bool: ridges of the smoothed plane's gradient (Canny), the strongest ones and what joins them."""
    found: NDArray[np.bool_] = canny(
        plane, sigma=smoothing_pixels, low_threshold=WEAK_EDGE, high_threshold=STRONG_EDGE, use_quantiles=True
    )
    return found


def _carried(lesion: Mask | None, grid: Geometry, transform: Transform) -> NDArray[np.bool_]:
    if lesion is None:
        return np.zeros(grid.shape_kji[1:], bool)
    carried: NDArray[np.bool_] = resample_mask(lesion, grid, transform).voxels[0]
    return carried


def _grid(point_mm: NDArray[np.float64], name: str, size: int, pixel_mm: float) -> Geometry:
    column, row = (np.array(axis) for axis in PLANE_AXES[name])
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([column, row, np.cross(column, row)]) * pixel_mm
    affine[:3, 3] = point_mm - (size - 1) / 2.0 * pixel_mm * (column + row)
    return Geometry.from_affine(affine, (1, size, size))


def _scaled(cut: Volume) -> NDArray[np.float32]:
    plane = cut.voxels[0]
    low, high = (float(value) for value in np.percentile(plane, DISPLAY_PERCENTILES))
    if high <= low:
        return np.zeros(plane.shape, np.float32)
    scaled: NDArray[np.float32] = np.clip((plane - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return scaled
