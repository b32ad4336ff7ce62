"""Ellipsoids around a region: surface area by Legendre series, smallest enclosing one (IBSI 1, 3.1.22 to 3.1.25)."""

import numpy as np
from numpy.typing import NDArray

SERIES_TERMS = 20
"""IBSI's number of terms of the Legendre series."""

ENCLOSING_TOLERANCE = 1e-3
"""How far, in relation, a point may lie outside the ellipsoid when the search stops."""

MAX_STEPS = 5000
"""Steps after which the search for the enclosing ellipsoid stops in any case."""

Floats = NDArray[np.float64]


def area_mm2(semi_axes_mm: Floats) -> float:
    """Return IBSI's surface area of an ellipsoid; NaN where an axis is zero.

    IBSI defines alpha and beta as the eccentricities of the two shorter axes to the longest one, and its reference
    values follow from that. The true area needs those of the shortest axis to the two longer ones; IBSI's is exact for
    a sphere and off by 10 to 12 % at axes of 3:2 or 4:3. Comparability is why IBSI's is kept.

    The series is summed as (alpha beta)^n P_n, so that it also holds where two axes are equal.

    Args:
        semi_axes_mm: `(3,)` in any order.

    Example:
        >>> round(area_mm2(np.array([1.0, 1.0, 1.0])) / np.pi, 6)
        4.0
    """
    c, b, a = np.sort(semi_axes_mm)
    if c <= 0:
        return float("nan")
    alpha2, beta2 = 1.0 - (b / a) ** 2, 1.0 - (c / a) ** 2
    half_sum, product2 = (alpha2 + beta2) / 2.0, alpha2 * beta2
    previous, term, total = 0.0, 1.0, 0.0
    for n in range(SERIES_TERMS + 1):
        total += term / (1.0 - 4.0 * n**2)
        previous, term = term, ((2 * n + 1) * half_sum * term - n * product2 * previous) / (n + 1)
    return float(4.0 * np.pi * a * b * total)


def enclosing_semi_axes_mm(points_mm: Floats) -> Floats:
    """Return the semi-axes `(3,)` of the smallest ellipsoid around `(N, 3)` points that do not lie in a plane.

    Khachiyan's algorithm with away steps (Todd and Yildirim 2007).
    """
    centred = points_mm - points_mm.mean(axis=0)
    scale = np.abs(centred).max()
    lifted = np.column_stack([centred / scale, np.ones(len(points_mm))])
    weights = np.full(len(points_mm), 1.0 / len(points_mm))
    for _ in range(MAX_STEPS):
        moment = lifted.T @ (lifted * weights[:, None])
        distance = np.einsum("ij,ij->i", lifted @ np.linalg.inv(moment), lifted)
        step, at, done = _step(distance, weights)
        if done:
            break
        weights *= 1.0 - step
        weights[at] += step
    mean = weights @ lifted[:, :3]
    spread = (lifted[:, :3] * weights[:, None]).T @ lifted[:, :3] - np.outer(mean, mean)
    # The largest remaining distance stretches the ellipsoid so that it holds every point.
    stretch = np.sqrt(max(1.0, (distance.max() - 1.0) / 3.0))
    return np.asarray(scale * stretch * np.sqrt(3.0 * np.linalg.eigvalsh(spread)))


def _step(distance: Floats, weights: Floats) -> tuple[float, int, bool]:
    dimension = 4.0
    far = int(np.argmax(distance))
    near = int(np.argmin(np.where(weights > 0, distance, np.inf)))
    excess, deficit = distance[far] / dimension - 1.0, 1.0 - distance[near] / dimension
    if max(excess, deficit) <= ENCLOSING_TOLERANCE:
        return 0.0, far, True
    at = far if excess >= deficit else near
    step = (distance[at] - dimension) / (dimension * (distance[at] - 1.0))
    if at == near:
        step = max(step, -weights[at] / (1.0 - weights[at]))
    return float(step), at, False
