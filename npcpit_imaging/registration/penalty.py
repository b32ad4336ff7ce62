"""What a displacement costs: the bending of its control points and their size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """Half of ``bending * (sum of squared second differences) + size * (sum of squares)``, as its gradient.

    Args:
        bending: Weight of second differences; an affine displacement costs nothing.
        size: Weight of the displacement itself: far from anything that can be seen, what is rigid stays rigid.
    """

    bending: float
    size: float

    def __call__(self, points: Array) -> Array:
        """Gradient `(3, k, j, i)` at control points `(3, k, j, i)`; linear, symmetric, positive."""
        return np.stack([np.float32(self.bending) * _bending(part) + np.float32(self.size) * part for part in points])

    @property
    def diagonal(self) -> float:
        """About its diagonal, for the preconditioner."""
        return 20.0 * self.bending + self.size + 1e-12


def _bending(part: Array) -> Array:
    total = np.zeros_like(part)
    for axis in range(3):
        total += _difference(_padded(_difference(_difference(part, axis), axis), axis, 2), axis, times=2)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        mixed = _difference(_difference(part, one), other)
        total += 2 * _difference(_difference(_padded(_padded(mixed, one, 1), other, 1), one), other)
    return total


def _difference(part: Array, axis: int, times: int = 1) -> Array:
    return np.diff(part, times, axis=axis)


def _padded(part: Array, axis: int, width: int) -> Array:
    widths = [(0, 0)] * 3
    widths[axis] = (width, width)
    return np.pad(part, widths)
