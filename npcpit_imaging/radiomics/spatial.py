"""Spatial autocorrelation of intensities: Moran's I and Geary's C with weights 1/distance (IBSI 1, 3.1.28, 3.1.29).

Every pair of voxels counts, so the sums are convolutions with 1/distance; Parseval's theorem turns them into three
Fourier transforms of the box around the region and one cosine transform of the (even) kernel.
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
    # Even sizes of at least twice the box: no pair wraps round.
    half = [fft.next_fast_len(size, real=True) for size in mask.shape]
    weights = _kernel_spectrum(half, spacing_kji_mm)
    values, ones, squares = (_spectrum(box, half) for box in (deviation, mask.astype(float), deviation**2))
    weight_sum = float(np.sum(weights * _power(ones)))
    product_sum = float(np.sum(weights * _power(values)))
    cross_sum = float(np.sum(weights * (squares.real * ones.real + squares.imag * ones.imag)))
    moran = count * product_sum / (weight_sum * square_sum)
    geary = (count - 1) * (cross_sum - product_sum) / (weight_sum * square_sum)
    return float(moran), float(geary)


def _power(spectrum: NDArray[np.complex128]) -> Floats:
    power: Floats = spectrum.real**2 + spectrum.imag**2
    return power


def _spectrum(box: Floats, half: list[int]) -> NDArray[np.complex128]:
    """Transform one axis after the other, so that the zeros beyond the box are not transformed before they must."""
    spectrum: NDArray[np.complex128] = fft.rfft(box, 2 * half[2], axis=2)
    spectrum = fft.fft(spectrum, 2 * half[1], axis=1)
    transformed: NDArray[np.complex128] = fft.fft(spectrum, 2 * half[0], axis=0)
    return transformed


def _kernel_spectrum(half: list[int], spacing_kji_mm: tuple[float, float, float]) -> Floats:
    """Real spectrum of 1/distance, zero at the origin, on the half grid of `rfft`; conjugate half counted twice."""
    k, j, i = (np.arange(size + 1) * spacing for size, spacing in zip(half, spacing_kji_mm, strict=True))
    distance = np.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2)
    distance[0, 0, 0] = np.inf
    octant: Floats = fft.dctn(1.0 / distance, type=1)
    octant[:, :, 1:-1] *= 2.0
    full = np.concatenate([octant, octant[:, -2:0:-1]], axis=1)
    return np.concatenate([full, full[-2:0:-1]], axis=0)
