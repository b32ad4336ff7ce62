"""Skin, fat, muscles, glands and vessels of the head, in the anatomical frame (see anatomy.py)."""

from collections.abc import Iterator
from functools import cache

from shapes import Point, Shape, ellipsoid, grown, remembered, slab, tube, union, without
from strokes import Stroke, paint, pair


def skin_and_fat() -> Iterator[Stroke]:
    """Yield skin, the fat under it and its strands."""
    skin = _skin()
    yield paint("skin", skin)
    yield paint("fat", grown(skin, -2.2))
    yield paint("strand", without(grown(skin, -7.2), grown(skin, -8.6)), 0.55)
    yield paint("strand", grown(skin, -9.0), 0.5, "web")


def surface() -> Iterator[Stroke]:
    """Cut off what bulges through the skin, then lay skin and a little fat over all."""
    skin = _skin()
    yield paint("fat", without(grown(skin, -2.2), grown(skin, -4.2)))
    yield paint("skin", without(skin, grown(skin, -2.2)))
    yield paint("air", without(slab(skin.low, skin.high), skin))
    ears = [ellipsoid((73, 22, 14), (4, 15, 27), tilt_z=28), ellipsoid((68, 16, -8), (4, 7, 9))]
    for ear in ears:
        yield from (paint("skin", side) for side in pair(ear))


@cache
def _skin() -> Shape:
    """Surface of the head and neck."""
    surface = union(
        ellipsoid((0, 18, 60), (78, 95, 88)),
        ellipsoid((0, -20, -14), (67, 58, 72)),
        ellipsoid((0, -56, -50), (25, 22, 20)),
        ellipsoid((0, 37, -95), (67, 60, 145)),
        *pair(ellipsoid((40, -42, 8), (22, 25, 24))),
        tube([(0, -70, 34), (0, -84, 10), (0, -88, -2)], [8, 9, 11]),
        *pair(ellipsoid((9, -80, -5), (7, 9, 7))),
        ellipsoid((0, -72, -24), (22, 12, 14)),
        *pair(ellipsoid((33, -60, 38), (17, 15, 15))),
        *pair(ellipsoid((50, 32, -4), (18, 22, 30))),
        smooth=14.0,
    )
    return remembered(surface)


def face_muscles() -> Iterator[Stroke]:
    """Yield the muscles of one side of the face."""
    yield paint("muscle", ellipsoid((62, -12, 38), (9.5, 31, 34), tilt_z=6))
    yield paint("muscle", tube([(60, -18, 25), (54, -19, 8), (50, -19, -8)], [8, 7, 5], stretch=(1, 1.5, 1)))
    yield paint("muscle", tube([(56, -26, 6), (54, -18, -26), (51, -12, -46)], [6, 7.5, 6], stretch=(1, 2.1, 1)))
    yield paint("muscle", tube([(21, -16, 10), (33, -7, 7), (46, 4, 5)], [7.5, 8.5, 5], stretch=(1, 1, 1.2)))
    yield paint("muscle", tube([(24, -14, -2), (34, -11, -24), (43, -8, -46)], [6, 7.5, 6], stretch=(1, 1.6, 1)))
    yield paint("muscle", tube([(22, -8, 2), (20, -2, -8), (15, -2, -16)], [3, 2.8, 2.2]))
    yield paint("muscle", tube([(40, -50, -18), (36, -34, -22), (30, -18, -20)], [2.2, 2.4, 2], stretch=(1, 1, 4.5)))
    yield paint("muscle", tube([(22, -74, -18), (30, -66, -22), (40, -50, -18)], [2.5, 2.5, 2], stretch=(1, 1, 2.5)))
    yield paint("muscle", tube([(2, -80, -17), (14, -79, -18), (22, -74, -22)], [4, 4, 3], stretch=(1, 1, 1.0)))
    yield paint("muscle", tube([(2, -78, -33), (14, -77, -32), (22, -73, -26)], [4, 4, 3], stretch=(1, 1, 1.0)))
    yield paint("muscle", tube([(47, 27, -4), (40, 10, -36), (28, -12, -60)], [4.5, 3.5, 3]))
    yield paint("muscle", tube([(36, 12, 0), (30, 4, -25), (22, -6, -50)], [2.2, 2.6, 3]))


def neck_muscles() -> Iterator[Stroke]:
    """Yield the muscles of the neck and their fat planes."""
    side = [
        tube([(56, 38, 2), (52, 34, -25), (51, 26, -60), (46, 14, -95)], [4, 6.5, 7, 7.5], stretch=(1, 2.1, 1)),
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
    mass = tube([(0, 60, 2), (0, 62, -40), (0, 63, -95)], [17, 24, 26], stretch=(1.75, 1, 1))
    yield paint("muscle", mass)
    yield paint("strand", mass, 0.9, "web")
    for muscle in side:
        for shape in pair(muscle):
            yield paint("fat", grown(shape, 1.1), 0.85)
            yield paint("muscle", shape)
    yield paint("fat", slab((-0.8, 56, -95), (0.8, 90, 0)), 0.8)


def glands() -> Iterator[Stroke]:
    """Yield the salivary glands of one side."""
    superficial = ellipsoid((54, 7, -17), (9, 17, 25), tilt_z=14)
    yield paint("parotid", union(superficial, ellipsoid((46, 12, -14), (9, 8, 15)), smooth=5))
    yield paint("vein", tube([(50, 10, -5), (50, 10, -40)], [2.6, 2.6]))
    yield paint("submand", ellipsoid((35, -14, -56), (9, 15, 12), tilt_z=-20))


def vessels() -> Iterator[Stroke]:
    """Yield carotid, jugular and their branches on one side."""
    carotid: list[Point] = [
        (28, 16, -95),
        (28, 20, -55),
        (29, 24, -25),
        (27, 23, 8),
        (20, 15, 17),
        (12, 10, 24),
        (11, 6, 38),
    ]
    yield paint("artery", tube(carotid, [3.9, 3.8, 2.8, 2.6, 2.5, 2.4, 2.3]))
    yield paint("artery", tube([(29, 17, -56), (33, 12, -40), (42, 8, -15), (45, 8, -2)], [2.4, 2.1, 1.8, 1.5]))
    yield paint(
        "vein",
        tube([(38, 20, -95), (38, 26, -50), (36, 30, -20), (34, 30, 8)], [6.2, 5.6, 4.6, 4.4], stretch=(1, 1.15, 1)),
    )
    yield paint("vein", tube([(24, -14, -4), (28, -10, 2)], [1.6, 1.6]))
    yield paint("artery", tube([(30, 8, -52), (36, -14, -50), (34, -40, -58)], [1.5, 1.4, 1.2]))
    yield paint("vein", tube([(52, 42, -40), (54, 36, -95)], [2.2, 2.6]))
