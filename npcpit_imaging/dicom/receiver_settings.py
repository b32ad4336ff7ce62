"""What a site decides about its receiver; the defaults are the safe ones."""

import ipaddress
import ssl
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from npcpit_imaging.config.base import Config
from npcpit_imaging.errors import ConfigError


class TlsSettings(Config):
    """TLS of the receiver (PS3.15 annex B, BCP 195 profile): TLS 1.2 or newer.

    Args:
        certificate: PEM file of our certificate, with its chain.
        key: PEM file of its private key.
        authority: PEM file of the authorities whose certificates peers must show.
        require_client_certificate: Off only for peers that cannot show one.
    """

    certificate: Path
    key: Path
    authority: Path
    require_client_certificate: bool = True

    def context(self) -> ssl.SSLContext:
        """Return the server's TLS context.

        Raises:
            ConfigError: A file is missing or does not hold what it should.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            context.load_verify_locations(self.authority)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"TLS certificate, key or authority cannot be used: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED if self.require_client_certificate else ssl.CERT_OPTIONAL
        return context


class ReceiverSettings(Config):
    """Where the receiver listens, whom it lets in and how much they may take.

    Args:
        host: Address to listen on; this machine alone by default.
        port: TCP port; 0 takes a free one.
        ae_title: Our AE title.
        allowed_calling_ae_titles: AE titles that may associate; None lets any in, which only a loopback host allows.
        allowed_networks: Networks peers may connect from (``10.1.0.0/16``); None lets any.
        require_called_ae_title: Refuse a peer that calls us by another name.
        max_associations: Associations at once; one more is rejected as a local limit (PS3.8 table 9-21).
        max_pdu_bytes: Longest P-DATA we announce and accept.
        max_object_bytes: Longest data set; a longer one is refused as out of resources.
        request_timeout_s: Time for the TLS handshake and for the association request to arrive (ARTIM timer).
        idle_timeout_s: Longest silence of an association, and longest time for one PDU.
        tls: TLS; None for plain text.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=11112, ge=0, le=65535)
    ae_title: str = "NPCPIT"
    allowed_calling_ae_titles: tuple[str, ...] | None = None
    allowed_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] | None = None
    require_called_ae_title: bool = True
    max_associations: int = Field(default=100, ge=1, le=1000)
    max_pdu_bytes: int = Field(default=131072, ge=4096, le=1 << 20)
    max_object_bytes: int = Field(default=8 << 30, ge=1 << 20)
    request_timeout_s: float = Field(default=10.0, gt=0)
    idle_timeout_s: float = Field(default=60.0, gt=0)
    tls: TlsSettings | None = None

    @field_validator("ae_title")
    @classmethod
    def _valid_ae_title(cls, title: str) -> str:
        return _ae_title(title)

    @field_validator("allowed_calling_ae_titles")
    @classmethod
    def _valid_ae_titles(cls, titles: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if titles is None else tuple(_ae_title(title) for title in titles)

    @model_validator(mode="after")
    def _strangers_only_on_loopback(self) -> Self:
        if self.allowed_calling_ae_titles is None and not _is_loopback(self.host):
            raise ValueError("allowed_calling_ae_titles must name the peers when host is not this machine alone")
        return self

    def allows_address(self, address: str) -> bool:
        """Whether a peer may connect from an address."""
        if self.allowed_networks is None:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.allowed_networks)

    def allows_calling(self, ae_title: str) -> bool:
        """Whether a calling AE title may associate."""
        return self.allowed_calling_ae_titles is None or ae_title in self.allowed_calling_ae_titles


def _ae_title(title: str) -> str:
    """Check an AE title (PS3.5 table 6.2-1: 1 to 16 ASCII characters, no backslash, no control characters)."""
    stripped = title.strip()
    if not 1 <= len(stripped) <= 16 or not stripped.isascii() or not stripped.isprintable() or "\\" in stripped:
        raise ValueError(f"AE title {title!r}: expected 1 to 16 printable ASCII characters without backslash")
    return stripped


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
