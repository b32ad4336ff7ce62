"""The head from above the orbits to the hyoid, painted back to front in the anatomical frame.

Anatomical frame: mm, x to the left, y to posterior, z to superior, origin in the middle of the nasopharynx. Proportions
are those of an adult; the shapes are ours. Each entry paints one shape with one tissue over what lies below.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from shapes import Point, Shape, common, ellipsoid, grown, mirrored, remembered, slab, tube, union, without

FAR = 400.0
"""A distance in mm beyond every scan."""


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """One shape painted with one tissue.

    Args:
        shape: Where.
        tissue: Name of the tissue.
        cover: Share that is painted, 1 for opaque.
        pattern: Name of a texture whose positive part alone is painted, or empty.
    """

    shape: Shape
    tissue: str
    cover: float = 1.0
    pattern: str = ""


def head() -> Iterator[Stroke]:
    """Yield every stroke of the head, back to front."""
    yield from _skin_and_fat()
    yield from _both(_face_muscles())
    yield from _neck_muscles()
    yield from _both(_glands())
    yield from _skull()
    yield from _brain()
    yield from _both(_orbit())
    yield from _spine()
    yield from _jaws()
    yield from _mouth_and_throat()
    yield from _nose()
    yield from _both(_vessels())


def _both(strokes: Iterator[Stroke]) -> Iterator[Stroke]:
    for stroke in strokes:
        yield stroke
        yield Stroke(shape=mirrored(stroke.shape), tissue=stroke.tissue, cover=stroke.cover, pattern=stroke.pattern)


def _paint(tissue: str, shape: Shape, cover: float = 1.0, pattern: str = "") -> Stroke:
    return Stroke(shape=shape, tissue=tissue, cover=cover, pattern=pattern)


def _pair(shape: Shape) -> tuple[Shape, Shape]:
    return shape, mirrored(shape)


def _above(z: float) -> Shape:
    return slab((-FAR, -FAR, z), (FAR, FAR, FAR))


def outline() -> Shape:
    """Return the skin's surface."""
    return union(
        ellipsoid((0, 18, 60), (76, 95, 88)),
        ellipsoid((0, -20, -14), (67, 58, 72)),
        ellipsoid((0, -56, -50), (25, 22, 20)),
        ellipsoid((0, 34, -95), (56, 55, 115)),
        *_pair(ellipsoid((40, -42, 8), (22, 25, 24))),
        tube([(0, -70, 34), (0, -84, 10), (0, -88, -2)], [8, 9, 11]),
        *_pair(ellipsoid((9, -80, -5), (7, 9, 7))),
        ellipsoid((0, -72, -24), (20, 10, 13)),
        smooth=14.0,
    )


def _skin_and_fat() -> Iterator[Stroke]:
    skin = remembered(outline())
    ears = [ellipsoid((77, 24, 14), (5, 15, 27), tilt_z=25), ellipsoid((75, 20, -8), (4, 7, 9))]
    for ear in ears:
        yield from (_paint("skin", side) for side in _pair(ear))
    yield _paint("skin", skin)
    yield _paint("fat", grown(skin, -2.2))
    yield _paint("strand", without(grown(skin, -7.5), grown(skin, -9.0)), 0.75)
    yield _paint("strand", grown(skin, -9.0), 0.5, "web")


