"""What our promptable network is shown: the classifier's features and opinion, and the prompt, on the frame's lattice.

The prompt is the lattice itself: a point's place in half-lengths of the line or the box, whether it is a line, and how
large and how thickly sliced the lesion is.
"""

import numpy as np

from npcpit_imaging.segmentation.features import CLIP_SPREADS, CT_WINDOW_HU, FAR, feature_names, prepare
from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.lattice import BOX_REACH_WVU, LINE_REACH_WVU, SHAPE_WVU, to_lattice
from npcpit_imaging.segmentation.region import Floats, Region
from npcpit_imaging.volume.volume import Modality

FEATURE_SCALES = {
    "intensity": CLIP_SPREADS, "intensity_smooth": CLIP_SPREADS, "likelihood_smooth": CLIP_SPREADS, "edge": 3.0,
    "geodesic": FAR / 2,
}  # fmt: skip
"""Features of the classifier that the network sees, each divided by its scale."""

CHANNELS = (
    *FEATURE_SCALES, "level", "calibrated", "along", "across", "through", "line", "ct", "mr", "pet", "size", "slice",
)  # fmt: skip
"""The network's input channels in their order."""

ODDS_SCALE = 8.0
"""The classifier's log-odds, which end at 8, are shown as -1 to 1."""


def level(region: Region, modality: Modality) -> Floats:
    """Intensities `(K, J, I)` on a scale of their own: windowed HU, fraction of MR's 99th percentile, root of SUV."""
    image = prepare(region, modality)
    if modality is Modality.CT:
        low, high = CT_WINDOW_HU
        return np.asarray((image - low) / (high - low), np.float32)
    if modality is Modality.PT:
        return np.asarray(np.minimum(image / 4.0, 1.5), np.float32)
    brightest = max(float(np.percentile(image, 99)), 1e-6)
    return np.asarray(np.clip(image / brightest, -1, 1.5), np.float32)


def on_lattice(frame: Frame, region: Region, columns: Floats) -> Floats:
    """Features `(N, F)` of a region's voxels on the lattice, `(F, W, V, U)`."""
    return to_lattice(frame, region, columns.T.reshape(-1, *region.values.shape))


def shown_on_lattice(frame: Frame, region: Region, columns: Floats, modality: Modality) -> Floats:
    """As `on_lattice`, but only of the features that the network sees; the others are zero and cost nothing."""
    names = feature_names(modality)
    chosen = [names.index(name) for name in FEATURE_SCALES]
    sampled = np.zeros((len(names), *SHAPE_WVU), np.float32)
    sampled[chosen] = on_lattice(frame, region, columns[:, chosen])
    return sampled


def encode(
    features_wvu: Floats,
    level_wvu: Floats,
    odds_wvu: Floats,
    *,
    modality: Modality,
    line: bool,
    size: tuple[float, float],
) -> Floats:
    """All channels `(16, W, V, U)` in the order of `CHANNELS`.

    Args:
        features_wvu: `(F, W, V, U)` the classifier's features.
        level_wvu: `(W, V, U)` of `level`.
        odds_wvu: `(W, V, U)` log-odds of the calibrated classifier.
        modality: Of the image; one that is not known counts as MR.
        line: Whether the prompt is a line.
        size: Diameter of the prompt's frame and distance between the image's slices, mm.
    """
    names = feature_names(modality)
    shown = [features_wvu[names.index(name)] / scale for name, scale in FEATURE_SCALES.items()]
    ends = LINE_REACH_WVU if line else BOX_REACH_WVU
    w, v, u = np.ix_(*(np.abs(np.linspace(-end, end, n)) for end, n in zip(ends, SHAPE_WVU, strict=True)))
    flags = [line, modality is Modality.CT, modality not in {Modality.CT, Modality.PT}, modality is Modality.PT]
    diameter_mm, slice_mm = size
    numbers = [*map(float, flags), np.clip(np.log(diameter_mm / 40.0), -2, 2), min(slice_mm / diameter_mm, 1.0)]
    planes = [*shown, level_wvu, odds_wvu / ODDS_SCALE, u, v, w, *map(np.asarray, numbers)]
    return np.stack([np.broadcast_to(plane, SHAPE_WVU) for plane in planes]).astype(np.float32)
