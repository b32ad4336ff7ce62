"""A deformable transform: cubic B-spline displacement in the fixed space, then a rigid one to the moving space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.bspline import BORDER, basis
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform

INVERSE_TOLERANCE_MM = 1e-3
"""The inverse is found when its next step is shorter."""

INVERSE_STEPS = 100
"""Steps after which a point counts as having no inverse: a fold, or nearly one."""


@dataclass(frozen=True, kw_only=True)
class DeformableTransform:
    """``moving = rigid(fixed + u(fixed))``, u a cubic B-spline; the order that ITK, elastix and DICOM share.

    Outside the lattice's cells u is zero, as in ITK.

    Args:
        rigid: Maps displaced fixed points to moving points.
        lattice: Where the control points lie in the fixed space, the border ones included.
        coefficients_mm: `(3, k, j, i)` float64: x, y and z displacement at each control point, LPS mm.

    Raises:
        GeometryError: The coefficients do not fit the lattice or are not finite.
    """

    rigid: RigidTransform
    lattice: Geometry
    coefficients_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        coefficients = np.array(self.coefficients_mm, float)
        if coefficients.shape != (3, *self.lattice.shape_kji) or min(self.lattice.shape_kji) < 4:
            raise GeometryError(
                f"deformable transform: expected 3 coefficients at each of {self.lattice.shape_kji} control points "
                f"(at least 4 along each axis), found {coefficients.shape}"
            )
        if not np.isfinite(coefficients).all():
            raise GeometryError("deformable transform: expected finite coefficients, found NaN or infinity")
        coefficients.flags.writeable = False
        object.__setattr__(self, "coefficients_mm", coefficients)

    def displacement_mm(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Displacement u at points ``(..., 3)`` of the fixed space, LPS mm."""
        points = np.asarray(point_mm, float)
        index = self.lattice.to_index(points)
        inside = np.all((index >= BORDER) & (index <= self._last), axis=-1)
        moved: NDArray[np.float64] = np.where(inside[..., None], self._continued(index), 0.0)
        return moved

    @property
    def _last(self) -> NDArray[np.intp]:
        return np.array(self.lattice.shape_kji) - 1 - BORDER

    def _continued(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Displacement at lattice indices ``(..., 3)``; outside the cells that of the nearest place in them."""
        places = np.clip(index, BORDER, self._last).reshape(-1, 3).T
        parts = [
            ndimage.map_coordinates(part, places, order=3, prefilter=False, mode="nearest")
            for part in self.coefficients_mm
        ]
        return np.stack(parts, axis=-1).reshape(index.shape)

    def continued_mm(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """The same, continued outside the lattice's cells by its value at their edge."""
        return self._continued(self.lattice.to_index(point_mm))

    def map(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points ``(..., 3)`` of the fixed space, LPS mm, to the moving space."""
        points = np.asarray(point_mm, float)
        return self.rigid.map(points + self.displacement_mm(points))

    def inverse(self) -> "InverseTransform":
        """The transform that maps moving points to fixed points."""
        return InverseTransform(forward=self)

    def grid(self, step_mm: float) -> Geometry:
        """A grid over the lattice's cells, parallel to it, of about `step_mm`."""
        cells = np.array(self.lattice.shape_kji[::-1]) - 3
        size = cells * np.array(self.lattice.spacing_mm)
        steps = np.maximum(1, np.ceil(size / step_mm)).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = np.array(self.lattice.direction) * (size / steps)
        affine[:3, 3] = self.lattice.to_mm((BORDER, BORDER, BORDER))
        i, j, k = (int(value) + 1 for value in steps)
        return Geometry.from_affine(affine, (k, j, i))

    def jacobian(self, grid: Geometry) -> NDArray[np.float32]:
        """Determinant `(K, J, I)` of the derivative at a grid's voxels; at or below 0 space folds.

        Raises:
            GeometryError: The grid is not parallel to the lattice.
        """
        splines = basis(self.lattice, grid)
        axes = np.array(self.lattice.direction)
        derivative = np.empty((*grid.shape_kji, 3, 3), np.float32)
        for row in range(3):
            part = self.coefficients_mm[row].astype(np.float32)
            along = np.stack([splines.slope(part, 2 - axis) for axis in range(3)], axis=-1)
            derivative[..., row, :] = along @ axes.T.astype(np.float32)
        determinant: NDArray[np.float32] = np.linalg.det(derivative + np.eye(3, dtype=np.float32))
        return determinant


@dataclass(frozen=True, kw_only=True)
class InverseTransform:
    """Inverse of a deformable transform, point by point (fixed-point iteration).

    The displacement is continued outside the lattice's cells, where the transform itself jumps to zero: what lands
    there lies outside the fixed image in either case.

    Args:
        forward: What is inverted.
    """

    forward: DeformableTransform

    def map(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points ``(..., 3)`` of the moving space, LPS mm, to the fixed space.

        Raises:
            GeometryError: A point has no inverse: the deformation folds there.
        """
        points = np.asarray(point_mm, float)
        found, has_one = self.find(points.reshape(-1, 3))
        if has_one.all():
            return found.reshape(points.shape)
        raise GeometryError(
            f"deformable transform: expected an inverse at every point, found none at {int((~has_one).sum())} of "
            f"{len(found)}: the deformation folds there"
        )

    def find(self, points_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Map points ``(N, 3)``, and tell of each whether it has an inverse ``(N,)``; one without is not to be used."""
        placed = self.forward.rigid.inverse().map(points_mm)
        found, open_points = placed.copy(), np.arange(len(placed))
        for _ in range(INVERSE_STEPS):
            following = placed[open_points] - self.forward.continued_mm(found[open_points])
            step = np.linalg.norm(following - found[open_points], axis=1)
            found[open_points] = following
            open_points = open_points[step > INVERSE_TOLERANCE_MM]
            if len(open_points) == 0:
                break
        has_one = np.ones(len(placed), bool)
        has_one[open_points] = False
        return found, has_one

    def inverse(self) -> DeformableTransform:
        """The transform itself."""
        return self.forward


Transform = RigidTransform | DeformableTransform | InverseTransform
"""Whatever maps the points of one image to those of another; ``map`` and ``inverse`` are all a user needs."""
