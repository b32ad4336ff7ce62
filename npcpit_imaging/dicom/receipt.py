"""What the spool hands back for a received object: stored, already stored or quarantined."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from npcpit_imaging.dicom.part10 import ObjectHeader
from npcpit_imaging.study.finding import Finding


class Outcome(StrEnum):
    """What became of a received object."""

    STORED = "stored"
    ALREADY_STORED = "already-stored"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledObject:
    """A durable object that waits for ingestion.

    Args:
        path: The Part-10 file.
        header: What its file meta says.
        dataset_bytes: Length of the data set, which is exactly as received.
        digest: SHA-256 (hex) of the transfer syntax UID, a zero byte and the data set's bytes.
    """

    path: Path
    header: ObjectHeader
    dataset_bytes: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The durable end of one object's reception.

    Args:
        outcome: Stored, already stored or quarantined.
        spooled: The object when it was stored now.
        finding: Why it was quarantined.
    """

    outcome: Outcome
    spooled: SpooledObject | None = None
    finding: Finding | None = None
