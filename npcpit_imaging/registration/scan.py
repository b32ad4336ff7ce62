"""Every translation at once: mutual information of two images by Fourier transform, to find where to begin."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import fft

from npcpit_imaging.registration.prepare import Prepared
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import reference_image
from npcpit_imaging.volume.transform import RigidTransform

BINS = 6
"""Equally populated grey classes; each pair of classes costs one inverse Fourier transform."""

MIN_COMMON = 0.1
"""A place must share this fraction of the smaller body."""

APART_STEPS = 3
"""Two kept places differ by more than this many steps along some axis."""


@dataclass(frozen=True, kw_only=True)
class _Classes:
    """Grey classes of a body, axis-aligned: ``labels`` `(K, J, I)` int8, -1 outside the body."""

    labels: NDArray[np.int8]
    corner_mm: NDArray[np.float64]


def scan_translations(fixed: Prepared, moving: Prepared, *, step_mm: float, kept: int) -> list[RigidTransform]:
    """Return the translations with the most mutual information, best first.

    The joint histogram of two grey classes at every shift is the correlation of their indicator images; the score is
    MI (less its small-sample bias) times the square root of the common fraction of the smaller body.

    Args:
        fixed: The fixed image.
        moving: The moving image; may be far larger or smaller.
        step_mm: Step of the translations.
        kept: How many places to return at most.
    """
    one, other = _classes(fixed, step_mm), _classes(moving, step_mm)
    shape = [fft.next_fast_len(a + b, real=True) for a, b in zip(one.labels.shape, other.labels.shape, strict=True)]
    score = _score(_joint(one.labels, other.labels, shape), min(_size(one), _size(other)))
    found: list[RigidTransform] = []
    for _ in range(kept):
        place = np.array(np.unravel_index(int(np.argmax(score)), score.shape))
        if score[tuple(place)] <= 0:
            break
        steps = np.where(place >= other.labels.shape, place - np.array(shape), place)
        shift_mm = other.corner_mm - one.corner_mm + steps[::-1] * step_mm
        found.append(RigidTransform(rotation=np.eye(3), translation_mm=shift_mm))
        _erase(score, place)
    return found


def _classes(image: Prepared, step_mm: float) -> _Classes:
    corners = image.geometry.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.maximum(1, np.ceil((high - low) / step_mm)).astype(int) + 1
    i, j, k = (int(value) for value in size)
    grid = Geometry(
        shape_kji=(k, j, i),
        origin_mm=(float(low[0]), float(low[1]), float(low[2])),
        spacing_mm=(step_mm, step_mm, step_mm),
    )
    grey = _onto(image.pyramid[0], grid, sitk.sitkLinear)
    body = _onto(image.body_image, grid, sitk.sitkNearestNeighbor) > 0
    labels = np.full(grey.shape, -1, np.int8)
    if body.any():
        edges = np.percentile(grey[body], np.linspace(0, 100, BINS + 1)[1:-1])
        labels[body] = np.searchsorted(edges, grey[body])
    return _Classes(labels=labels, corner_mm=low)


def _onto(image: sitk.Image, grid: Geometry, interpolator: int) -> NDArray[np.float32]:
    resampled = sitk.Resample(image, reference_image(grid), sitk.Transform(), interpolator, 0.0, sitk.sitkFloat32)
    array: NDArray[np.float32] = sitk.GetArrayFromImage(resampled)
    return array


def _joint(one: NDArray[np.int8], other: NDArray[np.int8], shape: list[int]) -> NDArray[np.float32]:
    """Count pairs of classes at every shift: ``(BINS, BINS, *shape)``; shift s puts fixed voxel v on moving v + s."""
    forward = [np.conj(fft.rfftn((one == grey).astype(np.float32), shape)) for grey in range(BINS)]
    backward = [fft.rfftn((other == grey).astype(np.float32), shape) for grey in range(BINS)]
    joint = np.empty((BINS, BINS, *shape), np.float32)
    for a in range(BINS):
        for b in range(BINS):
            joint[a, b] = np.rint(fft.irfftn(forward[a] * backward[b], shape))
    return np.maximum(joint, 0.0)


def _score(joint: NDArray[np.float32], smaller: int) -> NDArray[np.float32]:
    count = joint.sum(axis=(0, 1))
    usable = count >= max(1.0, MIN_COMMON * smaller)
    total = np.maximum(count, 1.0)
    entropies = [_entropy(joint.sum(axis=axis), total) for axis in (0, 1)]
    information = entropies[0] + entropies[1] - _entropy(joint.reshape(-1, *count.shape), total)
    bias = (BINS - 1) ** 2 / (2.0 * total)
    score: NDArray[np.float32] = (information - bias) * np.sqrt(total / max(smaller, 1)) * usable
    return score


def _entropy(counts: NDArray[np.float32], total: NDArray[np.float32]) -> NDArray[np.float32]:
    entropy = np.log(total)
    for count in counts:
        entropy = entropy - count * np.log(np.maximum(count, 1.0)) / total
    return entropy


def _erase(score: NDArray[np.float32], place: NDArray[np.intp]) -> None:
    around = [
        np.arange(at - APART_STEPS, at + APART_STEPS + 1) % size for at, size in zip(place, score.shape, strict=True)
    ]
    score[np.ix_(*around)] = 0.0


def _size(classes: _Classes) -> int:
    return int(np.count_nonzero(classes.labels >= 0))
