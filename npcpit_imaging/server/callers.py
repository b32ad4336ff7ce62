"""Who asks: a session's cookie with its CSRF token, or a program's bearer token; and what they may do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from npcpit_imaging.app.access.roles import Permission, Principal
from npcpit_imaging.app.access.sessions import LoginSession, find_session, is_csrf_token
from npcpit_imaging.app.access.tokens import find_token
from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.errors import AccessError, SignedOutError
from npcpit_imaging.server.problems import Problem

COOKIE = "npcpit_session"
"""Holds the session's identifier; HttpOnly, SameSite."""

CSRF_HEADER = "X-CSRF-Token"
"""Must hold the session's token in every request that changes something."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and by what.

    Args:
        principal: Who.
        session: The browser's session; None for a program.
    """

    principal: Principal
    session: LoginSession | None


def desk_of(request: Request) -> Desk:
    """The open study."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


def caller_of(request: Request) -> Caller:
    """Recognise who asks.

    Raises:
        Problem: Nobody, or a request that changes something without its CSRF token.
    """
    desk = desk_of(request)
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        try:
            return Caller(principal=find_token(desk.study, secret.strip()), session=None)
        except SignedOutError as error:
            raise Problem(401, "signed-out", str(error)) from error
    try:
        found = find_session(desk.study, request.cookies.get(COOKIE, ""))
    except SignedOutError as error:
        code = "idle" if "without a request" in str(error) else "signed-out"
        raise Problem(401, code, str(error)) from error
    if request.method not in SAFE and not is_csrf_token(found, request.headers.get(CSRF_HEADER, "")):
        raise Problem(403, "csrf", f"expected this session's token in {CSRF_HEADER}, found another or none")
    return Caller(principal=found.principal, session=found)


TheDesk = Annotated[Desk, Depends(desk_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]


def may(*wanted: Permission) -> Callable[[Request], Caller]:
    """A dependency that lets in whoever has at least one of some permissions."""

    def check(request: Request) -> Caller:
        caller = caller_of(request)
        if not caller.principal.permissions & set(wanted):
            raise AccessError(f"expected somebody who may {' or '.join(wanted)}")
        return caller

    return check


Reading = Annotated[Caller, Depends(may(Permission.READ))]
Looking = Annotated[Caller, Depends(may(Permission.IMAGES))]
Adjudicating = Annotated[Caller, Depends(may(Permission.ADJUDICATE))]
Coordinating = Annotated[Caller, Depends(may(Permission.COORDINATE))]
Following = Annotated[Caller, Depends(may(Permission.PROGRESS))]
Auditing = Annotated[Caller, Depends(may(Permission.AUDIT))]
Administering = Annotated[Caller, Depends(may(Permission.ACCOUNTS))]
Analysing = Annotated[Caller, Depends(may(Permission.RESULTS))]
Storing = Annotated[Caller, Depends(may(Permission.STORE))]
