"""A key image: one slice with the lesion's contour and calipers, ready to be drawn or burnt in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

Line2d = tuple[tuple[float, float], tuple[float, float]]
"""Two ends as (column, row) in pixels of the picture."""

FIELD_MM = 110.0
"""Side of the square shown around a lesion; wide enough to recognise where in the head it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which values are shown from black to white."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class KeyImage:
    """One slice of one lesion.

    Args:
        title: What the picture shows, e.g. ``T01 CT``.
        caption: The numbers.
        pixels: `(J, I)` float in 0 to 1, windowed.
        mask: `(J, I)` bool.
        calipers: Longest diameter and short axis in pixels of this picture.
        pixel_aspect: Height of a pixel over its width.
        reversed_grey: PET is shown dark on light.
        edges: `(J, I)` bool, another image's edges to be laid over; None without.
    """

    title: str
    caption: str
    pixels: NDArray[np.float64]
    mask: NDArray[np.bool_]
    calipers: tuple[Line2d, ...]
    pixel_aspect: float
    reversed_grey: bool = False
    edges: NDArray[np.bool_] | None = None


def key_image(
    volume: Volume,
    mask: Mask,
    measurement: Measurement,
    *,
    window: Window,
    title: str,
    caption: str,
    field_mm: float | None = FIELD_MM,
    reversed_grey: bool = False,
) -> KeyImage:
    """Cut the slice of the longest diameter around the lesion; where the mask has no voxel in it, around the calipers.

    Args:
        volume: The image that was measured.
        mask: The lesion on the image's grid.
        measurement: What was measured on the mask; must not be empty.
        window: Values shown from black to white.
        title: What the picture shows.
        caption: The numbers below it.
        field_mm: Side of the square that is cut; None for the whole slice.
        reversed_grey: Show dark on light.
    """
    assert measurement.slice_index_k is not None, "an empty measurement has no key image"
    k = measurement.slice_index_k
    lines = [line for line in (measurement.longest_diameter, measurement.short_axis) if line is not None]
    rows, columns = _cut(mask, k, lines, field_mm)
    pixels = (volume.voxels[k, rows, columns].astype(float) - window.low) / (window.high - window.low)
    spacing_i, spacing_j, _ = volume.geometry.spacing_mm
    return KeyImage(
        title=title,
        caption=caption,
        pixels=np.clip(pixels, 0.0, 1.0),
        mask=mask.voxels[k, rows, columns],
        calipers=tuple(_in_picture(line, volume.geometry, rows, columns) for line in lines),
        pixel_aspect=spacing_j / spacing_i,
        reversed_grey=reversed_grey,
    )


def _cut(mask: Mask, k: int, lines: Sequence[Caliper], field_mm: float | None) -> tuple[slice, slice]:
    geometry = mask.geometry
    _, height, width = geometry.shape_kji
    if field_mm is None:
        return slice(0, height), slice(0, width)
    found = np.argwhere(mask.voxels[k]).astype(float)
    if not len(found):
        found = geometry.to_index([end for line in lines for end in (line.start_mm, line.end_mm)])[:, 1:]
    centre_j, centre_i = (found.min(axis=0) + found.max(axis=0)) / 2
    spacing_i, spacing_j, _ = geometry.spacing_mm
    return _span(centre_j, field_mm / spacing_j, height), _span(centre_i, field_mm / spacing_i, width)


def _span(centre: float, size: float, limit: int) -> slice:
    start = max(0, round(centre - size / 2))
    return slice(start, min(limit, max(start + 1, round(centre + size / 2))))


def _in_picture(line: Caliper, geometry: Geometry, rows: slice, columns: slice) -> Line2d:
    (_, j0, i0), (_, j1, i1) = geometry.to_index([line.start_mm, line.end_mm]).tolist()
    return (i0 - columns.start, j0 - rows.start), (i1 - columns.start, j1 - rows.start)
