"""HTTP to a DICOMweb server that misbehaves: a real one on loopback, told what to answer."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.archive import SeriesAnswer
from npcpit_imaging.dicom.dicomweb import WebArchive
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.dicom.receipt import Outcome
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.dicom.web import WebServer
from npcpit_imaging.errors import NetworkError, PeerLostError, PeerRefusedError

SERIES = SeriesAnswer(study_uid="1.2", series_uid="1.2.3", modality="CT", description="", count=None)
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], PacsSite]]:
    """Run a server whose every GET is answered by a function."""
    servers = []

    def start(answer: Answer, **values: object) -> PacsSite:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}/root/"
        return PacsSite.model_validate({"kind": "dicomweb", "url": url, "answer_timeout_s": 1, **values})

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> Answer:
    """Answer always the same."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failure_that_may_pass_is_lost(serve, status):
    """Worth another try."""
    with pytest.raises(PeerLostError, match=str(status)):
        WebServer(serve(reply(status))).json("studies", {})


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 406])
def test_a_failure_that_will_not_pass_is_refused(serve, status):
    """A redirect is not followed: the login must not go to strangers."""
    with pytest.raises(PeerRefusedError, match=str(status)):
        WebServer(serve(reply(status, Location="http://127.0.0.1:1/"))).json("studies", {})


def test_no_content_is_an_empty_answer(serve):
    """QIDO-RS may answer 204."""
    assert WebServer(serve(reply(204))).json("studies", {}) == []


@pytest.mark.parametrize(("body", "error"), [(b"[{", PeerLostError), (b"<html>", PeerLostError), (b"{}", NetworkError)])
def test_an_answer_that_is_no_array_of_objects_is_an_error(serve, body, error):
    """Half an answer must not look like fewer studies."""
    with pytest.raises(error):
        WebServer(serve(reply(200, body))).json("studies", {})


def test_a_json_answer_that_breaks_off_is_lost(serve):
    """The server promised more bytes than it sent."""
    with pytest.raises(PeerLostError):
        WebServer(serve(reply(200, b"[]", length=100))).json("studies", {})


def test_silence_is_lost(serve):
    """The server accepts and says nothing for longer than the answer timeout."""
    gate = threading.Event()
    pacs = serve(lambda _: gate.wait(5) and None, answer_timeout_s=0.2)
    with pytest.raises(PeerLostError, match="broke off"):
        WebServer(pacs).json("studies", {})
    gate.set()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"login": "basic", "user": "Aladdin", "secret": "f"}, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ({"login": "bearer", "secret": "f"}, "Bearer open sesame"),
        ({}, None),
    ],
)
def test_the_login_is_sent_as_the_standards_say(serve, values, expected):
    """RFC 7617's own example; RFC 6750."""
    seen = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        reply(200, b"[]")(handler)

    WebServer(serve(answer, **values), secret="open sesame").json("studies", {})
    assert seen == [expected]


def test_a_server_that_caps_its_pages_is_asked_for_all_of_them(serve, tmp_path):
    """Five instances from a server that gives two at a time; another that knows no offset is not asked for ever."""

    def instances(start: int, stop: int) -> bytes:
        return json.dumps([{"00080018": {"vr": "UI", "Value": [f"1.{n}"]}} for n in range(start, stop)]).encode()

    def capped(handler: BaseHTTPRequestHandler) -> None:
        offset = int(handler.path.partition("offset=")[2] or 0)
        reply(200, instances(offset, min(offset + 2, 5)))(handler)

    with Spool(tmp_path / "spool", reserve_bytes=0) as spool:
        for answer in (capped, reply(200, instances(0, 5))):
            pacs = serve(answer)
            found = WebArchive(pacs, WebServer(pacs), Inbox(spool)).instances(SERIES)
            assert [each.sop_instance_uid for each in found] == ["1.0", "1.1", "1.2", "1.3", "1.4"]


def test_a_part_that_is_no_object_goes_to_the_quarantine(serve, tmp_path):
    """Never dropped, never taken for an image."""
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n<html>no image</html>\r\n--b--"
    pacs = serve(reply(200, body, Content_Type='multipart/related; type="application/dicom"; boundary=b'))
    with Spool(tmp_path / "spool", reserve_bytes=0) as spool:
        inbox = Inbox(spool)
        WebArchive(pacs, WebServer(pacs), inbox).retrieve(SERIES, (), whole=True)
        (kept,) = list(spool.quarantine)
        assert kept.path.read_bytes().endswith(b"<html>no image</html>")
        assert list(spool.pending()) == []
    assert inbox.counts == {Outcome.QUARANTINED: 1}
