"""Known deformations of real volumes: our registration beside elastix 5, each in a process of its own.

    python benchmarks/registration.py [--data ../shared/data] [--volumes "lung CT,brain"] [--seeds 1] [--json]

Kinds: ``rigid`` (up to 10 degrees about each axis and 15 mm), ``deformable`` (with a smooth random field up to 9 mm),
``shrunk`` (and the lesion shrunk to 0.8 of its diameter). All: another grid, 90-100 % of the field of view, 4 % noise,
on MR a bias field of 30 %. Errors are taken at the voxels of the body that both images show. Ours aligns both ways and
judges the result within the time shown; elastix aligns one way (Euler, then 16 mm B-spline, two threads).
"""

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from registration_pairs import BRAIN, LUNG, T2, Library, other_grid, random_motion, with_voxels
from scipy import ndimage

from npcpit_imaging.config.registration import Deformable, load_plan
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.registration.align import align
from npcpit_imaging.registration.elastix import read_elastix
from npcpit_imaging.registration.prepare import prepare
from npcpit_imaging.volume.files import read_mask
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import to_itk
from npcpit_imaging.volume.volume import Mask, Volume

ROOT = Path(__file__).parent.parent
PLANS = ROOT / "configs/npc-pit/imaging/registration"
KINDS = ("rigid", "deformable", "shrunk")
FIELD_MM, REACH_MM, SHRINK = 9.0, 20.0, 0.8
Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A follow-up made from a baseline, with the true map from its points to the baseline's."""

    fixed: Volume
    moving: Volume
    lesion: Mask
    true: Map
    plan: str


def volumes(library: Library, data: Path) -> dict[str, tuple[Callable[[], tuple[Volume, Mask]], str]]:
    """The baselines with their lesions, and the plan that fits."""

    def roi(where: str, struct: str) -> tuple[Volume, Mask]:
        volume = library.series(where)
        (file,) = sorted((data / "images" / struct).glob("*.dcm"))
        return volume, read_roi(file, roi_names(file)[0], volume.geometry)

    def file(volume: Volume, path: Path) -> tuple[Volume, Mask]:
        return volume, Mask(voxels=read_mask(path).voxels, geometry=volume.geometry)

    def sts(number: int, kind: str) -> tuple[Volume, Mask]:
        path = data / "training" / "sts" / f"STS_{number:03d}_{kind}_mask.nii.gz"
        return file(library.sts(number, kind), path)

    brain = data / "images" / "pyradiomics" / "brain1_label.nrrd"
    return {
        "lung CT": (lambda: roi(LUNG, "ibsi_1_ct_phantom/dicom/mask"), "ct-ct"),
        "sarcoma CT": (lambda: sts(26, "CT"), "ct-ct"),
        "brain MR": (lambda: file(library.series(BRAIN), brain), "mr-mr"),
        "thigh T2": (lambda: roi(T2, "sts_001_raw/MR_T2/mask"), "mr-mr"),
    }


