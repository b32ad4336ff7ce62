"""Shapes whose volume, surface and axes are known, and sums over all pairs by brute force."""

import numpy as np
import pytest
from scipy.special import eval_legendre

from npcpit_imaging.config.radiomics import Resampling, Resegmentation
from npcpit_imaging.radiomics.ellipsoid import area_mm2, enclosing_semi_axes_mm
from npcpit_imaging.radiomics.local_intensity import local_intensity
from npcpit_imaging.radiomics.mesh import longest_distance_mm, smallest_box_mm, surface
from npcpit_imaging.radiomics.morphology import morphology
from npcpit_imaging.radiomics.region import prepare
from npcpit_imaging.radiomics.spatial import moran_geary


def region_of(make, values, inside, spacing_mm=(1.0, 1.0, 1.0)):
    volume, mask = make(values, inside, spacing_mm)
    return prepare(volume, mask, resampling=Resampling(), resegmentation=Resegmentation(), margin_mm=10.0)


@pytest.fixture(scope="module")
def ellipsoid():
    """Semi-axes 24, 18, 12 mm along i, j, k on a 1 x 1 x 2 mm grid."""
    k, j, i = np.indices((20, 45, 57))
    return ((k - 9.5) * 2 / 12) ** 2 + ((j - 22) / 18) ** 2 + ((i - 28) / 24) ** 2 <= 1


def test_an_ellipsoid_has_its_own_volume_axes_and_surface(make, ellipsoid):
    found = morphology(region_of(make, ellipsoid.astype(float), ellipsoid, (1.0, 1.0, 2.0)))
    volume = 4 / 3 * np.pi * 24 * 18 * 12
    assert found["morph_volume"] == pytest.approx(volume, rel=0.01)
    assert found["morph_vol_approx"] == pytest.approx(volume, rel=0.01)
    assert found["morph_diam"] == pytest.approx(48.0, abs=1.0)
    # The 4 sqrt(eigenvalue) of a solid ellipsoid is 4 / sqrt(5) of its semi-axis.
    for name, semi in (("maj", 24.0), ("min", 18.0), ("least", 12.0)):
        assert found[f"morph_pca_{name}_axis"] == pytest.approx(4 / np.sqrt(5) * semi, rel=0.01)
    assert found["morph_pca_elongation"] == pytest.approx(18 / 24, rel=0.01)
    assert found["morph_pca_flatness"] == pytest.approx(12 / 24, rel=0.01)
    # The corners of 2 mm voxels stick out of the 12 mm semi-axis: hull, ellipsoid and box around them are larger.
    assert 0.85 < found["morph_vol_dens_mvee"] < 1.0
    assert 0.9 < found["morph_vol_dens_conv_hull"] < 1.0
    assert found["morph_vol_dens_aabb"] == pytest.approx(np.pi / 6, rel=0.06)
    assert found["morph_com"] == pytest.approx(0.0, abs=1e-9)


def test_a_box_turned_by_30_degrees_fills_its_own_box_and_not_the_grid_s(make):
    k, j, i = np.indices((12, 50, 50))
    x, y = (i - 24.5), (j - 24.5)
    along, across = np.cos(np.pi / 6) * x + np.sin(np.pi / 6) * y, -np.sin(np.pi / 6) * x + np.cos(np.pi / 6) * y
    inside = (np.abs(along) <= 20) & (np.abs(across) <= 8) & (k >= 2) & (k < 10)
    mesh = surface(inside, (1.0, 1.0, 1.0))
    assert sorted(smallest_box_mm(mesh, np.eye(3))) == pytest.approx([8.0, 17.0, 41.0], abs=0.7)
    assert np.prod(np.ptp(mesh.vertices_mm, axis=0)) > 1.5 * np.prod(smallest_box_mm(mesh, np.eye(3)))


def test_the_surface_of_a_closed_mesh_encloses_it(ellipsoid):
    """By the divergence theorem the volume does not depend on where the origin lies."""
    mesh = surface(ellipsoid, (1.0, 1.0, 1.0))
    moved = type(mesh)(vertices_mm=mesh.vertices_mm + 1000.0, faces=mesh.faces)
    assert moved.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=1e-6)


