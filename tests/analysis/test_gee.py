"""The GEE against statsmodels, and where there is no estimate."""

import warnings

import numpy as np
import pytest
from statsmodels.genmod.cov_struct import Exchangeable, Independence
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_estimating_equations import GEE

from npcpit_imaging.analysis.gee import fit_gee


def lesions(seed: int, *, patients: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two predictors, an outcome that patients share in part, and whose lesions they are."""
    draw = np.random.default_rng(seed)
    group = np.repeat(np.arange(patients), draw.integers(1, most + 1, patients))
    design = np.column_stack([np.ones(group.size), draw.normal(size=(group.size, 2))])
    own = draw.normal(size=patients)[group]
    chance = 1 / (1 + np.exp(-(0.3 + 0.6 * design[:, 1] + own)))
    return design, (draw.random(group.size) < chance).astype(float), group


@pytest.mark.parametrize(("seed", "patients", "most"), [(1, 15, 4), (2, 60, 3), (3, 400, 5), (4, 40, 1)])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_estimate_correlation_and_bias_reduced_error_are_those_of_statsmodels(seed, patients, most, columns):
    design, outcome, group = lesions(seed, patients=patients, most=most)
    structure = Exchangeable() if most > 1 else Independence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = GEE(outcome, design[:, :columns], groups=group, family=Binomial(), cov_struct=structure).fit(
            cov_type="bias_reduced"
        )
    ours = fit_gee(design[:, :columns], outcome, group)
    assert ours.converged and theirs.converged
    assert ours.coefficients == pytest.approx(theirs.params, rel=1e-7, abs=1e-9)
    assert ours.errors == pytest.approx(theirs.bse, rel=1e-7)
    assert ours.correlation == pytest.approx(float(structure.dep_params or 0.0) if most > 1 else 0.0, abs=1e-7)


def test_lesions_in_any_order_have_the_same_fit():
    design, outcome, group = lesions(5, patients=30, most=4)
    order = np.random.default_rng(0).permutation(group.size)
    one, other = fit_gee(design, outcome, group), fit_gee(design[order], outcome[order], group[order])
    assert one.coefficients == pytest.approx(other.coefficients, abs=1e-12)
    assert one.errors == pytest.approx(other.errors, abs=1e-12)


def test_two_columns_that_are_one_have_no_estimate():
    design, outcome, group = lesions(6, patients=30, most=4)
    assert not fit_gee(np.column_stack([design, 2 * design[:, 1]]), outcome, group).converged


def test_one_pair_of_lesions_cannot_tell_how_alike_lesions_are():
    """One pair less one coefficient leaves nothing to divide by."""
    found = fit_gee(np.ones((4, 1)), np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 2]))
    assert not found.converged and np.isnan(found.errors).all()
