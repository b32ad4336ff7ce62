"""Pixels of one slice to closed contours along pixel edges, holes by keyhole (DICOM PS3.3 C.8.8.6.3).

The contours enclose each pixel of the mask whole, so the area is that of the pixels and every pixel centre lies half a
pixel from the nearest edge: whoever reads them by pixel centres gets the same pixels back, rounding or not.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Vertex = tuple[int, int]
"""A corner of pixels as whole (j, i): the upper left corner of the pixel of that row and column."""

RIGHT, DOWN, LEFT, UP = (0, 1), (1, 0), (0, -1), (-1, 0)

TURNS = {RIGHT: DOWN, DOWN: LEFT, LEFT: UP, UP: RIGHT}
"""The step after a turn to the right: it stays with the pixel, so pixels that touch at a corner are not joined."""


def closed_contours(pixels: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the outlines of a slice's regions, each a polygon of `(N, 2)` fractional (j, i) vertices.

    A region's holes are part of its polygon: a channel of no width leads along a row of pixel edges to the hole and
    back (the keyhole technique), so that one contour says it all to readers that know no holes.

    Args:
        pixels: `(J, I)` bool.

    Example:
        >>> ring = np.ones((3, 3), bool)
        >>> ring[1, 1] = False
        >>> [polygon] = closed_contours(ring)
        >>> len(polygon)  # four corners outside, four inside, the door of the channel twice
        10
    """
    labels, _ = ndimage.label(pixels)
    outlines: dict[int, list[list[Vertex]]] = {}
    for loop in _loops(pixels):
        outlines.setdefault(int(labels[_pixel_inside(loop)]), []).append(loop)
    return [_corners(_with_keyholes(loops)) - 0.5 for _, loops in sorted(outlines.items())]


def _loops(pixels: NDArray[np.bool_]) -> Iterable[list[Vertex]]:
    """Follow pixel edges with the region to the right: outlines run clockwise on the screen, holes against."""
    steps = _steps(pixels)
    waiting = {(place, step) for place, there in steps.items() for step in there}
    for first in sorted(waiting):
        if first not in waiting:
            continue
        loop, edge = [], first
        while edge in waiting:
            waiting.discard(edge)
            (j, i), step = edge
            loop.append((j, i))
            place = (j + step[0], i + step[1])
            onward = steps[place]
            edge = (place, TURNS[step] if TURNS[step] in onward else onward[0])
        yield loop


def _steps(pixels: NDArray[np.bool_]) -> dict[Vertex, list[Vertex]]:
    """Directed pixel edges between inside and outside by the vertex they leave: one a vertex, two at a crossing."""
    inside = np.pad(pixels, 1)
    steps: dict[Vertex, list[Vertex]] = {}
    across = inside[1:].astype(np.int8) - inside[:-1]  # (J + 1, I + 2): 1 where a region begins below
    beside = inside[:, 1:].astype(np.int8) - inside[:, :-1]  # (J + 2, I + 1): 1 where one begins to the right
    for found, step, shift in (
        (across == 1, RIGHT, (0, -1)), (across == -1, LEFT, (0, 0)),
        (beside == 1, UP, (0, 0)), (beside == -1, DOWN, (-1, 0)),
    ):  # fmt: skip
        for j, i in np.argwhere(found).tolist():
            steps.setdefault((j + shift[0], i + shift[1]), []).append(step)
    return steps


def _pixel_inside(loop: list[Vertex]) -> tuple[int, int]:
    """Row and column of the pixel to the right of a loop's first edge."""
    (j, i), (next_j, next_i) = loop[0], loop[1]
    step = (next_j - j, next_i - i)
    return {RIGHT: (j, i), DOWN: (j, i - 1), LEFT: (j - 1, i - 1), UP: (j - 1, i)}[step]


def _with_keyholes(loops: list[list[Vertex]]) -> list[Vertex]:
    """Join a region's outline and its holes; the leftmost loop is the outline, a hole's channel leads to the left."""
    outline, *holes = sorted(loops, key=lambda loop: min(loop, key=_from_left)[1])
    joined = list(outline)
    for hole in sorted(holes, key=lambda loop: _from_left(min(loop, key=_from_left))):
        entry = min(hole, key=_from_left)
        first = hole.index(entry)
        door = max(((j, i) for j, i in joined if j == entry[0] and i <= entry[1]), key=lambda vertex: vertex[1])
        place = joined.index(door)
        around = [*hole[first:], *hole[:first], entry]
        joined[place + 1 : place + 1] = [*around, door]
    return joined


def _from_left(vertex: Vertex) -> tuple[int, int]:
    return vertex[1], vertex[0]


def _corners(loop: list[Vertex]) -> NDArray[np.float64]:
    """Leave out vertices at which a polygon goes straight on."""
    places = np.array(loop, float)
    arriving, leaving = places - np.roll(places, 1, axis=0), np.roll(places, -1, axis=0) - places
    straight = (arriving[:, 0] * leaving[:, 1] == arriving[:, 1] * leaving[:, 0]) & ((arriving * leaving).sum(1) > 0)
    kept: NDArray[np.float64] = places[~straight]
    return kept
