"""The shipped network, and which segmenter a modality and prompt get when nobody chooses: the measured best.

The table is decision record 0052's: a network is preferred only where it beat the classifier in a cross-validation of
all patients, and used only where torch and MONAI are installed.
"""

from functools import cache
from pathlib import Path

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.segmentation.bundle import Bundle, read_bundle
from npcpit_imaging.segmentation.bundled import has_deep, require_deep, segment_on_lattice
from npcpit_imaging.segmentation.calibrated import segment_calibrated
from npcpit_imaging.segmentation.prompt import BoxPrompt, LinePrompt, Prompt
from npcpit_imaging.segmentation.segmenter import Proposal, require_positive
from npcpit_imaging.volume.volume import Mask, Modality, Volume

AUTO = "auto"
NETWORK = "network"

FOLDER = Path(__file__).parent / "lesion_network"
"""The bundle with its model card."""

LINE_OR_BOX: tuple[object, ...] = (LinePrompt, BoxPrompt)

NETWORK_IS_BETTER: dict[Modality, frozenset[object]] = {
    Modality.CT: frozenset(LINE_OR_BOX),
    Modality.MR: frozenset(LINE_OR_BOX),
    Modality.PT: frozenset(),
    Modality.OT: frozenset(),
}
"""For each modality the prompts from which the network is preferred where torch and MONAI are installed: those from
which it beat the classifier in five-fold cross-validation of all 35 patients. On PET it did not; on clicks it was not
trained.
"""


def segment_network(
    volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
) -> Proposal:
    """Propose a mask by the shipped network; a `Segmenter`.

    Raises:
        MissingPartError: Torch or MONAI is not installed; the message says how to get them.
        SegmentationError: A prompt or the image cannot be used; the message says which and where.
    """
    require_deep(NETWORK)
    return segment_on_lattice(shipped_network(), volume, prompts, previous=previous, settings=settings)


def segment_preferred(
    volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
) -> Proposal:
    """Propose a mask by the measured best for this modality and prompt; a `Segmenter`.

    Raises:
        SegmentationError: A prompt or the image cannot be used; the message says which and where.
    """
    require_positive(prompts, refining=previous is not None)
    kinds = {type(prompt) for prompt in prompts if prompt.positive}
    better = bool(kinds & NETWORK_IS_BETTER[volume.modality]) and has_deep()
    chosen = segment_network if better else segment_calibrated
    return chosen(volume, prompts, previous=previous, settings=settings)


@cache
def shipped_network() -> Bundle:
    """The bundle in this package."""
    return read_bundle(FOLDER)
