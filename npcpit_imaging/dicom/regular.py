"""Irregular or tilted slices onto a regular grid by linear interpolation: only where the policy allows it."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.dicom.grid import Stack, in_plane_drift
from npcpit_imaging.volume.geometry import Geometry


def onto_grid(voxels: NDArray[np.float32], stacked: Stack, geometry: Geometry) -> NDArray[np.float32]:
    """Move slices back within their plane, then interpolate between them along the normal.

    Args:
        voxels: `(K, J, I)` values of the stack's slices.
        stacked: Where the slices lie.
        geometry: The regular grid; its first slice is the stack's first.

    Returns:
        `(K', J', I')` values on the grid; the image's least value where no slice reaches.
    """
    upright = _upright(voxels, stacked, geometry)
    offsets = np.array(stacked.offsets_mm)
    wanted = offsets[0] + geometry.spacing_mm[2] * np.arange(geometry.shape_kji[0])
    wanted = wanted.clip(offsets[0], offsets[-1])
    upper = np.searchsorted(offsets, wanted).clip(1, len(offsets) - 1)
    share = ((wanted - offsets[upper - 1]) / (offsets[upper] - offsets[upper - 1])).astype(np.float32)[:, None, None]
    between: NDArray[np.float32] = upright[upper - 1] * (1 - share) + upright[upper] * share
    return between


def _upright(voxels: NDArray[np.float32], stacked: Stack, geometry: Geometry) -> NDArray[np.float32]:
    """Shift every slice to where it lies in the plane of the grid, `(K, J', I')`."""
    first = stacked.position_mm(0)
    _, start_j, start_i = geometry.to_index(first)
    drift_px = in_plane_drift(stacked) / np.array(geometry.spacing_mm[:2]) + (start_i, start_j)
    rows, columns = geometry.shape_kji[1:]
    if (rows, columns) == voxels.shape[1:] and not np.abs(drift_px).max() > 1e-3:
        return voxels
    outside = float(voxels.min())
    moved = np.empty((len(voxels), rows, columns), np.float32)
    for k, (shift_i, shift_j) in enumerate(drift_px):
        ndimage.affine_transform(
            voxels[k], np.eye(2), offset=(-shift_j, -shift_i), output_shape=(rows, columns), output=moved[k],
            order=1, cval=outside,
        )  # fmt: skip
    return moved
