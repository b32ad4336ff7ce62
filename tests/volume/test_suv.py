"""SUV factors against hand work and the published formulas."""

import math

import pytest

from npcpit_imaging.errors import QuantityError
from npcpit_imaging.volume.suv import (
    Body,
    Injection,
    Sex,
    SuvKind,
    average_count_rate_time_s,
    body_surface_area_m2,
    decay_factor,
    lean_body_mass_james_kg,
    lean_body_mass_janmahasatian_kg,
    suv_factor,
)

FDG_HALF_LIFE_S = 6586.2
MAN = Body(weight_kg=80.0, height_m=1.80, sex=Sex.MALE)
WOMAN = Body(weight_kg=60.0, height_m=1.60, sex=Sex.FEMALE)
AT_INJECTION = Injection(dose_bq=200e6, half_life_s=FDG_HALF_LIFE_S, elapsed_s=0.0)


@pytest.mark.parametrize(("half_lives", "left"), [(0, 1.0), (1, 0.5), (2, 0.25), (0.5, math.sqrt(0.5))])
def test_decay_halves_with_every_half_life(half_lives, left):
    assert decay_factor(half_lives * FDG_HALF_LIFE_S, FDG_HALF_LIFE_S) == pytest.approx(left, rel=1e-12)


def test_body_weight_factor_by_hand():
    """70 kg, 370 MBq, two half-lives: 70,000 g / 92.5 MBq."""
    injection = Injection(dose_bq=370e6, half_life_s=FDG_HALF_LIFE_S, elapsed_s=2 * FDG_HALF_LIFE_S)
    assert suv_factor(Body(weight_kg=70.0), injection) == pytest.approx(70_000 / 92.5e6, rel=1e-12)


def test_an_even_spread_of_the_dose_has_suv_one():
    """The dose spread over the body's own weight, at any time, is SUV 1 by definition."""
    injection = Injection(dose_bq=300e6, half_life_s=FDG_HALF_LIFE_S, elapsed_s=3600.0)
    concentration = 300e6 * 2 ** (-3600.0 / FDG_HALF_LIFE_S) / 80_000.0
    assert concentration * suv_factor(MAN, injection) == pytest.approx(1.0, rel=1e-12)


def test_lean_body_mass_james_by_hand():
    """1.10 W - 128 (W/H)^2 for men, 1.07 W - 148 (W/H)^2 for women, H in cm."""
    assert lean_body_mass_james_kg(MAN) == pytest.approx(88.0 - 128.0 * (80 / 180) ** 2)
    assert lean_body_mass_james_kg(WOMAN) == pytest.approx(64.2 - 148.0 * (60 / 160) ** 2)


def test_lean_body_mass_janmahasatian_by_hand():
    """9270 W / (6680 + 216 BMI) for men, 9270 W / (8780 + 244 BMI) for women."""
    assert lean_body_mass_janmahasatian_kg(MAN) == pytest.approx(741_600 / (6680 + 216 * 80 / 3.24))
    assert lean_body_mass_janmahasatian_kg(WOMAN) == pytest.approx(556_200 / (8780 + 244 * 60 / 2.56))


def test_body_surface_area_du_bois():
    """Du Bois 1916: 0.007184 W^0.425 H^0.725; 80 kg and 180 cm are 2.00 m2 in every published table."""
    assert body_surface_area_m2(MAN) == pytest.approx(2.00, abs=0.005)


def test_kinds_are_in_the_ratio_of_the_body_sizes():
    """The dose cancels."""
    by_weight = suv_factor(MAN, AT_INJECTION)
    by_lean = suv_factor(MAN, AT_INJECTION, kind=SuvKind.LBM_JANMAHASATIAN)
    by_surface = suv_factor(MAN, AT_INJECTION, kind=SuvKind.BSA)
    assert by_lean / by_weight == pytest.approx(lean_body_mass_janmahasatian_kg(MAN) / 80.0)
    assert by_surface / by_weight == pytest.approx(body_surface_area_m2(MAN) * 10_000 / 80_000)


def test_a_very_obese_body_has_no_james_mass():
    """The formula turns over and goes negative; no SUV may come of it."""
    with pytest.raises(QuantityError, match="James"):
        lean_body_mass_james_kg(Body(weight_kg=250.0, height_m=1.50, sex=Sex.FEMALE))


@pytest.mark.parametrize("kind", [SuvKind.LBM_JAMES, SuvKind.LBM_JANMAHASATIAN, SuvKind.BSA])
def test_a_missing_height_names_its_tag(kind):
    with pytest.raises(QuantityError, match=r"PatientSize \(0010,1020\)"):
        suv_factor(Body(weight_kg=70.0, sex=Sex.MALE), AT_INJECTION, kind=kind)


def test_a_missing_sex_names_its_tag():
    with pytest.raises(QuantityError, match=r"PatientSex \(0010,0040\)"):
        suv_factor(Body(weight_kg=70.0, height_m=1.7), AT_INJECTION, kind=SuvKind.LBM_JAMES)


@pytest.mark.parametrize("weight_kg", [0.0, -70.0, 70_000.0, math.nan, math.inf])
def test_an_impossible_weight_is_refused(weight_kg):
    with pytest.raises(QuantityError, match=r"PatientWeight \(0010,1030\)"):
        Body(weight_kg=weight_kg)


def test_a_height_in_centimetres_is_refused():
    with pytest.raises(QuantityError, match=r"PatientSize \(0010,1020\): expected 0.3 to 2.6 m, found 170"):
        Body(weight_kg=70.0, height_m=170.0)


@pytest.mark.parametrize("dose_bq", [0.0, 370.0, math.nan])
def test_a_dose_in_mbq_or_none_is_refused(dose_bq):
    with pytest.raises(QuantityError, match=r"RadionuclideTotalDose \(0018,1074\)"):
        Injection(dose_bq=dose_bq, half_life_s=FDG_HALF_LIFE_S, elapsed_s=0.0)


@pytest.mark.parametrize("elapsed_s", [-1.0, 23.9 * 3600])
def test_an_injection_after_the_scan_or_a_day_before_is_refused(elapsed_s):
    with pytest.raises(QuantityError, match=r"RadiopharmaceuticalStartTime \(0018,1072\)"):
        Injection(dose_bq=300e6, half_life_s=FDG_HALF_LIFE_S, elapsed_s=elapsed_s)


def test_the_mean_activity_of_a_frame_is_that_of_its_average_count_rate_time():
    """The integral of 2^(-t/T) over one half-life is 1/(2 ln 2) of it."""
    half_life = 100.0
    mean = (1 - 0.5) / math.log(2.0)
    assert decay_factor(average_count_rate_time_s(half_life, half_life), half_life) == pytest.approx(mean, rel=1e-12)
    assert average_count_rate_time_s(0.0, half_life) == 0.0
