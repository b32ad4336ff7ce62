"""CPU time and memory of our radiomics, beside a PyRadiomics build in an environment of its own.

    python benchmarks/radiomics.py [--pyradiomics DIR [--package pyradiomics-bhklab]] [--repeat 5] [--json]

Without --pyradiomics only ours is measured. With it, DIR receives a virtual environment (once) in which the named build
is installed with pip, and both work on the same lesions, cropped to the region and 20 mm, on one core. Each engine's
numbers come from a fresh process: CPU seconds are the least of the repetitions, memory is the process's peak.
PyRadiomics computes every feature class it has on the same grid without resampling, with the same bin width.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

OURS = """
import json, resource, sys, time
from pathlib import Path
from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.volume.files import read_mask, read_volume
case = json.loads(sys.argv[1])
settings = RadiomicsSettings.model_validate({
    "resegmentation": case["range"],
    "discretisation": {"method": "fixed_bin_size", "bin_width": case["bin_width"]},
    "ivh": {"method": "fixed_bin_size", "bin_width": case["bin_width"] / 10},
})
volume, mask = read_volume(Path(case["image"])), read_mask(Path(case["mask"]))
times = []
for _ in range(case["repeat"]):
    started = time.process_time()
    features = len(extract(volume, mask, settings).values())
    times.append(time.process_time() - started)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"features": features, "cpu_s": min(times), "peak_mib": peak}))
"""

THEIRS = """
import json, logging, resource, sys, time
import SimpleITK as sitk
import radiomics
from radiomics.featureextractor import RadiomicsFeatureExtractor
logging.disable(logging.CRITICAL)
case = json.loads(sys.argv[1])
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
extractor = RadiomicsFeatureExtractor(binWidth=case["bin_width"])
extractor.disableAllFeatures()
for name in ("shape", "firstorder", "glcm", "glrlm", "glszm", "ngtdm", "gldm"):
    extractor.enableFeatureClassByName(name)
image, mask = sitk.ReadImage(case["image"]), sitk.ReadImage(case["mask"])
times = []
for _ in range(case["repeat"]):
    started = time.process_time()
    found = extractor.execute(image, mask)
    times.append(time.process_time() - started)
features = sum(name.startswith("original_") for name in found)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"features": features, "cpu_s": min(times), "peak_mib": peak}))
"""

MAKE = """
import json, sys
from pathlib import Path
import numpy as np
from scipy import ndimage
from npcpit_imaging.volume.files import write_mask, write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume
lesion = json.loads(sys.argv[1])
spacing, diameter = lesion["spacing_mm"], lesion["diameter_mm"]
n = int((diameter * 1.1 + 40) / spacing)
random = np.random.default_rng(20)
texture = ndimage.gaussian_filter(random.normal(size=(n, n, n)), 1.5)
values = lesion["mean"] + lesion["sd"] * (texture / texture.std() + 0.3 * random.normal(size=texture.shape))
k, j, i = (np.indices((n, n, n)) - (n - 1) / 2) * spacing
radius = diameter / 2 * (1 + 0.1 * np.sin(4 * np.arctan2(j, i)))
inside = np.sqrt(k**2 + j**2 + i**2) <= radius
grid = Geometry(shape_kji=(n, n, n), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(spacing,) * 3)
write_volume(Volume(voxels=np.maximum(values, lesion["floor"]), geometry=grid), Path(lesion["image"]))
write_mask(Mask(voxels=inside, geometry=grid), Path(lesion["mask"]))
print(json.dumps({"voxels": int(inside.sum())}))
"""


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """A synthetic lesion: textured, lobed, of a known size.

    Args:
        name: What the table calls it.
        diameter_mm: Mean diameter.
        spacing_mm: Isotropic voxel size.
        mean: Mean intensity.
        sd: Standard deviation of the texture.
        floor: Lowest intensity of the modality.
        bounds: Resegmentation range.
        bin_width: Width of a grey level.
        goal_cpu_s: What the project promises.
    """

    name: str
    diameter_mm: float
    spacing_mm: float
    mean: float
    sd: float
    floor: float
    bounds: dict[str, float]
    bin_width: float
    goal_cpu_s: float


CT = {"mean": 40.0, "sd": 30.0, "floor": -1000.0, "bounds": {"lower": -1000.0, "upper": 400.0}, "bin_width": 25.0}
PET = {"mean": 8.0, "sd": 2.5, "floor": 0.0, "bounds": {"lower": 0.0, "upper": 50.0}, "bin_width": 0.25}

LESIONS = (
    Lesion(name="CT 30 mm", diameter_mm=30.0, spacing_mm=1.0, goal_cpu_s=0.07, **CT),
    Lesion(name="CT 100 mm", diameter_mm=100.0, spacing_mm=1.0, goal_cpu_s=1.0, **CT),
    Lesion(name="PET 30 mm", diameter_mm=30.0, spacing_mm=3.0, goal_cpu_s=0.07, **PET),
)


def run(python: str, code: str, argument: dict[str, object]) -> dict[str, float]:
    """Run a piece of Python in a process of its own, on one core, and return what it prints last."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-c", code, json.dumps(argument)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **threads},
    )
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def environment(folder: Path, package: str) -> str:
    """Return the Python of a virtual environment with a PyRadiomics build, made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", package], check=True)
    return str(python)


def measure(lesion: Lesion, folder: Path, repeat: int, other: str | None) -> dict[str, object]:
    """Measure one lesion with each engine."""
    files = {"image": str(folder / "image.nii.gz"), "mask": str(folder / "mask.nii.gz")}
    names = ("diameter_mm", "spacing_mm", "mean", "sd", "floor")
    made = run(sys.executable, MAKE, files | {name: getattr(lesion, name) for name in names})
    case = files | {"range": lesion.bounds, "bin_width": lesion.bin_width, "repeat": repeat}
    result: dict[str, object] = {"lesion": lesion.name, "voxels": made["voxels"], "goal_cpu_s": lesion.goal_cpu_s}
    result["ours"] = run(sys.executable, OURS, case)
    if other is not None:
        result["pyradiomics"] = run(other, THEIRS, case)
    return result


def show(result: dict[str, object]) -> None:
    """Print one lesion's lines."""
    for engine in ("ours", "pyradiomics"):
        found = result.get(engine)
        if isinstance(found, dict):
            per_feature = 1000.0 * found["cpu_s"] / found["features"]
            print(
                f"{result['lesion']:<10} {result['voxels']:>8} {engine:<12} {found['features']:>8} "
                f"{found['cpu_s']:>8.3f} {per_feature:>14.3f} {found['peak_mib']:>9.0f}"
            )


def main() -> int:
    """Print the table; exit 0 only when no goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pyradiomics", type=Path, help="folder of the other engine's virtual environment")
    parser.add_argument("--package", default="pyradiomics-bhklab", help="which build pip installs there")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    other = environment(arguments.pyradiomics, arguments.package) if arguments.pyradiomics else None
    print(
        f"{'lesion':<10} {'voxels':>8} {'engine':<12} {'features':>8} {'CPU s':>8} {'ms / feature':>14} {'peak MiB':>9}"
    )
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for lesion in LESIONS:
            results.append(measure(lesion, Path(folder), arguments.repeat, other))
            show(results[-1])
    missed = [str(result["lesion"]) for result in results if result["ours"]["cpu_s"] > result["goal_cpu_s"]]
    print(f"goals missed: {', '.join(missed) or 'none'}")
    if arguments.json:
        print(json.dumps({"lesions": results, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
