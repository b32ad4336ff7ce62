"""ComBat against neuroCombat 0.2.12, the reference implementation; every guard rail."""

import numpy as np
import pandas as pd
import pytest

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.combat import combat
from npcpit_imaging.radiomics.harmonise import harmonise

VALUES = np.array(
    [
        [15.834, 17.281, 20.07, 15.661, 15.713], [15.305, 11.527, 12.717, 15.065, 14.461],
        [14.883, 16.04, 9.044, 16.743, 12.781], [11.563, 15.453, 16.301, 14.01, 12.747],
        [13.752, 13.595, 16.511, 15.195, 14.088], [19.423, 16.789, 15.348, 18.368, 18.365],
        [16.97, 15.834, 17.858, 12.412, 18.78], [17.283, 13.022, 16.423, 14.372, 17.814],
        [10.032, 12.271, 15.519, 16.413, 9.784], [12.304, 13.956, 12.082, 16.481, 10.918],
        [26.514, 22.305, 29.668, 25.385, 24.333], [22.395, 32.595, 29.808, 29.811, 30.964],
        [29.648, 26.682, 26.199, 26.199, 32.71], [23.469, 26.061, 26.886, 28.524, 29.576],
        [22.753, 21.31, 26.487, 30.141, 28.771], [25.047, 23.449, 25.28, 23.67, 26.852],
        [26.667, 29.453, 28.718, 30.68, 29.724], [35.5, 32.346, 32.34, 21.731, 26.829],
        [21.824, 25.248, 16.813, 27.173, 26.851], [21.694, 22.664, 23.196, 25.73, 27.523],
        [33.844, 27.108, 30.003, 28.166, 32.98], [27.976, 29.856, 22.517, 25.173, 23.309],
        [33.265, 30.723, 27.835, 27.393, 30.204], [24.396, 23.708, 27.944, 33.889, 25.762],
    ]
)  # fmt: skip
AGE = np.array([62, 33, 37, 39, 37, 62, 64, 53, 31, 33, 43, 47, 54, 49, 40, 36, 57, 59, 31, 34, 48, 45, 65, 50], float)
SEX = list("FFMMFMMMMFFMMMMFMFFMMFFF")
BATCH = np.repeat([0, 1], [10, 14])
ROWS = [0, 9, 10, 23]
KEPT = [
    [21.7360251745, 24.1136117489, 27.0145820768, 22.9705154862, 23.3912579806],
    [19.0627271297, 21.1881613207, 18.7002227017, 23.9613063246, 18.553234529],
    [21.5546523525, 17.8769563652, 24.3031521333, 20.5227049166, 19.2474054675],
    [19.9597902327, 19.2480115876, 22.9735629062, 27.8615906203, 20.6271705082],
]
"""Rows 0, 9, 10 and 23 as neuroCombat gives them with sex and age kept."""
PLAIN = [
    [23.753885585, 25.3303290409, 28.075302707, 22.3771659396, 23.3948706483],
    [19.2010417088, 20.7991455346, 18.6431504925, 23.4839828971, 18.2579321359],
    [20.9555608693, 17.9093848853, 24.0659146155, 21.0389276478, 19.5039429306],
    [19.1498704734, 19.101962796, 22.5805143941, 28.2623969211, 20.7504703402],
]
"""The same without covariates."""
NEUROCOMBAT_CONVERGED = 1e-4


def test_values_are_neurocombats():
    """With its own, coarse end of the iteration.

    Without covariates it ends one iteration earlier than ours: it divides a change by a shift that may be negative.
    """
    sex = np.array([[each == "M"] for each in SEX], float)
    found = combat(VALUES, BATCH, np.hstack([sex, AGE[:, None]]), converged=NEUROCOMBAT_CONVERGED)
    np.testing.assert_allclose(found[ROWS], KEPT, rtol=1e-9)
    found = combat(VALUES, BATCH, np.empty((24, 0)), converged=NEUROCOMBAT_CONVERGED)
    np.testing.assert_allclose(found[ROWS], PLAIN, rtol=2e-6)


def test_the_finer_end_of_the_iteration_stays_near():
    found = combat(VALUES, BATCH, np.empty((24, 0)))
    np.testing.assert_allclose(found[ROWS], PLAIN, rtol=1e-3)


