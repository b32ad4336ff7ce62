"""Image formation: a head on a scanner's grid with partial volume, blur, texture, bias field and noise.

All arithmetic is double precision: a last-digit difference between two processors then moves no stored integer (chance
about 1e-11 a voxel). RandomState is used because numpy guarantees its stream for ever (NEP 19), unlike Generator's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from anatomy import head
from lesions import Ellipsoid
from scipy import ndimage
from shapes import Array
from strokes import Stroke
from tissue import TISSUES, Tissue, channel

TEXTURE_STEP_MM = 1.5
"""Grid step of the texture volumes."""

WARP_MM = 3.0
"""Largest displacement of the smooth warp that makes the head less than perfect."""

SLAB_PLANES = 4
"""Slices rendered at a time: small arrays stay in the processor's cache."""

FINE = 4
"""Sub-samples along each axis at the border of a lesion."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where a scanner's voxels lie.

    Args:
        shape_kji: Slices, rows, columns.
        affine: 4x4 from (i, j, k, 1) to the scanner's LPS mm.
    """

    shape_kji: tuple[int, int, int]
    affine: Array

    @property
    def spacing_mm(self) -> Array:
        """Distance between voxel centres along i, j, k."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    def planes(self, start: int, stop: int) -> "Grid":
        """Return some slices of the grid."""
        affine = self.affine.copy()
        affine[:3, 3] += start * affine[:3, 2]
        return Grid(shape_kji=(stop - start, *self.shape_kji[1:]), affine=affine)

    def refined(self, fine_ijk: tuple[int, int, int]) -> "Grid":
        """Return the grid with every voxel cut into fine_i x fine_j x fine_k."""
        cut = np.array(fine_ijk, float)
        shift = np.eye(4)
        shift[:3, :3] = np.diag(1.0 / cut)
        shift[:3, 3] = (1.0 / cut - 1.0) / 2.0
        k, j, i = self.shape_kji
        return Grid(shape_kji=(k * fine_ijk[2], j * fine_ijk[1], i * fine_ijk[0]), affine=self.affine @ shift)


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A lesion to paint: its ellipsoid in the anatomical frame and its tissue."""

    ellipsoid: Ellipsoid
    tissue: Tissue


class Canvas:
    """A grid of anatomical positions and the value painted at each."""

    def __init__(self, grid: Grid, motion: Array, kind: str) -> None:
        """Lay the grid over the anatomy; `motion` is the 4x4 from the anatomical frame to the scanner's."""
        self.kind = kind
        self.shape = grid.shape_kji
        self.to_index = np.linalg.inv(grid.affine) @ motion
        self.to_anatomy = np.linalg.inv(self.to_index)
        self.edge_mm = float(grid.spacing_mm[0])
        self.straight = self._positions(tuple(slice(0, n) for n in self.shape))
        self.bent = _warp(*self.straight)
        self._views: dict[tuple[tuple[int, int], ...], tuple[Array, ...]] = {}
        self.values = np.full(self.shape, float(channel(TISSUES["air"], kind)[0]))
        self.grain = np.zeros(self.shape)

    def _positions(self, box: tuple[slice, ...]) -> tuple[Array, Array, Array]:
        k, j, i = (np.arange(part.start, part.stop, dtype=float) for part in box)
        k, j, i = k[:, None, None], j[None, :, None], i[None, None, :]
        m = self.to_anatomy
        return tuple(m[a, 0] * i + m[a, 1] * j + m[a, 2] * k + m[a, 3] for a in range(3))  # type: ignore[return-value]

    def box(self, low: Sequence[float], high: Sequence[float], margin_mm: float) -> tuple[slice, ...]:
        """Return the index box (k, j, i) that holds an anatomical box with a margin."""
        edges = np.stack([np.array(low) - margin_mm, np.array(high) + margin_mm])
        corners = np.array(
            [[edges[a, 0], edges[b, 1], edges[c, 2], 1.0] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        )
        index = (corners @ self.to_index.T)[:, 2::-1]
        first = np.clip(np.floor(index.min(0)), 0, self.shape).astype(int)
        last = np.clip(np.ceil(index.max(0)) + 1, 0, self.shape).astype(int)
        return tuple(slice(int(a), int(max(a, b))) for a, b in zip(first, last, strict=True))

    def paint(self, stroke: Stroke) -> None:
        """Paint one stroke, its border softened over one pixel."""
        box = self.box(stroke.shape.low, stroke.shape.high, WARP_MM + self.edge_mm)
        if any(part.start >= part.stop for part in box):
            return
        xyz = self._bent_in(box)
        cover = stroke.cover * np.clip(0.5 - stroke.shape.distance(*xyz) / self.edge_mm, 0.0, 1.0)
        if stroke.pattern:
            cover = cover * np.clip(3.0 * pattern(stroke.pattern, *xyz), 0.0, 1.0)
        self._blend(box, cover, TISSUES[stroke.tissue])

    def grow(self, growth: Growth) -> None:
        """Paint one lesion exactly: the share of each voxel that lies inside."""
        body = growth.ellipsoid
        box = self.box(body.center - body.reach, body.center + body.reach, 2.0 * self.edge_mm)
        self._blend(box, self._share(body, box), growth.tissue)

    def _bent_in(self, box: tuple[slice, ...]) -> tuple[Array, ...]:
        key = tuple((part.start, part.stop) for part in box)
        if key not in self._views:  # the same arrays again, so that remembered() shapes know them
            self._views[key] = tuple(component[box] for component in self.bent)
        return self._views[key]

    def _share(self, body: Ellipsoid, box: tuple[slice, ...]) -> Array:
        steps = (np.arange(FINE) + 0.5) / FINE - 0.5
        share = np.zeros(tuple(part.stop - part.start for part in box))
        center = [component - body.center[a] for a, component in enumerate(self._positions(box))]
        for step in np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3):
            shift = self.to_anatomy[:3, :3] @ step
            p = [center[a] + shift[a] for a in range(3)]
            form = sum(body.form[a, b] * p[a] * p[b] for a in range(3) for b in range(3))
            share += form <= 1.0
        return share / FINE**3

    def _blend(self, box: tuple[slice, ...], cover: Array, tissue: Tissue) -> None:
        value, grain = channel(tissue, self.kind)
        self.values[box] += cover * (value - self.values[box])
        self.grain[box] += cover * (grain - self.grain[box])


