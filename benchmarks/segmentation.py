"""Simulated line, box and click prompts on the public training tumours: Dice, key-slice Dice, diameter error, latency.

The noise of a person: each end of the line is moved in its slice by a normal error of 1.5 mm along i and along j (1.9
mm on average), and one line in four lies one slice beside the right one. Each face of the box lies 1 mm outside the
tumour, with a normal error of 1.5 mm. A click falls on a random voxel at least half as deep as the deepest.

Calibrated methods are cross-validated: no patient is measured by numbers that were fitted on him.

    python benchmarks/segmentation.py --limit 5            # a taste
    python benchmarks/segmentation.py                      # everything, five folds
    python benchmarks/segmentation.py --fit                # write the shipped calibration, fitted on all patients
    python benchmarks/segmentation.py --final              # the three patients kept for the last test
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation import calibration as calibration_module
from npcpit_imaging.segmentation.calibrated import calibration_key, propose
from npcpit_imaging.segmentation.calibration import Calibration, fit
from npcpit_imaging.segmentation.features import feature_names, features
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.prompt import BoxPrompt, LinePrompt, PointPrompt, Prompt
from npcpit_imaging.segmentation.region import to_region
from npcpit_imaging.segmentation.segmenters import SEGMENTERS
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

DATA = Path(os.environ.get("NPCPIT_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
KINDS = {"CT": Modality.CT, "MR_T1": Modality.MR, "PET": Modality.PT}
PROMPTS = ("line", "box", "click")
LINE_ERROR_MM = 1.5
BOX_ERROR_MM = 1.5
BOX_OUTSIDE_MM = 1.0
VOXELS_PER_LESION = 2000
SMALL_STEP_KJI = {Modality.CT: (2, 3, 3), Modality.MR: (2, 3, 3), Modality.PT: (2, 2, 2)}
"""A small lesion is a large one of which every third pixel of every second slice is kept: same pixels, same noise."""

SHRINKING = (0.35, 0.7)
"""Each lesion is fitted as it is, as `small` makes it, and shrunk by this in its slice, and through the slices too."""

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
    print(
        f"{'image':6} {'prompt':6} {'method':18} {'n':>3} {'Dice':>6} {'p10':>6} {'key':>6} {'LD err':>7} {'p95 s':>6}"
    )
    for kind in arguments.images:
        cases = list(load_final(kind) if arguments.final else load_cases(kind, arguments.limit))
        sources = cases
        if arguments.small:
            cases = [small(case) for case in cases]
        folds = 0 if arguments.final else arguments.folds
        for prompt in arguments.prompts:
            for row in measure_methods(kind, prompt, cases, sources=sources, folds=folds, only=arguments.methods):
                rows.append(row)
                print(
                    f"{row['image']:6} {row['prompt']:6} {row['method']:18} {row['n']:3d} {row['dice']:6.3f} "
                    f"{row['dice_p10']:6.3f} {row['key_slice_dice']:6.3f} {row['diameter_error_percent']:6.1f}% "
                    f"{row['seconds_p95']:6.2f}",
                    flush=True,
                )
    if arguments.json:
        print(json.dumps({"folds": arguments.folds, "line_error_mm": LINE_ERROR_MM, "rows": rows}))


def load_cases(kind: str, limit: int | None) -> Iterator[Case]:
    """Read the training tumours of one kind of image; PET files hold SUV x 1000."""
    paths = sorted((DATA / "training" / "sts").glob(f"*_{kind}_mask.nii.gz"))[:limit]
    for number, path in enumerate(paths):
        unit = {Modality.CT: Unit.HU, Modality.PT: Unit.SUVBW}.get(KINDS[kind], Unit.ARBITRARY)
        volume = read_volume(path.with_name(path.name.replace("_mask", "")), modality=KINDS[kind], unit=unit)
        if kind == "PET":
            volume = Volume(
                voxels=volume.voxels / 1000, geometry=volume.geometry, modality=volume.modality, unit=volume.unit
            )
        mask = read_mask(path)
        yield Case(patient=path.name[:7], volume=volume, mask=mask, truth=measure(mask), seed=1000 + number)


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
    return {"line": _line, "box": _box, "click": _click}[prompt](case, rng)


def measure_methods(
    kind: str, prompt: str, cases: list[Case], *, sources: list[Case], folds: int, only: list[str] | None
) -> Iterator[dict[str, object]]:
    """Every method on every case of one kind of image and prompt; the sources are what calibrations are fitted on."""
    names = [name for name, segmenter in SEGMENTERS.items() if not only or name in only]
    for name in names:
        scores = []
        chosen = _cross_validated(prompt, sources, folds) if name == "calibrated" and folds else None
        for number, case in enumerate(cases):
            drawn = simulate(prompt, case)
            start = time.perf_counter()
            if chosen is None:
                try:
                    found = SEGMENTERS[name](case.volume, (drawn,), previous=None, settings=SETTINGS).mask
                except SegmentationError:
                    break
            else:
                frame = frame_of(case.volume, (drawn,), None, SETTINGS)
                found = propose(case.volume, (drawn,), frame, chosen[number], previous=None, settings=SETTINGS).mask
            scores.append([*_score(found, case), time.perf_counter() - start])
        if scores:
            yield _row(kind, prompt, name, np.array(scores))


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
    versions = (case, small(case), _shrunk(case, *SHRINKING))
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


def _shrunk(case: Case, scale: float, depth: float) -> Case:
    grid = case.volume.geometry
    x, y, z = grid.spacing_mm
    thin = Geometry(
        shape_kji=grid.shape_kji,
        origin_mm=grid.origin_mm,
        spacing_mm=(x * scale, y * scale, z * scale * depth),
        direction=grid.direction,
    )
    volume = Volume(voxels=case.volume.voxels, geometry=thin, modality=case.volume.modality, unit=case.volume.unit)
    mask = Mask(voxels=case.mask.voxels, geometry=thin)
    return Case(patient=case.patient, volume=volume, mask=mask, truth=measure(mask), seed=case.seed)


def small(case: Case) -> Case:
    """The same tumour two to three times smaller, on voxels of the same size."""
    step = SMALL_STEP_KJI[case.volume.modality]
    kept = tuple(slice(None, None, by) for by in step)
    grid = case.volume.geometry
    shape = case.volume.voxels[kept].shape
    thin = Geometry(shape_kji=shape, origin_mm=grid.origin_mm, spacing_mm=grid.spacing_mm, direction=grid.direction)
    volume = Volume(
        voxels=case.volume.voxels[kept], geometry=thin, modality=case.volume.modality, unit=case.volume.unit
    )
    mask = Mask(voxels=case.mask.voxels[kept], geometry=thin)
    return Case(patient=case.patient, volume=volume, mask=mask, truth=measure(mask), seed=case.seed)


def _line(case: Case, rng: np.random.Generator) -> LinePrompt:
    caliper, grid = case.truth.longest_diameter, case.volume.geometry
    plane = np.array(grid.direction).T[:2]
    ends = np.array([caliper.start_mm, caliper.end_mm]) + rng.normal(0, LINE_ERROR_MM, (2, 2)) @ plane
    if rng.random() < 0.25:
        ends = ends + rng.choice([-1, 1]) * grid.spacing_mm[2] * grid.normal
    index = np.clip(grid.to_index(ends), 0, np.array(grid.shape_kji) - 1)
    start, end = grid.to_mm(index)
    return LinePrompt(start_mm=tuple(start), end_mm=tuple(end))


def _box(case: Case, rng: np.random.Generator) -> BoxPrompt:
    grid = case.mask.geometry
    index = np.argwhere(case.mask.voxels)
    spacing = np.array(grid.spacing_mm[::-1])
    low = index.min(axis=0) - 0.5 - rng.normal(BOX_OUTSIDE_MM, BOX_ERROR_MM, 3) / spacing
    high = index.max(axis=0) + 0.5 + rng.normal(BOX_OUTSIDE_MM, BOX_ERROR_MM, 3) / spacing
    return BoxPrompt(corner_mm=tuple(grid.to_mm(low)), opposite_mm=tuple(grid.to_mm(high)))


def _click(case: Case, rng: np.random.Generator) -> PointPrompt:
    grid = case.mask.geometry
    depth = ndimage.distance_transform_edt(np.pad(case.mask.voxels, 1), sampling=grid.spacing_mm[::-1])[
        1:-1, 1:-1, 1:-1
    ]
    index = rng.choice(np.argwhere(depth >= depth.max() / 2))
    return PointPrompt(point_mm=tuple(grid.to_mm(index)))


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


def _row(kind: str, prompt: str, method: str, scores: np.ndarray) -> dict[str, object]:
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
    parser.add_argument("--json", action="store_true", help="the table as JSON in the last line")
    parser.add_argument("--small", action="store_true", help="measure the same tumours two to three times smaller")
    parser.add_argument("--final", action="store_true", help="the shipped numbers on the patients of the last test")
    parser.add_argument("--fit", action="store_true", help="write the shipped calibration instead of measuring")
    return parser.parse_args()


if __name__ == "__main__":
    main()
