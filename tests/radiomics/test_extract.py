"""Extraction: a value or a reason for every feature, whatever the region."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Family, RadiomicsSettings
from npcpit_imaging.errors import GeometryError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import Status
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.volume import Unit

ALL_TAGS = 487
"""Features of the IBSI digital phantom: three dimensions, merged and averaged."""


def check_rows(table, count=ALL_TAGS):
    """Every row has a finite value or a reason, never both and never neither."""
    assert len(table) == count
    for feature in table:
        if feature.status is Status.COMPUTED:
            assert np.isfinite(feature.value)
            assert not feature.reason
        else:
            assert feature.value is None
            assert feature.reason


def test_an_ordinary_region_has_every_feature_and_its_provenance(make, noise, ball, settings):
    volume, mask = make(noise, ball, (0.5, 0.5, 2.0))
    table = extract(volume, mask, settings)
    check_rows(table)
    assert {feature.status for feature in table} == {Status.COMPUTED}
    source = table.provenance
    assert (source.image_digest, source.mask_digest, source.settings_digest) == (
        volume.digest,
        mask.digest,
        settings.digest,
    )
    assert source.morphological_voxels == source.intensity_voxels == ball.sum()
    assert source.spacing_before_mm == source.spacing_after_mm == (0.5, 0.5, 2.0)
    assert source.grey_levels == 32
    assert table["stat_mean"].value == pytest.approx(volume.voxels[ball].mean(dtype=float))
    assert (table["stat_mean"].unit, table["stat_var"].unit, table["ih_mean"].unit) == ("HU", "HU2", "1")
    assert table["morph_integ_int"].unit == "HU.mm3"
    assert table["cm_joint_max_3D_avg"].code == "GYBY"
    assert table["cm_joint_max_3D_avg"].pyradiomics == "glcm_MaximumProbability"
    assert table["cm_joint_max_3D_comb"].pyradiomics == ""


def test_rows_and_tables_cannot_be_changed(make, noise, ball, settings):
    table = extract(*make(noise, ball), settings)
    with pytest.raises(FrozenInstanceError):
        table.features[0].value = 1.0


def test_an_empty_mask_is_487_reasons(make, noise, settings):
    table = extract(*make(noise, np.zeros(noise.shape)), settings)
    check_rows(table)
    assert {feature.status for feature in table} == {Status.REFUSED}
    assert "expected at least one voxel" in table["stat_mean"].reason


def test_one_voxel_has_a_mean_and_a_volume_and_reasons_for_what_it_cannot_have(make, noise, settings):
    inside = np.zeros(noise.shape)
    inside[5, 6, 7] = 1
    table = extract(*make(noise, inside), settings)
    check_rows(table)
    assert table["stat_mean"].value == pytest.approx(noise[5, 6, 7], rel=1e-6)
    assert table["morph_vol_approx"].value == 1.0
    assert table["morph_volume"].value == pytest.approx(1.0 / 6.0, rel=1e-5)  # an octahedron of semi-axis 1/2
    assert table["morph_moran_i"].status is Status.UNDEFINED
    assert table["cm_contrast_3D_avg"].reason == "no two voxels of the region are neighbours"
    assert table["rlm_sre_3D_avg"].value == 1.0
    assert table["ngt_coarseness_3D"].status is Status.UNDEFINED


def test_two_voxels_and_a_line_of_three_are_rows_too(make, noise, settings):
    for count in (2, 3):
        inside = np.zeros(noise.shape)
        inside[5, 6, 4 : 4 + count] = 1
        table = extract(*make(noise, inside), settings)
        check_rows(table)
        assert table["morph_vol_approx"].value == count
        assert table["morph_pca_least_axis"].value == pytest.approx(0.0, abs=1e-6)
        assert table["morph_area_dens_aee"].status is Status.UNDEFINED


def test_a_region_at_the_image_edge_and_one_filling_the_image_are_measured(make, noise, settings):
    corner = np.zeros(noise.shape)
    corner[:4, :4, :4] = 1
    for inside, count in ((corner, 64), (np.ones(noise.shape), noise.size)):
        table = extract(*make(noise, inside), settings)
        check_rows(table)
        assert table["morph_vol_approx"].value == count


def test_a_uniform_region_has_no_variance_and_no_correlation(make, ball, settings):
    table = extract(*make(np.full((12, 14, 16), 40.0), ball), settings)
    check_rows(table)
    assert table["stat_var"].value == 0.0
    assert table["stat_skew"].value == table["stat_kurt"].value == 0.0  # IBSI 1, 3.3.3
    assert table["cm_corr_3D_avg"].status is Status.UNDEFINED
    assert "same" in table["cm_corr_3D_avg"].reason
    assert table["cm_joint_entr_3D_avg"].value == 0.0
    assert table["szm_zsnu_3D"].value == 1.0


def test_two_pieces_count_as_one_region(make, noise, settings):
    inside = np.zeros(noise.shape)
    inside[2:4, 2:4, 2:4] = inside[8:10, 9:11, 11:13] = 1
    table = extract(*make(noise, inside), settings)
    check_rows(table)
    assert table["morph_vol_approx"].value == 16.0
    separate = np.zeros(noise.shape)
    separate[2:4, 2:4, 2:4] = 1
    one = extract(*make(noise, separate), settings)
    assert table["morph_volume"].value == pytest.approx(2 * one["morph_volume"].value)
    assert table["morph_diam"].value == pytest.approx(np.sqrt(7.0**2 + 8.0**2 + 11.0**2))


def test_nan_in_the_region_is_a_reason_that_counts_it(make, noise, ball, settings):
    noise[5, 6, 7] = np.nan
    table = extract(*make(noise, ball), settings)
    check_rows(table)
    assert f"found 1 of {ball.sum()} that are not" in table["stat_mean"].reason


def test_nan_beside_the_region_refuses_only_what_looks_there(make, noise, ball, settings):
    noise[0, 0, 0] = np.nan
    table = extract(*make(noise, ball), settings)
    refused = {feature.family for feature in table if feature.status is Status.REFUSED}
    assert refused == {Family.LOCAL_INTENSITY}
    assert "not" in table["loc_peak_glob"].reason


def test_infinity_in_the_region_is_a_reason(make, noise, ball, settings):
    noise[5, 6, 7] = np.inf
    check_rows(extract(*make(noise, ball), settings))


def test_a_mask_on_another_grid_is_named_and_refused(make, noise, ball, settings):
    volume, _ = make(noise, ball)
    _, shifted = make(noise, ball, (1.0, 1.0, 1.1))
    with pytest.raises(GeometryError, match="expected the image's grid"):
        extract(volume, shifted, settings)


def test_a_region_below_the_minimum_is_a_reason(make, noise, ball, settings):
    table = extract(*make(noise, ball), settings.model_copy(update={"minimum_voxels": 10_000}))
    check_rows(table)
    assert (
        f"at least 10000 voxels after interpolation and resegmentation, found {ball.sum()}" in table["stat_mean"].reason
    )


def test_an_image_in_another_unit_than_the_settings_is_a_reason(make, noise, ball, settings):
    """Activity in Bq/mL cut to SUV 0 to 50 would be numbers of nothing."""
    volume, mask = make(noise, ball)
    suv = settings.model_copy(update={"unit": "SUVbw"})
    table = extract(replace(volume, unit=Unit.BQML), mask, suv)
    assert {feature.reason for feature in table} == {"image: expected intensities in SUVbw, found BQML"}
    for known in (Unit.SUVBW, Unit.ARBITRARY):
        assert extract(replace(volume, unit=known), mask, suv)["stat_mean"].status is Status.COMPUTED


def test_resegmentation_that_leaves_nothing_is_a_reason(make, noise, ball):
    settings = RadiomicsSettings.model_validate({"resegmentation": {"lower": 5000.0}})
    table = extract(*make(noise, ball), settings)
    assert {feature.status for feature in table} == {Status.REFUSED}


def test_absurdly_many_grey_levels_refuse_textures_and_keep_statistics(make, noise, ball):
    settings = RadiomicsSettings.model_validate(
        {"discretisation": {"method": "fixed_bin_size", "bin_width": 1e-6}, "ivh": {"method": "none"}}
    )
    table = extract(*make(noise, ball), settings)
    assert table["stat_mean"].status is Status.COMPUTED
    assert "at most 2048 grey levels" in table["cm_contrast_3D_avg"].reason
    assert "whole-number intensities" in table["ivh_v10"].reason


def test_a_mask_that_vanishes_when_it_is_resampled_is_a_reason(make, noise):
    inside = np.zeros(noise.shape)
    inside[5, 6, 7] = 1
    settings = RadiomicsSettings.model_validate({"resampling": {"spacing_mm": 5.0}})
    table = extract(*make(noise, inside), settings)
    assert "after interpolation to 5.0 mm, found none of its 1" in table["stat_mean"].reason


def test_filtered_features_follow_the_image_s_own_and_name_their_filter(make, noise, ball):
    settings = RadiomicsSettings.model_validate(
        {"resampling": {"spacing_mm": 1.0}, "filters": [{"kind": "log", "sigma_mm": 1.0}]}
    )
    table = extract(*make(noise, ball), settings)
    assert len(table) == 215 + 215 - 31
    assert "log_1mm.stat_mean" in table.values()
    assert not any(name.startswith("log_1mm.morph") for name in table.values())
    assert {feature.unit for feature in table if feature.filter and feature.tag == "stat_mean"} == {"1"}


def test_a_filter_on_an_anisotropic_grid_is_a_reason_and_the_image_s_own_features_stay(make, noise, ball):
    settings = RadiomicsSettings.model_validate({"filters": [{"kind": "log", "sigma_mm": 1.0}]})
    table = extract(*make(noise, ball, (1.0, 1.0, 3.0)), settings)
    assert table["stat_mean"].status is Status.COMPUTED
    assert all("isotropic" in feature.reason for feature in table if feature.filter)


def test_the_same_voxels_elsewhere_in_the_patient_have_the_same_features(make, noise, ball, settings):
    """Cropping happens around the region; what lies far away does not matter."""
    volume, mask = make(noise, ball)
    wide_values, wide_mask = np.full((40, 40, 40), -1000.0), np.zeros((40, 40, 40))
    wide_values[10:22, 12:26, 14:30], wide_mask[10:22, 12:26, 14:30] = noise, ball
    one, other = extract(volume, mask, settings).values(), extract(*make(wide_values, wide_mask), settings).values()
    for tag, value in one.items():
        if not tag.startswith("loc_"):
            assert other[tag] == pytest.approx(value, rel=1e-9, abs=1e-9), tag


def test_slices_in_reverse_order_give_the_same_3d_features(make, noise, ball):
    """Nothing depends on which end of the patient slice 0 is."""
    settings = RadiomicsSettings()
    one = extract(*make(noise, ball), settings).values()
    other = extract(*make(noise[::-1], ball[::-1]), settings).values()
    assert one == pytest.approx(other, rel=1e-3)


def test_importing_pydicom_is_not_needed():
    """Radiomics knows codes without the DICOM library."""
    code = "import npcpit_imaging.radiomics.extract, sys; sys.exit('pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_mean_that_is_zero_but_for_rounding_divides_nothing(make, settings):
    """0.1 + 0.2 - 0.3 is 1e-8 in single precision; a coefficient of variation of 1e8 would look like a number."""
    values = np.array([0.1, 0.2, -0.3, 0.7, -0.7, 0.0]).reshape(1, 2, 3)
    table = extract(*make(values, np.ones((1, 2, 3))), settings)
    assert table["stat_cov"].reason == "the mean intensity is zero"
    assert table["morph_com"].reason == "the intensities of the region add up to zero"


def test_busyness_without_a_denominator_has_a_reason(make):
    """Two thirds of level 1 and one third of level 2: level times share is the same for both."""
    settings = RadiomicsSettings.model_validate(
        {
            "resampling": {"round_to_integer": True},
            "discretisation": {"method": "none"},
            "families": ["ngtdm"],
        }
    )
    table = extract(*make(np.array([[[1.0, 2.0, 1.0]]]), np.ones((1, 1, 3))), settings)
    assert table["ngt_busyness_3D"].status is Status.UNDEFINED
    assert table["ngt_contrast_3D"].status is Status.COMPUTED


GRIDS = (None, 1.0, 2.0, 0.6, 3.0)
BINS = (
    {"method": "fixed_bin_number", "bin_count": 8},
    {"method": "fixed_bin_size", "bin_width": 10.0},
    {"method": "equalised", "bin_count": 6},
)
FILTERS = (
    {"kind": "log", "sigma_mm": 1.5},
    {"kind": "mean", "support_voxels": 5},
    {"kind": "wavelet", "wavelet": "db2", "level": 2},
)


@pytest.mark.parametrize("seed", range(60))
def test_no_small_region_under_any_settings_ends_a_batch(make, seed):
    """Random grids of 1 to 8 voxels a side, masks, offsets and settings; found a division by zero in busyness."""
    random = np.random.default_rng(seed)
    shape = tuple(int(size) for size in random.integers(1, 9, 3))
    spacing = tuple(float(value) for value in random.choice([0.5, 0.97, 3.27, 7.0], 3))
    values = random.choice([0, 1]) * random.normal(50, 30, shape) + random.choice([0.0, -1000.0, 1e6, 1e-7])
    settings = RadiomicsSettings.model_validate(
        {
            "dimensions": ["2D", "2_5D", "3D"],
            "resampling": {
                "spacing_mm": GRIDS[seed % 5],
                "interpolator": ("linear", "cubic")[seed % 2],
                "round_to_integer": seed % 3 == 0,
            },
            "resegmentation": {"outlier_sd": (None, 1.0, 3.0)[seed % 3]},
            "discretisation": BINS[seed // 3 % 3],
            "filters": FILTERS if seed % 6 == 0 else (),
        }
    )
    table = extract(*make(values, random.random(shape) < random.choice([0.05, 0.3, 1.0]), spacing), settings)
    check_rows(table, ALL_TAGS + (len(table) - ALL_TAGS if settings.filters else 0))


@pytest.mark.parametrize("name", ["full_mask", "empty_mask", "one_voxel_mask", "disconnected_mask"])
@pytest.mark.parametrize("folder", ["uninformative", "uninformative_slice"])
def test_degenerate_files_are_rows(shared_data, settings, folder, name):
    where = shared_data / "images" / "degenerate_masks" / folder
    volume = read_volume(where / "image" / f"{folder}.nii.gz")
    mask = replace(read_mask(where / "mask" / f"{name}.nii.gz"), geometry=volume.geometry)
    check_rows(extract(volume, mask, settings))
