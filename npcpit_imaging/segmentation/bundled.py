"""Segmenters from MONAI bundles: any bundle on the image around the prompt, ours on the prompt's frame.

Torch and MONAI are imported when a bundle answers for the first time, never before.
"""

import tempfile
from functools import cache, partial
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError, MissingPartError
from npcpit_imaging.segmentation.bind import bind_to_line
from npcpit_imaging.segmentation.bundle import CALIBRATION, PREFIX, Bundle, read_bundle
from npcpit_imaging.segmentation.calibrated import calibration_key, conclude, connected_to_centre, smoothed_log_odds
from npcpit_imaging.segmentation.calibration import Calibration, calibrations_from_json
from npcpit_imaging.segmentation.corrections import apply_corrections
from npcpit_imaging.segmentation.encoding import encode, level, shown_on_lattice
from npcpit_imaging.segmentation.features import features
from npcpit_imaging.segmentation.frame import Frame, frame_of
from npcpit_imaging.segmentation.guides import box_channel, line_channel, points_channel, previous_channel
from npcpit_imaging.segmentation.lattice import from_lattice, to_lattice
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import Floats, Region, cut_region, fill_mask
from npcpit_imaging.segmentation.segmenter import Proposal, Provenance, Segmenter, require_positive, require_suv
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.files import RAS_TO_LPS, write_volume
from npcpit_imaging.volume.volume import Mask, Modality, Volume

THREADS = 1
"""A network's answer takes no more of the machine than this.

Ours is so small that one thread is the fastest: 37 ms against 169 ms by two on a machine whose two cores are two
threads of one (docs/segmentation.md), where a second one mostly waits for the first.
"""

CENTRE = 0.5
"""A bundle's answer counts where it touches the ellipsoid of this size, in half-lengths, in the prompt's middle."""


def bundle_segmenter(folder: Path) -> Segmenter:
    """A segmenter from a bundle's folder.

    Raises:
        InputError: A part of the bundle is missing.
        MissingPartError: Torch or MONAI is not installed; the message says how to get them.
    """
    bundle = read_bundle(folder)
    require_deep(f"{PREFIX}{folder}")
    return partial(segment_on_lattice if bundle.lattice else segment_by_bundle, bundle)


def has_deep() -> bool:
    """Whether torch and MONAI are installed; neither is imported."""
    try:
        return all(find_spec(name) is not None for name in ("torch", "monai"))
    except ImportError:  # a part of the installation that is kept from being imported
        return False


def require_deep(name: str) -> None:
    """Refuse a segmenter whose packages are not installed.

    Raises:
        MissingPartError: They are not; the message says how to get them.
    """
    if not has_deep():
        raise MissingPartError(f"segmenter {name}: needs torch and monai; pip install 'npcpit-imaging[deep]'")


def segment_on_lattice(
    bundle: Bundle,
    volume: Volume,
    prompts: tuple[Prompt, ...],
    *,
    previous: Mask | None,
    settings: SegmentationSettings,
) -> Proposal:
    """Propose a mask by the calibrated classifier and what a network on the prompt's frame adds to it.

    Raises:
        SegmentationError: A prompt or the image cannot be used; the message says which and where.
        InputError: The bundle cannot be run.
    """
    require_positive(prompts, refining=previous is not None)
    require_suv(PREFIX + bundle.name, volume)
    frame = frame_of(volume, prompts, previous, settings)
    region = frame.region(volume, settings)
    modality = Modality.MR if volume.modality is Modality.OT else volume.modality
    columns = features(region, frame, modality)
    calibration = bundle_calibration(bundle, calibration_key(modality, frame))
    odds = smoothed_log_odds(calibration.log_odds(columns), region, frame, settings)
    odds = odds + added(bundle, frame, region, (columns, odds), modality)
    by = _provenance(bundle, settings)
    return conclude(volume, prompts, odds, region=region, frame=frame, previous=previous, settings=settings, by=by)


@cache
def bundle_calibration(bundle: Bundle, key: str) -> Calibration:
    """The calibrated classifier that a lattice bundle's network was trained on, for a modality and prompt.

    Raises:
        InputError: The bundle holds none.
    """
    path = bundle.folder / CALIBRATION
    try:
        return calibrations_from_json(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"bundle {bundle.name}: expected {CALIBRATION} with {key}, found none") from error


def added(bundle: Bundle, frame: Frame, region: Region, seen: tuple[Floats, Floats], modality: Modality) -> Floats:
    """What a lattice bundle's network adds to the classifier's log-odds `(K, J, I)` on a region.

    Args:
        bundle: The bundle.
        frame: The prompt's frame.
        region: The region.
        seen: The classifier's features `(N, F)` and its log-odds `(K, J, I)`.
        modality: Of the image.
    """
    columns, odds = seen
    level_wvu, odds_wvu = to_lattice(frame, region, np.stack([level(region, modality), odds]))
    size = (frame.diameter_mm, region.native.spacing_mm[2])
    features_wvu = shown_on_lattice(frame, region, columns, modality)
    channels = encode(features_wvu, level_wvu, odds_wvu, modality=modality, line=frame.line is not None, size=size)
    return from_lattice(frame, region, _network().added_log_odds(bundle, channels, threads=THREADS))


