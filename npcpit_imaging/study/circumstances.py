"""How a series was taken and of what body: what must agree between visits for their numbers to be comparable."""

from dataclasses import dataclass
from enum import StrEnum


class Contrast(StrEnum):
    """Whether a contrast agent was given, as the header says (DICOM PS3.3 C.7.6.4)."""

    GIVEN = "given"
    NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a header says of the person and the examination; None or empty where it says nothing.

    Args:
        sex: PatientSex (0010,0040).
        size_m: PatientSize (0010,1020).
        weight_kg: PatientWeight (0010,1030).
        contrast: Whether a contrast agent was given.
        tracer: Radiopharmaceutical of a PET.
        uptake_min: Minutes from injection to the start of a PET.
    """

    sex: str = ""
    size_m: float | None = None
    weight_kg: float | None = None
    contrast: Contrast = Contrast.NOT_STATED
    tracer: str = ""
    uptake_min: float | None = None
