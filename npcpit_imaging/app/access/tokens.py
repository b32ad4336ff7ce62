"""Tokens of programs: random, kept as digests, with scopes, revocable, shown once."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from npcpit_imaging.app.access.roles import SCOPES, Permission, Principal
from npcpit_imaging.app.access.sessions import digest
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError, SignedOutError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.reading_schema import MachineTokenRow

PREFIX = "npcpit_"
"""Begins every token, so that a leaked one can be recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineToken:
    """A token without its secret."""

    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None
    revoked: datetime | None


def add_token(
    study: Study, name: str, scopes: Iterable[str], *, days: int | None = None, actor: str = "command line"
) -> str:
    """Make a token and return it; it cannot be shown again.

    Raises:
        InputError: The name is taken or empty, or a scope is none that a program may have.
    """
    try:
        wanted = sorted({Permission(scope) for scope in scopes})
    except ValueError as error:
        raise InputError(f"scope: expected some of {', '.join(SCOPES)}, found another") from error
    if not wanted or not set(wanted) <= set(SCOPES):
        raise InputError(f"scope: expected some of {', '.join(SCOPES)}, found {', '.join(wanted) or 'none'}")
    if not 0 < len(name) <= 40 or not name.isprintable():
        raise InputError("token name: expected 1 to 40 printable characters")
    secret, now = PREFIX + secrets.token_urlsafe(32), study.now()
    with study.database.session() as session:
        if session.get(MachineTokenRow, name) is not None:
            raise InputError(f"token {name}: there is one already; names are not used twice")
        expires = None if days is None else now + timedelta(days=days)
        session.add(
            MachineTokenRow(
                name=name, sha256=digest(secret), scopes=",".join(wanted), created=now, expires=expires, revoked=None
            )
        )
        append_audit(session, actor=actor, action="token.add", now=now, item=name, detail={"scopes": wanted})
    return secret


def revoke_token(study: Study, name: str, *, actor: str = "command line") -> None:
    """Take a token back; it stays on record.

    Raises:
        InputError: There is none.
    """
    with study.database.session() as session:
        row = session.get(MachineTokenRow, name)
        if row is None:
            raise InputError(f"token {name}: there is none")
        row.revoked = row.revoked or study.now()
        append_audit(session, actor=actor, action="token.revoke", now=study.now(), item=name)


def tokens(study: Study) -> list[MachineToken]:
    """Every token by name."""
    with study.database.session() as session:
        rows = session.scalars(select(MachineTokenRow).order_by(MachineTokenRow.name))
        return [
            MachineToken(
                name=row.name,
                scopes=tuple(row.scopes.split(",")),
                created=utc(row.created),
                expires=None if row.expires is None else utc(row.expires),
                revoked=None if row.revoked is None else utc(row.revoked),
            )
            for row in rows
        ]


def find_token(study: Study, secret: str) -> Principal:
    """Who a token stands for.

    Raises:
        SignedOutError: It is unknown, expired or revoked.
    """
    with study.database.session() as session:
        row = session.scalar(select(MachineTokenRow).where(MachineTokenRow.sha256 == digest(secret)))
        expired = row is not None and row.expires is not None and utc(row.expires) <= study.now()
        if row is None or row.revoked is not None or expired:
            raise SignedOutError("token: unknown, expired or revoked")
        scopes = frozenset(Permission(scope) for scope in row.scopes.split(","))
        return Principal(name=f"token:{row.name}", full_name=row.name, permissions=scopes)
