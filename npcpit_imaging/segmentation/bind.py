"""A line prompt binds the proposal: its ends are the longest diameter, in its slice and in every other."""

import math
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.region import Floats, Region
from npcpit_imaging.study.caliper import Caliper

SPINDLE_RATIO = 0.25
"""Half-width of the spindle around the line, as a fraction of its half-length: thinner than nearly every lesion."""

STRICTER = (0.6, 0.7, 0.8, 0.9, 0.95)
"""Probabilities tried in turn, beyond the threshold, in a slice that would be longer than the line."""

EIGHT = np.ones((3, 3), bool)
Plane = NDArray[np.bool_]


def bind_to_line(
    probability: Floats, inside: NDArray[np.bool_], region: Region, frame: Frame, *, slack_mm: float
) -> NDArray[np.bool_]:
    """Make the line the longest diameter of a proposal.

    In the line's slice the spindle around it is added and what lies beyond its ends is removed. A slice longer than the
    line is taken at a stricter probability until it is not, or else cut to a circle as wide as the line.

    Args:
        probability: `(K, J, I)` on the native block.
        inside: `(K, J, I)` the proposal so far.
        region: The block.
        frame: The line's frame.
        slack_mm: How far a slice may exceed the line.
    """
    if frame.line is None or frame.slice_index_k is None:
        return inside
    bound = inside.copy()
    pixel = np.array(region.native.spacing_mm[:2])
    limit = frame.line.length_mm + slack_mm
    own = frame.slice_index_k - region.start_kji[0]
    u, v = _along_and_across(region, frame.line, frame.slice_index_k)
    spindle = u**2 + (v / SPINDLE_RATIO) ** 2 <= 1.0
    for k in range(len(bound)):
        if k == own:
            between = np.abs(u) <= 1.0
            bound[k] = _shortened(probability[k], bound[k] & between, pixel, limit, keep=spindle)
            continue
        bound[k] = _shortened(probability[k], bound[k], pixel, limit, keep=None)
    return bound


def plane_diameter_mm(plane: Plane, pixel_mm: NDArray[np.float64]) -> float:
    """Farthest pair of pixel centres `(J, I)` in mm; 0 when empty."""
    j = np.flatnonzero(plane.any(axis=1))
    if len(j) == 0:
        return 0.0
    rows = plane[j]
    first, last = rows.argmax(axis=1), plane.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    points = np.column_stack([np.concatenate([first, last]), np.concatenate([j, j])]) * pixel_mm
    if len(points) > 8:
        with suppress(QhullError):  # all on one line
            points = points[ConvexHull(points).vertices]
    return float(pdist(points).max())


def _shortened(
    probability: Floats, plane: Plane, pixel: NDArray[np.float64], limit_mm: float, *, keep: Plane | None
) -> Plane:
    kept = np.zeros_like(plane) if keep is None else keep
    if plane_diameter_mm(plane | kept, pixel) <= limit_mm:
        return plane | kept
    for chance in STRICTER:
        stricter = _largest(np.asarray(plane & (probability > chance))) | kept
        if plane_diameter_mm(stricter, pixel) <= limit_mm:
            return stricter
    weight = np.where(plane, probability, 0.0)
    j, i = np.indices(plane.shape)
    centre = [float((axis * weight).sum() / max(float(weight.sum()), 1e-9)) for axis in (j, i)]
    circle = np.asarray(np.hypot((j - centre[0]) * pixel[1], (i - centre[1]) * pixel[0]) <= limit_mm / 2)
    cut: Plane = (plane & circle) | kept
    return cut


def _largest(plane: Plane) -> Plane:
    label, count = ndimage.label(plane, EIGHT)
    if count < 2:
        return plane
    return np.asarray(label == 1 + int(np.bincount(label.ravel())[1:].argmax()))


def _along_and_across(region: Region, line: Caliper, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every pixel's place along and across the line in its slice, in half-lengths of the line."""
    index = region.native.to_index([line.start_mm, line.end_mm])[:, 1:] - np.array(region.start_kji[1:])
    pixel = np.array(region.native.spacing_mm[1::-1])
    start, end = index * pixel
    half = math.dist(start, end) / 2
    along = (end - start) / (2 * half)
    j, i = np.indices(region.shape_kji[1:])
    offset = np.stack([j, i], axis=-1) * pixel - (start + end) / 2
    return offset @ along / half, offset @ np.array([-along[1], along[0]]) / half
