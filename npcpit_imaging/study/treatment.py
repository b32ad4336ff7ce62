"""Photoimmunotherapy: treatment cycles and the diffusers whose light defines the irradiated field."""

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from npcpit_imaging.errors import InputError
from npcpit_imaging.study.caliper import PointMm

AXIS_TOLERANCE = 1e-3
"""Largest departure of a diffuser axis from unit length."""


class DiffuserKind(StrEnum):
    """How a fibre gives off its light."""

    FRONTAL = "frontal"
    CYLINDRICAL = "cylindrical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffuser:
    """One fibre in place, and how far its light is held to act.

    Args:
        kind: Frontal (lights a spot in front of its tip) or cylindrical (lights around its length).
        tip_mm: Tip of the fibre, LPS mm, in the frame of reference the cycle was planned in.
        axis: Unit vector along the fibre, pointing out of the tip.
        length_mm: Cylindrical: lit length, from the tip backwards. Frontal: depth to which light acts, from the tip
            forwards.
        radius_mm: Cylindrical: how far from the axis light acts. Frontal: radius of the spot at that depth.
        start_radius_mm: Frontal only: radius of the beam at the tip.
        fluence_j_cm2: Frontal: prescribed light dose per area; None when not on record.
        energy_j_cm: Cylindrical: prescribed light dose per length of fibre; None when not on record.

    Raises:
        InputError: A length or radius is not positive, the axis is no unit vector, a beam has no place.
    """

    kind: DiffuserKind
    tip_mm: PointMm
    axis: tuple[float, float, float]
    length_mm: float
    radius_mm: float
    start_radius_mm: float = 0.0
    fluence_j_cm2: float | None = None
    energy_j_cm: float | None = None

    def __post_init__(self) -> None:
        numbers = (*self.tip_mm, *self.axis, self.length_mm, self.radius_mm, self.start_radius_mm)
        if not all(math.isfinite(number) for number in numbers):
            raise InputError("diffuser: expected finite numbers, found NaN or infinity")
        if abs(math.hypot(*self.axis) - 1.0) > AXIS_TOLERANCE:
            raise InputError(f"diffuser: expected a unit axis, found length {math.hypot(*self.axis):.4g}")
        if self.length_mm <= 0 or self.radius_mm <= 0:
            raise InputError(
                f"diffuser: expected positive length and radius, found {self.length_mm:g} and {self.radius_mm:g} mm"
            )
        if not 0 <= self.start_radius_mm <= self.radius_mm:
            raise InputError(
                f"diffuser: expected a beam that does not narrow, found radius {self.start_radius_mm:g} mm at the tip "
                f"and {self.radius_mm:g} mm at {self.length_mm:g} mm"
            )
        if self.kind is DiffuserKind.CYLINDRICAL and self.start_radius_mm:
            raise InputError("diffuser: start_radius_mm is for frontal diffusers only")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentCycle:
    """One photoimmunotherapy cycle: drug infusion, then light.

    Args:
        number: 1 for the first.
        infusion: Date of the infusion.
        illumination: Date of the illumination, not before the infusion.
        diffusers: The fibres of this cycle; empty when the field comes from a mask or contour.

    Raises:
        InputError: The number is below 1 or the dates are in the wrong order.
    """

    number: int
    infusion: date
    illumination: date
    diffusers: tuple[Diffuser, ...] = ()

    def __post_init__(self) -> None:
        if self.number < 1:
            raise InputError(f"treatment cycle: expected a number from 1, found {self.number}")
        if self.illumination < self.infusion:
            raise InputError(
                f"treatment cycle {self.number}: expected illumination on or after infusion {self.infusion}, "
                f"found {self.illumination}"
            )
