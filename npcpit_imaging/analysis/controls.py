"""Negative controls of the association tests: what they find where there is nothing to be found."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from npcpit_imaging.analysis.association import (
    EVENTS_PER_VARIABLE,
    Outcome,
    benjamini_hochberg,
    fisher,
    mann_whitney_tests,
    numbers,
    scaled,
    score_tests,
)
from npcpit_imaging.analysis.clustered import SEED
from npcpit_imaging.analysis.screening import Predictor

PERMUTATIONS = 100
"""Times the outcome is permuted."""

RANDOM_FEATURES = 200
"""Features of pure noise, half of it shared by a patient's lesions."""

SHUFFLED = " shuffled"
"""Behind a feature's name in the table of both."""

LEVEL = 0.05
"""What the controls should be called positive at."""


def negative_controls(
    outcome: Outcome,
    predictors: Sequence[Predictor],
    *,
    permutations: int = PERMUTATIONS,
    features: int = RANDOM_FEATURES,
    seed: int = SEED,
) -> pd.DataFrame:
    """Test permuted outcomes and features of noise as the real ones are tested.

    Patients keep their lesions together: outcomes go from patient to patient among those with as many lesions. The
    share of p below 0.05 should be near 5 %; the share of permutations with any q below 0.05 at most about 5 % (BH).

    Returns:
        One row per control: tests, share of p below 0.05, share of rounds with any q below 0.05, note.
    """
    names = [each.name for each in predictors]
    known = outcome.table[["subject", outcome.column, *names]].dropna(subset=[outcome.column])
    y = known[outcome.column].astype(float).to_numpy()
    patient = np.unique(known["subject"].astype(str), return_inverse=True)[1]
    values = np.column_stack([_scaled(known, each) for each in predictors])
    binary = [each.binary for each in predictors]
    draw = np.random.default_rng(seed)
    alike = _alike(patient)
    rounds = np.column_stack([_permuted(y, alike, draw) for _ in range(permutations)])
    permuted = list(_tests_of_rounds(values, binary, rounds, patient))
    noise = _noise(patient, features, draw)
    random = _tests(noise, [False] * features, y, patient)
    several = np.unique(patient).size < patient.size
    together, shared = _OF_LESIONS if several else ("", "")
    return pd.DataFrame(
        [
            _control(outcome.name, "outcome permuted between patients", permuted, together),
            _control(outcome.name, "random features", [random], shared),
        ]
    )


_OF_LESIONS = ("lesions of a patient kept together", "half of their variance shared within a patient")
"""What holds besides where patients have several lesions."""


