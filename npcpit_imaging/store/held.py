"""Which objects the index holds, by SOP Instance UID."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import InstanceRow

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
