"""Every segmenter by name, and the verb that proposes a lesion's mask with the one the settings name."""

from dataclasses import replace
from pathlib import Path

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError
from npcpit_imaging.segmentation import calibrated, ellipsoid, nninteractive, preferred
from npcpit_imaging.segmentation.agree import speaks_of
from npcpit_imaging.segmentation.bundle import PREFIX
from npcpit_imaging.segmentation.bundled import bundle_segmenter
from npcpit_imaging.segmentation.evidence import apart, not_seen
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.pet import PET_SEGMENTERS
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.segmenter import Proposal, Segmenter
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.volume import Mask, Volume

SEGMENTERS: dict[str, Segmenter] = {
    preferred.AUTO: preferred.segment_preferred,
    preferred.NETWORK: preferred.segment_network,
    calibrated.NAME: calibrated.segment_calibrated,
    **PET_SEGMENTERS,
    nninteractive.NAME: nninteractive.segment_by_server,
    ellipsoid.NAME: ellipsoid.segment_ellipsoid,
}
"""Ordered: what a person is offered, the measured best first (decision records 0050, 0052)."""


PREVIOUS_ELSEWHERE = Finding(
    code="previous-elsewhere",
    severity=Severity.WARNING,
    text="previous mask: expected one of the lesion that is pointed at, found an empty one or one that lies elsewhere; "
    "it was left out",
)


def segment(
    volume: Volume,
    prompts: tuple[Prompt, ...],
    settings: SegmentationSettings,
    *,
    previous: Mask | None = None,
    method: str | None = None,
) -> Proposal:
    """Propose a lesion's mask: a draft for a reader, never a measurement.

    Whoever proposes, the image itself is asked whether there is anything at the prompt (``nothing-at-the-prompt``), and
    the answer whether every click became part of it (``prompt-apart``). An earlier mask that is empty or not of what is
    pointed at is left out (``previous-elsewhere``): it would only make the proposal smaller.

    Args:
        volume: The image.
        prompts: What the reader pointed at, in patient mm; at least one positive.
        settings: The modality's settings.
        previous: An earlier mask on the image's grid to refine.
        method: Name of a segmenter, or ``bundle:`` and a folder that the settings name; the settings' without.

    Raises:
        InputError: There is no segmenter of this name; the message lists them. Or a bundle that cannot be run.
        MissingPartError: The segmenter needs packages that are not installed.
        SegmentationError: A prompt or the image cannot be used; the message says which and where.
    """
    segmenter = find_segmenter(method or settings.method, settings)
    elsewhere: tuple[Finding, ...] = ()
    if previous is not None and not speaks_of(previous, prompts):
        previous, elsewhere = None, (PREVIOUS_ELSEWHERE,)
    proposal = segmenter(volume, prompts, previous=previous, settings=settings)
    doubts = not_seen(volume, frame_of(volume, prompts, previous, settings)) + apart(proposal.mask, prompts)
    return replace(proposal, findings=tuple(dict.fromkeys((*elsewhere, *proposal.findings, *doubts))))


def find_segmenter(name: str, settings: SegmentationSettings) -> Segmenter:
    """The segmenter of a name; a bundle only where the settings name its folder, for its config is run as code.

    Raises:
        InputError: There is none of this name, or the bundle is not one of the site's or cannot be run.
        MissingPartError: It needs packages that are not installed.
    """
    if not name.startswith(PREFIX):
        if name not in SEGMENTERS:
            raise InputError(f"segmenter: expected one of {', '.join(SEGMENTERS)}, found {name}")
        return SEGMENTERS[name]
    known = [settings.method, *(PREFIX + folder for folder in settings.bundles)]
    if name not in known:
        raise InputError(f"segmenter: expected a bundle that the imaging settings name, found {name}")
    return bundle_segmenter(Path(name.removeprefix(PREFIX)))
