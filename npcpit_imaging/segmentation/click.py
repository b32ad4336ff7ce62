"""A click says where a lesion is, not how large: the box it stands for is the one whose draft parts best from around.

Boxes of several sizes about the click are each answered by the classifier on a coarse grid. Of the drafts the one is
chosen whose rim differs most from the tissue just outside it, in spreads of both; its proposal's own box is then
answered once more (decision record 0127).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.segmentation.frame import BOX_MARGIN_MM, BOX_REACH, Frame, bounding_box, box_frame
from npcpit_imaging.segmentation.region import Floats, Region
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

DRAFT_VOXELS = 20_000
"""Voxels of a draft's region: enough to compare sizes, a small part of an answer's time."""

SHELL = 0.25
"""Thickness of the rim inside and outside a draft that are compared, as a fraction of the box's half-width."""

LEAST_IN_IMAGE = 0.6
"""A box of which less lies in the image is not tried: its draft ends at the image's border, not at an edge."""

LEAST_VOXELS = 4
"""A draft of fewer voxels says nothing."""

Inside = NDArray[np.bool_]
Draft = Callable[[Frame, SegmentationSettings], tuple[Region, Floats, Inside]]
"""From a frame to its region, the intensities `(K, J, I)` that are compared and the draft's voxels `(K, J, I)`."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One box size about a click.

    Args:
        frame: The box.
        contrast: How much the draft's rim differs from what is just outside it, in spreads.
    """

    frame: Frame
    contrast: float


def sized(volume: Volume, frame: Frame, settings: SegmentationSettings, draft: Draft) -> Frame:
    """The frame of a click, its size chosen among the settings' `click_radii_mm`; as it was where none parts better.

    Args:
        volume: The image.
        frame: The frame of the clicks as the settings' `point_radius_mm` makes it.
        settings: The modality's settings.
        draft: The segmenter's quick answer in a frame.
    """
    coarse = settings.model_copy(update={"voxel_budget": min(DRAFT_VOXELS, settings.voxel_budget)})
    boxes = (_widened(frame, radius - settings.point_radius_mm) for radius in sorted(settings.click_radii_mm))
    usable = [box for box in boxes if box.half_mm.min() > 0 and share_in_image(box, volume.geometry) >= LEAST_IN_IMAGE]
    tried = [Tried(frame=box, contrast=contrast(box, *draft(box, coarse))) for box in usable]
    best = max(tried, key=lambda each: each.contrast, default=None)
    if best is None or best.contrast <= 0:
        return frame
    return replace(best.frame, findings=(_fits_best(best.frame, largest=best is tried[-1]),))


def around(mask: Mask, frame: Frame) -> Frame:
    """The box of a click's first proposal, for a second one; the click's own frame where it proposed nothing."""
    if not mask.voxels.any():
        return frame
    return replace(box_frame(bounding_box(mask), mask.geometry), clicked=True, findings=frame.findings)


def _fits_best(frame: Frame, *, largest: bool) -> Finding:
    text = (
        f"point: a box of {2 * frame.half_mm.max():.0f} mm about it fits the image best; a click alone does not say "
        f"how large a lesion is{'; no larger box was tried' if largest else ''}"
    )
    return Finding(code="size-assumed", severity=Severity.WARNING, text=text)


def contrast(frame: Frame, region: Region, values: Floats, inside: Inside) -> float:
    """How much a draft's rim differs from what is just outside it, in spreads of both; 0 where one is missing."""
    if np.count_nonzero(inside) < LEAST_VOXELS or inside.all():
        return 0.0
    spacing = region.geometry.spacing_mm[::-1]
    shell = max(SHELL * float(frame.half_mm.min()), *spacing)  # a voxel at least
    rim, around = (
        where & (ndimage.distance_transform_edt(where, sampling=spacing) <= shell) for where in (inside, ~inside)
    )
    spread = float(np.hypot(values[rim].std(), values[around].std()))
    return abs(float(values[rim].mean() - values[around].mean())) / max(spread, 1e-6)


def share_in_image(frame: Frame, geometry: Geometry) -> float:
    """The share of a box along the image's axes that lies in the image."""
    signs = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    corners = geometry.to_index(frame.centre_mm + (signs * frame.half_mm) @ frame.axes)
    low, high = corners.min(axis=0), corners.max(axis=0)
    inside = np.minimum(high, np.array(geometry.shape_kji) - 0.5) - np.maximum(low, -0.5)
    return float(np.prod(np.maximum(inside, 0.0) / (high - low)))


def _widened(frame: Frame, by_mm: float) -> Frame:
    half = frame.half_mm + by_mm
    return replace(frame, half_mm=half, reach_mm=half * BOX_REACH + BOX_MARGIN_MM)
