"""Assignments: who is to read a visit, or to adjudicate a subject, and until when."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.reading_schema import AccountRow, AssignmentRow
from npcpit_imaging.store.schema import SubjectRow


class AssignmentKind(StrEnum):
    """What somebody is asked to do."""

    READER = "reader"
    ADJUDICATOR = "adjudicator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One piece of work.

    Args:
        id: Key in the store.
        subject: Whose images.
        timepoint: Which visit; empty for all of the subject's.
        username: Who is to do it.
        kind: What.
        due: The last day it is in time; None when there is none.
    """

    id: int
    subject: str
    timepoint: str
    username: str
    kind: AssignmentKind
    due: date | None


def put_assignment(
    session: Session,
    *,
    subject: str,
    timepoint: str,
    username: str,
    kind: AssignmentKind,
    due: date | None,
    now: datetime,
) -> Assignment:
    """Assign work; the same work again gets the new due date.

    Raises:
        StoreError: There is no such subject or account, the account has not the role, or would both read the subject
            and adjudicate it.
    """
    if session.get(SubjectRow, subject) is None:
        raise StoreError(f"subject {subject}: not in this study")
    account = session.get(AccountRow, username)
    if account is None or kind.value not in account.roles.split(","):
        raise StoreError(f"user {username}: expected an account with the role {kind}, found none")
    other = {each.kind for each in assignments(session, username=username, subject=subject)} - {kind}
    if other:
        raise StoreError(f"user {username}: is already {other.pop()} of {subject}; nobody adjudicates an own read")
    same = select(AssignmentRow).where(
        AssignmentRow.subject == subject,
        AssignmentRow.timepoint == timepoint,
        AssignmentRow.username == username,
        AssignmentRow.kind == kind.value,
        AssignmentRow.withdrawn.is_(None),
    )
    row = session.scalar(same)
    if row is None:
        row = AssignmentRow(
            subject=subject, timepoint=timepoint, username=username, kind=kind.value, due=due, created=now
        )
        session.add(row)
    row.due = due
    session.flush()
    return _assignment(row)


def withdraw_assignment(session: Session, key: int, *, now: datetime) -> Assignment:
    """Take an assignment back; what was signed stays.

    Raises:
        StoreError: There is no such assignment.
    """
    row = session.get(AssignmentRow, key)
    if row is None or row.withdrawn is not None:
        raise StoreError(f"assignment {key}: there is none")
    row.withdrawn = now
    session.flush()
    return _assignment(row)


def assignments(session: Session, *, username: str = "", subject: str = "") -> list[Assignment]:
    """Assignments that were not withdrawn, by subject and key."""
    query = select(AssignmentRow).where(AssignmentRow.withdrawn.is_(None))
    if username:
        query = query.where(AssignmentRow.username == username)
    if subject:
        query = query.where(AssignmentRow.subject == subject)
    return [_assignment(row) for row in session.scalars(query.order_by(AssignmentRow.subject, AssignmentRow.id))]


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        id=row.id,
        subject=row.subject,
        timepoint=row.timepoint,
        username=row.username,
        kind=AssignmentKind(row.kind),
        due=row.due,
    )
