"""Open an association as service class user: TLS, timeouts, and a named error for every way it can fail (PS3.8)."""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext, build_role

from npcpit_imaging.config.pacs import PacsSite, PacsTls
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.errors import ConfigError, PeerLostError, PeerRefusedError

# Identifiers of queries and answers are patients' identifiers: they never go to a log, and pynetdicom's errors quote
# what they could not decode. Every failure that matters to us is an error with a name.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

MAX_PDU_BYTES = 131072
"""Longest P-DATA we announce; the default of 16 kB costs a third of the speed."""

CLOSE_TIMEOUT_S = 2.0
"""How long an ended association's thread may take to notice that it has ended."""

REJECTED_TRANSIENT = 2
"""Result of an A-ASSOCIATE-RJ that may be different later (PS3.8 table 9-21)."""

Message = tuple[int, object] | tuple[None, None]
Handlers = Sequence[tuple[evt.EventType, Callable[..., object]]]


def client_tls(tls: PacsTls, folder: Path) -> ssl.SSLContext:
    """Make the client's TLS context; the peer's certificate is always verified.

    Args:
        tls: Which files.
        folder: What relative paths are relative to.

    Raises:
        ConfigError: A file is missing or does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=str(folder / tls.authority) if tls.authority else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = tls.check_host
        if tls.certificate:
            context.load_cert_chain(folder / tls.certificate, folder / tls.key if tls.key else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"pacs.tls: certificate, key or authority cannot be used: {error}") from error
    return context


@contextlib.contextmanager
def associated(
    pacs: PacsSite,
    contexts: Sequence[PresentationContext],
    *,
    tls: ssl.SSLContext | None,
    roles: Sequence[str] = (),
    handlers: Handlers = (),
) -> Iterator[Association]:
    """Open an association; released at the end, aborted when anything raises.

    Args:
        pacs: The peer.
        contexts: Presentation contexts to propose; the first one must be accepted.
        tls: TLS, or None for plain text.
        roles: SOP classes of which we take objects on this association (C-GET).
        handlers: pynetdicom event handlers.

    Raises:
        PeerRefusedError: It rejects us, or does not support what was proposed first.
        PeerLostError: It cannot be reached, breaks off, or is too busy.
    """
    with quiet():  # pynetdicom and pydicom warn with what identifiers hold
        sockets: list[socket.socket] = []
        association = _associate(pacs, contexts, sockets, tls=tls, roles=roles, handlers=handlers)
        try:
            if not association.is_established:
                raise _failure(association, pacs, connected=bool(sockets))
            _require(association, str(contexts[0].abstract_syntax), pacs)
            yield association
        except BaseException:
            if association.is_established:
                association.abort()
            raise
        else:
            if association.is_established:
                association.release()
        finally:
            _close(association, sockets)


def _associate(
    pacs: PacsSite,
    contexts: Sequence[PresentationContext],
    sockets: list[socket.socket],
    *,
    tls: ssl.SSLContext | None,
    roles: Sequence[str],
    handlers: Handlers,
) -> Association:
    entity = AE(ae_title=pacs.calling_ae_title)
    entity.connection_timeout = entity.acse_timeout = pacs.connect_timeout_s
    entity.dimse_timeout = entity.network_timeout = pacs.answer_timeout_s

    def opened(event: evt.Event) -> None:
        sockets.append(event.assoc.dul.socket.socket)
        # Nagle's algorithm costs 40 ms a message against a delayed acknowledgement.
        sockets[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    try:
        association = entity.associate(
            pacs.host,
            pacs.port,
            contexts=list(contexts),
            ae_title=pacs.ae_title,
            max_pdu=MAX_PDU_BYTES,
            ext_neg=[build_role(role, scp_role=True) for role in roles],
            evt_handlers=[(evt.EVT_CONN_OPEN, opened), *handlers],
            tls_args=(tls, pacs.host) if tls else None,
        )
    except OSError as error:  # the name has no address
        raise PeerLostError(f"{pacs.host}: no connection ({error.strerror})") from error
    keep_answers(association)
    return association


class _Checkpoint(threading.Event):
    """An event that is never cleared between another thread's look at it and what that thread does then."""

    def __init__(self) -> None:
        super().__init__()
        self.looking = threading.Lock()
        self.set()

    def clear(self) -> None:
        with self.looking:
            super().clear()


def keep_answers(association: Association) -> None:
    """Let no answer be lost on an association that we asked for.

    pynetdicom pauses its reactor while a request waits for its answer. A reactor that was interrupted just before it
    says that it goes on is taken for a paused one: it then takes the answer off the queue, and the request waits until
    its timeout (pynetdicom 3.0.4, ``Association._run_reactor``; seen on a busy machine).
    Here it looks into the queue only while it is not paused.

    Args:
        association: Established or not; of it nothing has been asked yet.
    """
    checkpoint, take = _Checkpoint(), association.dimse.get_msg

    def get_msg(block: bool = False) -> Message:
        if block:
            return cast(Message, take(block=True))
        with checkpoint.looking:
            return cast(Message, take(block=False)) if checkpoint.is_set() else (None, None)

    association._reactor_checkpoint = checkpoint
    association.dimse.get_msg = get_msg


def _close(association: Association, sockets: Sequence[socket.socket]) -> None:
    """Close the connection for good: pynetdicom leaves a socket open where the peer has hung up first."""
    association.dul.join(CLOSE_TIMEOUT_S)
    for each in sockets:
        each.close()


def rejection(association: Association) -> A_ASSOCIATE | None:
    """Return the peer's A-ASSOCIATE-RJ (PS3.8 section 9.3.4), None when it sent none.

    A rejection that comes and closes the connection before pynetdicom's caller runs again is taken for a connection
    that failed; the answer is then left in its queue (pynetdicom 3.0.4, ``ACSE._negotiate_as_requestor``; one in twenty
    on a busy machine).

    Args:
        association: One that we asked for and that was not established.
    """
    left = None if association.acceptor.primitive else association.dul.receive_pdu(wait=False)
    answer = association.acceptor.primitive or left
    return answer if isinstance(answer, A_ASSOCIATE) and answer.result else None


def _failure(association: Association, pacs: PacsSite, *, connected: bool) -> PeerLostError | PeerRefusedError:
    peer = f"{pacs.ae_title} at {pacs.host} port {pacs.port}"
    if answer := rejection(association):
        reason = f"{peer}: association rejected: {answer.reason_str}"
        return PeerLostError(reason) if answer.result == REJECTED_TRANSIENT else PeerRefusedError(reason)
    if connected and not association.acceptor.primitive:
        return PeerLostError(f"{peer}: connected, but the association was not answered (is TLS as it should be?)")
    if connected:
        return PeerRefusedError(f"{peer}: accepts the association but none of what we asked for")
    return PeerLostError(f"{peer}: no connection (not listening, not reachable, or TLS refused)")


def _require(association: Association, abstract_syntax: str, pacs: PacsSite) -> None:
    if not any(context.abstract_syntax == abstract_syntax for context in association.accepted_contexts):
        raise PeerRefusedError(f"{pacs.ae_title}: does not support SOP class {abstract_syntax}")
