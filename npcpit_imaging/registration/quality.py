"""How far a registration can be trusted: numbers, then accept, warn or reject with the reasons."""

from dataclasses import dataclass
from enum import StrEnum

from npcpit_imaging.config.registration import Limits, QualityLimits

POINT_OUTSIDE = "point-outside"
"""Stable name of the reason that a given point leaves the fixed image."""


class Verdict(StrEnum):
    """What may be done with a registration."""

    ACCEPT = "accept"
    WARN = "warn"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationNumbers:
    """What was measured of a registration.

    Args:
        inverse_consistency_mm: Largest distance at the points between the result and an independent registration the
            other way.
        agreement_mm: Largest distance at the points to the nearest other start that was refined.
        overlap: Common volume of the bodies as a fraction of the smaller.
        common_ml: Common volume of the bodies in mL.
        similarity: Squared local correlation, 0 to 1; for one modality.
        mutual_information: Normalised mutual information, 0 to 1; for any pair.
        mirror_ratio: Metric of the best alignment of the mirror image (patient left-right) divided by the metric found;
            near 1 or above, the image may be flipped.
        rotation_degrees: Size of the rotation.
        displacement_mm: Mean distance the points move beyond what puts the bodies' centres on each other.
        metric: Negative Mattes mutual information at the finest level.
        jacobian_min: Smallest determinant of a deformable refinement over the body, of both directions; at or below 0
            space folds. 1 for a rigid result.
        deformation_mm: Longest displacement of a refinement over the body; 0 for a rigid result.
        points: How many points were judged.
        points_outside: How many of them leave the fixed image.
    """

    inverse_consistency_mm: float
    agreement_mm: float
    overlap: float
    common_ml: float
    similarity: float
    mutual_information: float
    mirror_ratio: float
    rotation_degrees: float
    displacement_mm: float
    metric: float
    points: int
    points_outside: int
    jacobian_min: float = 1.0
    deformation_mm: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationQuality:
    """What was measured, what may be done with it and why.

    Args:
        numbers: What was measured.
        verdict: Accept, warn or reject.
        reasons: One line per number beyond a limit; empty when accepted.
        uncertainty_mm: The larger of inverse inconsistency and disagreement of starts: what a propagated point carries.
    """

    numbers: RegistrationNumbers
    verdict: Verdict
    reasons: tuple[str, ...]
    uncertainty_mm: float


def judge(numbers: RegistrationNumbers, limits: QualityLimits) -> RegistrationQuality:
    """Compare every number with its limits; the worst decides.

    Args:
        numbers: What was measured.
        limits: The plan's.

    Returns:
        The verdict with its reasons, the gravest first.
    """
    found = [_compare(name, getattr(numbers, name), getattr(limits, name)) for name in QualityLimits.model_fields]
    if numbers.points_outside:
        text = f"{POINT_OUTSIDE}: {numbers.points_outside} of {numbers.points} points leave the fixed image"
        found.append((Verdict.WARN, text))
    rejected = [text for verdict, text in found if verdict is Verdict.REJECT]
    warned = [text for verdict, text in found if verdict is Verdict.WARN]
    verdict = Verdict.REJECT if rejected else Verdict.WARN if warned else Verdict.ACCEPT
    return RegistrationQuality(
        numbers=numbers,
        verdict=verdict,
        reasons=(*rejected, *warned),
        uncertainty_mm=max(numbers.inverse_consistency_mm, numbers.agreement_mm),
    )


def _compare(name: str, value: float, limits: Limits) -> tuple[Verdict, str]:
    """Compare one number; NaN is beyond every limit, for what cannot be measured cannot be trusted."""
    larger_is_worse = limits.reject >= limits.warn
    for verdict, limit in ((Verdict.REJECT, limits.reject), (Verdict.WARN, limits.warn)):
        fine = value <= limit if larger_is_worse else value >= limit
        if not fine:
            bound = "at most" if larger_is_worse else "at least"
            return verdict, f"{name.replace('_', '-')}: expected {bound} {limit:g}, found {value:.3g}"
    return Verdict.ACCEPT, ""
