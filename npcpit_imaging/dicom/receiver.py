"""The receiver: a Storage SCP that acknowledges an object only when it is durable (PS3.4 annex B, PS3.8).

One thread accepts, one thread serves each association with blocking reads; nothing polls.
"""

import contextlib
import logging
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Self

from npcpit_imaging.dicom.commitment_scp import OnCommitment
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.dicom.storage_scp import OnStored, StorageAssociation
from npcpit_imaging.dicom.upper_layer import PduStream, StreamLimits
from npcpit_imaging.errors import NetworkError

REJECTING_THREADS = 32
"""Connections beyond the limit that are still answered with a rejection; more are closed without an answer."""

ACCEPT_PAUSE_S = 0.1
"""Pause when no file descriptor is free: the connection stays ready, and asking again at once would burn a core."""

STOP_GRACE_S = 5.0
"""How long `Receiver.stop` lets associations finish by themselves."""


class Receiver:
    """A Storage SCP that runs in threads of this process.

    Args:
        settings: Where to listen, whom to let in.
        spool: Where objects are made durable; not closed by the receiver.
        on_stored: Called once for each object newly stored, after its acknowledgement, from the association's thread
            (several at once). What it raises is logged; the object stays in `Spool.pending`.
        log: Gets AE titles, addresses and counts, never a patient's identifier.
        listener: An already listening socket, e.g. one shared by several processes.
        on_commitment: Makes a storage commitment request durable; without it none is offered.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder, Spool(pathlib.Path(folder)) as spool:
        ...     with Receiver(ReceiverSettings(port=0), spool) as receiver:
        ...         receiver.port > 0
        True
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        spool: Spool,
        on_stored: OnStored | None = None,
        log: logging.Logger | None = None,
        *,
        listener: socket.socket | None = None,
        on_commitment: OnCommitment | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._on_stored = on_stored
        self._on_commitment = on_commitment
        self._log = log or logging.getLogger(__name__)
        self._listener = listener
        self._tls = settings.tls.context() if settings.tls else None
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._acceptor: threading.Thread | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port in use.

        Raises:
            NetworkError: The receiver is not listening.
        """
        if self._listener is None:
            raise NetworkError("the receiver is not listening: expected a call of start first")
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Listen and accept in the background.

        Raises:
            NetworkError: The address cannot be used.
        """
        self._listener = self._listener or listen(self._settings)
        self._listener.setblocking(False)
        self._wake = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener, self._wake[1]), daemon=True)
        self._acceptor.start()
        self._log.info("%r listens on %s port %d", self._settings.ae_title, self._settings.host, self.port)

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop accepting, let associations finish for `grace_s`, then cut them; nothing acknowledged is lost."""
        self._stop_accepting()
        deadline_s = time.monotonic() + grace_s
        for thread in self._serving():
            thread.join(max(0.0, deadline_s - time.monotonic()))
            self._cut(thread)
            thread.join()

    def _stop_accepting(self) -> None:
        if self._wake is None or self._acceptor is None or self._listener is None:
            return
        self._wake[0].send(b"\0")
        self._acceptor.join()
        for ended in (*self._wake, self._listener):
            ended.close()
        self._wake = self._listener = None

    def _serving(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._connections)

    def _cut(self, thread: threading.Thread) -> None:
        with self._lock:
            connection = self._connections.get(thread)
        if connection is not None:
            with contextlib.suppress(OSError):  # it ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while all(key.fileobj is not woken for key, _ in selector.select()):
                self._accept_one(listener)

    def _accept_one(self, listener: socket.socket) -> None:
        try:
            connection, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the peer left again, or another process took it
        except OSError as error:
            self._log.error("cannot accept a connection: %s", error.strerror)
            time.sleep(ACCEPT_PAUSE_S)
            return
        self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, address: str) -> None:
        count = len(self._connections)
        if not self._settings.allows_address(address) or count >= self._settings.max_associations + REJECTING_THREADS:
            self._log.warning("connection from %s closed: not an allowed network, or too many connections", address)
            connection.close()
            return
        full = count >= self._settings.max_associations
        thread = threading.Thread(target=self._serve, args=(connection, address, full), name="dicom-association")
        thread.daemon = True
        with self._lock:
            self._connections[thread] = connection
        thread.start()

    def _serve(self, connection: socket.socket, address: str, full: bool) -> None:
        try:
            connection.setblocking(True)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            with self._secured(connection) as secured:
                self._log.info("connection from %s", address)
                self._association(secured, full=full).run()
        except (OSError, NetworkError) as error:
            self._log.warning("connection from %s: %s", address, error)
        finally:
            with self._lock:
                del self._connections[threading.current_thread()]

    def _secured(self, connection: socket.socket) -> socket.socket:
        """Do the TLS handshake here, in the association's own thread: a silent client holds up nobody else."""
        if self._tls is None:
            return connection
        connection.settimeout(self._settings.request_timeout_s)
        secured = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections[threading.current_thread()] = secured
        try:
            secured.do_handshake()
        except OSError as error:
            secured.close()
            reason = getattr(error, "reason", None) or type(error).__name__
            raise NetworkError(f"TLS handshake failed ({reason})") from error
        return secured

    def _association(self, connection: socket.socket, *, full: bool) -> StorageAssociation:
        limits = StreamLimits(max_pdu_bytes=self._settings.max_pdu_bytes, timeout_s=self._settings.request_timeout_s)
        return StorageAssociation(
            PduStream(connection, limits),
            settings=self._settings,
            spool=self._spool,
            on_stored=self._on_stored,
            on_commitment=self._on_commitment,
            log=self._log,
            full=full,
        )


def listen(settings: ReceiverSettings) -> socket.socket:
    """Open the listening socket.

    Raises:
        NetworkError: The address is in use or is not of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        raise NetworkError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
