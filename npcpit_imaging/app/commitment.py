"""Answer storage commitments: verify that the study holds each object, report it, try again until the peer has it."""

import logging
import ssl
import threading
import time
from dataclasses import dataclass

from npcpit_imaging.app.study import Study
from npcpit_imaging.config.pacs import PacsKind, PacsSite, PacsTls
from npcpit_imaging.config.site import CommitmentPeer
from npcpit_imaging.dicom.association import client_tls
from npcpit_imaging.dicom.commitment import (
    CommitmentQueue,
    CommitmentRequest,
    FailureReason,
    Reference,
    send_report,
)
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.errors import DicomError, NpcpitError, PeerRefusedError, StoreError
from npcpit_imaging.store.schema import InstanceRow
from npcpit_imaging.store.vault_map import VaultMap

LOG = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
"""Wait before the first report: the peer should have the answer to its request by then."""

BACKOFF_S = 2.0
"""Wait before the first repetition; doubled before each further one."""

MAX_BACKOFF_S = 600.0
"""Longest wait between two attempts; there is no last one."""

ANSWER_TIMEOUT_S = 30.0
"""Longest silence of a peer that we report to."""


@dataclass(kw_only=True)
class Attempts:
    """How often a report was tried in vain by this process, and when it is due (monotonic seconds)."""

    count: int = 0
    due_s: float


class Verifier:
    """Tells whether the study holds an object, by the UIDs that its sender knows.

    Args:
        study: The study.
        spool: Its spool.
    """

    def __init__(self, study: Study, spool: Spool) -> None:
        self._study = study
        self._spool = spool

    def failures(self, request: CommitmentRequest) -> dict[Reference, FailureReason]:
        """Those objects of a request that are not held durably and whole, with the reason."""
        found = {}
        with VaultMap(self._study.vault / "identity.sqlite") as uids:
            for reference in request.references:
                fault = self._fault(reference, uids)
                if fault is not None:
                    found[reference] = fault
        return found

    def _fault(self, reference: Reference, uids: VaultMap) -> FailureReason | None:
        try:
            # The spool first: an object moves from there into the index, never back.
            waiting = self._spool.waiting_uid(reference.sop_instance_uid)
            if waiting is not None:
                return _class_fault(reference, waiting.header.sop_class_uid)
            return self._index_fault(reference, uids)
        except StoreError:
            raise  # the index is away: to say "not held" would be wrong, and it may be back at the next attempt
        except (NpcpitError, OSError) as error:
            LOG.error("storage commitment: an object cannot be verified: %s", error)
            return FailureReason.PROCESSING_FAILURE

    def _index_fault(self, reference: Reference, uids: VaultMap) -> FailureReason | None:
        mapped = uids.mapped(reference.sop_instance_uid)
        uid = reference.sop_instance_uid if mapped is None else mapped.sop_instance_uid
        with self._study.database.session() as session:
            row = session.get(InstanceRow, uid)
        if row is None or row.deidentified != (mapped is not None):
            return FailureReason.NO_SUCH_OBJECT_INSTANCE
        received = self._spool.ingested_digest(reference.sop_instance_uid)
        if received not in (None, row.received_sha256) or self._study.objects.digest(row.path) != row.sha256:
            return FailureReason.PROCESSING_FAILURE
        return _class_fault(reference, row.sop_class_uid)


def _class_fault(reference: Reference, sop_class_uid: str) -> FailureReason | None:
    return None if reference.sop_class_uid == sop_class_uid else FailureReason.CLASS_INSTANCE_CONFLICT


class Commitments:
    """Takes requests and reports their results from a thread of its own.

    Args:
        study: The study; its site says which peers are reported to.
        spool: Its spool, whose `commitments` folder is the queue.

    Raises:
        ConfigError: The receiver's certificate cannot be used to call a peer.
    """

    def __init__(self, study: Study, spool: Spool) -> None:
        self._peers = {peer.ae_title: peer for peer in study.site.receiver.commitment_peers}
        self._own_title = study.site.receiver.ae_title
        self._tls = _client_tls(study) if any(peer.tls for peer in self._peers.values()) else None
        self._verifier = Verifier(study, spool)
        self._queue = CommitmentQueue(spool.commitments)
        self._attempts: dict[str, Attempts] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="storage-commitment", daemon=True)

    @property
    def is_offered(self) -> bool:
        """Whether the site names a peer that may ask."""
        return bool(self._peers)

    def accept(self, request: CommitmentRequest) -> None:
        """Make a request durable; it will be reported, also by the next process.

        Raises:
            PeerRefusedError: The site does not say where the result should go.
            OSError: The disk refuses.
        """
        if request.peer not in self._peers:
            raise PeerRefusedError("storage commitment: receiver.commitment_peers does not name this AE title")
        self._queue.add(request)

    def start(self) -> None:
        """Report in the background, what a stopped process left first."""
        self._thread.start()

    def stop(self) -> None:
        """End after the report under way; what is left is for the next process."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(FIRST_DELAY_S / 2):
            try:
                self.report_due(time.monotonic())
            except (OSError, ValueError) as error:  # the queue's folder or a file in it
                LOG.error("storage commitment: the queue cannot be read (%s)", type(error).__name__)

    def report_due(self, now_s: float) -> None:
        """Report every request whose time has come."""
        for name, request in self._queue.waiting().items():
            attempts = self._attempts.setdefault(name, Attempts(due_s=now_s + FIRST_DELAY_S))
            if now_s >= attempts.due_s and not self._stopping.is_set():
                self._attempt(name, request, attempts, now_s)

    def _attempt(self, name: str, request: CommitmentRequest, attempts: Attempts, now_s: float) -> None:
        try:
            self._report(request)
        except (DicomError, StoreError) as error:
            wait_s = min(BACKOFF_S * 2**attempts.count, MAX_BACKOFF_S)
            attempts.count, attempts.due_s = attempts.count + 1, now_s + wait_s
            LOG.warning("storage commitment: not reported, again in %g s: %s", wait_s, error)
            return
        self._queue.done(name)
        del self._attempts[name]

    def _report(self, request: CommitmentRequest) -> None:
        peer = self._peers.get(request.peer)
        if peer is None:
            raise PeerRefusedError(f"receiver.commitment_peers does not name {request.peer} any more")
        failures = self._verifier.failures(request)
        send_report(request, failures, peer=_address(peer, self._own_title), tls=self._tls if peer.tls else None)
        LOG.info("%r: %d of %d objects committed", request.peer, *_counts(request, failures))


def _counts(request: CommitmentRequest, failures: dict[Reference, FailureReason]) -> tuple[int, int]:
    return len(set(request.references)) - len(failures), len(set(request.references))


def _address(peer: CommitmentPeer, own_title: str) -> PacsSite:
    return PacsSite(
        kind=PacsKind.DIMSE,
        host=peer.host,
        port=peer.port,
        ae_title=peer.ae_title,
        calling_ae_title=own_title,
        answer_timeout_s=ANSWER_TIMEOUT_S,
    )


def _client_tls(study: Study) -> ssl.SSLContext | None:
    tls = study.site.receiver.tls
    if tls is None:
        return None
    return client_tls(PacsTls(authority=tls.authority, certificate=tls.certificate, key=tls.key), study.folder)
