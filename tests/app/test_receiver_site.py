"""Every receiver setting of site.toml acts: DCMTK's storescu in, with TLS and from allowed places only, or refused."""

import shutil
import subprocess
from pathlib import Path

import pytest

from npcpit_imaging.app.receiver_site import receiver_settings
from npcpit_imaging.app.receiving import Listener, spool_of
from npcpit_imaging.app.study import open_study
from npcpit_imaging.errors import ConfigError


def set_receiver(folder: Path, text: str) -> None:
    """Replace what site.toml says of the receiver."""
    (folder / "configs" / "site.toml").write_text(f"[receiver]\n{text}\n", encoding="utf-8")


def test_every_limit_of_site_toml_reaches_the_receiver(folder):
    values = {
        "require_called_ae_title": "false",
        "max_associations": "7",
        "max_pdu_bytes": "16384",
        "max_object_bytes": "2097152",
        "request_timeout_s": "3.5",
        "idle_timeout_s": "4.5",
        "allowed_networks": '["10.1.0.0/16", "fd00::/8"]',
    }
    set_receiver(folder, "\n".join(f"{name} = {value}" for name, value in values.items()))
    with open_study(folder) as study:
        settings = receiver_settings(study, port=0)
    assert not settings.require_called_ae_title
    assert (settings.max_associations, settings.max_pdu_bytes, settings.max_object_bytes) == (7, 16384, 2097152)
    assert (settings.request_timeout_s, settings.idle_timeout_s) == (3.5, 4.5)
    assert [settings.allows_address(each) for each in ("10.1.2.3", "fd00::1", "127.0.0.1", "10.2.0.1")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('allowed_networks = ["10.1.0.5/16"]', "allowed_networks"),
        ("max_pdu_bytes = 100", "max_pdu_bytes"),
        ('[receiver.tls]\nkey = "k"\nauthority = "a"', r"tls\.certificate"),
        ('[[receiver.commitment_peers]]\nae_title = "A"\nhost = "h"\nport = 1\ntls = true', "commitment_peers"),
        ('[[receiver.commitment_peers]]\nae_title = "A"\nhost = "h"\nport = 1\n' * 2, "each ae title once"),
        ('host = "0.0.0.0"', "must name the peers"),
    ],
)
def test_a_receiver_that_cannot_be_is_refused_by_name(folder, text, said):
    set_receiver(folder, text)
    with pytest.raises(ConfigError, match=said), open_study(folder) as study:
        Listener(study, port=0)


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ('peers = ["PACS"]', "rejected: CALLING_AE_TITLE (from 127.0.0.1, calling 'CT1', called 'NPCPIT')"),
        ('ae_title = "OTHER"', "rejected: CALLED_AE_TITLE (from 127.0.0.1, calling 'CT1', called 'NPCPIT')"),
        ('allowed_networks = ["10.1.0.0/16"]', "connection from 127.0.0.1 closed: not an allowed network"),
    ],
)
def test_refused_peers_are_logged_with_title_and_address(folder, write_series, storescu, caplog, text, logged):
    set_receiver(folder, text)
    source = str(write_series("20240105", "1"))
    with open_study(folder) as study, Listener(study, port=0) as listener:
        command = [storescu, "-aet", "CT1", "-aec", "NPCPIT", "+sd", "127.0.0.1", str(listener.port), source]
        assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0
    assert logged in caplog.text
    assert not listener.outcomes


@pytest.fixture
def certificates(folder: Path) -> Path:
    """The study's vault/tls with an authority, and certificates of receiver, peer and a stranger."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = folder / "vault" / "tls"
    made.mkdir()
    for authority in ("ca", "stranger"):
        openssl(made, "req", "-x509", *key(authority), "-days", "2", "-subj", f"/CN={authority}", "-out",
                f"{authority}.pem")  # fmt: skip
    for name in ("receiver", "peer"):
        openssl(made, "req", *key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl(made, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-out", f"{name}.pem")  # fmt: skip
    return made


def key(name: str) -> list[str]:
    return ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


TLS = """
[receiver.tls]
certificate = "vault/tls/receiver.pem"
key = "vault/tls/receiver.key"
authority = "vault/tls/ca.pem"
"""


def test_with_tls_in_site_toml_only_a_peer_of_the_authority_gets_in(
    folder, certificates, storescu, write_series, caplog
):
    set_receiver(folder, TLS)
    source = write_series("20240105", "1")
    with open_study(folder) as study, Listener(study, port=0) as listener:

        def send(*options: str) -> int:
            command = [storescu, *options, "-aec", "NPCPIT", "+sd", "127.0.0.1", str(listener.port), str(source)]
            return subprocess.run(command, cwd=certificates, capture_output=True, timeout=60, check=False).returncode

        assert send("+tls", "peer.key", "peer.pem", "+cf", "ca.pem") == 0
        assert send("+tls", "stranger.key", "stranger.pem", "-ic") != 0
        assert send() != 0
    assert listener.outcomes == {"stored": 3}
    assert caplog.text.count("TLS handshake failed") == 2


def test_a_certificate_that_is_not_there_is_named_and_leaves_the_spool_free(folder):
    set_receiver(folder, TLS)
    with open_study(folder) as study:
        with pytest.raises(ConfigError, match="TLS certificate"):
            Listener(study, port=0)
        with spool_of(study):
            pass
