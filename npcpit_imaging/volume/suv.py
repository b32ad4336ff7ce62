"""Standardised uptake value: activity concentration to SUV, as factors (QIBA FDG-PET profile; PS3.3 C.8.9.1).

SUV = activity concentration x body size / (injected activity x 2^(-elapsed / half-life)), with 1 mL weighing 1 g.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from npcpit_imaging.errors import QuantityError

WEIGHT_LIMITS_KG = (1.0, 400.0)
"""Body weights outside are slips: grams, pounds of a giant, zero."""

HEIGHT_LIMITS_M = (0.3, 2.6)
"""Body heights outside are slips: centimetres in a field of metres."""

DOSE_LIMITS_BQ = (1e5, 5e10)
"""Injected activities outside are slips: MBq written where DICOM wants Bq."""

MOST_HALF_LIVES = 8.0
"""Longest time from injection to scan, in half-lives, that can still give an image; more means a wrong date or time."""


class SuvKind(StrEnum):
    """The body size an uptake is divided by; the values follow SUVType (0054,1006), PS3.3 C.8.9.1."""

    BW = "BW"
    LBM_JAMES = "LBMJAMES128"
    LBM_JANMAHASATIAN = "LBMJANMA"
    BSA = "BSA"


class DecayCorrection(StrEnum):
    """The time to which the image's activity was corrected: DecayCorrection (0054,1102), PS3.3 C.8.9.1."""

    START = "START"
    ADMIN = "ADMIN"
    NONE = "NONE"


class Sex(StrEnum):
    """Patient's sex as far as a body size formula needs it: PatientSex (0010,0040)."""

    MALE = "M"
    FEMALE = "F"


@dataclass(frozen=True, kw_only=True)
class Body:
    """The patient's size at the time of the scan.

    Args:
        weight_kg: PatientWeight (0010,1030).
        height_m: PatientSize (0010,1020); None where unknown, enough for body weight.
        sex: None where unknown or other, enough for body weight and surface.

    Raises:
        QuantityError: Weight or height is missing, not finite or not a human's.
    """

    weight_kg: float
    height_m: float | None = None
    sex: Sex | None = None

    def __post_init__(self) -> None:
        _require_within("PatientWeight (0010,1030)", self.weight_kg, WEIGHT_LIMITS_KG, "kg")
        if self.height_m is not None:
            _require_within("PatientSize (0010,1020)", self.height_m, HEIGHT_LIMITS_M, "m")


@dataclass(frozen=True, kw_only=True)
class Injection:
    """What was given, and how long before the time the image's activity is corrected to.

    Args:
        dose_bq: RadionuclideTotalDose (0018,1074) at the time of injection.
        half_life_s: RadionuclideHalfLife (0018,1075).
        elapsed_s: Seconds from injection to the time the image is corrected to: 0 for ADMIN, to the scan's start for
            START, to the frame's own time of average count rate for NONE.

    Raises:
        QuantityError: A value is missing, not finite or not plausible; the message names the tag.
    """

    dose_bq: float
    half_life_s: float
    elapsed_s: float

    def __post_init__(self) -> None:
        _require_within("RadionuclideTotalDose (0018,1074)", self.dose_bq, DOSE_LIMITS_BQ, "Bq")
        _require_within("RadionuclideHalfLife (0018,1075)", self.half_life_s, (1.0, math.inf), "s")
        _require_within(
            "RadiopharmaceuticalStartTime (0018,1072)", self.elapsed_s, (0.0, MOST_HALF_LIVES * self.half_life_s),
            "s from injection to scan",
        )  # fmt: skip


