"""What a site decided: how the receiver listens, how objects are de-identified, where the study's memory is."""

from enum import StrEnum

from pydantic import Field

from npcpit_imaging.config.base import Config


class OriginalObjects(StrEnum):
    """What becomes of an object as received once its de-identified copy is stored."""

    DROP = "drop"
    KEEP = "keep"


class ReceiverSite(Config):
    """How the Storage SCP listens (PS3.4 annex B)."""

    host: str = "127.0.0.1"
    port: int = Field(default=11112, ge=0, le=65535)
    ae_title: str = Field(default="NPCPIT", min_length=1, max_length=16)
    peers: tuple[str, ...] = ()
    """Calling AE titles that may send; none named: any caller, but only while `host` is a loopback address."""


class DeidentifySite(Config):
    """How objects are de-identified on the way in (PS3.15 annex E)."""

    enabled: bool = True
    retain_device_identity: bool = False
    originals: OriginalObjects = OriginalObjects.DROP
    subject_codes: str = "vault/subjects.csv"
    """CSV (patient_id, subject) relative to the study folder; a patient who is not in it gets a minted code."""


class CompletenessSite(Config):
    """When a pushed series counts as complete."""

    settle_s: float = Field(default=30.0, ge=0)


class TimePointSite(Config):
    """How series become visits."""

    window_days: int = Field(default=14, ge=0)
    """Series up to this many days after a visit's first image belong to that visit."""


class StoreSite(Config):
    """Where the study's memory is."""

    url: str = "sqlite:///npcpit.sqlite"
    """SQLAlchemy URL; a relative SQLite path is relative to the study folder."""


class Site(Config):
    """One site's decisions: `configs/site.toml` of a study folder."""

    receiver: ReceiverSite = ReceiverSite()
    deidentification: DeidentifySite = DeidentifySite()
    completeness: CompletenessSite = CompletenessSite()
    timepoints: TimePointSite = TimePointSite()
    store: StoreSite = StoreSite()
