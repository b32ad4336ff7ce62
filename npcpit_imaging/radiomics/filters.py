"""Convolutional response maps: mean, Laplacian of Gaussian, separable undecimated wavelets (IBSI 2, 3)."""

from collections import Counter
from itertools import permutations, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.radiomics import Boundary, Filter, LogFilter, MeanFilter, WaveletFilter
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.region import Region

Floats = NDArray[np.float64]

Mode = Literal["constant", "nearest", "wrap", "reflect"]

MODES: dict[Boundary, Mode] = {
    Boundary.ZERO: "constant",
    Boundary.NEAREST: "nearest",
    Boundary.PERIODIC: "wrap",
    Boundary.MIRROR: "reflect",
}
"""What scipy calls IBSI 2's ways to continue an image beyond its edge (2.2.2)."""

_ROOT2, _ROOT3 = np.sqrt(2.0), np.sqrt(3.0)

SCALING = {
    "haar": np.array([1.0, 1.0]) / _ROOT2,
    "db2": np.array([1 - _ROOT3, 3 - _ROOT3, 3 + _ROOT3, 1 + _ROOT3]) / (4.0 * _ROOT2),
    "db3": np.array(
        [
            *(0.03522629188210562, -0.08544127388224149, -0.13501102001039084),
            *(0.45987750211933132, 0.80689150931333875, 0.33267055295095688),
        ]
    ),
    "coif1": np.array(
        [
            *(-0.01565572813579199, -0.07273261951252645, 0.38486484686485778),
            *(0.85257202021160039, 0.33789766245748182, -0.07273261951252645),
        ]
    ),
}
"""Low-pass kernels, each of unit energy and of sum sqrt(2) (Daubechies 1992, tables 6.1 and 8.1)."""


def filter_name(chosen: Filter) -> str:
    """Return a short stable name for a response map's rows.

    Example:
        >>> filter_name(LogFilter(kind="log", sigma_mm=1.5))
        'log_1.5mm'
    """
    edge = "" if chosen.boundary is Boundary.MIRROR else f"_{chosen.boundary}"
    if isinstance(chosen, WaveletFilter):
        turned = "" if chosen.rotation_invariant else "_fixed"
        return f"wavelet_{chosen.wavelet}_{chosen.response}_{chosen.level}{turned}{edge}"
    flat = "_2D" if chosen.in_plane else ""
    if isinstance(chosen, MeanFilter):
        return f"mean_{chosen.support_voxels}{flat}{edge}"
    cut = "" if chosen.truncate_sigma == 4.0 else f"_cut{chosen.truncate_sigma:g}"
    return f"log_{chosen.sigma_mm:g}mm{cut}{flat}{edge}"


