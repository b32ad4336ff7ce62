"""Rigid multi-start search by Mattes mutual information (Mattes 2003; SimpleITK's registration framework)."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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


def search(
    fixed: Prepared,
    moving: Prepared,
    plan: RegistrationPlan,
    starts: Sequence[Start],
    *,
    progress: Progress,
    cancelled: Cancelled,
) -> tuple[StartResult, ...]:
    """Descend from every start; the best go on to the second level, the very best to the last.

    Args:
        fixed: The image whose points are sampled.
        moving: The image they are compared with.
        plan: Levels, sampling, seed.
        starts: At least one.
        progress: Called with a fraction 0 to 1 and a line of text.
        cancelled: Asked at every iteration.

    Returns:
        One result per start that could be followed, best first.

    Raises:
        RegistrationError: No start has any overlap.
        RegistrationCancelledError: `cancelled` said so.
    """
    with itk_threads(plan.threads):
        results = _descend(fixed, moving, plan, 0, starts, progress, cancelled, (0.0, 0.5))
        for index in range(1, len(plan.levels)):
            kept = plan.starts.refined if index == 1 else 1
            share = (0.5 * index / len(plan.levels) + 0.2, 0.5 * (index + 1) / len(plan.levels) + 0.3)
            again = [Start(name=result.name, transform=result.transform) for result in results[:kept]]
            refined = _descend(fixed, moving, plan, index, again, progress, cancelled, share)
            results = (*refined, *results[kept:])
    return results


def _descend(  # noqa: PLR0917
    fixed: Prepared,
    moving: Prepared,
    plan: RegistrationPlan,
    index: int,
    starts: Sequence[Start],
    progress: Progress,
    cancelled: Cancelled,
    share: tuple[float, float],
) -> tuple[StartResult, ...]:
    found: list[StartResult] = []
    faults: list[str] = []
    for number, start in enumerate(starts):
        progress(
            share[0] + (share[1] - share[0]) * number / len(starts),
            f"{plan.levels[index].spacing_mm:g} mm from {start.name}",
        )
        try:
            found.append(follow(fixed, moving, plan, index, start, cancelled))
        except RegistrationCancelledError:
            raise
        except RegistrationError as error:
            faults.append(f"{start.name}: {error}")
    if not found:
        raise RegistrationError(
            f"expected two images that overlap, found none of {len(starts)} starts usable: {faults[0]}"
        )
    best = max(result.overlap for result in found)
    return tuple(sorted(found, key=lambda result: result.metric * math.sqrt(result.overlap / best)))


def follow(
    fixed: Prepared, moving: Prepared, plan: RegistrationPlan, index: int, start: Start, cancelled: Cancelled
) -> StartResult:
    """Run one level from one start.

    Raises:
        RegistrationError: The bodies do not overlap at the start or at the end.
        RegistrationCancelledError: `cancelled` said so.
    """
    shared = overlap(fixed.body, moving.body, start.transform)
    if shared < MIN_START_OVERLAP:
        raise RegistrationError(f"bodies overlap by {100 * shared:.1f} %, expected {100 * MIN_START_OVERLAP:g} %")
    level = plan.levels[index]
    method = metric_method(fixed, moving, plan, level)
    _optimise(method, plan, level)
    moved = _euler(start.transform, fixed.body_centre_mm)
    method.SetInitialTransform(moved, inPlace=True)
    _watch(method, cancelled)
    try:
        method.Execute(fixed.pyramid[index], moving.pyramid[index])
        metric = float(method.GetMetricValue())
    except RuntimeError as error:
        raise RegistrationError("the images have too few points in common") from error
    if cancelled():
        raise RegistrationCancelledError(f"registration cancelled at {level.spacing_mm:g} mm from {start.name}")
    transform = from_itk_transform(moved)
    shared = overlap(fixed.body, moving.body, transform)
    if not math.isfinite(metric) or shared < MIN_START_OVERLAP:
        raise RegistrationError(f"the search drifted off the image (overlap {100 * shared:.1f} %)")
    return StartResult(name=start.name, transform=transform, metric=metric, overlap=shared, level_mm=level.spacing_mm)


def metric_method(
    fixed: Prepared, moving: Prepared, plan: RegistrationPlan, level: Level
) -> sitk.ImageRegistrationMethod:
    """Mattes mutual information of the two bodies at one level, sampled with the plan's seed."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(plan.threads)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=plan.bins)
    method.SetMetricFixedMask(fixed.body_image)
    method.SetMetricMovingMask(moving.body_image)
    method.SetMetricSamplingStrategy(sitk.ImageRegistrationMethod.RANDOM)
    method.SetMetricSamplingPercentage(level.sampling_percent / 100.0, plan.seed)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _optimise(method: sitk.ImageRegistrationMethod, plan: RegistrationPlan, level: Level) -> None:
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=level.step_mm,
        minStep=level.min_step_mm,
        numberOfIterations=level.iterations,
        relaxationFactor=plan.relaxation,
    )
    method.SetOptimizerScalesFromPhysicalShift()


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
