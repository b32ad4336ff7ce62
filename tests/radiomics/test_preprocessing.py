"""Grids, masks and grey levels, worked by hand."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Discretisation, Interpolator, Resampling, Resegmentation
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.discretise import discretise
from npcpit_imaging.radiomics.grid import centred_axis, covering, interpolate
from npcpit_imaging.radiomics.region import prepare


def axes_for(shape, spacing_kji, new_mm):
    return tuple(centred_axis(size, spacing, new_mm) for size, spacing in zip(shape, spacing_kji, strict=True))


def test_the_new_grid_shares_its_centre_with_the_old_one():
    """IBSI 1, figure 2.5: 5 voxels of 1 mm become 3 of 2 mm that reach half a voxel beyond on either side."""
    axis = centred_axis(5, 1.0, 2.0)
    assert axis.positions.tolist() == [0.0, 2.0, 4.0]
    assert centred_axis(4, 3.0, 2.0).positions.tolist() == pytest.approx([-1 / 6, 0.5, 7 / 6, 11 / 6, 2.5, 19 / 6])


def test_a_float32_spacing_does_not_add_a_voxel():
    assert len(centred_axis(60, float(np.float32(3.0000002)), 2.0).positions) == 90


def test_the_same_spacing_keeps_every_voxel():
    axis = centred_axis(7, 0.9765625, 0.9765625)
    assert axis.is_identity
    assert len(axis.positions) == 7


@pytest.mark.parametrize("interpolator", list(Interpolator))
def test_a_linear_ramp_is_interpolated_exactly_away_from_the_edges(interpolator):
    k, j, i = np.indices((20, 22, 24)).astype(float)
    ramp = 3.0 * k - 2.0 * j + 0.5 * i
    axes = tuple(covering(axis, 8.0, 12.0) for axis in axes_for(ramp.shape, (3.0, 1.0, 1.5), 2.0))
    found = interpolate(ramp, axes, interpolator)
    k, j, i = np.meshgrid(*(axis.positions for axis in axes), indexing="ij")
    # A cubic spline bends at the mirrored edge; its influence falls by 3.7 a voxel, and the edge is 7 away.
    np.testing.assert_allclose(found, 3.0 * k - 2.0 * j + 0.5 * i, atol=1e-9 if interpolator == "linear" else 2e-3)


def test_a_cropped_part_has_the_same_values_as_the_whole():
    values = np.random.default_rng(3).normal(size=(60, 62, 64))
    axes = axes_for(values.shape, (1.0, 1.0, 1.0), 0.7)
    whole = interpolate(values, axes, Interpolator.CUBIC)
    part_axes = tuple(covering(axis, 25.0, 30.0) for axis in axes)
    part = interpolate(values, part_axes, Interpolator.CUBIC)
    first = [
        int(np.searchsorted(axis.positions, part.positions[0])) for axis, part in zip(axes, part_axes, strict=True)
    ]
    block = tuple(slice(start, start + size) for start, size in zip(first, part.shape, strict=True))
    np.testing.assert_allclose(part, whole[block], atol=1e-8)


def test_a_mask_voxel_is_kept_from_one_half_on(make):
    """Two voxels of a row of four at 1 mm, resampled to 2 mm: each new voxel is half inside."""
    inside = np.zeros((1, 1, 4))
    inside[0, 0, 1:3] = 1
    volume, mask = make(np.arange(4.0).reshape(1, 1, 4), inside, (1.0, 2.0, 2.0))
    region = prepare(
        volume, mask, resampling=Resampling(spacing_mm=2.0), resegmentation=Resegmentation(), margin_mm=5.0
    )
    assert region.morphological.ravel().tolist() == [True, True]
    assert region.values.tolist() == [0.5, 2.5]


def test_resegmentation_touches_the_intensity_mask_and_not_the_shape(make):
    values = np.array([-100.0, 0.0, 10.0, 20.0, 900.0]).reshape(1, 1, 5)
    volume, mask = make(values, np.ones((1, 1, 5)))
    region = prepare(
        volume, mask, resampling=Resampling(), resegmentation=Resegmentation(lower=0.0, upper=20.0), margin_mm=0.0
    )
    assert region.values.tolist() == [0.0, 10.0, 20.0]
    assert region.morphological.sum() == 5


def test_an_outlier_beyond_its_standard_deviations_is_left_out(make):
    """99 zeros and one 100: mean 1, standard deviation sqrt(99) = 9.95; 100 lies 9.95 of them away."""
    values = np.zeros(100)
    values[3] = 100.0
    volume, mask = make(values.reshape(4, 5, 5), np.ones((4, 5, 5)))
    for reach, left in ((9.9, 99), (10.0, 100)):
        region = prepare(
            volume, mask, resampling=Resampling(), resegmentation=Resegmentation(outlier_sd=reach), margin_mm=0.0
        )
        assert region.intensity.sum() == left


def test_fixed_bins_begin_at_the_resegmentation_bound():
    how = Discretisation(method="fixed_bin_size", bin_width=25.0)
    values = np.array([-1000.0, -975.0001, -975.0, 0.0, 399.0])
    assert discretise(values, how, lower=-1000.0).levels.tolist() == [1, 1, 2, 41, 56]
    assert discretise(values[2:], how).levels.tolist() == [1, 40, 55]


def test_a_fixed_number_of_bins_puts_the_maximum_in_the_last_one():
    how = Discretisation(method="fixed_bin_number", bin_count=4)
    found = discretise(np.array([0.0, 0.999, 1.0, 2.0, 3.0, 4.0]), how)
    assert found.levels.tolist() == [1, 1, 2, 3, 4, 4]
    assert (found.count, found.width) == (4, 1.0)


def test_equalised_bins_hold_the_same_number_of_voxels():
    how = Discretisation(method="equalised", bin_count=5)
    values = np.random.default_rng(0).exponential(size=1000)
    assert np.bincount(discretise(values, how).levels)[1:].tolist() == [200] * 5


def test_equal_intensities_share_a_level_when_equalised():
    how = Discretisation(method="equalised", bin_count=4)
    assert discretise(np.array([1.0, 1.0, 1.0, 2.0]), how).levels.tolist() == [1, 1, 1, 4]


def test_fractions_are_no_grey_levels():
    with pytest.raises(RadiomicsError, match=r"whole-number intensities from 1, found 0.5 to 2"):
        discretise(np.array([0.5, 2.0]), Discretisation(method="none"))
