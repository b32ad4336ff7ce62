"""What to do with a series that is not quite one regular volume: refuse it, or read it and say so."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from npcpit_imaging.config.base import Config


class Choice(StrEnum):
    """Whether a doubtful series is refused, or read with a finding."""

    REFUSE = "refuse"
    ALLOW = "allow"


class SeriesPolicy(Config):
    """How strict reading a series is; the defaults refuse whatever could move a voxel.

    Args:
        position_tolerance: Largest distance of a slice from its place on the regular grid, as a fraction of the slice
            spacing; see docs/decisions/0010-slice-spacing-tolerance.md.
        silent_tolerance: Below this fraction no finding is recorded: rounding of decimal strings.
        tilt: A gantry tilt (slices shifted along a line within their plane): refuse, or resample to an orthogonal grid.
        gap: Missing or irregular slices: refuse, or interpolate linearly to a regular grid.
        single_slice: A lone slice: refuse, or read it with its SliceThickness as extent.
        duplicate: Identical copies of a slice: refuse, or keep one. Different images at one place are always refused.
        lossy: Lossy compressed pixels: refuse, or read.
    """

    position_tolerance: float = Field(default=0.05, gt=0, lt=0.5)
    silent_tolerance: float = Field(default=0.001, ge=0, lt=0.5)
    tilt: Choice = Choice.REFUSE
    gap: Choice = Choice.REFUSE
    single_slice: Choice = Choice.REFUSE
    duplicate: Choice = Choice.ALLOW
    lossy: Choice = Choice.ALLOW


class StudySeriesPolicy(SeriesPolicy):
    """How strict a study reads the series of one modality: ``[series]`` of `configs/imaging/{ct,mr,pet}.toml`.

    A gap or a tilt cannot be allowed: a resampled volume is no native grid to measure on (decision 0002), and neither a
    SEG nor an RTSTRUCT can be drawn on it.
    """

    @model_validator(mode="after")
    def _native_grid(self) -> Self:
        for name, choice in (("gap", self.gap), ("tilt", self.tilt)):
            if choice is not Choice.REFUSE:
                raise ValueError(f"{name}: expected refuse, found {choice}: a study measures on slices as acquired")
        return self


DEFAULT_POLICY = SeriesPolicy()
"""Refuses gaps, tilt and lone slices; drops identical copies with a finding."""
