"""Lesions whose truth is known: the training folder's, the same made small, and nodes painted beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.bind import END_PIXEL
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

KINDS = {"CT": Modality.CT, "MR_T1": Modality.MR, "PET": Modality.PT}
"""File names' words for the kinds of image."""

UNITS = {Modality.CT: Unit.HU, Modality.PT: Unit.SUVBW}
PET_SCALE = 1000.0
"""Training PET files hold SUV x 1000."""

SMALL_STEP_KJI = {Modality.CT: (2, 3, 3), Modality.MR: (2, 3, 3), Modality.PT: (2, 2, 2)}
"""A small lesion is a large one of which every third pixel of every second slice is kept: same pixels, same noise."""

NODE_MM = (9.0, 26.0)
"""Diameters of painted nodes."""

NODE_MARGIN_MM = 3.0
"""How far from the image's border and from the tumour a painted node stays."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One lesion in one image.

    Args:
        patient: Groups the cases that must not be split between training and test.
        volume: The image.
        mask: The truth, on the image's grid.
        seed: Makes the case's own random stream.
    """

    patient: str
    volume: Volume
    mask: Mask
    seed: int


def mask_paths(folder: Path, kind: str) -> list[Path]:
    """The files ``NAME_KIND_mask.nii.gz`` of one kind of image, in the order of their names."""
    return sorted(folder.glob(f"*_{kind}_mask.nii.gz"))


def read_case(mask_path: Path, kind: str, number: int) -> Case:
    """Read a mask and its image ``NAME_KIND.nii.gz``; the number makes the case's random stream.

    Raises:
        InputError: A file cannot be read.
    """
    modality = KINDS[kind]
    image = mask_path.with_name(mask_path.name.replace("_mask", ""))
    volume = read_volume(image, modality=modality, unit=UNITS.get(modality, Unit.ARBITRARY))
    if modality is Modality.PT:
        volume = replace(volume, voxels=volume.voxels / PET_SCALE)
    patient = mask_path.name.removesuffix(f"_{kind}_mask.nii.gz")
    return Case(patient=patient, volume=volume, mask=read_mask(mask_path), seed=1000 + number)


def read_cases(folder: Path, kind: str) -> Iterator[Case]:
    """Read all cases of one kind of image.

    Raises:
        InputError: A file cannot be read.
    """
    for number, path in enumerate(mask_paths(folder, kind)):
        yield read_case(path, kind, number)


def long_axis(mask: Mask) -> Caliper:
    """The farthest pair of voxel centres in one slice, set out by a quarter pixel as a measurement is.

    Raises:
        SegmentationError: The mask has less than two voxels in every slice.
    """
    best, ends = 0.0, None
    for k in np.flatnonzero(mask.voxels.any(axis=(1, 2))):
        edge = mask.voxels[k] & ~ndimage.binary_erosion(mask.voxels[k])
        points = mask.geometry.to_mm(np.insert(np.argwhere(edge).astype(float), 0, k, axis=1))
        apart = cdist(points, points)
        if apart.max() > best:
            best = float(apart.max())
            ends = points[list(np.unravel_index(int(apart.argmax()), apart.shape))]
    if ends is None:
        raise SegmentationError("mask: expected a slice with at least two voxels, found none")
    outset = END_PIXEL * min(mask.geometry.spacing_mm[:2]) * (ends[1] - ends[0]) / best
    start, end = (ends[0] - outset).tolist(), (ends[1] + outset).tolist()
    return Caliper(start_mm=(start[0], start[1], start[2]), end_mm=(end[0], end[1], end[2]))


def small(case: Case) -> Case:
    """The same lesion two to three times smaller, on voxels of the same size."""
    kept = tuple(slice(None, None, step) for step in SMALL_STEP_KJI[case.volume.modality])
    voxels, inside = case.volume.voxels[kept], case.mask.voxels[kept]
    grid = case.volume.geometry
    thin = Geometry(
        shape_kji=voxels.shape, origin_mm=grid.origin_mm, spacing_mm=grid.spacing_mm, direction=grid.direction
    )
    return _on(case, thin, voxels, inside)


