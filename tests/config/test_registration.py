"""The trial's registration plans load, name every option, and refuse nonsense."""

import tomllib
from pathlib import Path

import pytest

from npcpit_imaging.config.base import load
from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.errors import ConfigError

PLANS = Path(__file__).parents[2] / "configs" / "npc-pit" / "imaging" / "registration"


@pytest.mark.parametrize("name", ["ct-ct", "mr-mr", "ct-mr", "mr-pt"])
def test_a_plan_file_names_every_option(name):
    values = tomllib.loads((PLANS / f"{name}.toml").read_text())
    plan = load(PLANS / f"{name}.toml", RegistrationPlan).model_dump()
    assert set(values) == set(plan)
    for section, options in plan.items():
        if isinstance(options, dict):
            assert set(values[section]) == set(options), section


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bin = 32", "bin: extra inputs are not permitted"),
        ("[starts]\nrefined = 1", "starts.refined: input should be greater than or equal to 2"),
        ("levels = []", "levels: expected spacings that get finer"),
        ("[quality]\nspeed = { warn = 1.0, reject = 2.0 }", "quality.speed: extra inputs"),
        ("relaxation = 1.5", "relaxation: input should be less than 1"),
    ],
)
def test_nonsense_is_refused_with_file_and_key(tmp_path, text, message):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(path, RegistrationPlan)


def test_levels_must_get_finer(tmp_path):
    level = "[[levels]]\nspacing_mm = 4.0\nsampling_percent = 30.0\niterations = 9\nstep_mm = 1.0\nmin_step_mm = 0.1\n"
    path = tmp_path / "plan.toml"
    path.write_text(level + level)
    with pytest.raises(ConfigError, match=r"spacings that get finer, found \[4.0, 4.0\] mm"):
        load(path, RegistrationPlan)
