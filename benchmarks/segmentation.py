"""Segmenters on tumours whose truth is known: Dice, diameter error, latency.

The prompts are drawn with the noise of a person (`npcpit_imaging.segmentation.training.simulated`): line ends 1.9 mm
off on average, one line in four a slice beside the right one; box faces 1.0 +/- 1.5 mm outside the tumour; a click on a
random voxel at least half as deep as the deepest.

Calibrated methods and networks are cross-validated: no patient is measured by numbers that were fitted on him.

    python benchmarks/segmentation.py --limit 5            # a taste
    python benchmarks/segmentation.py                      # everything, five folds
    python benchmarks/segmentation.py --networks FOLDER    # the network too; the classifiers of its folds
    python benchmarks/segmentation.py --fit                # write the shipped calibration, fitted on all patients
    python benchmarks/segmentation.py --final              # the three patients kept for the last test

FOLDER holds fold_0 to fold_4, bundles as `npcpit_imaging.segmentation.training.export` writes them.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation import calibration as calibration_module
from npcpit_imaging.segmentation.bundle import Bundle, read_bundle
from npcpit_imaging.segmentation.bundled import bundle_calibration, segment_on_lattice
from npcpit_imaging.segmentation.calibrated import calibration_key, propose
from npcpit_imaging.segmentation.calibration import Calibration, fit
from npcpit_imaging.segmentation.features import feature_names, features
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import to_region
from npcpit_imaging.segmentation.segmenters import SEGMENTERS
from npcpit_imaging.segmentation.training import cases as training
from npcpit_imaging.segmentation.training.simulated import drawn_box, drawn_click, drawn_line
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.files import read_mask
from npcpit_imaging.volume.volume import Mask, Volume

DATA = Path(os.environ.get("NPCPIT_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
KINDS = training.KINDS
PROMPTS = ("line", "box", "click")
VOXELS_PER_LESION = 2000
SHRINKING = (0.35, 0.7)
"""Each lesion is fitted as it is, as `small` makes it, and shrunk by this in its slice, and through the slices too."""

NETWORK = "network"
SETTINGS = SegmentationSettings()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One tumour in one image."""

    patient: str
    volume: Volume
    mask: Mask
    truth: Measurement
    seed: int


def main() -> None:
    """Run what the command line asks for."""
    arguments = _arguments()
    if arguments.fit:
        _write_calibration(arguments)
        return
    rows = []
    networks = []
    if arguments.networks:
        networks = [read_bundle(arguments.networks / f"fold_{fold}") for fold in range(arguments.folds)]
    print(
        f"{'image':6} {'prompt':6} {'method':18} {'n':>3} {'Dice':>6} {'p10':>6} {'key':>6} {'LD err':>7} {'p95 s':>6}"
        "  Dice by fold"
    )
    for kind in arguments.images:
        cases = list(load_final(kind) if arguments.final else load_cases(kind, arguments.limit))
        sources = cases
        if arguments.small:
            cases = [small(case) for case in cases]
        folds = 0 if arguments.final else arguments.folds
        for prompt in arguments.prompts:
            for row in measure_methods(
                kind, prompt, cases, sources=sources, folds=folds, only=arguments.methods, networks=networks
            ):
                rows.append(row)
                print(
                    f"{row['image']:6} {row['prompt']:6} {row['method']:18} {row['n']:3d} {row['dice']:6.3f} "
                    f"{row['dice_p10']:6.3f} {row['key_slice_dice']:6.3f} {row['diameter_error_percent']:6.1f}% "
                    f"{row['seconds_p95']:6.2f}  {row['dice_by_fold']}",
                    flush=True,
                )
    if arguments.json:
        print(json.dumps({"folds": arguments.folds, "final": arguments.final, "rows": rows}))


