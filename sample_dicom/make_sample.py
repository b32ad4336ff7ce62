"""Make the synthetic nasopharynx study: `python sample_dicom/make_sample.py OUT` writes DICOM folders and truth.toml.

Options for tests: `--only BASELINE/CT` (repeatable) makes some series; without it everything is made.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imaging
from scenario import VISITS, Series, Visit, stream
from shapes import Array
from truth import truth_toml
from write import write_series

FINE_IJK = {"CT": (1, 1, 2), "MR_T1": (1, 1, 2), "MR_T2": (1, 1, 2), "PET_CT": (1, 1, 2), "PET": (2, 2, 1)}
"""Samples averaged in a voxel along i, j, k; PET's in-plane ones are blurred before they are averaged."""

PSF_FWHM_MM = 5.5
"""Spatial resolution of the PET."""


def series_image(visit: Visit, series: Series) -> Array:
    """Return one series' image as its scanner would make it, `(K, J, I)` in HU, relative signal or SUV."""
    grid, motion = series.grid, visit.poses[series.frame].matrix
    rng = stream(visit.name, series.folder, "noise")
    fine = FINE_IJK[series.folder]
    if series.folder == "PET":
        fine_grid = grid.refined((fine[0], fine[1], 1))
        uptake = imaging.noiseless(fine_grid, motion, "PET", visit.growths(), (1, 1, 1))
        return imaging.pet_image(uptake, grid, fine[0], PSF_FWHM_MM, series.noise, rng)
    clean = imaging.noiseless(grid, motion, series.folder, visit.growths(), fine)
    if series.folder.startswith("MR"):
        return imaging.mr_image(clean, series.noise, rng)
    return imaging.ct_image(imaging.add_table(clean, grid), series.noise, rng)


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
