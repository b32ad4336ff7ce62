"""Segmenters made ready before anybody waits: torch, MONAI and the shipped weights take seconds to come."""

import threading

import numpy as np

from npcpit_imaging.app.study import Study
from npcpit_imaging.segmentation.prompt import LinePrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume

EDGE = 32
"""Voxels of 1 mm along each side of the image."""

RADIUS_MM = 6.0


def warm_segmenters(study: Study) -> threading.Thread:
    """Let the study's segmenter of each modality work once, on a small ball, in the background.

    Args:
        study: Whose imaging settings name the segmenters.

    Returns:
        The thread, to be waited for by whoever must. A segmenter that fails here is silent: the prompt that needs it
        gives the reason.
    """
    warming = threading.Thread(target=_warm, args=(study,), name="warm-segmenters", daemon=True)
    warming.start()
    return warming


def _warm(study: Study) -> None:
    for modality, unit in ((Modality.CT, Unit.HU), (Modality.MR, Unit.ARBITRARY), (Modality.PT, Unit.SUVBW)):
        try:
            segment(_ball(modality, unit), (_LINE,), study.imaging(modality).segmentation)
        except Exception:  # noqa: BLE001, S112  # the prompt that needs it says what is wrong
            continue


def _ball(modality: Modality, unit: Unit) -> Volume:
    """A bright ball of 12 mm in 1 mm voxels."""
    grid = Geometry(shape_kji=(EDGE, EDGE, EDGE), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    far = np.indices(grid.shape_kji) - EDGE / 2
    inside = np.sqrt((far**2).sum(axis=0)) <= RADIUS_MM
    return Volume(voxels=np.where(inside, 8.0, 1.0).astype(np.float32), geometry=grid, modality=modality, unit=unit)


_LINE = LinePrompt(
    start_mm=(EDGE / 2 - RADIUS_MM, EDGE / 2, EDGE / 2), end_mm=(EDGE / 2 + RADIUS_MM, EDGE / 2, EDGE / 2)
)
