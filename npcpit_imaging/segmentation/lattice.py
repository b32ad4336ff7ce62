"""A fixed lattice in a prompt's frame, so that a network sees every lesion in one size and one orientation.

The lattice's axes are the frame's: through (w), across (v), along (u), in this order, as an image's k, j, i.
"""

import numpy as np
from scipy import ndimage

from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.region import Floats, Region

SHAPE_WVU = (24, 32, 32)
"""Lattice points through, across and along."""

LINE_REACH_WVU = (1.65, 1.6, 1.3)
"""Where a line's lattice ends, in the frame's half-lengths; a little further than the region reaches."""

BOX_REACH_WVU = (1.3, 1.3, 1.3)
"""The same for a box."""


def reach_wvu(frame: Frame) -> tuple[float, float, float]:
    """Where the frame's lattice ends, in half-lengths."""
    return BOX_REACH_WVU if frame.line is None else LINE_REACH_WVU


def places(frame: Frame) -> tuple[Floats, Floats, Floats]:
    """Every lattice point's u, v, w in half-lengths: three arrays that broadcast to the lattice's shape."""
    w, v, u = (
        np.linspace(-reach, reach, size, dtype=np.float32)
        for reach, size in zip(reach_wvu(frame), SHAPE_WVU, strict=True)
    )
    return u[None, None, :], v[None, :, None], w[:, None, None]


def to_lattice(frame: Frame, region: Region, values: Floats) -> Floats:
    """Interpolate images `(N, K, J, I)` of a region linearly onto the lattice, `(N, W, V, U)`, constant beyond it."""
    points = np.stack(np.broadcast_arrays(*places(frame)), axis=-1) * frame.half_mm @ frame.axes + frame.centre_mm
    index = np.moveaxis(region.geometry.to_index(points), -1, 0)
    return np.stack(
        [ndimage.map_coordinates(each, index, order=1, mode="nearest", output=np.float32) for each in values]
    )


def from_lattice(frame: Frame, region: Region, values: Floats) -> Floats:
    """Interpolate values of the lattice linearly onto a region's grid `(K, J, I)`, constant beyond the lattice."""
    u, v, w = frame.coordinates(region.geometry)
    index = [
        (np.broadcast_to(place, region.values.shape) / reach + 1) / 2 * (size - 1)
        for place, reach, size in zip((w, v, u), reach_wvu(frame), SHAPE_WVU, strict=True)
    ]
    sampled: Floats = ndimage.map_coordinates(values, np.stack(index), order=1, mode="nearest", output=np.float32)
    return sampled
