"""Prompts that are given together: what they say of one another, so that none is passed over in silence."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.drawn import drawn_points
from npcpit_imaging.segmentation.prompt import (
    BoxPrompt,
    LinePrompt,
    PointPrompt,
    Prompt,
    describe_point,
)
from npcpit_imaging.study.caliper import PointMm
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

MOST_LINES = 2
"""A long and a short axis."""

EDGE_VOXELS = 1.0
"""How far, in voxels, a line or a click may lie beyond the box that is drawn with it: a hand is no more exact."""


def require_one_lesion(prompts: tuple[Prompt, ...], geometry: Geometry) -> None:
    """Refuse positive prompts that contradict each other, or of which one could not be followed.

    Raises:
        SegmentationError: More than two lines or than one box, or a line, click, stroke or lasso outside the box.
    """
    positive = [prompt for prompt in prompts if prompt.positive]
    lines = [prompt for prompt in positive if isinstance(prompt, LinePrompt)]
    if len(lines) > MOST_LINES:
        raise SegmentationError(f"lines: expected a long axis, or a long and a short one, found {len(lines)}")
    boxes = [prompt for prompt in positive if isinstance(prompt, BoxPrompt)]
    if len(boxes) > 1:
        raise SegmentationError(f"boxes: expected one box around the lesion, found {len(boxes)}")
    for box in boxes:
        for prompt in positive:
            _require_in_box(prompt, box, geometry)


def require_near(points: list[PointMm], place_mm: NDArray[np.float64], reach_mm: NDArray[np.float64]) -> None:
    """Refuse a positive click or stroke that is too far from a line to belong to the lesion it measures.

    Args:
        points: The points.
        place_mm: `(N, 3)` their place along, across and through the line's frame.
        reach_mm: `(3,)` how far along these is looked.

    Raises:
        SegmentationError: One is farther.
    """
    for point, place in zip(points, np.abs(place_mm), strict=True):
        if (place > reach_mm).any():
            along, across, through = reach_mm
            raise SegmentationError(
                f"point: expected within the line's reach ({along:.1f} mm along it, {across:.1f} mm across and "
                f"{through:.1f} mm through the slices from its middle), found {describe_point(point)}; draw a longer "
                "line, or leave the point out"
            )


def speaks_of(previous: Mask, prompts: tuple[Prompt, ...]) -> bool:
    """Whether an earlier mask can be of the lesion that is pointed at; one that is empty or elsewhere only takes away.

    It can when one of its voxels lies within half the span of the lines, boxes and outlines around their middle.
    A click beside it asks for more of it, whatever the distance.
    """
    positive = [prompt for prompt in prompts if prompt.positive]
    if not previous.voxels.any():
        return not positive
    drawn = [point for prompt in positive if not isinstance(prompt, PointPrompt) for point in drawn_points(prompt)]
    if not drawn:
        return True
    ends = np.array([np.min(drawn, axis=0), np.max(drawn, axis=0)])
    middle, reach_mm = ends.mean(axis=0), float(np.linalg.norm(ends[1] - ends[0])) / 2
    geometry = previous.geometry
    (box,) = ndimage.find_objects(previous.voxels.astype(np.uint8))
    voxels = np.argwhere(previous.voxels[box]) + [side.start for side in box]
    away_mm = np.linalg.norm(geometry.to_mm(voxels) - middle, axis=-1)
    return bool(away_mm.min() <= reach_mm)


def widened(mask: Mask, box: BoxPrompt, points: list[PointMm]) -> BoxPrompt:
    """The box around a mask, so large that clicks beside it lie inside too."""
    if not points:
        return box
    geometry = mask.geometry
    corners = geometry.to_index([box.corner_mm, box.opposite_mm])
    index = np.vstack([corners, geometry.to_index(points) - 0.5, geometry.to_index(points) + 0.5])
    low, high = geometry.to_mm(index.min(axis=0)), geometry.to_mm(index.max(axis=0))
    return replace(box, corner_mm=_point(low), opposite_mm=_point(high))


def _require_in_box(prompt: Prompt, box: BoxPrompt, geometry: Geometry) -> None:
    if prompt is box:
        return
    corners = np.sort(geometry.to_index([box.corner_mm, box.opposite_mm]), axis=0)
    for point in drawn_points(prompt):
        index = geometry.to_index(point)
        if (index < corners[0] - EDGE_VOXELS).any() or (index > corners[1] + EDGE_VOXELS).any():
            kind = type(prompt).__name__.removesuffix("Prompt").lower()
            raise SegmentationError(
                f"{kind}: expected inside the box from {describe_point(box.corner_mm)} to "
                f"{describe_point(box.opposite_mm)}, outside which nothing is proposed, found {describe_point(point)}"
            )


def _point(values: NDArray[np.float64]) -> PointMm:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
