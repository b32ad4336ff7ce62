"""How far a rigid registration can be trusted: numbers, then accept, warn or reject with the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from npcpit_imaging.config.registration import Limits, QualityLimits, RegistrationPlan
from npcpit_imaging.registration.prepare import Prepared
from npcpit_imaging.registration.search import StartResult
from npcpit_imaging.volume.itk import to_itk_transform
from npcpit_imaging.volume.transform import RigidTransform


class Verdict(StrEnum):
    """What may be done with a registration."""

    ACCEPT = "accept"
    WARN = "warn"
    REJECT = "reject"


@dataclass(frozen=True, kw_only=True)
class RegistrationNumbers:
    """What was measured of a registration.

    Args:
        inverse_consistency_mm: Largest distance at the points between this result and an independent registration the
            other way.
        agreement_mm: Largest distance at the points to the nearest of the other refined starts.
        overlap: Common volume of the bodies as a fraction of the smaller.
        similarity: Normalised mutual information within the common body, 0 (independent) to 1 (one-to-one).
        rotation_degrees: Size of the rotation.
        displacement_mm: Mean distance the points move once the images' centres are on each other.
        metric: Negative Mattes mutual information at the finest level.
        points_outside: How many of the points leave the fixed image.
        points: How many points there were.
    """

    inverse_consistency_mm: float
    agreement_mm: float
    overlap: float
    similarity: float
    correlation: float
    support: float
    rotation_degrees: float
    displacement_mm: float
    metric: float
    points_outside: int
    points: int


@dataclass(frozen=True, kw_only=True)
class RegistrationQuality:
    """The numbers, the verdict and its reasons."""

    numbers: RegistrationNumbers
    verdict: Verdict
    reasons: tuple[str, ...]


def assess(
    *,
    fixed: Prepared,
    moving: Prepared,
    there: Sequence[StartResult],
    back: Sequence[StartResult],
    points_mm: NDArray[np.float64],
    plan: RegistrationPlan,
) -> RegistrationQuality:
    """Measure a registration against its rivals and its reverse, and judge it."""
    best = there[0]
    followed = best.transform.inverse().map(points_mm)
    returned = [np.linalg.norm(back[0].transform.inverse().map(followed) - points_mm, axis=1)]
    numbers = RegistrationNumbers(
        inverse_consistency_mm=float(np.linalg.norm(back[0].transform.map(points_mm) - followed, axis=1).max()),
        agreement_mm=0.0,
        overlap=best.overlap,
        similarity=0.0,
        correlation=0.0,
        support=0.0,
        rotation_degrees=best.transform.rotation_degrees,
        displacement_mm=0.0,
        metric=best.metric,
        points_outside=0,
        points=len(points_mm),
    )
    return RegistrationQuality(numbers=numbers, verdict=Verdict.WARN, reasons=("not judged yet",))
