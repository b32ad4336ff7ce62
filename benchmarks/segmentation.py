"""Segmenters on tumours whose truth is known: Dice, diameter error, latency.

The prompts are drawn with the noise of a person (`npcpit_imaging.segmentation.training.simulated`): line ends 1.9 mm
off on average, one line in four a slice beside the right one; box faces 1.0 +/- 1.5 mm outside the tumour; a click on a
random voxel at least half as deep as the deepest.

The classifier (`calibrated`) and the network are cross-validated: patient number n of the 35 is measured by the numbers
of ``segmentation_folds/fold_(n mod 5)``, which were fitted and trained without him (docs/segmentation.md says how). The
network is measured only on folds whose weights are there.

    python benchmarks/segmentation.py --limit 5            # a taste
    python benchmarks/segmentation.py                      # everything, five folds
    python benchmarks/segmentation.py --small              # the same tumours two to three times smaller
    python benchmarks/segmentation.py --final              # the shipped numbers on the three patients kept for the end
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation.bundle import CALIBRATION, read_bundle
from npcpit_imaging.segmentation.bundled import has_deep, segment_on_lattice
from npcpit_imaging.segmentation.calibrated import segment_with
from npcpit_imaging.segmentation.calibration import Calibration, calibrations_from_json
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.segmenter import Segmenter
from npcpit_imaging.segmentation.segmenters import SEGMENTERS
from npcpit_imaging.segmentation.training import cases as training
from npcpit_imaging.segmentation.training.simulated import drawn_box, drawn_click, drawn_line
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.files import read_mask
from npcpit_imaging.volume.volume import Mask, Volume

DATA = Path(os.environ.get("NPCPIT_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
FOLDS = Path(__file__).parent / "segmentation_folds"
FOLD_COUNT = 5
PROMPTS = ("line", "box", "click")
METHODS = ("ellipsoid", "calibrated", "network", "pet-gradient", "pet-41-percent", "pet-suv-2.5")
SEARCHED_MM = (7.0, 10.0, 15.0, 22.0, 32.0, 45.0, 62.0, 80.0)
"""Half-widths that decision record 0127 was measured with."""
HEAD = (
    f"{'image':6} {'prompt':6} {'method':16} {'n':>3} {'Dice':>6} {'p10':>6} {'key':>6} {'LD err':>7} {'p95 s':>6}"
    "  Dice by fold"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One tumour in one image, its fold, and the folder of what was fitted without it (none: the shipped numbers)."""

    volume: Volume
    mask: Mask
    truth: Measurement
    seed: int
    fold: int
    folder: Path | None


def main() -> None:
    """Run what the command line asks for."""
    arguments = _arguments()
    settings = SegmentationSettings(click_radii_mm=SEARCHED_MM if arguments.search_size else ())
    chosen = [] if arguments.final else arguments.fold
    folders = {fold: arguments.networks / f"fold_{fold}" for fold in chosen}
    rows = []
    print(HEAD)
    for kind in arguments.images:
        cases = list(load_final(kind) if arguments.final else load_cases(kind, arguments.limit, folders))
        if arguments.small:
            cases = [small(case) for case in cases]
        for prompt in arguments.prompts:
            for row in measure_methods(kind, prompt, cases, arguments.methods, folds=list(folders), settings=settings):
                rows.append(row)
                print(_line(row), flush=True)
    if arguments.json:
        told = {"folds": list(folders), "final": arguments.final, "small": arguments.small, "rows": rows}
        print(json.dumps(told))


def load_cases(kind: str, limit: int | None, folders: Mapping[int, Path]) -> Iterator[Case]:
    """Read the training tumours of one kind of image, each with its fold's bundle; folds without one are left out."""
    for number, path in enumerate(training.mask_paths(DATA / "training" / "sts", kind)[:limit]):
        fold = number % FOLD_COUNT
        if fold in folders:
            case = training.read_case(path, kind, number)
            yield _case(case.volume, case.mask, seed=case.seed, fold=fold, folder=folders[fold])


def load_final(kind: str) -> Iterator[Case]:
    """Read the three patients kept for the last test: images as DICOM, masks as NIfTI."""
    for number, folder in enumerate(sorted((DATA / "images" / "sts").iterdir())):
        volume = load_folder(folder / kind / "image")
        mask = read_mask(DATA / "images" / "sts_nifti" / folder.name / f"{kind}_mask.nii.gz")
        mask = Mask(voxels=mask.voxels, geometry=volume.geometry)
        yield _case(volume, mask, seed=2000 + number, fold=0, folder=None)


def small(case: Case) -> Case:
    """The same tumour two to three times smaller, on voxels of the same size."""
    made = training.small(training.Case(patient="", volume=case.volume, mask=case.mask, seed=case.seed))
    return _case(made.volume, made.mask, seed=case.seed, fold=case.fold, folder=case.folder)


def _case(volume: Volume, mask: Mask, *, seed: int, fold: int, folder: Path | None) -> Case:
    return Case(volume=volume, mask=mask, truth=measure(mask), seed=seed, fold=fold, folder=folder)


