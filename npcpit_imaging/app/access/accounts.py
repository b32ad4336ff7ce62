"""Accounts: made on the command line or by an administrator, argon2id passwords, lock-out after wrong ones."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from npcpit_imaging.app.access.roles import Principal, Role, conflict, permissions_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.server import ServerSite
from npcpit_imaging.errors import AccessError, InputError, LockedOutError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.reading_schema import AccountRow, LoginSessionRow

MIN_PASSWORD = 12
"""Shortest password; length is what counts (NIST SP 800-63B allows 8)."""

MAX_PASSWORD = 256
"""A longer one is no password but an attempt to keep the server busy."""

USERNAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
"""What a user name looks like; it stands in file names and tables."""

WRONG = "user name or password is wrong"
"""The one answer to an unknown user, a wrong password, a disabled account."""

HASHER = PasswordHasher()
"""Argon2id with the library's parameters (RFC 9106, second recommended option)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account without its secrets."""

    username: str
    full_name: str
    code: str
    roles: frozenset[Role]
    disabled: bool
    locked: bool
    oidc: bool


def roles_from(names: Iterable[str]) -> frozenset[Role]:
    """Roles by name.

    Raises:
        InputError: There is none, one is unknown, or two must not be one person's.
    """
    try:
        roles = frozenset(Role(name.strip().lower()) for name in names)
    except ValueError as error:
        raise InputError(f"role: expected one of {', '.join(Role)}, found another") from error
    if not roles:
        raise InputError(f"role: expected at least one of {', '.join(Role)}, found none")
    if reason := conflict(roles):
        raise InputError(f"roles: {reason}")
    return roles


