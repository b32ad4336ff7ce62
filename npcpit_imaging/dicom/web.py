"""HTTP to one DICOMweb server: TLS, login, timeouts, and a named error for every way it can fail (PS3.18 8.5)."""

import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

from npcpit_imaging.config.pacs import Login, PacsSite
from npcpit_imaging.errors import NetworkError, PeerLostError, PeerRefusedError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be different later."""

MEANINGS = {
    401: "not logged in: the user, password or token is wrong or missing",
    403: "not allowed for us",
    404: "not found: is the url right?",
    406: "the server cannot send what we accept",
}
"""What the statuses that people meet mean for them."""

MAX_JSON_BYTES = 1 << 26
"""Longest JSON answer that is read: a page of QIDO-RS is below a megabyte."""

JsonObject = dict[str, object]


class WebServer:
    """One DICOMweb server; each request has a connection of its own, so a broken one harms no other.

    Args:
        pacs: Where it is and how to log in.
        secret: The password or token; empty for no login.
        tls: TLS, for an https URL.
    """

    def __init__(self, pacs: PacsSite, *, secret: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._pacs = pacs
        self._tls = tls
        self._root = urlsplit(pacs.url)
        self._login = _authorization(pacs, secret)

    def json(self, path: str, parameters: Mapping[str, str], *, absent: bool = False) -> list[JsonObject]:
        """GET a DICOM JSON array (PS3.18 annex F).

        Args:
            path: Below the root.
            parameters: Of the query.
            absent: Whether 404 means an empty array: the resource above is gone.

        Raises:
            PeerRefusedError: The server says no.
            PeerLostError: It cannot be reached, falls silent or breaks off.
            NetworkError: It answers something else.
        """
        with self.get(path, parameters, accept="application/dicom+json") as response:
            if response.status == 204 or (absent and response.status == 404):
                return []
            self._check(response)
            content = response.read(MAX_JSON_BYTES + 1)
            if response.length and len(content) <= MAX_JSON_BYTES:  # http.client says nothing when a body is short
                raise PeerLostError("DICOMweb: the answer broke off")
        if len(content) > MAX_JSON_BYTES:
            raise NetworkError(f"DICOMweb: expected at most {MAX_JSON_BYTES} bytes of JSON, found more")
        try:
            found = json.loads(content)
        except ValueError as error:
            raise PeerLostError("DICOMweb: expected JSON, found something else or half of it") from error
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise NetworkError("DICOMweb: expected an array of objects, found other JSON")
        return found

    @contextlib.contextmanager
    def get(self, path: str, parameters: Mapping[str, str], *, accept: str) -> Iterator[http.client.HTTPResponse]:
        """Open a GET request; what goes wrong while the body is read is named too."""
        connection = self._connection()
        target = quote(f"{self._root.path.rstrip('/')}/{path}") + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            connection.connect()
            connection.sock.settimeout(self._pacs.answer_timeout_s)
            headers = {"Accept": accept, "Accept-Encoding": "identity", **self._login}
            connection.request("GET", target, headers=headers)
            yield connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            raise PeerRefusedError(f"{self._name}: its certificate is not trusted ({error.verify_message})") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise PeerLostError(f"{self._name}: no connection, or it broke off ({reason})") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, timeout_s = self._root.hostname or "", self._pacs.connect_timeout_s
        if self._root.scheme == "https":
            return http.client.HTTPSConnection(host, self._root.port, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, self._root.port, timeout=timeout_s)

    def _check(self, response: http.client.HTTPResponse) -> None:
        check_status(response.status, self._name)

    @property
    def _name(self) -> str:
        return f"DICOMweb server {self._root.hostname}"


def check_status(status: int, server: str = "DICOMweb") -> None:
    """Let a success pass.

    Raises:
        PeerLostError: A failure that may pass.
        PeerRefusedError: One that will not; a redirect is one, for a login must not follow it to strangers.
    """
    if 200 <= status < 300:
        return
    reason = f"{server}: HTTP status {status}"
    if status in PASSING:
        raise PeerLostError(reason)
    if 300 <= status < 400:
        raise PeerRefusedError(f"{reason}: redirected; enter the final url")
    raise PeerRefusedError(f"{reason}: {MEANINGS[status]}" if status in MEANINGS else reason)


def _authorization(pacs: PacsSite, secret: str) -> dict[str, str]:
    if pacs.login is Login.BASIC:
        pair = base64.b64encode(f"{pacs.user}:{secret}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {secret}"} if pacs.login is Login.BEARER else {}
