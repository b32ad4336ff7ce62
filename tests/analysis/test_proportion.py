"""Intervals of proportions against R (binom.test, prop.test, survey::svyciprop, geepack) and against what they promise.

R 4.2.2, survey 4.1.1, geepack 1.3.9; the commands stand in docs/results.md.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npcpit_imaging.analysis.clustered import bootstrap, gee, intraclass_correlation
from npcpit_imaging.analysis.proportion import (
    Clusters,
    clopper_pearson,
    clusters,
    design_effect,
    effective_number,
    korn_graubard,
    wilson,
)
from npcpit_imaging.errors import AnalysisError

RESPONDING = [0, 2, 1, 3, 1, 0, 2, 4, 1, 0, 2, 1]
LESIONS = [2, 2, 1, 4, 3, 1, 3, 4, 1, 2, 2, 3]


def made(responding=RESPONDING, lesions=LESIONS) -> Clusters:
    return Clusters(responding=np.array(responding), lesions=np.array(lesions))


def test_clopper_pearson_is_that_of_r_binom_test():
    found = clopper_pearson(7, 20)
    assert (found.lower, found.upper) == pytest.approx((0.1539092048, 0.5921885345), abs=1e-9)


def test_wilson_is_that_of_r_prop_test_without_continuity_correction():
    found = wilson(7, 20)
    assert (found.lower, found.upper) == pytest.approx((0.1811918241, 0.5671457233), abs=1e-9)


def test_korn_graubard_is_that_of_r_survey():
    """svyciprop(~y, svydesign(ids = ~id), method = "beta")."""
    found = korn_graubard(made())
    assert found.value == pytest.approx(17 / 28)
    assert (found.lower, found.upper) == pytest.approx((0.3421518356, 0.8324908096), abs=1e-9)
    assert design_effect(made()) == pytest.approx(0.01257643595 / (17 / 28 * 11 / 28 / 28), rel=1e-8)


def test_an_effective_number_is_never_more_than_the_lesions_there_are():
    """Every patient with one of two lesions responding: the variance between patients is 0."""
    alike = made([1] * 6, [2] * 6)
    assert effective_number(alike) == 12
    assert korn_graubard(alike).lower == pytest.approx(clopper_pearson(6, 12).lower)


@pytest.mark.parametrize(("responding", "rate"), [([0, 0, 0, 0], 0.0), ([2, 1, 3, 2], 1.0)])
def test_at_0_and_100_percent_patients_are_counted_and_the_others_say_that_they_do_not_exist(responding, rate):
    found = korn_graubard(made(responding, [2, 1, 3, 2]))
    exact = clopper_pearson(rate * 4, 4)
    assert (found.lower, found.upper) == (exact.lower, exact.upper)
    assert "Clopper-Pearson on 4 patients" in found.note
    for other in (gee(made(responding, [2, 1, 3, 2])), bootstrap(made(responding, [2, 1, 3, 2]))):
        assert math.isnan(other.lower) and "does not exist" in other.note


def test_one_patient_has_the_interval_of_one_patient_not_of_many_lesions():
    found = korn_graubard(made([1], [4]))
    assert "one patient" in found.note
    assert found.lower < 0.01 and found.upper > 0.99


def test_gee_names_the_variance_that_it_used():
    """From 1,000 patients on it is the plain robust one."""
    few, many = (
        Clusters(responding=np.tile([1, 0, 2], count), lesions=np.tile([1, 2, 3], count)) for count in (333, 334)
    )
    assert gee(few).method == "GEE, exchangeable, bias-reduced"
    assert gee(many).method == "GEE, exchangeable, robust"


def test_gee_has_the_estimate_of_geepack_and_a_wider_error_for_few_patients():
    """geeglm(y ~ 1, binomial, exchangeable): 0.3869209, robust error 0.45696802; Mancl-DeRouen's is the wider."""
    found = gee(made())
    logit = math.log(found.value / (1 - found.value))
    half = (math.log(found.upper / (1 - found.upper)) - math.log(found.lower / (1 - found.lower))) / 2
    assert logit == pytest.approx(0.3869209, abs=2e-2)  # geepack's correlation has another denominator: 0.203
    assert 0.45696802 < half / 2.200985 < 0.60  # t of 11 degrees of freedom


def test_a_bootstrap_resamples_patients_and_is_repeatable():
    found = bootstrap(made())
    assert found == bootstrap(made())
    assert found != bootstrap(made(), seed=1)
    single = made([y for m, y in zip(LESIONS, RESPONDING, strict=True) for y in [1] * y + [0] * (m - y)], [1] * 28)
    assert bootstrap(single).upper - bootstrap(single).lower < found.upper - found.lower


def test_intraclass_correlation_by_hand():
    """Two patients of two lesions, one all and one none: between 1, within 0, so 1; mixed pairs: between 0."""
    assert intraclass_correlation(made([2, 0], [2, 2])) == pytest.approx(1.0)
    assert intraclass_correlation(made([1, 1], [2, 2])) == pytest.approx(-1.0)


def test_lesions_are_counted_by_patient_whatever_their_order():
    found = clusters(["b", "a", "b", "a", "b"], [True, False, True, True, False])
    assert (found.responding.tolist(), found.lesions.tolist()) == ([1, 2], [2, 3])


@pytest.mark.parametrize(("responding", "lesions"), [([], []), ([2], [1]), ([0], [0]), ([1, 1], [1])])
def test_counts_that_cannot_be_are_refused(responding, lesions):
    with pytest.raises(AnalysisError, match="clusters: expected"):
        made(responding, lesions)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=2, max_size=12))
def test_the_interval_always_holds_the_estimate(pairs):
    found = korn_graubard(made([min(y, m) for y, m in pairs], [m for _, m in pairs]))
    assert 0 <= found.lower <= found.value <= found.upper <= 1


def simulate(runs: int, *, patients: int, rate: float, icc: float, seed: int) -> dict[str, float]:
    """Share of intervals that hold the true rate: beta-binomial patients of 1 to 6 lesions."""
    draw = np.random.default_rng(seed)
    size = (1 - icc) / icc
    hits = {"naive": 0, "Korn-Graubard": 0}
    for _ in range(runs):
        lesions = draw.integers(1, 7, patients)
        own = draw.beta(rate * size, (1 - rate) * size, patients)
        found = made(draw.binomial(lesions, own), lesions)
        naive, right = clopper_pearson(found.responders, found.total), korn_graubard(found)
        hits["naive"] += naive.lower <= rate <= naive.upper
        hits["Korn-Graubard"] += right.lower <= rate <= right.upper
    return {name: count / runs for name, count in hits.items()}


def test_the_lesion_interval_covers_where_the_naive_one_fails():
    """k = 20 patients, ICC 0.4, 600 runs: standard error of a coverage near 95 % is 0.9 points."""
    found = simulate(600, patients=20, rate=0.45, icc=0.4, seed=1)
    assert found["naive"] < 0.90
    assert 0.93 <= found["Korn-Graubard"] <= 0.985


@pytest.mark.slow
def test_simulated_coverage_of_the_lesion_interval_is_94_to_97_percent():
    found = simulate(2000, patients=20, rate=0.45, icc=0.4, seed=2)
    assert found["naive"] < 0.90
    assert 0.94 <= found["Korn-Graubard"] <= 0.97
