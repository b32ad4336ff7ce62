"""Change between two dates: guarded, and refused where numbers do not compare."""

from dataclasses import replace

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.delta import changes
from npcpit_imaging.radiomics.extract import extract

SETTINGS = RadiomicsSettings.model_validate(
    {"families": ["intensity_statistics"], "discretisation": {"method": "fixed_bin_number", "bin_count": 8}}
)


def table(make, low, high):
    values = np.zeros((4, 4, 4))
    values[:2], values[2:] = low, high
    return extract(*make(values, np.ones((4, 4, 4))), SETTINGS)


def test_a_mean_from_2_to_3_rose_by_1_a_half_and_log_1_5(make):
    found = {change.name: change for change in changes(table(make, 1.0, 3.0), table(make, 1.0, 5.0))}
    mean = found["stat_mean"]
    assert (mean.before, mean.after, mean.absolute, mean.relative) == (2.0, 3.0, 1.0, 0.5)
    assert mean.log_ratio == pytest.approx(np.log(1.5))
    assert mean.reason == ""


def test_nothing_is_divided_by_a_mean_of_zero(make):
    mean = changes(table(make, -1.0, 1.0), table(make, -1.0, 3.0))[0]
    assert (mean.absolute, mean.relative, mean.log_ratio) == (1.0, None, None)
    assert mean.reason == "relative: the earlier value is zero; log ratio: a value is not positive"


def test_a_fall_from_a_negative_value_has_the_sign_of_the_change(make):
    mean = changes(table(make, -2.0, -2.0), table(make, -3.0, -3.0))[0]
    assert mean.relative == -0.5


def test_a_missing_value_is_a_reason(make):
    found = {change.name: change for change in changes(table(make, -1.0, 1.0), table(make, 1.0, 1.0))}
    assert found["stat_cov"].absolute is None
    assert found["stat_cov"].reason == "before: the mean intensity is zero"


def test_different_settings_are_refused(make):
    one = table(make, 1.0, 2.0)
    other = replace(one, provenance=replace(one.provenance, settings_digest="0" * 64))
    with pytest.raises(RadiomicsError, match="one settings digest"):
        changes(one, other)


def test_different_versions_are_refused(make):
    one = table(make, 1.0, 2.0)
    other = replace(one, provenance=replace(one.provenance, engine_version="0.0.0"))
    with pytest.raises(RadiomicsError, match="one engine version"):
        changes(one, other)