def check_password(password: str) -> None:
    """Refuse a password that is too short or too long.

    Raises:
        InputError: It is.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InputError(f"password: expected {MIN_PASSWORD} to {MAX_PASSWORD} characters, found {len(password)}")


def new_password() -> str:
    """A random password for somebody who will be told it."""
    return secrets.token_urlsafe(12)


def add_account(
    study: Study,
    username: str,
    *,
    roles: frozenset[Role],
    password: str = "",
    full_name: str = "",
    oidc_subject: str | None = None,
    actor: str = "command line",
) -> None:
    """Make an account with a password, or one that signs in with OIDC alone.

    Raises:
        InputError: The name, the password or the roles cannot be used, or the name is taken.
    """
    if not USERNAME.fullmatch(username):
        raise InputError("user name: expected a small letter, then at most 31 small letters, digits, . _ or -")
    if reason := conflict(roles):
        raise InputError(f"roles: {reason}")
    if oidc_subject is None:
        check_password(password)
    hashed = "" if oidc_subject is not None else HASHER.hash(password)
    with study.database.session() as session:
        if session.get(AccountRow, username) is not None:
            raise InputError(f"user {username}: there is one already")
        row = AccountRow(
            username=username,
            full_name=full_name or username,
            code=_next_code(session),
            roles=",".join(sorted(roles)),
            password_hash=hashed,
            oidc_subject=oidc_subject,
            disabled=False,
            failures=0,
            locked_until=None,
            created=study.now(),
        )
        session.add(row)
        session.flush()
        detail = {"roles": row.roles, "oidc": oidc_subject is not None}
        append_audit(session, actor=actor, action="account.add", now=study.now(), item=username, detail=detail)


def _next_code(session: Session) -> str:
    return f"R{(session.scalar(select(func.count()).select_from(AccountRow)) or 0) + 1}"


def set_password(study: Study, username: str, password: str, *, actor: str = "command line") -> None:
    """Give an account a new password, open it, and sign it out everywhere.

    Raises:
        InputError: There is no such account, or the password cannot be used.
    """
    check_password(password)
    hashed = HASHER.hash(password)
    with study.database.session() as session:
        row = _row(session, username)
        row.password_hash, row.failures, row.locked_until = hashed, 0, None
        _sign_out_everywhere(session, username)
        append_audit(session, actor=actor, action="account.password", now=study.now(), item=username)


def set_disabled(study: Study, username: str, *, disabled: bool, actor: str) -> None:
    """Close an account, which signs it out everywhere, or open it again."""
    with study.database.session() as session:
        _row(session, username).disabled = disabled
        if disabled:
            _sign_out_everywhere(session, username)
        action = "account.disable" if disabled else "account.enable"
        append_audit(session, actor=actor, action=action, now=study.now(), item=username)


def unlock(study: Study, username: str, *, actor: str) -> None:
    """End a lock-out."""
    with study.database.session() as session:
        row = _row(session, username)
        row.failures, row.locked_until = 0, None
        append_audit(session, actor=actor, action="account.unlock", now=study.now(), item=username)


def accounts(study: Study) -> list[Account]:
    """Every account by name, without secrets."""
    with study.database.session() as session:
        rows = list(session.scalars(select(AccountRow).order_by(AccountRow.username)))
        return [
            Account(
                username=row.username,
                full_name=row.full_name,
                code=row.code,
                roles=frozenset(Role(name) for name in row.roles.split(",")),
                disabled=row.disabled,
                locked=_seconds_locked(row, study.now()) > 0,
                oidc=row.oidc_subject is not None,
            )
            for row in rows
        ]


def check_credentials(study: Study, username: str, password: str) -> Principal:
    """Tell who somebody is by name and password; wrong ones are counted and end in a lock-out.

    Raises:
        AccessError: The name or the password is wrong; the message does not say which.
        LockedOutError: Too many wrong passwords came before.
    """
    site, now = study.site.server, study.now()
    with study.database.session() as session:
        row = session.get(AccountRow, username)
        usable = row is not None and not row.disabled and row.password_hash != ""
        hashed = row.password_hash if row is not None and usable else _nobody_s_hash()
        if row is not None and (seconds := _seconds_locked(row, now)) > 0:
            raise LockedOutError(f"too many wrong passwords: try again in {seconds} s", seconds=seconds)
    right = len(password) <= MAX_PASSWORD and _matches(hashed, password) and usable
    with study.database.session() as session:
        if row is not None:
            _count(session, username, right=right, site=site, now=now)
        if not right or row is None:
            known = username if row is not None else "(unknown)"
            append_audit(session, actor=known, action="session.refused", now=now, item=known)
    if not right or row is None:
        raise AccessError(WRONG)
    return principal_of(row)


def principal_of(row: AccountRow) -> Principal:
    """An account as somebody who asks."""
    roles = frozenset(Role(name) for name in row.roles.split(","))
    return Principal(
        name=row.username, full_name=row.full_name, code=row.code, roles=roles, permissions=permissions_of(roles)
    )


def _count(session: Session, username: str, *, right: bool, site: ServerSite, now: datetime) -> None:
    """Count in the database itself, so that two attempts at once are two."""
    mine = update(AccountRow).where(AccountRow.username == username)
    if right:
        session.execute(mine.values(failures=0, locked_until=None))
        return
    session.execute(mine.values(failures=AccountRow.failures + 1))
    until = now + timedelta(minutes=site.lock_out_minutes)
    session.execute(mine.where(AccountRow.failures >= site.lock_out_after).values(failures=0, locked_until=until))


def _seconds_locked(row: AccountRow, now: datetime) -> int:
    if row.locked_until is None:
        return 0
    return max(0, int((utc(row.locked_until) - now).total_seconds() + 0.999))


def _matches(hashed: str, password: str) -> bool:
    try:
        return HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody_s_hash() -> str:
    """What an unknown user's password is compared with, so that it takes as long as a known one's."""
    return HASHER.hash(secrets.token_hex(16))


def _sign_out_everywhere(session: Session, username: str) -> None:
    for row in session.scalars(select(LoginSessionRow).where(LoginSessionRow.username == username)):
        session.delete(row)


def _row(session: Session, username: str) -> AccountRow:
    row = session.get(AccountRow, username)
    if row is None:
        raise InputError(f"user {username}: there is none")
    return row
