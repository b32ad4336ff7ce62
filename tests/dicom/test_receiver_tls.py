"""TLS with client certificates: DCMTK on the other side, certificates made by the openssl program."""

import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings, TlsSettings
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.errors import ConfigError


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, certificates of receiver and peer under it, and a stranger's own."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    for authority in ("ca", "stranger-ca"):
        openssl(folder, "req", "-x509", "-nodes", *key(authority), "-days", "2", "-subj", f"/CN={authority}",
                "-out", f"{authority}.pem")  # fmt: skip
    for name, authority in (("receiver", "ca"), ("peer", "ca"), ("stranger", "stranger-ca")):
        openssl(folder, "req", "-nodes", *key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-days", "2", "-out", f"{name}.pem")  # fmt: skip
    return folder


def key(name: str) -> list[str]:
    """Arguments that make a fresh RSA key."""
    return ["-newkey", "rsa:2048", "-keyout", f"{name}.key"]


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def receiver(certificates: Path, spool: Spool) -> Iterator[Receiver]:
    """A receiver that speaks only TLS and asks for certificates."""
    with Receiver(ReceiverSettings(port=0, request_timeout_s=2, tls=tls(certificates)), spool) as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    with Spool(tmp_path / "spool", reserve_bytes=0) as opened:
        yield opened


def tls(folder: Path) -> TlsSettings:
    """Settings with the receiver's certificate."""
    return TlsSettings(certificate=folder / "receiver.pem", key=folder / "receiver.key", authority=folder / "ca.pem")


def send(storescu: str, receiver: Receiver, *options: object) -> int:
    """Send one object with DCMTK; return its exit code."""
    command = [storescu, "-aec", "NPCPIT", *map(str, options), "127.0.0.1", str(receiver.port)]
    command.append(get_testdata_file("CT_small.dcm"))
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode


def test_a_peer_with_a_certificate_of_the_authority_stores(storescu, receiver, spool, certificates):
    """Both sides check the other."""
    options = ["+tls", certificates / "peer.key", certificates / "peer.pem", "+cf", certificates / "ca.pem"]
    assert send(storescu, receiver, *options) == 0
    assert len(list(spool.pending())) == 1


@pytest.mark.parametrize("kind", ["stranger's certificate", "no certificate", "plain text"])
def test_anyone_else_is_refused_and_logged(storescu, receiver, spool, certificates, caplog, kind):
    """The handshake fails before a DICOM byte is read."""
    caplog.set_level(logging.INFO)
    options = {
        "stranger's certificate": ["+tls", certificates / "stranger.key", certificates / "stranger.pem", "-ic"],
        "no certificate": ["+tla", "-ic"],
        "plain text": [],
    }[kind]
    assert send(storescu, receiver, *options) != 0
    receiver.stop()  # the log line may come after the sender's end
    assert list(spool.pending()) == []
    assert "TLS handshake failed" in caplog.text


def test_a_peer_checks_us_as_well(storescu, receiver, spool, certificates):
    """A peer that trusts only another authority does not send to us."""
    options = ["+tls", certificates / "peer.key", certificates / "peer.pem", "+cf", certificates / "stranger-ca.pem"]
    assert send(storescu, receiver, *options) != 0
    assert list(spool.pending()) == []


def test_a_silent_client_holds_up_nobody(storescu, receiver, certificates):
    """The handshake runs in the association's thread; the silent one is dropped after its time."""
    silent = socket.create_connection(("127.0.0.1", receiver.port), timeout=10)
    options = ["+tls", certificates / "peer.key", certificates / "peer.pem", "+cf", certificates / "ca.pem"]
    start_s = time.monotonic()
    assert send(storescu, receiver, *options) == 0
    assert time.monotonic() - start_s < 1.9
    with silent:
        assert silent.recv(10) == b""


@pytest.mark.parametrize(("version", "accepted"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_tls_below_1_2_is_refused(receiver, certificates, version, accepted):
    """openssl's client, which still speaks the old version when its security level is lowered."""
    command = ["openssl", "s_client", version, "-cipher", "DEFAULT@SECLEVEL=0",
               "-connect", f"127.0.0.1:{receiver.port}",
               "-cert", certificates / "peer.pem", "-key", certificates / "peer.key"]  # fmt: skip
    result = subprocess.run(command, input=b"", capture_output=True, timeout=30, check=False)
    assert (b"alert protocol version" in result.stderr) is not accepted
    assert (result.returncode == 0) is accepted


def test_certificates_that_cannot_be_used_are_named(certificates, spool):
    """Before anything listens."""
    broken = TlsSettings(
        certificate=certificates / "absent.pem", key=certificates / "ca.key", authority=certificates / "ca.pem"
    )
    with pytest.raises(ConfigError, match="TLS certificate"):
        Receiver(ReceiverSettings(port=0, tls=broken), spool)
