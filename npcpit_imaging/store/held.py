"""Which objects the index holds, by SOP Instance UID, and whose they are."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import InstanceRow, SeriesRow

CHUNK = 500
"""UIDs in one query; databases limit the number of parameters."""


def held_instances(session: Session, uids: Iterable[str]) -> set[str]:
    """Those of the SOP Instance UIDs (as stored) that are in the index."""
    asked, held = list(uids), set[str]()
    for start in range(0, len(asked), CHUNK):
        names = asked[start : start + CHUNK]
        held.update(
            session.scalars(select(InstanceRow.sop_instance_uid).where(InstanceRow.sop_instance_uid.in_(names)))
        )
    return held


def subject_of_series(session: Session, series_uid: str) -> str | None:
    """Whose a series is; None where the index does not hold it."""
    row = session.get(SeriesRow, series_uid)
    return None if row is None else row.subject