def suv_factor(body: Body, injection: Injection, *, kind: SuvKind = SuvKind.BW) -> float:
    """Return what an activity concentration in Bq/mL is multiplied with to give an SUV in g/mL (cm2/mL for BSA).

    Raises:
        QuantityError: The kind needs a height or a sex that is not known; the message names the tag.

    Example:
        >>> body = Body(weight_kg=70.0)
        >>> injection = Injection(dose_bq=280e6, half_life_s=6586.2, elapsed_s=6586.2)
        >>> suv_factor(body, injection)  # 70,000 g / 140 MBq left after one half-life
        0.0005
    """
    size = {
        SuvKind.BW: _weight_g,
        SuvKind.LBM_JAMES: _lbm_james_g,
        SuvKind.LBM_JANMAHASATIAN: _lbm_janmahasatian_g,
        SuvKind.BSA: _bsa_cm2,
    }[kind](body)
    return size / (injection.dose_bq * decay_factor(injection.elapsed_s, injection.half_life_s))


def decay_factor(elapsed_s: float, half_life_s: float) -> float:
    """Return the fraction of an activity that is left after `elapsed_s`.

    Example:
        >>> decay_factor(120.0, 60.0)
        0.25
    """
    return float(2.0 ** (-elapsed_s / half_life_s))


def average_count_rate_time_s(frame_duration_s: float, half_life_s: float) -> float:
    """Return when, after a frame's start, the activity equals its mean over the frame (PS3.3 C.8.9.4.1.5; QIBA)."""
    rate = math.log(2.0) / half_life_s
    decay = rate * frame_duration_s
    return 0.0 if decay <= 0 else math.log(decay / -math.expm1(-decay)) / rate


def lean_body_mass_james_kg(body: Body) -> float:
    """Return lean body mass after James 1976, as PERCIST and SUVType LBMJAMES128 use it (128 for men).

    Raises:
        QuantityError: Height or sex is not known, or the formula's result is not positive (very obese).
    """
    height_cm = _height_m(body) * 100.0
    ratio = body.weight_kg / height_cm
    if _sex(body) is Sex.MALE:
        mass = 1.10 * body.weight_kg - 128.0 * ratio**2
    else:
        mass = 1.07 * body.weight_kg - 148.0 * ratio**2
    if mass <= 0:
        raise QuantityError(f"lean body mass (James): expected a positive mass, found {mass:.1f} kg")
    return mass


def lean_body_mass_janmahasatian_kg(body: Body) -> float:
    """Return lean body mass after Janmahasatian 2005 (Clin Pharmacokinet 44:1051).

    Raises:
        QuantityError: Height or sex is not known.
    """
    body_mass_index = body.weight_kg / _height_m(body) ** 2
    slope, base = (216.0, 6680.0) if _sex(body) is Sex.MALE else (244.0, 8780.0)
    return 9270.0 * body.weight_kg / (base + slope * body_mass_index)


def body_surface_area_m2(body: Body) -> float:
    """Return body surface area after Du Bois 1916.

    Raises:
        QuantityError: Height is not known.
    """
    return float(0.007184 * body.weight_kg**0.425 * (_height_m(body) * 100.0) ** 0.725)


def _weight_g(body: Body) -> float:
    return body.weight_kg * 1000.0


def _lbm_james_g(body: Body) -> float:
    return lean_body_mass_james_kg(body) * 1000.0


def _lbm_janmahasatian_g(body: Body) -> float:
    return lean_body_mass_janmahasatian_kg(body) * 1000.0


def _bsa_cm2(body: Body) -> float:
    return body_surface_area_m2(body) * 10_000.0


def _height_m(body: Body) -> float:
    if body.height_m is None:
        raise QuantityError("PatientSize (0010,1020) is missing: this kind of SUV needs the height")
    return body.height_m


def _sex(body: Body) -> Sex:
    if body.sex is None:
        raise QuantityError("PatientSex (0010,0040): expected M or F: this kind of SUV needs it")
    return body.sex


def _require_within(name: str, value: float, limits: tuple[float, float], unit: str) -> None:
    if not math.isfinite(value) or not limits[0] <= value <= limits[1]:
        raise QuantityError(f"{name}: expected {limits[0]:g} to {limits[1]:g} {unit}, found {value:g}")
