"""A line prompt binds the proposal: its ends are the longest diameter, in its slice and in every other.

A short axis drawn with it binds the width of that slice in the same way.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist
from skimage.draw import polygon2mask

from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.region import Floats, Region
from npcpit_imaging.study.caliper import Caliper

SPINDLE_RATIO = 0.25
"""Half-width of the spindle around the line, as a fraction of its half-length: thinner than nearly every lesion."""

END_PIXEL = 0.25
"""How far, in pixels, a pixel's centre may lie beyond a line's end; the measurement sets its points out as far, so that
the mask's diameter is the line's on average (decision 0051)."""

STRICTER = (0.6, 0.7, 0.8, 0.9, 0.95)
"""Probabilities tried in turn, beyond the threshold, in a slice that would be longer than the line."""

ROUNDER = (4.0, 3.0, 2.5, 2.0, 1.7, 1.4)
"""Exponents of superellipses about both axes, tried in turn where the slice of a bidirectional prompt is too long;
2 is the ellipse, 1 would be the quadrilateral of the four ends."""

EIGHT = np.ones((3, 3), bool)
Plane = NDArray[np.bool_]


def bind_to_line(
    probability: Floats, inside: NDArray[np.bool_], region: Region, frame: Frame, *, slack_mm: float
) -> NDArray[np.bool_]:
    """Make the line the longest diameter of a proposal.

    In the line's slice the pixels under it and a spindle around it are added and what lies beyond its ends is removed;
    a short axis adds the quadrilateral of the four ends, removes what lies beyond its own, and where the slice is still
    too long its corners are rounded about both axes. Any other slice longer than the line is taken at a stricter
    probability until it is not, or else cut to a circle as wide as the line.

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
    between, kept = _bounds_in_slice(region, frame)
    for k in range(len(bound)):
        if k == own:
            plane = bound[k] & between
            tighter = _stricter(probability[k], plane) if frame.short is None else _rounded(region, frame, plane)
            bound[k] = _shortened(probability[k], plane, pixel, limit, tighter=tighter, kept=kept)
            continue
        tighter = _stricter(probability[k], bound[k])
        bound[k] = _shortened(probability[k], bound[k], pixel, limit, tighter=tighter, kept=np.zeros_like(bound[k]))
    return bound


def _bounds_in_slice(region: Region, frame: Frame) -> tuple[Plane, Plane]:
    """What may belong to the lesion in the line's slice, and what surely does: two `(J, I)` planes."""
    assert frame.line is not None, "only a line binds"
    u, v = _along_and_across(region, frame.line)
    between = np.abs(u) <= _end(region, frame.line)
    kept = (u**2 + (v / SPINDLE_RATIO) ** 2 <= 1.0) | (_under(region, frame.line) & between)
    if frame.short is not None:
        across, _ = _along_and_across(region, frame.short)
        narrow = (
            np.abs(across) <= 1.0
        )  # no further: the width is measured across the mask's own long axis, which may tilt
        between &= narrow
        kept |= (_under(region, frame.short) & narrow) | _quadrilateral(region, frame.line, frame.short)
    return between, kept


def _end(region: Region, line: Caliper) -> float:
    """Where a line's own pixels end, in its half-lengths: a pixel's centre may lie a little beyond the line's end."""
    return 1.0 + END_PIXEL * min(region.native.spacing_mm[:2]) / (line.length_mm / 2)


def _under(region: Region, line: Caliper) -> Plane:
    """The pixels that a line runs over."""
    start, end = _ends(region, line)
    steps = int(np.ceil(4 * np.abs(end - start).max())) + 1
    places = np.rint(np.linspace(start, end, steps)).astype(int)
    plane = np.zeros(region.shape_kji[1:], bool)
    inside = np.all((places >= 0) & (places < plane.shape), axis=1)
    plane[places[inside, 0], places[inside, 1]] = True
    return plane


def _quadrilateral(region: Region, line: Caliper, short: Caliper) -> Plane:
    """The pixels whose centres lie within the four ends, taken in turn."""
    (start, end), (left, right) = _ends(region, line), _ends(region, short)
    return np.asarray(polygon2mask(region.shape_kji[1:], np.array([start, left, end, right])), bool)


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


def _stricter(probability: Floats, plane: Plane) -> Iterator[Plane]:
    """The slice at ever higher probabilities."""
    return (_largest(np.asarray(plane & (probability > chance))) for chance in STRICTER)


def _rounded(region: Region, frame: Frame, plane: Plane) -> Iterator[Plane]:
    """The slice with its corners ever rounder about the two axes that were drawn."""
    assert frame.line is not None, "only two lines have two axes"
    assert frame.short is not None, "only two lines have two axes"
    along = np.abs(_along_and_across(region, frame.line)[0])
    across = np.abs(_along_and_across(region, frame.short)[0])
    return (np.asarray(plane & (along**power + across**power <= 1.0)) for power in ROUNDER)


def _shortened(
    probability: Floats,
    plane: Plane,
    pixel: NDArray[np.float64],
    limit_mm: float,
    *,
    tighter: Iterator[Plane],
    kept: Plane,
) -> Plane:
    for candidate in chain([plane], tighter):
        if plane_diameter_mm(candidate | kept, pixel) <= limit_mm:
            return candidate | kept
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


def _ends(region: Region, line: Caliper) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends as (row, column) of the block."""
    start, end = region.native.to_index([line.start_mm, line.end_mm])[:, 1:] - np.array(region.start_kji[1:])
    return start, end


def _along_and_across(region: Region, line: Caliper) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every pixel's place along and across the line in its slice, in half-lengths of the line."""
    pixel = np.array(region.native.spacing_mm[1::-1])
    start, end = (place * pixel for place in _ends(region, line))
    half = math.dist(start, end) / 2
    along = (end - start) / (2 * half)
    j, i = np.indices(region.shape_kji[1:])
    offset = np.stack([j, i], axis=-1) * pixel - (start + end) / 2
    return offset @ along / half, offset @ np.array([-along[1], along[0]]) / half
