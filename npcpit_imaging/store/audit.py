"""The audit trail: who did what and when, written in the transaction of the change, each row bound to the one before.

A row's digest covers its content and the digest before it, so a row that was changed, taken out or put in between
breaks the chain; the head row tells of rows taken off the end. Whoever rewrites the whole chain from a row on cannot be
found by the database alone: note `AuditHead` outside now and then (`npcpit audit verify` prints it) and compare.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from npcpit_imaging.store.reading_schema import AuditHeadRow, AuditRow

HEAD = 1
"""Key of the one row of `audit_head`."""

NO_DIGEST = "0" * 64
"""What the first row stands on."""

PAGE = 1000
"""Rows read at a time while verifying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One row of the trail.

    Args:
        sequence: Its number, from 1, without gaps.
        at: When (UTC, ISO 8601).
        actor: User name, ``token:NAME``, or the reader of a table.
        action: What was done, e.g. ``read.sign``.
        subject: Whose data; empty where it is no subject's.
        item: Which time point, lesion or account.
        detail: What exactly.
        digest: Of this row and the chain before it.
    """

    sequence: int
    at: str
    actor: str
    action: str
    subject: str
    item: str
    detail: Mapping[str, object]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """Whether the trail is whole.

    Args:
        rows: How many rows were read.
        digest: Of the last good one.
        faults: What was found wrong, the first one first; empty when all is well.
    """

    rows: int
    digest: str
    faults: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """True when nothing was found wrong."""
        return not self.faults


def append_audit(
    session: Session,
    *,
    actor: str,
    action: str,
    now: datetime,
    subject: str = "",
    item: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write one row of the trail in the caller's transaction; writers queue at the head row.

    Args:
        session: The transaction of the change itself.
        actor: Who.
        action: What, e.g. ``read.sign``.
        now: When (UTC).
        subject: Whose data.
        item: Which time point, lesion or account.
        detail: What exactly; never a patient's name or identifier.
    """
    session.execute(update(AuditHeadRow).where(AuditHeadRow.id == HEAD).values(id=HEAD))  # takes the writer's lock
    sequence, previous = session.execute(
        select(AuditHeadRow.sequence, AuditHeadRow.digest).where(AuditHeadRow.id == HEAD)
    ).one()
    row = AuditRow(
        sequence=sequence + 1,
        at=now.isoformat(timespec="microseconds"),
        actor=actor,
        action=action,
        subject=subject,
        item=item,
        detail=json.dumps(dict(detail or {}), sort_keys=True, default=str),
        previous=previous,
    )
    row.digest = _digest(row)
    session.add(row)
    session.execute(
        update(AuditHeadRow).where(AuditHeadRow.id == HEAD).values(sequence=row.sequence, digest=row.digest)
    )
    session.flush()


def audit_events(session: Session, *, after: int = 0, limit: int = 100, subject: str = "") -> list[AuditEvent]:
    """Rows of the trail in order.

    Args:
        session: One transaction.
        after: Rows after this number.
        limit: At most so many.
        subject: Only this subject's.
    """
    query = select(AuditRow).where(AuditRow.sequence > after).order_by(AuditRow.sequence).limit(limit)
    if subject:
        query = query.where(AuditRow.subject == subject)
    return [_event(row) for row in session.scalars(query)]


def verify_audit(session: Session) -> AuditVerdict:
    """Walk the whole chain and say where it is broken."""
    faults: list[str] = []
    expected, previous = 1, NO_DIGEST
    while rows := _page(session, expected - 1):
        for row in rows:
            faults += _faults(row, expected, previous)
            expected, previous = row.sequence + 1, row.digest
        session.expunge_all()
    head = session.get_one(AuditHeadRow, HEAD)
    if (head.sequence, head.digest) != (expected - 1, previous):
        faults.append(
            f"the trail ends at row {expected - 1}, expected row {head.sequence}: rows were taken off or put on its end"
        )
    return AuditVerdict(rows=expected - 1, digest=previous, faults=tuple(faults))


def _page(session: Session, after: int) -> Sequence[AuditRow]:
    query = select(AuditRow).where(AuditRow.sequence > after).order_by(AuditRow.sequence).limit(PAGE)
    return session.scalars(query).all()


def _faults(row: AuditRow, expected: int, previous: str) -> list[str]:
    faults = []
    if row.sequence != expected:
        faults.append(f"row {row.sequence}: expected row {expected}, rows between were taken out")
    elif row.previous != previous:
        faults.append(f"row {row.sequence}: does not stand on the row before it")
    if row.digest != _digest(row):
        faults.append(f"row {row.sequence}: its content was changed after it was written")
    return faults


def _digest(row: AuditRow) -> str:
    parts = [row.sequence, row.at, row.actor, row.action, row.subject, row.item, row.detail, row.previous]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode("ascii")).hexdigest()


def _event(row: AuditRow) -> AuditEvent:
    return AuditEvent(
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        item=row.item,
        detail=json.loads(row.detail),
        digest=row.digest,
    )
