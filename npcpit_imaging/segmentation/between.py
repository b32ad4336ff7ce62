"""Shape-based interpolation between drawn slices (Raya and Udupa 1990), objects centred (Herman et al. 1992)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.errors import SegmentationError

Plane = NDArray[np.bool_]
Floats = NDArray[np.float64]

MARGIN_PIXELS = 2
"""Background kept around both outlines, so that every edge has an outside."""


def interpolate_slices(
    voxels: NDArray[np.bool_], pixel_mm: tuple[float, float], key_slices: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return a copy in which the slices between neighbouring key slices follow from the two.

    The signed distance in mm to each outline, moved so that the centres of mass meet on the line between them, is
    interpolated linearly. Without the moving, two outlines that do not overlap would have nothing between them.

    Args:
        voxels: `(K, J, I)` bool.
        pixel_mm: Distance between rows and between columns.
        key_slices: At least two slices, in order, none empty.

    Raises:
        SegmentationError: The two outlines differ so much that a slice between them would be empty.
    """
    filled = voxels.copy()
    for low, high in pairwise(key_slices):
        if high - low > 1:
            _fill(filled, low, high, pixel_mm)
    return filled


def _fill(filled: NDArray[np.bool_], low: int, high: int, pixel_mm: tuple[float, float]) -> None:
    start, (below, above) = _around(filled[low], filled[high])
    ends = [(_signed_distance(plane, pixel_mm), np.array(ndimage.center_of_mass(plane))) for plane in (below, above)]
    rows, columns = filled.shape[1:]
    for k in range(low + 1, high):
        share = (k - low) / (high - low)
        middle = (1 - share) * ends[0][1] + share * ends[1][1]
        moved = [ndimage.shift(distance, middle - centre, order=1, mode="nearest") for distance, centre in ends]
        inside = (1 - share) * moved[0] + share * moved[1] > 0
        if not inside.any():
            raise SegmentationError(
                f"fill between slices: expected outlines that can be joined, found nothing in slice {k} between "
                f"slices {low} and {high}; draw a slice between them"
            )
        filled[k] = False
        j, i = np.nonzero(inside)
        j, i = j + start[0], i + start[1]
        kept = (j >= 0) & (j < rows) & (i >= 0) & (i < columns)
        filled[k, j[kept], i[kept]] = True


def _around(one: Plane, other: Plane) -> tuple[NDArray[np.int64], tuple[Plane, Plane]]:
    """Both planes cut to what either holds, with background around; the first pixel of the cut may lie outside."""
    j, i = np.nonzero(one | other)
    low, high = (int(j.min()), int(i.min())), (int(j.max()) + 1, int(i.max()) + 1)
    cut = (slice(low[0], high[0]), slice(low[1], high[1]))
    padded = (np.pad(one[cut], MARGIN_PIXELS), np.pad(other[cut], MARGIN_PIXELS))
    return np.array(low) - MARGIN_PIXELS, padded


def _signed_distance(plane: Plane, pixel_mm: tuple[float, float]) -> Floats:
    inside = ndimage.distance_transform_edt(plane, sampling=pixel_mm)
    outside = ndimage.distance_transform_edt(~plane, sampling=pixel_mm)
    return np.asarray(inside - outside, np.float64)
