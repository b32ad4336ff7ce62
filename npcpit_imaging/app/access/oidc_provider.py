"""A provider of OpenID Connect as its client sees it: discovery, keys that rotate, the token endpoint, ID tokens."""

import ipaddress
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httpx
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from npcpit_imaging.config.server import OidcSite
from npcpit_imaging.errors import AccessError, ConfigError, ProviderError

LOG = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures of ID tokens that are accepted: asymmetric ones alone; never none, never our secret as the key."""

LEEWAY_S = 60
"""How far the provider's clock may be from ours."""

TIMEOUT_S = 10.0
"""How long the provider may take to answer."""

KEYS_NOT_BEFORE_S = 10.0
"""Keys are fetched again for an unknown key no sooner than after this: a made-up key is no way to keep us busy."""

SILENT_FOR_S = 10.0
"""For so long a provider that did not answer is not asked again: whoever waits for it holds a thread of the server."""

METADATA_FOR_S = 3600.0
"""How long the provider's description is believed."""


def is_guarded(url: str) -> bool:
    """Whether an address is reached by TLS, or is this machine's own.

    Example:
        >>> is_guarded("https://idp.example"), is_guarded("http://idp.example"), is_guarded("http://127.0.0.1:8080")
        (True, False, True)
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return True
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"


def read_secret(site: OidcSite, folder: Path) -> str:
    """What we prove ourselves to the provider with; empty for a public client.

    Raises:
        ConfigError: An address is not guarded, or the secret's file is missing, empty or open to others.
    """
    for name, url in (("issuer", site.issuer), ("public_url", site.public_url)):
        if not is_guarded(url):
            raise ConfigError(f"site.toml: [server.oidc] {name}: expected an https address, found {url}")
    if not site.client_secret_file:
        return ""
    path = folder / site.client_secret_file
    if not path.is_file():
        raise ConfigError(
            f"site.toml: [server.oidc]: no file {site.client_secret_file} in the study folder; expected the client's "
            'secret in it, or client_secret_file = "" for a client that has none'
        )
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{site.client_secret_file}: expected it readable by its owner alone (chmod 600)")
    secret = path.read_text(encoding="utf-8").strip()
    if not secret:
        raise ConfigError(f"{site.client_secret_file}: expected the client's secret, found nothing")
    return secret


class Provider:
    """One provider.

    Args:
        site: Where it is and what it knows us as.
        secret: Our secret; empty for a public client.
    """

    def __init__(self, site: OidcSite, secret: str) -> None:
        self.site = site
        self._secret = secret
        self._lock = threading.Lock()
        self._silent_at = -SILENT_FOR_S
        self._described: tuple[float, OpenIDProviderMetadata] | None = None
        self._keys: KeySet | None = None
        self._keys_at = -KEYS_NOT_BEFORE_S

    def address(self, name: str) -> str:
        """An endpoint of the provider, as it describes itself.

        Raises:
            ProviderError: It cannot be asked, is another one, or names no guarded address.
        """
        url = self._metadata().get(name)
        if not isinstance(url, str) or not is_guarded(url):
            raise ProviderError(f"sign-in provider: expected an https address as {name}, found none")
        return url

    def _metadata(self) -> OpenIDProviderMetadata:
        with self._lock:
            if self._described is not None and time.monotonic() - self._described[0] < METADATA_FOR_S:
                return self._described[1]
            if time.monotonic() - self._silent_at < SILENT_FOR_S:
                raise ProviderError("sign-in provider: no answer a moment ago; try again soon")
            try:
                found = OpenIDProviderMetadata(_json(get_well_known_url(self.site.issuer, external=True)))
            except ProviderError:
                self._silent_at = time.monotonic()
                raise
            if found.get("issuer") != self.site.issuer:
                raise ProviderError("sign-in provider: it describes itself as another issuer than site.toml names")
            try:
                found.validate()
            except ValueError as error:
                raise ProviderError(f"sign-in provider: its description cannot be used ({error})") from error
            self._described = (time.monotonic(), found)
            return found

    def id_token(self, *, code: str, verifier: str, redirect_uri: str) -> tuple[str, str]:
        """Change an authorization code into an ID token; the access token beside it is only compared, never used.

        Raises:
            AccessError: The provider does not accept the code.
            ProviderError: It cannot be asked.
        """
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
            "client_id": self.site.client_id,
        }  # fmt: skip
        basic = (self.site.client_id, self._secret) if self._secret else None
        try:
            answer = httpx.post(self.address("token_endpoint"), data=form, auth=basic, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            raise ProviderError("sign-in provider: no answer at its token endpoint") from error
        if answer.status_code in (400, 401):
            LOG.warning("sign-in provider: code refused (%s)", answer.status_code)
            raise AccessError("sign-in: the provider did not accept the code; begin again")
        found = _object(answer)
        token, access = found.get("id_token"), found.get("access_token", "")
        if not isinstance(token, str) or not isinstance(access, str):
            raise ProviderError("sign-in provider: expected an ID token, found none")
        return token, access

    def claims(self, token: str, *, nonce: str, access_token: str, now_s: int) -> Mapping[str, object]:
        """What a genuine ID token says (OpenID Connect Core 1.0, 3.1.3.7).

        Args:
            token: As the token endpoint gave it.
            nonce: What the sign-in began with.
            access_token: Given beside it.
            now_s: Seconds since 1970.

        Raises:
            AccessError: It is not genuine: signature, issuer, audience, times or nonce are not as they should be.
            ProviderError: The provider's keys cannot be fetched.
        """
        try:
            try:
                decoded = jwt.decode(token, self._key_set(), algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):  # perhaps the provider has new keys
                decoded = jwt.decode(token, self._key_set(again=True), algorithms=list(ALGORITHMS))
            found = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": self.site.issuer},
                    "aud": {"essential": True, "value": self.site.client_id},
                },
                params={"nonce": nonce, "client_id": self.site.client_id, "access_token": access_token},
            )
            found.validate(now=now_s, leeway=LEEWAY_S)
        except (JoseError, ValueError) as error:
            LOG.warning("sign-in provider: ID token refused: %s", error)
            raise AccessError("sign-in: the provider's ID token is not genuine or not for us") from error
        if not isinstance(found["sub"], str) or not found["sub"]:
            raise AccessError("sign-in: the provider's ID token names nobody")
        return dict(found)

    def _key_set(self, *, again: bool = False) -> KeySet:
        with self._lock:
            recent = time.monotonic() - self._keys_at < KEYS_NOT_BEFORE_S
            if self._keys is not None and (recent or not again):
                return self._keys
        url = self.address("jwks_uri")
        try:
            keys = KeySet.import_key_set(cast("KeySetSerialization", _json(url)))  # which judges it
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderError("sign-in provider: its keys cannot be read") from error
        with self._lock:
            self._keys, self._keys_at = keys, time.monotonic()
        return keys


def _json(url: str) -> dict[str, object]:
    try:
        return _object(httpx.get(url, timeout=TIMEOUT_S))
    except httpx.HTTPError as error:
        raise ProviderError("sign-in provider: no answer") from error


def _object(answer: httpx.Response) -> dict[str, object]:
    try:
        found = answer.json() if answer.status_code == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderError(f"sign-in provider: expected JSON, found status {answer.status_code}")
    return found