def _face_muscles() -> Iterator[Stroke]:
    yield _paint("muscle", ellipsoid((61, -14, 38), (9, 30, 34), tilt_z=6))
    yield _paint("muscle", tube([(60, -18, 25), (54, -19, 8), (50, -19, -8)], [8, 7, 5], stretch=(1, 1.5, 1)))
    yield _paint("muscle", tube([(56, -26, 6), (54, -18, -26), (51, -12, -46)], [6, 7.5, 6], stretch=(1, 2.1, 1)))
    yield _paint("muscle", tube([(21, -16, 10), (33, -7, 7), (46, 4, 5)], [7.5, 8.5, 5], stretch=(1, 1, 1.2)))
    yield _paint("muscle", tube([(24, -14, -2), (34, -11, -24), (43, -8, -46)], [6, 7.5, 6], stretch=(1, 1.6, 1)))
    yield _paint("muscle", tube([(22, -8, 2), (20, -2, -8), (15, -2, -16)], [3, 2.8, 2.2]))
    yield _paint("muscle", tube([(40, -50, -18), (36, -34, -22), (30, -18, -20)], [2.2, 2.4, 2], stretch=(1, 1, 4.5)))
    yield _paint("muscle", tube([(22, -74, -18), (30, -66, -22), (40, -50, -18)], [2.5, 2.5, 2], stretch=(1, 1, 2.5)))
    yield _paint("muscle", tube([(2, -80, -17), (14, -79, -18), (22, -74, -22)], [4, 4, 3], stretch=(1, 1, 1.0)))
    yield _paint("muscle", tube([(2, -78, -33), (14, -77, -32), (22, -73, -26)], [4, 4, 3], stretch=(1, 1, 1.0)))
    yield _paint("muscle", tube([(47, 27, -4), (40, 10, -36), (28, -12, -60)], [4.5, 3.5, 3]))
    yield _paint("muscle", tube([(36, 12, 0), (30, 4, -25), (22, -6, -50)], [2.2, 2.6, 3]))


def _neck_muscles() -> Iterator[Stroke]:
    side = [
        tube([(58, 40, 2), (57, 36, -25), (52, 26, -60), (46, 14, -95)], [5, 8, 8.5, 9], stretch=(1, 1.8, 1)),
        tube([(11, 64, 2), (13, 72, -35), (13, 74, -95)], [9, 10.5, 11], stretch=(1, 1.15, 1)),
        tube([(40, 52, -4), (32, 66, -30), (22, 80, -95)], [4.5, 5.5, 5], stretch=(2.0, 1, 1)),
        tube([(14, 84, 0), (22, 84, -45), (38, 80, -95)], [2.5, 3.5, 4.5], stretch=(2.8, 1, 1)),
        tube([(10, 55, -9), (11, 60, -26)], [6, 6], stretch=(1.2, 1, 1)),
        tube([(28, 44, -10), (12, 58, -26)], [6, 6.5]),
        tube([(26, 42, -14), (36, 48, -50), (42, 54, -95)], [5, 7.5, 9]),
        tube([(24, 34, -45), (28, 34, -95)], [5, 8], stretch=(1.2, 1.2, 1)),
        tube([(7, 54, -30), (10, 58, -95)], [7, 8], stretch=(1.3, 1, 1)),
        tube([(6, 16, 8), (10, 19, -15), (11, 20, -50), (9, 20, -95)], [5, 5.2, 4.8, 4.5], stretch=(1.35, 1, 1)),
    ]
    for muscle in side:
        yield from (_paint("muscle", shape) for shape in _pair(muscle))
    yield _paint("fat", slab((-0.8, 56, -95), (0.8, 90, 0)), 0.8)


def _glands() -> Iterator[Stroke]:
    superficial = ellipsoid((57, 7, -17), (9.5, 17, 25), tilt_z=18)
    yield _paint("parotid", union(superficial, ellipsoid((46, 12, -14), (9, 8, 15)), smooth=5))
    yield _paint("vein", tube([(50, 10, -5), (50, 10, -40)], [2.6, 2.6]))
    yield _paint("submand", ellipsoid((35, -14, -56), (9, 15, 12), tilt_z=-20))


@cache
def _vault() -> Shape:
    """Outside of the skull; the inside is 6 mm deeper."""
    cavity = union(
        ellipsoid((0, 20, 84), (66, 81, 50)),
        *_pair(ellipsoid((37, 6, 44), (25, 32, 28))),
        ellipsoid((0, 64, 32), (56, 40, 38)),
        tube([(0, 26, 30), (0, 40, 2)], [13, 13]),
        smooth=7.0,
    )
    return remembered(grown(cavity, 6.0))


def _skull() -> Iterator[Stroke]:
    yield from _skull_base_parts()
    yield _paint("cortical", _vault())
    yield _paint("marrow", without(grown(_vault(), -1.6), grown(_vault(), -4.4)), 0.85)
    for side in _pair(_petrous()):
        yield _paint("petrous", side)
    yield from _clivus()


