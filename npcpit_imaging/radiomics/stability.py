"""Which features survive small changes of image and mask, or another reader's mask: ICC per feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from npcpit_imaging.config.radiomics import Normalise, RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import FeatureTable, key
from npcpit_imaging.radiomics.filters import margin_mm
from npcpit_imaging.radiomics.icc import CONFIDENCE, Icc, icc_2_1, icc_3_1
from npcpit_imaging.radiomics.local_intensity import PEAK_RADIUS_MM
from npcpit_imaging.radiomics.perturb import SURFACE_MARGIN_MM, Perturbation, perturb
from npcpit_imaging.radiomics.region import bounding_box
from npcpit_imaging.volume.volume import Mask, Volume, require_same_grid

STABLE_FROM = 0.75
"""Lower confidence bound of ICC(2,1) from which a feature counts as stable ("good", Koo and Li 2016)."""

CORNER = 1.5
"""A little more than the root of two: the corner of a square that is turned stays within."""


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

    Only a block around the region is perturbed, its noise estimated there, unless intensities are normalised over the
    whole body.

    Raises:
        GeometryError: The mask lies on another grid than the image.
        RadiomicsError: The mask is empty, or a perturbation leaves none.
    """
    require_same_grid(volume, mask)
    if settings.normalise == Normalise():
        displaced_mm = SURFACE_MARGIN_MM + max((4.0 * each.contour_mm for each in changes), default=0.0)
        around_mm = displaced_mm + max([PEAK_RADIUS_MM, *_filter_margins_mm(settings, volume)])
        volume, mask = block_around(volume, mask, around_mm)
    return [extract(*perturb(volume, mask, change), settings) for change in changes]


def _filter_margins_mm(settings: RadiomicsSettings, volume: Volume) -> list[float]:
    """How far beyond the region each filter reaches, in mm."""
    spacing_mm = settings.resampling.spacing_mm or max(volume.geometry.spacing_mm)
    return [margin_mm(chosen, spacing_mm) for chosen in settings.filters]


def block_around(volume: Volume, mask: Mask, margin_mm: float) -> tuple[Volume, Mask]:
    """Return image and mask within a block that holds the region, turned by any angle, and a margin around it.

    Raises:
        RadiomicsError: The mask is empty.
    """
    box = bounding_box(mask.voxels)
    spacing = np.array(volume.geometry.spacing_mm[::-1])
    size = np.array([side.stop - side.start for side in box])
    reach_mm = CORNER * (np.linalg.norm(size * spacing) / 2.0 + margin_mm)
    middle = np.array([side.start for side in box]) + size / 2.0
    start = np.maximum(np.floor(middle - reach_mm / spacing), 0).astype(int)
    stop = np.minimum(np.ceil(middle + reach_mm / spacing), volume.geometry.shape_kji).astype(int)
    k, j, i = (slice(int(one), int(other)) for one, other in zip(start, stop, strict=True))
    geometry = volume.geometry.crop((k.start, j.start, i.start), (k.stop - k.start, j.stop - j.start, i.stop - i.start))
    return (
        replace(volume, voxels=volume.voxels[k, j, i], geometry=geometry),
        replace(mask, voxels=mask.voxels[k, j, i], geometry=geometry),
    )


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
