"""The digital phantom printed in the IBSI 1 manual (chapter 5, CC BY 4.0): every family, without other data."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Family, RadiomicsSettings
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.volume.files import read_mask, read_volume

LEVELS = (
    "14411 14611 41641 44641",
    "14411 11611 11311 44611",
    "14411 11111 11911 11611",
    "14411 11111 11111 11611",
)
"""Intensities, a text a slice, a word a row."""
REGION = (
    "11111 11111 11111 11111",
    "11111 11111 01111 11111",
    "11100 11111 11011 11111",
    "11100 11111 11111 11111",
)
PUBLISHED = {
    "morph_volume": "556", "morph_vol_approx": "592", "morph_area_mesh": "388", "morph_moran_i": "0.0397",
    "loc_peak_loc": "2.6", "loc_peak_glob": "3.1",
    "stat_mean": "2.15", "stat_var": "3.05", "stat_kurt": "-0.355",
    "ih_entropy": "1.27", "ih_uniformity": "0.512",
    "ivh_v10": "0.324", "ivh_i90": "2",
    "cm_joint_max_3D_avg": "0.503", "cm_joint_max_3D_comb": "0.509", "cm_contrast_2D_avg": "5.28",
    "cm_info_corr2_3D_comb": "0.269",
    "rlm_sre_3D_avg": "0.705", "rlm_rl_entr_2_5D_comb": "2.76",
    "szm_sze_3D": "0.255", "szm_zs_entr_2D": "1.93",
    "dzm_sde_3D": "1", "dzm_zd_entr_2_5D": "2",
    "ngt_coarseness_3D": "0.0296", "ngt_strength_2D": "2.88",
    "ngl_lde_3D": "0.045", "ngl_dc_energy_2_5D": "0.122",
}  # fmt: skip
"""Consensus values as published, to three significant digits; all 482 stand in test_ibsi.py where the data are."""
SETTINGS = RadiomicsSettings.model_validate(
    {
        "resampling": {"round_to_integer": True},
        "discretisation": {"method": "none"},
        "ivh": {"method": "none"},
        "dimensions": ["2D", "2_5D", "3D"],
    }
)


def array(slices):
    """The slices as `(4, 4, 5)`."""
    return np.array([[[int(digit) for digit in row] for row in one.split()] for one in slices])


@pytest.fixture(scope="module")
def table(make):
    """Every feature of the phantom; its voxels are cubes of 2 mm."""
    return extract(*make(array(LEVELS), array(REGION) == 1, spacing_mm=(2.0, 2.0, 2.0)), SETTINGS)


@pytest.mark.parametrize("tag", PUBLISHED)
def test_the_value_is_the_published_one_to_its_last_digit(table, tag):
    assert f"{table[tag].value:.3g}" == PUBLISHED[tag]


def test_every_family_has_a_published_value_here(table):
    assert {table[tag].family for tag in PUBLISHED} == set(Family)


def test_the_phantom_is_the_one_that_is_distributed(shared_data):
    folder = shared_data / "images" / "ibsi_1_digital_phantom" / "nifti"
    np.testing.assert_array_equal(read_volume(folder / "image" / "phantom.nii.gz").voxels, array(LEVELS))
    np.testing.assert_array_equal(read_mask(folder / "mask" / "mask.nii.gz").voxels, array(REGION) == 1)