def load_cases(kind: str, limit: int | None) -> Iterator[Case]:
    """Read the training tumours of one kind of image."""
    for number, path in enumerate(training.mask_paths(DATA / "training" / "sts", kind)[:limit]):
        yield _measured(training.read_case(path, kind, number))


def _measured(case: training.Case) -> Case:
    return Case(patient=case.patient, volume=case.volume, mask=case.mask, truth=measure(case.mask), seed=case.seed)


def load_final(kind: str) -> Iterator[Case]:
    """Read the three patients kept for the last test: images as DICOM, masks as NIfTI."""
    for number, folder in enumerate(sorted((DATA / "images" / "sts").iterdir())):
        volume = load_folder(folder / kind / "image")
        mask = read_mask(DATA / "images" / "sts_nifti" / folder.name / f"{kind}_mask.nii.gz")
        mask = Mask(voxels=mask.voxels, geometry=volume.geometry)
        yield Case(patient=folder.name, volume=volume, mask=mask, truth=measure(mask), seed=2000 + number)


def simulate(prompt: str, case: Case, repeat: int = 0) -> Prompt:
    """What a person would draw, with his error."""
    rng = np.random.default_rng([case.seed, PROMPTS.index(prompt), repeat])
    if prompt == "line":
        return drawn_line(case.mask, case.truth.longest_diameter, rng)
    return drawn_box(case.mask, rng) if prompt == "box" else drawn_click(case.mask, rng)


def measure_methods(
    kind: str,
    prompt: str,
    cases: list[Case],
    *,
    sources: list[Case],
    folds: int,
    only: list[str] | None,
    networks: list[Bundle],
) -> Iterator[dict[str, object]]:
    """Every method on every case of one kind of image and prompt; the sources are what calibrations are fitted on."""
    names = [name for name in (*SEGMENTERS, *([NETWORK] if networks else [])) if not only or name in only]
    for name in dict.fromkeys(names):
        scores = []
        chosen = None
        if name == "calibrated" and folds:
            chosen = _of_networks(kind, prompt, networks, len(cases)) or _cross_validated(prompt, sources, folds)
        for number, case in enumerate(cases):
            drawn = simulate(prompt, case)
            start = time.perf_counter()
            try:
                if name == NETWORK and folds:
                    bundle = networks[number % folds]
                    found = segment_on_lattice(bundle, case.volume, (drawn,), previous=None, settings=SETTINGS).mask
                elif chosen is None:
                    found = SEGMENTERS[name](case.volume, (drawn,), previous=None, settings=SETTINGS).mask
                else:
                    frame = frame_of(case.volume, (drawn,), None, SETTINGS)
                    found = propose(case.volume, (drawn,), frame, chosen[number], previous=None, settings=SETTINGS).mask
            except SegmentationError:
                break
            scores.append([*_score(found, case), time.perf_counter() - start])
        if scores:
            yield _row(kind, prompt, name, np.array(scores), folds)


def _of_networks(kind: str, prompt: str, networks: list[Bundle], count: int) -> list[Calibration]:
    """For each case the calibration under its fold's network; none without networks."""
    key = f"{KINDS[kind]}-{'line' if prompt == 'line' else 'box'}"
    return [bundle_calibration(networks[number % len(networks)], key) for number in range(count)] if networks else []


def _cross_validated(prompt: str, sources: list[Case], folds: int) -> list[Calibration]:
    """For each case the calibration fitted on the other folds' patients."""
    kind = "line" if prompt == "line" else "box"
    samples = [sample(case, kind) for case in sources]
    names = feature_names(sources[0].volume.modality)
    fitted = []
    for fold in range(folds):
        others = [part for number, part in enumerate(samples) if number % folds != fold]
        fitted.append(fit(*(np.concatenate(column) for column in zip(*others, strict=True)), names))
    return [fitted[number % folds] for number in range(len(sources))]


