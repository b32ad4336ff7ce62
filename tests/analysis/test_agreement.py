"""Reader agreement against published examples: Bland and Altman 1986, statsmodels, Cicchetti and Feinstein by hand."""

import math

import numpy as np
import pytest

from npcpit_imaging.analysis.agreement import Pairs, bland_altman, icc_agreement
from npcpit_imaging.analysis.categories import Weights, compare_responses, gwet_ac1, specific_agreement, weighted_kappa
from npcpit_imaging.errors import AnalysisError

LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
COUNTS = np.array([[20, 4, 1], [3, 15, 5], [0, 6, 11]], float)


def pairs(first, second, patient=None) -> Pairs:
    own = np.arange(len(first)) if patient is None else np.array(patient)
    return Pairs(first=np.array(first, float), second=np.array(second, float), patient=own)


def test_bland_and_altmans_own_example():
    """Lancet 1986, peak flow of two meters: bias -2.1, limits -79.7 and 75.5, with their intervals.

    The paper rounds 1.96 to 2 and the error of a limit to sqrt(3/n) s, so its limits are a little wider.
    """
    found = bland_altman(pairs(MINI, LARGE))
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert (found.bias.lower, found.bias.upper) == pytest.approx((-22.0, 17.8), abs=0.2)
    assert (found.lower.value, found.upper.value) == pytest.approx((-78.1, 73.9), abs=0.1)
    assert found.lower.lower == pytest.approx(-114.3, abs=2.5)
    assert found.lower.upper == pytest.approx(-45.1, abs=2.5)


def test_on_the_log_scale_a_constant_factor_is_the_bias_and_the_limits_are_one():
    found = bland_altman(pairs([10, 20, 40, 80], [11, 22, 44, 88]), log=True)
    assert (found.bias.value, found.lower.value, found.upper.value) == pytest.approx((1.1, 1.1, 1.1))


def test_a_size_of_zero_has_no_logarithm():
    with pytest.raises(AnalysisError, match="above 0"):
        bland_altman(pairs([0, 1, 2], [1, 1, 2]), log=True)


def test_several_lesions_a_patient_widen_the_limits_by_what_patients_share():
    """Differences 1, 1, -1, -1 in pairs: all variance is between patients (2), none within."""
    found = bland_altman(pairs([10, 10, 10, 10], [11, 11, 9, 9], [0, 0, 1, 1]))
    assert found.upper.value == pytest.approx(1.959964 * math.sqrt(2.0), rel=1e-6)
    assert "patients resampled" in found.upper.method


def test_differences_that_grow_with_size_are_noticed():
    first = np.array([10.0, 20, 30, 40, 50, 60, 70, 80])
    second = first + np.array([0.5, -1, 2, -3, 4, -5, 6, -7])
    assert bland_altman(pairs(first, second)).spread_grows == pytest.approx(1.0)


def test_two_pairs_are_too_few():
    with pytest.raises(AnalysisError, match="at least 3"):
        pairs([1, 2], [1, 2])


def test_icc_comes_from_the_callers_service_and_says_when_there_is_none():
    found = icc_agreement(pairs(LARGE, MINI), lambda ratings: (0.9, 0.8, 0.95))
    assert (found.value, found.lower, found.note) == (0.9, 0.8, "")

    def refuses(_):
        raise AnalysisError("ratings do not vary")

    assert icc_agreement(pairs(LARGE, MINI), refuses).note == "ratings do not vary"


@pytest.mark.parametrize(
    ("weights", "theirs"), [(Weights.NONE, None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_kappa_and_its_interval_are_those_of_statsmodels(weights, theirs):
    from statsmodels.stats.inter_rater import cohens_kappa

    found, peer = weighted_kappa(COUNTS, weights=Weights(weights)), cohens_kappa(COUNTS, wt=theirs)
    assert (found.value, found.lower, found.upper) == pytest.approx((peer.kappa, peer.kappa_low, peer.kappa_upp))


def test_specific_agreement_by_hand():
    """20 both, 3 and 2 apart, 10 neither: 40/45 and 20/25; error 2 sqrt(20 x 5 x 25) / 45^2."""
    positive, negative = specific_agreement(np.array([[20.0, 3], [2, 10]]))
    assert (positive.value, negative.value) == pytest.approx((40 / 45, 0.8))
    assert positive.upper - positive.value == pytest.approx(1.959964 * 100 / 2025, rel=1e-5)


def test_gwet_ac1_by_hand():
    """Two categories, shares 0.9, 0.05, 0.05, 0: chance 2 x 0.95 x 0.05 = 0.095; (0.9 - 0.095) / 0.905."""
    assert gwet_ac1(np.array([[90.0, 5], [5, 0]])) == pytest.approx(0.805 / 0.905)


def test_responses_are_compared_in_their_own_order():
    order = ("CR", "PR", "SD", "PD", "NE")
    found = compare_responses(["CR", "PR", "SD", "PD"], ["CR", "PR", "PD", "PD"], order=order, responding=("CR", "PR"))
    assert found.categories == ("CR", "PR", "SD", "PD")
    assert found.discordance.value == 0.25
    assert (found.positive.value, found.negative.value) == (1.0, 1.0)
    with pytest.raises(AnalysisError, match="found XX"):
        compare_responses(["XX"], ["CR"], order=order, responding=("CR",))
