"""Deformable refinement of one modality: a cubic B-spline by Gauss-Newton on locally normalised grey values.

Residuals are weighed robustly (Geman-McClure), gradients are the mean of both images' (as in symmetric demons and ESM),
and the linear problem of each step is solved by preconditioned conjugate gradients, the splines applied axis by axis.
Every voxel takes part, none is sampled, so the result has no seed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.registration import Deformable
from npcpit_imaging.errors import RegistrationCancelledError, RegistrationError
from npcpit_imaging.registration.penalty import Penalty
from npcpit_imaging.registration.prepare import Prepared, shrink
from npcpit_imaging.registration.search import Cancelled, Pair, Progress
from npcpit_imaging.volume.bspline import Axes, basis, forward, lattice_over, transpose
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import geometry_of
from npcpit_imaging.volume.transform import RigidTransform

CG_STEPS = 12
"""Conjugate-gradient steps of one Gauss-Newton step; more change nothing that the next step does not."""

CG_TOLERANCE = 0.02
"""Stop them when the residual fell to this fraction."""

STILL = 0.05
"""A level ends when the largest control point moves by less than this fraction of its spacing."""

LONGEST_STEP = 2.0
"""No control point moves by more than this many voxels of the level in one step."""

FLAT = 0.05
"""Share of the whole variance added to every local variance, so that noise in flat tissue stays small."""

SEEN = 0.01
"""Where the images tell a control point's shift this sharply (curvature of the residuals), moving costs half."""

MIN_VOXELS = 1000
"""With fewer common voxels nothing can be refined."""

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """Both images of one level, the fixed grid's splines, and where its voxels lie in the moving image."""

    fixed: Array
    moving: Array
    body: NDArray[np.bool_]
    grid: Geometry
    values: Axes
    start: tuple[Array, Array, Array]
    turn: Array

    @property
    def squared(self) -> Axes:
        k, j, i = self.values
        return (k * k, j * j, i * i)


def deform(pair: Pair, rigid: RigidTransform, rule: Deformable, progress: Progress) -> DeformableTransform:
    """Refine a rigid transform so that it follows what is not rigid.

    Args:
        pair: The two images, made ready; asked whether it is cancelled at every step.
        rigid: Maps fixed points to moving points, a few mm from the truth.
        rule: Levels, spacing of control points, penalties.
        progress: Called with a fraction 0 to 1 and a line of text.

    Returns:
        The refined transform; the caller must look at its Jacobian.

    Raises:
        RegistrationError: The bodies share too few voxels.
        RegistrationCancelledError: The pair's `cancelled` said so.
    """
    lattice = lattice_over(pair.fixed.geometry, rule.control_spacing_mm)
    moved: Array = np.zeros((3, *lattice.shape_kji), np.float32)
    for number, level in enumerate(rule.levels):
        progress(number / len(rule.levels), f"deformable, {level.spacing_mm:g} mm")
        scene = _scene(pair, rigid, lattice, level.spacing_mm, rule)
        for step in _steps(scene, moved, rule, level.iterations, pair.cancelled):
            moved = moved + step
    axes = np.array(lattice.direction)
    coefficients = np.einsum("xa,akji->xkji", axes, moved.astype(float))
    return DeformableTransform(rigid=rigid, lattice=lattice, coefficients_mm=coefficients)


def _steps(scene: _Scene, moved: Array, rule: Deformable, most: int, cancelled: Cancelled) -> Iterator[Array]:
    longest = LONGEST_STEP * max(scene.grid.spacing_mm)
    still = STILL * min(scene.grid.spacing_mm)
    for _ in range(most):
        if cancelled():
            raise RegistrationCancelledError("registration cancelled during the deformable refinement")
        step = _gauss_newton(scene, moved, rule)
        largest = float(np.abs(step).max())
        step = step * np.float32(min(1.0, longest / max(largest, 1e-9)))
        moved = moved + step
        yield step
        if largest < still:
            return


def _gauss_newton(scene: _Scene, moved: Array, rule: Deformable) -> Array:
    """Return the step `(3, k, j, i)` along the lattice's axes i, j, k that the linearised problem asks for."""
    warped, common = _warp(scene, moved)
    if np.count_nonzero(common) < MIN_VOXELS:
        raise RegistrationError("deformable: expected bodies that overlap, found too few voxels in common")
    residual = scene.fixed - warped
    slopes = np.float32(0.5) * (_slopes(scene.fixed, scene.grid) + _slopes(warped, scene.grid))
    weight = _weights(residual, common, rule, moved[0].size)
    seen = np.stack([transpose(scene.squared, weight * slope * slope) for slope in slopes])
    penalty = Penalty(bending=rule.bending, size=unseen(seen, rule))
    pull = np.stack([transpose(scene.values, weight * slope * residual) for slope in slopes]) - penalty(moved)
    stiff = seen + penalty.diagonal

    def curvature(step: Array) -> Array:
        pulled = np.zeros_like(weight)
        for slope, part in zip(slopes, step, strict=True):
            pulled += weight * slope * forward(scene.values, part)
        return np.stack([transpose(scene.values, slope * pulled) for slope in slopes]) + penalty(step)

    return _solve(curvature, pull, stiff)


