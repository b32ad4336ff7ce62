"""The voxel classifier: a quadratic logistic regression on the features, fitted once and shipped as numbers.

The shipped numbers were fitted by the recipe of docs/segmentation.md on 35 tumours of the Soft-tissue-Sarcoma
collection of The Cancer Imaging Archive (Vallieres et al. 2015, CC BY 3.0, as prepared by IBSI) and carry its
attribution.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.region import Floats

FILE = "calibration.json"
LICENCE = "CC-BY-3.0"
"""Licence of the shipped numbers: that of the images they were fitted on."""

RIDGE = 1e-3
"""Weight of the squared standardised coefficients beside the mean log-loss of one lesion."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted classifier.

    Args:
        names: The F features, in the order of the columns.
        intercept: Log-odds where every feature is 0.
        linear: `(F,)` coefficients.
        quadratic: `(F, F)` upper triangular coefficients of the products.
    """

    names: tuple[str, ...]
    intercept: float
    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]

    def log_odds(self, columns: Floats) -> Floats:
        """Log-odds `(N,)` of features `(N, F)`."""
        linear, quadratic = self.linear.astype(np.float32), self.quadratic.astype(np.float32)
        odds: Floats = np.einsum("nf,nf->n", columns @ quadratic + linear, columns) + np.float32(self.intercept)
        return odds

    def to_json(self) -> dict[str, object]:
        """The numbers, rounded to seven digits, as JSON holds them."""
        return {
            "names": list(self.names),
            "intercept": _rounded(self.intercept),
            "linear": [_rounded(value) for value in self.linear],
            "quadratic": [[_rounded(value) for value in row[n:]] for n, row in enumerate(self.quadratic)],
        }


def shipped(key: str) -> Calibration:
    """The shipped calibration for a modality and prompt, e.g. ``CT-line``.

    Raises:
        SegmentationError: There is none of this name.
    """
    known = _shipped_file()
    if key not in known:
        raise SegmentationError(f"calibration: expected one of {', '.join(known)}, found {key}")
    return known[key]


@cache
def shipped_digest() -> str:
    """SHA-256 of the shipped numbers, as hex."""
    return hashlib.sha256(files(__package__).joinpath(FILE).read_bytes()).hexdigest()


def fit(columns: Floats, share: Floats, weight: Floats, names: tuple[str, ...]) -> Calibration:
    """Fit a calibration to voxels whose truth is known.

    Args:
        columns: `(N, F)` features.
        share: `(N,)` share of the voxel that is lesion, 0 to 1.
        weight: `(N,)` weight of each voxel; each lesion's should sum to one.
        names: The F features.
    """
    one, other = np.triu_indices(len(names))
    products = np.concatenate([columns, columns[:, one] * columns[:, other]], axis=1)
    mean = np.average(products, axis=0, weights=weight)
    spread = np.maximum(np.sqrt(np.average((products - mean) ** 2, axis=0, weights=weight)), 1e-4)
    standard = ((products - mean) / spread).astype(np.float32)

    def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = np.clip(standard @ beta[1:].astype(np.float32) + beta[0], -30, 30)
        chance = 1 / (1 + np.exp(-odds))
        fault = weight * (chance - share)
        entropy = weight * (np.logaddexp(0, odds) - share * odds)
        slope = np.concatenate([[fault.sum()], standard.T @ fault.astype(np.float32) + 2 * RIDGE * beta[1:]])
        return float(entropy.sum() + RIDGE * (beta[1:] ** 2).sum()), slope.astype(float)

    found = minimize(loss, np.zeros(products.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    scaled = found.x[1:] / spread
    quadratic = np.zeros((len(names), len(names)))
    quadratic[one, other] = scaled[len(names) :]
    intercept = float(found.x[0] - scaled @ mean)
    return Calibration(names=names, intercept=intercept, linear=scaled[: len(names)], quadratic=quadratic)


def calibrations_from_json(text: str) -> Mapping[str, Calibration]:
    """Read calibrations by name from JSON text."""
    return {key: _from_json(value) for key, value in json.loads(text)["calibrations"].items()}


@cache
def _shipped_file() -> Mapping[str, Calibration]:
    return calibrations_from_json(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))


def _from_json(value: dict[str, list[list[float]]]) -> Calibration:
    names = tuple(str(name) for name in value["names"])
    quadratic = np.zeros((len(names), len(names)))
    for n, row in enumerate(value["quadratic"]):
        quadratic[n, n:] = row
    return Calibration(
        names=names,
        intercept=float(np.asarray(value["intercept"])),
        linear=np.array(value["linear"], float),
        quadratic=quadratic,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")
