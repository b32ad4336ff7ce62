"""Sign-in with OpenID Connect: to the provider, and back."""

import html
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from npcpit_imaging.app.access.oidc import CALLBACK, PENDING_FOR, Oidc
from npcpit_imaging.errors import AccessError, ProviderError
from npcpit_imaging.server.callers import COOKIE, TheDesk, caller_of
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.server.routes.session import set_cookie

router = APIRouter(prefix="/api/oidc", tags=["session"])

MARK = "npcpit_oidc"
"""Cookie of the browser that began a sign-in. Lax: the provider sends the browser back from another site."""

REFUSED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>npcpit: not signed in</title>
<body style="font: 16px sans-serif; max-width: 40em; margin: 4em auto">
<h1>Not signed in</h1><p>{message}</p><p><a href="/">Back to the reading page</a></p></body></html>"""


def _oidc(request: Request) -> Oidc:
    found = request.app.state.oidc
    if not isinstance(found, Oidc):
        raise Problem(404, "not-found", "OpenID Connect: site.toml names no provider")
    return found


@router.get("/start", response_class=RedirectResponse, status_code=303)
def start(request: Request, desk: TheDesk, purpose: Literal["sign-in", "sign"] = "sign-in") -> Response:
    """Go to the provider: to sign in, or (purpose sign) to prove again who one is before a signature."""
    oidc = _oidc(request)
    signing = None
    if purpose == "sign":
        signing = caller_of(request).session
        if signing is None or signing.method != "oidc":
            raise Problem(400, "invalid", "purpose: sign is for who is signed in with OpenID Connect")
    address, mark = oidc.start(desk.study, earlier=request.cookies.get(COOKIE, ""), signing=signing)
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(
        MARK, mark, httponly=True, secure=request.app.state.secure, samesite="lax", path=CALLBACK,
        max_age=int(PENDING_FOR.total_seconds()),
    )  # fmt: skip
    return answer


@router.get("/callback", response_class=HTMLResponse)
def callback(
    request: Request,
    desk: TheDesk,
    state: Annotated[str, Query(max_length=512)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    error: Annotated[str, Query(max_length=512)] = "",
    iss: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """Come back from the provider, signed in or with the reason why not."""
    oidc = _oidc(request)
    answer = {"state": state, "code": code, **({"error": error} if error else {}), **({"iss": iss} if iss else {})}
    try:
        identifier, _, _ = oidc.finish(desk.study, answer, browser=request.cookies.get(MARK, ""))
    except (AccessError, ProviderError) as refused:
        status = 403 if isinstance(refused, AccessError) else 502
        return _without_mark(HTMLResponse(REFUSED.format(message=html.escape(str(refused))), status_code=status))
    back = RedirectResponse("/", status_code=303)
    set_cookie(request, back, desk, identifier)
    return _without_mark(back)


def _without_mark(answer: Response) -> Response:
    answer.delete_cookie(MARK, path=CALLBACK)
    return answer
