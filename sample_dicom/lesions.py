"""Lesions as ellipsoids, and the exact axial section a scanner sees of a turned one.

Parallel sections of an ellipsoid are similar ellipses and the one through the centre is the largest, so the longest
axial diameter over all planes is the major axis of the central section, and its perpendicular is the minor axis.
"""

import math
from dataclasses import dataclass

import numpy as np
from shapes import Array, Point, rotation_matrix
from tissue import Tissue


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How one lesion shall look at one time point.

    Args:
        center: Anatomical position (x, y, z) in mm.
        longest_mm: Longest axial diameter in the diagnostic CT of that date.
        short_mm: Perpendicular short axis in the same CT.
        half_height_mm: Third semi-axis.
        tilts: Degrees about x, y, z.
        suv: Uptake, uniform.
    """

    center: Point
    longest_mm: float
    short_mm: float
    half_height_mm: float
    tilts: Point
    suv: float


@dataclass(frozen=True, kw_only=True)
class Ellipsoid:
    """An ellipsoid in some frame: points p with (p - center)^T form (p - center) <= 1."""

    center: Array
    form: Array

    @property
    def volume_ml(self) -> float:
        """Exact volume in mL."""
        return 4.0 / 3.0 * math.pi / math.sqrt(np.linalg.det(self.form)) / 1000.0

    @property
    def reach(self) -> Array:
        """Half the size (3,) of the tightest upright box around it, in mm."""
        return np.sqrt(np.diag(np.linalg.inv(self.form)))

    def moved(self, motion: Array) -> "Ellipsoid":
        """Return it after a rigid motion (4, 4)."""
        turn = motion[:3, :3]
        return Ellipsoid(center=turn @ self.center + motion[:3, 3], form=turn @ self.form @ turn.T)

    def section(self, z: float) -> tuple[Array, Array]:
        """Return the ends of the major and of the minor axis of the section at height z, each (2, 3) in mm.

        Raises:
            ValueError: The plane misses the ellipsoid.
        """
        plane, lean = self.form[:2, :2], self.form[:2, 2]
        height = z - self.center[2]
        shift = -np.linalg.solve(plane, lean) * height
        left = 1.0 - height**2 * (self.form[2, 2] - lean @ np.linalg.solve(plane, lean))
        if left <= 0:
            raise ValueError(f"plane z={z:.2f} mm: expected within the ellipsoid around z={self.center[2]:.2f} mm")
        eigenvalues, vectors = np.linalg.eigh(plane)
        vectors = vectors * np.where(vectors[0] + 1e-9 * vectors[1] < 0, -1.0, 1.0)
        middle = self.center[:2] + shift
        axes = [vectors[:, n] * math.sqrt(left / eigenvalues[n]) for n in (0, 1)]
        ends = [np.array([[*(middle - axis), z], [*(middle + axis), z]]) for axis in axes]
        return ends[0], ends[1]


def seen_ellipsoid(seen: Seen, ct_motion: Array) -> Ellipsoid:
    """Return the ellipsoid (anatomical frame) whose section in that CT has exactly the wanted axes.

    Args:
        seen: Wanted size, position and lean.
        ct_motion: 4x4 from the anatomical frame to the CT of that date.
    """
    lean = rotation_matrix(*seen.tilts)
    wanted = np.array([seen.longest_mm, seen.short_mm]) / 2
    halves = np.array([*wanted, seen.half_height_mm])
    for _ in range(60):
        form = lean @ np.diag(halves**-2.0) @ lean.T
        made = Ellipsoid(center=np.array(seen.center), form=form)
        ends = made.moved(ct_motion).section(float((ct_motion[:3, :3] @ made.center + ct_motion[:3, 3])[2]))
        halves[:2] *= wanted / [length_mm(axis) / 2 for axis in ends]
    return made


def length_mm(ends: Array) -> float:
    """Distance between two points given as (2, 3)."""
    return float(np.linalg.norm(ends[1] - ends[0]))


def lesion_tissue(lesion_id: str, suv: float) -> Tissue:
    """Return a lesion's tissue: 18 to 26 HU above muscle after contrast, dark on T1, bright on T2."""
    return Tissue(
        hu={"T01": 86.0, "T02": 84.0, "T03": 88.0, "N01": 85.0}[lesion_id],
        hu_native=50.0,
        t1_ms=1120.0,
        t2_ms=84.0,
        protons=0.97,
        suv=suv,
        grain_hu=1.5,
        grain=0.05,
    )
