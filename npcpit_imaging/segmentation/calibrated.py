"""Line, box, click or stroke to a mask by the calibrated voxel classifier: the default for CT, MR and PET.

Decision record 0050 compares it with the other methods on the same lesions.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.segmentation.bind import END_PIXEL, bind_to_line
from npcpit_imaging.segmentation.calibration import LICENCE, Calibration, shipped, shipped_digest
from npcpit_imaging.segmentation.click import around, sized
from npcpit_imaging.segmentation.corrections import apply_corrections, correction_log_odds
from npcpit_imaging.segmentation.features import compared, features
from npcpit_imaging.segmentation.frame import Frame, frame_of
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import Floats, Region, fill_mask, to_native, to_region
from npcpit_imaging.segmentation.segmenter import Proposal, Provenance, require_positive, require_suv
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.volume import Mask, Modality, Volume

NAME = "calibrated"
VERSION = "2"

MOST_LOG_ODDS = 8.0
"""Certainty is capped here, so that a correction or a previous mask can still win."""

PREVIOUS_LOG_ODDS = 3.0
"""How strongly a previous mask speaks for its voxels and against the others."""

FIRST_VOXELS = 40_000
"""Voxels looked at for a click's first proposal, of which only the bounding box counts."""

IN_SLICE = np.zeros((3, 3, 3), bool)
IN_SLICE[1] = ndimage.generate_binary_structure(2, 1)
"""Neighbours in the slice alone, by their edges."""


def segment_calibrated(
    volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
) -> Proposal:
    """Propose a mask by the calibrated classifier; a `Segmenter`.

    Raises:
        SegmentationError: A prompt or the image cannot be used; the message says which and where.
    """
    return segment_with(shipped, volume, prompts, previous=previous, settings=settings)


def segment_with(
    calibration_of: Callable[[str], Calibration],
    volume: Volume,
    prompts: tuple[Prompt, ...],
    *,
    previous: Mask | None,
    settings: SegmentationSettings,
) -> Proposal:
    """Propose a mask by any calibrations, shipped or being cross-validated; a click's size is looked for first."""
    require_positive(prompts, refining=previous is not None)
    require_suv(NAME, volume)
    frame = frame_of(volume, prompts, previous, settings)
    calibration = calibration_of(calibration_key(volume.modality, frame))
    if frame.clicked and settings.click_radii_mm:
        frame = sized(volume, frame, settings, partial(_draft, volume, calibration))
        quick = settings.model_copy(update={"voxel_budget": min(FIRST_VOXELS, settings.voxel_budget)})
        first = propose(volume, prompts, frame, calibration, previous=previous, settings=quick)
        frame = around(first.mask, frame)
    return propose(volume, prompts, frame, calibration, previous=previous, settings=settings)


def _draft(
    volume: Volume, calibration: Calibration, frame: Frame, settings: SegmentationSettings
) -> tuple[Region, Floats, NDArray[np.bool_]]:
    """A box's quick answer on its coarse region, with the intensities that the classifier works on."""
    region = frame.region(volume, settings)
    odds = calibrated_log_odds(region, frame, calibration, modality=volume.modality, settings=settings)
    u, v, w = frame.coordinates(region.geometry)
    inside = (odds > math.log(settings.threshold / (1 - settings.threshold))) & _boxed(u, v, w)
    if volume.modality is Modality.CT and settings.ct_air_below_hu is not None:
        inside &= region.values >= settings.ct_air_below_hu
    probability = 1 / (1 + np.exp(-odds))
    middle = np.asarray(u * u + v * v + w * w <= 1.0)
    return region, compared(region, volume.modality), connected_to_centre(inside, probability * middle)


def calibration_key(modality: Modality, frame: Frame) -> str:
    """Name of the calibration for a modality and prompt; MR's serves images whose modality is not known."""
    known = Modality.MR if modality is Modality.OT else modality
    return f"{known}-{'box' if frame.line is None else 'line'}"


def propose(
    volume: Volume,
    prompts: tuple[Prompt, ...],
    frame: Frame,
    calibration: Calibration,
    *,
    previous: Mask | None,
    settings: SegmentationSettings,
) -> Proposal:
    """Propose a mask by any calibration, shipped or being cross-validated."""
    region = frame.region(volume, settings)
    odds = calibrated_log_odds(region, frame, calibration, modality=volume.modality, settings=settings)
    return conclude(
        volume, prompts, odds, region=region, frame=frame, previous=previous, settings=settings, by=provenance(settings)
    )


def calibrated_log_odds(
    region: Region, frame: Frame, calibration: Calibration, *, modality: Modality, settings: SegmentationSettings
) -> Floats:
    """The classifier's log-odds `(K, J, I)` on a region, capped and smoothed."""
    columns = features(region, frame, Modality.MR if modality is Modality.OT else modality)
    return smoothed_log_odds(calibration.log_odds(columns), region, frame, settings)


