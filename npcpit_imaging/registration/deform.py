"""Deformable refinement of one modality: a cubic B-spline by Gauss-Newton on locally normalised grey values.

Residuals are weighed robustly (Geman-McClure). Gradients are the mean of both images' on the first level (as in
symmetric demons and ESM), the warped image's after that. The linear problem of each step is solved by conjugate
gradients (preconditioned), the splines applied axis by axis.
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
from npcpit_imaging.registration.normalise import normalised
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

MIN_VOXELS = 1000
"""With fewer common voxels nothing can be refined."""

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """Both images of one level, the fixed grid's splines, and where its voxels lie in the moving image.

    Args:
        far: Whether what is sought may still be voxels away: then both images' gradients lead there in fewer steps.
            Not later, for the fixed one's holds the noise of the residual, which no step takes away: where tissue is
            even, every step pushes it on.
    """

    fixed: Array
    moving: Array
    body: NDArray[np.bool_]
    grid: Geometry
    values: Axes
    start: tuple[Array, Array, Array]
    turn: Array
    far: bool

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
        scene = _scene(pair, rigid, lattice, level.spacing_mm, far=number == 0)
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
    fixed, warped = normalised((scene.fixed, warped), common, scene.grid, rule.local_mm)
    residual = np.where(common, fixed - warped, np.float32(0))
    slopes = _slopes(warped, scene.grid)
    if scene.far:
        slopes = np.float32(0.5) * (_slopes(fixed, scene.grid) + slopes)
    weight = _weights(residual, common, rule, moved[0].size)
    penalty = Penalty(bending=rule.bending, size=rule.size)
    pull = np.stack([transpose(scene.values, weight * slope * residual) for slope in slopes]) - penalty(moved)
    stiff = np.stack([transpose(scene.squared, weight * slope * slope) for slope in slopes]) + penalty.diagonal

    def curvature(step: Array) -> Array:
        pulled = np.zeros_like(weight)
        for slope, part in zip(slopes, step, strict=True):
            pulled += weight * slope * forward(scene.values, part)
        return np.stack([transpose(scene.values, slope * pulled) for slope in slopes]) + penalty(step)

    return _solve(curvature, pull, stiff)


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
    """Return the moving image on the fixed grid, NaN where it shows nothing, and where both show the body."""
    parts = [forward(scene.values, part) for part in moved]
    places = [
        scene.start[row] + sum((scene.turn[row, axis] * parts[axis] for axis in range(3)), start=np.float32(0))
        for row in range(3)
    ]
    warped: Array = ndimage.map_coordinates(scene.moving, places, order=1, cval=np.nan, output=np.float32)
    return warped, scene.body & np.isfinite(warped)


def _slopes(image: Array, grid: Geometry) -> Array:
    """Return the gradient `(3, K, J, I)` along i, j, k per mm; nought across the ends of what the image shows.

    There a difference is one-sided and holds the voxel's own noise, which its residual holds too. Their product does
    not average out: it pushed the end slices of even tissue (a liver) 4 mm along (docs/registration.md).
    """
    slopes: Array = np.zeros((3, *image.shape), np.float32)
    for axis, slope in zip((2, 1, 0), slopes, strict=True):
        along, here = np.moveaxis(image, axis, 0), np.moveaxis(slope, axis, 0)
        here[1:-1] = (along[2:] - along[:-2]) / np.float32(2 * grid.spacing_mm[2 - axis])
    return np.nan_to_num(slopes, copy=False)


def _scene(pair: Pair, rigid: RigidTransform, lattice: Geometry, spacing_mm: float, *, far: bool) -> _Scene:
    fixed, grid, body = _level(pair.fixed, spacing_mm)
    moving, other, _ = _level(pair.moving, spacing_mm)
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
        far=far,
    )


def _level(image: Prepared, spacing_mm: float) -> tuple[Array, Geometry, NDArray[np.bool_]]:
    shrunk = shrink(image.clamped, spacing_mm)
    onto_grid = sitk.Resample(image.body_image, shrunk, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    body = sitk.GetArrayFromImage(onto_grid) > 0
    return sitk.GetArrayFromImage(shrunk), geometry_of(shrunk), body