def test_a_planted_shift_and_scale_go_and_a_kept_effect_stays():
    """Forty features, 60 cases a scanner; scanner B reads 1.5 x + 4, and age adds 0.3 a year on both."""
    random = np.random.default_rng(11)
    batch = np.repeat([0, 1], 60)
    age = random.uniform(30.0, 70.0, 120)
    true = random.normal(50.0, 2.0, (120, 40))
    measured = np.where(batch[:, None] == 1, true * 1.5 + 4.0, true) + 0.3 * age[:, None]
    found = combat(measured, batch, age[:, None])
    residual = found - 0.3 * age[:, None]
    shift = residual[batch == 1].mean(axis=0) - residual[batch == 0].mean(axis=0)
    assert np.abs(shift).max() < 0.5  # 29 before
    scale = residual[batch == 1].std(axis=0) / residual[batch == 0].std(axis=0)
    assert abs(scale.mean() - 1.0) < 0.03  # 1.5 before; the spread over features is chance that ComBat must keep
    slope = np.polynomial.polynomial.polyfit(age, found, 1)[1]
    assert np.abs(slope.mean() - 0.3) < 0.02


def long_table(values=VALUES, *, digest="d1", version="0.1", subjects=None):
    names = [f"f{number}" for number in range(values.shape[1])]
    return pd.DataFrame(
        [
            {"case": f"c{row}", "subject": subjects[row] if subjects else f"s{row}", "filter": "", "tag": tag,
             "value": value, "settings_digest": digest, "engine_version": version}
            for row, one in enumerate(values)
            for tag, value in zip(names, one, strict=True)
        ]
    )  # fmt: skip


def about():
    return pd.DataFrame(
        {"case": [f"c{n}" for n in range(24)], "scanner": np.where(BATCH == 0, "A", "B"), "age": AGE, "sex": SEX}
    )


def test_a_long_table_is_harmonised_by_name_whatever_the_order_of_what_is_known():
    known = about().sample(frac=1.0, random_state=1)
    found = harmonise(long_table(), known, batch="scanner", keep=["sex", "age"])
    assert list(found.values.index) == [f"c{n}" for n in range(24)]
    np.testing.assert_allclose(found.values.to_numpy()[ROWS], KEPT, rtol=1e-3)
    assert (found.batch, found.keep, found.settings_digest) == ("scanner", ("sex", "age"), "d1")
    chosen = harmonise(long_table(), known, batch="scanner", features=["f3", "f0", "f1"])
    assert list(chosen.values.columns) == ["f3", "f0", "f1"]


def with_nan():
    values = VALUES.copy()
    values[3, 1] = np.nan
    return values


def flat_in_one_batch():
    values = VALUES.copy()
    values[:10, 2] = 7.0
    return values


@pytest.mark.parametrize(
    ("long", "change", "options", "expected"),
    [
        (pd.concat([long_table(), long_table(digest="d2")]), {}, {}, "one settings digest, found d1, d2"),
        (pd.concat([long_table(), long_table(version="0.2")]), {}, {}, "one engine version, found 0.1, 0.2"),
        (long_table(subjects=["s"] * 24), {}, {}, "one case a subject, found 23 more"),
        (long_table(), {"scanner": "A"}, {}, "at least 2 batches, found 1"),
        (long_table(), {"scanner": ["A"] * 21 + ["B"] * 3}, {}, r"at least 10 cases a batch, found B \(3\)"),
        (long_table(), {"age": [np.nan, *AGE[1:]]}, {"keep": ["age"]}, "expected age of every case, missing for c0"),
        (long_table(), {"sex": ["", *SEX[1:]]}, {"keep": ["sex"]}, "expected sex of every case, missing for c0"),
        (long_table(), {}, {"keep": ["stage"]}, "missing stage"),
        (long_table(), {"site": np.where(BATCH == 0, "x", "y")}, {"keep": ["site"]}, "vary apart .* found rank 2"),
        (long_table(with_nan()), {}, {}, "a value of every case, missing in f1"),
        (long_table(flat_in_one_batch()), {}, {}, "vary within every batch, not so f2"),
        (long_table(), {}, {"features": ["f1", "f9"]}, "unknown f9"),
        (long_table(), {}, {"features": ["f1", "f2"]}, "at least 3 features, found 2"),
    ],
)
def test_what_combat_cannot_answer_for_is_refused_by_name(long, change, options, expected):
    with pytest.raises(RadiomicsError, match=expected):
        harmonise(long, about().assign(**change), batch="scanner", **options)


def test_several_cases_of_a_subject_need_somebodys_word():
    found = harmonise(long_table(subjects=["s"] * 24), about(), batch="scanner", repeated_subjects=True)
    assert found.values.shape == (24, 5)


def test_a_case_known_twice_or_not_at_all_is_refused():
    with pytest.raises(RadiomicsError, match="found twice: c0"):
        harmonise(long_table(), pd.concat([about(), about()[:1]]), batch="scanner")
    with pytest.raises(RadiomicsError, match="scanner of every case, missing for c0, c1, c2, c3, c4 and 2 more"):
        harmonise(long_table(), about()[7:], batch="scanner")
