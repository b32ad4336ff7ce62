"""Measure a registration: against its rivals, its reverse, its mirror image and the images themselves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from npcpit_imaging.errors import GeometryError, RegistrationCancelledError, RegistrationError
from npcpit_imaging.registration.likeness import likeness
from npcpit_imaging.registration.prepare import Prepared
from npcpit_imaging.registration.quality import RegistrationNumbers, RegistrationQuality, judge
from npcpit_imaging.registration.search import Pair, Start, StartResult, follow, itk_threads
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask

Found = RigidTransform | DeformableTransform

COMPARED_LEVEL = 1
"""Level at which rivals, mirror and likeness are compared (4 mm in the plans of the trial)."""


JACOBIAN_STEP_MM = 3.0
"""Grid on which folds are looked for; a quarter of the control points' distance."""


def assess(
    pair: Pair, there: Sequence[StartResult], back: Sequence[StartResult], points_mm: NDArray[np.float64]
) -> RegistrationQuality:
    """Measure and judge.

    Args:
        pair: What was aligned.
        there: Where the searches ended, best first.
        back: The same for the reversed pair.
        points_mm: ``(N, 3)`` of the moving image where trust matters.

    Raises:
        RegistrationCancelledError: The pair's `cancelled` said so.
    """
    best = there[0]
    level = min(COMPARED_LEVEL, len(pair.plan.levels) - 1)
    followed = best.transform.inverse().map(points_mm)
    alike = likeness(pair.fixed, pair.moving, best.transform, level=level)
    numbers = RegistrationNumbers(
        inverse_consistency_mm=float(_distance(back[0].transform.map(points_mm), followed).max()),
        agreement_mm=_agreement_mm(there, points_mm, followed),
        overlap=best.overlap,
        common_ml=alike.common_ml,
        similarity=alike.similarity,
        mutual_information=alike.mutual_information,
        mirror_ratio=mirror_ratio(pair, best.transform, level),
        rotation_degrees=best.transform.rotation_degrees,
        displacement_mm=_displacement_mm(pair, points_mm, followed),
        metric=best.metric,
        points=len(points_mm),
        points_outside=int(np.count_nonzero(~pair.fixed.geometry.contains(followed))),
    )
    return judge(numbers, pair.plan.quality)


def assess_refined(
    pair: Pair,
    rigid: RegistrationQuality,
    both_ways: tuple[Found, Found],
    *,
    rivals: Sequence[RigidTransform],
    points_mm: NDArray[np.float64],
) -> RegistrationQuality:
    """Judge a refined result by the numbers of the rigid one, measured again where refinement changes them.

    Args:
        pair: What was aligned.
        rigid: The rigid result's quality; overlap, common body and mirror image are kept.
        both_ways: The refined result and the independent one the other way.
        rivals: Rigid results that it must agree with.
        points_mm: ``(N, 3)`` of the moving image where trust matters.
    """
    there, back = both_ways
    part = there if isinstance(there, RigidTransform) else there.rigid
    level = min(COMPARED_LEVEL, len(pair.plan.levels) - 1)
    alike = likeness(pair.fixed, pair.moving, there, level=level)
    try:
        followed = there.inverse().map(points_mm)
        inconsistency = float(_distance(back.map(points_mm), followed).max())
    except GeometryError:
        followed, inconsistency = part.inverse().map(points_mm), np.inf
    here = part.inverse().map(points_mm)
    numbers = replace(
        rigid.numbers,
        inverse_consistency_mm=inconsistency,
        agreement_mm=min((float(_distance(rival.map(here), points_mm).max()) for rival in rivals), default=np.inf),
        similarity=alike.similarity,
        mutual_information=alike.mutual_information,
        rotation_degrees=part.rotation_degrees,
        displacement_mm=_displacement_mm(pair, points_mm, followed),
        points_outside=int(np.count_nonzero(~pair.fixed.geometry.contains(followed))),
        jacobian_min=min(_jacobian_min(there, pair.fixed), _jacobian_min(back, pair.moving)),
        deformation_mm=_deformation_mm(there, pair.fixed),
    )
    return judge(numbers, pair.plan.quality)


