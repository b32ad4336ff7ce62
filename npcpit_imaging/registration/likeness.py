"""How alike two aligned images are, within their common body: numbers that do not depend on the search."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.registration.prepare import Prepared
from npcpit_imaging.volume.deformable import Transform
from npcpit_imaging.volume.itk import geometry_of
from npcpit_imaging.volume.resample import itk_transform
from npcpit_imaging.volume.transform import RigidTransform

WINDOW = 5
"""Side, in voxels, of the window in which grey values are correlated."""

FLAT = 0.02
"""Share of the whole variance below which a window counts as flat and says little."""

HISTOGRAM_BINS = 32
"""Bins per image of the joint histogram."""

MIN_VOXELS = 100
"""With fewer common voxels nothing is computed and both numbers are 0."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How alike two images are where both show the body.

    Args:
        similarity: Squared local correlation, 0 to 1, weighed by local contrast.
        mutual_information: Normalised (symmetric uncertainty), 0 (independent) to 1 (one-to-one).
        common_ml: Volume of the common body in mL.
    """

    similarity: float
    mutual_information: float
    common_ml: float


def likeness(fixed: Prepared, moving: Prepared, transform: Transform, *, level: int) -> Likeness:
    """Compare two images under a transform on one level of their pyramids."""
    grid = fixed.pyramid[level]
    here = np.asarray(sitk.GetArrayFromImage(grid), float)
    there = _onto(moving.pyramid[level], grid, transform, sitk.sitkLinear)
    common = (_onto(moving.body_image, grid, transform, sitk.sitkNearestNeighbor) > 0) & (
        _onto(fixed.body_image, grid, RigidTransform.identity(), sitk.sitkNearestNeighbor) > 0
    )
    common_ml = float(np.count_nonzero(common) * np.prod(grid.GetSpacing())) / 1000.0
    if np.count_nonzero(common) < MIN_VOXELS:
        return Likeness(similarity=0.0, mutual_information=0.0, common_ml=common_ml)
    return Likeness(
        similarity=local_correlation(here, there, common),
        mutual_information=normalised_mutual_information(here[common], there[common]),
        common_ml=common_ml,
    )


def local_correlation(one: NDArray[np.float64], other: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Return the squared correlation in small windows, averaged with local contrast as weight.

    Args:
        one: `(K, J, I)`.
        other: `(K, J, I)`.
        mask: `(K, J, I)` voxels that count.

    Returns:
        0 (unrelated) to 1 (locally linear); 0 where either image is flat.
    """
    share = np.maximum(_mean(mask.astype(float)), 1e-6)
    first, second = _mean(one * mask) / share, _mean(other * mask) / share
    variance_one = np.maximum(_mean(one * one * mask) / share - first**2, 0.0)
    variance_other = np.maximum(_mean(other * other * mask) / share - second**2, 0.0)
    covariance = _mean(one * other * mask) / share - first * second
    chosen = mask & (share > 0.5)
    weight = np.sqrt(variance_one[chosen] * variance_other[chosen])
    if not weight.sum() > 0:
        return 0.0
    floor_one, floor_other = FLAT * one[mask].var(), FLAT * other[mask].var()
    squared = covariance[chosen] ** 2 / ((variance_one[chosen] + floor_one) * (variance_other[chosen] + floor_other))
    return float((squared * weight).sum() / weight.sum())


def normalised_mutual_information(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return 2 I(A; B) / (H(A) + H(B)) of two lists of grey values (symmetric uncertainty)."""
    counts, _, _ = np.histogram2d(one, other, bins=HISTOGRAM_BINS)
    joint = counts / counts.sum()
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return 0.0 if apart == 0 else float(2.0 * (apart - _entropy(joint.ravel())) / apart)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = ndimage.uniform_filter(values, WINDOW, mode="constant")
    return mean


def _entropy(probability: NDArray[np.float64]) -> float:
    positive = probability[probability > 0]
    return float(-(positive * np.log(positive)).sum())


def _onto(image: sitk.Image, grid: sitk.Image, transform: Transform, interpolator: int) -> NDArray[np.float64]:
    moved = sitk.Resample(image, grid, itk_transform(transform, geometry_of(grid)), interpolator, 0.0, sitk.sitkFloat32)
    return np.asarray(sitk.GetArrayFromImage(moved), float)
