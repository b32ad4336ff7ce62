"""Every error as JSON with a stable code: what a person can act on, never a traceback."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from npcpit_imaging.errors import (
    AccessError,
    ConfigError,
    LockedOutError,
    LockedTimepointError,
    NotSignableError,
    NpcpitError,
    ProviderError,
    ReadingError,
    SegmentationError,
    SignedOutError,
    StaleRevisionError,
    StorageFullError,
    StoreError,
)

LOG = logging.getLogger(__name__)

PROBLEMS: tuple[tuple[type[NpcpitError], int, str], ...] = (
    (LockedOutError, 423, "locked-out"),
    (LockedTimepointError, 403, "locked-timepoint"),
    (SignedOutError, 401, "signed-out"),
    (AccessError, 403, "forbidden"),
    (StaleRevisionError, 409, "stale-revision"),
    (NotSignableError, 422, "refused"),
    (ReadingError, 422, "refused"),
    (SegmentationError, 422, "refused"),
    (StorageFullError, 507, "storage"),
    (ProviderError, 502, "provider"),
    (ConfigError, 500, "configuration"),
    (NpcpitError, 422, "refused"),
)
"""Error to status and code, the most special first."""


class Problem(Exception):  # noqa: N818  # it is an answer
    """An answer that is no success.

    Args:
        status: HTTP status.
        code: Stable name.
        message: For the person.
        detail: More, for the page.
    """

    def __init__(self, status: int, code: str, message: str, detail: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.detail = status, code, detail


def add_problems(app: FastAPI) -> None:
    """Answer every error as JSON."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(NpcpitError, _ours)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _answer(status: int, code: str, message: str, detail: object = None) -> JSONResponse:
    error: dict[str, object] = {"code": code, "message": message}
    if detail is not None:
        error["detail"] = detail
    return JSONResponse({"error": error}, status_code=status)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return _answer(error.status, error.code, str(error), error.detail)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NpcpitError)
    status, code = next((status, code) for kind, status, code in PROBLEMS if isinstance(error, kind))
    detail: object = None
    if isinstance(error, LockedOutError):
        detail = {"seconds": error.seconds}
    if isinstance(error, NotSignableError):
        detail = {"checks": list(error.checks)}
    if isinstance(error, StoreError):
        LOG.warning("store: %s", error)
    return _answer(status, code, str(error), detail)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].lower()}" for fault in error.errors()]
    return _answer(422, "invalid", "; ".join(faults)[:2000])


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method", 413: "too-large", 400: "invalid"}
    return _answer(error.status_code, codes.get(error.status_code, "refused"), str(error.detail))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    LOG.error("%s %s: %s", request.method, request.url.path, type(error).__name__, exc_info=error)
    return _answer(500, "fault", "the server failed; its log tells more")
