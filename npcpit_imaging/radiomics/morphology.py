"""Morphology (IBSI 1, 3.1): a region's shape and, for three features, how its intensities lie in it."""

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.radiomics import ellipsoid
from npcpit_imaging.radiomics.feature import Values
from npcpit_imaging.radiomics.intensity_statistics import ROUNDING, ratio
from npcpit_imaging.radiomics.mesh import Mesh, longest_distance_mm, smallest_box_mm, surface
from npcpit_imaging.radiomics.region import Region
from npcpit_imaging.radiomics.spatial import moran_geary

Floats = NDArray[np.float64]


def morphology(region: Region) -> Values:
    """Return the 29 features of a region with at least one voxel in both of its masks."""
    shape = region.morphological[region.box]
    mesh = surface(shape, region.spacing_kji_mm)
    eigenvalues, axes = _principal(_positions_mm(shape, region.spacing_kji_mm))
    values = {
        **_surface(mesh, float(np.count_nonzero(shape)) * region.voxel_mm3),
        "com": _centre_shift(region),
        "diam": longest_distance_mm(mesh.hull_points_mm),
        **_lengths(eigenvalues),
        **_densities(mesh, eigenvalues, axes),
        "integ_int": float(region.values.mean()) * mesh.volume_mm3,
        **_autocorrelation(region),
    }
    return {f"morph_{name}": value for name, value in values.items()}


def _surface(mesh: Mesh, voxel_volume_mm3: float) -> Values:
    volume, area = mesh.volume_mm3, mesh.area_mm2
    sphericity = (36.0 * np.pi * volume**2) ** (1.0 / 3.0) / area
    return {
        "volume": volume,
        "vol_approx": voxel_volume_mm3,
        "area_mesh": area,
        "av": area / volume,
        "comp_1": float(volume / (np.sqrt(np.pi) * area**1.5)),
        "comp_2": float(36.0 * np.pi * volume**2 / area**3),
        "sph_dispr": float(1.0 / sphericity),
        "sphericity": float(sphericity),
        "asphericity": float((area**3 / (36.0 * np.pi * volume**2)) ** (1.0 / 3.0) - 1.0),
    }


def _positions_mm(mask: NDArray[np.bool_], spacing_kji_mm: tuple[float, float, float]) -> Floats:
    positions: Floats = np.argwhere(mask) * np.array(spacing_kji_mm)
    return positions


def _centre_shift(region: Region) -> float:
    inside = region.intensity[region.box]
    weights = region.intensities[region.box][inside]
    total = float(weights.sum())
    if abs(total) <= ROUNDING * float(np.abs(weights).sum()):
        return float("nan")
    centre = _positions_mm(region.morphological[region.box], region.spacing_kji_mm).mean(axis=0)
    weighted = weights @ _positions_mm(inside, region.spacing_kji_mm) / total
    return float(np.linalg.norm(centre - weighted))


def _principal(positions_mm: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues `(3,)`, largest first, and eigenvectors `(3, 3)` as rows, of the voxel centres' covariance."""
    centred = positions_mm - positions_mm.mean(axis=0)
    # The reference values of the digital phantom are those of the unbiased covariance (N - 1).
    values, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(positions_mm) - 1))
    return np.clip(values[::-1], 0.0, None), vectors.T[::-1]


def _lengths(eigenvalues: Floats) -> Values:
    major, minor, least = (float(value) for value in 4.0 * np.sqrt(eigenvalues))
    return {
        "pca_maj_axis": major,
        "pca_min_axis": minor,
        "pca_least_axis": least,
        "pca_elongation": ratio(minor, major),
        "pca_flatness": ratio(least, major),
    }


def _densities(mesh: Mesh, eigenvalues: Floats, axes: Floats) -> Values:
    around = {
        "aabb": _box(np.ptp(mesh.vertices_mm, axis=0)),
        "ombb": _box(smallest_box_mm(mesh, axes)),
        "aee": _ellipsoid(2.0 * np.sqrt(eigenvalues)),
        "mvee": _ellipsoid(ellipsoid.enclosing_semi_axes_mm(mesh.hull_points_mm)),
        "conv_hull": (float(mesh.hull.volume), float(mesh.hull.area)),
    }
    densities: Values = {}
    for name, (volume, area) in around.items():
        densities[f"vol_dens_{name}"] = ratio(mesh.volume_mm3, volume)
        densities[f"area_dens_{name}"] = ratio(mesh.area_mm2, area)
    return densities


def _box(sides_mm: Floats) -> tuple[float, float]:
    a, b, c = (float(side) for side in sides_mm)
    return a * b * c, 2.0 * (a * b + b * c + a * c)


def _ellipsoid(semi_axes_mm: Floats) -> tuple[float, float]:
    return float(4.0 / 3.0 * np.pi * np.prod(semi_axes_mm)), ellipsoid.area_mm2(semi_axes_mm)


def _autocorrelation(region: Region) -> Values:
    moran, geary = moran_geary(region.intensities[region.box], region.intensity[region.box], region.spacing_kji_mm)
    return {"moran_i": moran, "geary_c": geary}
