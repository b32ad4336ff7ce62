"""Visits compared: contrast, uptake and tracer that differ, and signs of another person; the earlier one is named."""

from datetime import date

import pytest

from npcpit_imaging.study.circumstances import Circumstances, Contrast
from npcpit_imaging.study.comparability import ComparedSeries, compare_visits

DAYS = {"BASELINE": date(2026, 1, 5), "FU1": date(2026, 4, 5), "FU2": date(2026, 7, 5)}


def series(uid: str, timepoint: str, modality: str = "CT", **values) -> ComparedSeries:
    return ComparedSeries(
        uid=uid, modality=modality, timepoint=timepoint, date=DAYS[timepoint], circumstances=Circumstances(**values)
    )


def codes(*given: ComparedSeries) -> dict[str, list[str]]:
    return {uid: [finding.code for finding in found] for uid, found in compare_visits(given).items()}


def test_alike_and_unknown_visits_have_no_finding():
    body = {"sex": "M", "size_m": 1.70, "weight_kg": 70.0}
    assert codes(series("1", "BASELINE", **body), series("2", "FU1"), series("3", "FU2", **body)) == {}


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"sex": "F"}, "PatientSex (0010,0040) F, but M in series 1 of BASELINE"),
        ({"size_m": 1.76}, "PatientSize (0010,1020) 1.76 m, but 1.70 m in series 1 of BASELINE"),
        ({"weight_kg": 55.9}, "PatientWeight (0010,1030) 55.9 kg, but 70 kg in series 1 of BASELINE"),
        ({"weight_kg": 84.1}, "PatientWeight (0010,1030) 84.1 kg, but 70 kg in series 1 of BASELINE"),
    ],
)
def test_another_sex_size_or_weight_suggests_another_person(later, said):
    """20 % of 70 kg is 14 kg: 56 and 84 are still one person."""
    body = {"sex": "M", "size_m": 1.70, "weight_kg": 70.0}
    found = compare_visits([series("2", "FU1", **{**body, **later}), series("1", "BASELINE", **body)])
    assert list(found) == ["2"], "the later one, whatever the order given"
    (finding,) = found["2"]
    assert (finding.code, finding.severity) == ("wrong-patient-suspected", "warning")
    assert said in finding.text


@pytest.mark.parametrize("later", [{"sex": "O"}, {"size_m": 1.75}, {"weight_kg": 56.0}, {"weight_kg": 84.0}])
def test_usual_changes_suggest_nobody_else(later):
    body = {"sex": "M", "size_m": 1.70, "weight_kg": 70.0}
    assert codes(series("1", "BASELINE", **body), series("2", "FU1", **{**body, **later})) == {}


def test_a_slow_loss_of_weight_is_compared_with_the_visit_before():
    """70, 59 and 50 kg: 16 and 15 % each, 29 % in all."""
    weights = zip(("BASELINE", "FU1", "FU2"), (70.0, 59.0, 50.0), strict=True)
    assert codes(*(series(name, name, weight_kg=weight) for name, weight in weights)) == {}


def test_two_weights_within_one_visit_differ_by_less():
    one, other = series("1", "BASELINE", weight_kg=70.0), series("2", "BASELINE", "PT", weight_kg=62.0)
    assert codes(one, other) == {"2": ["wrong-patient-suspected"]}


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize(("first", "then"), [("given", "not stated"), ("not stated", "given")])
def test_contrast_at_one_visit_and_none_at_another_is_a_finding(modality, first, then):
    before = series("1", "BASELINE", modality, contrast=Contrast(first))
    found = compare_visits([before, series("2", "FU1", modality, contrast=Contrast(then))])
    assert [finding.code for finding in found["2"]] == ["contrast-differs"]
    assert "at BASELINE" in found["2"][0].text


def test_a_native_and_an_enhanced_series_in_both_visits_are_alike():
    """A PET/CT's CT has no contrast beside the diagnostic one, at baseline and later."""
    both = [series(f"{visit}{each}", visit, contrast=each) for visit in ("BASELINE", "FU1") for each in Contrast]
    assert codes(*both) == {}
    assert codes(*both[:2], both[3]) == {"FU1not stated": ["contrast-differs"]}


def test_another_modality_is_not_compared():
    assert codes(series("1", "BASELINE", "CT", contrast=Contrast.GIVEN), series("2", "FU1", "MR")) == {}


@pytest.mark.parametrize(("minutes", "found"), [(75.0, {}), (75.1, {"2": ["uptake-time-differs"]}), (None, {})])
def test_uptake_times_more_than_15_minutes_apart_are_not_comparable(minutes, found):
    """PERCIST 1.0."""
    assert codes(series("1", "BASELINE", "PT", uptake_min=60.0), series("2", "FU1", "PT", uptake_min=minutes)) == found


def test_another_tracer_is_not_comparable():
    first = series("1", "BASELINE", "PT", tracer="Fluorodeoxyglucose F^18^")
    assert codes(first, series("2", "FU1", "PT", tracer="FAPI-04 Ga^68^")) == {"2": ["tracer-differs"]}


def test_series_without_a_day_or_visit_are_left_out():
    lost = ComparedSeries(uid="9", modality="CT", timepoint=None, date=None, circumstances=Circumstances(sex="F"))
    assert codes(series("1", "BASELINE", sex="M"), lost) == {}