def simulate(prompt: str, case: Case) -> Prompt:
    """What a person would draw, with his error."""
    rng = np.random.default_rng([case.seed, PROMPTS.index(prompt), 0])
    if prompt == "line":
        return drawn_line(case.mask, case.truth.longest_diameter, rng)
    return drawn_box(case.mask, rng) if prompt == "box" else drawn_click(case.mask, rng)


def measure_methods(
    kind: str,
    prompt: str,
    cases: Sequence[Case],
    methods: Sequence[str],
    *,
    folds: Sequence[int],
    settings: SegmentationSettings,
) -> Iterator[dict[str, object]]:
    """Every method on every case of one kind of image and prompt; a method that refuses one has no row."""
    for name in methods:
        if name == "network" and not _can_measure_network(cases):
            continue
        scores = []
        for case in cases:
            drawn = simulate(prompt, case)
            start = time.perf_counter()
            try:
                found = _segmenter(name, case)(case.volume, (drawn,), previous=None, settings=settings)
            except SegmentationError:
                break
            scores.append([*_score(found.mask, case), time.perf_counter() - start])
        if len(scores) == len(cases):
            group = np.array([case.fold for case in cases])
            yield _row(kind, prompt, name, np.array(scores), {fold: group == fold for fold in folds})


def _can_measure_network(cases: Sequence[Case]) -> bool:
    """Whether torch is there and every case's fold has weights: a patient is never measured by those he trained."""
    missing = sorted(
        {case.fold for case in cases if case.folder and not (case.folder / "models" / "model.pt").exists()}
    )
    if missing:
        print(f"network: not measured, no weights of fold {', '.join(map(str, missing))} here; choose with --fold")
    return has_deep() and not missing


def _segmenter(name: str, case: Case) -> Segmenter:
    if case.folder is None or name not in {"calibrated", "network"}:
        return SEGMENTERS[name]
    if name == "network":
        return partial(segment_on_lattice, read_bundle(case.folder))
    return partial(segment_with, _calibrations(case.folder).__getitem__)


@cache
def _calibrations(folder: Path) -> Mapping[str, Calibration]:
    return calibrations_from_json((folder / CALIBRATION).read_text(encoding="utf-8"))


def _score(found: Mask, case: Case) -> tuple[float, float, float]:
    """Dice, Dice in the truth's key slice, and the diameter's error in percent."""
    k = case.truth.slice_index_k
    length = measure(found).longest_diameter_mm or 0.0
    truth = case.truth.longest_diameter_mm
    return (
        dice(found.voxels, case.mask.voxels),
        dice(found.voxels[k], case.mask.voxels[k]),
        100 * abs(length - truth) / truth,
    )


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks, 0 to 1."""
    return float(2 * np.count_nonzero(one & other) / max(np.count_nonzero(one) + np.count_nonzero(other), 1))


def _row(kind: str, prompt: str, method: str, scores: np.ndarray, folds: Mapping[int, np.ndarray]) -> dict[str, object]:
    middle = np.median(scores, axis=0)
    return {
        "image": kind,
        "prompt": prompt,
        "method": method,
        "n": len(scores),
        "dice": round(float(middle[0]), 4),
        "dice_p10": round(float(np.percentile(scores[:, 0], 10)), 4),
        "key_slice_dice": round(float(middle[1]), 4),
        "diameter_error_percent": round(float(middle[2]), 2),
        "seconds_median": round(float(middle[3]), 3),
        "seconds_p95": round(float(np.percentile(scores[:, 3], 95)), 3),
        "dice_by_fold": [round(float(np.median(scores[where, 0])), 3) for where in folds.values() if where.any()],
        "dice_each": [round(float(each), 4) for each in scores[:, 0]],
    }


def _line(row: dict[str, object]) -> str:
    folds = " ".join(f"{each:.3f}" for each in row["dice_by_fold"])
    names = f"{row['image']:6} {row['prompt']:6} {row['method']:16} {row['n']:3d}"
    scores = f"{row['dice']:6.3f} {row['dice_p10']:6.3f} {row['key_slice_dice']:6.3f}"
    return f"{names} {scores} {row['diameter_error_percent']:6.1f}% {row['seconds_p95']:6.2f}  {folds}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first N patients")
    parser.add_argument("--images", nargs="+", default=list(training.KINDS), choices=list(training.KINDS))
    parser.add_argument("--prompts", nargs="+", default=list(PROMPTS), choices=list(PROMPTS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(SEGMENTERS))
    parser.add_argument(
        "--fold", type=int, nargs="+", default=list(range(FOLD_COUNT)), help="only these folds' patients"
    )
    parser.add_argument("--networks", type=Path, default=FOLDS, help="folder of the folds' bundles, fold_0 to fold_4")
    parser.add_argument("--json", action="store_true", help="the table as JSON in the last line")
    parser.add_argument("--search-size", action="store_true", help="look for a click's size (decision record 0127)")
    parser.add_argument("--small", action="store_true", help="measure the same tumours two to three times smaller")
    parser.add_argument("--final", action="store_true", help="the shipped numbers on the patients of the last test")
    return parser.parse_args()


if __name__ == "__main__":
    main()
