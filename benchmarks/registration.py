"""Rigid registration of real volumes with known motions: target registration error and time.

    python benchmarks/registration.py [--data ../shared/data] [--motions 3]

Fixed: the volume moved by up to 10 degrees about each axis and 15 mm, on another grid with 90-100 % of the field of
view and 4 % noise. The error is taken at the body's voxels that both images show.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from registration_pairs import BRAIN, LUNG, MR1, T2, Library, seen_again

from npcpit_imaging.config.base import load
from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.registration.align import align
from npcpit_imaging.registration.prepare import prepare

ROOT = Path(__file__).parent.parent
VOLUMES = {
    "lung CT": (LUNG, "ct-ct"),
    "thigh T2": (T2, "mr-mr"),
    "brain": (BRAIN, "mr-mr"),
    "abdomen T2": (MR1, "mr-mr"),
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--motions", type=int, default=3)
    chosen = parser.parse_args()
    library = Library(chosen.data)
    print("| volume | voxels | verdicts | TRE mean | TRE p95 | TRE max | wall s | CPU s |", "|---" * 8 + "|", sep="\n")
    for name, (where, plan_name) in VOLUMES.items():
        plan = load(ROOT / f"configs/npc-pit/imaging/registration/{plan_name}.toml", RegistrationPlan)
        volume = library.series(where)
        errors, verdicts = [], []
        spent = np.zeros(2)
        for seed in range(chosen.motions):
            fixed, true = seen_again(volume, seed)
            wall, cpu = time.perf_counter(), time.process_time()
            found = align(fixed, volume, plan)
            spent += time.perf_counter() - wall, time.process_time() - cpu
            body = prepare(fixed, plan, role="fixed").body
            points = body.geometry.to_mm(np.argwhere(body.voxels))
            points = points[volume.geometry.contains(true.map(points))]
            errors.append(np.linalg.norm(found.transform.map(points) - true.map(points), axis=1))
            verdicts.append(str(found.quality.verdict))
        error, mean_s = np.concatenate(errors), spent / chosen.motions
        print(
            f"| {name} | {volume.geometry.describe()} | {', '.join(verdicts)} | {error.mean():.3f} "
            f"| {np.percentile(error, 95):.3f} | {error.max():.3f} | {mean_s[0]:.1f} | {mean_s[1]:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
