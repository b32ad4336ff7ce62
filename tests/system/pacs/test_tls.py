"""TLS towards a real PACS: Orthanc with certificates made by the openssl program, DIMSE and https."""

import contextlib
import json
import logging
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from npcpit_imaging.app.pull import pull
from npcpit_imaging.app.pull_report import PulledRow, PullStatus
from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings, TlsSettings
from npcpit_imaging.dicom.spool import Spool

SLICES = sorted((Path(__file__).parents[3] / "sample_dicom" / "BASELINE" / "MR_T1").glob("*.dcm"))[:3]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, the certificates of PACS (for 127.0.0.1) and client, and a stranger's authority."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", f"{name}.key", "-days", "2",
                "-subj", f"/CN={name}", "-out", f"{name}.pem")  # fmt: skip
    for name in ("pacs", "client"):
        openssl("req", "-nodes", "-newkey", "rsa:2048", "-keyout", f"{name}.key", "-subj", f"/CN={name}",
                "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip
    return folder


@pytest.fixture
def terminate(certificates: Path) -> Iterator[Callable[[int], int]]:
    """Put a TLS terminator before a plain port, as sites do (Debian's Orthanc 1.10.1 itself dies of https)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "pacs.pem", certificates / "pacs.key")
    servers = []

    def start(plain_port: int) -> int:
        class Relay(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(self.request, server_side=True) as secured,
                    socket.create_connection(("127.0.0.1", plain_port)) as plain,
                ):
                    plain.sendall(secured.recv(1 << 16))  # one request, which fits, and then the whole answer
                    plain.settimeout(1)
                    while piece := plain.recv(1 << 16):
                        secured.sendall(piece)

        servers.append(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay))
        servers[-1].daemon_threads = True
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return int(servers[-1].server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def section(folder: Path, **files: str) -> dict[str, str]:
    """The section [pacs.tls], with absolute paths."""
    return {name: str(folder / file) for name, file in ({"authority": "ca.pem"} | files).items()}


def pulled(study, pacs: PacsSite) -> PulledRow:
    """Pull the sample's patient."""
    (row,) = pull(study, pacs=pacs, progress=no_bar, patient_id="SYN-0001").rows
    return row


@contextlib.contextmanager
def no_bar(_title: str, _total: int):
    """A progress bar that nobody sees."""
    yield lambda: None


def test_a_series_is_pulled_by_dicom_tls_and_strangers_are_refused(start_orthanc, study, certificates):
    """Both sides prove who they are; a stranger's authority, no certificate and plain text get nothing."""
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificates / "pacs.pem"),
        "DicomTlsPrivateKey": str(certificates / "pacs.key"),
        "DicomTlsTrustedCertificates": str(certificates / "ca.pem"),
    }
    peer = start_orthanc(options=options)
    peer.upload(*SLICES)
    client = {"certificate": "client.pem", "key": "client.key"}
    for tls in (section(certificates, authority="stranger.pem", **client), section(certificates), None):
        assert pulled(study, peer.dimse(tls=tls, retries=0)).status in (PullStatus.REFUSED, PullStatus.FAILED)
    row = pulled(study, peer.dimse(tls=section(certificates, **client), retries=0))
    assert (row.status, [each.held for each in row.series]) == (PullStatus.COMPLETE, [3])


def test_orthanc_sends_to_us_by_tls_and_its_plain_text_is_refused_and_logged(
    start_orthanc, certificates, tmp_path, caplog
):
    """The other direction: Orthanc is the client and shows its certificate, our receiver asks for one."""
    caplog.set_level(logging.INFO)
    tls = TlsSettings(
        certificate=certificates / "client.pem", key=certificates / "client.key", authority=certificates / "ca.pem"
    )
    with Spool(tmp_path / "spool", reserve_bytes=0) as spool:
        with Receiver(ReceiverSettings(port=0, tls=tls), spool) as receiver:
            here = {"AET": "NPCPIT", "Host": "127.0.0.1", "Port": receiver.port}
            peer = start_orthanc(
                options={
                    "DicomModalities": {"secured": here | {"UseDicomTls": True}, "plain": here},
                    "DicomTlsCertificate": str(certificates / "pacs.pem"),
                    "DicomTlsPrivateKey": str(certificates / "pacs.key"),
                    "DicomTlsTrustedCertificates": str(certificates / "ca.pem"),
                }
            )
            peer.upload(*SLICES)
            held = json.dumps(peer.rest("GET", "/instances")).encode()
            with pytest.raises(urllib.error.HTTPError):
                peer.rest("POST", "/modalities/plain/store", held)
            peer.rest("POST", "/modalities/secured/store", held)
        assert len(list(spool.pending())) == 3
    assert "TLS handshake failed" in caplog.text


def test_a_series_is_pulled_by_https_and_a_stranger_s_certificate_is_refused(
    start_orthanc, study, certificates, terminate
):
    """The server's certificate is verified, and so is its name."""
    peer = start_orthanc()
    peer.upload(*SLICES)
    port = terminate(peer.http_port)
    url = f"https://127.0.0.1:{port}/dicom-web"
    strange = pulled(study, peer.web(url=url, tls=section(certificates, authority="stranger.pem"), retries=0))
    misnamed = pulled(study, peer.web(url=url.replace("127.0.0.1", "localhost"), tls=section(certificates), retries=0))
    assert (strange.status, misnamed.status) == (PullStatus.REFUSED, PullStatus.REFUSED)
    assert "certificate is not trusted" in strange.reason
    row = pulled(study, peer.web(url=url, tls=section(certificates), retries=0))
    assert (row.status, [each.held for each in row.series]) == (PullStatus.COMPLETE, [3])
