"""Cubic B-splines on a regular lattice, axis by axis (Rueckert 1999; Unser 1999)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.geometry import Geometry

BORDER = 1
"""Control points before the first and, with one more, behind the last cell: a cubic spline needs four a cell."""

PARALLEL_TOLERANCE = 1e-3
"""Largest difference of direction cosines between a lattice and a grid that is taken as parallel to it."""

Axes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""One matrix `(grid size, control points)` per axis k, j, i."""


def lattice_over(geometry: Geometry, spacing_mm: float) -> Geometry:
    """Return the control points of a spline that covers a grid to its outer voxel edges.

    Args:
        geometry: The grid; the lattice lies along its axes.
        spacing_mm: About the distance of control points; a whole number of cells fits the grid.
    """
    cells = np.maximum(1, np.ceil(np.array(geometry.size_mm) / spacing_mm)).astype(int)
    spacing = np.array(geometry.size_mm) / cells
    axes = np.array(geometry.direction)
    edge = geometry.to_mm((-0.5, -0.5, -0.5))
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = edge - axes @ (BORDER * spacing)
    i, j, k = (int(value) + 3 for value in cells)
    return Geometry.from_affine(affine, (k, j, i), frame_of_reference_uid=geometry.frame_of_reference_uid)


def cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic B-spline at signed distances from its knot, in knots.

    Example:
        >>> [round(float(value), 4) for value in cubic(np.array([0.0, 1.0, 2.0]))]
        [0.6667, 0.1667, 0.0]
    """
    away = np.abs(distance)
    near = 2.0 / 3.0 - away**2 + away**3 / 2.0
    far = np.maximum(2.0 - away, 0.0) ** 3 / 6.0
    return np.where(away < 1.0, near, far)


def cubic_slope(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Its derivative with respect to the distance, in knots."""
    away = np.abs(distance)
    near = -2.0 * away + 1.5 * away**2
    far = -(np.maximum(2.0 - away, 0.0) ** 2) / 2.0
    slope: NDArray[np.float64] = np.sign(distance) * np.where(away < 1.0, near, far)
    return slope


@dataclass(frozen=True, kw_only=True)
class Basis:
    """A lattice's splines at the voxels of a parallel grid.

    Args:
        values: Per axis k, j, i: `(grid size, control points)`.
        slopes: The same of the derivative, per mm.
    """

    values: Axes
    slopes: Axes

    def at(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values `(K, J, I)` on the grid of coefficients `(k, j, i)`."""
        return forward(self.values, coefficients)

    def slope(self, coefficients: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
        """Derivative per mm on the grid along array axis 0 (k), 1 (j) or 2 (i)."""
        k, j, i = (self.slopes[a] if a == axis else self.values[a] for a in range(3))
        return forward((k, j, i), coefficients)


def basis(lattice: Geometry, grid: Geometry) -> Basis:
    """Return the splines at a grid's voxels.

    Raises:
        GeometryError: The grid is not parallel to the lattice.
    """
    axes = np.array(lattice.direction)
    if np.abs(axes - np.array(grid.direction)).max() > PARALLEL_TOLERANCE:
        raise GeometryError("B-spline: expected a grid parallel to the lattice, found a turned one")
    first = lattice.to_index(grid.origin_mm)
    values, slopes = [], []
    for axis in range(3):
        step = grid.spacing_mm[2 - axis] / lattice.spacing_mm[2 - axis]
        at = first[axis] + step * np.arange(grid.shape_kji[axis])
        away = at[:, None] - np.arange(lattice.shape_kji[axis])[None, :]
        values.append(cubic(away).astype(np.float32))
        slopes.append((cubic_slope(away) / lattice.spacing_mm[2 - axis]).astype(np.float32))
    return Basis(values=(values[0], values[1], values[2]), slopes=(slopes[0], slopes[1], slopes[2]))


def forward(axes: Axes, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evaluate: `(k, j, i)` control points to `(K, J, I)` voxels."""
    along_k = np.tensordot(axes[0], coefficients, (1, 0))
    spread: NDArray[np.float32] = np.matmul(np.matmul(axes[1], along_k), axes[2].T)
    return spread


def transpose(axes: Axes, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gather: the transpose of `forward`, `(K, J, I)` voxels to `(k, j, i)` control points."""
    along_i = np.matmul(values, axes[2])
    gathered: NDArray[np.float32] = np.tensordot(axes[0].T, np.matmul(axes[1].T, along_i), (1, 0))
    return gathered
