"""Brain, orbits, mouth, throat and nose, in the anatomical frame (see anatomy.py)."""

from collections.abc import Iterator

from shapes import Point, Shape, common, ellipsoid, grown, mirrored, remembered, slab, tube, union, without
from skeleton import SKULL_MM, petrous, vault
from strokes import FAR, Stroke, above, bone, both, paint, pair


def brain() -> Iterator[Stroke]:
    """Yield the part of the brain that lies in the scan."""
    yield paint("csf", without(grown(vault(), -SKULL_MM), union(petrous(), mirrored(petrous()))))
    clear = union(petrous(), mirrored(petrous()), ellipsoid((0, 2, 30), (19, 16, 14)), smooth=2)
    cerebrum = without(common(grown(vault(), -SKULL_MM - 1.6), above(4)), grown(clear, 2.0))
    upper = remembered(
        without(cerebrum, union(ellipsoid((0, 64, 22), (70, 46, 30)), tube([(0, 20, 45), (0, 36, 0)], [17, 15])))
    )
    yield paint("grey", upper)
    yield paint("white", grown(upper, -4.0), 1.0, "gyri")
    yield paint("white", grown(upper, -9.0))
    yield paint("csf", upper, 0.9, "sulci")
    for side in pair(tube([(50, -12, 52), (34, -6, 52), (24, 2, 54)], [4, 3, 2.5], stretch=(1, 1, 1.3))):
        yield paint("csf", side, 0.9)
    for side in pair(ellipsoid((28, 18, 44), (2, 9, 3), tilt_z=-20)):
        yield paint("csf", side)
    yield from _hindbrain(clear)
    for side in pair(tube([(12, 100, 30), (40, 85, 30), (54, 56, 24), (50, 48, 6)], [3.5, 3.5, 4, 3.5])):
        yield paint("vein", side)
    yield paint("vein", tube([(0, 102, 80), (0, 101, 30)], [3.2, 4]))


def _hindbrain(clear: Shape) -> Iterator[Stroke]:
    room = without(grown(vault(), -SKULL_MM - 1.2), grown(clear, 2.0))
    halves = union(*pair(ellipsoid((23, 64, 22), (30, 36, 30))), ellipsoid((0, 66, 22), (12, 30, 24)), smooth=5)
    lobes = remembered(common(halves, room))
    yield paint("cerebell", lobes)
    yield paint("white", grown(lobes, -10.0), 0.8)
    yield paint("csf", lobes, 0.25, "folia")
    yield paint("white", tube([(14, 38, 23), (26, 54, 22)], [7, 7]))
    yield paint("white", tube([(-14, 38, 23), (-26, 54, 22)], [7, 7]))
    yield paint("csf", ellipsoid((0, 51, 20), (8, 4, 9)))
    yield paint("white", ellipsoid((0, 36, 25), (16, 12, 13)))
    yield paint("white", tube([(0, 34, 40), (0, 36, 28)], [11, 12], stretch=(1.1, 1, 1)))
    yield paint("csf", ellipsoid((0, 24, 46), (6, 4, 5)))
    yield paint("cord", tube([(0, 38, 14), (0, 42, -8)], [7.5, 6.5]))
    yield paint("csf", ellipsoid((0, 10, 49), (13, 9, 3.5)))
    yield paint("artery", tube([(0, 22, 36), (0, 23, 22), (6, 29, 4)], [1.7, 1.7, 1.5]))