def _skull_base_parts() -> Iterator[Stroke]:
    mastoid = ellipsoid((55, 34, 4), (11, 15, 22))
    for side in _pair(mastoid):
        yield _paint("cortical", side)
        yield _paint("air", grown(side, -2.5), 0.9, "cells")
    for side in _pair(tube([(52, -46, 10), (61, -36, 10), (66, -16, 11), (63, 8, 14)], [5, 3, 2.4, 3], stretch=(1, 1, 1.4))):
        yield _paint("cortical", side)
    for side in _pair(ellipsoid((46, -52, 12), (11, 8, 12), tilt_z=30)):
        yield from _bone(side, 1.8)
    for side in _pair(ellipsoid((20, 36, -2), (6, 10, 6), tilt_z=25)):
        yield from _bone(side, 1.6)


def _petrous() -> Shape:
    return tube([(17, 17, 22), (34, 24, 22), (54, 30, 20)], [7, 9.5, 11], stretch=(1, 1, 1.1))


def _clivus() -> Iterator[Stroke]:
    body = union(
        ellipsoid((0, 2, 30), (18, 15, 13)), tube([(0, 13, 33), (0, 22, 10)], [5.5, 4], stretch=(2.6, 1, 1)), smooth=5
    )
    yield from _bone(body, 1.6)
    sinus = union(ellipsoid((7, -1, 30), (7, 11, 9)), ellipsoid((-7.5, 0, 29), (6.5, 10, 8)))
    yield _paint("mucosa", grown(sinus, 0.6), 0.5)
    yield _paint("air", sinus)
    yield _paint("thinbone", slab((-1.2, -12, 20), (0.2, 9, 39)), 0.9)
    yield _paint("grey", ellipsoid((0, 9, 42), (5.5, 4.5, 3.5)))
    for side in _pair(tube([(75, 18, 10), (62, 20, 12), (52, 21, 14)], [3.6, 3.4, 3.4])):
        yield _paint("air", side)
    for side in _pair(ellipsoid((46, 21, 15), (3, 4, 5))):
        yield _paint("air", side, 0.9)
    for side in _pair(ellipsoid((50, 44, 14), (9, 7, 9))):
        yield _paint("air", side, 0.9, "cells")
    for side in _pair(tube([(16, -11, 14), (15, -11, -10)], [1.6, 1.2], stretch=(1, 2.6, 1))):
        yield _paint("cortical", side)
    for side in _pair(tube([(20, -13, 14), (24, -8, -10)], [1.6, 1.1], stretch=(1, 2.8, 1))):
        yield _paint("cortical", side)


def _bone(shape: Shape, cortex_mm: float) -> Iterator[Stroke]:
    yield _paint("cortical", shape)
    yield _paint("marrow", grown(shape, -cortex_mm))


def _brain() -> Iterator[Stroke]:
    yield _paint("csf", without(grown(_vault(), -6.0), union(_petrous(), mirrored(_petrous()))))
    clear = union(_petrous(), mirrored(_petrous()), ellipsoid((0, 2, 30), (19, 16, 14)), smooth=2)
    cerebrum = without(common(grown(_vault(), -8.2), _above(20)), grown(clear, 2.0))
    upper = remembered(without(cerebrum, union(ellipsoid((0, 64, 22), (70, 46, 30)), tube([(0, 20, 45), (0, 36, 0)], [17, 15]))))
    yield _paint("grey", upper)
    yield _paint("white", grown(upper, -4.0), 1.0, "gyri")
    yield _paint("white", grown(upper, -9.0))
    yield _paint("csf", upper, 0.9, "sulci")
    for side in _pair(tube([(50, -12, 52), (34, -6, 52), (24, 2, 54)], [4, 3, 2.5], stretch=(1, 1, 1.3))):
        yield _paint("csf", side, 0.9)
    for side in _pair(ellipsoid((28, 18, 44), (2, 9, 3), tilt_z=-20)):
        yield _paint("csf", side)
    yield from _hindbrain(clear)
    for side in _pair(tube([(12, 100, 30), (40, 85, 30), (54, 56, 24), (50, 48, 6)], [3.5, 3.5, 4, 3.5])):
        yield _paint("vein", side)
    yield _paint("vein", tube([(0, 102, 80), (0, 101, 30)], [3.2, 4]))


