"""The points of what was drawn: ends, corners, and what a stroke runs over."""

import math
from itertools import pairwise

import numpy as np

from npcpit_imaging.segmentation.prompt import BoxPrompt, LassoPrompt, LinePrompt, PointPrompt, Prompt, ScribblePrompt
from npcpit_imaging.study.caliper import PointMm

STROKE_STEP_MM = 1.0
"""What a stroke runs over counts, not only the points that were given of it."""

STROKE_POINTS = 400
"""A stroke across the whole patient takes no more points than this."""


def drawn_points(prompt: Prompt) -> tuple[PointMm, ...]:
    """Every point of a prompt as it was drawn: ends, corners or outline."""
    match prompt:
        case LinePrompt():
            return (prompt.start_mm, prompt.end_mm)
        case BoxPrompt():
            return (prompt.corner_mm, prompt.opposite_mm)
        case PointPrompt():
            return (prompt.point_mm,)
        case ScribblePrompt() | LassoPrompt():
            return prompt.points_mm


def points_of(prompt: Prompt) -> tuple[PointMm, ...]:
    """The points of a click, a scribble or a line through what is not the lesion; nothing for the others."""
    is_stroke = isinstance(prompt, PointPrompt | ScribblePrompt)
    is_negative_line = isinstance(prompt, LinePrompt) and not prompt.positive
    return stroke_points(drawn_points(prompt)) if is_stroke or is_negative_line else ()


def stroke_points(points_mm: tuple[PointMm, ...]) -> tuple[PointMm, ...]:
    """Points along a stroke, no further apart than `STROKE_STEP_MM`, or a `STROKE_POINTS`-th of a long one."""
    length = sum(math.dist(one, other) for one, other in pairwise(points_mm))
    step = max(STROKE_STEP_MM, length / STROKE_POINTS)
    dense = [points_mm[0]]
    for one, other in pairwise(points_mm):
        steps = max(1, math.ceil(math.dist(one, other) / step))
        dense += [(float(x), float(y), float(z)) for x, y, z in np.linspace(one, other, steps + 1)[1:]]
    return tuple(dense)
