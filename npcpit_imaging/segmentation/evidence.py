"""Whether there is anything at a prompt: air, and an image that is even there, hold no lesion, whatever was drawn.

A line makes its own length the proposal's diameter and a click its own voxel a mask, in air too. What is looked at here
is the image alone: the middle of the place that was pointed at, beside what lies around it. It does not say that a
lesion is there; it says where surely none was seen.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.segmentation.drawn import points_of
from npcpit_imaging.segmentation.features import BOX_CORE, BOX_OUTSIDE, LINE_CORE, LINE_OUTSIDE
from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.prompt import Prompt, describe_point
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Volume

CODE = "nothing-at-the-prompt"

MOST_VOXELS = 40_000
"""Every n-th voxel of a larger block is looked at: distributions are compared, not edges."""

AIR_HU = -300.0
"""CT voxels below are air."""

DARK_SHARE = 0.08
"""MR signal below this share of the image's bright tissue is air's noise."""

BRIGHT_PERCENTILE = 99.0

COLD_SUV = 0.3
"""A place whose hottest voxels stay below has less uptake than any tissue but lung."""

HOT_PERCENTILE = 95.0

LEAST_DIFFERENCE = 0.12
"""Kolmogorov's distance between the grey values of the middle and of what is around; less is one tissue, or noise."""

CHANCE = 1.36
"""Kolmogorov's distance times the root of the samples' harmonic size that chance exceeds once in twenty."""

LARGEST_CHANCE = 0.4
"""A few voxels differ by more than this by chance alone; a lesion of few voxels must not be doubted for it."""

Values = NDArray[np.float32]


def not_seen(volume: Volume, frame: Frame) -> tuple[Finding, ...]:
    """Say when the image holds nothing at a prompt: ``nothing-at-the-prompt``, or nothing to say.

    Args:
        volume: The image.
        frame: The prompt's frame.
    """
    inside, around = samples(volume, frame)
    reason = _air(volume, inside) or _even(inside, around)
    if not reason:
        return ()
    text = f"prompt: no lesion was found in the image here, {reason}; size and shape are only what was drawn"
    return (Finding(code=CODE, severity=Severity.WARNING, text=text),)


def samples(volume: Volume, frame: Frame) -> tuple[Values, Values]:
    """Grey values of the middle of a prompt's place and of what lies around it, `(N,)` and `(M,)`."""
    signs = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    corners = volume.geometry.to_index(frame.centre_mm + (signs * frame.reach_mm) @ frame.axes)
    shape = np.array(volume.geometry.shape_kji)
    start = np.clip(np.floor(corners.min(axis=0)), 0, shape - 1).astype(int)
    stop = np.clip(np.ceil(corners.max(axis=0)) + 1, start + 1, shape).astype(int)
    step = _steps(stop - start)
    block = volume.voxels[tuple(slice(a, b, s) for a, b, s in zip(start, stop, step, strict=True))]
    u, v, w = frame.coordinates(_every(volume.geometry, start, step, block.shape))
    radius = np.sqrt(u * u + v * v + w * w)
    a, b, c = LINE_CORE if frame.line is not None else BOX_CORE
    core = (u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2 <= 1.0
    if not core.any():
        core = radius <= radius.min()
    if frame.line is not None:
        outside = radius > LINE_OUTSIDE
    else:
        outside = np.maximum(np.maximum(np.abs(u), np.abs(v)), np.abs(w)) > BOX_OUTSIDE
    return block[core], block[np.broadcast_to(outside & ~core, block.shape)]


def apart(mask: Mask, prompts: tuple[Prompt, ...]) -> tuple[Finding, ...]:
    """Say which positive clicks and strokes did not become one piece with the proposal: ``prompt-apart``."""
    points = [point for prompt in prompts if prompt.positive for point in points_of(prompt)]
    if not points or not mask.voxels.any():
        return ()
    index = np.rint(mask.geometry.to_index(points)).astype(int)
    index = np.clip(index, 0, np.array(mask.geometry.shape_kji) - 1)
    (box,) = ndimage.find_objects(mask.voxels.astype(np.uint8))  # to label a whole CT takes seconds
    label, _ = ndimage.label(mask.voxels[box], np.ones((3, 3, 3), bool))
    largest = 1 + int(np.bincount(label.ravel())[1:].argmax())
    piece = np.zeros(mask.voxels.shape, bool)
    piece[box] = label == largest
    lost = [point for point, place in zip(points, index, strict=True) if not piece[tuple(place)]]
    if not lost:
        return ()
    text = f"point: {len(lost)} of {len(points)} drawn points are not one piece with the proposal"
    return (
        Finding(code="prompt-apart", severity=Severity.WARNING, text=f"{text}, the first {describe_point(lost[0])}"),
    )


def difference(inside: Values, around: Values) -> float:
    """Kolmogorov's distance between two samples, 0 to 1; 1 where one is empty, which says nothing."""
    if not len(inside) or not len(around):
        return 1.0
    one, other = np.sort(inside), np.sort(around)
    both = np.concatenate([one, other])
    shares = (np.searchsorted(each, both, side="right") / len(each) for each in (one, other))
    return float(np.abs(np.subtract(*shares)).max())


def _air(volume: Volume, inside: Values) -> str:
    middle = float(np.median(inside))
    if volume.modality is Modality.CT and middle < AIR_HU:
        return f"its middle is air ({middle:.0f} HU)"
    if volume.modality is Modality.PT:
        hottest = float(np.percentile(inside, HOT_PERCENTILE))
        return f"its middle has no uptake (SUV {hottest:.2f} at most)" if hottest < COLD_SUV else ""
    if volume.modality is Modality.MR:
        bright = float(np.nanpercentile(_thinned(volume.voxels), BRIGHT_PERCENTILE))
        is_dark = middle < DARK_SHARE * bright
        return f"its middle is as dark as air ({middle:.3g}, tissue up to {bright:.3g})" if is_dark else ""
    return ""


def _even(inside: Values, around: Values) -> str:
    if not len(inside) or not len(around):
        return ""
    chance = CHANCE * float(np.sqrt((len(inside) + len(around)) / (len(inside) * len(around))))
    found = difference(inside, around)
    return (
        ""
        if found >= max(LEAST_DIFFERENCE, min(chance, LARGEST_CHANCE))
        else "where the image is the same inside and around it"
    )


def _thinned(voxels: Values) -> Values:
    step = _steps(np.array(voxels.shape))
    return voxels[:: step[0], :: step[1], :: step[2]]


def _steps(size: NDArray[np.int64]) -> tuple[int, int, int]:
    """Every how many voxels (k, j, i) are looked at; slices are thinned last."""
    step = np.ones(3, int)
    while np.prod(np.ceil(size / step)) > MOST_VOXELS:
        step[int(np.argmax(np.ceil(size / step)))] += 1
    k, j, i = (int(each) for each in step)
    return (k, j, i)


def _every(
    geometry: Geometry, start: NDArray[np.int64], step: tuple[int, int, int], shape: tuple[int, ...]
) -> Geometry:
    """The grid of every n-th voxel of a block."""
    k, j, i = shape
    x, y, z = geometry.to_mm(start)
    dx, dy, dz = (size * every for size, every in zip(geometry.spacing_mm, step[::-1], strict=True))
    return Geometry(
        shape_kji=(k, j, i),
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=(dx, dy, dz),
        direction=geometry.direction,
    )
