"""What every segmenter is: an image and prompts in, a proposal with its provenance out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who proposed a mask, so that it can be proposed again.

    Args:
        name: The segmenter's name among ``SEGMENTERS``.
        version: Changes whenever the same input may give another mask.
        licence: SPDX identifier of the method and its weights.
        weights_digest: SHA-256 of the weights as hex; empty for a method without any.
        settings_digest: Digest of the settings used.
        seconds: How long it took, where the caller measured it.
    """

    name: str
    version: str
    licence: str
    weights_digest: str
    settings_digest: str
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A mask that a reader has not confirmed: a draft, never a measurement.

    Args:
        mask: On the image's own grid.
        provenance: Who proposed it.
        probability: `(K, J, I)` float32 on the image's grid, where the method has one.
        findings: What a reader should know, e.g. ``line-between-slices``.
    """

    mask: Mask
    provenance: Provenance
    probability: NDArray[np.float32] | None = None
    findings: tuple[Finding, ...] = ()


class Segmenter(Protocol):
    """One way to propose a lesion's mask."""

    def __call__(
        self, volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
    ) -> Proposal:
        """Propose a mask.

        Args:
            volume: The image.
            prompts: What the reader pointed at, in patient mm; at least one positive.
            previous: An earlier mask on the image's grid to refine, or None.
            settings: The modality's settings.

        Raises:
            SegmentationError: A prompt or the image cannot be used; the message says which and where.
        """
        ...


def require_positive(prompts: tuple[Prompt, ...], *, refining: bool) -> None:
    """Refuse a call that says nothing about where the lesion is.

    Raises:
        SegmentationError: No positive prompt and no previous mask.
    """
    if not refining and not any(prompt.positive for prompt in prompts):
        raise SegmentationError(f"prompts: expected at least one positive prompt, found none of {len(prompts)}")


def require_suv(name: str, volume: Volume) -> None:
    """Refuse a PET in another unit where the segmenter's thresholds and weights are SUVs.

    Raises:
        SegmentationError: It is in Bq/mL, or in a unit that nobody stated.
    """
    if volume.modality is not Modality.PT or volume.unit is Unit.SUVBW:
        return
    found = "a unit that nobody stated" if volume.unit is Unit.ARBITRARY else volume.unit.value
    raise SegmentationError(
        f"{name}: expected a PET in {Unit.SUVBW}, found it in {found}; of a NIfTI or NRRD file that holds SUV say "
        f"--unit {Unit.SUVBW}"
    )
