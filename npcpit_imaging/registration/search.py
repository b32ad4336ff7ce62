"""Rigid multi-start search by Mattes mutual information (Mattes 2003; SimpleITK's registration framework)."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from npcpit_imaging.config.registration import Level, RegistrationPlan
from npcpit_imaging.errors import RegistrationCancelledError, RegistrationError
from npcpit_imaging.registration.prepare import Prepared, overlap
from npcpit_imaging.volume.itk import from_itk_transform
from npcpit_imaging.volume.transform import RigidTransform

MIN_START_OVERLAP = 0.02
"""A start whose bodies share less than this fraction has too few points to descend from."""

ROTATION_WEIGHT = 0.5
"""Of the body's mean squared radius; between 0.3 and 1 the descent converges alike."""

Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where one search begins.

    Args:
        name: ``geometry``, ``moments``, ``identity``, ``geometry z+22``, ``given 1``.
        transform: Maps fixed points to moving points.
    """

    name: str
    transform: RigidTransform


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """Where one search ended.

    Args:
        name: The start's name.
        transform: Maps fixed points to moving points.
        metric: Negative Mattes mutual information at the last level run; lower is better.
        overlap: Common volume of the bodies, fraction of the smaller.
        level_mm: Spacing of the last level run.
    """

    name: str
    transform: RigidTransform
    metric: float
    overlap: float
    level_mm: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What a search works on.

    Args:
        fixed: The image whose points are sampled.
        moving: The image they are compared with.
        plan: Levels, sampling, seed.
        cancelled: Asked at every iteration; True stops.
    """

    fixed: Prepared
    moving: Prepared
    plan: RegistrationPlan
    cancelled: Cancelled

    def reversed(self) -> "Pair":
        """The same two images the other way."""
        return replace(self, fixed=self.moving, moving=self.fixed)


def search(pair: Pair, starts: Sequence[Start], progress: Progress) -> tuple[StartResult, ...]:
    """Descend from every start; the best go on to the second level, the very best to the last.

    Args:
        pair: What to align.
        starts: At least one.
        progress: Called with a fraction 0 to 1 and a line of text.

    Returns:
        One result per start that could be followed, best first.

    Raises:
        RegistrationError: No start has any overlap.
        RegistrationCancelledError: The pair's `cancelled` said so.
    """
    levels = pair.plan.levels
    results: tuple[StartResult, ...] = ()
    with itk_threads(pair.plan.threads):
        for index, level in enumerate(levels):
            kept = (len(starts), pair.plan.starts.refined)[index] if index < 2 else 1
            again = [Start(name=result.name, transform=result.transform) for result in results[:kept]]
            progress(index / len(levels), f"{level.spacing_mm:g} mm from {len(again) or len(starts)} starts")
            results = (*_descend(pair, index, again or starts), *results[kept:])
    return results


def _descend(pair: Pair, index: int, starts: Sequence[Start]) -> tuple[StartResult, ...]:
    found: list[StartResult] = []
    faults: list[str] = []
    for start in starts:
        try:
            found.append(follow(pair, index, start))
        except RegistrationCancelledError:
            raise
        except RegistrationError as error:
            faults.append(f"{start.name}: {error}")
    if not found:
        raise RegistrationError(
            f"expected two images that overlap, found none of {len(starts)} starts usable "
            f"at {pair.plan.levels[index].spacing_mm:g} mm: {faults[0] if faults else 'no start given'}"
        )
    best = max(result.overlap for result in found)
    return tuple(sorted(found, key=lambda result: result.metric * math.sqrt(result.overlap / best)))


def follow(pair: Pair, index: int, start: Start) -> StartResult:
    """Run one level from one start.

    Raises:
        RegistrationError: The bodies do not overlap at the start or at the end.
        RegistrationCancelledError: The pair's `cancelled` said so.
    """
    level = pair.plan.levels[index]
    _shared(pair, start.transform)
    method = metric_method(pair, level)
    _optimise(method, pair, level)
    moved = _euler(start.transform, pair.fixed.body_centre_mm)
    method.SetInitialTransform(moved, inPlace=True)
    _watch(method, pair.cancelled)
    try:
        method.Execute(pair.fixed.pyramid[index], pair.moving.pyramid[index])
        metric = float(method.GetMetricValue())
    except RuntimeError as error:
        raise RegistrationError("the images have too few points in common") from error
    if pair.cancelled():
        raise RegistrationCancelledError(f"registration cancelled at {level.spacing_mm:g} mm from {start.name}")
    if not math.isfinite(metric):
        raise RegistrationError("the metric is not a number")
    transform = from_itk_transform(moved)
    return StartResult(
        name=start.name,
        transform=transform,
        metric=metric,
        overlap=_shared(pair, transform),
        level_mm=level.spacing_mm,
    )


