"""Digests of a series' objects: what a result computed from it depends on."""

import hashlib
from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import InstanceRow, SeriesRow


def inputs_digest(session: Session, series_uid: str) -> tuple[str, ...]:
    """Digests of a series' objects, sorted: what a result computed from it depends on."""
    return tuple(sorted(session.scalars(select(InstanceRow.sha256).where(InstanceRow.series_uid == series_uid))))


def series_digest(session: Session, series_uid: str) -> str:
    """One digest of all objects of a series: it changes when an object is added."""
    return _digest(inputs_digest(session, series_uid))


def series_digests(session: Session, subjects: Collection[str]) -> dict[str, str]:
    """`series_digest` of every series of some subjects."""
    rows = session.execute(
        select(SeriesRow.uid, InstanceRow.sha256)
        .outerjoin(InstanceRow, InstanceRow.series_uid == SeriesRow.uid)
        .where(SeriesRow.subject.in_(subjects))
    )
    parts: dict[str, list[str]] = {}
    for uid, digest in rows:
        parts.setdefault(uid, []).extend(() if digest is None else (digest,))
    return {uid: _digest(sorted(own)) for uid, own in parts.items()}


def _digest(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
