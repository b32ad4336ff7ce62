"""The story of the synthetic subject: who, when, how the head lay in each scanner, and what each lesion did.

Everything a reader of truth.toml may ask is decided here; the other files only draw, write and print it.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from imaging import Grid, Growth
from lesions import Ellipsoid, Seen, lesion_tissue, seen_ellipsoid
from shapes import Array, Point, rotation_matrix

SEED = 20240304
"""Seeds noise, UIDs and the scripted reader."""

PATIENT_NAME, PATIENT_ID = "SYNTHETIC^NASOPHARYNX", "SYN-0001"
SEX, BIRTH_DATE, HEIGHT_M = "M", date(1969, 7, 21), 1.72
TREATMENT_DATE = date(2024, 3, 14)
HALF_LIFE_S = 6586.2
"""Physical half-life of fluorine-18 (109.77 min)."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How the head lay: degrees about x, y, z, then a shift in mm, from the anatomical frame to the scanner's."""

    tilts: Point
    shift: Point

    @property
    def matrix(self) -> Array:
        """4x4 motion."""
        motion = np.eye(4)
        motion[:3, :3] = rotation_matrix(*self.tilts)
        motion[:3, 3] = self.shift
        return motion


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series to make.

    Args:
        folder: ``CT``, ``MR_T1``, ``MR_T2``, ``PET_CT`` or ``PET``.
        frame: Which of the date's frames of reference it shares: ``CT``, ``MR`` or ``PET``.
        size: Columns (= rows) and slices.
        spacing_mm: Pixel and slice spacing.
        center_mm: Centre of the grid in scanner LPS mm.
        noise: CT: sigma in HU; MR: relative to full signal; PET: SUV at SUV 1.
        oblique_degrees: Tilt of the slices about the left-right axis.
        coding: ``J2K``, ``RLE`` or ``RAW`` (explicit little endian).
    """

    folder: str
    frame: str
    size: tuple[int, int]
    spacing_mm: tuple[float, float]
    center_mm: Point
    noise: float
    oblique_degrees: float = 0.0
    coding: str = "J2K"

    @property
    def grid(self) -> Grid:
        """Voxels in scanner LPS mm."""
        n, planes = self.size
        affine = np.eye(4)
        affine[:3, :3] = rotation_matrix(self.oblique_degrees, 0, 0) @ np.diag(
            [*(self.spacing_mm[0],) * 2, self.spacing_mm[1]]
        )
        half = np.array([(n - 1) / 2, (n - 1) / 2, (planes - 1) / 2])
        affine[:3, 3] = np.round(np.array(self.center_mm) - affine[:3, :3] @ half, 3)
        return Grid(shape_kji=(planes, n, n), affine=affine)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One time point: date, weight, dose, poses per frame, series, and the lesions that are there."""

    name: str
    day: date
    weight_kg: float
    dose_bq: float
    injected: str
    pet_start: str
    poses: dict[str, Pose]
    series: tuple[Series, ...]
    lesions: dict[str, Seen]

    def ellipsoids(self) -> dict[str, Ellipsoid]:
        """Return the lesions of this date in the anatomical frame, sized as its diagnostic CT shall show them."""
        motion = self.poses["CT"].matrix
        return {name: seen_ellipsoid(seen, motion) for name, seen in self.lesions.items()}

    def growths(self) -> list[Growth]:
        """Return what to paint."""
        bodies = self.ellipsoids()
        return [
            Growth(ellipsoid=bodies[name], tissue=lesion_tissue(name, seen.suv)) for name, seen in self.lesions.items()
        ]

    def of(self, folder: str) -> Series:
        """Return the series of a folder."""
        return next(series for series in self.series if series.folder == folder)


@dataclass(frozen=True, kw_only=True)
class Diffuser:
    """A cylindrical light diffuser in the anatomical frame; the light reaches `RADIUS_MM` around its axis."""

    lesion: str
    tip: Point
    direction: Point
    length_mm: float


RADIUS_MM = 10.0
"""Radius of the irradiated cylinder around each diffuser."""