def shuffled_voxels(outcome: Outcome, found: pd.DataFrame, shuffled: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Test radiomic features of shuffled voxels as the real ones were tested (Welch et al. 2019).

    Shape and histogram survive the shuffling, texture does not: where shuffled features go with the outcome as often as
    the real ones, these tell of volume or histogram. So here no 5 % are expected; the note has both counts.

    Args:
        outcome: What is told apart, a row per lesion.
        found: Of `association.associate`, this outcome.
        shuffled: subject, lesion and features of the same names.

    Returns:
        One row as those of `negative_controls`, none without a feature in both; and p by feature.
    """
    real = found[(found["source"] == "radiomics") & found["p"].notna() & found["predictor"].isin(shuffled.columns)]
    names = real["predictor"].tolist()
    if not names:
        return pd.DataFrame(), pd.Series(dtype=float)
    keys = ["subject", "lesion"]
    known = outcome.table[[*keys, outcome.column, *names]].dropna(subset=[outcome.column])
    both = known.merge(shuffled[[*keys, *names]], on=keys, suffixes=("", SHUFFLED))
    y = both[outcome.column].astype(float).to_numpy()
    patient = np.unique(both["subject"].astype(str), return_inverse=True)[1]
    pairs = [_in_both(numbers(both[name]), numbers(both[name + SHUFFLED])) for name in names]
    here, p = (_tests(np.column_stack(side), [False] * len(names), y, patient) for side in zip(*pairs, strict=True))
    row = _control(outcome.name, "voxels shuffled within each lesion", [p], _both_counts(here, p))
    if len(both) < len(known):
        row["note"] = f"{row['note']}; {len(both)} of {len(known)} lesions have shuffled features, only these tested"
    return pd.DataFrame([row]), pd.Series(p, index=names)


def _in_both(real: np.ndarray, shuffled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides' values, none where the other has none: what is compared is tested on the same lesions."""
    known = ~(np.isnan(real) | np.isnan(shuffled))
    return np.where(known, real, np.nan), np.where(known, shuffled, np.nan)


def _both_counts(real: np.ndarray, shuffled: np.ndarray) -> str:
    tested = ~(np.isnan(real) | np.isnan(shuffled))
    if not tested.any():
        return f"none of {real.size} real features could be tested with shuffled voxels: nothing is known"
    found, kept = tested & (real < LEVEL), tested & (real < LEVEL) & (shuffled < LEVEL)
    return f"real features: {found.sum()} of {tested.sum()}; of these {kept.sum()} with shuffled voxels too"


def _control(outcome: str, name: str, rounds: Sequence[np.ndarray], note: str) -> dict[str, object]:
    every = np.concatenate([each[~np.isnan(each)] for each in rounds]) if rounds else np.empty(0)
    found = [bool(np.nanmin(benjamini_hochberg(each)) < LEVEL) for each in rounds if not np.isnan(each).all()]
    return {
        "outcome": outcome,
        "control": name,
        "rounds": len(rounds),
        "tests": int(every.size),
        "share_p_below_0_05": float(np.mean(every < LEVEL)) if every.size else float("nan"),
        "share_rounds_with_q_below_0_05": float(np.mean(found)) if found else float("nan"),
        "note": note,
    }


def _tests(values: np.ndarray, binary: Sequence[bool], y: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """The p of each column; columns known for the same units are tested together."""
    answer = np.full(values.shape[1], np.nan)
    clustered = np.unique(patient).size < y.size
    known = ~np.isnan(values)
    alike: dict[tuple[bytes, bool], list[int]] = {}
    for column, is_binary in enumerate(binary):
        alike.setdefault((np.packbits(known[:, column]).tobytes(), is_binary), []).append(column)
    for (_, is_binary), columns in alike.items():
        rows = known[:, columns[0]]
        one = np.broadcast_to(y[rows, None], (int(rows.sum()), len(columns)))
        answer[columns] = _test(values[np.ix_(rows, columns)], is_binary, one, patient[rows], clustered)
    return answer


def _tests_of_rounds(values: np.ndarray, binary: Sequence[bool], rounds: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """The p of each column of values with each column of outcomes: `(rounds, columns)`."""
    answer = np.full((rounds.shape[1], values.shape[1]), np.nan)
    clustered = np.unique(patient).size < len(rounds)
    for column, is_binary in enumerate(binary):
        rows = ~np.isnan(values[:, column])
        x = np.broadcast_to(values[rows, column, None], (int(rows.sum()), rounds.shape[1]))
        answer[:, column] = _test(x, is_binary, rounds[rows], patient[rows], clustered)
    return answer


def _test(x: np.ndarray, binary: bool, y: np.ndarray, patient: np.ndarray, clustered: bool) -> np.ndarray:
    """Test column by column; NaN where the predictor or the outcome does not vary."""
    answer = np.full(x.shape[1], np.nan)
    if not len(x):
        return answer
    events = y.sum(axis=0)
    varies = np.flatnonzero((events > 0) & (events < len(y)) & (np.ptp(x, axis=0) > 0))
    if not varies.size:
        return answer
    x, y = x[:, varies], y[:, varies]
    if clustered:
        answer[varies] = score_tests(x, y, patient)
    elif binary:
        answer[varies] = [fisher(one, own) for one, own in zip(x.T, y.T, strict=True)]
    else:
        answer[varies] = mann_whitney_tests(x, y)
    return answer


def _alike(patient: np.ndarray) -> list[np.ndarray]:
    """Rows of patients who have as many lesions as each other: an array `(patients, lesions)` each."""
    order = np.argsort(patient, kind="stable")
    counts = np.bincount(patient)
    starts = np.cumsum(counts) - counts
    return [order[starts[counts == size][:, None] + np.arange(size)] for size in sorted({*counts.tolist()} - {0})]


def _permuted(y: np.ndarray, alike: Sequence[np.ndarray], draw: np.random.Generator) -> np.ndarray:
    """Give each patient the outcomes of another with as many lesions, in random order."""
    answer = y.copy()
    for places in alike:
        sources = places[draw.permutation(len(places))]
        answer[places] = y[draw.permuted(sources, axis=1)]
    return answer


def _scaled(known: pd.DataFrame, each: Predictor) -> np.ndarray:
    values = numbers(known[each.name])
    present = ~np.isnan(values)
    values[present] = scaled(values[present], each)
    return values


def _noise(patient: np.ndarray, features: int, draw: np.random.Generator) -> np.ndarray:
    own = draw.normal(size=(patient.size, features))
    shared = draw.normal(size=(int(patient.max()) + 1, features))
    return np.asarray(np.sqrt(0.5) * own + np.sqrt(0.5) * shared[patient], np.float64)


def warnings_of(table: pd.DataFrame) -> list[str]:
    """What a reader of an association table must be told before its p values.

    Args:
        table: Of `association.associate`, one outcome.
    """
    tested = table[table["p"].notna()]
    if tested.empty:
        return ["nothing could be tested: too few events or no predictor"]
    rarer = np.minimum(numbers(tested["events"]), numbers(tested["n"] - tested["events"]))
    events, patients = int(rarer.min()), int(tested["patients"].min())
    each = events / len(tested)
    said = []
    if each < EVENTS_PER_VARIABLE:
        said.append(
            f"{events} outcomes of the rarer kind for {len(tested)} predictors ({each:.1f} each, expected "
            f"{EVENTS_PER_VARIABLE}): exploratory; nothing here selects a model or a patient"
        )
    if patients < 20:
        said.append(f"{patients} patients: a robust variance of so few is itself uncertain")
    return said
