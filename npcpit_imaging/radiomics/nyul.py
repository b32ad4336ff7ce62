"""Standard scale of MR intensities by percentile landmarks (Nyul and Udupa 1999; Nyul, Udupa and Zhang 2000)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.radiomics import NyulScale
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.volume.volume import Unit, Volume

PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
"""Tails and deciles, as in Nyul 2000."""

SCALE = (0.0, 100.0)
"""Where the first and the last landmark lie on the standard scale."""

LEAST_IMAGES = 2
"""Fewest images of a reference set."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def landmarks(volume: Volume, body: Bools, percentiles: Sequence[float] = PERCENTILES) -> Floats:
    """Return the intensities `(L,)` at the percentiles of the body.

    Args:
        volume: The image, its bias field corrected.
        body: `(K, J, I)` bool.
        percentiles: Ascending.

    Raises:
        RadiomicsError: Two landmarks fall together: no scale can be laid through them.
    """
    inside = volume.voxels[body].astype(np.float64)
    found: Floats = np.percentile(inside, percentiles) if inside.size else np.zeros(len(percentiles))
    if not (np.diff(found) > 0).all():
        raise RadiomicsError("normalisation: expected landmarks that ascend, found two at one intensity")
    return found


def fit(reference: Sequence[Floats], percentiles: Sequence[float] = PERCENTILES) -> NyulScale:
    """Fit a standard scale: the mean place of each landmark once the outer ones are laid on 0 and 100.

    Args:
        reference: Landmarks `(L,)` of each image of the reference set.
        percentiles: What they were taken at.

    Raises:
        RadiomicsError: There are too few images.
    """
    if len(reference) < LEAST_IMAGES:
        raise RadiomicsError(f"scale: expected at least {LEAST_IMAGES} images to fit on, found {len(reference)}")
    table = np.stack(reference)
    low, high = table[:, :1], table[:, -1:]
    standard = (SCALE[0] + (table - low) / (high - low) * (SCALE[1] - SCALE[0])).mean(axis=0)
    return NyulScale(percentiles=tuple(percentiles), landmarks=tuple(float(value) for value in standard))


def to_standard_scale(volume: Volume, body: Bools, scale: NyulScale) -> Volume:
    """Return intensities on the standard scale: straight between landmarks, and beyond them as in the outer pieces.

    Raises:
        RadiomicsError: Two landmarks of the image fall together.
    """
    own = landmarks(volume, body, scale.percentiles)
    standard = np.asarray(scale.landmarks)
    slopes = np.diff(standard) / np.diff(own)
    piece = np.clip(np.searchsorted(own, volume.voxels, side="right") - 1, 0, len(slopes) - 1)
    voxels = standard[piece] + (volume.voxels - own[piece]) * slopes[piece]
    return replace(volume, voxels=voxels.astype(np.float32), unit=Unit.ARBITRARY)
