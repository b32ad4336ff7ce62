"""The floor: an ellipsoid from the prompt alone, blind to the image.

A segmenter that does not beat it has learnt nothing from the image.
"""

import numpy as np

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import fill_mask
from npcpit_imaging.segmentation.segmenter import Proposal, Provenance, require_positive
from npcpit_imaging.volume.volume import Mask, Volume

NAME = "ellipsoid"
VERSION = "1"


def segment_ellipsoid(
    volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
) -> Proposal:
    """Propose the ellipsoid of the prompt's frame; a `Segmenter`.

    Raises:
        SegmentationError: A prompt cannot be used; the message says which and where.
    """
    require_positive(prompts, refining=previous is not None)
    frame = frame_of(volume, prompts, previous, settings)
    region = frame.region(volume, settings)
    u, v, w = frame.coordinates(region.native.crop(region.start_kji, region.shape_kji))
    inside = np.asarray(u * u + v * v + w * w <= 1.0)
    return Proposal(
        mask=fill_mask(region, inside, label="proposal"),
        provenance=Provenance(
            name=NAME, version=VERSION, licence="MIT", weights_digest="", settings_digest=settings.digest
        ),
        findings=frame.findings,
    )
