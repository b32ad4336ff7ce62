"""What was measured on one lesion at one time point; values only, no voxels."""

from dataclasses import dataclass

from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Diameters and volume of one mask on its native grid.

    Args:
        longest_diameter: The longest in-plane diameter over all slices; None when the mask is empty.
        short_axis: The largest extent perpendicular to it in the same slice; None when the mask is empty.
        slice_index_k: The slice of both, 0-based along the volume's own k axis; None when the mask is empty.
        slice_position_mm: Position of that slice along the volume's normal, in mm; None when the mask is empty.
        volume_ml: Voxel count times voxel volume, in mL.
        components: Number of 26-connected components of the whole mask.
        convention: Name and version of the diameter convention, stored with the number.
        findings: What a reader should know (several components, a line that leaves the lesion, an oblique slice).
    """

    longest_diameter: Caliper | None
    short_axis: Caliper | None
    slice_index_k: int | None
    slice_position_mm: float | None
    volume_ml: float
    components: int
    convention: str
    findings: tuple[Finding, ...] = ()

    @property
    def longest_diameter_mm(self) -> float | None:
        """Length of the longest diameter in mm, or None for an empty mask."""
        return None if self.longest_diameter is None else self.longest_diameter.length_mm

    @property
    def short_axis_mm(self) -> float | None:
        """Length of the short axis in mm, or None for an empty mask."""
        return None if self.short_axis is None else self.short_axis.length_mm

    @property
    def bidimensional_product_mm2(self) -> float | None:
        """Longest diameter times short axis in mm2, or None for an empty mask."""
        longest, short = self.longest_diameter_mm, self.short_axis_mm
        return None if longest is None or short is None else longest * short


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """PET uptake within one mask.

    Args:
        suv_max: Largest SUVbw in the mask.
        suv_mean: Mean SUVbw in the mask.
        suv_peak: Mean SUVbw of the hottest 1 mL sphere centred in the mask.
        mtv_ml: Metabolic tumour volume (volume of the mask) in mL.
        tlg_g: Total lesion glycolysis, suv_mean x mtv_ml.
        sul_peak: suv_peak by lean body mass (PERCIST); None where height, weight or sex is not known.
    """

    suv_max: float
    suv_mean: float
    suv_peak: float
    mtv_ml: float
    tlg_g: float
    sul_peak: float | None = None
