"""Pairs of real volumes whose right answer is known: good ones (one patient, known motion) and bad ones.

Good: a volume is moved rigidly, warped smoothly, resampled onto another grid and field of view, given noise and (MR) a
bias field and another contrast; or the STS CT and MR of one patient, whose contours share one space; or a true
follow-up.
Bad: another patient, no overlap, a flipped axis, a heavy crop, another part of the body.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.volume.files import read_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Modality, Volume

Made = tuple[Volume, Volume, RigidTransform | None]
"""Fixed, moving, and the true transform where it is known."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two volumes to align.

    Args:
        good: Whether they can be aligned.
        plan: ``ct-ct``, ``mr-mr`` or ``ct-mr``.
        kind: What is done to them.
        name: Which volumes.
        make: Makes them.
    """

    good: bool
    plan: str
    kind: str
    name: str
    make: Callable[[], Made]


def with_voxels(volume: Volume, voxels: NDArray[np.floating], geometry: Geometry | None = None) -> Volume:
    """Return the volume with other voxels."""
    return Volume(
        voxels=np.asarray(voxels, np.float32),
        geometry=geometry or volume.geometry,
        modality=volume.modality,
        unit=volume.unit,
    )


def crop(volume: Volume, low: tuple[float, float, float], high: tuple[float, float, float]) -> Volume:
    """Return a block of a volume; bounds are fractions of the shape along k, j, i."""
    shape = np.array(volume.geometry.shape_kji)
    start, stop = np.floor(shape * low).astype(int), np.ceil(shape * high).astype(int)
    k, j, i = (int(value) for value in stop - start)
    geometry = volume.geometry.crop((int(start[0]), int(start[1]), int(start[2])), (k, j, i))
    block = volume.voxels[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
    return with_voxels(volume, block, geometry)


def flip(volume: Volume, axis: int) -> Volume:
    """Reverse one array axis, as a wrong orientation tag does."""
    return with_voxels(volume, np.flip(volume.voxels, axis))


def random_motion(volume: Volume, rng: np.random.Generator, degrees: float, shift_mm: float) -> RigidTransform:
    """Return a motion about the volume's middle."""
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*np.radians(rng.uniform(-degrees, degrees, 3)).tolist())
    rotation = np.array(euler.GetMatrix()).reshape(3, 3)
    centre = volume.geometry.corners_mm().mean(axis=0)
    shift = rng.uniform(-shift_mm, shift_mm, 3)
    return RigidTransform(rotation=rotation, translation_mm=centre + shift - rotation @ centre)


def other_grid(volume: Volume, rng: np.random.Generator, keep: float) -> Geometry:
    """Return a grid of other spacing over part of the volume's field of view."""
    spacing = np.array(volume.geometry.spacing_mm) * rng.uniform(0.85, 1.2, 3)
    kept = rng.uniform(keep, 1.0, 3)
    extent = np.array(volume.geometry.size_mm)
    size = np.maximum(4, np.floor(extent * kept / spacing)).astype(int)
    axes = np.array(volume.geometry.direction)
    centre = volume.geometry.corners_mm().mean(axis=0)
    centre = centre + axes @ ((1 - kept) / 2 * extent * rng.choice([-1, 1], 3) * 0.8)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = centre - affine[:3, :3] @ ((size - 1) / 2)
    i, j, k = (int(value) for value in size)
    return Geometry.from_affine(affine, (k, j, i))


def warp(volume: Volume, rng: np.random.Generator, largest_mm: float) -> Volume:
    """Displace voxels by a smooth random field of at most `largest_mm` (correlation length about 20 mm)."""
    spacing = np.array(volume.geometry.spacing_mm[::-1])
    field = [ndimage.gaussian_filter(rng.normal(0, 1, volume.voxels.shape), 20 / spacing) for _ in spacing]
    scale = largest_mm / np.sqrt(sum(part**2 for part in field)).max()
    index = np.indices(volume.voxels.shape, np.float32)
    places = [at + part * scale / step for at, part, step in zip(index, field, spacing, strict=True)]
    return with_voxels(volume, ndimage.map_coordinates(volume.voxels, places, order=1, mode="nearest"))


