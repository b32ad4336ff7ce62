"""Intensity histogram (IBSI 1, 3.4): a region's grey levels, wherever they lie."""

import numpy as np

from npcpit_imaging.radiomics.discretise import Binning
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.intensity_statistics import describe


def intensity_histogram(binning: Binning) -> Values:
    """Return the 23 histogram features."""
    counts = np.bincount(binning.levels, minlength=binning.count + 1)[1:].astype(float)
    described = describe(binning.levels.astype(float))
    probability = counts[counts > 0] / counts.sum()
    values = described | {
        "mode": _mode(counts, described["mean"]),
        "entropy": float(-np.sum(probability * np.log2(probability))),
        "uniformity": float(np.sum(probability**2)),
        **_gradients(counts),
    }
    return {f"ih_{name}": value for name, value in values.items()}


def _mode(counts: np.ndarray[tuple[int], np.dtype[np.float64]], mean: float) -> float:
    # IBSI 1, 3.4.10: of several most frequent levels, the one nearest to the mean.
    candidates = np.flatnonzero(counts == counts.max()) + 1
    return float(candidates[np.argmin(np.abs(candidates - mean))])


def _gradients(counts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Values:
    if counts.size < 2:
        return dict.fromkeys(("max_grad", "max_grad_g", "min_grad", "min_grad_g"), float("nan"))
    gradient = np.gradient(counts)
    return {
        "max_grad": float(gradient.max()),
        "max_grad_g": float(np.argmax(gradient) + 1),
        "min_grad": float(gradient.min()),
        "min_grad_g": float(np.argmin(gradient) + 1),
    }
