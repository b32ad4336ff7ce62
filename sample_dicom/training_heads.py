"""Small nodes and mucosal masses in the head phantom, for training a segmenter: NIfTI images and masks, never DICOM.

    python sample_dicom/training_heads.py OUT --count 60

writes ``HEAD_000_CT.nii.gz``, ``HEAD_000_CT_mask.nii.gz`` and so on, as MR_T1 and PET too, in the layout and units of
the training folder (HU, any, SUV x 1000). A lesion is one to three overlapping ellipsoids near a site where
nasopharyngeal cancer lies; none is a lesion of the sample study. The same seed gives the same files.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import imaging
import nibabel as nib
import numpy as np
from imaging import Canvas, Grid, Growth
from lesions import Ellipsoid
from make_sample import PET_FINE, PSF_FWHM_MM
from scenario import Pose
from shapes import Array, Point, rotation_matrix
from tissue import Tissue

SITES: dict[str, Point] = {
    "nasopharynx": (-4.0, 8.0, 2.0),
    "nasopharynx, left": (8.0, 9.0, 4.0),
    "retropharyngeal, left": (21.0, 18.0, -28.0),
    "retropharyngeal, right": (-21.0, 18.0, -24.0),
    "masticator, left": (34.0, -6.0, -5.0),
    "masticator, right": (-33.0, -8.0, -10.0),
    "parapharyngeal, right": (-24.0, 4.0, -14.0),
    "level II, right": (-41.0, 22.0, -44.0),
    "level II, left": (42.0, 23.0, -42.0),
    "skull base": (0.0, 14.0, 22.0),
}
"""Middles of the sites in the anatomical frame, mm."""

SPACING_MM = {"CT": ((0.7, 1.05), (1.5, 3.0)), "MR_T1": ((0.7, 1.45), (3.0, 5.0)), "PET": ((2.6, 4.0), (3.0, 4.0))}
"""From and to of the pixel and the slice spacing of each kind of image."""


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """One random lesion in one random pose."""

    pose: Pose
    bodies: tuple[Ellipsoid, ...]
    tissue: Tissue

    @property
    def reach_mm(self) -> float:
        """Half the size of a cube around it."""
        first = self.bodies[0]
        return max(float(np.abs(body.center - first.center).max() + body.reach.max()) for body in self.bodies)


def random_lesion(rng: np.random.RandomState) -> Lesion:
    """Draw a lesion of 8 to 45 mm, 10 to 45 HU above muscle, of SUV 2.5 to 12."""
    site = np.array(list(SITES.values())[rng.randint(len(SITES))]) + rng.uniform(-4, 4, 3)
    half = 4.0 * (22.5 / 4.0) ** rng.uniform()
    bodies = []
    for lobe in range(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2])):
        size = half * (1.0 if lobe == 0 else rng.uniform(0.45, 0.8))
        halves = size * np.array([1.0, rng.uniform(0.55, 0.95), rng.uniform(0.5, 1.15)])
        turn = rotation_matrix(*rng.uniform(-25, 25, 2), rng.uniform(0, 180))
        offset = np.zeros(3) if lobe == 0 else rng.uniform(-0.75, 0.75, 3) * half
        bodies.append(Ellipsoid(center=site + offset, form=turn @ np.diag(halves**-2.0) @ turn.T))
    tissue = Tissue(
        hu=62.0 + rng.uniform(10, 45),
        hu_native=50.0,
        t1_ms=rng.uniform(600, 1250),
        t2_ms=rng.uniform(60, 110),
        protons=0.97,
        suv=2.5 * (12 / 2.5) ** rng.uniform(),
        grain_hu=rng.uniform(0, 6),
        grain=rng.uniform(0, 0.08),
    )
    pose = Pose(tilts=tuple(rng.uniform(-6, 6, 3)), shift=tuple(rng.uniform(-6, 6, 3)))
    return Lesion(pose=pose, bodies=tuple(bodies), tissue=tissue)


def random_grid(lesion: Lesion, kind: str, rng: np.random.RandomState) -> Grid:
    """Lay a crop of a scanner's grid around a lesion, with 25 mm beside it."""
    pixel, slice_mm = (rng.uniform(*ends) for ends in SPACING_MM[kind])
    affine = np.eye(4)
    affine[:3, :3] = rotation_matrix(rng.uniform(-5, 5), 0, 0) @ np.diag([pixel, pixel, slice_mm])
    size = np.ceil(2 * (lesion.reach_mm + 25.0) / np.array([pixel, pixel, slice_mm])).astype(int)
    middle = lesion.bodies[0].moved(lesion.pose.matrix).center + rng.uniform(-3, 3, 3)
    affine[:3, 3] = middle - affine[:3, :3] @ ((size - 1) / 2)
    return Grid(shape_kji=(int(size[2]), int(size[1]), int(size[0])), affine=affine)


def render(lesion: Lesion, kind: str, rng: np.random.RandomState) -> tuple[Array, Array, Grid]:
    """Return image and mask `(K, J, I)` of one kind and their grid."""
    grid = random_grid(lesion, kind, rng)
    growths = [Growth(ellipsoid=body, tissue=lesion.tissue) for body in lesion.bodies]
    motion = lesion.pose.matrix
    if kind == "PET":
        fine = grid.refined((PET_FINE, PET_FINE, 1))
        uptake = imaging.noiseless(fine, motion, "PET", growths, (1, 1, 1))
        image = imaging.pet_image(
            uptake, grid, PET_FINE, psf_fwhm_mm=PSF_FWHM_MM, noise=rng.uniform(0.06, 0.16), rng=rng
        )
        return 1000.0 * image, inside(lesion, grid), grid
    clean = imaging.noiseless(grid, motion, kind, growths, (1, 1, 2))
    if kind == "CT":
        noise = imaging.ct_noise(clean.shape, rng.uniform(5, 14), rng)
        return imaging.ct_image(clean, noise), inside(lesion, grid), grid
    shaded = imaging.mr_disturbance(clean.shape, rng.uniform(0.008, 0.03), rng)
    return 4095.0 * imaging.mr_image(clean, shaded), inside(lesion, grid), grid


def inside(lesion: Lesion, grid: Grid) -> Array:
    """Return the mask `(K, J, I)`: voxels at least half of which lie in one of the lesion's bodies."""
    canvas = Canvas(grid, lesion.pose.matrix, "CT")
    whole = tuple(slice(0, size) for size in grid.shape_kji)
    return np.any([canvas._share(body, whole) >= 0.5 for body in lesion.bodies], axis=0)


def write_case(out: Path, seed: int, number: int) -> str:
    """Write one lesion in the three kinds of image; returns its name."""
    lesion = random_lesion(np.random.RandomState([seed, number]))
    name = f"HEAD_{number:03d}"
    for index, kind in enumerate(SPACING_MM):
        rng = np.random.RandomState([seed, number, index])
        varied = replace(lesion, pose=Pose(tilts=lesion.pose.tilts, shift=tuple(rng.uniform(-6, 6, 3))))
        image, mask, grid = render(varied, kind, rng)
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine
        for suffix, values in (("", np.rint(image).astype(np.int16)), ("_mask", mask.astype(np.uint8))):
            nib.save(nib.Nifti1Image(values.transpose(2, 1, 0), affine), out / f"{name}_{kind}{suffix}.nii.gz")
    return name


def main() -> None:
    """Read the command line and write the cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--count", type=int, default=60, help="lesions (default 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.workers) as pool:
        for name in pool.map(partial(write_case, options.out, options.seed), range(options.count)):
            print(name, flush=True)


if __name__ == "__main__":
    main()
