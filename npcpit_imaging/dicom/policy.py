"""What to do with a series that is not quite one regular volume: refuse it, or read it and say so."""

from enum import StrEnum

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

    position_tolerance: float = 0.05
    silent_tolerance: float = 0.001
    tilt: Choice = Choice.REFUSE
    gap: Choice = Choice.REFUSE
    single_slice: Choice = Choice.REFUSE
    duplicate: Choice = Choice.ALLOW
    lossy: Choice = Choice.ALLOW


DEFAULT_POLICY = SeriesPolicy()
"""Refuses gaps, tilt and lone slices; drops identical copies with a finding."""
