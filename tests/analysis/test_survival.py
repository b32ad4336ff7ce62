"""Times to events against R's survival 3.5.3 on Freireich's 6-MP remissions (1963), and against lifelines."""

import math

import numpy as np
import pytest

from npcpit_imaging.analysis.survival import (
    Times,
    cumulative_incidence,
    kaplan_meier,
    median,
    reverse_kaplan_meier,
    times,
)
from npcpit_imaging.errors import AnalysisError

WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSE = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PAIRS = [str(number) for number in (1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11)]
COMPETING = [2 if place in (3, 8, 11, 16) else event for place, event in enumerate(RELAPSE)]


def at(curve, days) -> list[tuple[float, float, float]]:
    return [(found.value, found.lower, found.upper) for found in (curve.at(day) for day in days)]


def test_kaplan_meier_is_that_of_r_with_log_log_intervals():
    """survfit(Surv(t, e) ~ 1, conf.type = "log-log")."""
    expected = [
        (0.85714286, 0.61971796, 0.95155175),
        (0.75294118, 0.50319951, 0.88936184),
        (0.62745098, 0.36751086, 0.80491219),
        (0.44817927, 0.18805201, 0.68014263),
    ]
    for found, wanted in zip(at(kaplan_meier(times(WEEKS, RELAPSE)), (6, 10, 16, 23)), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-8)


def test_the_median_is_the_published_23_weeks_and_an_end_not_reached_is_infinite():
    found = median(kaplan_meier(times(WEEKS, RELAPSE)))
    assert (found.value, found.lower, found.upper) == (23, 13, math.inf)


def test_follow_up_is_the_reverse_kaplan_meier():
    found = median(reverse_kaplan_meier(times(WEEKS, RELAPSE)))
    assert (found.value, found.lower, found.upper) == (25, 11, 32)


def test_lesions_of_one_patient_have_the_robust_variance_of_r():
    """survfit(..., cluster = cl, robust = TRUE, conf.type = "log-log")."""
    expected = [(0.52368951, 0.96393130), (0.44761050, 0.90467850), (0.28324191, 0.84179927), (0.16470438, 0.69968737)]
    curve = kaplan_meier(times(WEEKS, RELAPSE, PAIRS))
    assert "by patient" in curve.method
    for found, wanted in zip(at(curve, (6, 10, 16, 23)), expected, strict=True):
        assert found[1:] == pytest.approx(wanted, abs=1e-8)


def test_cumulative_incidence_is_that_of_r_multi_state():
    """survfit(Surv(t, factor(ev, 0:2)) ~ 1, id = id, conf.type = "log-log"), state 1."""
    expected = [
        (0.14285714, 0.035657355, 0.32116157),
        (0.24126984, 0.087592853, 0.43595428),
        (0.35067155, 0.155434153, 0.55438658),
        (0.49133089, 0.245863265, 0.69770969),
    ]
    for found, wanted in zip(at(cumulative_incidence(times(WEEKS, COMPETING)), (6, 10, 16, 23)), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-8)


def test_incidence_without_competing_events_is_one_minus_survival():
    plain = times(WEEKS, RELAPSE)
    assert cumulative_incidence(plain).value == pytest.approx(1 - kaplan_meier(plain).value)


def test_lifelines_has_the_same_curves_and_incidence_of_clusters_is_the_leave_one_patient_out_one():
    from lifelines import KaplanMeierFitter

    fitted = KaplanMeierFitter().fit(WEEKS, RELAPSE)
    curve = kaplan_meier(times(WEEKS, RELAPSE))
    assert fitted.predict(curve.days).to_numpy() == pytest.approx(curve.value)


def test_the_variance_by_patient_is_near_that_of_leaving_patients_out():
    """The infinitesimal jackknife and the real one agree to their order, 1 / patients."""
    draw = np.random.default_rng(5)
    patients = [str(n) for n in range(120) for _ in range(2)]
    frailty = np.repeat(draw.gamma(2, 0.5, 120), 2)
    days = np.ceil(draw.exponential(200 / frailty))
    event = draw.choice([0, 1, 2], 240, p=[0.3, 0.5, 0.2])
    whole = cumulative_incidence(times(days.tolist(), event.tolist(), patients)).at(150)
    left = []
    for out in range(120):
        kept = np.array([name != str(out) for name in patients])
        left.append(cumulative_incidence(times(days[kept].tolist(), event[kept].tolist())).at(150).value)
    jackknife = math.sqrt(119 / 120 * np.sum((np.array(left) - np.mean(left)) ** 2))
    v = whole.value
    shift = math.log(math.log(whole.lower) / math.log(v))  # z * error / (v * |log v|)
    assert shift / 1.959964 * v * abs(math.log(v)) == pytest.approx(jackknife, rel=0.03)


def test_nothing_is_said_beyond_the_last_follow_up():
    found = kaplan_meier(times(WEEKS, RELAPSE)).at(36)
    assert math.isnan(found.value) and "beyond" in found.note


@pytest.mark.parametrize(("days", "event"), [([], []), ([-1.0], [1]), ([math.nan], [0])])
def test_times_that_cannot_be_are_refused(days, event):
    with pytest.raises(AnalysisError, match="times: expected"):
        Times(days=np.array(days), event=np.array(event), cluster=np.zeros(len(days), int))
