"""What a site decided about segmentation; one value for each modality."""

from typing import Literal

from pydantic import Field

from npcpit_imaging.config.base import Config
from npcpit_imaging.errors import InputError


class PercistReference(Config):
    """What a PERCIST threshold is taken from, measured on the same PET.

    Args:
        region: ``liver``, or ``blood`` (the descending aorta) where the liver is diseased or not in the image.
        mean_suv: Mean uptake of the region, in the image's unit.
        sd_suv: Its standard deviation.
    """

    region: Literal["liver", "blood"]
    mean_suv: float = Field(gt=0, le=20)
    sd_suv: float = Field(ge=0, le=10)

    @property
    def threshold_suv(self) -> float:
        """1.5 x liver + 2 SD, or 2.0 x blood + 2 SD (Wahl 2009, PERCIST 1.0)."""
        return (1.5 if self.region == "liver" else 2.0) * self.mean_suv + 2.0 * self.sd_suv


class SegmentationSettings(Config):
    """How lesions are proposed in one modality.

    Args:
        method: Name of the segmenter: ``auto`` (the measured best of the modality and prompt), another key of
            ``npcpit_imaging.segmentation.segmenters.SEGMENTERS``, or ``bundle:``
            and the folder of a MONAI bundle.
        bundles: Folders of more MONAI bundles that a reader may choose. A bundle's config is run as code: name only
            what you trust.
        bundle_margin_mm: How much of the image around the prompt a bundle or an nnInteractive server sees.
        nninteractive: Address of the site's nnInteractive server, for the method ``nninteractive``; the voxels around
            the prompt are sent there, nothing else of the image.
        voxel_budget: About how many voxels a segmenter may look at; 150,000 answer in less than a second on two cores.
        point_radius_mm: Half-width of the box that a click alone stands for where its size is not looked for.
        click_radii_mm: Half-widths among which ``calibrated`` and ``auto`` look for a clicked lesion's size; with none
            ``point_radius_mm`` is taken. None by default: in a head the search took all of it (decision record 0127).
        line_slack_mm: How far the proposal's diameter may exceed the line's length, beside a pixel's rounding.
        threshold: Probability above which a voxel is proposed; 0.4 gave the best cross-validated Dice of 0.3 to 0.55.
        smoothing: Width of the smoothing of the log-odds as a fraction of the lesion's diameter.
        percist_reference: What ``pet-percist`` takes its threshold from; it refuses without.
        ct_air_below_hu: CT voxels below are never proposed; None proposes any.
    """

    method: str = "auto"
    bundles: tuple[str, ...] = ()
    bundle_margin_mm: float = Field(default=30.0, ge=0, le=500)
    nninteractive: str = Field(default="", pattern=r"^(https?://\S+)?$")
    voxel_budget: int = Field(default=150_000, ge=1_000, le=5_000_000)
    point_radius_mm: float = Field(default=15.0, gt=0, le=100)
    click_radii_mm: tuple[float, ...] = ()
    line_slack_mm: float = Field(default=0.0, ge=0, le=10)
    threshold: float = Field(default=0.4, gt=0, lt=1)
    smoothing: float = Field(default=0.02, ge=0, le=0.2)
    percist_reference: PercistReference | None = None
    ct_air_below_hu: float | None = -300.0


def parse_reference(text: str) -> PercistReference:
    """Read ``liver,MEAN,SD`` or ``blood,MEAN,SD``.

    Raises:
        InputError: It is something else.

    Example:
        >>> parse_reference("liver,2.0,0.25").threshold_suv
        3.5
    """
    try:
        region, mean, deviation = text.split(",")
        return PercistReference.model_validate(
            {"region": region.strip().lower(), "mean_suv": float(mean), "sd_suv": float(deviation)}
        )
    except ValueError as error:
        raise InputError(f'reference: expected "liver,MEAN,SD" or "blood,MEAN,SD" in SUV, found "{text}"') from error
