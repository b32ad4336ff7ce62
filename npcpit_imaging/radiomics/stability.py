"""Which features survive small changes of image and mask, or another reader's mask: ICC per feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import FeatureTable, key
from npcpit_imaging.radiomics.icc import CONFIDENCE, Icc, icc_2_1, icc_3_1
from npcpit_imaging.radiomics.perturb import Perturbation, perturb
from npcpit_imaging.volume.volume import Mask, Volume

STABLE_FROM = 0.75
"""Lower confidence bound of ICC(2,1) from which a feature counts as stable ("good", Koo and Li 2016)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How stable one feature is.

    Args:
        name: Filter and tag, as the wide table's column.
        cases: Cases in which every repetition has a value.
        repetitions: Perturbations, or readers.
        agreement: ICC(2,1); None with a reason.
        consistency: ICC(3,1); None with a reason.
        reason: Why there is no coefficient.
    """

    name: str
    cases: int
    repetitions: int
    agreement: Icc | None = None
    consistency: Icc | None = None
    reason: str = ""

    def is_stable(self, least: float = STABLE_FROM) -> bool:
        """Tell whether the lower confidence bound of ICC(2,1) reaches `least`."""
        return self.agreement is not None and self.agreement.lower >= least


def perturbed_tables(
    volume: Volume, mask: Mask, settings: RadiomicsSettings, changes: Sequence[Perturbation]
) -> list[FeatureTable]:
    """Return the features of one case under each perturbation, in order.

    Raises:
        GeometryError: The mask lies on another grid than the image.
        RadiomicsError: A perturbation leaves no mask.
    """
    return [extract(*perturb(volume, mask, change), settings) for change in changes]


def stability(tables: Mapping[str, Sequence[FeatureTable]], *, confidence: float = CONFIDENCE) -> list[Stability]:
    """Compute each feature's coefficients over cases and repetitions.

    Args:
        tables: For each case its tables, as many and in the same order for all: perturbations, or readers' masks.
        confidence: Coverage of the intervals.

    Raises:
        RadiomicsError: No case, cases with different numbers of tables, or tables made with different settings.
    """
    repetitions = _require_comparable(tables)
    names = [key(feature) for feature in next(iter(tables.values()))[0]]
    values = [[table.values() for table in case] for case in tables.values()]
    return [_of_feature(name, values, repetitions, confidence) for name in names]


def _require_comparable(tables: Mapping[str, Sequence[FeatureTable]]) -> int:
    counts = sorted({len(case) for case in tables.values()})
    if len(counts) != 1 or counts[0] < 2:
        raise RadiomicsError(f"stability: expected the same number of tables, at least 2, a case; found {counts}")
    digests = {table.provenance.settings_digest for case in tables.values() for table in case}
    if len(digests) != 1:
        raise RadiomicsError(f"stability: expected tables of one settings digest, found {len(digests)}")
    return counts[0]


def _of_feature(name: str, values: list[list[dict[str, float]]], repetitions: int, confidence: float) -> Stability:
    rows = [[table[name] for table in case] for case in values if all(name in table for table in case)]
    try:
        ratings = np.array(rows, float).reshape(len(rows), repetitions)
        return Stability(
            name=name,
            cases=len(rows),
            repetitions=repetitions,
            agreement=icc_2_1(ratings, confidence=confidence),
            consistency=icc_3_1(ratings, confidence=confidence),
        )
    except RadiomicsError as error:
        return Stability(name=name, cases=len(rows), repetitions=repetitions, reason=str(error))