def seen_again(
    volume: Volume,
    seed: int,
    *,
    degrees: float = 10.0,
    shift_mm: float = 15.0,
    warp_mm: float = 0.0,
    noise: float = 0.04,
    keep: float = 0.9,
    bias: float = 0.0,
    gamma: float = 1.0,
) -> tuple[Volume, RigidTransform]:
    """Return the volume as seen at another date, and the transform from there to it."""
    rng = np.random.default_rng(seed)
    true = random_motion(volume, rng, degrees, shift_mm)
    geometry = other_grid(volume, rng, keep)
    source = warp(volume, rng, warp_mm) if warp_mm else volume
    voxels = np.asarray(resample(source, geometry, true).voxels, float)
    low, high = np.percentile(voxels, [0.5, 99.5])
    if gamma != 1.0:
        voxels = low + (high - low) * np.clip((voxels - low) / (high - low), 0, None) ** gamma
    if bias:
        coarse = rng.uniform(1 - bias, 1 + bias, (3, 3, 3))
        places = [np.linspace(0, 2, size) for size in voxels.shape]
        voxels = voxels * ndimage.map_coordinates(coarse, np.meshgrid(*places, indexing="ij"), order=1)
    return with_voxels(volume, voxels + rng.normal(0, noise * (high - low), voxels.shape), geometry), true