def sample(case: Case, prompt: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, truth and weight of random voxels of one lesion, as it is and small in two ways."""
    rng = np.random.default_rng(case.seed)
    parts = []
    versions = (case, small(case), _measured(training.shrunk(_plain(case), *SHRINKING)))
    for repeat, shrunk in enumerate(versions):
        drawn = simulate(prompt, shrunk, repeat)
        frame = frame_of(shrunk.volume, (drawn,), None, SETTINGS)
        region = frame.region(shrunk.volume, SETTINGS)
        columns = features(region, frame, shrunk.volume.modality)
        share = to_region(region, shrunk.mask).ravel()
        chosen = rng.choice(len(columns), min(VOXELS_PER_LESION, len(columns)), replace=False)
        weight = np.full(len(chosen), 1 / len(chosen) / len(versions), np.float32)
        parts.append((columns[chosen], share[chosen], weight))
    columns, share, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return columns, share, weight


def small(case: Case) -> Case:
    """The same tumour two to three times smaller, on voxels of the same size."""
    return _measured(training.small(_plain(case)))


def _plain(case: Case) -> training.Case:
    return training.Case(patient=case.patient, volume=case.volume, mask=case.mask, seed=case.seed)


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


def _row(kind: str, prompt: str, method: str, scores: np.ndarray, folds: int) -> dict[str, object]:
    middle = np.median(scores, axis=0)
    by_fold = [float(np.median(scores[fold::folds, 0])) for fold in range(min(folds, len(scores)))]
    return {
        "image": kind,
        "prompt": prompt,
        "method": method,
        "n": len(scores),
        "dice": round(float(middle[0]), 4),
        "dice_p10": round(float(np.percentile(scores[:, 0], 10)), 4),
        "key_slice_dice": round(float(middle[1]), 4),
        "diameter_error_percent": round(float(middle[2]), 2),
        "dice_by_fold": [round(each, 3) for each in by_fold],
        "seconds_median": round(float(middle[3]), 3),
        "seconds_p95": round(float(np.percentile(scores[:, 3], 95)), 3),
    }


def _write_calibration(arguments: argparse.Namespace) -> None:
    fitted = {}
    for kind, modality in KINDS.items():
        cases = list(load_cases(kind, arguments.limit))
        for prompt in ("line", "box"):
            columns, share, weight = (
                np.concatenate(column) for column in zip(*(sample(case, prompt) for case in cases), strict=True)
            )
            frame = frame_of(cases[0].volume, (simulate(prompt, cases[0]),), None, SETTINGS)
            key = calibration_key(modality, frame)
            fitted[key] = fit(columns, share, weight, feature_names(modality)).to_json()
            print(f"{key}: {len(columns)} voxels of {len(cases)} lesions")
    content = {
        "licence": calibration_module.LICENCE,
        "attribution": "Fitted on the Soft-tissue-Sarcoma collection of The Cancer Imaging Archive "
        "(Vallieres et al. 2015), CC BY 3.0, as prepared by the Image Biomarker Standardisation Initiative",
        "recipe": "python benchmarks/segmentation.py --fit",
        "calibrations": fitted,
    }
    path = Path(calibration_module.__file__).with_name(calibration_module.FILE)
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first N patients")
    parser.add_argument("--folds", type=int, default=5, help="patient-grouped folds; 0 measures the shipped numbers")
    parser.add_argument("--images", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--prompts", nargs="+", default=list(PROMPTS), choices=list(PROMPTS))
    parser.add_argument("--methods", nargs="+", help="only these segmenters")
    parser.add_argument("--networks", type=Path, help="folder of the folds' network bundles")
    parser.add_argument("--json", action="store_true", help="the table as JSON in the last line")
    parser.add_argument("--small", action="store_true", help="measure the same tumours two to three times smaller")
    parser.add_argument("--final", action="store_true", help="the shipped numbers on the patients of the last test")
    parser.add_argument("--fit", action="store_true", help="write the shipped calibration instead of measuring")
    return parser.parse_args()


if __name__ == "__main__":
    main()
