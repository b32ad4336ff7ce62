"""When a series counts as complete: receiving, then complete (counted), quiet or incomplete; a late object reopens it.

A pull that counted says `mark_complete` or `mark_incomplete`; a series that was pushed is judged by `settle`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.held import held_instances
from npcpit_imaging.store.images import OPEN_STATES, SeriesState
from npcpit_imaging.store.schema import InstanceRow, SeriesRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSeries:
    """A series that may still grow.

    Args:
        uid: As the study knows it.
        instances: How many objects it has.
        expected: How many somebody who counted said it has; None when nobody did.
        updated: When its newest object came (UTC).
    """

    uid: str
    instances: int
    expected: int | None
    updated: datetime


def mark_complete(session: Session, series_uid: str, *, expected: Iterable[str]) -> None:
    """Record that a series holds every object that its archive lists.

    Args:
        session: One transaction.
        series_uid: As the study knows it.
        expected: SOP Instance UIDs, as the study knows them, of everything the archive lists.

    Raises:
        StoreError: The series is not in the study, or not all of these objects are; nothing is changed.
    """
    row = _series(session, series_uid)
    wanted = set(expected)
    missing = wanted - held_instances(session, wanted)
    if missing or not wanted:
        raise StoreError(
            f"series {series_uid}: expected all of {len(wanted)} listed objects, found {len(wanted) - len(missing)}"
        )
    row.state, row.state_reason, row.expected = SeriesState.COMPLETE.value, "", len(wanted)


def mark_incomplete(session: Session, series_uid: str, *, expected: int, reason: str) -> None:
    """Record that objects of a series are known to be missing.

    Args:
        session: One transaction.
        series_uid: As the study knows it.
        expected: How many objects its archive lists; until they are there, no silence makes the series quiet.
        reason: Why they are missing, without an identifier.

    Raises:
        StoreError: The series is not in the study.
    """
    row = _series(session, series_uid)
    row.state, row.state_reason, row.expected = SeriesState.INCOMPLETE.value, reason, expected


def open_series_of(session: Session) -> list[OpenSeries]:
    """Every series that may still grow, by UID."""
    rows = session.execute(
        select(SeriesRow, func.count(InstanceRow.sop_instance_uid))
        .outerjoin(InstanceRow, InstanceRow.series_uid == SeriesRow.uid)
        .where(SeriesRow.state.in_([state.value for state in OPEN_STATES]))
        .group_by(SeriesRow.uid)
        .order_by(SeriesRow.uid)
    )
    return [
        OpenSeries(uid=row.uid, instances=count, expected=row.expected, updated=as_utc(row.updated))
        for row, count in rows
    ]


def settle(session: Session, series: OpenSeries, *, fault: str) -> SeriesState:
    """Judge a series in which nothing has moved for long enough; one that has moved since it was looked at stays open.

    Args:
        session: One transaction.
        series: As `open_series_of` gave it, before its geometry was looked at.
        fault: Why its geometry is not that of a whole series; empty when it is plausible.

    Returns:
        The state it is in now.
    """
    row = _series(session, series.uid, lock=True)
    count = session.scalar(select(func.count()).where(InstanceRow.series_uid == series.uid))
    if as_utc(row.updated) != series.updated or count != series.instances:
        return SeriesState(row.state)
    short = series.expected is not None and series.instances < series.expected
    reason = f"expected {series.expected} objects, found {series.instances}" if short else fault
    row.state = (SeriesState.INCOMPLETE if reason else SeriesState.QUIET).value
    row.state_reason = reason
    return SeriesState(row.state)


def _series(session: Session, series_uid: str, *, lock: bool = False) -> SeriesRow:
    row = session.get(SeriesRow, series_uid, with_for_update=True if lock else None)
    if row is None:
        raise StoreError(f"series {series_uid}: not in this study")
    return row


def as_utc(moment: datetime) -> datetime:
    """A stored moment as UTC: SQLite forgets the zone, in which every moment of the store is."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
