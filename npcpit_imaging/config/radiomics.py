"""What a study decided about radiomics: the image processing of IBSI 1 (chapter 2) and which features are computed."""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from npcpit_imaging.config.base import Config

MAX_GREY_LEVELS = 2048
"""Most grey levels a texture is computed with; a co-occurrence matrix holds the square of this number."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Interpolator(StrEnum):
    """How voxel values between the voxel centres are found (IBSI 1, 2.4)."""

    LINEAR = "linear"
    CUBIC = "cubic"


class Discretiser(StrEnum):
    """How intensities become grey levels (IBSI 1, 2.7)."""

    NONE = "none"
    FIXED_BIN_SIZE = "fixed_bin_size"
    FIXED_BIN_NUMBER = "fixed_bin_number"
    EQUALISED = "equalised"


class Dimension(StrEnum):
    """In how many dimensions neighbours are sought, and over what textures are gathered (IBSI 1, 3.6)."""

    D2 = "2D"
    D2_5 = "2_5D"
    D3 = "3D"


class Family(StrEnum):
    """The feature families of IBSI 1, chapter 3."""

    MORPHOLOGY = "morphology"
    LOCAL_INTENSITY = "local_intensity"
    INTENSITY_STATISTICS = "intensity_statistics"
    HISTOGRAM = "intensity_histogram"
    IVH = "intensity_volume_histogram"
    GLCM = "glcm"
    GLRLM = "glrlm"
    GLSZM = "glszm"
    GLDZM = "gldzm"
    NGTDM = "ngtdm"
    NGLDM = "ngldm"


class Normalisation(StrEnum):
    """How arbitrary intensities (MR) are made comparable before anything else."""

    NONE = "none"
    Z_SCORE = "z_score"
    NYUL = "nyul"


class NyulScale(Config):
    """A standard scale of intensities, fitted on a reference set (Nyul and Udupa 1999, Nyul 2000).

    Args:
        percentiles: Of the body's intensities, ascending.
        landmarks: Where on the standard scale each of them lies, ascending.
    """

    percentiles: Annotated[tuple[Percent, ...], Field(min_length=2)]
    landmarks: tuple[Finite, ...]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if len(self.percentiles) != len(self.landmarks):
            raise ValueError(f"expected {len(self.percentiles)} landmarks, found {len(self.landmarks)}")
        for name, values in (("percentiles", self.percentiles), ("landmarks", self.landmarks)):
            if any(low >= high for low, high in pairwise(values)):
                raise ValueError(f"expected {name} that ascend, found {list(values)}")
        return self


class Normalise(Config):
    """Make arbitrary intensities comparable: bias field first, then a scale of the body (IBSI 1, 2.3).

    Args:
        method: What is done.
        n4: Correct the bias field with N4 first (Tustison 2010).
        multiple: Factor applied after the z-score, so that fixed bin sizes have a handy size.
        nyul: The standard scale; with nyul and only there.
    """

    method: Normalisation = Normalisation.NONE
    n4: bool = False
    multiple: Positive = 1.0
    nyul: NyulScale | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.method is Normalisation.NYUL) != (self.nyul is not None):
            raise ValueError(f"expected a scale with method nyul and only there, found method {self.method}")
        return self


class Resampling(Config):
    """The grid features are computed on (IBSI 1, 2.4).

    Args:
        spacing_mm: Isotropic voxel spacing; None keeps the image's own grid.
        slices: Resample across slices too; False keeps the slices (2D and 2.5D textures).
        interpolator: For the image; a mask is always interpolated linearly and kept where it is at least one half.
        round_to_integer: Round the interpolated intensities, as CT needs.
    """

    spacing_mm: Positive | None = None
    slices: bool = True
    interpolator: Interpolator = Interpolator.LINEAR
    round_to_integer: bool = False


class Resegmentation(Config):
    """Which voxels stay in the intensity mask; the morphological mask is never touched (IBSI 1, 2.5).

    Args:
        lower: Lowest intensity kept; None for no bound.
        upper: Highest intensity kept; None for no bound.
        outlier_sd: Keep intensities within this many standard deviations of the region's mean; None keeps all.
    """

    lower: Finite | None = None
    upper: Finite | None = None
    outlier_sd: Positive | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"expected lower < upper, found {self.lower} and {self.upper}")
        return self


class Discretisation(Config):
    """How intensities become grey levels (IBSI 1, 2.7).

    Args:
        method: Which algorithm; none takes whole-number intensities as they are.
        bin_width: Width of a bin, in the image's unit; for a fixed bin size only.
        bin_count: Number of bins; for a fixed bin number and for equalisation only.
    """

    method: Discretiser = Discretiser.NONE
    bin_width: Positive | None = None
    bin_count: Annotated[int, Field(ge=2, le=MAX_GREY_LEVELS)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs_width = self.method is Discretiser.FIXED_BIN_SIZE
        needs_count = self.method in (Discretiser.FIXED_BIN_NUMBER, Discretiser.EQUALISED)
        if needs_width != (self.bin_width is not None):
            raise ValueError(f"expected bin_width with fixed_bin_size and only there, found {self.bin_width}")
        if needs_count != (self.bin_count is not None):
            raise ValueError(
                f"expected bin_count with fixed_bin_number or equalised and only there, found {self.bin_count}"
            )
        return self


class Boundary(StrEnum):
    """How an image continues beyond its edge when it is filtered (IBSI 2, 2.2.2)."""

    ZERO = "zero"
    NEAREST = "nearest"
    PERIODIC = "periodic"
    MIRROR = "mirror"


class MeanFilter(Config):
    """IBSI 2 mean filter (S60F): the average of a cube, or in plane a square, of `support_voxels` a side."""

    kind: Literal["mean"]
    boundary: Boundary = Boundary.MIRROR
    support_voxels: Annotated[int, Field(ge=3, le=101)]
    in_plane: bool = False

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.support_voxels % 2 == 0:
            raise ValueError(f"expected an odd support, found {self.support_voxels}")
        return self


class LogFilter(Config):
    """IBSI 2 Laplacian of Gaussian (L6PA), cut off at `truncate_sigma` standard deviations."""

    kind: Literal["log"]
    boundary: Boundary = Boundary.MIRROR
    sigma_mm: Positive
    in_plane: bool = False
    truncate_sigma: Positive = 4.0


class WaveletFilter(Config):
    """IBSI 2 separable undecimated wavelet, by default averaged over right-angle rotations (25BO).

    Args:
        kind: wavelet.
        boundary: How the image continues beyond its edge.
        wavelet: Which family of kernels.
        response: Low (L) or high (H) pass along x, y, z; two letters filter slice by slice.
        level: Decomposition level.
        rotation_invariant: Average over the 24 (in a slice: 4) right-angle rotations.
    """

    kind: Literal["wavelet"]
    boundary: Boundary = Boundary.MIRROR
    wavelet: Literal["haar", "db2", "db3", "coif1"] = "haar"
    response: Annotated[str, Field(pattern="^[LH]{2,3}$")] = "LLH"
    level: Annotated[int, Field(ge=1, le=4)] = 1
    rotation_invariant: bool = True

    @property
    def in_plane(self) -> bool:
        """Tell whether slices are filtered one by one."""
        return len(self.response) == 2


Filter = Annotated[MeanFilter | LogFilter | WaveletFilter, Field(discriminator="kind")]


class RadiomicsSettings(Config):
    """Everything that decides a radiomic value besides the voxels; its digest stands in every row.

    Args:
        unit: Unit the numbers below were chosen for; an image known to be in another is refused. Empty accepts any.
        normalise: Before anything else; for MR.
        resampling: The grid.
        resegmentation: The intensity mask.
        discretisation: Grey levels of the histogram and the textures.
        ivh: Grey levels of the intensity-volume histogram.
        filters: Response maps the intensity families and textures are computed on as well (IBSI 2).
        filter_discretisation: Grey levels of the response maps, whose unit is not the image's.
        families: Which families, in which order.
        dimensions: Which texture aggregations; averaged and merged values are both written.
        glcm_distance: Chebyshev distance of a co-occurring pair, in voxels.
        ngldm_coarseness: Largest grey level difference of dependent voxels.
        minimum_voxels: Smallest intensity mask, after resampling, that is computed at all.
    """

    unit: Literal["", "HU", "SUVbw"] = ""
    normalise: Normalise = Normalise()
    resampling: Resampling = Resampling()
    resegmentation: Resegmentation = Resegmentation()
    discretisation: Discretisation = Discretisation(method=Discretiser.FIXED_BIN_NUMBER, bin_count=32)
    ivh: Discretisation = Discretisation(method=Discretiser.FIXED_BIN_NUMBER, bin_count=1000)
    filters: tuple[Filter, ...] = ()
    filter_discretisation: Discretisation = Discretisation(method=Discretiser.FIXED_BIN_NUMBER, bin_count=32)
    families: tuple[Family, ...] = tuple(Family)
    dimensions: tuple[Dimension, ...] = (Dimension.D3,)
    glcm_distance: Annotated[int, Field(ge=1, le=10)] = 1
    ngldm_coarseness: Annotated[int, Field(ge=0, le=MAX_GREY_LEVELS)] = 0
    minimum_voxels: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _without_repetition(self) -> Self:
        chosen = {"families": self.families, "dimensions": self.dimensions, "filters": self.filters}
        for name, items in chosen.items():
            if len(set(items)) != len(items) or (not items and name != "filters"):
                raise ValueError(f"expected {name} without repetition and at least one, found {list(items)}")
        return self

    @model_validator(mode="after")
    def _fitting_grid(self) -> Self:
        isotropic = self.resampling.spacing_mm is not None and self.resampling.slices
        if Dimension.D3 in self.dimensions and self.resampling.spacing_mm is not None and not isotropic:
            raise ValueError("expected 3D textures on an isotropic grid, found resampling.slices = false")
        if self.discretisation.method is Discretiser.NONE and not self.resampling.round_to_integer:
            raise ValueError("expected a discretisation, or whole numbers by round_to_integer, found neither")
        return self
