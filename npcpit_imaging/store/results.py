"""What was computed: registrations, responses, features, deliveries."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import (
    DeliveryRow,
    FeatureRow,
    JsonObject,
    LesionRow,
    ProposalRow,
    RegistrationRow,
    ResponseRow,
    SeriesRow,
)


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


def registrations_of_each(session: Session, subjects: Collection[str]) -> list[tuple[str, RegistrationRow]]:
    """Every registration of some subjects with whose it is, in their order."""
    rows = session.execute(
        select(SeriesRow.subject, RegistrationRow)
        .join(SeriesRow, RegistrationRow.fixed_series_uid == SeriesRow.uid)
        .where(SeriesRow.subject.in_(subjects))
        .order_by(RegistrationRow.id)
    )
    return [(subject, row) for subject, row in rows]


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
    put_responses(session, {subject: (key, list(rows))}, now=now)


def put_responses(
    session: Session,
    found: Mapping[str, tuple[str, Sequence[tuple[str, str, str | None, str | None, JsonObject]]]],
    *,
    now: datetime,
) -> None:
    """`replace_responses` of several subjects: key and rows by subject."""
    session.execute(delete(ResponseRow).where(ResponseRow.subject.in_(list(found))))
    rows = [
        {
            "subject": subject,
            "reader": reader,
            "level": level,
            "timepoint": timepoint,
            "lesion_id": lesion_id,
            "values": values,
            "key": key,
            "created": now,
        }
        for subject, (key, own) in found.items()
        for reader, level, timepoint, lesion_id, values in own
    ]
    if rows:
        # plain rows, for nobody asks for the objects
        session.connection().execute(insert(cast("Table", ResponseRow.__table__)), rows)


def responses_of(session: Session, subject: str) -> list[ResponseRow]:
    """A subject's computed responses in the order they were computed."""
    return list(session.scalars(select(ResponseRow).where(ResponseRow.subject == subject).order_by(ResponseRow.id)))


def put_features(session: Session, proposal_id: int, settings_sha256: str, rows: Sequence[FeatureRow]) -> None:
    """Replace the features of one mask under one settings digest."""
    session.execute(
        delete(FeatureRow).where(FeatureRow.proposal_id == proposal_id, FeatureRow.settings_sha256 == settings_sha256)
    )
    session.add_all(rows)


def features(session: Session, proposal_ids: Collection[int] | None = None) -> list[FeatureRow]:
    """Every feature row, or those of some proposals, by proposal and tag."""
    query = select(FeatureRow).order_by(FeatureRow.proposal_id, FeatureRow.id)
    return list(
        session.scalars(query if proposal_ids is None else query.where(FeatureRow.proposal_id.in_(proposal_ids)))
    )


def feature_digests(session: Session, subjects: Collection[str]) -> dict[str, str]:
    """One digest over all features of each of some subjects; a subject without any is left out."""
    rows = session.execute(
        select(
            LesionRow.subject,
            FeatureRow.proposal_id,
            FeatureRow.settings_sha256,
            FeatureRow.filter,
            FeatureRow.tag,
            FeatureRow.status,
            FeatureRow.value,
            FeatureRow.reason,
        )
        .join(ProposalRow, FeatureRow.proposal_id == ProposalRow.id)
        .join(LesionRow, ProposalRow.tracking_uid == LesionRow.tracking_uid)
        .where(LesionRow.subject.in_(subjects))
        .order_by(FeatureRow.proposal_id, FeatureRow.id)
        .execution_options(yield_per=20_000)
    )
    states: dict[str, hashlib._Hash] = {}
    for subject, proposal, settings, filtered, tag, status, value, reason in rows:
        text = f"{proposal} {settings} {filtered} {tag} {status} {value!r} {reason}".encode()
        if subject in states:
            states[subject].update(b"\n" + text)
        else:
            states[subject] = hashlib.sha256(text)
    return {subject: state.hexdigest() for subject, state in states.items()}


def put_delivery(session: Session, *, path: str, subject: str, kind: str, sha256: str, now: datetime) -> None:
    """Record a delivered file; a file delivered again takes the place of the earlier one."""
    session.merge(DeliveryRow(path=path, subject=subject, kind=kind, sha256=sha256, created=now))


def deliveries(session: Session, subjects: Collection[str]) -> list[DeliveryRow]:
    """Every delivered file of some subjects by path."""
    return list(
        session.scalars(select(DeliveryRow).where(DeliveryRow.subject.in_(subjects)).order_by(DeliveryRow.path))
    )


def any_delivery(session: Session) -> bool:
    """Whether a file was ever delivered."""
    return session.scalar(select(DeliveryRow.path).limit(1)) is not None
