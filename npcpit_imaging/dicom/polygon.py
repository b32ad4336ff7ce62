"""Pixels whose centres lie inside closed planar contours, by the even-odd rule (DICOM PS3.3 C.8.8.6.1, C.8.8.6.3)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def inside_polygon(points_ji: NDArray[np.float64], shape_ji: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies inside a polygon: `(J, I)` bool.

    The last point joins the first. A centre on an upper or left edge is inside, on a lower or right edge outside, so
    neighbours that share an edge share no pixel. A keyhole's two coinciding edges cancel, and its hole stays open.

    Args:
        points_ji: `(N, 2)` vertices as fractional (j, i) indices.
        shape_ji: Rows and columns.

    Example:
        >>> square = np.array([[0.5, 0.5], [0.5, 2.5], [2.5, 2.5], [2.5, 0.5]])
        >>> inside_polygon(square, (4, 4)).astype(int).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    rows, columns = shape_ji
    y, x = points_ji[:, 0], points_ji[:, 1]
    y_next, x_next = np.roll(y, -1), np.roll(x, -1)
    j = np.arange(rows)[:, None]
    crossed_rows, edges = np.nonzero((y <= j) != (y_next <= j))
    run = (crossed_rows - y[edges]) / (y_next[edges] - y[edges])
    first_column = np.ceil(x[edges] + run * (x_next[edges] - x[edges])).clip(0, columns).astype(np.intp)
    crossings = np.zeros((rows, columns + 1), np.int32)
    np.add.at(crossings, (crossed_rows, first_column), 1)
    inside: NDArray[np.bool_] = np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
    return inside


def combine(contours: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], bool]:
    """Join the contours of one slice: a contour inside another is a hole (or an island in a hole), others add.

    Args:
        contours: Pixels of each contour, `(J, I)` bool, at least one.

    Returns:
        The joined pixels `(J, I)`, and whether contours overlap without one holding the other; those are united.
    """
    ordered = sorted(contours, key=np.count_nonzero, reverse=True)
    joined = ordered[0].copy()
    overlapping = False
    for place, contour in enumerate(ordered[1:], start=1):
        touched = [larger for larger in ordered[:place] if (larger & contour).any()]
        if all((contour & ~larger).sum() == 0 for larger in touched):
            joined ^= contour
        else:
            joined |= contour
            overlapping = True
    return joined, overlapping
