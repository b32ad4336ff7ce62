"""What a person would draw on a lesion whose truth is known, with his error.

Each end of a line is moved in its slice by a normal error of 1.5 mm along i and along j (1.9 mm on average), and one
line in four lies one slice beside the right one. Each face of a box lies 1 mm outside the lesion, with a normal error
of 1.5 mm. A click falls on a random voxel at least half as deep as the deepest.
"""

import numpy as np
from scipy import ndimage

from npcpit_imaging.segmentation.prompt import BoxPrompt, LinePrompt, PointPrompt
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.volume.volume import Mask

LINE_ERROR_MM = 1.5
BOX_ERROR_MM = 1.5
BOX_OUTSIDE_MM = 1.0
BESIDE = 0.25
"""Share of lines one slice beside the right one."""


def drawn_line(
    mask: Mask, longest: Caliper, rng: np.random.Generator, *, error_mm: float = LINE_ERROR_MM
) -> LinePrompt:
    """The long axis as a person draws it."""
    grid = mask.geometry
    plane = np.array(grid.direction).T[:2]
    ends = np.array([longest.start_mm, longest.end_mm]) + rng.normal(0, error_mm, (2, 2)) @ plane
    if rng.random() < BESIDE:
        ends = ends + rng.choice([-1, 1]) * grid.spacing_mm[2] * grid.normal
    index = np.clip(grid.to_index(ends), 0, np.array(grid.shape_kji) - 1)
    start, end = grid.to_mm(index)
    return LinePrompt(start_mm=tuple(start), end_mm=tuple(end))


def drawn_box(mask: Mask, rng: np.random.Generator, *, error_mm: float = BOX_ERROR_MM) -> BoxPrompt:
    """The box as a person draws it."""
    grid = mask.geometry
    index = np.argwhere(mask.voxels)
    spacing = np.array(grid.spacing_mm[::-1])
    low = index.min(axis=0) - 0.5 - rng.normal(BOX_OUTSIDE_MM, error_mm, 3) / spacing
    high = index.max(axis=0) + 0.5 + rng.normal(BOX_OUTSIDE_MM, error_mm, 3) / spacing
    return BoxPrompt(corner_mm=tuple(grid.to_mm(low)), opposite_mm=tuple(grid.to_mm(high)))


def drawn_click(mask: Mask, rng: np.random.Generator) -> PointPrompt:
    """A click into the lesion."""
    grid = mask.geometry
    padded = np.pad(mask.voxels, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=grid.spacing_mm[::-1])[1:-1, 1:-1, 1:-1]
    index = rng.choice(np.argwhere(depth >= depth.max() / 2))
    return PointPrompt(point_mm=tuple(grid.to_mm(index)))