def _hindbrain(clear: Shape) -> Iterator[Stroke]:
    room = without(grown(_vault(), -9.0), grown(clear, 2.0))
    halves = union(*_pair(ellipsoid((21, 63, 20), (27, 30, 23))), ellipsoid((0, 66, 22), (12, 26, 20)), smooth=5)
    lobes = remembered(common(halves, room))
    yield _paint("cerebell", lobes)
    yield _paint("white", grown(lobes, -10.0), 0.8)
    yield _paint("csf", lobes, 0.55, "folia")
    yield _paint("white", tube([(14, 38, 23), (26, 54, 22)], [7, 7]))
    yield _paint("white", tube([(-14, 38, 23), (-26, 54, 22)], [7, 7]))
    yield _paint("csf", ellipsoid((0, 51, 20), (8, 4, 9)))
    yield _paint("white", ellipsoid((0, 36, 25), (16, 12, 13)))
    yield _paint("white", tube([(0, 34, 40), (0, 36, 28)], [11, 12], stretch=(1.1, 1, 1)))
    yield _paint("csf", ellipsoid((0, 24, 46), (6, 4, 5)))
    yield _paint("cord", tube([(0, 38, 14), (0, 42, -8)], [7.5, 6.5]))
    yield _paint("csf", ellipsoid((0, 10, 49), (13, 9, 3.5)))
    yield _paint("artery", tube([(0, 22, 36), (0, 23, 22), (6, 29, 4)], [1.7, 1.7, 1.5]))


def _orbit() -> Iterator[Stroke]:
    room = union(ellipsoid((33, -50, 38), (19, 22, 18)), tube([(32, -45, 38), (14, -12, 38)], [15, 4]), smooth=4)
    front = slab((-FAR, -70, -FAR), (FAR, FAR, FAR))
    yield _paint("cortical", common(grown(room, 2.0), slab((-FAR, -64, -FAR), (FAR, -8, FAR))))
    yield _paint("fat", common(room, front))
    for start, end in (((26, -52), (45, -56)), ((20, -54), (20, -58))):
        yield _paint("eyemusc", tube([(14, -16, 38), (*start, 38), (*end, 38)], [2, 3.0, 1.5], stretch=(1, 1, 1.5)))
    for z in (26.5, 49.5):
        yield _paint("eyemusc", tube([(14, -16, 38), (27, -42, z), (32, -57, z)], [2, 2.6, 1.5], stretch=(1.6, 1, 1)))
    yield _paint("nerve", tube([(33, -50, 38), (26, -32, 39), (12, -8, 40), (5, 3, 45)], [2.6, 2.2, 2.2, 2.2]))
    yield _paint("skin", ellipsoid((33, -62, 38), (13, 13, 13)), 0.9)
    yield _paint("vitreous", ellipsoid((33, -62, 38), (11.6, 11.6, 11.6)))
    yield _paint("lens", ellipsoid((33, -71, 38), (4.6, 2.0, 4.6)))
    yield _paint("skin", ellipsoid((33, -75.5, 38), (14, 2.2, 9)))
    yield _paint("mucosa", ellipsoid((45, -57, 46), (3, 6, 6)), 0.8)


def _spine() -> Iterator[Stroke]:
    yield _paint("csf", tube([(0, 40, 4), (0, 44, -10), (0, 45, -95)], [11, 9.5, 8.5], stretch=(1.2, 1, 1)))
    yield from _atlas_and_axis()
    for z in (-47.0, -64.0, -81.0, -98.0):
        yield from _vertebra(z)
    yield _paint("csf", tube([(0, 41, -2), (0, 44, -12), (0, 45, -95)], [9, 8.5, 7.2], stretch=(1.3, 1, 1)))
    yield _paint("cord", tube([(0, 41, 0), (0, 44, -12), (0, 45, -95)], [5.6, 4.3, 4.2], stretch=(1.4, 1, 1)))
    for side in _pair(tube([(9, 34, 3), (25, 44, -4), (28, 36, -10), (17, 31, -28), (16, 31, -95)], [1.7] * 5)):
        yield _paint("artery", side)