def _shared(pair: Pair, transform: RigidTransform) -> float:
    shared = overlap(pair.fixed.body, pair.moving.body, transform)
    if shared < MIN_START_OVERLAP:
        raise RegistrationError(
            f"expected the bodies to overlap by {100 * MIN_START_OVERLAP:g} %, found {100 * shared:.1f} %"
        )
    return shared


def metric_method(pair: Pair, level: Level) -> sitk.ImageRegistrationMethod:
    """Mattes mutual information of the two bodies at one level, and of the air around them where the plan says so."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(pair.plan.threads)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=pair.plan.bins)
    air_mm = pair.plan.body.air_mm
    method.SetMetricFixedMask(with_air(pair.fixed.body_image, air_mm) if air_mm else pair.fixed.body_image)
    if not air_mm:
        method.SetMetricMovingMask(pair.moving.body_image)
    method.SetMetricSamplingStrategy(sitk.ImageRegistrationMethod.RANDOM)
    method.SetMetricSamplingPercentage(_sampling(pair, level), pair.plan.seed)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def with_air(body: sitk.Image, air_mm: float) -> sitk.Image:
    """Return a body's mask with so much of the air around it."""
    radius = [round(air_mm / step) for step in body.GetSpacing()]
    return sitk.BinaryDilate(body, radius)


def _sampling(pair: Pair, level: Level) -> float:
    """Return the fraction of the grid to sample: the level's, or less where the body would give too many points."""
    image = pair.fixed.pyramid[pair.plan.levels.index(level)]
    spacing: tuple[float, ...] = image.GetSpacing()
    voxels = 1000.0 * pair.fixed.body.volume_ml / math.prod(spacing)
    return min(level.sampling_percent / 100.0, pair.plan.max_points / max(voxels, 1.0))


def _optimise(method: sitk.ImageRegistrationMethod, pair: Pair, level: Level) -> None:
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=level.step_mm,
        minStep=level.min_step_mm,
        numberOfIterations=level.iterations,
        relaxationFactor=pair.plan.relaxation,
    )
    method.SetOptimizerScales(rotation_scales(pair.fixed))


def rotation_scales(fixed: Prepared) -> list[float]:
    """Return what a radian about x, y, z and a millimetre along x, y, z weigh: ``[rx, ry, rz, 1, 1, 1]``.

    A radian weighs `ROTATION_WEIGHT` of the body's mean squared distance from the axis in mm2. ITK's own physical-shift
    scales take the image's corners instead, which made the descent stop 1 mm early (docs/registration.md).
    """
    squared = ((fixed.body_points_mm - fixed.body_centre_mm) ** 2).mean(axis=0)
    return [*(ROTATION_WEIGHT * float(squared.sum() - square) for square in squared), 1.0, 1.0, 1.0]


def _watch(method: sitk.ImageRegistrationMethod, cancelled: Cancelled) -> None:
    def ask() -> None:
        if cancelled():
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, ask)


def _euler(transform: RigidTransform, centre_mm: NDArray[np.float64]) -> sitk.Euler3DTransform:
    euler = sitk.Euler3DTransform()
    euler.SetCenter(centre_mm.tolist())
    euler.SetMatrix(transform.rotation.ravel().tolist(), 1e-4)
    euler.SetTranslation((transform.map(centre_mm) - centre_mm).tolist())
    return euler


_threads_lock = threading.Lock()
_threads_users: list[int] = []


@contextmanager
def itk_threads(count: int) -> Iterator[None]:
    """Hold ITK's process-wide thread number while a registration runs.

    Mattes' histograms are summed per thread, so only one thread gives the same bits twice; SimpleITK's per-filter
    setting does not reach the metric (measured: docs/registration.md).
    """
    with _threads_lock:
        _threads_users.append(sitk.ProcessObject.GetGlobalDefaultNumberOfThreads())
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    try:
        yield
    finally:
        with _threads_lock:
            if len(_threads_users) == 1:
                sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_threads_users[0])
                _threads_users.clear()
            else:
                _threads_users.pop()
