"""Every segmenter by name, the default first."""

from npcpit_imaging.segmentation import calibrated, ellipsoid
from npcpit_imaging.segmentation.segmenter import Segmenter

SEGMENTERS: dict[str, Segmenter] = {
    calibrated.NAME: calibrated.segment_calibrated,
    ellipsoid.NAME: ellipsoid.segment_ellipsoid,
}
"""Ordered: what a person is offered, best first."""
