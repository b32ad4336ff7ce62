"""Tests of association: against R and statsmodels, their level where nothing is to be found, and what is left out."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from npcpit_imaging.analysis.association import (
    COLUMNS,
    Outcome,
    area_under_curve,
    associate,
    benjamini_hochberg,
    fisher,
    mann_whitney,
    mann_whitney_tests,
    score_test,
    score_tests,
)
from npcpit_imaging.analysis.controls import negative_controls, shuffled_voxels, warnings_of
from npcpit_imaging.analysis.progression_model import cox_by_patient
from npcpit_imaging.analysis.screening import Predictor, Source, screen

X = np.array(
    [0.3, 1.2, -0.5, 2.2, 0.1, 0.9, -1.1, 0.4, 1.5, -0.2, 0.6, -0.8, 1.1, 0.0, 0.7, -0.3, 1.9, -1.4, 0.2, 0.5, -0.6]
)
RELAPSE = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
PAIRS = ["1", "1", "2", "2", "3", "3", "4", "5", "5", "6", "6", "7", "7", "8", "8", "9", "9", "10", "10", "11", "11"]


def a(name: str, source: Source = Source.SIZE, **more) -> Predictor:
    return Predictor(name=name, source=source, words=name, **more)


def test_mann_whitney_and_fisher_are_those_of_r():
    """wilcox.test(exact = TRUE) 0.4221073; fisher.test(matrix(c(8, 2, 1, 5), 2)) 0.034965035."""
    assert mann_whitney(X, RELAPSE) == pytest.approx(0.4221073, abs=1e-6)
    table = [(1, 1)] * 8 + [(1, 0)] * 1 + [(0, 1)] * 2 + [(0, 0)] * 5
    x, y = np.array(table, float).T
    assert fisher(x, y) == pytest.approx(0.034965035, abs=1e-8)


def test_benjamini_hochberg_is_that_of_r_and_knows_what_was_not_tested():
    found = benjamini_hochberg(np.array([0.01, 0.04, math.nan, 0.03, 0.2]))
    assert found[[0, 1, 3, 4]] == pytest.approx([0.04, 0.05333333, 0.05333333, 0.2], abs=1e-8)
    assert math.isnan(found[2])


def test_the_hazard_ratio_by_patient_is_that_of_r():
    """coxph(Surv(t, e) ~ x, cluster = cl): -0.13596603 (0.30759744), x here per standard deviation."""
    table = pd.DataFrame({"subject": PAIRS, "x": X, "days": WEEKS, "event": RELAPSE == 1})
    row = cox_by_patient(table, [a("x")], days="days", event="event").iloc[0]
    sd = X.std(ddof=1)
    assert math.log(row["hazard_ratio"]) / sd == pytest.approx(-0.13596603, abs=1e-5)
    assert math.log(row["upper"] / row["lower"]) / 2 / 1.959964 / sd == pytest.approx(0.30759744, abs=1e-4)
    assert "exploratory" in row["note"]


def test_the_score_test_by_hand():
    """Four patients of one lesion, outcome 1 1 0 0, x 3 1 0 0: contributions 1, 0, 0.5, 0.5; t = 0.5 / (0.408 / 2)."""
    found = score_test(np.array([3.0, 1, 0, 0]), np.array([1.0, 1, 0, 0]), np.arange(4))
    assert found == pytest.approx(0.0917, abs=2e-4)  # 2 P(T3 > 2.449)


def test_columns_tested_at_once_have_the_p_of_each_alone():
    draw = np.random.default_rng(5)
    patient, x = draw.permutation(np.repeat(np.arange(20), 3)), draw.normal(size=(60, 3))
    y = (draw.random((60, 3)) < [0.2, 0.4, 0.4]).astype(float)
    x[:, 2] = np.round(x[:, 2])  # ties: not exact, as the others are
    columns = list(zip(x.T, y.T, strict=True))
    pull = [np.bincount(patient, (each - each.mean()) * (own - own.mean())) for each, own in columns]
    by_scipy = [ttest_1samp(each, 0.0).pvalue for each in pull]
    np.testing.assert_allclose(score_tests(x, y, patient), by_scipy, rtol=1e-10)
    assert mann_whitney_tests(x, y).tolist() == [mann_whitney(*each) for each in columns]
    assert np.isnan(score_tests(x, y, np.zeros(60, int))).all()  # one patient tells nothing


def test_the_score_test_keeps_its_level_where_lesions_are_alike_and_the_naive_one_does_not():
    """40 patients of 5 lesions, a feature and an outcome of the patient's own: 5 % wanted, standard error 1 point."""
    draw = np.random.default_rng(4)
    patient = np.repeat(np.arange(40), 5)
    hits, naive = 0, 0
    for _ in range(400):
        x = np.repeat(draw.normal(size=40), 5) + 0.3 * draw.normal(size=200)
        y = (np.repeat(draw.normal(size=40), 5) + 0.3 * draw.normal(size=200) > 0).astype(float)
        hits += score_test(x, y, patient) < 0.05
        naive += mann_whitney(x, y) < 0.05
    assert 0.02 <= hits / 400 <= 0.085
    assert naive / 400 > 0.2