def _ring(z: float, radius: float, thick: float, stretch_z: float) -> Shape:
    angles = np.linspace(-np.pi, np.pi, 13)
    nodes: list[Point] = [(float(radius * 1.1 * np.sin(a)), 45.0 - float(radius * np.cos(a)), z) for a in angles]
    return tube(nodes, [thick] * 13, stretch=(1, 1, stretch_z))


def _atlas_and_axis() -> Iterator[Stroke]:
    yield from _bone(_ring(-9, 19, 2.9, 1.5), 1.4)
    for side in _pair(ellipsoid((19, 36, -10), (8, 9, 8))):
        yield from _bone(side, 1.5)
    for side in _pair(tube([(24, 38, -10), (37, 40, -11)], [4, 3.2])):
        yield from _bone(side, 1.4)
    yield from _bone(union(tube([(0, 32, -2), (0, 33, -22)], [4.6, 5.2]), ellipsoid((0, 33, -28), (9.5, 8.5, 9))), 1.5)
    for side in _pair(ellipsoid((16, 37, -22), (8, 8, 5.5))):
        yield from _bone(side, 1.4)
    yield from _bone(_arch(-29), 1.4)
    yield from _bone(tube([(0, 58, -28), (0, 73, -34)], [4.5, 4.5], stretch=(1.3, 1, 1.2)), 1.5)


def _arch(z: float) -> Shape:
    points: list[Point] = [(13, 38, z), (17, 44, z), (11, 55, z), (0, 60, z - 2), (-11, 55, z), (-17, 44, z), (-13, 38, z)]
    return tube(points, [3.6, 4.5, 2.6, 3, 2.6, 4.5, 3.6], stretch=(1, 1, 1.8))


def _vertebra(z: float) -> Iterator[Stroke]:
    yield _paint("disc", slab((-9, 25, z + 5), (9, 38, z + 11), rounding=2))
    yield from _bone(slab((-10.5, 24, z - 6.5), (10.5, 38.5, z + 6.5), rounding=3.5), 1.3)
    for side in _pair(ellipsoid((20, 43, z), (6.5, 7, 9), tilt_x=-30)):
        yield from _bone(side, 1.5)
    for side in _pair(tube([(11, 29, z), (21, 31, z - 2)], [2.4, 2.8])):
        yield from _bone(side, 1.2)
    yield from _bone(_arch(z), 1.3)
    yield from _bone(tube([(0, 59, z), (0, 70, z - 5)], [3, 3], stretch=(1.1, 1, 1.3)), 1.2)


def _dental_arch(t: float, half_width: float, front: float, depth: float) -> tuple[float, float]:
    return half_width * float(np.sin(1.35 * t)), front + depth * (1.0 - float(np.cos(1.35 * t)))


def _jaws() -> Iterator[Stroke]:
    for side in _pair(ellipsoid((26, -44, 5), (12.5, 16.5, 17))):
        yield _paint("thinbone", grown(side, 1.5))
        yield _paint("mucosa", side)
        yield _paint("air", grown(side, -0.8))
    yield from _bone(slab((-21, -66, -13.5), (21, -13, -9.5), rounding=1.8), 1.2)
    yield from _bone(_arcade(24.5, -66.0, 42.0, -15.0, 5.0, 1.5), 1.5)
    yield from _mandible()
    for n in range(14):
        t = (n - 6.5) / 7.0
        big = 1.0 + 0.5 * abs(t)
        x, y = _dental_arch(t, 26.0, -68.0, 45.0)
        yield _paint("tooth", tube([(x, y, -20), (x, y, -25)], [2.5 * big, 2.6 * big]))
        yield _paint("tooth", tube([(x, y, -20), (x * 0.97, y + 1, -12)], [2.1 * big, 0.8 * big]), 0.7)
        x, y = _dental_arch(t, 24.5, -66.0, 42.0)
        yield _paint("tooth", tube([(x, y, -30.5), (x, y, -35)], [2.5 * big, 2.4 * big]))
        yield _paint("tooth", tube([(x, y, -35), (x * 1.01, y, -44)], [2.0 * big, 0.8 * big]), 0.7)


