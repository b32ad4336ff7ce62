"""Sign in, who am I, sign out."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from npcpit_imaging import __version__
from npcpit_imaging.app.access.sessions import LoginSession, sign_in, sign_out
from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.draft.sign import STATEMENTS
from npcpit_imaging.errors import AccessError, LockedOutError
from npcpit_imaging.server.callers import COOKIE, TheCaller, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.store.schema import JsonObject

router = APIRouter(prefix="/api", tags=["session"])


class Credentials(BaseModel):
    """Name and password."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    username: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=1024)]


@router.get("/health")
def health() -> JsonObject:
    """Whether the server runs; needs no sign-in."""
    return {"ok": True, "version": __version__}


@router.get("/sign-in")
def ways(request: Request) -> JsonObject:
    """How one may sign in; needs no sign-in."""
    oidc = request.app.state.oidc
    offered = None if oidc is None else {"name": oidc.provider.site.name, "url": "/api/oidc/start"}
    return {"password": True, "oidc": offered}


@router.post("/session")
def begin(credentials: Credentials, request: Request, response: Response, desk: TheDesk) -> JsonObject:
    """Sign in with name and password."""
    require_own_origin(request)
    try:
        identifier, found = sign_in(
            desk.study, credentials.username, credentials.password, replacing=request.cookies.get(COOKIE, "")
        )
    except LockedOutError:
        raise
    except AccessError as error:
        raise Problem(401, "bad-password", str(error)) from error
    set_cookie(request, response, desk, identifier)
    return session_view(desk, found)


def require_own_origin(request: Request) -> None:
    """Refuse a sign-in that another site's page sent (login CSRF).

    Raises:
        Problem: It did.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("Host", ""):
        raise Problem(403, "csrf", "expected a request of this site's own page, found another origin")


def set_cookie(request: Request, response: Response, desk: Desk, identifier: str) -> None:
    """Hand the browser its new session; the identifier is never what it was before signing in."""
    response.set_cookie(
        COOKIE,
        identifier,
        httponly=True,
        secure=request.app.state.secure,
        samesite="strict",
        path="/",
        max_age=desk.study.site.server.session_hours * 3600,
    )


@router.get("/session")
def who(caller: TheCaller, desk: TheDesk) -> JsonObject:
    """Who is signed in, and the CSRF token."""
    if caller.session is None:
        principal = caller.principal
        return {"username": principal.name, "roles": [], "permissions": sorted(principal.permissions)}
    return session_view(desk, caller.session)


@router.delete("/session", status_code=204)
def end(caller: TheCaller, desk: TheDesk, response: Response) -> None:
    """Sign out."""
    if caller.session is not None:
        sign_out(desk.study, caller.session)
    response.delete_cookie(COOKIE, path="/")


def session_view(desk: Desk, found: LoginSession) -> JsonObject:
    """A session as the page is given it."""
    principal, site = found.principal, desk.study.site.server
    return {
        "username": principal.name,
        "name": principal.full_name,
        "code": principal.code,
        "roles": sorted(principal.roles),
        "permissions": sorted(principal.permissions),
        "csrf": found.csrf,
        "method": found.method,
        "idle_s": site.idle_minutes * 60,
        "study": {"title": desk.study.protocol.title, "measure_first": site.measure_first},
        "statement": STATEMENTS["read"],
        "statements": dict(STATEMENTS),
    }
