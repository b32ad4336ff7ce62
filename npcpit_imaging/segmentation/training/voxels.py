"""Fitting the calibrated classifier on lattice points of drawn samples: one calibration a modality, prompt and fold."""

from collections.abc import Sequence

import numpy as np

from npcpit_imaging.segmentation.calibration import Calibration, fit
from npcpit_imaging.segmentation.features import feature_names
from npcpit_imaging.volume.volume import Modality

POINTS = 200
"""Lattice points of each sample that a calibration is fitted on, at random."""


def fit_on(
    features: np.ndarray,
    target: np.ndarray,
    *,
    chosen: Sequence[int],
    weights: Sequence[float],
    modality: Modality,
    seed: int,
) -> Calibration:
    """Fit one calibration.

    Args:
        features: `(N, F, W, V, U)` of all samples.
        target: `(N, W, V, U)` share of lesion, 0 to 255.
        chosen: Which samples.
        weights: What each of them counts.
        modality: Theirs.
        seed: Chooses the points.
    """
    names = feature_names(modality)
    rng = np.random.default_rng(seed)
    columns, shares, each = [], [], []
    for index, weight in zip(chosen, weights, strict=True):
        points = rng.choice(target[index].size, POINTS, replace=False)
        columns.append(features[index, : len(names)].reshape(len(names), -1)[:, points].T.astype(np.float32))
        shares.append(target[index].ravel()[points].astype(np.float32) / 255)
        each.append(np.full(POINTS, weight / POINTS / sum(weights), np.float32))
    return fit(np.concatenate(columns), np.concatenate(shares), np.concatenate(each), names)
