"""What objects that are computed have in common: UIDs from their inputs (PS3.5 annex B.2, root 2.25), their moment."""

import hashlib
from collections.abc import Sequence
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


def stamp(dataset: Dataset, moment: datetime, identity: Sequence[str]) -> None:
    """Put what a library took from the clock and from chance under our rule, so that an object can be made again.

    Args:
        dataset: A new object; changed.
        moment: When its content was decided.
        identity: What the object is made from.
    """
    day, time = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
    dataset.InstanceCreationDate = dataset.ContentDate = day
    dataset.InstanceCreationTime = dataset.ContentTime = time
    if dataset.get("ContributingEquipmentSequence"):
        dataset.ContributingEquipmentSequence[-1].ContributionDateTime = day + time  # highdicom's own, written last
    organization = derived_uid("dimension organization", *identity)
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset.get(keyword) or []:
            item.DimensionOrganizationUID = organization
