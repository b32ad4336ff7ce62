"""Objects as DICOMweb sees them: which studies, series and instances somebody may see, and where they lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.app.access.roles import Permission, Principal
from npcpit_imaging.app.access.sequence import seen_visits, series_seen
from npcpit_imaging.store.assignments import assignments
from npcpit_imaging.store.images import IMAGE_MODALITIES, subjects
from npcpit_imaging.store.reading_schema import SubmissionRow
from npcpit_imaging.store.schema import InstanceRow, SeriesRow, TimePointRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WebInstance:
    """One object.

    Args:
        uid: SOPInstanceUID.
        sop_class_uid: Its class.
        path: Relative to the objects folder.
    """

    uid: str
    sop_class_uid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSeries:
    """One series with the objects that may be seen."""

    study_uid: str
    uid: str
    subject: str
    modality: str
    description: str
    date: date | None
    instances: tuple[WebInstance, ...]


def visible_series(session: Session, principal: Principal, *, study_uid: str = "") -> list[WebSeries]:
    """Every series that somebody may see: images of open visits, and what the person stored.

    Args:
        session: One transaction.
        principal: Who asks.
        study_uid: Only this study's.
    """
    found = []
    for subject in _asked_for(session, principal, study_uid):
        names = seen_visits(session, principal, subject)
        if names:
            found += list(_of_subject(session, principal, subject, names, study_uid))
    return found


def _asked_for(session: Session, principal: Principal, study_uid: str) -> list[str]:
    """Subjects of whom something might be answered: no other is looked at."""
    if study_uid:
        return sorted(session.scalars(select(SeriesRow.subject).where(SeriesRow.study_uid == study_uid).distinct()))
    if principal.blinded:
        return sorted({each.subject for each in assignments(session, username=principal.name)})
    return subjects(session)


def _of_subject(
    session: Session, principal: Principal, subject: str, names: set[str], study_uid: str
) -> Iterator[WebSeries]:
    query = (
        select(SeriesRow, TimePointRow.name)
        .outerjoin(TimePointRow, SeriesRow.timepoint_id == TimePointRow.id)
        .where(SeriesRow.subject == subject)
        .order_by(SeriesRow.date, SeriesRow.modality, SeriesRow.uid)
    )
    if study_uid:
        query = query.where(SeriesRow.study_uid == study_uid)
    for row, visit in session.execute(query):
        if row.modality in IMAGE_MODALITIES and visit in names:
            yield _series(session, row, None)
        elif row.modality not in IMAGE_MODALITIES:
            own = _series(session, row, principal.name if principal.blinded else None)
            if own.instances:
                yield own


def _series(session: Session, row: SeriesRow, stored_by: str | None) -> WebSeries:
    query = select(InstanceRow).where(InstanceRow.series_uid == row.uid).order_by(InstanceRow.path)
    if stored_by is not None:
        query = query.join(SubmissionRow, SubmissionRow.sop_instance_uid == InstanceRow.sop_instance_uid)
        query = query.where(SubmissionRow.username == stored_by)
    return WebSeries(
        study_uid=row.study_uid,
        uid=row.uid,
        subject=row.subject,
        modality=row.modality,
        description=row.description,
        date=row.date,
        instances=tuple(
            WebInstance(uid=each.sop_instance_uid, sop_class_uid=each.sop_class_uid, path=each.path)
            for each in session.scalars(query)
        ),
    )


def one_series(session: Session, principal: Principal, study_uid: str, series_uid: str) -> WebSeries | None:
    """One series, where somebody may see it; asked for every frame, so it looks at one series only.

    Raises:
        LockedTimepointError: It is of a visit that opens later.
    """
    row = session.get(SeriesRow, series_uid)
    if row is None or row.study_uid != study_uid or Permission.IMAGES not in principal.permissions:
        return None
    if row.modality in IMAGE_MODALITIES:
        return None if series_seen(session, principal, series_uid) is None else _series(session, row, None)
    if not seen_visits(session, principal, row.subject):
        return None
    found = _series(session, row, principal.name if principal.blinded else None)
    return found if found.instances else None
