"""What a site decided: how the receiver listens, how objects are de-identified, where the study's memory is."""

from enum import StrEnum
from typing import Self

from pydantic import Field, IPvAnyNetwork, model_validator

from npcpit_imaging.config.base import Config
from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.config.server import ServerSite


class OriginalObjects(StrEnum):
    """What becomes of an object as received once its de-identified copy is stored."""

    DROP = "drop"
    ENCRYPTED = "encrypted"


class ReceiverTls(Config):
    """TLS of the receiver (PS3.15 annex B); paths of PEM files, relative to the study folder.

    Args:
        certificate: Our certificate, with its chain.
        key: Its private key.
        authority: The authorities whose certificates peers must show, and that certify commitment peers.
        require_client_certificate: Off only for peers that cannot show a certificate.
    """

    certificate: str
    key: str
    authority: str
    require_client_certificate: bool = True


class CommitmentPeer(Config):
    """Where the result of a storage commitment is sent: the request itself does not say (PS3.4 annex J.3).

    Args:
        ae_title: Of the peer, as it calls us and as we call it.
        host: Where it listens.
        port: Where it listens.
        tls: Whether it speaks TLS; with the certificate and authority of the receiver.
    """

    ae_title: str = Field(min_length=1, max_length=16)
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    tls: bool = False


class ReceiverSite(Config):
    """How the Storage SCP listens (PS3.4 annex B); what each value means is said in docs/receiver.md."""

    host: str = "127.0.0.1"
    port: int = Field(default=11112, ge=0, le=65535)
    ae_title: str = Field(default="NPCPIT", min_length=1, max_length=16)
    peers: tuple[str, ...] = ()
    """Calling AE titles that may send; none named: any caller, but only while `host` is a loopback address."""
    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    """Networks that peers may connect from; none named: any."""
    require_called_ae_title: bool = True
    max_associations: int = Field(default=100, ge=1, le=1000)
    max_pdu_bytes: int = Field(default=131072, ge=4096, le=1 << 20)
    max_object_bytes: int = Field(default=8 << 30, ge=1 << 20)
    request_timeout_s: float = Field(default=10.0, gt=0)
    idle_timeout_s: float = Field(default=60.0, gt=0)
    tls: ReceiverTls | None = None
    commitment_peers: tuple[CommitmentPeer, ...] = ()
    """Who may ask for storage commitment, and where the result goes; none named: nobody."""

    @model_validator(mode="after")
    def _commitment_peers_can_be_told(self) -> Self:
        titles = [peer.ae_title for peer in self.commitment_peers]
        if len(set(titles)) != len(titles):
            raise ValueError(f"commitment_peers: expected each AE title once, found {', '.join(titles)}")
        if self.tls is None and any(peer.tls for peer in self.commitment_peers):
            raise ValueError("commitment_peers: tls needs the certificate of [receiver.tls], found none")
        return self


class DeidentifySite(Config):
    """How objects are de-identified on the way in (PS3.15 annex E)."""

    enabled: bool = True
    retain_device_identity: bool = False
    originals: OriginalObjects = OriginalObjects.DROP
    originals_key: str = "vault/originals.key"
    """File of the keys that seal originals; absolute, or relative to the study folder. Best on a medium of its own."""
    subject_codes: str = "vault/subjects.csv"
    """CSV (patient_id, subject) relative to the study folder; a patient who is not in it gets a minted code."""


class CompletenessSite(Config):
    """When a pushed series is judged."""

    settle_s: float = Field(default=30.0, ge=0)
    """Seconds without a new object, and without an open association that carries it, until a series is judged."""
    accepted: tuple[str, ...] = ()
    """UIDs (as the study knows them) of incomplete series that a person has looked at and lets be measured."""


class TimePointSite(Config):
    """How series become visits."""

    window_days: int = Field(default=14, ge=0)
    """Series up to this many days after a visit's first image belong to that visit."""


class StoreSite(Config):
    """Where the study's memory and its images are."""

    url: str = "sqlite:///npcpit.sqlite"
    """SQLAlchemy URL; a relative SQLite path is relative to the study folder."""

    objects: str = "objects"
    """Where the DICOM objects are: a folder (a relative one is below the study folder), or a URL that fsspec opens."""

    objects_cache: str = ""
    """Folder of this machine for objects read from a URL; empty for one in the user's cache."""


class Site(Config):
    """One site's decisions: `configs/site.toml` of a study folder."""

    receiver: ReceiverSite = ReceiverSite()
    pacs: PacsSite = PacsSite()
    deidentification: DeidentifySite = DeidentifySite()
    completeness: CompletenessSite = CompletenessSite()
    timepoints: TimePointSite = TimePointSite()
    store: StoreSite = StoreSite()
    server: ServerSite = ServerSite()
