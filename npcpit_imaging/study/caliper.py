"""A caliper: two points in patient space and the distance between them."""

import math
from dataclasses import dataclass

PointMm = tuple[float, float, float]
"""A point in LPS millimetres: (x, y, z), x to the patient's Left, y to Posterior, z to Superior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caliper:
    """Two points in patient space.

    Example:
        >>> Caliper(start_mm=(0.0, 0.0, 5.0), end_mm=(3.0, 4.0, 5.0)).length_mm
        5.0
    """

    start_mm: PointMm
    end_mm: PointMm

    @property
    def length_mm(self) -> float:
        """Distance between the two points in mm."""
        return math.dist(self.start_mm, self.end_mm)