def test_the_longest_distance_is_that_of_every_pair():
    points = np.random.default_rng(2).normal(size=(1500, 3))
    brute = max(float(np.linalg.norm(points - point, axis=1).max()) for point in points)
    assert longest_distance_mm(points) == pytest.approx(brute)


@pytest.mark.parametrize("semi_axes", [(3.0, 2.0, 1.0), (1.0, 1.2, 1.1), (5.0, 4.99, 0.5)])
def test_an_ellipsoid_s_area_is_ibsi_s_legendre_series(semi_axes):
    """IBSI 1, 3.1.23, term by term."""
    a, b, c = sorted(semi_axes, reverse=True)
    alpha, beta = np.sqrt(1 - (b / a) ** 2), np.sqrt(1 - (c / a) ** 2)
    x = (alpha**2 + beta**2) / (2 * alpha * beta)
    terms = [(alpha * beta) ** n / (1 - 4 * n**2) * eval_legendre(n, x) for n in range(21)]
    assert area_mm2(np.array(semi_axes)) == pytest.approx(4 * np.pi * a * b * sum(terms))


def test_a_sphere_s_area_is_exact_and_two_equal_axes_do_not_divide_by_zero():
    assert area_mm2(np.array([2.0, 2.0, 2.0])) == pytest.approx(16 * np.pi)
    near, equal = area_mm2(np.array([2.0, 2.0 - 1e-9, 1.0])), area_mm2(np.array([2.0, 2.0, 1.0]))
    assert equal == pytest.approx(near)


def test_the_smallest_ellipsoid_around_an_ellipsoid_s_surface_is_itself():
    random = np.random.default_rng(5).normal(size=(400, 3))
    points = random / np.linalg.norm(random, axis=1, keepdims=True) * (5.0, 3.0, 2.0)
    assert sorted(enclosing_semi_axes_mm(points)) == pytest.approx([2.0, 3.0, 5.0], rel=0.02)


def test_moran_and_geary_are_the_sums_over_every_pair():
    random = np.random.default_rng(11)
    values = random.normal(50.0, 10.0, (6, 5, 7)) + 5.0 * np.arange(7)
    mask = random.random((6, 5, 7)) < 0.6
    spacing = (2.0, 1.0, 0.5)
    places, x = np.argwhere(mask) * spacing, values[mask]
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    weight = np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
    deviation, n = x - x.mean(), x.size
    moran = n * (deviation @ weight @ deviation) / (weight.sum() * np.sum(deviation**2))
    pairs = np.sum(weight * (x[:, None] - x) ** 2)
    geary = (n - 1) * pairs / (2 * weight.sum() * np.sum(deviation**2))
    assert moran_geary(values, mask, spacing) == pytest.approx((moran, geary), abs=1e-6)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 3.0, 4.0), (5.0, 7.0, 9.0)])
def test_peaks_are_the_means_of_voxel_centres_within_6_2_mm(make, noise, ball, spacing):
    found = local_intensity(region_of(make, noise, ball, spacing))
    places = np.argwhere(np.ones(noise.shape)) * spacing[::-1]
    flat = noise.astype(np.float32).astype(float).ravel()
    radius = (3 / (4 * np.pi)) ** (1 / 3) * 10
    means = {
        index: flat[np.linalg.norm(places - places[index], axis=1) <= radius].mean()
        for index in np.flatnonzero(ball.ravel())
    }
    brightest = max(means, key=lambda index: flat[index])
    assert found["loc_peak_loc"] == pytest.approx(means[brightest])
    assert found["loc_peak_glob"] == pytest.approx(max(means.values()))


def test_a_peak_at_the_image_edge_averages_what_is_there(make):
    values = np.zeros((6, 6, 6))
    values[0, 0, 0] = 100.0
    inside = np.zeros((6, 6, 6))
    inside[:2, :2, :2] = 1
    found = local_intensity(region_of(make, values, inside, (6.0, 6.0, 6.0)))
    # The corner has 3 of its 6 face neighbours in the image: 100 / 4.
    assert found["loc_peak_loc"] == 25.0
