"""Rigid refinement of one modality by Gauss-Newton on grey values, up to full resolution.

Mutual information on sampled points stops some tenths of a millimetre early. From there every residual counts at once:
gradients of the moving image, robust weights (Geman-McClure), evenly chosen voxels of the body. There is no chance in
it, and no sum whose order depends on threads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from npcpit_imaging.config.registration import Polish
from npcpit_imaging.errors import RegistrationCancelledError
from npcpit_imaging.registration.brightness import Brightness, matched
from npcpit_imaging.registration.prepare import shrink
from npcpit_imaging.registration.search import Pair, StartResult
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import geometry_of
from npcpit_imaging.volume.transform import RigidTransform

MIN_POINTS = 1000
"""With fewer points in common there is nothing to refine by."""

STILL_MM = 0.01
"""A level ends when no point of the body moves by more than this."""

LONGEST_MM = 3.0
"""No point of the body moves by more than this in one step."""

BRIGHTNESS_GRID = 0.25
"""Grid of the local brightness as a share of its reach: so smooth a field needs no finer one."""

Points = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """Both images on the coarse grid on which their brightness is fitted.

    Args:
        fixed: `(K, J, I)`.
        body: `(K, J, I)`, where it is compared.
        grid: Of the fixed image.
        moving: `(K, J, I)`.
        other: The moving image's grid.
    """

    fixed: Image
    body: NDArray[np.bool_]
    grid: Geometry
    moving: Image
    other: Geometry


@dataclass(frozen=True, kw_only=True)
class Scene(Smooth):
    """Both images at one resolution.

    Args:
        slopes: `(3, K, J, I)`, the moving image's derivatives along i, j, k per mm.
        smooth: The same two for the local brightness; None where grey values are taken as they are.
    """

    slopes: Image
    smooth: Smooth | None


def polished(pair: Pair, results: Sequence[StartResult]) -> tuple[StartResult, ...]:
    """Refine the best of what a search found.

    Args:
        pair: What was aligned.
        results: Where the search ended, best first.

    Returns:
        The same, the first one refined where the plan says so and the way does not lead far off.

    Raises:
        RegistrationCancelledError: The pair's `cancelled` said so.
    """
    best, *others = results
    rule, points = pair.plan.polish, pair.fixed.body_points_mm
    if not rule.enabled:
        return tuple(results)
    transform = best.transform
    for spacing_mm in rule.spacings_mm:
        transform = [transform, *descend(pair, scene_of(pair, spacing_mm), transform)][-1]
    away = np.linalg.norm(transform.map(points) - best.transform.map(points), axis=1).max()
    return (replace(best, transform=transform) if away <= rule.farthest_mm else best, *others)


def descend(pair: Pair, scene: Scene, start: RigidTransform) -> Iterator[RigidTransform]:
    """Yield every step of one level; nothing when the images have too little in common."""
    rule, transform = pair.plan.polish, start
    chosen = np.flatnonzero(scene.body)
    chosen = chosen[:: max(1, len(chosen) // rule.points)]
    points = scene.grid.to_mm(np.stack(np.unravel_index(chosen, scene.body.shape), axis=1))
    values = scene.fixed.ravel()[chosen]
    middle = points.mean(axis=0)
    reach = float(np.linalg.norm(points - middle, axis=1).max())
    for _ in range(2 if rule.local_mm else 1):
        bright = _brightness(scene, transform, rule, points)
        for _ in range(rule.iterations):
            if pair.cancelled():
                raise RegistrationCancelledError("registration cancelled during the rigid refinement")
            step = _solved(scene, transform, (points, values), bright, robust=rule.robust)
            if step is None:
                return
            length = float(np.linalg.norm(step[:3])) * reach + float(np.linalg.norm(step[3:]))
            transform = _stepped(transform, step * min(1.0, LONGEST_MM / max(length, 1e-12)), middle)
            yield transform
            if length < STILL_MM:
                break


def _brightness(scene: Scene, transform: RigidTransform, rule: Polish, points: Points) -> Brightness:
    if scene.smooth is None:
        return Brightness(scale=np.ones(len(points)), offset=np.zeros(len(points)))
    coarse = scene.smooth
    found = matched(
        (coarse.fixed, coarse.grid, coarse.body), (coarse.moving, coarse.other), transform, reach_mm=rule.local_mm
    )
    return found.at(coarse.grid.to_index(points).T)


def _solved(
    scene: Scene, transform: RigidTransform, chosen: tuple[Points, Image], bright: Brightness, *, robust: float
) -> NDArray[np.float64] | None:
    """Return the step, a turn about x, y, z and a shift; None with too few points in common."""
    points, values = chosen
    places = scene.other.to_index(transform.map(points)).T
    last = np.array(scene.other.shape_kji)[:, None] - 1
    within = np.all((places >= 0) & (places <= last), axis=0)
    if np.count_nonzero(within) < MIN_POINTS:
        return None
    places, arms = places[:, within], points[within] - points.mean(axis=0)
    scale, offset = bright.scale[within], bright.offset[within]
    residual = values[within] - (scale * ndimage.map_coordinates(scene.moving, places, order=1) + offset)
    slopes = np.stack([ndimage.map_coordinates(part, places, order=1) for part in scene.slopes], axis=1)
    gradient = scale[:, None] * (slopes @ (np.array(scene.other.direction).T @ transform.rotation))
    jacobian = np.concatenate([np.cross(arms, gradient), gradient], axis=1)
    spread = 1.4826 * float(np.median(np.abs(residual))) + 1e-6
    weighed = jacobian / (1.0 + (residual / (robust * spread)) ** 2)[:, None] ** 2
    matrix = weighed.T @ jacobian
    matrix += 1e-9 * np.trace(matrix) / 6 * np.eye(6)
    step: NDArray[np.float64] = np.linalg.solve(matrix, weighed.T @ residual)
    return step


def _stepped(transform: RigidTransform, step: NDArray[np.float64], middle: Points) -> RigidTransform:
    """Turn and shift the fixed space first, then map as before."""
    turn = Rotation.from_rotvec(step[:3]).as_matrix()
    shift = middle + step[3:] - turn @ middle
    return RigidTransform(
        rotation=transform.rotation @ turn, translation_mm=transform.rotation @ shift + transform.translation_mm
    )


def scene_of(pair: Pair, spacing_mm: float) -> Scene:
    """Return both images at one resolution; 0 is each image's own grid, where nothing is clamped.

    A clamped edge that was interpolated lies elsewhere than an interpolated one that was clamped: 0.2 mm on a phantom.
    """
    images = (pair.fixed, pair.moving)
    fixed, moving = (shrink(image.clamped, spacing_mm) if spacing_mm else image.native for image in images)
    other, steps = _array(moving), moving.GetSpacing()[::-1]
    return Scene(
        fixed=_array(fixed),
        body=_body_on(pair, fixed),
        grid=geometry_of(fixed),
        moving=other,
        slopes=np.stack([np.gradient(other, steps[axis], axis=axis) for axis in (2, 1, 0)]).astype(np.float32),
        other=geometry_of(moving),
        smooth=_smooth_of(pair, (fixed, moving), pair.plan.polish.local_mm),
    )


def _smooth_of(pair: Pair, images: tuple[sitk.Image, sitk.Image], reach_mm: float) -> Smooth | None:
    if not reach_mm:
        return None
    fixed, moving = (shrink(image, BRIGHTNESS_GRID * reach_mm) for image in images)
    return Smooth(
        fixed=_array(fixed),
        body=_body_on(pair, fixed),
        grid=geometry_of(fixed),
        moving=_array(moving),
        other=geometry_of(moving),
    )


def _body_on(pair: Pair, grid: sitk.Image) -> NDArray[np.bool_]:
    body = sitk.Resample(pair.fixed.body_image, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    within: NDArray[np.bool_] = sitk.GetArrayFromImage(body) > 0
    return within


def _array(image: sitk.Image) -> Image:
    array: Image = sitk.GetArrayFromImage(image).astype(np.float32, copy=False)
    return array