def orbit() -> Iterator[Stroke]:
    """Yield one orbit."""
    room = union(ellipsoid((33, -50, 38), (19, 22, 18)), tube([(32, -45, 38), (14, -12, 38)], [15, 4]), smooth=4)
    front = slab((-FAR, -70, -FAR), (FAR, FAR, FAR))
    yield paint("cortical", common(grown(room, 2.0), slab((-FAR, -64, -FAR), (FAR, -8, FAR))))
    yield paint("fat", common(room, front))
    for start, end in (((26, -52), (45, -56)), ((20, -54), (20, -58))):
        yield paint("eyemusc", tube([(14, -16, 38), (*start, 38), (*end, 38)], [2, 3.0, 1.5], stretch=(1, 1, 1.5)))
    for z in (26.5, 49.5):
        yield paint("eyemusc", tube([(14, -16, 38), (27, -42, z), (32, -57, z)], [2, 2.6, 1.5], stretch=(1.6, 1, 1)))
    yield paint("nerve", tube([(33, -50, 38), (26, -32, 39), (12, -8, 40), (5, 3, 45)], [2.6, 2.2, 2.2, 2.2]))
    yield paint("skin", ellipsoid((33, -62, 38), (13, 13, 13)), 0.9)
    yield paint("vitreous", ellipsoid((33, -62, 38), (11.6, 11.6, 11.6)))
    yield paint("lens", ellipsoid((33, -71, 38), (4.6, 2.0, 4.6)))
    yield paint("skin", ellipsoid((33, -74.2, 38), (13, 1.8, 8)))
    yield paint("mucosa", ellipsoid((45, -57, 46), (3, 6, 6)), 0.8)


def mouth_and_throat() -> Iterator[Stroke]:
    """Yield tongue, palate, pharynx and hyoid."""
    yield paint("muscle", ellipsoid((0, -38, -55), (23, 27, 8)))
    yield paint("muscle", tube([(4, -62, -57), (5, -22, -64)], [4.5, 5]))
    yield paint("muscle", tube([(-4, -62, -57), (-5, -22, -64)], [4.5, 5]))
    for side in pair(ellipsoid((14, -42, -50), (4.5, 15, 5), tilt_z=12)):
        yield paint("submand", side, 0.7)
    for side in pair(tube([(20, -20, -56), (21, -28, -38)], [2.5, 2.5], stretch=(1, 2.4, 1))):
        yield paint("muscle", side)
    tongue = union(ellipsoid((0, -34, -31), (20.5, 28, 14)), ellipsoid((0, -20, -42), (19, 19, 20)), smooth=8)
    yield paint("tongue", tongue)
    yield paint("fat", ellipsoid((0, -32, -42), (0.9, 20, 12)), 0.6)
    for side in pair(ellipsoid((4.5, -40, -44), (3.6, 19, 10))):
        yield paint("muscle", side, 0.6)
    yield paint("mucosa", without(tongue, grown(tongue, -1.6)), 0.5)
    yield paint("air", ellipsoid((0, -42, -17.2), (17, 20, 1.3)))
    yield from _pharynx()
    yield from _larynx_entry()


def _pharynx() -> Iterator[Stroke]:
    airway = union(
        ellipsoid((0, 0, 0), (12.5, 10.5, 12)),
        ellipsoid((0, -9, 2), (13, 10, 11)),
        *pair(ellipsoid((17, 6.5, 1), (4.6, 3.2, 8), tilt_z=-20)),
        tube([(0, 4, -8), (0, 7, -22), (0, 5, -40), (0, 4, -62)], [6.5, 4.6, 6.0, 5.5], stretch=(1.9, 1, 1)),
        smooth=3.0,
    )
    yield paint("muscle", grown(airway, 4.8))
    yield paint("mucosa", grown(airway, 2.6))
    yield paint("tonsil", ellipsoid((0, 10.5, 9), (11, 5, 4)))
    yield paint("air", airway)
    for side in pair(ellipsoid((13.5, 1.5, -1), (3.6, 4.2, 7), tilt_z=20)):
        yield paint("mucosa", side)
    for side in pair(ellipsoid((15, -5, -2), (3, 1.8, 3.5))):
        yield paint("air", side, 0.8)
    for side in pair(ellipsoid((14.5, 2, -33), (5.2, 7, 11))):
        yield paint("tonsil", side)
    yield paint("tonsil", ellipsoid((0, -3, -46), (12, 3.5, 9)), 0.7)
    palate = union(
        ellipsoid((0, -8, -14), (15, 9, 3.6), tilt_x=-12),
        tube([(0, -4, -15), (0, 1, -20), (0, 3, -31)], [4, 4, 2.4], stretch=(1.9, 1, 1)),
        smooth=3,
    )
    yield paint("mucosa", palate)
    yield paint("palate", grown(palate, -1.2))


