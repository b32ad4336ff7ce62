"""Feature tables as rows and data frames: long (one row a value), wide (one row a lesion), and the data dictionary."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.feature import FeatureTable, key

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionTable:
    """One lesion's features at one time point.

    Args:
        subject: The study's own subject identifier, never the patient's.
        lesion_uid: The lesion's tracking UID.
        time_point: Name of the time point.
        table: The features.
        created: When they were computed, ISO 8601; given by the caller, who has a clock.
        case: Name of the case in a table of cases; empty elsewhere.
        reader: Whose mask it is; empty where that is not asked.
    """

    subject: str
    lesion_uid: str
    time_point: str
    table: FeatureTable
    created: str = ""
    case: str = ""
    reader: str = ""


LONG_COLUMNS: dict[str, type[str | int | float]] = (
    dict.fromkeys(("case", "subject", "lesion_uid", "time_point", "reader", "series_uid"), str)
    | dict.fromkeys(("image_digest", "mask_digest", "settings_digest"), str)
    | dict.fromkeys(("tag", "code", "family", "name", "filter"), str)
    | {"value": float, "unit": str, "pyradiomics": str, "status": str, "reason": str}
    | {"morphological_voxels": int, "intensity_voxels": int, "spacing_before_mm": str, "spacing_after_mm": str}
    | {"grey_levels": int, "engine_version": str, "created": str}
)
"""Columns of the long table, in order, and what they hold."""


def long_rows(lesion: LesionTable) -> list[dict[str, Cell]]:
    """Return one row a feature with everything that is needed to trace it."""
    source = lesion.table.provenance
    identity: dict[str, Cell] = {
        "case": lesion.case,
        "subject": lesion.subject,
        "lesion_uid": lesion.lesion_uid,
        "time_point": lesion.time_point,
        "reader": lesion.reader,
        "series_uid": source.series_uid,
        "image_digest": source.image_digest,
        "mask_digest": source.mask_digest,
        "settings_digest": source.settings_digest,
    }
    measured: dict[str, Cell] = {
        "morphological_voxels": source.morphological_voxels,
        "intensity_voxels": source.intensity_voxels,
        "spacing_before_mm": _spacing(source.spacing_before_mm),
        "spacing_after_mm": _spacing(source.spacing_after_mm),
        "grey_levels": source.grey_levels,
        "engine_version": source.engine_version,
        "created": lesion.created,
    }
    return [identity | _plain(asdict(feature)) | measured for feature in lesion.table]


def _plain(feature: dict[str, Cell]) -> dict[str, Cell]:
    return {name: str(value) if isinstance(value, str) else value for name, value in feature.items()}


def _spacing(spacing_mm: tuple[float, float, float]) -> str:
    return "x".join(f"{value:g}" for value in spacing_mm)


def long_table(lesions: Iterable[LesionTable]) -> pd.DataFrame:
    """Return every lesion's long rows under each other."""
    return pd.DataFrame([row for lesion in lesions for row in long_rows(lesion)])


WIDE_IDENTITY = ("case", "subject", "lesion_uid", "time_point", "reader")
OPTIONAL_IDENTITY = ("case", "reader")
"""Columns that stand in a wide table only where a lesion has them."""


def _any(lesions: Sequence[LesionTable], name: str) -> bool:
    return any(getattr(lesion, name) for lesion in lesions)


def wide_table(lesions: Sequence[LesionTable]) -> pd.DataFrame:
    """Return one row a lesion and time point, one column a feature; a missing value is NaN.

    Raises:
        RadiomicsError: The lesions' features were computed with different settings, or one stands there twice.
    """
    digests = {lesion.table.provenance.settings_digest for lesion in lesions}
    if len(digests) > 1:
        raise RadiomicsError(f"wide table: expected one settings digest, found {len(digests)}; export one at a time")
    identity = [name for name in WIDE_IDENTITY if name not in OPTIONAL_IDENTITY or _any(lesions, name)]
    names = [tuple(getattr(lesion, name) for name in identity) for lesion in lesions]
    if len(set(names)) != len(names):
        raise RadiomicsError("wide table: expected each lesion once a time point, found one twice")
    columns = list(dict.fromkeys(key(feature) for lesion in lesions for feature in lesion.table))
    index = pd.MultiIndex.from_tuples(names, names=identity)
    values = [lesion.table.values() for lesion in lesions]
    return pd.DataFrame(values, index=index, columns=columns, dtype="float64").reset_index()


def data_dictionary(tables: Iterable[FeatureTable]) -> list[dict[str, Cell]]:
    """Return one row a column of the wide table: what it is, its code and unit, and what it is called elsewhere."""
    rows: dict[str, dict[str, Cell]] = {}
    for table in tables:
        for feature in table:
            rows[key(feature)] = {
                "column": key(feature),
                "name": feature.name,
                "family": str(feature.family),
                "filter": feature.filter,
                "ibsi_tag": feature.tag,
                "ibsi_code": feature.code,
                "unit": feature.unit,
                "pyradiomics": feature.pyradiomics,
                "settings_digest": table.provenance.settings_digest,
            }
    return list(rows.values())
