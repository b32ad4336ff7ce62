"""One way of asking statsmodels for a binomial GEE of lesions within patients (recist.md 4)."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from npcpit_imaging.analysis.proportion import Floats

if TYPE_CHECKING:
    from statsmodels.genmod.generalized_estimating_equations import GEE

TOLERANCE = 1e-6
"""Score at which a fit is done, as statsmodels has it."""

TOLERANCE_PER_LESION = 1e-7
"""The same of large studies, a score being a sum over lesions: estimate and error move by less than 1e-9 of each."""

LARGE = 10_000
"""Lesions from which a score is judged per lesion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeeFit:
    """A fitted GEE; NaN where the model has no estimate.

    Args:
        estimates: `(P,)` log odds, of each column of the design.
        errors: `(P,)` their standard errors.
        converged: Whether the fit ended where it should.
    """

    estimates: Floats
    errors: Floats
    converged: bool


def _alike_from_start(model: "GEE") -> Floats:
    """Estimates without a correlation, and the correlation at them.

    A fit begins with the same estimates, but takes its first step without the correlation: a step of nothing over all
    patients.
    """
    from statsmodels.genmod.generalized_linear_model import GLM

    start = np.asarray(GLM(model.endog, model.exog, family=model.family).fit().params, np.float64)
    model.ddof_scale = model.exog.shape[1]
    model.update_cached_means(start)
    model.cov_struct.update(start)
    return start


def fit_gee(outcome: Floats, design: Floats, patient: np.ndarray, *, bias_reduced: bool = True) -> GeeFit:
    """Fit by statsmodels, exchangeable within patients; independent where each patient has one lesion.

    Liang and Zeger 1986; Mancl and DeRouen 2001.

    Args:
        outcome: `(N,)` 0 or 1.
        design: `(N, P)` predictors, the intercept among them.
        patient: `(N,)` number of the patient.
        bias_reduced: The variance of Mancl and DeRouen; else the plain robust one.
    """
    from statsmodels.genmod.cov_struct import Exchangeable, Independence
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    several, large = np.unique(patient).size < patient.size, outcome.size >= LARGE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of the caller looks at: convergence and a finite error
            model = GEE(
                outcome,
                design,
                groups=patient,
                family=Binomial(),
                cov_struct=Exchangeable() if several else Independence(),
            )
            fitted = model.fit(
                cov_type="bias_reduced" if bias_reduced else "robust",
                start_params=_alike_from_start(model) if large else None,
                ctol=TOLERANCE_PER_LESION * outcome.size if large else TOLERANCE,
            )
            return GeeFit(
                estimates=np.asarray(fitted.params, np.float64),
                errors=np.asarray(fitted.bse, np.float64),
                converged=bool(fitted.converged),
            )
    except (ValueError, np.linalg.LinAlgError):
        nothing = np.full(design.shape[1], np.nan)
        return GeeFit(estimates=nothing, errors=nothing, converged=False)
