"""What a voxel classifier sees: a voxel's place, its intensity beside the lesion's core, how hard it is to reach.

Every feature is relative (to the frame's size, to the core's spread), so that one calibration serves lesions of any
size and MR of any scale.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.region import Floats, Region
from npcpit_imaging.volume.volume import Modality

LINE_CORE = (0.8, 0.45 / 0.75, 0.25)
"""Half-axes of the ellipsoid taken as surely lesion, in half-lengths of a line's frame."""

BOX_CORE = (0.45, 0.45, 0.45)
"""The same for a box."""

LINE_OUTSIDE = 1.3
"""Beyond this many half-lengths from a line's centre, voxels are taken as surely not lesion."""

BOX_OUTSIDE = 1.02
"""The same beyond a box's faces."""

CT_WINDOW_HU = (-200.0, 300.0)
"""Air and bone are as far from soft tissue as anything needs to be."""

SMOOTHING_MM = 1.0
"""Noise is smoothed this far (standard deviation), but at most 0.7 voxel."""

HISTOGRAM_BINS = 48
CLIP_SPREADS = 4.0
"""Intensities further than this many spreads from the core's median are equally unlike it."""

SIZE_RANGE_MM = (20.0, 140.0)
"""Diameters met while fitting; smaller and larger lesions are taken as these."""

FAR = 6.0
"""Geodesic distances beyond this many half-lengths are equally far."""

NAMES = (
    "along", "across", "through", "radius", "intensity", "unlikeness", "likelihood",
    "geodesic", "edge", "likelihood_smooth", "intensity_smooth", "unlikeness_smooth", "size",
)  # fmt: skip
"""Features of every modality, in the order of the calibration's columns."""

PET_NAMES = (*NAMES, "fraction", "fraction_squared", "suv")
"""PET adds the uptake as a fraction of the core's hottest voxels, and the SUV itself."""


@dataclass(frozen=True, kw_only=True)
class Core:
    """Where the prompt says surely lesion and surely not, and what the lesion's core looks like.

    Args:
        inside: `(K, J, I)` bool.
        outside: `(K, J, I)` bool.
        median: Median intensity of the core.
        spread: Robust standard deviation of the core, never below the noise one must expect.
    """

    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    median: float
    spread: float


def feature_names(modality: Modality) -> tuple[str, ...]:
    """The features of a modality in the order of their columns."""
    return PET_NAMES if modality is Modality.PT else NAMES


def features(region: Region, frame: Frame, modality: Modality) -> Floats:
    """Features `(N, F)` float32 of every voxel of a region, in C order."""
    image = prepare(region, modality)
    u, v, w = frame.coordinates(region.geometry)
    radius = np.sqrt(u * u + v * v + w * w)
    core = find_core(image, frame, (u, v, w), radius, modality)
    smooth = ndimage.gaussian_filter(image, _smooth_voxels(region, frame), mode="nearest")
    near, near_smooth = (
        np.clip((values - core.median) / core.spread, -CLIP_SPREADS, CLIP_SPREADS) for values in (image, smooth)
    )
    edge = np.minimum(_gradient(image) / core.spread, 3.0)
    columns = [
        u * u, v * v, w * w, radius, near, np.abs(near), likelihood_ratio(image, core),
        geodesic(near, edge, core, region, frame), edge,
        likelihood_ratio(smooth, core), near_smooth, np.abs(near_smooth), _size(frame),
    ]  # fmt: skip
    if modality is Modality.PT:
        columns += _uptake_columns(region, core)
    shape = region.values.shape
    return np.stack([np.broadcast_to(column, shape).ravel() for column in columns], axis=1).astype(np.float32)


def prepare(region: Region, modality: Modality) -> Floats:
    """The intensities a classifier works on: windowed CT, the root of SUV, noise smoothed."""
    values = compared(region, modality)
    if modality is Modality.PT:
        return values
    voxels = np.minimum(0.7, SMOOTHING_MM / np.array(region.geometry.spacing_mm[::-1]))
    smoothed: Floats = ndimage.gaussian_filter(values, voxels, mode="nearest")
    return smoothed


def compared(region: Region, modality: Modality) -> Floats:
    """The intensities by which a click's boxes are compared: windowed CT, the root of SUV, MR as it is."""
    if modality is Modality.PT:
        root: Floats = np.sqrt(np.maximum(region.values, 0.0))
        return root
    return np.clip(region.values, *CT_WINDOW_HU) if modality is Modality.CT else region.values