class Library:
    """The public volumes, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sts = lru_cache(None)(self._sts)
        self.series = lru_cache(None)(self._series)

    def _sts(self, number: int, kind: str) -> Volume:
        path = self._folder / "training" / "sts" / f"STS_{number:03d}_{kind}.nii.gz"
        return read_volume(path, modality=Modality.CT if kind == "CT" else Modality.MR)

    def _series(self, name: str) -> Volume:
        path = self._folder / "images" / name
        return read_volume(path, modality=Modality.MR) if path.is_file() else load_folder(path)


MR1, MR2, T2 = "mr_two_dates/SCAN_001", "mr_two_dates/SCAN_002", "sts_001_raw/MR_T2/image"
LUNG, BRAIN, ABDOMEN = "ibsi_1_ct_phantom/dicom/image", "pyradiomics/brain1_image.nrrd", "jpeg2000_ct"


def good_pairs(library: Library) -> Iterator[Pair]:
    """Pairs that can be aligned."""

    def again(volume: Callable[[], Volume], seed: int, **change: float) -> Callable[[], Made]:
        def make() -> Made:
            fixed, true = seen_again(volume(), seed, **change)
            return fixed, volume(), true

        return make

    def across(number: int) -> Made:
        fixed, true = seen_again(library.sts(number, "CT"), number + 50)
        return fixed, library.sts(number, "MR_T1"), true

    for number in (4, 6, 9, 12):
        make = again(lambda n=number: library.sts(n, "CT"), number, warp_mm=4)
        yield Pair(good=True, plan="ct-ct", kind="known motion", name=f"STS {number} CT", make=make)
    for name, seed, keep in (("lung CT", 3, 0.9), ("lung CT, cropped", 31, 0.6)):
        make = again(lambda: library.series(LUNG), seed, warp_mm=6, keep=keep, noise=0.06)
        yield Pair(good=True, plan="ct-ct", kind="known motion", name=name, make=make)
    for number in (5, 7, 11, 13):
        make = again(lambda n=number: library.sts(n, "MR_T1"), number, warp_mm=4, bias=0.3, gamma=0.8)
        yield Pair(good=True, plan="mr-mr", kind="known motion", name=f"STS {number} T1", make=make)
    for name, seed, warp_mm, gamma in ((T2, 4, 4, 1.0), (BRAIN, 5, 3, 1.3), (MR1, 6, 8, 1.0)):
        make = again(lambda n=name: library.series(n), seed, warp_mm=warp_mm, bias=0.3, gamma=gamma)
        yield Pair(
            good=True, plan="mr-mr", kind="known motion", name=name.split("/")[-2 if "image" in name else -1], make=make
        )
    both: Made = (library.series(MR1), library.series(MR2), None)
    yield Pair(good=True, plan="mr-mr", kind="two dates", name="abdomen T2", make=lambda: both)
    for number in (4, 5, 6, 7, 14, 16, 17, 20):
        yield Pair(
            good=True, plan="ct-mr", kind="two modalities", name=f"STS {number}", make=lambda n=number: across(n)
        )


def bad_pairs(library: Library) -> Iterator[Pair]:
    """Pairs that must never be accepted."""

    def pair(plan: str, kind: str, name: str, fixed: Callable[[], Volume], moving: Callable[[], Volume]) -> Pair:
        return Pair(good=False, plan=plan, kind=kind, name=name, make=lambda: (fixed(), moving(), None))

    def sts(number: int, kind: str) -> Callable[[], Volume]:
        return lambda: library.sts(number, kind)

    def series(name: str) -> Callable[[], Volume]:
        return lambda: library.series(name)

    def moved(volume: Callable[[], Volume], seed: int, change: Callable[[Volume], Volume]) -> Callable[[], Volume]:
        return lambda: seen_again(change(volume()), seed, keep=0.99)[0]

    for one, other in ((4, 6), (9, 12), (5, 7)):
        for plan, first, second in (("ct-ct", "CT", "CT"), ("mr-mr", "MR_T1", "MR_T1"), ("ct-mr", "CT", "MR_T1")):
            yield pair(
                plan, "other patient", f"STS {one}/{other} {first}/{second}", sts(one, first), sts(other, second)
            )
    yield pair("mr-mr", "other patient", "thigh T2/abdomen T2", series(T2), series(MR1))
    for number, kind in ((4, "CT"), (9, "CT"), (5, "MR_T1"), (11, "MR_T1")):
        top, bottom = sts(number, kind), sts(number, kind)
        cut = moved(bottom, number, lambda volume: crop(volume, (0, 0, 0), (0.3, 1, 1)))
        upper = lambda volume=top: crop(volume(), (0.7, 0, 0), (1, 1, 1))  # noqa: E731
        yield pair("ct-ct" if kind == "CT" else "mr-mr", "no overlap", f"STS {number} {kind}", cut, upper)
    yield pair(
        "mr-mr", "no overlap", "abdomen T2",
        lambda: crop(library.series(MR1), (0, 0, 0), (0.4, 1, 1)),
        lambda: crop(library.series(MR2), (0.6, 0, 0), (1, 1, 1)),
    )  # fmt: skip
    flips = ((sts(6, "CT"), 0), (sts(12, "CT"), 2), (sts(4, "CT"), 1), (series(LUNG), 0), (series(LUNG), 2),
             (sts(7, "MR_T1"), 0), (sts(13, "MR_T1"), 2), (series(BRAIN), 2), (series(BRAIN), 0),
             (series(MR1), 2))  # fmt: skip
    names = (
        "STS 6 CT",
        "STS 12 CT",
        "STS 4 CT",
        "lung CT",
        "lung CT",
        "STS 7 T1",
        "STS 13 T1",
        "brain",
        "brain",
        "abdomen T2",
    )
    for (volume, axis), name in zip(flips, names, strict=True):
        fixed = moved(volume, 9, lambda image, along=axis: flip(image, along))
        yield pair("ct-ct" if "CT" in name else "mr-mr", "flipped axis", f"{name} {'kji'[axis]}", fixed, volume)
    fixed = moved(sts(14, "CT"), 9, lambda image: flip(image, 1))
    yield pair("ct-mr", "flipped axis", "STS 14 CT/MR j", fixed, sts(14, "MR_T1"))
    corner = ((0.1, 0.1, 0.1), (0.4, 0.35, 0.35))
    for plan, name, image, whole in (
        ("ct-ct", "STS 4 CT", sts(4, "CT"), sts(4, "CT")),
        ("mr-mr", "STS 11 T1", sts(11, "MR_T1"), sts(11, "MR_T1")),
        ("mr-mr", "abdomen T2", series(MR2), series(MR1)),
        ("ct-mr", "STS 6 CT/MR", sts(6, "CT"), sts(6, "MR_T1")),
    ):
        cut = moved(image, 11, lambda volume: crop(volume, *corner))
        yield pair(plan, "heavy crop", name, cut, whole)
    for plan, name, first, second in (
        ("ct-ct", "lung/STS 4", series(LUNG), sts(4, "CT")),
        ("ct-ct", "abdomen/STS 9", series(ABDOMEN), sts(9, "CT")),
        ("mr-mr", "brain/abdomen", series(BRAIN), series(MR1)),
        ("mr-mr", "brain/STS 5", series(BRAIN), sts(5, "MR_T1")),
        ("ct-mr", "lung/brain", series(LUNG), series(BRAIN)),
        ("ct-mr", "lung/STS 5", series(LUNG), sts(5, "MR_T1")),
    ):
        yield pair(plan, "other body part", name, first, second)