def make(volume: Volume, lesion: Mask, plan: str, kind: str, seed: int) -> Case:
    """Make a follow-up of one kind."""
    rng = np.random.default_rng(seed)
    rigid = random_motion(volume, rng, 10.0, 15.0)
    geometry = other_grid(volume, rng, 0.9)
    field = None if kind == "rigid" else _smooth(geometry, rng)
    centre = lesion.geometry.to_mm(np.argwhere(lesion.voxels)).mean(axis=0)
    radius = float((3 * lesion.volume_ml * 1000 / (4 * np.pi)) ** (1 / 3))

    def true(points: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = rigid.map(points if field is None else points + _at(field, geometry, points))
        return _grown(moved, centre, radius) if kind == "shrunk" else moved

    points = geometry.to_mm(np.indices(geometry.shape_kji).reshape(3, -1).T)
    index = volume.geometry.to_index(true(points)).T
    voxels = ndimage.map_coordinates(volume.voxels, index, order=1, cval=float(volume.voxels.min()))
    voxels = voxels.reshape(geometry.shape_kji)
    low, high = np.percentile(voxels, [0.5, 99.5])
    if plan == "mr-mr":
        coarse = rng.uniform(0.7, 1.3, (3, 3, 3))
        places = [np.linspace(0, 2, size) for size in voxels.shape]
        voxels = voxels * ndimage.map_coordinates(coarse, np.meshgrid(*places, indexing="ij"), order=1)
    voxels = voxels + rng.normal(0, 0.04 * (high - low), voxels.shape)
    return Case(fixed=with_voxels(volume, voxels, geometry), moving=volume, lesion=lesion, true=true, plan=plan)


def _smooth(geometry: Geometry, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random field on about 4 mm, correlated over `REACH_MM`, at most `FIELD_MM` long: `(k, j, i, 3)`."""
    size = np.array(geometry.size_mm)[::-1]
    steps = np.maximum(6, np.ceil(size / 4.0)).astype(int)
    parts = [ndimage.gaussian_filter(rng.normal(0, 1, steps), REACH_MM / (size / steps)) for _ in range(3)]
    field = np.stack(parts, axis=-1)
    scaled: NDArray[np.float64] = field * FIELD_MM / np.linalg.norm(field, axis=-1).max()
    return scaled


def _at(field: NDArray[np.float64], geometry: Geometry, points: NDArray[np.float64]) -> NDArray[np.float64]:
    index = (geometry.to_index(points) + 0.5) / np.array(geometry.shape_kji) * field.shape[:3] - 0.5
    parts = [ndimage.map_coordinates(field[..., axis], index.T, order=1, mode="nearest") for axis in range(3)]
    return np.stack(parts, axis=-1)


def _grown(points: NDArray[np.float64], centre: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Push points away from the lesion's centre, so that what the image shows of it is `SHRINK` as wide."""
    away = points - centre
    share = np.exp(-0.5 * (np.linalg.norm(away, axis=1, keepdims=True) / (1.2 * radius)) ** 2)
    pushed: NDArray[np.float64] = centre + away * (1.0 + (1.0 / SHRINK - 1.0) * share)
    return pushed


def ours(case: Case, *, deformable: bool, folder: Path) -> tuple[Map, float, float, str]:
    """Align in a process of its own; return the map, seconds, peak MB and verdict."""
    job = folder / "job.pkl"
    job.write_bytes(pickle.dumps((case.fixed, case.moving, case.plan, deformable)))
    command = [sys.executable, __file__, "--worker", str(job)]
    subprocess.run(command, check=True)
    alignment, seconds, peak_mb = pickle.loads((folder / "done.pkl").read_bytes())
    return alignment.transform.map, seconds, peak_mb, str(alignment.quality.verdict)


def worker(job: Path) -> None:
    """The process of `ours`."""
    fixed, moving, name, deformable = pickle.loads(job.read_bytes())
    plan = load_plan(PLANS / f"{name}.toml")
    rule = Deformable.model_validate({**plan.deformable.model_dump(), "enabled": deformable})
    begun = time.perf_counter()
    alignment = align(fixed, moving, plan.model_copy(update={"deformable": rule}))
    seconds = time.perf_counter() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    without_images = (alignment, seconds, peak_mb)
    (job.parent / "done.pkl").write_bytes(pickle.dumps(without_images))


def elastix(case: Case, *, deformable: bool, folder: Path) -> tuple[Map, float, float, str]:
    """Run elastix's program on the same images, as files that were written before the clock starts."""
    for volume, role in ((case.fixed, "fixed"), (case.moving, "moving")):
        sitk.WriteImage(to_itk(volume), str(folder / f"{role}.mha"))
    files = sorted((PLANS / "elastix").glob("*.txt"))[: 2 if deformable else 1]
    command = ["elastix", "-f", "fixed.mha", "-m", "moving.mha", "-out", ".", "-threads", "2"]
    for file in files:
        command += ["-p", str(file)]
    begun = time.perf_counter()
    timed = ["/usr/bin/env", "python3", "-c", PEAK, *command]
    said = subprocess.run(timed, cwd=folder, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    found = read_elastix([folder / f"TransformParameters.{number}.txt" for number in range(len(files))])
    return found.map, seconds, float(said.stdout.splitlines()[-1]) / 1024, ""


PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def measure(case: Case, found: Map) -> dict[str, float]:
    """TRE at the body's voxels, and the carried lesion's Dice."""
    body = prepare(case.fixed, load_plan(PLANS / f"{case.plan}.toml"), role="fixed").body
    points = body.geometry.to_mm(np.argwhere(body.voxels))
    wanted = case.true(points)
    seen = case.moving.geometry.contains(wanted)
    error = np.linalg.norm(found(points[seen]) - wanted[seen], axis=1)
    grid = case.fixed.geometry
    voxels = grid.to_mm(np.indices(grid.shape_kji).reshape(3, -1).T)
    truth, carried = (_lesion_at(case.lesion, mapped(voxels)) for mapped in (case.true, found))
    dice = 2.0 * np.count_nonzero(truth & carried) / max(1, np.count_nonzero(truth) + np.count_nonzero(carried))
    return {"tre_mean_mm": float(error.mean()), "tre_p95_mm": float(np.percentile(error, 95)), "dice": float(dice)}


def _lesion_at(lesion: Mask, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    index = lesion.geometry.to_index(points).T
    inside: NDArray[np.bool_] = ndimage.map_coordinates(lesion.voxels.astype(np.float32), index, order=1) >= 0.5
    return inside


def run(name: str, kind: str, seed: int, case: Case) -> list[dict[str, object]]:
    """Both engines on one case."""
    rows: list[dict[str, object]] = []
    for engine, align_with in (("ours", ours), ("elastix", elastix)):
        with tempfile.TemporaryDirectory(prefix="npcpit-bench-") as folder:
            found, seconds, peak_mb, verdict = align_with(case, deformable=kind != "rigid", folder=Path(folder))
        row = {"volume": name, "kind": kind, "seed": seed, "engine": engine, "verdict": verdict}
        rows.append({**row, **measure(case, found), "seconds": seconds, "peak_mb": peak_mb})
        shown = rows[-1]
        print(
            f"| {name} | {kind} | {seed} | {engine} {verdict} | {shown['tre_mean_mm']:.3f} | {shown['tre_p95_mm']:.3f} "
            f"| {shown['dice']:.3f} | {seconds:.1f} | {peak_mb:.0f} |",
            flush=True,
        )
    return rows


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--volumes", default="", help="names, with commas; all without")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        worker(chosen.worker)
        return
    known = volumes(Library(chosen.data), chosen.data)
    names = chosen.volumes.split(",") if chosen.volumes else list(known)
    print("| volume | kind | seed | engine | TRE mean mm | p95 mm | Dice | s | peak MB |", "|---" * 9 + "|", sep="\n")
    rows: list[dict[str, object]] = []
    for name in names:
        read, plan = known[name]
        volume, lesion = read()
        for kind in chosen.kinds.split(","):
            for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
                rows += run(name, kind, seed, make(volume, lesion, plan, kind, seed))
    ratios = {kind: _ratios([row for row in rows if row["kind"] == kind]) for kind in chosen.kinds.split(",")}
    for kind, found in ratios.items():
        print(f"{kind}: ours / elastix: TRE {found['tre_mean_mm']:.2f}, p95 {found['tre_p95_mm']:.2f}, "
              f"time {found['seconds']:.2f}, memory {found['peak_mb']:.2f}")  # fmt: skip
    if chosen.json:
        print(json.dumps({"rows": rows, "ratios": ratios}))


def _ratios(rows: list[dict[str, object]]) -> dict[str, float]:
    """Sums of ours over sums of elastix's."""

    def total(engine: str, key: str) -> float:
        return sum(float(str(row[key])) for row in rows if row["engine"] == engine)

    return {
        key: total("ours", key) / total("elastix", key) for key in ("tre_mean_mm", "tre_p95_mm", "seconds", "peak_mb")
    }


if __name__ == "__main__":
    main()
