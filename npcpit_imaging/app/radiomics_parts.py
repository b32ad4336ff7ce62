"""One file a case, whole or absent: features as they were computed, or the reason why there are none."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from npcpit_imaging.config.radiomics import Family
from npcpit_imaging.dicom.durable import sync_folder, write_synced
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.feature import Feature, FeatureTable, Provenance, Status

PARTS = "parts"
"""Folder of the parts within the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is kept of one case.

    Args:
        case: Its name.
        reason: Why it has no values; empty where it has.
        inputs: Digest of everything the values depend on but the settings.
        modality: The image's modality.
        notes: What was noticed of image and mask.
        created: When it was computed, ISO 8601.
        tables: Its features; more than one where it was computed under perturbations.
    """

    case: str
    reason: str = ""
    inputs: str = ""
    modality: str = ""
    notes: str = ""
    created: str = ""
    tables: tuple[FeatureTable, ...] = ()


def part_path(output: Path, case: str) -> Path:
    """Where a case's part lies; named by a digest, for a case's name may hold what a file's must not."""
    return output / PARTS / f"{hashlib.sha256(case.encode()).hexdigest()[:32]}.json"


def write_part(path: Path, part: Part) -> None:
    """Write a part so that a power cut or kill -9 leaves the old one or the new one, never half of one.

    Raises:
        InputError: The disk refuses.
    """
    content = json.dumps(asdict(part), ensure_ascii=False, allow_nan=False).encode()
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)
        write_synced(draft, content)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be written ({error.strerror or 'unknown reason'})") from error


def read_part(path: Path) -> Part | None:
    """Read a part; None where there is none yet.

    Raises:
        InputError: The file is no part.
    """
    try:
        values = json.loads(path.read_bytes())
        tables = tuple(_table(each["features"], each["provenance"]) for each in values.pop("tables"))
        return Part(**values, tables=tables)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.name}: expected a case's results, found something else; remove the file") from error


def _table(features: list[dict[str, str]], provenance: dict[str, list[float]]) -> FeatureTable:
    before, after = (tuple(provenance.pop(name)) for name in ("spacing_before_mm", "spacing_after_mm"))
    return FeatureTable(
        features=tuple(_feature(**each) for each in features),
        provenance=Provenance(**provenance, spacing_before_mm=before, spacing_after_mm=after),  # type: ignore[arg-type]
    )


def _feature(*, family: str, status: str, **rest: str) -> Feature:
    return Feature(family=Family(family), status=Status(status), **rest)  # type: ignore[arg-type]  # checked by JSON
