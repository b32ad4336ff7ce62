"""Where a site's PACS is and what is pulled from it: the section `[pacs]` of site.toml."""

import ipaddress
import re
from datetime import date
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from npcpit_imaging.config.base import Config


class PacsKind(StrEnum):
    """How the PACS is spoken to."""

    NONE = "none"
    DIMSE = "dimse"
    DICOMWEB = "dicomweb"


class Retrieve(StrEnum):
    """How a DIMSE peer hands objects over (PS3.4 annex C): on our association, or to our own receiver."""

    GET = "get"
    MOVE = "move"


class Login(StrEnum):
    """How a DICOMweb server knows us."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"


class PacsTls(Config):
    """TLS towards the PACS; its certificate is always verified.

    Args:
        authority: PEM file of the authorities to trust; empty trusts the system's. Paths are relative to the study.
        certificate: PEM file of our certificate, where the PACS asks for one.
        key: PEM file of its private key.
        check_host: Whether the certificate must be for the host we call; off only for archives whose certificate names
            something else, and then `authority` should be the site's own.
    """

    authority: str = ""
    certificate: str = ""
    key: str = ""
    check_host: bool = True


class PacsSite(Config):
    """A PACS and the rules that choose series in it.

    Args:
        kind: ``dimse``, ``dicomweb``, or ``none`` where nothing can be pulled.
        host: Of a DIMSE peer.
        port: Of a DIMSE peer.
        ae_title: The PACS's own AE title.
        calling_ae_title: Our AE title as the PACS knows it.
        retrieve: ``get`` or ``move``; a move goes to the AE title and port of `[receiver]`.
        url: Root of the DICOMweb services, e.g. ``https://pacs.example.org/dicom-web``.
        login: How we log in there.
        user: Of the basic login.
        secret: File, relative to the study folder, that holds the password or the bearer token.
        tls: TLS; for `https` URLs an empty section is enough, without the section DIMSE is plain text.
        modalities: Which series are pulled; a row of a work list may say otherwise.
        date_from: First study date that is pulled; a row of a work list may say otherwise.
        date_to: Last study date.
        include: Regular expressions; a series is pulled when one is found in its description, in any case of letters.
            None: any series.
        exclude: The same, for series that are left out; it goes before `include`.
        connect_timeout_s: Longest wait for a connection.
        answer_timeout_s: Longest silence of the PACS while we wait.
        retries: How many more times a transfer is tried that brought nothing new.
        backoff_s: Wait before the first retry; doubled before each further one.
        max_backoff_s: Longest wait.
    """

    kind: PacsKind = PacsKind.NONE
    host: str = ""
    port: int = Field(default=104, ge=1, le=65535)
    ae_title: str = Field(default="PACS", min_length=1, max_length=16)
    calling_ae_title: str = Field(default="NPCPIT", min_length=1, max_length=16)
    retrieve: Retrieve = Retrieve.GET
    url: str = ""
    login: Login = Login.NONE
    user: str = ""
    secret: str = ""
    tls: PacsTls | None = None
    modalities: tuple[str, ...] = ("CT", "MR", "PT")
    date_from: date | None = None
    date_to: date | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    connect_timeout_s: float = Field(default=10.0, gt=0)
    answer_timeout_s: float = Field(default=120.0, gt=0)
    retries: int = Field(default=4, ge=0, le=100)
    backoff_s: float = Field(default=2.0, ge=0)
    max_backoff_s: float = Field(default=300.0, ge=0)

    @field_validator("include", "exclude")
    @classmethod
    def _regular_expressions(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for number, rule in enumerate(rules, 1):
            try:
                re.compile(rule)
            except re.error as error:
                raise ValueError(f"rule {number}: not a regular expression: {error}") from error
        return rules

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.kind is PacsKind.DIMSE and not self.host:
            raise ValueError("kind dimse: expected a host, found none")
        if self.kind is PacsKind.DICOMWEB:
            self._check_url()
        if self.login is not Login.NONE and not self.secret:
            raise ValueError("login: expected a secret file that holds the password or token, found none")
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise ValueError("date_from: expected a day before date_to, found a later one")
        return self

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError("url: expected http(s)://host[:port]/path without user, password and query")
        if parts.scheme == "http" and self.login is not Login.NONE and not is_loopback(parts.hostname):
            raise ValueError("url: expected https where we log in, found http: the password would travel in plain text")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def takes_series(pacs: PacsSite, *, modality: str, description: str, modalities: tuple[str, ...] = ()) -> bool:
    """Whether the rules choose a series.

    Args:
        pacs: The rules.
        modality: Of the series.
        description: Its SeriesDescription; empty where the PACS tells none.
        modalities: Of the work list's row, instead of the site's.

    Example:
        >>> rules = PacsSite(include=("neck",), exclude=("scout|localizer",))
        >>> [takes_series(rules, modality="CT", description=text) for text in ("CT Neck +C", "Neck SCOUT", "Chest")]
        [True, False, False]
    """
    if modality not in (modalities or pacs.modalities):
        return False
    if any(re.search(rule, description, re.IGNORECASE) for rule in pacs.exclude):
        return False
    return not pacs.include or any(re.search(rule, description, re.IGNORECASE) for rule in pacs.include)
