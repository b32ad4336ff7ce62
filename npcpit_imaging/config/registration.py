"""How two images are aligned and when the result is believed: one plan per modality pair."""

from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from npcpit_imaging.config.base import Config, load

Percent = Annotated[float, Field(gt=0, le=100)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class CtIntensity(Config):
    """Which Hounsfield units of a CT take part."""

    clamp_hu: tuple[float, float] = (-200.0, 400.0)
    body_above_hu: float = -300.0


class RelativeIntensity(Config):
    """Which values of an image without absolute units (MR, PET, NIfTI of unknown kind) take part.

    Percentiles are taken of the whole image; the body is what lies above
    ``low + body_fraction * (high - low)``, low and high being the percentiles of `body_percentiles`.
    """

    clamp_percentiles: tuple[float, float] = (0.2, 99.8)
    body_percentiles: tuple[float, float] = (0.2, 99.0)
    body_fraction: Fraction = 0.08


class BodyMask(Config):
    """The region whose points are compared.

    Args:
        grid_mm: Its grid, never finer than the image's own.
        closing_mm: Holes up to twice this are closed.
        dilation_mm: It grows by this, so that the skin takes part.
        air_mm: So much air around the fixed body is searched too, whatever the moving image shows there: an outline
            must lie on an outline. 0 compares only what lies in both bodies, where two bodies that hardly touch can
            seem alike.
    """

    grid_mm: PositiveFloat = 4.0
    closing_mm: float = Field(default=4.0, ge=0)
    dilation_mm: float = Field(default=4.0, ge=0)
    air_mm: float = Field(default=0.0, ge=0)


class Level(Config):
    """One resolution of the search: regular-step gradient descent on random points."""

    spacing_mm: PositiveFloat
    sampling_percent: Percent
    iterations: PositiveInt
    step_mm: PositiveFloat
    min_step_mm: PositiveFloat


class Starts(Config):
    """Where the search begins; every start runs at the first level, the best go on to the second."""

    geometry: bool = True
    moments: bool = True
    identity: bool = True
    z_offsets_mm: tuple[float, ...] = (-45.0, -22.0, 22.0, 45.0)
    scan_step_mm: PositiveFloat = 10.0
    scan_kept: int = Field(default=2, ge=0)
    refined: int = Field(default=3, ge=2)


class Limits(Config):
    """Two bounds of one quality number: beyond `warn` a reader is told, beyond `reject` the result is not used.

    ``reject >= warn`` means that larger is worse, ``reject < warn`` that smaller is worse.
    """

    warn: float
    reject: float


class QualityLimits(Config):
    """When a registration is accepted, warned of or rejected (validated in docs/registration.md)."""

    inverse_consistency_mm: Limits = Limits(warn=3.0, reject=8.0)
    agreement_mm: Limits = Limits(warn=3.0, reject=20.0)
    overlap: Limits = Limits(warn=0.6, reject=0.15)
    common_ml: Limits = Limits(warn=200.0, reject=50.0)
    similarity: Limits = Limits(warn=0.7, reject=0.35)
    mutual_information: Limits = Limits(warn=0.15, reject=0.08)
    mirror_ratio: Limits = Limits(warn=0.9, reject=1.1)
    rotation_degrees: Limits = Limits(warn=20.0, reject=30.0)
    displacement_mm: Limits = Limits(warn=60.0, reject=150.0)
    jacobian_min: Limits = Limits(warn=0.3, reject=0.05)
    deformation_mm: Limits = Limits(warn=15.0, reject=30.0)


class Polish(Config):
    """Rigid refinement on voxels after the search, for two images of one modality.

    Args:
        enabled: Whether it runs.
        spacings_mm: Grids, coarse to fine; 0 is each image's own grid.
        points: At most about this many voxels of the body, evenly chosen.
        iterations: Steps of one grid at most.
        local_mm: Grey values are fitted to each other within this reach (MR); 0 takes them as they are (CT).
        robust: Residuals beyond so many spreads count little.
        farthest_mm: A refinement that leads farther from where the search ended is not believed.
    """

    enabled: bool = False
    spacings_mm: tuple[float, ...] = (3.0, 0.0)
    points: int = Field(default=120_000, ge=1000)
    iterations: PositiveInt = 12
    local_mm: float = Field(default=0.0, ge=0)
    robust: PositiveFloat = 3.0
    farthest_mm: PositiveFloat = 10.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _require_finer([spacing or 1e-9 for spacing in self.spacings_mm])
        return self


class DeformableLevel(Config):
    """One resolution of the refinement: Gauss-Newton steps on every voxel of the body."""

    spacing_mm: PositiveFloat
    iterations: PositiveInt


class Deformable(Config):
    """Refinement by a cubic B-spline after the rigid search; for two images of one modality that look alike.

    Args:
        enabled: Off by default: a rigid transform cannot shrink a lesion together with the tissue around it.
        control_spacing_mm: Distance of the spline's control points.
        levels: Coarse to fine; never finer than the image.
        local_mm: Reach within which grey values are compared to their neighbours; 0 compares them as they are.
        bending: Price of bending.
        size: Price of moving at all.
        robust: Residuals beyond so many spreads count little.
    """

    enabled: bool = False
    control_spacing_mm: PositiveFloat = 12.0
    levels: tuple[DeformableLevel, ...] = (
        DeformableLevel(spacing_mm=4.0, iterations=10),
        DeformableLevel(spacing_mm=2.0, iterations=8),
        DeformableLevel(spacing_mm=1.0, iterations=5),
    )
    local_mm: float = Field(default=8.0, ge=0)
    bending: float = Field(default=0.03, ge=0)
    size: float = Field(default=0.002, ge=0)
    robust: PositiveFloat = 6.0

    @model_validator(mode="after")
    def _has_levels_that_get_finer(self) -> Self:
        _require_finer([level.spacing_mm for level in self.levels])
        return self


def _require_finer(spacings: list[float]) -> None:
    if not spacings or any(fine >= coarse for coarse, fine in pairwise(spacings)):
        raise ValueError(f"levels: expected spacings that get finer, found {spacings} mm")


class EngineName(StrEnum):
    """Whose result is used; ours is run and compared with it in any case."""

    BUILTIN = "builtin"
    ELASTIX = "elastix"


class Engine(Config):
    """Another program that aligns the images in our place; its result is judged by the same limits.

    Args:
        name: ``builtin`` or ``elastix``.
        program: Its program: a name on the path or a full path.
        parameters: Folder of elastix parameter files ``*.txt``, run in the order of their names; relative to the plan.
        threads: Of the program; more than one may change the last digits.
        timeout_s: Given up after so long.
    """

    name: EngineName = EngineName.BUILTIN
    program: str = "elastix"
    parameters: str = "elastix"
    threads: PositiveInt = 1
    timeout_s: PositiveFloat = 1800.0


class RegistrationPlan(Config):
    """Multi-start registration of one modality pair by Mattes mutual information, deformable where it says so.

    Example:
        >>> [level.spacing_mm for level in RegistrationPlan().levels]
        [8.0, 4.0, 2.0]
    """

    ct: CtIntensity = CtIntensity()
    relative: RelativeIntensity = RelativeIntensity()
    body: BodyMask = BodyMask()
    levels: tuple[Level, ...] = (
        Level(spacing_mm=8.0, sampling_percent=50.0, iterations=40, step_mm=8.0, min_step_mm=0.05),
        Level(spacing_mm=4.0, sampling_percent=30.0, iterations=80, step_mm=3.0, min_step_mm=0.02),
        Level(spacing_mm=2.0, sampling_percent=20.0, iterations=100, step_mm=1.0, min_step_mm=0.005),
    )
    max_points: int = Field(default=60_000, ge=1000)
    bins: int = Field(default=32, ge=8, le=256)
    relaxation: float = Field(default=0.6, gt=0, lt=1)
    seed: int = Field(default=20240, ge=1)
    threads: PositiveInt = 1
    starts: Starts = Starts()
    polish: Polish = Polish()
    deformable: Deformable = Deformable()
    engine: Engine = Engine()
    quality: QualityLimits = QualityLimits()
    uncertainty_floor_mm: float = Field(default=2.0, ge=0)
    hint_above_mm: float = Field(default=5.0, ge=0)
    field_margin_mm: float = Field(default=4.0, ge=0)

    @model_validator(mode="after")
    def _levels_get_finer(self) -> Self:
        _require_finer([level.spacing_mm for level in self.levels])
        return self


def load_plan(path: Path) -> RegistrationPlan:
    """Read a plan; the folder of another engine's parameters is taken from beside the file.

    Raises:
        ConfigError: The file cannot be used.
    """
    plan = load(path, RegistrationPlan)
    if plan.engine.name is EngineName.BUILTIN:
        return plan
    folder = str((path.parent / plan.engine.parameters).resolve())
    return plan.model_copy(update={"engine": plan.engine.model_copy(update={"parameters": folder})})