DIFFUSERS = (
    Diffuser(lesion="T01", tip=(11.0, 5.0, 8.5), direction=(-0.976, 0.208, -0.07), length_mm=36.0),
    Diffuser(lesion="T01", tip=(11.0, 5.0, -4.5), direction=(-0.976, 0.208, -0.07), length_mm=36.0),
    Diffuser(lesion="T03", tip=(27.5, -10.0, -4.0), direction=(0.92, 0.38, 0.10), length_mm=15.0),
)

LESIONS = {
    "T01": {"role": "TARGET", "organ": "NASOPHARYNX", "location": "NASOPHARYNX", "nodal": False, "irradiated": True,
            "text": "nasopharyngeal mass, right fossa of Rosenmueller across the midline"},
    "T02": {"role": "TARGET", "organ": "LYMPH NODE", "location": "RETROPHARYNGEAL LYMPH NODE", "nodal": True,
            "irradiated": False, "text": "left lateral retropharyngeal node"},
    "T03": {"role": "TARGET", "organ": "MASTICATOR SPACE", "location": "MASTICATOR SPACE", "nodal": False,
            "irradiated": True, "text": "left masticator space deposit in the pterygoid muscles"},
    "N01": {"role": "NEW", "organ": "LYMPH NODE", "location": "CERVICAL LYMPH NODE LEVEL II", "nodal": True,
            "irradiated": False, "text": "new right level II nodal mass outside the irradiated field"},
}  # fmt: skip
"""What each lesion is; the same at every time point."""


def _seen(center: Point, sizes_mm: Point, tilts: Point, suv: float) -> Seen:
    longest, short, half_height = sizes_mm
    return Seen(center=center, longest_mm=longest, short_mm=short, half_height_mm=half_height, tilts=tilts, suv=suv)


def _ct(size: tuple[int, int], spacing_mm: tuple[float, float], center_mm: Point, *, noise: float) -> Series:
    return Series(folder="CT", frame="CT", size=size, spacing_mm=spacing_mm, center_mm=center_mm, noise=noise)


def _mr(
    size: tuple[int, int],
    spacing_mm: tuple[float, float],
    center_mm: Point,
    *,
    noise: float,
    oblique_degrees: float,
    t2_coding: str = "J2K",
) -> tuple[Series, Series]:
    t1 = Series(
        folder="MR_T1",
        frame="MR",
        size=size,
        spacing_mm=spacing_mm,
        center_mm=center_mm,
        noise=noise,
        oblique_degrees=oblique_degrees,
    )
    return t1, replace(t1, folder="MR_T2", coding=t2_coding)


def _pet_ct(
    planes: int, slice_mm: float, center_mm: Point, *, pixel_mm: float, noise: tuple[float, float], coding: str = "J2K"
) -> tuple[Series, Series]:
    ct = Series(
        folder="PET_CT",
        frame="PET",
        size=(144, planes),
        spacing_mm=(1.75, slice_mm),
        center_mm=center_mm,
        noise=noise[0],
    )
    pet = replace(ct, folder="PET", size=(96, planes), spacing_mm=(pixel_mm, slice_mm), noise=noise[1], coding=coding)
    return ct, pet


