"""The longest diameter beside others' ways: how unbiased on ellipses of known size, how fast on a 512x512x300 mask.

Run ``python benchmarks/diameter.py``; ``--json`` prints one JSON object as the last line. The peers, each in this run:

- centres: farthest pair of pixel centres of each slice, by brute force on the outline (what "maximum 2D diameter" of
  voxel centres means in many tools);
- edges: the same between pixel corners (half a pixel outset), which is what a mask's drawn outline suggests;
- skimage: ``regionprops`` ``feret_diameter_max`` of each slice's largest component, scikit-image's own (in pixels, so
  only on square ones; its outline is half a pixel outside along the axes).

Exit code 1 when a bias is above 0.3 mm or our own time above 0.3 s.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist
from skimage.measure import label as label_plane
from skimage.measure import regionprops

from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

ELLIPSES = 300
"""Random ellipses a row: 10 to 60 mm long, 0.4 to 1 as wide, any angle, any place between pixels."""

PIXELS_MM = ((0.5, 0.5), (0.98, 0.98), (0.7, 1.3), (2.0, 2.0))
BIAS_LIMIT_MM = 0.3
TIME_LIMIT_S = 0.3
REPEATS = 5

Diameter = Callable[[NDArray[np.bool_], tuple[float, float]], float]


def ours(voxels: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """The product's own."""
    spacing = (pixel_mm[0], pixel_mm[1], 1.0)
    geometry = Geometry(shape_kji=voxels.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=spacing)
    return measure(Mask(voxels=voxels, geometry=geometry)).longest_diameter_mm or 0.0


def brute_force(outset: float) -> Diameter:
    """Farthest pair of the outline's pixels, set out by a part of a pixel, slice by slice."""

    def diameter(voxels: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
        return max(_farthest(plane, pixel_mm, outset) for plane in voxels if plane.any())

    return diameter


def _farthest(plane: NDArray[np.bool_], pixel_mm: tuple[float, float], outset: float) -> float:
    label, count = ndimage.label(plane, np.ones((3, 3)))
    if count > 1:
        plane = label == 1 + int(np.bincount(label.ravel())[1:].argmax())
    outline = np.argwhere(plane & ~ndimage.binary_erosion(plane))[:, ::-1]
    ways = [(a, b) for a in (-outset, outset) for b in (-outset, outset)] if outset else [(0.0, 0.0)]
    points = np.concatenate([outline + np.array(way) for way in ways]) * np.array(pixel_mm)
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def skimage_feret(voxels: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """scikit-image's largest Feret diameter over the slices."""
    best = 0.0
    for plane in voxels:
        if plane.any():
            part = max(regionprops(label_plane(plane, connectivity=2)), key=lambda each: each.area)
            best = max(best, float(part.feret_diameter_max) * pixel_mm[0])
    return best


METHODS: dict[str, Diameter] = {
    "ours": ours,
    "centres": brute_force(0.0),
    "edges": brute_force(0.5),
    "skimage": skimage_feret,
}


def ellipse(chance: np.random.Generator, pixel_mm: tuple[float, float]) -> tuple[NDArray[np.bool_], float]:
    """Voxels whose centres lie in a random ellipse, and its true longest diameter."""
    long_mm = chance.uniform(10, 60)
    short_mm = long_mm * chance.uniform(0.4, 1)
    angle, centre = chance.uniform(0, np.pi), chance.uniform(-0.5, 0.5, 2)
    columns, rows = (int(70 / step) | 1 for step in pixel_mm)
    j, i = np.mgrid[:rows, :columns]
    x, y = (i - columns // 2 - centre[0]) * pixel_mm[0], (j - rows // 2 - centre[1]) * pixel_mm[1]
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return ((2 * u / long_mm) ** 2 + (2 * v / short_mm) ** 2 <= 1)[None], long_mm


def bias(pixel_mm: tuple[float, float], seed: int) -> dict[str, dict[str, float]]:
    """Mean and largest error in mm of every method on the same ellipses."""
    chance = np.random.default_rng(seed)
    errors: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(ELLIPSES):
        voxels, long_mm = ellipse(chance, pixel_mm)
        for name, method in METHODS.items():
            if name != "skimage" or pixel_mm[0] == pixel_mm[1]:
                errors[name].append(method(voxels, pixel_mm) - long_mm)
    return {
        name: {"mean_mm": float(np.mean(found)), "largest_mm": float(np.abs(found).max())}
        for name, found in errors.items()
        if found
    }


def large_masks() -> dict[str, NDArray[np.bool_]]:
    """512x512x300: a ball of 120 mm diameter, and speckle of 2,000 small pieces around it."""
    k, j, i = np.ogrid[:300, :512, :512]
    ball = (k - 150.0) ** 2 + (0.5 * (j - 256.0)) ** 2 + (0.5 * (i - 256.0)) ** 2 <= 60.0**2
    chance = np.random.default_rng(1)
    speckled = ball.copy()
    for k0, j0, i0 in chance.integers((0, 0, 0), (296, 508, 508), (2000, 3)):
        speckled[k0 : k0 + 2, j0 : j0 + 4, i0 : i0 + 4] = True
    return {"ball": ball, "speckled": speckled}


def times(voxels: NDArray[np.bool_]) -> dict[str, float]:
    """Best time in s of every method; the slow ones once."""
    found = {}
    for name, method in METHODS.items():
        taken = []
        for _ in range(REPEATS if name == "ours" else 1):
            start = time.perf_counter()
            method(voxels, (0.5, 0.5))
            taken.append(time.perf_counter() - start)
        found[name] = min(taken)
    return found


def main() -> int:
    """Run both parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--seed", type=int, default=20240501)
    arguments = parser.parse_args()
    print(f"longest diameter of {ELLIPSES} random ellipses, error in mm: mean (largest)")
    errors = {pixel: bias(pixel, arguments.seed) for pixel in PIXELS_MM}
    print(f"{'pixel mm':<12}" + "".join(f"{name:>18}" for name in METHODS))
    for pixel, found in errors.items():
        cells = [f"{e['mean_mm']:+.2f} ({e['largest_mm']:.2f})" for e in found.values()]
        print(f"{pixel[0]:g} x {pixel[1]:g}".ljust(12) + "".join(f"{cell:>18}" for cell in cells))
    print("\n512x512x300 voxels, best time in s (ours: diameters, short axis, volume, components and findings)")
    taken = {name: times(voxels) for name, voxels in large_masks().items()}
    print(f"{'mask':<12}" + "".join(f"{name:>18}" for name in METHODS))
    for name, seconds in taken.items():
        cells = [f"{s:.3f} ({s / seconds['ours']:.0f}x)" for s in seconds.values()]
        print(f"{name:<12}" + "".join(f"{cell:>18}" for cell in cells))
    unbiased = all(abs(found["ours"]["mean_mm"]) <= BIAS_LIMIT_MM for found in errors.values())
    fast = all(found["ours"] <= TIME_LIMIT_S for found in taken.values())
    if arguments.json:
        answer = {"bias_mm": {f"{a}x{b}": e for (a, b), e in errors.items()}, "seconds": taken}
        print(json.dumps({**answer, "unbiased": unbiased, "fast": fast}))
    return 0 if unbiased and fast else 1


if __name__ == "__main__":
    sys.exit(main())
