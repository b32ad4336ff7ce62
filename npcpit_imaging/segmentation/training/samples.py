"""Training samples on disk: every lesion in many versions and prompts, on its prompt's lattice.

    python -m npcpit_imaging.segmentation.training.samples OUT --data TRAINING/sts --heads HEADS

Patients (and painted heads) are dealt to the folds in the order of their names.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.encoding import level, on_lattice
from npcpit_imaging.segmentation.features import PET_NAMES, features
from npcpit_imaging.segmentation.frame import Frame, frame_of
from npcpit_imaging.segmentation.lattice import SHAPE_WVU, to_lattice
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import Floats, to_region
from npcpit_imaging.segmentation.training.cases import (
    KINDS,
    Case,
    long_axis,
    mask_paths,
    read_case,
    shrunk,
    small,
    with_node,
)
from npcpit_imaging.segmentation.training.simulated import drawn_box, drawn_line

FOLDS = 5
PROMPTS = ("line", "box")
SHRINKING = (0.35, 0.7)
"""A shrunk lesion has this size in its slice, and this times that through the slices."""

COARSE = SegmentationSettings(voxel_budget=50_000)
"""Samples are drawn from coarser regions than a reader's: the lattice has 25,000 points."""

PLANES = len(PET_NAMES) + 1
"""A sample's images: the features (CT and MR leave the last three empty) and the level."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is known of a sample beside its arrays.

    Args:
        fold: Which fold tests its patient.
        patient: Its group.
        kind: ``CT``, ``MR_T1`` or ``PET``.
        version: ``tumour``, ``small``, ``shrunk``, ``node`` or ``head``.
        prompt: ``line`` or ``box``.
        diameter_mm: In-plane size of the prompt's frame.
        slice_mm: Distance between slices.
    """

    fold: int
    patient: str
    kind: str
    version: str
    prompt: str
    diameter_mm: float
    slice_mm: float


Drawing = tuple[Sample, Floats, Floats]
"""A sample with its images `(17, W, V, U)` and its target `(W, V, U)`, the share of lesion."""


def versions(case: Case, *, real: bool) -> Iterator[tuple[str, Case]]:
    """A real tumour as it is (two prompts), small (two), shrunk and with a node beside it; a painted one as it is."""
    if not real:
        yield "head", case
        return
    yield from (("tumour", case), ("small", small(case)), ("tumour", case), ("small", small(case)))
    yield "shrunk", shrunk(case, *SHRINKING)
    with suppress(SegmentationError):  # no room for one
        yield "node", with_node(case, np.random.default_rng([case.seed, 7]))


def draw(case: Case, prompt: str, repeat: int) -> Prompt:
    """What a person would draw, a line or a box; the same every time."""
    rng = np.random.default_rng([case.seed, PROMPTS.index(prompt), 100 + repeat])
    return drawn_line(case.mask, long_axis(case.mask), rng) if prompt == "line" else drawn_box(case.mask, rng)


def draw_samples(case: Case, *, kind: str, fold: int, real: bool) -> list[Drawing]:
    """Every version and prompt of one lesion; prompts that a person's error made unusable are left out."""
    drawings = []
    for repeat, (version, changed) in enumerate(versions(case, real=real)):
        for prompt in PROMPTS:
            with suppress(SegmentationError):
                frame = frame_of(changed.volume, (draw(changed, prompt, repeat),), None, COARSE)
                images, target = _arrays(changed, frame)
                sample = Sample(
                    fold=fold,
                    patient=case.patient,
                    kind=kind,
                    version=version,
                    prompt=prompt,
                    diameter_mm=frame.diameter_mm,
                    slice_mm=changed.volume.geometry.spacing_mm[2],
                )
                drawings.append((sample, images, target))
    return drawings


def _arrays(case: Case, frame: Frame) -> tuple[Floats, Floats]:
    region, modality = frame.region(case.volume, COARSE), case.volume.modality
    seen = on_lattice(frame, region, features(region, frame, modality))
    images = np.zeros((PLANES, *SHAPE_WVU), np.float32)
    images[: len(seen)] = seen
    others = np.stack([level(region, modality), to_region(region, case.mask)])
    images[-1], target = to_lattice(frame, region, others)
    return images, target


def write_samples(out: Path, data: Path, heads: Path | None, workers: int) -> int:
    """Draw every sample and write them as arrays; returns how many."""
    out.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    jobs = [
        (path, kind, number, real)
        for folder, real in ((data, True), *(((heads, False),) if heads else ()))
        for kind in KINDS
        for number, path in enumerate(mask_paths(folder, kind))
    ]
    with (
        ProcessPoolExecutor(workers) as pool,
        (out / "images.raw").open("wb") as images_file,
        (out / "target.raw").open("wb") as target_file,
    ):
        for drawings in pool.map(_job, jobs):
            for sample, images, target in drawings:
                samples.append(sample)
                images_file.write(images.astype(np.float16).tobytes())
                target_file.write(np.rint(255 * target).astype(np.uint8).tobytes())
    (out / "samples.json").write_text(json.dumps([asdict(sample) for sample in samples]), encoding="utf-8")
    return len(samples)


def _job(job: tuple[Path, str, int, bool]) -> list[Drawing]:
    path, kind, number, real = job
    return draw_samples(read_case(path, kind, number), kind=kind, fold=number % FOLDS, real=real)


def read_samples(folder: Path) -> tuple[list[Sample], np.ndarray, np.ndarray]:
    """The samples, their images `(N, 17, W, V, U)` and targets `(N, W, V, U)`, mapped from disk."""
    samples = [Sample(**row) for row in json.loads((folder / "samples.json").read_text(encoding="utf-8"))]
    n = len(samples)
    images = np.memmap(folder / "images.raw", np.float16, "r", shape=(n, PLANES, *SHAPE_WVU))
    return samples, images, np.memmap(folder / "target.raw", np.uint8, "r", shape=(n, *SHAPE_WVU))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME_KIND.nii.gz and NAME_KIND_mask.nii.gz")
    parser.add_argument("--heads", type=Path, help="painted heads, from sample_dicom/training_heads.py")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"{write_samples(options.out, options.data, options.heads, options.workers)} samples")  # noqa: T201


if __name__ == "__main__":
    main()