def cohort(effect: float = 1.5, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(60):
        own = draw.normal(0, 0.7)
        for lesion in range(int(draw.integers(1, 4))):
            volume = float(np.exp(draw.normal(1, 0.8)))
            chance = 1 / (1 + math.exp(-(0.5 - effect * (math.log(volume) - 1) + own)))
            rows.append(
                {
                    "subject": f"S{number:02d}",
                    "lesion": f"T{lesion}",
                    "volume_ml": volume,
                    "surface": volume ** (2 / 3) * float(np.exp(draw.normal(0, 0.25))),
                    "nothing": draw.normal(),
                    "node": float(draw.random() < 0.4),
                    "cr": bool(draw.random() < chance),
                }
            )
    return pd.DataFrame(rows)


def test_volume_is_found_and_a_feature_that_only_repeats_it_adds_nothing():
    predictors = [a("volume_ml", log=True), a("surface", Source.RADIOMICS), a("nothing", Source.RADIOMICS)]
    found = associate(Outcome(name="lesion CR", table=cohort(), column="cr"), predictors, volume="volume_ml")
    rows = found.set_index("predictor")
    assert list(found.columns) == COLUMNS
    assert rows.at["volume_ml", "q"] < 0.01 and rows.at["volume_ml", "odds_ratio"] < 0.6
    assert rows.at["volume_ml", "upper"] < 1 and rows.at["volume_ml", "auc"] < 0.4
    assert rows.at["surface", "p"] < 0.01
    assert rows.at["surface", "p_beyond_volume"] > 0.05 and rows.at["surface", "rho_volume"] > 0.8
    assert rows.at["nothing", "q"] > 0.05
    assert math.isnan(rows.at["volume_ml", "p_beyond_volume"])


def test_the_odds_ratio_beyond_volume_is_that_of_geepack():
    """geeglm(cr ~ scale(x) + scale(log(volume_ml)), id, binomial, "exchangeable"), R 4.2.2, geepack 1.3.9.

    geepack divides the correlation by another number, so estimates agree to 3e-3; its error is not bias-reduced.
    """
    predictors = [a("volume_ml", log=True), a("surface", Source.RADIOMICS), a("nothing", Source.RADIOMICS)]
    found = associate(Outcome(name="lesion CR", table=cohort(), column="cr"), predictors, volume="volume_ml")
    rows = found.set_index("predictor")
    for name, slope, error in (("surface", -0.002870019769, 0.3881511086), ("nothing", -0.1578743332, 0.2046100707)):
        ours = rows.loc[name]
        assert math.log(ours["odds_ratio_beyond_volume"]) == pytest.approx(slope, abs=3e-3)
        half = math.log(ours["upper_beyond_volume"] / ours["lower_beyond_volume"]) / 2
        assert 1.0 < half / 2.000995 / error < 1.1  # t of 59 degrees of freedom


def test_shuffled_voxels_tell_a_feature_of_volume_from_one_of_texture():
    """`surface` is volume and survives the shuffling; `texture` made the outcome and is lost by it."""
    table = cohort()
    draw = np.random.default_rng(3)
    table["texture"] = table["cr"].astype(float) * 2 + draw.normal(size=len(table))
    shuffled = table[["subject", "lesion", "surface"]].assign(texture=draw.normal(size=len(table)))
    outcome = Outcome(name="lesion CR", table=table, column="cr")
    found = associate(
        outcome, [a("surface", Source.RADIOMICS), a("texture", Source.RADIOMICS), a("volume_ml")], volume=None
    )
    row, p = shuffled_voxels(outcome, found, shuffled)
    assert p["surface"] == found.set_index("predictor").at["surface", "p"] < 0.01
    assert p["texture"] > 0.05
    assert row["note"].tolist() == ["real features: 2 of 2; of these 1 with shuffled voxels too"]
    assert row[["tests", "share_p_below_0_05"]].to_numpy().tolist() == [[2, 0.5]]


def test_shuffled_features_of_other_lesions_tell_nothing_and_of_some_lesions_only_of_these():
    """A control that could not be made must not read as one that every feature passed."""
    table = cohort()
    outcome = Outcome(name="lesion CR", table=table, column="cr")
    found = associate(outcome, [a("surface", Source.RADIOMICS)], volume=None)
    shuffled = table[["subject", "lesion", "surface"]]
    row, p = shuffled_voxels(outcome, found, shuffled.assign(lesion="X" + shuffled["lesion"]))
    assert p.isna().all()
    assert row["note"].item().startswith("none of 1 real features could be tested with shuffled voxels")
    few = shuffled.head(8)
    row, _ = shuffled_voxels(outcome, found, few)
    assert f"8 of {table['cr'].notna().sum()} lesions have shuffled features" in row["note"].item()


def test_without_shuffled_features_there_is_no_such_control():
    outcome = Outcome(name="lesion CR", table=cohort(), column="cr")
    found = associate(outcome, [a("surface", Source.RADIOMICS)], volume=None)
    row, p = shuffled_voxels(outcome, found, pd.DataFrame(columns=["subject", "lesion"]))
    assert row.empty and p.empty


def test_separation_has_a_p_value_and_no_odds_ratio():
    table = cohort()
    table["tell"] = table["cr"].astype(float) * 2 + 0.01 * np.arange(len(table))
    row = associate(Outcome(name="o", table=table, column="cr"), [a("tell")], volume=None).iloc[0]
    assert row["p"] < 0.001 and row["auc"] == 1.0
    assert math.isnan(row["odds_ratio"]) and "separation" in row["note"]


def test_one_lesion_a_patient_is_tested_as_patients_are():
    table = cohort().drop_duplicates("subject")
    found = associate(
        Outcome(name="o", table=table, column="cr"), [a("volume_ml"), a("node", binary=True)], volume=None
    )
    assert found["test"].tolist() == ["Mann-Whitney", "Fisher"]


def test_two_events_are_too_few_to_test_anything():
    table = cohort()
    table["cr"] = np.arange(len(table)) < 2
    row = associate(Outcome(name="o", table=table, column="cr"), [a("volume_ml")], volume=None).iloc[0]
    assert math.isnan(row["p"]) and row["note"] == f"not tested: 2 of {len(table)} with the outcome"


def test_controls_find_five_percent_where_there_is_nothing_and_are_repeatable():
    outcome = Outcome(name="o", table=cohort(), column="cr")
    predictors = [a("volume_ml"), a("nothing"), a("surface")]
    found = negative_controls(outcome, predictors, permutations=60)
    pd.testing.assert_frame_equal(found, negative_controls(outcome, predictors, permutations=60))
    assert (found["share_p_below_0_05"] < 0.12).all()
    assert found["tests"].tolist() == [180, 200]
    assert found["note"].tolist() == [
        "lesions of a patient kept together", "half of their variance shared within a patient",
    ]  # fmt: skip


def test_controls_of_one_lesion_a_patient_say_nothing_of_several():
    outcome = Outcome(name="o", table=cohort().drop_duplicates("subject"), column="cr")
    found = negative_controls(outcome, [a("volume_ml")], permutations=2, features=3)
    assert found["note"].tolist() == ["", ""]


def test_few_events_per_predictor_are_said():
    found = associate(Outcome(name="o", table=cohort(), column="cr"), [a("volume_ml"), a("nothing")], volume=None)
    events = int(min(found["events"].iloc[0], found["n"].iloc[0] - found["events"].iloc[0]))
    said = warnings_of(found.assign(events=15, n=100))
    assert said == [
        "15 outcomes of the rarer kind for 2 predictors (7.5 each, expected 10): exploratory; "
        "nothing here selects a model or a patient"
    ]
    assert events > 20 and warnings_of(found) == []


def test_screening_leaves_out_the_unstable_the_constant_the_redundant_and_the_unknown():
    draw = np.random.default_rng(0)
    size = draw.normal(size=50)
    table = pd.DataFrame(
        {
            "volume_ml": size,
            "diameter": size + 0.01 * draw.normal(size=50),
            "twin": size + 0.1 * draw.normal(size=50),
            "shaky": draw.normal(size=50),
            "unmeasured": draw.normal(size=50),
            "flat": [1.0] * 49 + [2.0],
            "rare": [math.nan] * 30 + [float(n) for n in range(20)],
            "good": draw.normal(size=50),
        }
    )
    radiomics = [a(name, Source.RADIOMICS) for name in ("twin", "shaky", "unmeasured", "flat", "rare", "good")]
    bounds = {"twin": 0.9, "shaky": 0.4, "flat": 0.9, "rare": 0.9, "good": 0.8}
    found = {
        each.predictor.name: each
        for each in screen(table, [a("volume_ml"), a("diameter"), *radiomics], icc_lower=bounds)
    }
    assert [name for name, each in found.items() if each.kept] == ["volume_ml", "diameter", "good"]
    assert "with volume_ml" in found["twin"].reason
    assert found["shaky"].reason == "unstable: ICC lower bound 0.40, expected 0.75 or more"
    assert found["unmeasured"].reason == "stability not measured"
    assert found["flat"].reason == "near-zero variance: 98 % are equal"
    assert found["rare"].reason == "known for 20 of 50 only"
    loose = screen(table, radiomics, icc_lower=bounds, need_stability=False)
    assert next(each for each in loose if each.predictor.name == "unmeasured").kept


def test_area_under_the_curve_counts_ties_half():
    assert area_under_curve(np.array([1.0, 2, 2, 3]), np.array([0, 0, 1, 1])) == pytest.approx(0.875)