def _warp(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    bent_x = x + 1.1 * np.sin(0.043 * y + 0.031 * z + 0.4) + 0.5 * np.sin(0.11 * z + 0.07 * x + 1.0)
    bent_y = y + 0.9 * np.sin(0.039 * x + 0.045 * z + 2.1) + 0.5 * np.sin(0.09 * x + 0.12 * y)
    bent_z = z + 1.0 * np.sin(0.041 * x - 0.033 * y + 0.9) + 0.5 * np.sin(0.10 * y + 0.08 * x + 3.0)
    return bent_x, bent_y, bent_z


@cache
def _noise_block(name: str, smooth_mm: float) -> Array:
    seed = sum(ord(letter) * 31**n for n, letter in enumerate(name)) % 2**31
    block = np.random.RandomState(seed).standard_normal((64, 64, 64))
    block = ndimage.gaussian_filter(block, smooth_mm / TEXTURE_STEP_MM, mode="wrap")
    return (block - block.mean()) / block.std()


def texture(name: str, smooth_mm: float, x: Array, y: Array, z: Array) -> Array:
    """Return a smooth random field of unit variance, fixed to the anatomy."""
    where = np.stack([x, y, z]) / TEXTURE_STEP_MM
    return ndimage.map_coordinates(_noise_block(name, smooth_mm), where, order=1, mode="grid-wrap")


def pattern(name: str, x: Array, y: Array, z: Array) -> Array:
    """Return a field whose positive part is painted: walls of cells, fissures of the brain, strands in fat."""
    if name == "cells":
        return texture("cells", 1.6, x, y, z) + 0.25
    if name == "septa":
        return 0.32 - np.minimum(
            np.abs(np.sin(0.42 * y + 0.5 * np.sin(0.3 * x))), np.abs(np.sin(0.5 * x + 0.12 * z)) + 0.1
        )
    if name == "gyri":
        return texture("gyri", 3.2, x, y, z) + 0.6
    if name == "sulci":
        return 2.5 * (0.13 - np.abs(texture("sulci", 3.8, x, y, z)))
    if name == "folia":
        return np.sin(1.5 * np.sqrt((y - 36.0) ** 2 + 0.6 * x**2 + 0.7 * (z - 34.0) ** 2)) - 0.5
    return 0.10 - np.abs(texture("web", 3.0, x, y, z / 1.6))


def noiseless(grid: Grid, motion: Array, kind: str, growths: Sequence[Growth], fine_ijk: tuple[int, int, int]) -> Array:
    """Render a head without noise.

    Args:
        grid: The scanner's voxels.
        motion: 4x4 from the anatomical frame to the scanner's.
        kind: What to render, see :func:`tissue.channel`.
        growths: Lesions, painted last.
        fine_ijk: How many samples each voxel averages along i, j, k.

    Returns:
        `(K, J, I)` float64 in HU, signal relative to water, or SUV.
    """
    i, j, k = fine_ijk
    parts = []
    for start in range(0, grid.shape_kji[0], SLAB_PLANES):
        part = grid.planes(start, min(start + SLAB_PLANES, grid.shape_kji[0]))
        values = _slab(part.refined(fine_ijk), motion, kind, growths)
        planes, rows, columns = part.shape_kji
        parts.append(values.reshape(planes, k, rows, j, columns, i).mean(axis=(1, 3, 5)))
    return np.concatenate(parts)


def _slab(grid: Grid, motion: Array, kind: str, growths: Sequence[Growth]) -> Array:
    canvas = Canvas(grid, motion, kind)
    for stroke in head():
        canvas.paint(stroke)
    for growth in growths:
        canvas.grow(growth)
    return canvas.values + canvas.grain * texture("grain", 1.8, *canvas.straight)


def add_table(image: Array, grid: Grid) -> Array:
    """Return a CT with the head rest behind the patient; it belongs to the scanner and does not move with the head."""
    k, j, i = grid.shape_kji
    x = grid.affine[0, 0] * np.arange(i)[None, :] + grid.affine[0, 3]
    y = grid.affine[1, 1] * np.arange(j)[:, None] + grid.affine[1, 3]
    radius = np.hypot(x, (y - 14.0)) - 113.0
    rest = np.broadcast_to(y > 52.0 + 0.0 * x, (j, i))
    layers = [("foam", np.abs(radius) - 6.0), ("board", np.abs(radius - 7.0) - 1.3)]
    table = np.full((j, i), -1000.0)
    for name, distance in layers:
        cover = np.clip(0.5 - distance / grid.spacing_mm[0], 0, 1) * rest
        table += cover * (TISSUES[name].hu - table)
    return np.where(image < -990.0, np.maximum(image, table[None]), image) if k else image


def ct_noise(shape_kji: tuple[int, ...], sigma_hu: float, rng: np.random.RandomState) -> Array:
    """Return noise in HU that is correlated in plane, as a soft kernel leaves it."""
    white = rng.standard_normal(shape_kji)
    fine = ndimage.gaussian_filter(white, (0.25, 0.75, 0.75))
    grained = fine - 0.55 * ndimage.gaussian_filter(white, (0.25, 1.8, 1.8))
    return sigma_hu * grained / grained.std()


def ct_image(image: Array, noise: Array) -> Array:
    """Return CT numbers `(K, J, I)`: the kernel's blur in plane, and noise that is far less in the air around."""
    blurred = ndimage.gaussian_filter(image, (0, 0.45, 0.45))
    inside = ndimage.gaussian_filter((blurred > -300).astype(float), (0, 6, 6))
    return np.clip(np.round(blurred + noise * (0.10 + 0.90 * inside)), -1024, 3071)


def mr_disturbance(shape_kji: tuple[int, ...], noise: float, rng: np.random.RandomState) -> Array:
    """Return coil shading, real and imaginary noise as `(3, K, J, I)`; `noise` is relative to full signal."""
    shading = _coil_shading(shape_kji, rng)
    return np.stack([shading, *(noise * rng.standard_normal(shape_kji) for _ in range(2))])


def mr_image(image: Array, disturbance: Array) -> Array:
    """Return a magnitude image `(K, J, I)`: blurred in plane, shaded by the coil, with Rician noise."""
    shading, real, imaginary = disturbance
    return np.hypot(ndimage.gaussian_filter(image, (0, 0.45, 0.45)) * shading + real, imaginary)


def _coil_shading(shape: tuple[int, ...], rng: np.random.RandomState) -> Array:
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    a, b, c, d = rng.uniform(-0.12, 0.12, 4)
    return 1.0 + a * i + b * j + c * k + d * i * j + 0.16 * (i**2 + j**2) - 0.14 * k**2


def pet_image(
    image: Array, grid: Grid, fine: int, *, psf_fwhm_mm: float, noise: float, rng: np.random.RandomState
) -> Array:
    """Return an SUV image: finely rendered uptake blurred by the scanner, binned, with noise that grows with uptake."""
    spacing = grid.spacing_mm[::-1] / np.array([1, fine, fine])
    blurred = ndimage.gaussian_filter(image, psf_fwhm_mm / 2.3548 / spacing)
    k, j, i = grid.shape_kji
    binned = blurred.reshape(k, j, fine, i, fine).mean(axis=(2, 4))
    white = ndimage.gaussian_filter(rng.standard_normal(binned.shape), 4.0 / 2.3548 / grid.spacing_mm[::-1])
    return np.maximum(binned + noise * np.sqrt(np.maximum(binned, 0.02)) * white / white.std(), 0.0)
