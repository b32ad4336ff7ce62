"""Photoimmunotherapy cycles and diffusers refuse impossible geometry and dates."""

from datetime import date

import pytest

from npcpit_imaging.errors import InputError
from npcpit_imaging.study.treatment import Diffuser, DiffuserKind, TreatmentCycle


def diffuser(**change):
    values = {
        "kind": DiffuserKind.FRONTAL,
        "tip_mm": (0.0, 0.0, 0.0), "axis": (0.0, 0.6, 0.8), "length_mm": 10.0, "radius_mm": 8.0
    }  # fmt: skip
    return Diffuser(**{**values, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": (0.0, 1.0, 1.0)}, "expected a unit axis, found length 1.414"),
        ({"length_mm": 0.0}, "expected positive length and radius"),
        ({"radius_mm": -1.0}, "expected positive length and radius"),
        ({"start_radius_mm": 9.0}, "does not narrow"),
        ({"tip_mm": (0.0, float("nan"), 0.0)}, "finite"),
        ({"kind": DiffuserKind.CYLINDRICAL, "start_radius_mm": 1.0}, "frontal diffusers only"),
    ],
)
def test_impossible_diffusers_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        diffuser(**change)


def test_a_cycle_is_lit_on_or_after_its_infusion():
    cycle = TreatmentCycle(number=1, infusion=date(2026, 1, 5), illumination=date(2026, 1, 6), diffusers=(diffuser(),))
    assert cycle.diffusers[0].radius_mm == 8.0
    with pytest.raises(InputError, match="on or after infusion 2026-01-05"):
        TreatmentCycle(number=1, infusion=date(2026, 1, 5), illumination=date(2026, 1, 4))
    with pytest.raises(InputError, match="number from 1"):
        TreatmentCycle(number=0, infusion=date(2026, 1, 5), illumination=date(2026, 1, 6))
