"""As much of S3's protocol as one object needs: PUT, ranged GET, HEAD, an empty listing; any signature is taken.

A server of ours, because no S3-compatible one can be installed beside this project's pinned packages; the same code was
run against moto's server by hand (docs/store.md).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import BinaryIO

NO_OBJECTS = b"<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"


def unchunked(stream: BinaryIO) -> bytes:
    """The content of a chunked body (RFC 9112, 7.1; aws-chunked is built alike), up to its trailers' empty line."""
    content = b""
    while size := int(stream.readline().partition(b";")[0], 16):
        content += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def held(self) -> dict[str, bytes]:
        return self.server.held  # type: ignore[attr-defined]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = unchunked(self.rfile)
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = unchunked(BytesIO(body))
        if "refused" in self.path:
            self._answer(403, b"")
            return
        self.held[self.path] = body
        self._answer(200, b"")

    def do_HEAD(self) -> None:
        found = self.held.get(self.path)
        self._answer(404 if found is None else 200, found or b"", body=False)

    def do_GET(self) -> None:
        found = NO_OBJECTS if "list-type" in self.path else self.held.get(self.path)
        if found is None:
            self._answer(404, b"")
        elif asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            self._answer(206, found[int(first) : int(last) + 1])
        else:
            self._answer(200, found)

    def _answer(self, status: int, content: bytes, *, body: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Fri, 27 Nov 2026 12:00:00 GMT")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def s3_server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The part of a URL behind the bucket's name, and what the server holds by path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.held = {}  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"endpoint_override=127.0.0.1:{server.server_address[1]}&scheme=http&region=us-east-1", server.held  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
