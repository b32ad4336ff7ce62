"""What a site decided about segmentation; one value for each modality."""

from pydantic import Field

from npcpit_imaging.config.base import Config


class SegmentationSettings(Config):
    """How lesions are proposed in one modality.

    Args:
        method: Name of the segmenter, a key of ``npcpit_imaging.segmentation.segmenters.SEGMENTERS``.
        voxel_budget: About how many voxels a segmenter may look at; 150,000 answer in less than a second on two cores.
        point_radius_mm: Half-width of the box that a click alone stands for.
        line_slack_mm: How far the proposal's diameter may exceed the line's length, beside a pixel's rounding.
        threshold: Probability above which a voxel is proposed; 0.4 gave the best cross-validated Dice of 0.3 to 0.55.
        smoothing: Width of the smoothing of the log-odds as a fraction of the lesion's diameter.
        ct_air_below_hu: CT voxels below are never proposed; None proposes any.
    """

    method: str = "calibrated"
    voxel_budget: int = Field(default=150_000, ge=1_000, le=5_000_000)
    point_radius_mm: float = Field(default=15.0, gt=0, le=100)
    line_slack_mm: float = Field(default=0.0, ge=0, le=10)
    threshold: float = Field(default=0.4, gt=0, lt=1)
    smoothing: float = Field(default=0.02, ge=0, le=0.2)
    ct_air_below_hu: float | None = -300.0