def _arcade(half_width: float, front: float, depth: float, z: float, thick: float, tall: float) -> Shape:
    nodes: list[Point] = []
    for t in np.linspace(-1.05, 1.05, 13):
        x, y = _dental_arch(float(t), half_width, front, depth)
        nodes.append((x, y, z))
    return tube(nodes, [thick] * 13, stretch=(1, 1, tall))


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
    yield from _bone(union(half, mirrored(half), smooth=3), 2.2)


def _mouth_and_throat() -> Iterator[Stroke]:
    yield _paint("muscle", ellipsoid((0, -38, -55), (23, 27, 8)))
    yield _paint("muscle", tube([(4, -62, -57), (5, -22, -64)], [4.5, 5]))
    yield _paint("muscle", tube([(-4, -62, -57), (-5, -22, -64)], [4.5, 5]))
    for side in _pair(ellipsoid((14, -42, -50), (4.5, 15, 5), tilt_z=12)):
        yield _paint("submand", side, 0.7)
    for side in _pair(tube([(20, -20, -56), (21, -28, -38)], [2.5, 2.5], stretch=(1, 2.4, 1))):
        yield _paint("muscle", side)
    tongue = union(ellipsoid((0, -34, -31), (20.5, 28, 14)), ellipsoid((0, -20, -42), (19, 19, 20)), smooth=8)
    yield _paint("tongue", tongue)
    yield _paint("fat", ellipsoid((0, -32, -42), (0.9, 20, 12)), 0.6)
    for side in _pair(ellipsoid((4.5, -40, -44), (3.6, 19, 10))):
        yield _paint("muscle", side, 0.6)
    yield _paint("mucosa", without(tongue, grown(tongue, -1.6)), 0.5)
    yield _paint("air", ellipsoid((0, -42, -17.2), (17, 20, 1.3)))
    yield from _pharynx()
    yield from _larynx_entry()


def _pharynx() -> Iterator[Stroke]:
    airway = union(
        ellipsoid((0, 0, 0), (12.5, 10.5, 12)),
        ellipsoid((0, -9, 2), (13, 10, 11)),
        *_pair(ellipsoid((17, 6.5, 1), (4.6, 3.2, 8), tilt_z=-20)),
        tube([(0, 4, -8), (0, 7, -22), (0, 5, -40), (0, 4, -62)], [6.5, 4.6, 6.0, 5.5], stretch=(1.9, 1, 1)),
        smooth=3.0,
    )
    yield _paint("muscle", grown(airway, 4.8))
    yield _paint("mucosa", grown(airway, 2.6))
    yield _paint("tonsil", ellipsoid((0, 10.5, 9), (11, 5, 4)))
    yield _paint("air", airway)
    for side in _pair(ellipsoid((13.5, 1.5, -1), (3.6, 4.2, 7), tilt_z=20)):
        yield _paint("mucosa", side)
    for side in _pair(ellipsoid((15, -5, -2), (3, 1.8, 3.5))):
        yield _paint("air", side, 0.8)
    for side in _pair(ellipsoid((14.5, 2, -33), (5.2, 7, 11))):
        yield _paint("tonsil", side)
    yield _paint("tonsil", ellipsoid((0, -3, -46), (12, 3.5, 9)), 0.7)
    palate = union(
        ellipsoid((0, -8, -14), (15, 9, 3.6), tilt_x=-12),
        tube([(0, -4, -15), (0, 1, -20), (0, 3, -31)], [4, 4, 2.4], stretch=(1.9, 1, 1)),
        smooth=3,
    )
    yield _paint("mucosa", palate)
    yield _paint("palate", grown(palate, -1.2))


def _larynx_entry() -> Iterator[Stroke]:
    hyoid: list[Point] = [(24, 6, -62), (18, -12, -66), (8, -20, -67), (0, -21, -67)]
    yield from _bone(tube(hyoid + [(-x, y, z) for x, y, z in reversed(hyoid[:-1])], [1.6, 2.2, 2.8, 3.2, 2.8, 2.2, 1.6]), 1.2)
    yield _paint("fat", ellipsoid((0, -13, -70), (12, 5, 8)))
    for side in _pair(ellipsoid((6, -7, -61), (5, 3.5, 5))):
        yield _paint("air", side)
    yield _paint("mucosa", ellipsoid((0, -4, -62), (10, 1.6, 12), tilt_x=12))
    yield _paint("cartil", ellipsoid((0, -4, -63), (8, 0.8, 10), tilt_x=12))
    for side in _pair(ellipsoid((12, 8, -72), (3, 6, 8))):
        yield _paint("air", side)


