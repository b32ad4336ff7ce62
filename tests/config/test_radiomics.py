"""Radiomics settings: what is coherent, and the study's own files."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from npcpit_imaging.config.base import load
from npcpit_imaging.config.radiomics import Discretiser, RadiomicsSettings
from npcpit_imaging.errors import ConfigError

FOLDER = Path(__file__).parents[2] / "configs" / "npc-pit" / "imaging"


@pytest.mark.parametrize("name", ["ct", "mr", "pet"])
def test_the_study_s_files_are_valid(name):
    values = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    settings = RadiomicsSettings.model_validate(values["radiomics"])
    expected = Discretiser.FIXED_BIN_NUMBER if name == "mr" else Discretiser.FIXED_BIN_SIZE
    assert settings.discretisation.method is expected
    assert settings.normalise.n4 == (name == "mr")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bins": 32}, "extra inputs"),
        ({"discretisation": {"method": "fixed_bin_number", "bin_count": 0}}, "greater than or equal to 2"),
        ({"discretisation": {"method": "fixed_bin_number", "bin_count": 1_000_000}}, "less than or equal to 2048"),
        ({"discretisation": {"method": "fixed_bin_size", "bin_width": -25.0}}, "greater than 0"),
        ({"discretisation": {"method": "fixed_bin_size", "bin_width": 1.0, "bin_count": 4}}, "only there"),
        ({"discretisation": {"method": "fixed_bin_size"}}, "expected bin_width"),
        ({"discretisation": {"method": "none"}}, "whole numbers"),
        ({"resegmentation": {"lower": 400.0, "upper": -1000.0}}, "expected lower < upper"),
        ({"resegmentation": {"lower": float("nan")}}, "finite"),
        ({"resampling": {"spacing_mm": 2.0, "slices": False}}, "isotropic"),
        ({"resampling": {"spacing_mm": 0.0}}, "greater than 0"),
        ({"families": []}, "at least one"),
        ({"dimensions": ["3D", "3D"]}, "without repetition"),
        ({"filters": [{"kind": "mean", "support_voxels": 4}]}, "odd"),
        ({"filters": [{"kind": "laws"}]}, "laws"),
    ],
)
def test_settings_that_make_no_sense_are_named(values, words):
    with pytest.raises(ValidationError) as caught:
        RadiomicsSettings.model_validate(values)
    assert words in str(caught.value).lower() or words in str(caught.value)


def test_every_setting_changes_the_digest():
    digests = {
        RadiomicsSettings().digest,
        RadiomicsSettings(minimum_voxels=2).digest,
        RadiomicsSettings.model_validate({"resampling": {"spacing_mm": 1.0}}).digest,
        RadiomicsSettings.model_validate({"filters": [{"kind": "mean", "support_voxels": 3}]}).digest,
        RadiomicsSettings.model_validate({"filters": [{"kind": "mean", "support_voxels": 5}]}).digest,
    }
    assert len(digests) == 5


def test_a_wrong_key_in_a_file_names_the_file_and_the_key(tmp_path):
    path = tmp_path / "ct.toml"
    path.write_text("[resampling]\nspacing = 1.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ct\.toml: resampling\.spacing"):
        load(path, RadiomicsSettings)
