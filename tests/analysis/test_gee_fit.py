"""Tests of how a GEE is asked for: the shorter way of large studies has the numbers of statsmodels' own."""

import numpy as np
import pytest

from npcpit_imaging.analysis import gee_fit


@pytest.mark.parametrize("lesions", [1, 3])
@pytest.mark.parametrize("bias_reduced", [True, False])
def test_a_large_study_has_the_numbers_of_a_small_one(lesions, bias_reduced, monkeypatch):
    """The same 150 patients, asked as few lesions are and as from 10,000 on."""
    draw = np.random.default_rng(8)
    patient = np.repeat(np.arange(150), lesions)
    x = draw.normal(size=patient.size)
    alike = draw.normal(size=150)[patient]
    y = (draw.random(patient.size) < 1 / (1 + np.exp(-(0.5 - 0.7 * x + alike)))).astype(float)
    design = np.column_stack([np.ones(y.size), x])
    small = gee_fit.fit_gee(y, design, patient, bias_reduced=bias_reduced)
    monkeypatch.setattr(gee_fit, "LARGE", 1)
    large = gee_fit.fit_gee(y, design, patient, bias_reduced=bias_reduced)
    assert small.converged and large.converged
    np.testing.assert_allclose(large.estimates, small.estimates, rtol=1e-6)
    np.testing.assert_allclose(large.errors, small.errors, rtol=1e-6)


def test_separation_has_no_numbers_to_trust():
    """A predictor that is the outcome: not converged, or an estimate that ran away, and no exception."""
    y = np.tile([0.0, 1.0], 20)
    found = gee_fit.fit_gee(y, np.column_stack([np.ones(40), y]), np.repeat(np.arange(20), 2))
    assert not found.converged or abs(found.estimates[1]) > 8 or not np.isfinite(found.errors[1])
