"""Run the reading server: this machine only, unless TLS or a reverse proxy guards the way."""

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import uvicorn

from npcpit_imaging.app.listening import LOOK_S
from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.warming import warm_segmenters
from npcpit_imaging.config.server import ServerSite
from npcpit_imaging.errors import ConfigError, InputError, NpcpitError
from npcpit_imaging.server.application import create_app
from npcpit_imaging.server.page import SAID_NOT_BUILT, is_built

Say = Callable[[str], None]

BACKLOG = 2048
"""Connections that may wait, as uvicorn's own."""


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("localhost")
        (True, False, True)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_guarded(site: ServerSite, host: str) -> None:
    """Refuse to send reads and images in the clear beyond this machine.

    Raises:
        ConfigError: The address is not this machine's, and neither TLS nor a reverse proxy is named in site.toml.
    """
    if not is_loopback(host) and site.tls is None and not site.behind_proxy:
        raise ConfigError(
            f"site.toml: [server] host {host}: expected [server.tls], or behind_proxy = true where a reverse proxy "
            "ends TLS; without either the server listens on this machine only (127.0.0.1)"
        )


def serve(
    study: Study,
    *,
    host: str | None,
    port: int | None,
    say: Say,
    receive: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a study until the process is stopped.

    Args:
        study: An open study.
        host: Listen here instead of where site.toml says.
        port: Listen here; 0 for any free port.
        say: Tells the person where to open the page.
        receive: Also listen for DICOM, as site.toml says.
        ready: Called with the URL once the socket listens.

    Raises:
        ConfigError: It would listen unguarded, a TLS file is missing, or OpenID Connect is not set as it must be.
        InputError: The port is taken.
    """
    site = study.site.server
    address = host or site.host
    require_guarded(site, address)
    secure = site.tls is not None or site.behind_proxy
    config = uvicorn.Config(
        create_app(study, secure=secure),
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=site.behind_proxy,
        forwarded_allow_ips=list(site.proxy_addresses) if site.behind_proxy else [],
        ssl_certfile=_tls_file(study, None if site.tls is None else site.tls.certificate),
        ssl_keyfile=_tls_file(study, None if site.tls is None else site.tls.key),
        timeout_graceful_shutdown=5,
    )
    with _listen(address, site.port if port is None else port) as listening:
        url = f"{'https' if site.tls else 'http'}://{_shown(address)}:{listening.getsockname()[1]}/"
        say(f"reading page: {url}   (Ctrl-C ends it)")
        if not is_built():
            say(SAID_NOT_BUILT)
        if ready is not None:
            ready(url)
        warm_segmenters(study)
        with _receiving(study, say) if receive else nullcontext():
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _receiving(study: Study, say: Say) -> Iterator[None]:
    """Receive DICOM beside serving: series are judged and visits assembled as they come."""
    ended = threading.Event()

    def look(listener: Listener) -> None:
        has_settled = False
        while not ended.wait(LOOK_S):
            has_settled |= bool(listener.settle())
            with suppress(NpcpitError):  # the next look tries again; a store that refuses is logged by the listener
                if has_settled:
                    listener.assemble()
                has_settled = False

    with Listener(study) as listener:
        say(f"{study.site.receiver.ae_title} listens on {study.site.receiver.host} port {listener.port}")
        looking = threading.Thread(target=look, args=(listener,), name="settle", daemon=True)
        looking.start()
        try:
            yield
        finally:
            ended.set()
            looking.join(timeout=30)
            listener.drain()
            listener.assemble()


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _tls_file(study: Study, name: str | None) -> Path | None:
    if not name:
        return None
    path = study.folder / name
    if not path.is_file():
        raise ConfigError(f"site.toml: [server.tls]: no file {name} in the study folder")
    return path


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)  # who opens the page as soon as it is told waits for its answer, refused by nobody
    except OSError as error:
        listening.close()
        raise InputError(f"{host}:{port}: cannot listen there ({error.strerror})") from error
    return listening