def unseen(seen: Array, rule: Deformable) -> Array:
    """Return the price of moving at each control point `(k, j, i)`: whole where the images say nothing of it.

    A price that is the same everywhere holds back what is plainly seen to move far: of a large tumour that shrank, the
    carried mask stayed 19 % too large (docs/registration.md).

    Args:
        seen: `(3, k, j, i)`, how sharply the images tell a shift of each control point.
        rule: The price.
    """
    price: Array = (rule.size * SEEN / (SEEN + seen.mean(axis=0))).astype(np.float32)
    return price


def _solve(curvature: Callable[[Array], Array], pull: Array, stiff: Array) -> Array:
    """Conjugate gradients on ``curvature(step) = pull``, preconditioned by the diagonal `stiff`."""
    step: Array = np.zeros_like(pull)
    rest, first = pull.copy(), float(np.sqrt((pull**2).sum()))
    eased = rest / stiff
    way, size = eased.copy(), float((rest * eased).sum())
    for _ in range(CG_STEPS):
        bent = curvature(way)
        length = np.float32(size / max(float((way * bent).sum()), 1e-30))
        step += length * way
        rest -= length * bent
        if float(np.sqrt((rest**2).sum())) <= CG_TOLERANCE * first:
            break
        eased = rest / stiff
        following = float((rest * eased).sum())
        way, size = eased + np.float32(following / max(size, 1e-30)) * way, following
    return step


def _weights(residual: Array, common: NDArray[np.bool_], rule: Deformable, control_points: int) -> Array:
    """Return what each voxel counts: nothing outside, little where the images cannot agree (a lesion that shrank)."""
    spread = 1.4826 * float(np.median(np.abs(residual[common]))) + 1e-6
    robust = 1.0 / (1.0 + (residual / (rule.robust * spread)) ** 2)
    share = control_points / (float(np.count_nonzero(common)) * spread**2)
    weight: Array = (common * robust * share).astype(np.float32)
    return weight


def _warp(scene: _Scene, moved: Array) -> tuple[Array, NDArray[np.bool_]]:
    parts = [forward(scene.values, part) for part in moved]
    places = [
        scene.start[row] + sum((scene.turn[row, axis] * parts[axis] for axis in range(3)), start=np.float32(0))
        for row in range(3)
    ]
    warped: Array = ndimage.map_coordinates(scene.moving, places, order=1, mode="nearest", output=np.float32)
    common = scene.body.copy()
    for place, size in zip(places, scene.moving.shape, strict=True):
        common &= (place >= 0) & (place <= size - 1)
    return warped, common


def _slopes(image: Array, grid: Geometry) -> Array:
    """Return the gradient `(3, K, J, I)` along i, j, k per mm."""
    steps = grid.spacing_mm[::-1]
    along = [np.gradient(image, steps[axis], axis=axis) for axis in (2, 1, 0)]
    return np.stack(along).astype(np.float32)


def _scene(pair: Pair, rigid: RigidTransform, lattice: Geometry, spacing_mm: float, rule: Deformable) -> _Scene:
    fixed, grid, body = _level(pair.fixed, spacing_mm, rule.local_mm)
    moving, other, _ = _level(pair.moving, spacing_mm, rule.local_mm)
    to_index = np.linalg.inv(other.affine[:3, :3])
    straight = to_index @ rigid.rotation @ grid.affine[:3, :3]
    first = to_index @ (rigid.map(grid.affine[:3, 3]) - other.affine[:3, 3])
    turn = to_index @ rigid.rotation @ np.array(lattice.direction)
    k, j, i = np.ogrid[tuple(slice(0, size) for size in grid.shape_kji)]
    start = [
        (straight[row, 0] * i + straight[row, 1] * j + straight[row, 2] * k + first[row]).astype(np.float32)
        for row in (2, 1, 0)
    ]
    return _Scene(
        fixed=fixed,
        moving=moving,
        body=body,
        grid=grid,
        values=basis(lattice, grid).values,
        start=(start[0], start[1], start[2]),
        turn=turn[::-1].astype(np.float32),
    )


def _level(image: Prepared, spacing_mm: float, local_mm: float) -> tuple[Array, Geometry, NDArray[np.bool_]]:
    shrunk = shrink(image.clamped, spacing_mm)
    grid = geometry_of(shrunk)
    onto_grid = sitk.Resample(image.body_image, shrunk, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    body = sitk.GetArrayFromImage(onto_grid) > 0
    return normalised(sitk.GetArrayFromImage(shrunk), body, grid, local_mm), grid, body


def normalised(image: Array, body: NDArray[np.bool_], grid: Geometry, local_mm: float) -> Array:
    """Return grey values less their local mean, over their local spread; over the whole body when `local_mm` is 0.

    Makes two MR images with different bias fields, or of scanners with different scales, comparable voxel by voxel.
    """
    whole = float(image[body].var()) + 1e-6
    if local_mm == 0:
        centred: Array = ((image - image[body].mean()) / np.sqrt(whole)).astype(np.float32)
        return centred
    reach = [local_mm / step for step in grid.spacing_mm[::-1]]
    share = ndimage.gaussian_filter(body.astype(np.float32), reach, truncate=3.0) + 1e-3
    mean = ndimage.gaussian_filter(image * body, reach, truncate=3.0) / share
    square = ndimage.gaussian_filter(image * image * body, reach, truncate=3.0) / share
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0) + FLAT * whole)
    local: Array = ((image - mean) / spread).astype(np.float32)
    return local
