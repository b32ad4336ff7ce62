"""The verb segment: one image and a reader's prompts, a mask out, measured beside it."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from npcpit_imaging.app.images import open_image, open_mask
from npcpit_imaging.app.measure import (
    JsonObject,
    MaskChoice,
    default_settings,
    findings_json,
    in_suv,
    measurement_json,
    place_json,
)
from npcpit_imaging.app.outputs import require_output
from npcpit_imaging.config.base import load
from npcpit_imaging.config.imaging import ImagingSettings
from npcpit_imaging.config.segmentation import SegmentationSettings, parse_reference
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation.bundle import PREFIX
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.segmenter import Proposal
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.files import write_mask
from npcpit_imaging.volume.volume import Modality, Unit, Volume


def segment_image(
    image: Path,
    prompts: Sequence[Prompt],
    output: Path,
    *,
    previous: Path | None = None,
    choice: MaskChoice = MaskChoice(),
    method: str | None = None,
    settings: Path | None = None,
    reference: str | None = None,
    modality: Modality,
    unit: Unit | None = None,
) -> JsonObject:
    """Propose a lesion's mask from prompts, write it, and measure it.

    A bundle given as ``method`` is trusted like one that the settings name: whoever typed it chose it.

    Args:
        image: A DICOM folder or file, NIfTI or NRRD.
        prompts: What the reader pointed at.
        output: x.nii.gz or x.nrrd; never one of the inputs.
        previous: A mask to refine.
        choice: Which of the previous mask's regions.
        method: Name of a segmenter, or ``bundle:FOLDER``.
        settings: Imaging settings; the modality's without.
        reference: What ``pet-percist`` takes its threshold from.
        modality: What a NIfTI or NRRD file holds.
        unit: What its values mean.

    Raises:
        NpcpitError: The image, a prompt or the previous mask cannot be used, or the output would replace an input.
    """
    require_output(output, image, previous, settings)
    volume = in_suv(image, open_image(image, modality=modality, unit=unit))
    chosen = load(settings, ImagingSettings) if settings else default_settings(volume.modality)
    segmentation = for_one_call(chosen.segmentation, method=method, reference=reference)
    before = (
        open_mask(previous, volume.geometry, roi=choice.roi, segment=choice.segment, label=choice.label)
        if previous
        else None
    )
    start = time.perf_counter()
    proposal = segment(volume, tuple(prompts), segmentation, previous=before, method=method)
    seconds = round(time.perf_counter() - start, 3)
    write_mask(proposal.mask, output)
    proposal = replace(proposal, provenance=replace(proposal.provenance, seconds=seconds))
    return _proposal_json(volume, proposal, measure(proposal.mask), () if before is None else before.findings)


def _proposal_json(
    volume: Volume, proposal: Proposal, found: Measurement, of_previous: tuple[Finding, ...]
) -> JsonObject:
    findings = findings_json((*volume.findings, *of_previous, *proposal.findings, *found.findings))
    return {
        "proposal": True,
        **measurement_json(found),
        **place_json(volume),
        "provenance": {
            **asdict(proposal.provenance),
            "image_digest": volume.digest,
            "mask_digest": proposal.mask.digest,
            "findings": [each["code"] for each in findings],
        },
        "findings": findings,
    }


def for_one_call(settings: SegmentationSettings, *, method: str | None, reference: str | None) -> SegmentationSettings:
    """The settings with what a person typed for one image: a bundle's folder, the PERCIST reference."""
    typed: dict[str, object] = {}
    if method is not None and method.startswith(PREFIX):
        typed["bundles"] = (*settings.bundles, method.removeprefix(PREFIX))
    if reference is not None:
        typed["percist_reference"] = parse_reference(reference)
    return settings.model_copy(update=typed)
