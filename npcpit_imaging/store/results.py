"""What was computed: registrations, responses, features, deliveries."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import DeliveryRow, FeatureRow, JsonObject, RegistrationRow, ResponseRow


def put_registration(session: Session, row: RegistrationRow) -> None:
    """Store a registration unless the newest of its two series has the same key."""
    newest = registration_between(session, row.fixed_series_uid, row.moving_series_uid)
    if newest is None or newest.key != row.key:
        session.add(row)
        session.flush()


def registration_between(session: Session, fixed_series_uid: str, moving_series_uid: str) -> RegistrationRow | None:
    """The newest registration of two series, or None when they were never registered."""
    return session.scalars(
        select(RegistrationRow)
        .where(
            RegistrationRow.fixed_series_uid == fixed_series_uid,
            RegistrationRow.moving_series_uid == moving_series_uid,
        )
        .order_by(RegistrationRow.id.desc())
    ).first()


def replace_responses(
    session: Session,
    subject: str,
    *,
    key: str,
    rows: Iterable[tuple[str, str, str | None, str | None, JsonObject]],
    now: datetime,
) -> None:
    """Replace a subject's computed responses; they are derived from the reads and can always be computed again.

    Args:
        session: One transaction.
        subject: Subject code.
        key: Digest of what they were computed from.
        rows: (reader, level, time point, lesion ID, values), level being timepoint, lesion or subject.
        now: When (UTC).
    """
    session.execute(delete(ResponseRow).where(ResponseRow.subject == subject))
    session.add_all(
        ResponseRow(
            subject=subject,
            reader=reader,
            level=level,
            timepoint=timepoint,
            lesion_id=lesion_id,
            values=values,
            key=key,
            created=now,
        )
        for reader, level, timepoint, lesion_id, values in rows
    )


def responses_of(session: Session, subject: str) -> list[ResponseRow]:
    """A subject's computed responses in the order they were computed."""
    return list(session.scalars(select(ResponseRow).where(ResponseRow.subject == subject).order_by(ResponseRow.id)))


def put_features(session: Session, proposal_id: int, settings_sha256: str, rows: Sequence[FeatureRow]) -> None:
    """Replace the features of one mask under one settings digest."""
    session.execute(
        delete(FeatureRow).where(FeatureRow.proposal_id == proposal_id, FeatureRow.settings_sha256 == settings_sha256)
    )
    session.add_all(rows)


def features(session: Session) -> list[FeatureRow]:
    """Every feature row, by proposal and tag."""
    return list(session.scalars(select(FeatureRow).order_by(FeatureRow.proposal_id, FeatureRow.id)))


def put_delivery(session: Session, *, path: str, subject: str, kind: str, sha256: str, now: datetime) -> None:
    """Record a delivered file; a file delivered again takes the place of the earlier one."""
    session.merge(DeliveryRow(path=path, subject=subject, kind=kind, sha256=sha256, created=now))


def deliveries(session: Session) -> list[DeliveryRow]:
    """Every delivered file by path."""
    return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.path)))
