"""Security headers on every answer, and a limit on every body: what comes from outside is bounded before it is read."""

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""The page's own files, its WebAssembly decoders and their blob workers; nothing from elsewhere, no framing."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""On every answer."""

SMALL_BODY = 4 << 20
"""Largest body of anything but a stored object: a long stroke is below 200 kB."""


class Guard:
    """The outermost layer: headers on the way out, a limit on what comes in.

    Args:
        app: What is guarded.
        max_upload_bytes: Largest object that may be stored.
        secure: Whether browsers reach us by TLS; then they are told to insist on it.
    """

    def __init__(self, app: ASGIApp, *, max_upload_bytes: int, secure: bool) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._max_upload_bytes if scope["path"].startswith("/dicom-web/") else SMALL_BODY

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if self._secure:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        await self._app(scope, _limited(receive, limit), guarded_send)


def _limited(receive: Receive, limit: int) -> Receive:
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit:
            raise HTTPException(413, f"body: expected at most {limit} bytes, found more")
        return message

    return limited