def smoothed_log_odds(odds: Floats, region: Region, frame: Frame, settings: SegmentationSettings) -> Floats:
    """Log-odds `(N,)` of a region's voxels as `(K, J, I)`, capped and smoothed."""
    capped = np.clip(odds.reshape(region.values.shape), -MOST_LOG_ODDS, MOST_LOG_ODDS)
    voxels = settings.smoothing * frame.diameter_mm / np.array(region.geometry.spacing_mm[::-1])
    smoothed: Floats = ndimage.gaussian_filter(capped, voxels, mode="nearest")
    return smoothed


def conclude(
    volume: Volume,
    prompts: tuple[Prompt, ...],
    odds: Floats,
    *,
    region: Region,
    frame: Frame,
    previous: Mask | None,
    settings: SegmentationSettings,
    by: Provenance,
) -> Proposal:
    """From log-odds `(K, J, I)` on a region to a proposal: previous mask, corrections, threshold, the line's bounds."""
    if previous is not None:
        odds = odds + PREVIOUS_LOG_ODDS * (2 * to_region(region, previous) - 1)
    odds = odds + correction_log_odds(region, prompts, frame.diameter_mm)
    probability = (1 / (1 + np.exp(-to_native(region, odds)))).astype(np.float32)
    inside = decide(volume, prompts, probability, region=region, frame=frame, settings=settings)
    whole = np.zeros(volume.geometry.shape_kji, np.float32)
    whole[region.window] = probability
    mask = fill_mask(region, inside, label="proposal")
    return Proposal(
        mask=mask,
        probability=whole,
        provenance=by,
        findings=frame.findings + _findings(volume, mask),
    )


def provenance(settings: SegmentationSettings) -> Provenance:
    """Who proposed, with the digests of weights and settings."""
    return Provenance(
        name=NAME,
        version=VERSION,
        licence=LICENCE,
        weights_digest=shipped_digest(),
        settings_digest=settings.digest,
    )


def decide(
    volume: Volume,
    prompts: tuple[Prompt, ...],
    probability: Floats,
    *,
    region: Region,
    frame: Frame,
    settings: SegmentationSettings,
) -> NDArray[np.bool_]:
    """From a probability `(K, J, I)` on the native block to the block's mask."""
    inside = probability > settings.threshold
    if volume.modality is Modality.CT and settings.ct_air_below_hu is not None:
        inside &= volume.voxels[region.window] >= settings.ct_air_below_hu
    if frame.line is None:
        inside &= _within_box(region, frame)
    middle = middle_of(region, frame)
    inside = connected_to_centre(inside, probability * middle)
    tighter = 0.0 if frame.short is None else END_PIXEL * min(region.native.spacing_mm[:2])
    slack = settings.line_slack_mm - tighter
    bound = bind_to_line(probability, inside, region, frame, slack_mm=slack)
    return apply_corrections(connected_to_centre(bound, probability * middle), region, prompts)


def middle_of(region: Region, frame: Frame) -> NDArray[np.bool_]:
    """The ellipsoid that the prompt itself suggests, `(K, J, I)` on the native block: the lesion is there."""
    u, v, w = frame.coordinates(region.native.crop(region.start_kji, region.shape_kji))
    return np.asarray(u * u + v * v + w * w <= 1.0)


def connected_to_centre(inside: NDArray[np.bool_], weight: Floats) -> NDArray[np.bool_]:
    """The component with the largest summed weight, its in-slice holes filled.

    A neighbour larger than the lesion weighs nothing where the weight is zero outside the prompt.
    """
    label, count = ndimage.label(inside)
    if count > 1:
        sums = ndimage.sum_labels(weight, label, np.arange(1, count + 1))
        inside = label == 1 + int(np.argmax(sums))
    return filled_in_slices(inside)


def filled_in_slices(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask `(K, J, I)` with every slice's holes filled: what no 4-connected path from the slice's rim reaches.

    One labelling of all slices at once; many times faster than a fill of each.
    """
    label, count = ndimage.label(~inside, IN_SLICE)
    reached = np.zeros(count + 1, bool)
    for rim in (label[:, 0], label[:, -1], label[:, :, 0], label[:, :, -1]):
        reached[rim.ravel()] = True
    reached[0] = False
    return np.asarray(~reached[label])


def _within_box(region: Region, frame: Frame) -> NDArray[np.bool_]:
    return _boxed(*frame.coordinates(region.native.crop(region.start_kji, region.shape_kji)))


def _boxed(u: Floats, v: Floats, w: Floats) -> NDArray[np.bool_]:
    return (np.abs(u) <= 1) & (np.abs(v) <= 1) & (np.abs(w) <= 1)


def _findings(volume: Volume, mask: Mask) -> tuple[Finding, ...]:
    found = []
    if volume.modality is Modality.OT:
        text = "image: modality not known; the MR calibration was used"
        found.append(Finding(code="modality-assumed", severity=Severity.WARNING, text=text))
    if not mask.voxels.any():
        text = "proposal: no voxel is likely to belong to a lesion here; the mask is empty"
        found.append(Finding(code="empty-mask", severity=Severity.WARNING, text=text))
    return tuple(found)
