"""Where voxels lie in the patient: LPS millimetres, arrays as (k, j, i) (DICOM PS3.3 C.7.6.2.1.1)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npcpit_imaging.errors import GeometryError

ORTHONORMAL_TOLERANCE = 1e-3
"""Largest departure of direction^T direction from the identity; DICOM's six-digit cosines stay below 1e-4."""

SAME_GRID_TOLERANCE = 1e-2
"""Largest distance, in voxels, between corners of two grids that count as one; NIfTI's float32 affines need it."""

Matrix3 = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A regular grid in patient space.

    Args:
        shape_kji: Number of slices, rows and columns.
        origin_mm: LPS position of the centre of voxel (0, 0, 0).
        spacing_mm: Distance between voxel centres along i, j, k (columns, rows, slices).
        direction: 3x3; column 0, 1, 2 is the unit vector along i, j, k. Right- or left-handed.
        frame_of_reference_uid: DICOM frame of reference, None where unknown (NIfTI, NRRD).

    Raises:
        GeometryError: A size or spacing is not positive, or the axes are not orthogonal unit vectors.

    Example:
        >>> grid = Geometry(shape_kji=(3, 4, 5), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 2.0, 3.0))
        >>> grid.to_mm((2, 1, 1)).tolist()
        [1.0, 2.0, 6.0]
    """

    shape_kji: tuple[int, int, int]
    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    direction: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    frame_of_reference_uid: str | None = None

    def __post_init__(self) -> None:
        numbers = np.array([*self.origin_mm, *self.spacing_mm, *np.ravel(self.direction)], float)
        if not np.isfinite(numbers).all():
            raise GeometryError("geometry: expected finite origin, spacing and direction, found NaN or infinity")
        if min(self.shape_kji) < 1 or min(self.spacing_mm) <= 0:
            raise GeometryError(
                f"geometry: expected positive size and spacing, found size {self.shape_kji} (k, j, i) "
                f"and spacing {self.spacing_mm} mm"
            )
        axes = np.array(self.direction)
        error = float(np.abs(axes.T @ axes - np.eye(3)).max())
        if error > ORTHONORMAL_TOLERANCE:
            raise GeometryError(
                f"geometry: expected orthogonal unit axes (within {ORTHONORMAL_TOLERANCE:g}), found {error:.4g} off"
            )

    @classmethod
    def from_affine(
        cls, affine: ArrayLike, shape_kji: tuple[int, int, int], *, frame_of_reference_uid: str | None = None
    ) -> "Geometry":
        """Build a geometry from a 4x4 matrix that maps (i, j, k, 1) to LPS mm.

        Raises:
            GeometryError: The columns are not orthogonal (a sheared or degenerate grid).
        """
        matrix = np.asarray(affine, float)
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.isfinite(matrix).all() or spacing.min() <= 0:
            raise GeometryError("geometry: expected a finite affine with three non-zero axes")
        axes = matrix[:3, :3] / spacing
        return cls(
            shape_kji=shape_kji,
            origin_mm=_triple(matrix[:3, 3]),
            spacing_mm=_triple(spacing),
            direction=(_triple(axes[0]), _triple(axes[1]), _triple(axes[2])),
            frame_of_reference_uid=frame_of_reference_uid,
        )

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """4x4 matrix from (i, j, k, 1) to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(self.direction) * np.array(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        matrix.flags.writeable = False
        return matrix

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector (3,) along k."""
        return np.array(self.direction)[:, 2]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along i, j, k in mm, voxel edges included."""
        k, j, i = self.shape_kji
        x, y, z = self.spacing_mm
        return (i * x, j * y, k * z)

    @property
    def off_axial_degrees(self) -> float:
        """Angle between the slices and the patient's axial plane, 0 to 90 degrees."""
        return float(np.degrees(np.arccos(np.clip(abs(self.normal[2]), 0.0, 1.0))))

    def to_mm(self, index_kji: ArrayLike) -> NDArray[np.float64]:
        """Map indices ``(..., 3)`` as (k, j, i), whole or fractional, to LPS mm ``(..., 3)`` as (x, y, z)."""
        index = np.asarray(index_kji, float)[..., ::-1]
        mapped: NDArray[np.float64] = index @ self.affine[:3, :3].T + self.affine[:3, 3]
        return mapped

    def to_index(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Map LPS mm ``(..., 3)`` as (x, y, z) to fractional indices ``(..., 3)`` as (k, j, i)."""
        offset = np.asarray(point_mm, float) - self.affine[:3, 3]
        index: NDArray[np.float64] = offset @ np.linalg.inv(self.affine[:3, :3]).T
        return index[..., ::-1]

    def contains(self, point_mm: ArrayLike) -> NDArray[np.bool_]:
        """Tell for points ``(..., 3)`` in LPS mm whether they lie inside the grid's outer voxel edges."""
        index = self.to_index(point_mm)
        inside: NDArray[np.bool_] = np.all((index >= -0.5) & (index <= np.array(self.shape_kji) - 0.5), axis=-1)
        return inside

    def corners_mm(self) -> NDArray[np.float64]:
        """LPS positions ``(8, 3)`` of the eight corner voxel centres."""
        ends = [(0, size - 1) for size in self.shape_kji]
        return self.to_mm([(k, j, i) for k in ends[0] for j in ends[1] for i in ends[2]])

    def same_grid(self, other: "Geometry") -> bool:
        """Tell whether two grids have the same voxels in the same places (frame of reference aside)."""
        if self.shape_kji != other.shape_kji:
            return False
        distance = np.abs(self.corners_mm() - other.corners_mm()).max()
        return bool(distance <= SAME_GRID_TOLERANCE * min(self.spacing_mm))

    def crop(self, start_kji: tuple[int, int, int], shape_kji: tuple[int, int, int]) -> "Geometry":
        """Return the geometry of a sub-block of this grid."""
        return Geometry(
            shape_kji=shape_kji,
            origin_mm=_triple(self.to_mm(start_kji)),
            spacing_mm=self.spacing_mm,
            direction=self.direction,
            frame_of_reference_uid=self.frame_of_reference_uid,
        )

    def describe(self) -> str:
        """One line for messages: size in columns x rows x slices and spacing in mm."""
        k, j, i = self.shape_kji
        x, y, z = self.spacing_mm
        return f"{i}x{j}x{k} voxels of {x:.4g}x{y:.4g}x{z:.4g} mm"


def _triple(values: ArrayLike) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in np.asarray(values))
    return (x, y, z)