def _jacobian_min(transform: Found, image: Prepared) -> float:
    """Smallest determinant over the body; 1 for a rigid transform."""
    if isinstance(transform, RigidTransform):
        return 1.0
    grid = transform.grid(JACOBIAN_STEP_MM)
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1))
    index = np.rint(image.body.geometry.to_index(points)).astype(int)
    within = np.all((index >= 0) & (index < image.body.geometry.shape_kji), axis=-1)
    within[within] = image.body.voxels[tuple(index[within].T)]
    return float(transform.jacobian(grid)[within].min(initial=np.inf)) if within.any() else -np.inf


def _deformation_mm(transform: Found, image: Prepared) -> float:
    if isinstance(transform, RigidTransform):
        return 0.0
    points = image.body.geometry.to_mm(np.argwhere(image.body.voxels))
    return float(np.linalg.norm(transform.displacement_mm(points), axis=1).max())


def mirror_ratio(pair: Pair, transform: RigidTransform, level: int) -> float:
    """Return the mirrored image's best metric over the metric found, both at one level; 0 when the mirror fails.

    Each counts times the square root of its overlap, as among starts: a mirror that shares a corner with the image
    resembles it there without being its like.
    """
    mirrored = replace(pair, moving=_mirrored(pair.moving))
    start = Start(name="mirror", transform=_mirrored_transform(transform, pair.moving))
    try:
        with itk_threads(pair.plan.threads):
            straight = follow(pair, level, Start(name="found", transform=transform))
            coarse = follow(mirrored, 0, start)
            flipped = follow(mirrored, level, Start(name="mirror", transform=coarse.transform))
    except RegistrationCancelledError:
        raise
    except RegistrationError:
        return 0.0
    if straight.metric >= 0:
        return float(np.inf)
    return float(flipped.metric / straight.metric * np.sqrt(flipped.overlap / straight.overlap))


def _mirrored(image: Prepared) -> Prepared:
    """Reverse the axis nearest to the patient's left-right; the grid stays, so the mirror is the grid's middle."""
    axis = _left_right(image)
    body = Mask(voxels=np.flip(image.body.voxels, 2 - axis), geometry=image.body.geometry)
    return replace(image, pyramid=tuple(_flip(level, axis) for level in image.pyramid), body=body)


def _flip(image: sitk.Image, axis: int) -> sitk.Image:
    flipped = sitk.GetImageFromArray(np.ascontiguousarray(np.flip(sitk.GetArrayFromImage(image), 2 - axis)))
    flipped.CopyInformation(image)
    return flipped


def _mirrored_transform(transform: RigidTransform, moving: Prepared) -> RigidTransform:
    """Put the mirrored body's centre where the body's centre was: near-symmetric anatomy then lies on itself."""
    normal = np.array(moving.geometry.direction)[:, _left_right(moving)]
    centre = moving.body_centre_mm
    shift = 2.0 * float((moving.centre_mm - centre) @ normal) * normal
    return RigidTransform(rotation=transform.rotation, translation_mm=transform.translation_mm + shift)


def _left_right(image: Prepared) -> int:
    return int(np.argmax(np.abs(np.array(image.geometry.direction)[0])))


def _agreement_mm(
    results: Sequence[StartResult], points_mm: NDArray[np.float64], followed: NDArray[np.float64]
) -> float:
    """Return the distance to the nearest other refined start; infinity when no other start got that far."""
    rivals = [result for result in results[1:] if result.level_mm < _coarsest(results)]
    return min((float(_distance(rival.transform.map(followed), points_mm).max()) for rival in rivals), default=np.inf)


def _coarsest(results: Sequence[StartResult]) -> float:
    levels = {result.level_mm for result in results}
    return max(levels) if len(levels) > 1 else np.inf


def _displacement_mm(pair: Pair, points_mm: NDArray[np.float64], followed: NDArray[np.float64]) -> float:
    centres = pair.moving.body_centre_mm - pair.fixed.body_centre_mm
    return float(_distance(points_mm, followed + centres).mean())


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.linalg.norm(one - other, axis=1)
    return distance
