"""Make the synthetic nasopharynx study: `python sample_dicom/make_sample.py OUT` writes DICOM folders and truth.toml.

Options for tests: `--only BASELINE/CT` (repeatable) makes some series; without it everything is made.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imaging
import numpy as np
from scenario import VISITS, Series, Visit, stream
from shapes import Array
from truth import truth_toml
from write import write_series

FINE_IJK = (1, 1, 2)
"""Samples averaged in a voxel of CT and MR along i, j, k; borders are softened over a pixel besides."""

PET_FINE = 2
"""In-plane samples a PET pixel along i and j; they are blurred before they are averaged."""

PSF_FWHM_MM = 5.5
"""Spatial resolution of the PET."""


def series_image(visit: Visit, series: Series, start: int = 0, stop: int | None = None) -> Array:
    """Return one series' image as its scanner would make it.

    Args:
        visit: The time point.
        series: Which series.
        start: First slice (0-based from below).
        stop: One past the last slice, None for all; PET is always made whole before it is cut, its blur crosses slices.

    Returns:
        `(K, J, I)` in HU, signal relative to water, or SUV body weight.
    """
    stop = series.size[1] if stop is None else stop
    rng = stream(visit.name, series.folder, "noise")
    if series.folder == "PET":
        return _pet(visit, series, rng)[start:stop]
    grid = series.grid.planes(start, stop)
    clean = imaging.noiseless(grid, visit.poses[series.frame].matrix, series.folder, visit.growths(), FINE_IJK)
    shape = series.grid.shape_kji
    if series.frame == "MR":
        return imaging.mr_image(clean, imaging.mr_disturbance(shape, series.noise, rng)[:, start:stop])
    noise = imaging.ct_noise(shape, series.noise, rng)[start:stop]
    return imaging.ct_image(imaging.add_table(clean, grid), noise)


def _pet(visit: Visit, series: Series, rng: np.random.RandomState) -> Array:
    motion, fine_grid = visit.poses["PET"].matrix, series.grid.refined((PET_FINE, PET_FINE, 1))
    uptake = imaging.noiseless(fine_grid, motion, "PET", visit.growths(), (1, 1, 1))
    return imaging.pet_image(uptake, series.grid, PET_FINE, psf_fwhm_mm=PSF_FWHM_MM, noise=series.noise, rng=rng)


def make_series(out: Path, visit: Visit, series: Series) -> str:
    """Make and write one series; returns its name."""
    write_series(out / visit.name / series.folder, visit, series, series_image(visit, series))
    return f"{visit.name}/{series.folder}"


def main() -> None:
    """Read the command line and make the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--only", action="append", metavar="DATE/SERIES", help="make this series only, e.g. FU1/PET")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    options = parser.parse_args()
    jobs = [
        (options.out, visit, series)
        for visit in VISITS
        for series in visit.series
        if not options.only or f"{visit.name}/{series.folder}" in options.only
    ]
    with ProcessPoolExecutor(options.workers) as pool:
        for name in pool.map(make_series, *zip(*jobs, strict=True)):
            print(name, flush=True)
    (options.out / "truth.toml").write_text(truth_toml(), encoding="utf-8")


if __name__ == "__main__":
    main()
