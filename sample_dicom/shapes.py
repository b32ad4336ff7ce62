"""Analytic shapes as approximate signed distances in mm, negative inside (after Quilez' distance functions)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = tuple[float, float, float]
Distance = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A region of space.

    Args:
        low: Smallest corner (x, y, z) in mm of a box that holds the region.
        high: Largest corner of that box.
        distance: From x, y, z arrays in mm to the signed distance in mm, negative inside.
    """

    low: Point
    high: Point
    distance: Distance


def ellipsoid(center: Point, radii: Point, *, tilt_x: float = 0.0, tilt_y: float = 0.0, tilt_z: float = 0.0) -> Shape:
    """Return an ellipsoid; tilts are degrees about the patient's axes, applied x, then y, then z."""
    rotation = rotation_matrix(tilt_x, tilt_y, tilt_z)
    reach = np.sqrt((rotation**2) @ np.square(radii))

    def distance(x: Array, y: Array, z: Array) -> Array:
        p, q, r = x - center[0], y - center[1], z - center[2]
        turned = (p * rotation[0, a] + q * rotation[1, a] + r * rotation[2, a] for a in range(3))
        scaled = [component / radius for component, radius in zip(turned, radii, strict=True)]
        norm = np.sqrt(sum(component * component for component in scaled))
        slope = np.sqrt(sum((component / radius) ** 2 for component, radius in zip(scaled, radii, strict=True)))
        return norm * (norm - 1.0) / np.maximum(slope, 1e-6)

    return Shape(low=_point(np.array(center) - reach), high=_point(np.array(center) + reach), distance=distance)


def tube(points: Sequence[Point], radii: Sequence[float], *, stretch: Point = (1.0, 1.0, 1.0)) -> Shape:
    """Return a round tube along a polyline, its radius changing linearly; `stretch` widens its cross-section."""
    nodes, widen = np.array(points, float), np.array(stretch)
    reach = np.array(radii)[:, None] * np.maximum(widen, 1.0)

    def distance(x: Array, y: Array, z: Array) -> Array:
        parts = [_capsule((x, y, z), nodes[n : n + 2], radii[n : n + 2], widen) for n in range(len(nodes) - 1)]
        return np.minimum.reduce(parts)

    return Shape(low=_point((nodes - reach).min(0)), high=_point((nodes + reach).max(0)), distance=distance)


def _capsule(xyz: tuple[Array, ...], ends: Array, radii: Sequence[float], widen: Array) -> Array:
    start, (r0, r1) = ends[0], radii
    axis = (ends[1] - start) / widen
    rel = [(component - start[a]) / widen[a] for a, component in enumerate(xyz)]
    along = np.clip(sum(rel[a] * axis[a] for a in range(3)) / (axis @ axis), 0.0, 1.0)
    away = np.sqrt(sum((rel[a] - along * axis[a]) ** 2 for a in range(3)))
    return (away - (r0 + (r1 - r0) * along)) * min(1.0, float(widen.min()))


def slab(low: Point, high: Point, *, rounding: float = 0.0) -> Shape:
    """Return a box with rounded edges between two corners."""
    center, half = (np.array(low) + high) / 2, (np.array(high) - low) / 2 - rounding

    def distance(x: Array, y: Array, z: Array) -> Array:
        gaps = [np.abs(component - center[a]) - half[a] for a, component in enumerate((x, y, z))]
        outside = np.sqrt(sum(np.maximum(gap, 0.0) ** 2 for gap in gaps))
        return outside + np.minimum(np.maximum.reduce(gaps), 0.0) - rounding

    return Shape(low=low, high=high, distance=distance)


def union(*shapes: Shape, smooth: float = 0.0) -> Shape:
    """Return the union, its creases filled over about `smooth` mm."""

    def distance(x: Array, y: Array, z: Array) -> Array:
        merged = shapes[0].distance(x, y, z)
        for shape in shapes[1:]:
            merged = _smooth_minimum(merged, shape.distance(x, y, z), smooth)
        return merged

    low = np.min([shape.low for shape in shapes], axis=0) - smooth / 4
    high = np.max([shape.high for shape in shapes], axis=0) + smooth / 4
    return Shape(low=_point(low), high=_point(high), distance=distance)


def _smooth_minimum(a: Array, b: Array, smooth: float) -> Array:
    if smooth <= 0.0:
        return np.minimum(a, b)
    blend = np.clip(0.5 + 0.5 * (b - a) / smooth, 0.0, 1.0)
    return b + (a - b) * blend - smooth * blend * (1.0 - blend)


def common(a: Shape, b: Shape) -> Shape:
    """Return what lies in both shapes."""
    return Shape(
        low=_point(np.maximum(a.low, b.low)),
        high=_point(np.minimum(a.high, b.high)),
        distance=lambda x, y, z: np.maximum(a.distance(x, y, z), b.distance(x, y, z)),
    )


def without(a: Shape, b: Shape) -> Shape:
    """Return what lies in the first shape only."""
    return Shape(low=a.low, high=a.high, distance=lambda x, y, z: np.maximum(a.distance(x, y, z), -b.distance(x, y, z)))


def grown(shape: Shape, margin_mm: float) -> Shape:
    """Return the shape with a margin, negative to shrink."""
    wider = max(margin_mm, 0.0)
    return Shape(
        low=_point(np.array(shape.low) - wider),
        high=_point(np.array(shape.high) + wider),
        distance=lambda x, y, z: shape.distance(x, y, z) - margin_mm,
    )


def remembered(shape: Shape) -> Shape:
    """Return the shape with a memory of its last evaluation: its shrunken copies share box and distances."""
    last: list[Array] = []

    def distance(x: Array, y: Array, z: Array) -> Array:
        if not last or last[0] is not x:
            last[:] = [x, shape.distance(x, y, z)]
        return last[1]

    return Shape(low=shape.low, high=shape.high, distance=distance)


def mirrored(shape: Shape) -> Shape:
    """Return the shape on the other side of the midline (x to -x)."""
    return Shape(
        low=(-shape.high[0], shape.low[1], shape.low[2]),
        high=(-shape.low[0], shape.high[1], shape.high[2]),
        distance=lambda x, y, z: shape.distance(-x, y, z),
    )


def rotation_matrix(tilt_x: float, tilt_y: float, tilt_z: float) -> Array:
    """Return Rz Ry Rx (3, 3) for angles in degrees."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([tilt_x, tilt_y, tilt_z])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _point(values: Array) -> Point:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