def _larynx_entry() -> Iterator[Stroke]:
    hyoid: list[Point] = [(24, 6, -62), (18, -12, -66), (8, -20, -67), (0, -21, -67)]
    yield from bone(
        tube(hyoid + [(-x, y, z) for x, y, z in reversed(hyoid[:-1])], [1.6, 2.2, 2.8, 3.2, 2.8, 2.2, 1.6]), 1.2
    )
    yield paint("fat", ellipsoid((0, -13, -70), (12, 5, 8)))
    for side in pair(ellipsoid((6, -7, -61), (5, 3.5, 5))):
        yield paint("air", side)
    yield paint("mucosa", ellipsoid((0, -4, -62), (10, 1.6, 12), tilt_x=12))
    yield paint("cartil", ellipsoid((0, -4, -63), (8, 0.8, 10), tilt_x=12))
    for side in pair(ellipsoid((12, 8, -72), (3, 6, 8))):
        yield paint("air", side)


def nose() -> Iterator[Stroke]:
    """Yield nasal cavity, ethmoid and frontal sinus."""
    room = union(
        ellipsoid((0, -38, 2), (14.5, 31, 11.5)),
        ellipsoid((0, -40, 16), (9, 27, 17)),
        tube([(0, -14, 3), (0, -4, 2)], [9, 10]),
        smooth=6,
    )
    floor = common(room, above(-9.0))
    yield paint("thinbone", grown(floor, 1.6))
    yield paint("mucosa", grown(floor, 0.4))
    yield paint("air", grown(floor, -0.6))
    cells = ellipsoid((0, -38, 35), (13, 25, 11))
    yield paint("thinbone", grown(cells, 1.2))
    yield paint("air", cells)
    yield paint("thinbone", cells, 0.75, "septa")
    yield from both(_turbinates())
    yield paint("mucosa", slab((-1.9, -70, -9), (1.5, -11, 28)))
    yield paint("thinbone", slab((-0.8, -60, -9), (0.4, -11, 40)))
    yield paint("cartil", slab((-0.9, -84, -4), (0.7, -58, 10)))
    for side in pair(tube([(0, -72, 36), (5, -76, 26), (8, -78, 16)], [2.4, 1.6, 1.2])):
        yield paint("cortical", side)
    for side in pair(ellipsoid((10, -68, 58), (10, 4.5, 10))):
        yield paint("cortical", grown(side, 2.0))
        yield paint("air", side)


def _turbinates() -> Iterator[Stroke]:
    yield paint("mucosa", tube([(8.5, -60, -2), (9, -38, -2.5), (7.5, -17, -2)], [3.2, 4.2, 3.2], stretch=(1, 1, 1.35)))
    yield paint("thinbone", tube([(9, -58, 0), (9.5, -38, 0), (8, -19, 0)], [0.7, 0.8, 0.7]))
    yield paint("mucosa", tube([(6.4, -52, 11), (6.4, -34, 10), (6, -18, 9)], [2.4, 3.0, 2.4], stretch=(1, 1, 1.6)))
    yield paint("thinbone", tube([(6.4, -50, 14), (6.4, -20, 12)], [0.6, 0.6], stretch=(1, 1, 4)))
    yield paint("mucosa", tube([(5.2, -40, 21), (5.2, -20, 20)], [1.8, 1.8], stretch=(1, 1, 1.6)))
    yield paint("air", tube([(6, -84, -12), (6, -76, -6), (6, -64, -3)], [4.2, 4.6, 4.4], stretch=(1, 1, 1.2)))
