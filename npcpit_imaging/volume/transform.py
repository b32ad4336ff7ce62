"""A rigid transform between two patient spaces: maps fixed points to moving points, as ITK does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npcpit_imaging.errors import GeometryError

RIGID_TOLERANCE = 1e-4
"""Largest departure of rotation^T rotation from the identity."""


@dataclass(frozen=True, kw_only=True)
class RigidTransform:
    """Rotation and translation in LPS mm: ``moving = rotation @ fixed + translation_mm``.

    Args:
        rotation: `(3, 3)` proper rotation.
        translation_mm: `(3,)` in mm.

    Raises:
        GeometryError: The matrix is not a proper rotation.

    Example:
        >>> shift = RigidTransform(rotation=np.eye(3), translation_mm=np.array([0.0, 0.0, 5.0]))
        >>> shift.map([[1.0, 2.0, 3.0]]).tolist()
        [[1.0, 2.0, 8.0]]
    """

    rotation: NDArray[np.float64]
    translation_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        rotation = np.array(self.rotation, float).reshape(3, 3)
        translation = np.array(self.translation_mm, float).reshape(3)
        if not np.isfinite(rotation).all() or not np.isfinite(translation).all():
            raise GeometryError("transform: expected finite numbers, found NaN or infinity")
        error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
        if error > RIGID_TOLERANCE or np.linalg.det(rotation) < 0:
            raise GeometryError(f"transform: expected a proper rotation, found one {error:.3g} off orthogonal")
        rotation.flags.writeable = translation.flags.writeable = False
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation_mm", translation)

    @classmethod
    def identity(cls) -> "RigidTransform":
        """The transform that moves nothing."""
        return cls(rotation=np.eye(3), translation_mm=np.zeros(3))

    def map(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points ``(..., 3)`` of the fixed space, LPS mm, to the moving space."""
        mapped: NDArray[np.float64] = np.asarray(point_mm, float) @ self.rotation.T + self.translation_mm
        return mapped

    def inverse(self) -> "RigidTransform":
        """The transform that maps moving points to fixed points."""
        return RigidTransform(rotation=self.rotation.T, translation_mm=-self.rotation.T @ self.translation_mm)

    @property
    def rotation_degrees(self) -> float:
        """Angle of the rotation in degrees."""
        cosine = (np.trace(self.rotation) - 1.0) / 2.0
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
