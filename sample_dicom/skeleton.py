"""Skull with its air cells, spine, jaws and teeth, in the anatomical frame (see anatomy.py)."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from shapes import Point, Shape, ellipsoid, grown, mirrored, remembered, slab, tube, union, without
from strokes import Stroke, bone, paint, pair

SKULL_MM = 5.0
"""Thickness of the vault in mm."""


@cache
def vault() -> Shape:
    """Outside of the skull; the inside is SKULL_MM deeper."""
    cavity = union(
        ellipsoid((0, 20, 84), (65, 81, 50)),
        *pair(ellipsoid((35, 5, 44), (24, 32, 28))),
        ellipsoid((0, 62, 36), (54, 47, 36), tilt_x=22),
        tube([(0, 26, 30), (0, 40, 2)], [13, 13]),
        smooth=7.0,
    )
    return remembered(grown(cavity, SKULL_MM))


def skull() -> Iterator[Stroke]:
    """Yield vault and skull base."""
    yield from _skull_base_parts()
    yield paint("cortical", vault())
    yield paint("marrow", without(grown(vault(), -1.4), grown(vault(), 1.4 - SKULL_MM)), 0.85)
    for side in pair(petrous()):
        yield paint("petrous", side)
    yield from _clivus()


def _skull_base_parts() -> Iterator[Stroke]:
    mastoid = ellipsoid((52, 34, 5), (11, 14, 22))
    for side in pair(mastoid):
        yield paint("cortical", side)
        yield paint("air", grown(side, -2.5), 0.9, "cells")
    for side in pair(
        tube([(52, -46, 10), (61, -36, 10), (66, -16, 11), (63, 8, 14)], [5, 3, 2.4, 3], stretch=(1, 1, 1.4))
    ):
        yield paint("cortical", side)
    for side in pair(ellipsoid((46, -52, 12), (11, 8, 12), tilt_z=30)):
        yield from bone(side, 1.8)
    for side in pair(ellipsoid((20, 36, -2), (6, 10, 6), tilt_z=25)):
        yield from bone(side, 1.6)


def petrous() -> Shape:
    """Return the left petrous bone."""
    return tube([(17, 17, 22), (34, 24, 22), (54, 30, 20)], [7, 9.5, 11], stretch=(1, 1, 1.1))


def _clivus() -> Iterator[Stroke]:
    body = union(
        ellipsoid((0, 2, 30), (18, 15, 13)), tube([(0, 13, 33), (0, 22, 10)], [5.5, 4], stretch=(2.6, 1, 1)), smooth=5
    )
    yield from bone(body, 1.6)
    sinus = union(ellipsoid((7, -1, 30), (7, 11, 9)), ellipsoid((-7.5, 0, 29), (6.5, 10, 8)))
    yield paint("mucosa", grown(sinus, 0.6), 0.5)
    yield paint("air", sinus)
    yield paint("thinbone", slab((-1.2, -12, 20), (0.2, 9, 39)), 0.9)
    yield paint("grey", ellipsoid((0, 9, 42), (5.5, 4.5, 3.5)))
    for side in pair(tube([(75, 18, 10), (62, 20, 12), (52, 21, 14)], [3.6, 3.4, 3.4])):
        yield paint("air", side)
    for side in pair(ellipsoid((46, 21, 15), (3, 4, 5))):
        yield paint("air", side, 0.9)
    for side in pair(ellipsoid((50, 44, 14), (9, 7, 9))):
        yield paint("air", side, 0.9, "cells")
    for side in pair(tube([(16, -11, 14), (15, -11, -10)], [1.6, 1.2], stretch=(1, 2.6, 1))):
        yield paint("cortical", side)
    for side in pair(tube([(20, -13, 14), (24, -8, -10)], [1.6, 1.1], stretch=(1, 2.8, 1))):
        yield paint("cortical", side)


def spine() -> Iterator[Stroke]:
    """Yield canal, cord and vertebrae."""
    yield paint("csf", tube([(0, 40, 4), (0, 44, -10), (0, 45, -95)], [11, 9.5, 8.5], stretch=(1.2, 1, 1)))
    yield from _atlas_and_axis()
    for z in (-47.0, -64.0, -81.0, -98.0):
        yield from _vertebra(z)
    yield paint("csf", tube([(0, 41, -2), (0, 44, -12), (0, 45, -95)], [9, 8.5, 7.2], stretch=(1.3, 1, 1)))
    yield paint("cord", tube([(0, 41, 0), (0, 44, -12), (0, 45, -95)], [5.6, 4.3, 4.2], stretch=(1.4, 1, 1)))
    for side in pair(tube([(9, 34, 3), (25, 44, -4), (28, 36, -10), (17, 31, -28), (16, 31, -95)], [1.7] * 5)):
        yield paint("artery", side)


def _ring(z: float, radius: float, thick: float, stretch_z: float) -> Shape:
    angles = np.linspace(-np.pi, np.pi, 13)
    nodes: list[Point] = [(float(radius * 1.1 * np.sin(a)), 45.0 - float(radius * np.cos(a)), z) for a in angles]
    return tube(nodes, [thick] * 13, stretch=(1, 1, stretch_z))


def _atlas_and_axis() -> Iterator[Stroke]:
    yield from bone(_ring(-9, 19, 2.9, 1.5), 1.4)
    for side in pair(ellipsoid((19, 36, -10), (8, 9, 8))):
        yield from bone(side, 1.5)
    for side in pair(tube([(24, 38, -10), (37, 40, -11)], [4, 3.2])):
        yield from bone(side, 1.4)
    yield from bone(union(tube([(0, 32, -2), (0, 33, -22)], [4.6, 5.2]), ellipsoid((0, 33, -28), (9.5, 8.5, 9))), 1.5)
    for side in pair(ellipsoid((16, 37, -22), (8, 8, 5.5))):
        yield from bone(side, 1.4)
    yield from bone(_arch(-29), 1.4)
    yield from bone(tube([(0, 58, -28), (0, 73, -34)], [4.5, 4.5], stretch=(1.3, 1, 1.2)), 1.5)


def _arch(z: float) -> Shape:
    points: list[Point] = [
        (13, 38, z),
        (17, 44, z),
        (11, 55, z),
        (0, 60, z - 2),
        (-11, 55, z),
        (-17, 44, z),
        (-13, 38, z),
    ]
    return tube(points, [3.6, 4.5, 2.6, 3, 2.6, 4.5, 3.6], stretch=(1, 1, 1.8))


def _vertebra(z: float) -> Iterator[Stroke]:
    yield paint("disc", slab((-9, 25, z + 5), (9, 38, z + 11), rounding=2))
    yield from bone(slab((-10.5, 24, z - 6.5), (10.5, 38.5, z + 6.5), rounding=3.5), 1.3)
    for side in pair(ellipsoid((20, 43, z), (6.5, 7, 9), tilt_x=-30)):
        yield from bone(side, 1.5)
    for side in pair(tube([(11, 29, z), (21, 31, z - 2)], [2.4, 2.8])):
        yield from bone(side, 1.2)
    yield from bone(_arch(z), 1.3)
    yield from bone(tube([(0, 59, z), (0, 70, z - 5)], [3, 3], stretch=(1.1, 1, 1.3)), 1.2)


def _dental_arch(t: float, half_width: float, front: float, depth: float) -> tuple[float, float]:
    return half_width * float(np.sin(1.35 * t)), front + depth * (1.0 - float(np.cos(1.35 * t)))


def jaws() -> Iterator[Stroke]:
    """Yield maxilla with its sinuses, palate, mandible and teeth."""
    antrum = union(
        ellipsoid((26, -46, 7), (13.5, 16, 16)),
        ellipsoid((21, -38, 6), (8, 15, 14)),
        ellipsoid((34, -50, 14), (10, 9, 9)),
        smooth=7,
    )
    for side in pair(antrum):
        yield paint("thinbone", grown(side, 1.5))
        yield paint("mucosa", side)
        yield paint("air", grown(side, -0.8))
    yield from bone(slab((-21, -66, -13.5), (21, -13, -9.5), rounding=1.8), 1.2)
    yield from bone(_upper_alveolus(), 1.5)
    yield from _mandible()
    for n in range(14):
        t = (n - 6.5) / 7.0
        big = 1.0 + 0.5 * abs(t)
        x, y = _dental_arch(t, 26.0, -68.0, 45.0)
        yield paint("tooth", tube([(x, y, -20), (x, y, -25)], [2.5 * big, 2.6 * big]))
        yield paint("tooth", tube([(x, y, -20), (x * 0.97, y + 1, -12)], [2.1 * big, 0.8 * big]), 0.7)
        x, y = _dental_arch(t, 24.5, -66.0, 42.0)
        yield paint("tooth", tube([(x, y, -30.5), (x, y, -35)], [2.5 * big, 2.4 * big]))
        yield paint("tooth", tube([(x, y, -35), (x * 1.01, y, -44)], [2.0 * big, 0.8 * big]), 0.7)


def _upper_alveolus() -> Shape:
    nodes: list[Point] = []
    for t in np.linspace(-1.05, 1.05, 13):
        x, y = _dental_arch(float(t), 24.5, -66.0, 42.0)
        nodes.append((x, y, -15.0))
    return tube(nodes, [5.0] * 13, stretch=(1, 1, 1.5))


def _mandible() -> Iterator[Stroke]:
    lower: list[Point] = [(0, -69, -55), (14, -66, -55), (26, -53, -54), (37, -34, -51), (46, -14, -46)]
    upper: list[Point] = [(0, -67, -43), (14, -63, -43), (24, -50, -42), (34, -34, -40), (45, -16, -36)]
    ramus = [
        tube([(46, -14, -46), (47, -3, -40), (48, 0, -15), (49, 6, 2)], [5, 4, 3.6, 3.6], stretch=(1, 1.6, 1)),
        tube([(45, -16, -40), (47, -16, -22), (48, -20, -2)], [4.5, 3.4, 2.2], stretch=(1, 1.9, 1)),
        tube([(47, -8, -35), (48, -7, -12)], [3.6, 2.8], stretch=(1, 2.0, 1)),
        ellipsoid((50, 8, 5), (9.5, 4.5, 5)),
    ]
    half = union(tube(lower, [6.2, 6, 5.8, 5.5, 5]), tube(upper, [5, 5, 5.2, 5, 4.4]), *ramus, smooth=4)
    yield from bone(union(half, mirrored(half), smooth=3), 2.2)
