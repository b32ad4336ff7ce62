"""PET contours inside a box: 41 % and 50 % of SUVmax, SUV 2.5 and 4.0, PERCIST, a gradient watershed (EANM 2015, IBSI).

Physiologic uptake beside the lesion is kept out by the prompt's box: nothing outside it is looked at, and of what is
hot inside it only the component with the hottest voxel is proposed. A line or a click gives the box of its frame.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.corrections import apply_corrections
from npcpit_imaging.segmentation.frame import Frame, frame_of
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import Floats, Region, fill_mask
from npcpit_imaging.segmentation.segmenter import Proposal, Provenance, Segmenter, require_positive, require_suv
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.volume import Mask, Unit, Volume

VERSION = "1"

MIDDLE_SIZE = 0.5
"""Size of the ellipsoid in the middle of the box that holds surely some lesion, as a fraction of the box."""

MIDDLE_SHARE = 0.75
"""How hot a voxel of the middle must be to be surely lesion, between the background (0) and the middle's median (1)."""

Inside = NDArray[np.bool_]
Contour = Callable[[Floats, Inside, SegmentationSettings], Inside]
"""From SUVs `(K, J, I)`, the box `(K, J, I)` and the settings to what is hot in the box."""

SIX = ndimage.generate_binary_structure(3, 1)


def percent_of_max(percent: float) -> Contour:
    """Everything in the box at or above a percentage of its SUVmax."""

    def contour(suv: Floats, box: Inside, settings: SegmentationSettings) -> Inside:
        return box & (suv >= percent / 100.0 * float(suv[box].max()))

    return contour


def fixed_suv(threshold: float) -> Contour:
    """Everything in the box at or above an SUV."""

    def contour(suv: Floats, box: Inside, settings: SegmentationSettings) -> Inside:
        return box & (suv >= threshold)

    return contour


def percist(suv: Floats, box: Inside, settings: SegmentationSettings) -> Inside:
    """Everything in the box at or above PERCIST's threshold: 1.5 x liver + 2 SD, or 2.0 x blood + 2 SD (Wahl 2009).

    Raises:
        SegmentationError: The settings hold no reference; no part of a head shows the liver.
    """
    if settings.percist_reference is None:
        raise SegmentationError(
            "pet-percist: expected the mean and standard deviation of the liver or the blood pool on this PET "
            '(percist_reference, or --reference-suv "liver,MEAN,SD"), found none'
        )
    return box & (suv >= settings.percist_reference.threshold_suv)


def gradient_watershed(suv: Floats, box: Inside, settings: SegmentationSettings) -> Inside:
    """What the steepest rise of SUV parts from the background, flooded from the middle of the box and from outside it.

    The middle is the hotter half of the central ellipsoid, so that a cold (necrotic) centre does not count.
    """
    middle = _middle(box)
    background = float(np.median(suv[~box])) if not box.all() else float(suv[box].min())
    level = background + MIDDLE_SHARE * (float(np.median(suv[middle])) - background)
    markers = np.zeros(suv.shape, np.int32)
    markers[middle & (suv >= level)] = 2
    markers[~box] = 1
    steepness = np.sqrt(
        sum((ndimage.sobel(suv, axis=axis) ** 2 for axis in range(3)), start=np.zeros(suv.shape, np.float32))
    )
    return np.asarray(watershed(steepness, markers) == 2)


def _middle(box: Inside) -> Inside:
    """The ellipsoid of half the box's size in its middle; at least the middle voxel."""
    index = np.argwhere(box)
    low, high = index.min(axis=0), index.max(axis=0)
    centre, half = (low + high) / 2, np.maximum((high - low + 1) / 2 * MIDDLE_SIZE, 0.75)
    k, j, i = np.ogrid[tuple(slice(size) for size in box.shape)]
    place = [(axis - c) / h for axis, c, h in zip((k, j, i), centre, half, strict=True)]
    return np.asarray(box & (sum(axis**2 for axis in place) <= 1.0))


def pet_segmenter(name: str, contour: Contour) -> Segmenter:
    """A segmenter from a contour."""

    def segment(
        volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
    ) -> Proposal:
        require_positive(prompts, refining=previous is not None)
        require_suv(name, volume)
        if volume.unit is not Unit.SUVBW:
            raise SegmentationError(f"{name}: expected a PET in {Unit.SUVBW}, found {volume.modality} in {volume.unit}")
        frame = frame_of(volume, prompts, previous, settings)
        region = frame.region(volume, settings)
        suv = volume.voxels[region.window]
        box = _box(region, frame)
        inside = with_the_hottest(contour(suv, box, settings), suv)
        mask = fill_mask(region, apply_corrections(inside, region, prompts), label="proposal")
        return Proposal(
            mask=mask,
            provenance=Provenance(
                name=name, version=VERSION, licence="MIT", weights_digest="", settings_digest=settings.digest
            ),
            findings=frame.findings + _findings(name, mask, inside, box),
        )

    return segment


def with_the_hottest(inside: Inside, suv: Floats) -> Inside:
    """The component that holds the hottest voxel; nothing when nothing is inside."""
    if not inside.any():
        return inside
    label, _ = ndimage.label(inside, SIX)
    peak = np.unravel_index(int(np.where(inside, suv, -np.inf).argmax()), suv.shape)
    return np.asarray(label == label[peak])


def _box(region: Region, frame: Frame) -> Inside:
    u, v, w = frame.coordinates(region.native.crop(region.start_kji, region.shape_kji))
    box: Inside = np.broadcast_to((np.abs(u) <= 1) & (np.abs(v) <= 1) & (np.abs(w) <= 1), region.shape_kji)
    if not box.any():
        raise SegmentationError("box: expected at least one voxel centre inside it, found none; draw a larger box")
    return box


def _findings(name: str, mask: Mask, inside: Inside, box: Inside) -> tuple[Finding, ...]:
    found = []
    if not mask.voxels.any():
        text = f"{name}: no voxel in the box reaches the threshold; the mask is empty"
        found.append(Finding(code="empty-mask", severity=Severity.WARNING, text=text))
    edge = box & ~ndimage.binary_erosion(box, SIX)
    if (inside & edge).any():
        text = f"{name}: the contour reaches the box; uptake beyond it was left out"
        found.append(Finding(code="contour-reaches-box", severity=Severity.WARNING, text=text))
    return tuple(found)


PET_SEGMENTERS: dict[str, Segmenter] = {
    name: pet_segmenter(name, contour)
    for name, contour in {
        "pet-gradient": gradient_watershed,
        "pet-41-percent": percent_of_max(41.0),
        "pet-50-percent": percent_of_max(50.0),
        "pet-suv-2.5": fixed_suv(2.5),
        "pet-suv-4.0": fixed_suv(4.0),
        "pet-percist": percist,
    }.items()
}
"""The PET contours a reader may choose."""