VISITS = (
    Visit(
        name="BASELINE",
        day=date(2024, 3, 4),
        weight_kg=68.0,
        dose_bq=352.0e6,
        injected="091200",
        pet_start="101430",
        poses={
            "CT": Pose(tilts=(1.5, -2.0, 2.5), shift=(1.5, -3.0, 2.0)),
            "MR": Pose(tilts=(-3.0, 1.0, -1.5), shift=(-2.0, 4.0, -3.0)),
            "PET": Pose(tilts=(4.0, -1.0, 4.5), shift=(3.5, 2.0, 4.0)),
        },
        series=(
            _ct((256, 52), (1.0, 2.5), (0.5, 8.5, -5.0), noise=6.5),
            *_mr((176, 28), (1.3, 4.4), (-1, 11, -9.0), noise=0.014, oblique_degrees=5.0),
            *_pet_ct(44, 3.0, (2.0, 10.0, -4.0), pixel_mm=2.6, noise=(11.0, 0.10), coding="RAW"),
        ),
        lesions={
            "T01": _seen((-6, 8, 2), (38.0, 26.0, 15.0), (8, -6, 12), 9.0),
            "T02": _seen((21, 18, -31), (22.0, 17.0, 12.0), (-8, 5, 70), 7.0),
            "T03": _seen((34, -7, -4), (14.0, 11.0, 7.5), (0, 6, 35), 6.5),
        },
    ),
    Visit(
        name="FU1",
        day=date(2024, 4, 29),
        weight_kg=66.5,
        dose_bq=347.0e6,
        injected="084500",
        pet_start="094610",
        poses={
            "CT": Pose(tilts=(5.0, 1.5, -2.0), shift=(-2.5, -5.5, 5.0)),
            "MR": Pose(tilts=(0.5, -3.5, 3.0), shift=(4.0, 1.0, 1.0)),
            "PET": Pose(tilts=(-3.5, -2.0, -1.0), shift=(-3.0, 3.0, -4.0)),
        },
        series=(
            _ct((256, 44), (0.93, 3.0), (-1.7, 5.2, -2.6), noise=7.5),
            *_mr((192, 27), (1.2, 4.5), (3, 8, -5.0), noise=0.017, oblique_degrees=-3.0),
            *_pet_ct(41, 3.27, (-2, 9.0, -10.0), pixel_mm=2.65, noise=(12.0, 0.12)),
        ),
        lesions={
            "T01": _seen((-12, 10, 2), (19.0, 13.0, 8.5), (6, 0, 20), 5.2),
            "T02": _seen((21.3, 18, -31), (20.5, 15.5, 11.0), (-8, 5, 70), 6.6),
            "T03": _seen((35, -6.5, -4), (8.0, 6.6, 5.0), (0, 6, 35), 3.6),
        },
    ),
    Visit(
        name="FU2",
        day=date(2024, 6, 24),
        weight_kg=65.0,
        dose_bq=339.0e6,
        injected="102000",
        pet_start="112245",
        poses={
            "CT": Pose(tilts=(-3.0, -5.0, 5.5), shift=(5.0, 1.0, -3.5)),
            "MR": Pose(tilts=(3.5, 2.0, 1.0), shift=(1.0, -4.0, 4.0)),
            "PET": Pose(tilts=(1.0, 3.0, -3.0), shift=(-4.0, -2.0, 2.0)),
        },
        series=(
            _ct((240, 52), (1.05, 2.5), (2.1, 12.3, -9.2), noise=7.0),
            *_mr((160, 30), (1.44, 4.0), (1, 5, -3.0), noise=0.015, oblique_degrees=4.0, t2_coding="RLE"),
            *_pet_ct(44, 3.0, (-3, 8.0, -5.0), pixel_mm=2.6, noise=(10.5, 0.11)),
        ),
        lesions={
            "T01": _seen((-13, 10.5, 2), (16.0, 11.0, 7.5), (6, 0, 25), 3.4),
            "T02": _seen((21.3, 18, -31), (20.0, 15.5, 10.8), (-8, 5, 70), 6.4),
            "N01": _seen((-43, 22, -46), (19.0, 16.5, 10.0), (5, 0, 60), 8.0),
        },
    ),
)
"""The three time points; FU1 and FU2 are 8 and 16 weeks after the baseline."""


def between(series_motion: Array) -> Array:
    """Return the 4x4 from the baseline CT's space to a series' space, given the series' own pose matrix."""
    return series_motion @ np.linalg.inv(VISITS[0].poses["CT"].matrix)


def uid(*names: str) -> str:
    """Return a UID made from the seed and a name (PS3.5 B.2: 2.25 and a 128-bit integer)."""
    digest = hashlib.sha256("/".join([str(SEED), *names]).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def series_uid(visit: Visit, series: Series) -> str:
    """Return the SeriesInstanceUID."""
    return uid(visit.name, series.folder, "series")


def study_uid(visit: Visit, series: Series) -> str:
    """Return the StudyInstanceUID: the CT, the MR and the PET/CT of a date are three studies."""
    return uid(visit.name, series.frame, "study")


def frame_uid(visit: Visit, series: Series) -> str:
    """Return the FrameOfReferenceUID."""
    return uid(visit.name, series.frame, "frame")


def stream(*names: str) -> np.random.RandomState:
    """Return the random stream of one purpose."""
    digest = hashlib.sha256("/".join([str(SEED), *names]).encode()).digest()
    return np.random.RandomState(int.from_bytes(digest[16:20], "big"))


def seconds(clock: str) -> int:
    """Return seconds since midnight of an HHMMSS time."""
    return int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:6])