def segment_by_bundle(
    bundle: Bundle,
    volume: Volume,
    prompts: tuple[Prompt, ...],
    *,
    previous: Mask | None,
    settings: SegmentationSettings,
) -> Proposal:
    """Propose what a bundle finds around the prompt: the parts of its answer that touch the prompt's middle.

    The bundle sees the image around the prompt with ``bundle_margin_mm`` beside it. A line binds the answer as it binds
    every segmenter's.

    Raises:
        SegmentationError: A prompt or the image cannot be used; the message says which and where.
        InputError: The bundle cannot be run; the message says which part of it failed.
    """
    require_positive(prompts, refining=previous is not None)
    frame = frame_of(volume, prompts, previous, settings)
    region = around(volume, frame, settings)
    guides = {
        "positive": partial(points_channel, prompts=prompts, positive=True),
        "negative": partial(points_channel, prompts=prompts, positive=False),
        "line": partial(line_channel, frame=frame),
        "box": partial(box_channel, frame=frame),
        "previous": partial(previous_channel, previous=previous),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.nii.gz"
        block = region.native.crop(region.start_kji, region.shape_kji)
        write_volume(Volume(voxels=volume.voxels[region.window], geometry=block), path)
        prediction = _network().predict(bundle, path, guides)
    inside = _on_block(prediction.labels, prediction.affine, region) > 0
    by = _provenance(bundle, settings)
    return proposal_at_the_prompt(inside, prompts, region=region, frame=frame, settings=settings, by=by)


def proposal_at_the_prompt(
    inside: NDArray[np.bool_],
    prompts: tuple[Prompt, ...],
    *,
    region: Region,
    frame: Frame,
    settings: SegmentationSettings,
    by: Provenance,
) -> Proposal:
    """What a network that knows nothing of our rules answered on a block, bound to the prompt as every answer is.

    Args:
        inside: Its answer `(K, J, I)` on the region's voxels.
        prompts: What the reader pointed at.
        region: The block it saw.
        frame: The prompt's frame.
        settings: The modality's.
        by: Who answered.
    """
    inside = _at_the_prompt(inside, region, frame)
    found = frame.findings + _empty(by.name, inside)
    chance = inside.astype(np.float32)
    inside = bind_to_line(chance, inside, region, frame, slack_mm=settings.line_slack_mm)
    inside = apply_corrections(connected_to_centre(inside, chance), region, prompts)
    mask = fill_mask(region, inside, label="proposal")
    return Proposal(mask=mask, provenance=by, findings=found)


def around(volume: Volume, frame: Frame, settings: SegmentationSettings) -> Region:
    """The block that a bundle or a server sees; its coarse grid is not used."""
    reach = frame.reach_mm + settings.bundle_margin_mm
    signs = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    corners = volume.geometry.to_index(frame.centre_mm + (signs * reach) @ frame.axes)
    return cut_region(volume, corners.min(axis=0), corners.max(axis=0), voxel_budget=settings.voxel_budget)


def _on_block(labels: NDArray[np.int64], affine: NDArray[np.float64], region: Region) -> NDArray[np.int64]:
    """The answer's label at every voxel `(K, J, I)` of the block, by its nearest voxel."""
    block = region.native.crop(region.start_kji, region.shape_kji)
    to_answer = np.linalg.inv(RAS_TO_LPS @ affine) @ block.affine
    k, j, i = np.indices(block.shape_kji)
    index = np.stack([i, j, k], axis=-1) @ to_answer[:3, :3].T + to_answer[:3, 3]
    nearest: NDArray[np.int64] = ndimage.map_coordinates(
        labels, np.moveaxis(index, -1, 0), order=0, mode="constant", cval=0, output=np.int64
    )
    return nearest


def _at_the_prompt(inside: NDArray[np.bool_], region: Region, frame: Frame) -> NDArray[np.bool_]:
    """The components that touch the prompt's middle, within the prompt's reach."""
    u, v, w = frame.coordinates(region.native.crop(region.start_kji, region.shape_kji))
    reach = frame.reach_mm / frame.half_mm
    near = (np.abs(u) <= reach[0]) & (np.abs(v) <= reach[1]) & (np.abs(w) <= reach[2])
    label, _ = ndimage.label(inside & near)
    middle = np.broadcast_to(u * u + v * v + w * w <= CENTRE**2, inside.shape)
    touched = np.unique(label[middle])
    return np.asarray(np.isin(label, touched[touched > 0]))


def _provenance(bundle: Bundle, settings: SegmentationSettings) -> Provenance:
    return Provenance(
        name=f"{PREFIX}{bundle.name}",
        version=f"{bundle.version}, torch {package_version('torch')}",
        licence=bundle.licence,
        weights_digest=bundle.weights_digest,
        settings_digest=settings.digest,
    )


def _empty(name: str, inside: NDArray[np.bool_]) -> tuple[Finding, ...]:
    if inside.any():
        return ()
    text = f"{name}: it found nothing at the prompt; what is in the mask was drawn by the reader"
    return (Finding(code="nothing-at-the-prompt", severity=Severity.WARNING, text=text),)


def _network() -> ModuleType:
    """The module that knows torch, imported by the first answer."""
    try:
        from npcpit_imaging.segmentation import network
    except ImportError as error:
        raise MissingPartError(f"segmenter: torch and monai are installed but cannot be imported ({error})") from error
    return network