def shrunk(case: Case, scale: float, depth: float) -> Case:
    """The same voxels on a finer grid: `scale` in the slice, `scale * depth` through the slices."""
    grid = case.volume.geometry
    x, y, z = grid.spacing_mm
    fine = Geometry(
        shape_kji=grid.shape_kji,
        origin_mm=grid.origin_mm,
        spacing_mm=(x * scale, y * scale, z * scale * depth),
        direction=grid.direction,
    )
    return _on(case, fine, case.volume.voxels, case.mask.voxels)


def with_node(case: Case, rng: np.random.Generator) -> Case:
    """A node painted into the tissue beside a tumour, which stays in the image as its neighbour.

    Raises:
        SegmentationError: There is no room for one.
    """
    diameter = float(rng.uniform(*NODE_MM))
    half = diameter / 2 * np.array([1.0, rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.2)])
    index = _free_place(case, float(half.max()), rng)
    grid = case.volume.geometry
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    axes = turn @ np.array(grid.direction).T
    k, j, i = np.indices(grid.shape_kji)
    offset = (grid.to_mm(np.stack([k, j, i], axis=-1)) - grid.to_mm(index)) @ axes.T / half
    inside = np.linalg.norm(offset, axis=-1) <= 1
    voxels = _painted(case.volume, inside, rng)
    return _on(case, grid, voxels, inside)


def _free_place(case: Case, radius_mm: float, rng: np.random.Generator) -> np.ndarray:
    grid = case.volume.geometry
    spacing = np.array(grid.spacing_mm[::-1])
    free = ndimage.distance_transform_edt(~case.mask.voxels, sampling=spacing) > radius_mm + NODE_MARGIN_MM
    border = np.ceil((radius_mm + NODE_MARGIN_MM) / spacing).astype(int)
    middle = np.zeros(grid.shape_kji, bool)
    middle[tuple(slice(b, max(b, n - b)) for b, n in zip(border, grid.shape_kji, strict=True))] = True
    places = np.argwhere(free & middle & _is_tissue(case.volume))
    if len(places) == 0:
        raise SegmentationError(
            f"case: expected room for a node of {2 * radius_mm:.0f} mm beside the tumour, found none"
        )
    chosen: np.ndarray = rng.choice(places)
    return chosen


def _is_tissue(volume: Volume) -> np.ndarray:
    if volume.modality is Modality.CT:
        return (volume.voxels > -150) & (volume.voxels < 250)
    smooth = ndimage.uniform_filter(volume.voxels, 3)
    floor = 0.2 if volume.modality is Modality.PT else 0.15 * float(np.percentile(volume.voxels, 99))
    return np.asarray(smooth > floor)


def _painted(volume: Volume, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The node's level is the tissue's there plus a contrast; the image's own noise stays."""
    spacing = np.array(volume.geometry.spacing_mm[::-1])
    blur_mm = 2.6 if volume.modality is Modality.PT else 0.5
    share = ndimage.gaussian_filter(inside.astype(np.float32), blur_mm / spacing)
    here = float(np.median(volume.voxels[inside]))
    if volume.modality is Modality.CT:
        level = max(here, 20.0) + rng.uniform(12, 50)
    elif volume.modality is Modality.PT:
        level = here + rng.uniform(1.5, 8)
    else:
        level = here * rng.choice([rng.uniform(0.4, 0.8), rng.uniform(1.2, 1.8)])
    noise = volume.voxels - ndimage.gaussian_filter(volume.voxels, 1.0)
    painted: np.ndarray = volume.voxels * (1 - share) + (level + noise) * share
    return painted.astype(np.float32)


def _on(case: Case, grid: Geometry, voxels: np.ndarray, inside: np.ndarray) -> Case:
    volume = replace(case.volume, voxels=voxels, geometry=grid)
    return replace(case, volume=volume, mask=Mask(voxels=inside, geometry=grid))
