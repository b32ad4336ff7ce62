"""The order of a core lab's reading: a visit opens to a reader when the reader has signed every earlier one."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from npcpit_imaging.app.access.roles import Permission, Principal
from npcpit_imaging.errors import AccessError, LockedTimepointError
from npcpit_imaging.store.assignments import AssignmentKind, assignments
from npcpit_imaging.store.drafts import open_draft
from npcpit_imaging.store.images import IMAGE_MODALITIES, SeriesSummary, series_of, timepoint_id, timepoints
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.reads import newest_reads
from npcpit_imaging.store.schema import SeriesRow


class VisitStatus(StrEnum):
    """How far a reader is with a visit."""

    OPEN = "open"
    DRAFT = "draft"
    SIGNED = "signed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedVisit:
    """One visit as one reader stands to it.

    Args:
        name: Its name.
        date: Its date.
        status: How far the reader is.
        version: Of the reader's newest signed read; 0 when there is none.
        signed: When that was signed.
        locked_because: Why it is not open yet; empty when it is.
    """

    name: str
    date: date
    status: VisitStatus
    version: int = 0
    signed: datetime | None = None
    locked_because: str = ""


def visits_of(session: Session, subject: str, reader: str) -> list[PlacedVisit]:
    """A subject's visits in date order as a reader stands to them."""
    signed = {each.timepoint: each for each in newest_reads(session, subject) if each.reader == reader}
    placed: list[PlacedVisit] = []
    waiting_for = ""
    for point in timepoints(session, subject):
        drafted = open_draft(session, timepoint_id(session, subject, point.name), reader) is not None
        own = signed.get(point.name)
        status = VisitStatus.SIGNED if own is not None and not drafted else VisitStatus.OPEN
        status = VisitStatus.DRAFT if drafted else status
        if waiting_for and own is None:
            status = VisitStatus.LOCKED
        placed.append(
            PlacedVisit(
                name=point.name,
                date=point.date,
                status=status,
                version=0 if own is None else own.version,
                signed=None if own is None else utc(own.signed),
                locked_because=f"{waiting_for} must be signed first" if status is VisitStatus.LOCKED else "",
            )
        )
        waiting_for = waiting_for or ("" if own is not None else point.name)
    return placed


def require_open(session: Session, principal: Principal, subject: str, timepoint: str) -> PlacedVisit:
    """Let a reader at a visit that is assigned and open to him.

    Raises:
        AccessError: It is not assigned to this reader; the message is the same whether it exists or not.
        LockedTimepointError: An earlier one must be signed first.
    """
    if Permission.READ not in principal.permissions or not is_assigned(session, principal, subject, timepoint):
        raise AccessError(f"{subject} {timepoint}: not assigned to you")
    found = {each.name: each for each in visits_of(session, subject, principal.name)}
    if timepoint not in found:
        raise AccessError(f"{subject} {timepoint}: no images of this visit have come")
    if found[timepoint].status is VisitStatus.LOCKED:
        raise LockedTimepointError(f"{subject} {timepoint}: {found[timepoint].locked_because}")
    return found[timepoint]


def is_assigned(session: Session, principal: Principal, subject: str, timepoint: str) -> bool:
    """Whether somebody is to read a visit."""
    return any(
        each.kind is AssignmentKind.READER and each.timepoint in ("", timepoint)
        for each in assignments(session, username=principal.name, subject=subject)
    )


def seen_visits(session: Session, principal: Principal, subject: str) -> set[str]:
    """Names of a subject's visits whose images somebody may see now: no reader looks ahead."""
    if Permission.IMAGES not in principal.permissions:
        return set()
    every = [point.name for point in timepoints(session, subject)]
    if not principal.blinded:
        return set(every)
    work = assignments(session, username=principal.name, subject=subject)
    if any(each.kind is AssignmentKind.ADJUDICATOR for each in work):
        return set(every)
    reading = [each for each in work if each.kind is AssignmentKind.READER]
    if not reading or Permission.READ not in principal.permissions:
        return set()
    placed = visits_of(session, subject, principal.name)
    return {each.name for each in placed if each.status is not VisitStatus.LOCKED}


def seen_series(session: Session, principal: Principal, subject: str) -> list[SeriesSummary]:
    """A subject's image series that somebody may see now."""
    names = seen_visits(session, principal, subject)
    found = series_of(session, subject=subject)
    return [each for each in found if each.timepoint in names and each.modality in IMAGE_MODALITIES]


def series_seen(session: Session, principal: Principal, series_uid: str) -> SeriesSummary | None:
    """One image series, where somebody may see it now; None where there is none for this person.

    Raises:
        LockedTimepointError: It is of a visit of a subject of this reader that opens later.
    """
    row = session.get(SeriesRow, series_uid)
    if row is None or row.modality not in IMAGE_MODALITIES:
        return None
    names = seen_visits(session, principal, row.subject)
    found = next(each for each in series_of(session, subject=row.subject) if each.uid == series_uid)
    if found.timepoint in names:
        return found
    if names and found.timepoint is not None:
        raise LockedTimepointError(f"{row.subject}: this visit is not open to you yet")
    return None
