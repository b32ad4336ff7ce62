"""Sessions of signed-in browsers: kept at the server, known by a random identifier that is new at every sign-in."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from npcpit_imaging.app.access.accounts import check_credentials, principal_of
from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import AccessError, SignedOutError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.reading_schema import AccountRow, LoginSessionRow

ID_BYTES = 32
"""Randomness of a session's identifier and of its CSRF token."""

SEEN_EVERY = timedelta(seconds=30)
"""How stale the note of the last request may become, so that not every frame is a write."""

REAUTHENTICATED_FOR = timedelta(minutes=5)
"""How long after proving at the provider, for a signature, who one is, signatures are accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """A signed-in browser.

    Args:
        principal: Who.
        csrf: What unsafe requests must show.
        method: ``password`` or ``oidc``.
        authenticated: When the person last proved who they are; with OIDC: for a signature.
        id_sha256: Digest of the identifier.
    """

    principal: Principal
    csrf: str
    method: str
    authenticated: datetime
    id_sha256: str


def sign_in(study: Study, username: str, password: str, *, replacing: str = "") -> tuple[str, LoginSession]:
    """Begin a session; returns its identifier, which is never stored, and the session.

    Args:
        study: The study.
        username: Who.
        password: Their password.
        replacing: Identifier of the browser's earlier session, which ends.

    Raises:
        AccessError: The name or the password is wrong.
        LockedOutError: Too many wrong passwords came before.
    """
    principal = check_credentials(study, username, password)
    return begin(study, principal, method="password", replacing_sha256=digest(replacing))


def begin(
    study: Study,
    principal: Principal,
    *,
    method: str,
    replacing_sha256: str = "",
    authenticated: datetime | None = None,
) -> tuple[str, LoginSession]:
    """Begin a session for somebody who proved who they are; always a new identifier (no fixation).

    Args:
        study: The study.
        principal: Who.
        method: ``password`` or ``oidc``.
        replacing_sha256: Digest of the identifier of the browser's earlier session, which ends.
        authenticated: When the person last proved for a signature who they are; now when not given.
    """
    identifier, csrf, now = secrets.token_urlsafe(ID_BYTES), secrets.token_urlsafe(ID_BYTES), study.now()
    authenticated = authenticated or now
    row = LoginSessionRow(
        id_sha256=digest(identifier),
        username=principal.name,
        csrf=csrf,
        method=method,
        created=now,
        authenticated=authenticated,
        seen=now,
    )
    with study.database.session() as session:
        session.execute(delete(LoginSessionRow).where(LoginSessionRow.id_sha256 == replacing_sha256))
        _drop_old(session, study, now)
        session.add(row)
        session.flush()
        append_audit(session, actor=principal.name, action="session.begin", now=now, detail={"method": method})
    found = LoginSession(
        principal=principal, csrf=csrf, method=method, authenticated=authenticated, id_sha256=row.id_sha256
    )
    return identifier, found


def _drop_old(session: Session, study: Study, now: datetime) -> None:
    oldest = now - timedelta(hours=study.site.server.session_hours)
    session.execute(delete(LoginSessionRow).where(LoginSessionRow.created < oldest))


def find_session(study: Study, identifier: str) -> LoginSession:
    """The session of an identifier; a request on it keeps it from idling.

    Raises:
        SignedOutError: There is none, it idled too long or is too old, or its account was closed.
    """
    site, now = study.site.server, study.now()
    with study.database.session() as session:
        row = session.get(LoginSessionRow, digest(identifier))
        account = None if row is None else session.get(AccountRow, row.username)
        if row is None or account is None or account.disabled:
            raise SignedOutError("nobody is signed in")
        idle = now - utc(row.seen) > timedelta(minutes=site.idle_minutes)
        old = now - utc(row.created) > timedelta(hours=site.session_hours)
        if not (idle or old):
            if now - utc(row.seen) > SEEN_EVERY:
                row.seen = now
            return LoginSession(
                principal=principal_of(account),
                csrf=row.csrf,
                method=row.method,
                authenticated=utc(row.authenticated),
                id_sha256=row.id_sha256,
            )
        session.delete(row)
        append_audit(session, actor=row.username, action="session.idle" if idle else "session.expired", now=now)
    raise SignedOutError(f"signed out after {site.idle_minutes} min without a request" if idle else "sign in again")


def sign_out(study: Study, found: LoginSession) -> None:
    """End a session."""
    with study.database.session() as session:
        session.execute(delete(LoginSessionRow).where(LoginSessionRow.id_sha256 == found.id_sha256))
        append_audit(session, actor=found.principal.name, action="session.end", now=study.now())


def is_csrf_token(found: LoginSession, shown: str) -> bool:
    """Whether a request shows its session's token."""
    return hmac.compare_digest(found.csrf.encode(), shown.encode())


def reauthenticate(study: Study, found: LoginSession, password: str) -> str:
    """Make sure that who signs is who signed in; returns how.

    Raises:
        AccessError: The password is wrong, or signing in with OIDC was too long ago.
        LockedOutError: Too many wrong passwords.
    """
    if found.method == "oidc":
        if study.now() - found.authenticated > REAUTHENTICATED_FOR:
            raise AccessError("signing: expected you to have proved in the last 5 minutes who you are; do so again")
        return "oidc"
    check_credentials(study, found.principal.name, password)
    return "password"


def digest(identifier: str) -> str:
    """What is kept of an identifier or token."""
    return hashlib.sha256(identifier.encode()).hexdigest()
