"""What objects that are computed have in common: UIDs from their inputs (PS3.5 annex B.2, root 2.25), their moment."""

import hashlib
from datetime import datetime

from pydicom.dataset import Dataset


def derived_uid(*parts: str) -> str:
    """A UID made from texts, the same wherever it is computed.

    Example:
        >>> derived_uid("lesion", "T01") == derived_uid("lesion", "T01") != derived_uid("lesion", "T02")
        True
    """
    digest = hashlib.sha256("\n".join(parts).encode()).digest()[:16]
    return f"2.25.{int.from_bytes(digest, 'big')}"


def stamp(dataset: Dataset, moment: datetime) -> None:
    """Write when an object was made over the clock's time that a library put there, so that it can be made again."""
    day, time = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
    dataset.InstanceCreationDate = dataset.ContentDate = day
    dataset.InstanceCreationTime = dataset.ContentTime = time