def find_core(
    image: Floats, frame: Frame, place: tuple[Floats, Floats, Floats], radius: Floats, modality: Modality
) -> Core:
    """Tell surely lesion from surely not by place alone, and describe the lesion's core."""
    u, v, w = place
    a, b, c = LINE_CORE if frame.line is not None else BOX_CORE
    inside = (u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2 <= 1.0
    if np.count_nonzero(inside) < 5:
        inside = radius <= np.partition(radius.ravel(), min(7, radius.size - 1))[min(7, radius.size - 1)]
    if frame.line is not None:
        outside = radius > LINE_OUTSIDE
    else:
        outside = np.maximum(np.maximum(np.abs(u), np.abs(v)), np.abs(w)) > BOX_OUTSIDE
    if np.count_nonzero(outside) < 20:
        outside = radius >= np.percentile(radius, 80)
    median = float(np.median(image[inside]))
    spread = 1.4826 * float(np.median(np.abs(image[inside] - median)))
    return Core(
        inside=inside, outside=outside, median=median, spread=max(spread, _least_spread(image, median, modality))
    )


def likelihood_ratio(image: Floats, core: Core) -> Floats:
    """Log of how much more often each voxel's intensity occurs in the core than outside, by smoothed histograms."""
    sample = image[core.inside | core.outside]
    low, high = np.percentile(sample, [0.5, 99.5])
    width = max(float(high - low), 1e-6)
    bins = np.clip((image - low) / width * HISTOGRAM_BINS, 0, HISTOGRAM_BINS - 1).astype(np.intp)
    inside, outside = (_histogram(bins[where]) for where in (core.inside, core.outside))
    ratio: Floats = np.log(inside / outside).astype(np.float32)[bins]
    return ratio


def geodesic(near: Floats, edge: Floats, core: Core, region: Region, frame: Frame) -> Floats:
    """Cost of the cheapest path from the core, in in-plane half-lengths; edges and unlike tissue are expensive.

    Fast marching (Sethian 1996) on the region's own spacing.
    """
    cost = 1.0 + 1.5 * np.abs(near) + 2.0 * edge
    half = frame.diameter_mm / 2
    speed = sitk.GetImageFromArray((1.0 / cost).astype(np.float32))
    speed.SetSpacing(region.geometry.spacing_mm)
    march = sitk.FastMarchingImageFilter()
    march.SetTrialPoints([[int(i), int(j), int(k)] for k, j, i in np.argwhere(core.inside)])
    march.SetStoppingValue(2.0 * FAR * half)
    arrival = sitk.GetArrayFromImage(march.Execute(speed)) / half
    capped: Floats = np.minimum(arrival, FAR).astype(np.float32)
    return capped


def _size(frame: Frame) -> Floats:
    """Large lesions of the training images lie along a limb, small ones are round: the shape may depend on the size."""
    low, high = SIZE_RANGE_MM
    return np.full((1, 1, 1), np.log(np.clip(frame.diameter_mm, low, high) / 40.0), np.float32)


def _uptake_columns(region: Region, core: Core) -> list[Floats]:
    hottest = max(float(np.percentile(region.values[core.inside], 95)), 1e-3)
    fraction = np.minimum(region.values / hottest, 1.5)
    return [fraction, fraction**2, np.minimum(region.values, 8.0) / 4.0]


def _least_spread(image: Floats, median: float, modality: Modality) -> float:
    if modality is Modality.CT:
        return 8.0
    if modality is Modality.PT:
        return 0.05 * max(median, 0.1)
    return max(0.03 * float(np.percentile(image, 99)), 1e-6)


def _smooth_voxels(region: Region, frame: Frame) -> NDArray[np.float64]:
    return np.minimum(4.0, 0.08 * frame.diameter_mm / np.array(region.geometry.spacing_mm[::-1]))


def _gradient(image: Floats) -> Floats:
    squares = [np.gradient(image, axis=axis) ** 2 for axis in range(3) if image.shape[axis] > 1]
    magnitude: Floats = np.sqrt(sum(squares, start=np.zeros_like(image)))
    return magnitude


def _histogram(bins: NDArray[np.intp]) -> NDArray[np.float64]:
    counts = ndimage.gaussian_filter1d(np.bincount(bins, minlength=HISTOGRAM_BINS).astype(float), 1.5)
    share: NDArray[np.float64] = counts / max(counts.sum(), 1.0) + 2e-3
    return share
