"""Read multipart/related as a stream, part by part, in little memory (RFC 2046 section 5.1, RFC 2387)."""

import email.message
import http.client
import re
from collections.abc import Callable, Iterator

from npcpit_imaging.errors import NetworkError, PeerLostError

READ_BYTES = 1 << 20
"""How much is asked of the connection at once."""

MAX_HEADER_BYTES = 1 << 16
"""Longest header block of a part; more is no multipart."""

Read = Callable[[int], bytes]
"""Gives up to so many bytes; none at the end."""


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names.

    Raises:
        NetworkError: It is no multipart, or names none.

    Example:
        >>> boundary_of('multipart/related; type="application/dicom"; boundary=a-1')
        b'a-1'
    """
    message = email.message.Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary()
    if message.get_content_maintype() != "multipart" or not boundary or not re.fullmatch(r"[ -~]{1,200}", boundary):
        raise NetworkError(f"expected multipart/related with a boundary, found {message.get_content_type()}")
    return boundary.encode("ascii")


class Multipart:
    r"""The parts of a body, one after another; a part must be read to its end before the next.

    Args:
        read: Reads the body.
        boundary: From its Content-Type.

    Example:
        >>> import io
        >>> body = io.BytesIO(b"--b\r\nContent-Type: a/b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--")
        >>> [b"".join(part) for part in Multipart(body.read, b"b").parts()]
        [b'one', b'two']
    """

    def __init__(self, read: Read, boundary: bytes) -> None:
        self._read = read
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # the first delimiter may be the first line

    def parts(self) -> Iterator[Iterator[memoryview]]:
        """Yield each part's content in pieces.

        Raises:
            PeerLostError: The body ends before its last boundary.
            NetworkError: The body is no multipart.
        """
        for _ in self._content():
            pass  # a preamble means nothing
        while not self._is_closed():
            self._skip_head()
            content = self._content()
            yield content
            for _ in content:
                pass  # what the caller did not want

    def _content(self) -> Iterator[memoryview]:
        """Yield pieces up to the next delimiter, and take the delimiter away."""
        keep = len(self._delimiter) - 1
        while (end := self._buffer.find(self._delimiter)) < 0:
            if len(self._buffer) > keep:
                yield memoryview(bytes(self._buffer[:-keep]))
                del self._buffer[:-keep]
            self._fill()
        piece = bytes(self._buffer[:end])
        del self._buffer[: end + len(self._delimiter)]
        if piece:
            yield memoryview(piece)

    def _is_closed(self) -> bool:
        while len(self._buffer) < 2:
            self._fill()
        return self._buffer.startswith(b"--")

    def _skip_head(self) -> None:
        """Take the rest of the delimiter's line and the part's header block away; we need none of it."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise NetworkError("multipart: expected a header block, found none that ends")
            self._fill()
        del self._buffer[: end + 4]

    def _fill(self) -> None:
        try:
            more = self._read(READ_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise PeerLostError(f"the answer broke off ({type(error).__name__})") from error
        if not more:
            raise PeerLostError("the answer broke off: it ends before its last boundary")
        self._buffer += more
