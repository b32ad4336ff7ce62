"""How the reading server listens and whom it lets in: `[server]` of site.toml (docs/serve.md)."""

from typing import Self

from pydantic import Field, model_validator

from npcpit_imaging.config.base import Config


class ServerTls(Config):
    """The server's own TLS; paths of PEM files, relative to the study folder.

    Args:
        certificate: Our certificate, with its chain.
        key: Its private key.
    """

    certificate: str
    key: str


class OidcSite(Config):
    """A provider of OpenID Connect that people sign in with.

    Args:
        name: What the sign-in page calls it.
        issuer: Its issuer URL; the rest is discovered from there.
        client_id: What it knows us as.
        client_secret_file: File with the client's secret, relative to the study folder, in vault/, readable by its
            owner alone; empty for a public client, which has none.
        public_url: Where browsers reach this server, e.g. ``https://reading.hospital.example``.
    """

    name: str = "single sign-on"
    issuer: str = Field(min_length=1)
    client_id: str = Field(min_length=1)
    client_secret_file: str = "vault/oidc_secret"  # noqa: S105  # where it is, not what it is
    public_url: str = Field(min_length=1)


class ServerSite(Config):
    """How the reading server listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = Field(default=8730, ge=0, le=65535)
    tls: ServerTls | None = None
    behind_proxy: bool = False
    """A reverse proxy on `proxy_addresses` ends TLS for us; only then may we listen beyond this machine without it."""
    proxy_addresses: tuple[str, ...] = ("127.0.0.1",)
    idle_minutes: int = Field(default=30, ge=1)
    session_hours: int = Field(default=12, ge=1)
    lock_out_after: int = Field(default=5, ge=1)
    lock_out_minutes: float = Field(default=15, gt=0)
    max_upload_bytes: int = Field(default=256 << 20, ge=1 << 20)
    volumes_in_memory: int = Field(default=6, ge=1)
    """Volumes kept for prompts and for the page: a 512 x 512 x 120 CT takes 126 MB."""
    measure_first: bool = False
    """Readers draw their own caliper before they are shown a proposal."""
    second_reader_discordance: tuple[str, ...] = ("overall", "target", "non_target", "new")
    """In which answers two readers must agree; else the subject needs an adjudicator."""
    oidc: OidcSite | None = None

    @model_validator(mode="after")
    def _one_end_of_tls(self) -> Self:
        if self.tls is not None and self.behind_proxy:
            raise ValueError("expected tls or behind_proxy, found both: who ends TLS?")
        return self