def _nose() -> Iterator[Stroke]:
    room = union(
        ellipsoid((0, -38, 2), (14.5, 31, 11.5)), ellipsoid((0, -40, 16), (9, 27, 17)), tube([(0, -14, 3), (0, -4, 2)], [9, 10]), smooth=6
    )
    floor = common(room, _above(-9.0))
    yield _paint("thinbone", grown(floor, 1.6))
    yield _paint("mucosa", grown(floor, 0.4))
    yield _paint("air", grown(floor, -0.6))
    cells = ellipsoid((0, -38, 35), (13, 25, 11))
    yield _paint("thinbone", grown(cells, 1.2))
    yield _paint("air", cells)
    yield _paint("thinbone", cells, 0.75, "septa")
    yield from _both(_turbinates())
    yield _paint("mucosa", slab((-1.9, -70, -9), (1.5, -11, 28)))
    yield _paint("thinbone", slab((-0.8, -60, -9), (0.4, -11, 40)))
    yield _paint("cartil", slab((-0.9, -84, -4), (0.7, -58, 10)))
    for side in _pair(tube([(0, -72, 36), (5, -76, 26), (8, -78, 16)], [2.4, 1.6, 1.2])):
        yield _paint("cortical", side)
    for side in _pair(ellipsoid((10, -68, 58), (10, 4.5, 10))):
        yield _paint("cortical", grown(side, 2.0))
        yield _paint("air", side)


def _turbinates() -> Iterator[Stroke]:
    yield _paint("mucosa", tube([(8.5, -60, -2), (9, -38, -2.5), (7.5, -17, -2)], [3.2, 4.2, 3.2], stretch=(1, 1, 1.35)))
    yield _paint("thinbone", tube([(9, -58, 0), (9.5, -38, 0), (8, -19, 0)], [0.7, 0.8, 0.7]))
    yield _paint("mucosa", tube([(6.4, -52, 11), (6.4, -34, 10), (6, -18, 9)], [2.4, 3.0, 2.4], stretch=(1, 1, 1.6)))
    yield _paint("thinbone", tube([(6.4, -50, 14), (6.4, -20, 12)], [0.6, 0.6], stretch=(1, 1, 4)))
    yield _paint("mucosa", tube([(5.2, -40, 21), (5.2, -20, 20)], [1.8, 1.8], stretch=(1, 1, 1.6)))
    yield _paint("air", tube([(6, -84, -12), (6, -76, -6), (6, -64, -3)], [4.2, 4.6, 4.4], stretch=(1, 1, 1.2)))


def _vessels() -> Iterator[Stroke]:
    carotid: list[Point] = [(28, 16, -95), (28, 20, -55), (29, 24, -25), (27, 23, 8), (20, 15, 17), (12, 10, 24), (11, 6, 38)]
    yield _paint("artery", tube(carotid, [3.9, 3.8, 2.8, 2.6, 2.5, 2.4, 2.3]))
    yield _paint("artery", tube([(29, 17, -56), (33, 12, -40), (42, 8, -15), (45, 8, -2)], [2.4, 2.1, 1.8, 1.5]))
    yield _paint("vein", tube([(38, 20, -95), (38, 26, -50), (36, 30, -20), (34, 30, 8)], [6.2, 5.6, 4.6, 4.4], stretch=(1, 1.15, 1)))
    yield _paint("vein", tube([(24, -14, -4), (28, -10, 2)], [1.6, 1.6]))
    yield _paint("artery", tube([(30, 8, -52), (36, -14, -50), (34, -40, -58)], [1.5, 1.4, 1.2]))
    yield _paint("vein", tube([(52, 42, -40), (54, 36, -95)], [2.2, 2.6]))