def margin_mm(chosen: Filter, spacing_mm: float) -> float:
    """Return how far beyond a voxel its response looks, on a grid of this (largest) spacing."""
    if isinstance(chosen, MeanFilter):
        return (chosen.support_voxels // 2 + 1) * spacing_mm
    if isinstance(chosen, LogFilter):
        return chosen.truncate_sigma * chosen.sigma_mm + spacing_mm
    return float(len(SCALING[chosen.wavelet]) * 2**chosen.level) * spacing_mm


def respond(region: Region, chosen: Filter) -> Floats:
    """Return the response map `(K, J, I)` of a region and its margin.

    Raises:
        RadiomicsError: The margin holds voxels that are not finite, or the grid is not isotropic where the filter is.
    """
    _require_isotropic(region, chosen)
    if not np.isfinite(region.intensities).all():
        raise RadiomicsError(
            f"filter {filter_name(chosen)}: expected finite intensities around the region, found some that are not"
        )
    return response_map(region.intensities, region.spacing_kji_mm, chosen)


def _require_isotropic(region: Region, chosen: Filter) -> None:
    spacing = np.array(region.spacing_kji_mm[1:] if chosen.in_plane else region.spacing_kji_mm)
    if not np.allclose(spacing, spacing[0], rtol=1e-3):
        raise RadiomicsError(
            f"filter {filter_name(chosen)}: expected an isotropic grid, found {spacing.tolist()} mm; "
            "set resampling.spacing_mm"
        )


def response_map(image: Floats, spacing_kji_mm: tuple[float, float, float], chosen: Filter) -> Floats:
    """Return the response map `(K, J, I)` of a whole image."""
    mode = MODES[chosen.boundary]
    if isinstance(chosen, MeanFilter):
        size = chosen.support_voxels
        smoothed: Floats = ndimage.uniform_filter(image, (1 if chosen.in_plane else size, size, size), mode=mode)
        return smoothed
    if isinstance(chosen, LogFilter):
        sigma = [chosen.sigma_mm / spacing for spacing in spacing_kji_mm]
        return _laplace(image, sigma, chosen, mode)
    return _wavelet(image, chosen, mode)


def _laplace(image: Floats, sigma: list[float], chosen: LogFilter, mode: Mode) -> Floats:
    """Sum of the second Gaussian derivatives along the axes, each smoothed along the others, in voxel units."""
    axes = (1, 2) if chosen.in_plane else (0, 1, 2)
    total = np.zeros(image.shape)
    for axis in axes:
        orders = [2 if other == axis else 0 for other in axes]
        chosen_sigma = [sigma[other] for other in axes]
        total += ndimage.gaussian_filter(
            image, chosen_sigma, order=orders, mode=mode, truncate=chosen.truncate_sigma, axes=axes
        )
    return total


def _wavelet(image: Floats, chosen: WaveletFilter, mode: Mode) -> Floats:
    """Average the separable response over the right-angle rotations, or take it as it is."""
    turns = _rotations(chosen.response) if chosen.rotation_invariant else Counter({_unturned(chosen.response): 1})
    total = np.zeros(image.shape)
    for steps, times in turns.items():
        total += times * _separable(image, steps, chosen, mode)
    return total / turns.total()


Steps = tuple[tuple[str, bool], ...]
"""For the axes k, j, i (in a slice j, i): low (L) or high (H) pass, and whether the kernel is read backwards."""


def _unturned(response: str) -> Steps:
    """IBSI names the passes along x, y, z; arrays run along z, y, x."""
    return tuple((letter, False) for letter in reversed(response))


def _rotations(response: str) -> "Counter[Steps]":
    """All signed permutations of the axes that are proper rotations, those with the same kernels counted together."""
    steps = _unturned(response)
    found: Counter[Steps] = Counter()
    for order in permutations(range(len(steps))):
        even = np.linalg.det(np.eye(len(steps))[list(order)]) > 0
        for flips in product((False, True), repeat=len(steps)):
            if (sum(flips) % 2 == 0) == even:
                found[tuple((steps[axis][0], flip) for axis, flip in zip(order, flips, strict=True))] += 1
    return found


def _separable(image: Floats, steps: Steps, chosen: WaveletFilter, mode: Mode) -> Floats:
    """Undecimated (a trous) transform: low passes up to the level before, then the chosen response."""
    result = image
    for level in range(1, chosen.level + 1):
        for axis, (letter, backwards) in enumerate(steps, start=image.ndim - len(steps)):
            kernel = _kernel(chosen.wavelet, letter if level == chosen.level else "L", level)
            result = _along(result, kernel, axis, mode, backwards=backwards)
    return result


def _kernel(wavelet: str, letter: str, level: int) -> Floats:
    low = SCALING[wavelet]
    kernel = low if letter == "L" else -low[::-1] * (-1.0) ** np.arange(low.size)
    # The zeros between the taps follow every tap, the last one too: this places the response maps of IBSI 2.
    spread = np.zeros(kernel.size * 2 ** (level - 1))
    spread[:: 2 ** (level - 1)] = kernel
    return spread


def _along(image: Floats, kernel: Floats, axis: int, mode: Mode, *, backwards: bool) -> Floats:
    turned = np.flip(image, axis) if backwards else image
    filtered: Floats = ndimage.convolve1d(turned, kernel, axis=axis, mode=mode)
    return np.flip(filtered, axis) if backwards else filtered
