"""The protocol files: every option documented, unknown keys refused, defaults as recist.md says."""

import re
from pathlib import Path

import pytest

from npcpit_imaging.config.base import load
from npcpit_imaging.config.protocol import EndoPolicy, NtNeWithTargetCr, Protocol, VisitWindow
from npcpit_imaging.errors import ConfigError

CONFIGS = Path(__file__).parent.parent.parent / "configs"


@pytest.mark.parametrize("name", ["npc-pit", "recist-1.1", "irecist"])
def test_shipped_files_load(name):
    """The three shipped protocols are protocols, and different ones."""
    protocol = load(CONFIGS / name / "protocol.toml", Protocol)
    assert protocol.title
    assert protocol.digest != Protocol().digest


def test_npc_pit_names_every_option_with_its_source():
    """Every option stands in the study's file, on a line whose comment says where it comes from."""
    text = (CONFIGS / "npc-pit" / "protocol.toml").read_text(encoding="utf-8")
    parts = [Protocol().diffusers, Protocol().eligibility, Protocol().results]
    options = set(Protocol.model_fields) - {"title", "visits", "diffusers", "eligibility", "results"}
    for option in options.union(*(type(part).model_fields for part in parts)):
        assert re.search(rf"^(# )?{option} = .*# \[[PES]\] ", text, re.MULTILINE), option


def test_npc_pit_endoscopy():
    """Endoscopy answers where imaging cannot measure, and takes an imaging CR away."""
    protocol = load(CONFIGS / "npc-pit" / "protocol.toml", Protocol)
    assert protocol.endo_policy is EndoPolicy.ONLY_WHEN_NOT_MEASURABLE
    assert protocol.endo_vetoes_cr


def test_defaults_of_section_1_16():
    """The defaults are those the specification puts first."""
    defaults = Protocol().model_dump(mode="json")
    expected = {
        "pr_persistence": "eortc", "pd_when_incomplete": True, "nadir_zero_rule": "abs5", "min_sd_days": 42,
        "sd_window_ref": "first_treatment", "confirm_required": "both_reported", "ref_confirm": 28, "max_nr_ne": 1,
        "accept_sd": False, "cr_then_pr": "SD", "nt_partial_policy": "NE", "nt_ne_with_t_cr": "PR",
        "new_node_rule": "ge10_equivocal_until_15", "organ_grouping": "nodes_one_organ", "tstm_default_mm": 5,
        "slice_mult_nodes": True, "after_pd": "excluded_stored", "tp_date_rule": "pd_earliest_else_latest",
        "new_therapy_rule": "stop_bor", "reader_for_analysis": "investigator",
        "baseline_episode": "first_irradiation", "cavity_policy": "whole", "endo_policy": "veto_CR",
        "prior_rt_policy": "require_progression", "too_early_days": 28, "pet_blackout_days": 56,
        "missing_bound": False, "lesion_stop": "own_PD", "short_sd_rule": "table3",
    }  # fmt: skip
    assert {name: defaults[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("min_sd_day = 42", "min_sd_day: extra inputs are not permitted"),
        ("min_sd_days = -1", "min_sd_days: input should be greater than or equal to 0"),
        ('endo_policy = "maybe"', "endo_policy: input should be 'veto_cr'"),
        ("irecist_confirm_max_days = 7", "irecist_confirm_max_days must not be below irecist_confirm_min_days"),
        ("normal_short_axis_mm = 20", "normal_short_axis_mm must not exceed min_short_axis_mm"),
        ('visits = [{name = "FU1", day = 1}, {name = "FU1", day = 2}]', "visits must have different names"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, line, text):
    """An unknown key, a value out of range or options that contradict each other name themselves."""
    path = tmp_path / "protocol.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, Protocol)
    assert text in str(caught.value)


def test_words_in_any_case_and_both_spellings():
    """Words are recognised whatever their case; the specification's nt_NE_with_T_CR is a spelling of the key."""
    protocol = Protocol.model_validate({"nt_NE_with_T_CR": "ne", "endo_policy": "VETO_cr"})
    assert (protocol.nt_ne_with_t_cr, protocol.endo_policy) == (NtNeWithTargetCr.NE, EndoPolicy.VETO_CR)


def test_endoscopy_ignored_vetoes_nothing():
    """endo_policy = ignore wins over the veto."""
    assert not Protocol(endo_policy="ignore", endo_veto_cr=True).endo_vetoes_cr
    assert not Protocol(endo_policy="only_when_not_measurable").endo_vetoes_cr


def test_visit_window_defaults():
    """A visit may be a week early or late unless said otherwise."""
    assert (VisitWindow(name="FU1", day=42).early_days, VisitWindow(name="FU1", day=42).late_days) == (7, 7)
