"""Longest in-plane diameter of a mask and its perpendicular short axis (RECIST 1.1, Eisenhauer 2009, section 3.1).

Per slice: the largest 8-connected component, the first and last pixel of each row, outset by a quarter pixel, in mm;
the farthest pair of their convex hull is the longest diameter, the longest chord of the hull perpendicular to it the
short axis. Decision record 0051 says why.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from npcpit_imaging.measurement.runs import Runs, label_slices
from npcpit_imaging.study.caliper import Caliper, PointMm
from npcpit_imaging.volume.geometry import Geometry

CONVENTION = "quarter-pixel-outset hull, largest 8-connected component per slice, v1"
"""Stored with every diameter: another convention gives another number on the same mask."""

OUTSET_PIXEL = 0.25
"""How far beyond its outermost pixel centres a lesion's edge is taken to lie; the least biased of 0, 1/4 and 1/2."""

Points = NDArray[np.float64]
"""`(N, 2)` in-plane positions as (x, y) mm along the i and j axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diameter:
    """The longest diameter of a mask over its slices.

    Args:
        longest: End points of the longest diameter.
        short: End points of the short axis.
        slice_index_k: Slice of both.
        slice_components: Number of 8-connected components of that slice; only the largest was measured.
    """

    longest: Caliper
    short: Caliper
    slice_index_k: int
    slice_components: int


def find_diameter(runs: Runs, geometry: Geometry) -> Diameter:
    """Find the longest in-plane diameter over all slices, and its short axis.

    Components are visited by the diagonal of their bounding box and the search stops when none left can win. Of equal
    diameters the first in that order, then the lowest k, is kept.

    Args:
        runs: The mask's runs, at least one.
        geometry: The mask's grid.
    """
    spacing = np.array(geometry.spacing_mm[:2])
    component = label_slices(runs, geometry.shape_kji[1])[1]
    best, best_mm, best_hull, best_k = (0, 0), -1.0, np.empty((0, 2)), -1
    for part, bound_mm in _largest_parts_by_diagonal(runs, component, spacing):
        if bound_mm <= best_mm:
            break
        hull = convex_hull(outset_points(part, spacing))
        pair, length_mm = farthest_pair(hull)
        if length_mm > best_mm:
            best, best_mm, best_hull, best_k = pair, length_mm, hull, int(part.k[0])
    ends = (best_hull[best[0]], best_hull[best[1]])
    return Diameter(
        longest=_caliper(ends, spacing, best_k, geometry),
        short=_caliper(perpendicular_chord(best_hull, ends), spacing, best_k, geometry),
        slice_index_k=best_k,
        slice_components=len(np.unique(component[runs.k == best_k])),
    )


def outset_points(runs: Runs, spacing: NDArray[np.float64]) -> Points:
    """Corners `(4 N, 2)` in mm, a quarter pixel outside the end pixels of every run of one slice."""
    first, last = runs.first_i - OUTSET_PIXEL, runs.last_i + OUTSET_PIXEL
    above, below = runs.j - OUTSET_PIXEL, runs.j + OUTSET_PIXEL
    columns = np.concatenate([first, first, last, last])
    rows = np.concatenate([above, below, above, below])
    return np.column_stack([columns, rows]) * spacing


def convex_hull(points: Points) -> Points:
    """Vertices `(M, 2)` of the convex hull, in order around it."""
    vertices: Points = points[ConvexHull(points).vertices]
    return vertices


def farthest_pair(hull: Points) -> tuple[tuple[int, int], float]:
    """Indices of the two hull vertices farthest apart, and their distance in mm."""
    distance = pdist(hull)
    position = int(distance.argmax())
    one, other = np.triu_indices(len(hull), k=1)
    return (int(one[position]), int(other[position])), float(distance[position])


def perpendicular_chord(hull: Points, ends: tuple[Points, Points]) -> tuple[Points, Points]:
    """End points `(2,)` of the hull's longest chord perpendicular to the line between `ends`.

    The chord's length is piecewise linear along the line, so its maximum lies at a vertex.
    """
    along = (ends[1] - ends[0]) / math.dist(ends[0], ends[1])
    across = np.array([-along[1], along[0]])
    u, v = (hull - ends[0]) @ along, (hull - ends[0]) @ across
    upper, lower = _chain(u, v, sign=1), _chain(u, v, sign=-1)
    width = np.interp(u, *upper) - np.interp(u, *lower)
    at = u[int(width.argmax())]
    top, bottom = (ends[0] + at * along + np.interp(at, *chain) * across for chain in (upper, lower))
    return top, bottom


def _chain(u: Points, v: Points, *, sign: int) -> tuple[Points, Points]:
    """The hull's vertices on one side of the longest diameter (v = 0), ordered along it."""
    side = np.flatnonzero(sign * v >= -1e-9)
    order = side[np.argsort(u[side], kind="stable")]
    return u[order], v[order]


def _largest_parts_by_diagonal(
    runs: Runs, component: NDArray[np.int64], spacing: NDArray[np.float64]
) -> Iterator[tuple[Runs, float]]:
    """The largest component of every slice, all of them when several are equally large, by bounding-box diagonal."""
    order = np.argsort(component, kind="stable")
    ordered = runs.take(order)
    start = np.flatnonzero(np.diff(component[order], prepend=-1))
    stop = np.append(start[1:], len(order))
    voxels, k = np.add.reduceat(ordered.voxels, start), ordered.k[start]
    most = np.zeros(int(runs.k.max()) + 1, np.int64)
    np.maximum.at(most, k, voxels)
    columns = np.maximum.reduceat(ordered.last_i, start) - np.minimum.reduceat(ordered.first_i, start)
    rows = np.maximum.reduceat(ordered.j, start) - np.minimum.reduceat(ordered.j, start)
    extent = (np.column_stack([columns, rows]) + 2 * OUTSET_PIXEL) * spacing
    diagonal = np.hypot(extent[:, 0], extent[:, 1])
    largest = np.flatnonzero(voxels == most[k])
    for n in largest[np.lexsort((k[largest], -diagonal[largest]))]:
        yield ordered.take(np.arange(start[n], stop[n])), float(diagonal[n])


def _caliper(ends: tuple[Points, Points], spacing: NDArray[np.float64], k: int, geometry: Geometry) -> Caliper:
    start, end = (_to_mm(point / spacing, k, geometry) for point in ends)
    return Caliper(start_mm=start, end_mm=end)


def _to_mm(column_row: Points, k: int, geometry: Geometry) -> PointMm:
    x, y, z = (float(value) for value in geometry.to_mm((k, column_row[1], column_row[0])))
    return (x, y, z)
