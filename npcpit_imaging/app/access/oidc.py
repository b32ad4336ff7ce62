"""Sign-in with OpenID Connect: authorization code with PKCE, state and nonce; accounts and roles are ours alone."""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import select

from npcpit_imaging.app.access.accounts import principal_of
from npcpit_imaging.app.access.oidc_provider import LEEWAY_S, Provider
from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.access.sessions import LoginSession, begin, digest
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import AccessError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.reading_schema import AccountRow

CALLBACK = "/api/oidc/callback"
"""Where the provider sends the browser back to."""

PENDING_FOR = timedelta(minutes=10)
"""How long somebody may take at the provider."""

MOST_PENDING = 10_000
"""Sign-ins under way that are kept; the oldest go first."""

RANDOM_BYTES = 32
"""Of state, nonce, verifier and the browser's own mark."""


class Purpose(StrEnum):
    """What a visit to the provider is for."""

    SIGN_IN = "sign-in"
    SIGN = "sign"
    """To prove again who one is, before a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sign-in under way.

    Args:
        nonce: What the ID token must hold.
        verifier: PKCE's secret.
        browser_sha256: Digest of the mark that the same browser must show.
        purpose: What it is for.
        username: Who must come back, where it is for a signature; else empty.
        session_sha256: Digest of the browser's session then, which ends: its cookie is not sent on the way back.
        begun: When.
    """

    nonce: str
    verifier: str
    browser_sha256: str
    purpose: Purpose
    username: str
    session_sha256: str
    begun: datetime


class PendingLogins:
    """Sign-ins under way, in memory, each good for one answer: after a restart people begin again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_state: OrderedDict[str, Pending] = OrderedDict()

    def put(self, state: str, pending: Pending) -> None:
        """Keep one."""
        with self._lock:
            self._by_state[state] = pending
            while len(self._by_state) > MOST_PENDING:
                self._by_state.popitem(last=False)

    def take(self, state: str, *, browser: str, now: datetime) -> Pending:
        """Take one out, for good.

        Raises:
            AccessError: There is none, it is too old, or another browser began it.
        """
        with self._lock:
            found = self._by_state.pop(state, None)
        if found is None or now - found.begun > PENDING_FOR:
            raise AccessError("sign-in: expected the answer to a sign-in begun here in the last 10 min; begin again")
        if not hmac.compare_digest(found.browser_sha256, digest(browser)):
            raise AccessError("sign-in: expected the answer in the browser that began it; begin again")
        return found


class Oidc:
    """Sign-in with one provider.

    Args:
        provider: The provider.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._pending = PendingLogins()

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to."""
        return self.provider.site.public_url.rstrip("/") + CALLBACK

    def start(self, study: Study, *, earlier: str = "", signing: LoginSession | None = None) -> tuple[str, str]:
        """Begin; returns the address to go to and the mark that the browser must show afterwards.

        Args:
            study: The study.
            earlier: Identifier of the browser's session, which ends when the sign-in succeeds.
            signing: The session of somebody who is about to sign: the provider must then ask who it is again.

        Raises:
            ProviderError: The provider cannot be asked.
        """
        state, nonce, verifier, browser = (secrets.token_urlsafe(RANDOM_BYTES) for _ in range(4))
        address = self.provider.address("authorization_endpoint")
        asked = {
            "response_type": "code", "client_id": self.provider.site.client_id, "redirect_uri": self.redirect_uri,
            "scope": "openid", "state": state, "nonce": nonce, "code_challenge_method": "S256",
            "code_challenge": create_s256_code_challenge(verifier),
        }  # fmt: skip
        if signing is not None:
            asked |= {"prompt": "login", "max_age": "0"}
        pending = Pending(
            nonce=nonce,
            verifier=verifier,
            browser_sha256=digest(browser),
            purpose=Purpose.SIGN_IN if signing is None else Purpose.SIGN,
            username="" if signing is None else signing.principal.name,
            session_sha256=digest(earlier),
            begun=study.now(),
        )
        self._pending.put(state, pending)
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", browser

    def finish(self, study: Study, answer: Mapping[str, str], *, browser: str) -> tuple[str, LoginSession, Purpose]:
        """End a sign-in with the provider's answer; returns the new session's identifier and the session.

        Args:
            study: The study.
            answer: What the provider sent the browser back with: state, code, or error.
            browser: The mark that the browser shows.

        Raises:
            AccessError: It is not genuine, or nobody's account here.
            ProviderError: The provider cannot be asked.
        """
        now = study.now()
        pending = self._pending.take(answer.get("state", ""), browser=browser, now=now)
        if answer.get("iss", self.provider.site.issuer) != self.provider.site.issuer:  # RFC 9207
            raise AccessError("sign-in: the answer came from another provider")
        if "error" in answer or not answer.get("code"):
            raise AccessError("sign-in: the provider did not let you in")
        token, access = self.provider.id_token(
            code=answer["code"], verifier=pending.verifier, redirect_uri=self.redirect_uri
        )
        claims = self.provider.claims(token, nonce=pending.nonce, access_token=access, now_s=int(now.timestamp()))
        principal = self._account(study, str(claims["sub"]))
        authenticated = NEVER
        if pending.purpose is Purpose.SIGN:
            _require_same_person_again(claims, pending, principal)
            authenticated = now
        identifier, session = begin(
            study,
            principal,
            method="oidc",
            replacing_sha256=pending.session_sha256,
            authenticated=authenticated,
        )
        return identifier, session, pending.purpose

    def _account(self, study: Study, subject: str) -> Principal:
        """The account of a person known to the provider; nobody gets one by signing in."""
        with study.database.session() as session:
            row = session.scalar(select(AccountRow).where(AccountRow.oidc_subject == subject))
            if row is not None and not row.disabled:
                return principal_of(row)
            known = "(unknown)" if row is None else row.username
            append_audit(
                session, actor=known, action="session.refused", now=study.now(), item=known, detail={"method": "oidc"}
            )
        raise AccessError(
            "sign-in: the provider knows you, but you have no account here; ask the study's administrator"
        )


NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When somebody last proved for a signature who they are, who has only signed in: single sign-on asks nobody."""


def _require_same_person_again(claims: Mapping[str, object], pending: Pending, principal: Principal) -> None:
    """Make sure that who is about to sign was asked again just now (OpenID Connect Core 1.0, 3.1.2.1: max_age).

    Raises:
        AccessError: It is somebody else, or the provider let them in without asking.
    """
    if principal.name != pending.username:
        raise AccessError("signing: expected the person who is signed in, found another one")
    asked_s = claims.get("auth_time")
    if not isinstance(asked_s, int | float) or isinstance(asked_s, bool):
        raise AccessError("signing: expected the provider to say when it asked who you are, found nothing")
    if asked_s < pending.begun.timestamp() - LEEWAY_S:
        raise AccessError("signing: expected the provider to ask again who you are, found an earlier sign-in")
