"""One association of the receiver, from request to release (PS3.7 sections 9 and 10, PS3.4 annexes B and J).

C-ECHO, C-STORE, and N-ACTION where storage commitment is offered.
"""

import logging
from collections.abc import Callable

from npcpit_imaging.dicom.commitment_scp import CommitmentAction, OnCommitment, begin_action
from npcpit_imaging.dicom.dimse import Command, CommandField, Status, decode_command, response
from npcpit_imaging.dicom.negotiation import (
    AcceptedContext,
    AssociationRequest,
    Rejection,
    accept_pdu,
    decode_request,
    negotiate,
    reject_pdu,
)
from npcpit_imaging.dicom.part10 import ObjectHeader
from npcpit_imaging.dicom.quarantine import QuarantineCode
from npcpit_imaging.dicom.receipt import Outcome, Receipt, SpooledObject
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Incoming, Spool
from npcpit_imaging.dicom.uids import (
    APPLICATION_CONTEXT_NAME,
    STORAGE_COMMITMENT,
    VERIFICATION,
)
from npcpit_imaging.dicom.upper_layer import (
    MAX_COMMAND_BYTES,
    AbortReason,
    PduStream,
    PduType,
    Pdv,
    PeerGoneError,
    ProtocolError,
    command_pdus,
    presentation_data_values,
    release_reply_pdu,
)
from npcpit_imaging.errors import DicomError

OnStored = Callable[[SpooledObject], None]

STATUS_OF: dict[str, Status] = {
    QuarantineCode.OTHER_CONTENT: Status.DUPLICATE_SOP_INSTANCE,
    QuarantineCode.UID_MISMATCH: Status.DATASET_DOES_NOT_MATCH,
    QuarantineCode.CONTEXT_MISMATCH: Status.DATASET_DOES_NOT_MATCH,
    QuarantineCode.INVALID_UID: Status.INVALID_SOP_INSTANCE,
    QuarantineCode.UNREADABLE: Status.CANNOT_UNDERSTAND,
}
"""What a sender is told of an object in quarantine: never Success, for the trial does not have it in use."""


class StorageAssociation:
    """The acceptor's side of one association.

    Args:
        stream: The connection.
        settings: Whom to let in and how much they may take.
        spool: Where objects are made durable.
        on_stored: Called after an object was acknowledged.
        on_commitment: Takes storage commitment requests; None where none is offered.
        log: Gets AE titles and counts, never a patient's identifier.
        full: Whether the receiver already has all associations it takes.
    """

    def __init__(
        self,
        stream: PduStream,
        *,
        settings: ReceiverSettings,
        spool: Spool,
        on_stored: OnStored | None,
        on_commitment: OnCommitment | None = None,
        log: logging.Logger,
        full: bool = False,
    ) -> None:
        self._stream = stream
        self._settings = settings
        self._spool = spool
        self._on_stored = on_stored
        self._on_commitment = on_commitment
        self._log = log
        self._full = full
        self._contexts: dict[int, AcceptedContext] = {}
        self._command_bytes = bytearray()
        self._transfer: _Transfer | None = None
        self._counts = dict.fromkeys(Outcome, 0)
        self._refused = 0

    def run(self) -> None:
        """Serve the association to its end; every end is logged, none raises."""
        peer = "peer before association"
        try:
            request = self._negotiate()
            if request is None:
                return
            peer = f"{request.calling_ae_title!r}"
            self._serve(request)
        except ProtocolError as error:
            self._stream.abort(error.reason)
            self._log.warning("%s: aborted: %s", peer, error)
        except PeerGoneError as error:
            self._log.warning("%s: %s", peer, error)
        finally:
            self._drop_transfer()
            self._log_counts(peer)

    def _log_counts(self, peer: str) -> None:
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self._counts.items())
        self._log.info("%s: association ended: %s, %d refused", peer, counts, self._refused)

    def _negotiate(self) -> AssociationRequest | None:
        """Answer the association request; None when it was rejected."""
        pdu = self._stream.receive()
        if pdu.kind is not PduType.ASSOCIATE_RQ:
            text = f"{pdu.kind.name} PDU where A-ASSOCIATE-RQ was expected"
            raise ProtocolError(text, reason=AbortReason.UNEXPECTED_PDU)
        request = decode_request(pdu.body)
        rejection = self._rejection(request)
        if rejection is not None:
            self._stream.send(reject_pdu(rejection))
            self._log.warning(
                "rejected: %s (from %s, calling %r, called %r)",
                rejection.name,
                self._stream.address,
                request.calling_ae_title,
                request.called_ae_title,
            )
            return None
        self._contexts = negotiate(request, commitment=self._on_commitment is not None)
        self._stream.send(accept_pdu(request, self._contexts, max_pdu_bytes=self._settings.max_pdu_bytes))
        return request

    def _rejection(self, request: AssociationRequest) -> Rejection | None:
        settings = self._settings
        if not request.protocol_version & 1:
            return Rejection.PROTOCOL_VERSION
        if request.application_context != APPLICATION_CONTEXT_NAME:
            return Rejection.APPLICATION_CONTEXT
        if settings.require_called_ae_title and request.called_ae_title != settings.ae_title:
            return Rejection.CALLED_AE_TITLE
        if not settings.allows_calling(request.calling_ae_title):
            return Rejection.CALLING_AE_TITLE
        return Rejection.LOCAL_LIMIT if self._full else None

    def _serve(self, request: AssociationRequest) -> None:
        self._stream.allow_silence(self._settings.idle_timeout_s)
        while True:
            pdu = self._stream.receive()
            if pdu.kind is PduType.DATA_TF:
                for pdv in presentation_data_values(pdu.body):
                    self._take(pdv, request)
            elif pdu.kind is PduType.RELEASE_RQ:
                self._stream.send(release_reply_pdu())
                return
            elif pdu.kind is PduType.ABORT:
                raise PeerGoneError("aborted by the peer")
            else:
                raise ProtocolError(f"unexpected {pdu.kind.name} PDU", reason=AbortReason.UNEXPECTED_PDU)

    def _take(self, pdv: Pdv, request: AssociationRequest) -> None:
        context = self._contexts.get(pdv.context_id)
        if context is None:
            text = f"presentation context {pdv.context_id} was not accepted"
            raise ProtocolError(text, reason=AbortReason.INVALID_PDU_PARAMETER)
        if pdv.is_command:
            self._take_command(pdv, context, request)
        else:
            self._take_dataset(pdv, request)

    def _take_command(self, pdv: Pdv, context: AcceptedContext, request: AssociationRequest) -> None:
        if self._transfer is not None or len(self._command_bytes) + len(pdv.fragment) > MAX_COMMAND_BYTES:
            raise ProtocolError(
                "a command inside a data set, or a command set too long", reason=AbortReason.INVALID_PDU_PARAMETER
            )
        self._command_bytes += pdv.fragment
        if not pdv.is_last:
            return
        encoded = bytes(self._command_bytes)
        self._command_bytes.clear()
        command = self._decode(encoded, request)
        transfer = self._begin(command, context, request)
        if command.has_dataset:
            self._transfer = transfer
        elif command.field != CommandField.C_CANCEL_RQ:
            transfer.discard()
            self._answer(transfer, transfer.status, request)

    def _decode(self, encoded: bytes, request: AssociationRequest) -> Command:
        try:
            return decode_command(encoded)
        except DicomError as error:
            # Nothing can be answered without a message ID; the bytes are kept for a person to look at.
            self._keep_command(encoded, request)
            raise ProtocolError(str(error), reason=AbortReason.NOT_SPECIFIED) from error

    def _keep_command(self, encoded: bytes, request: AssociationRequest) -> None:
        try:
            self._spool.quarantine.keep_command(
                encoded, calling_ae_title=request.calling_ae_title, called_ae_title=request.called_ae_title
            )
        except OSError as error:
            self._log.error("spool cannot write: %s", error.strerror)

    def _begin(self, command: Command, context: AcceptedContext, request: AssociationRequest) -> "_Transfer":
        transfer = _Transfer(command, context)
        if command.field == CommandField.C_ECHO_RQ:
            transfer.status = Status.SUCCESS
        elif command.field == CommandField.N_ACTION_RQ and context.abstract_syntax == STORAGE_COMMITMENT:
            transfer.action, transfer.status = begin_action(command)
        elif command.field != CommandField.C_STORE_RQ:
            transfer.status = Status.UNRECOGNIZED_OPERATION
        elif context.abstract_syntax in (VERIFICATION, STORAGE_COMMITMENT):
            transfer.status = Status.SOP_CLASS_NOT_SUPPORTED
        elif command.has_dataset:
            self._open(transfer, request)
        return transfer

    def _open(self, transfer: "_Transfer", request: AssociationRequest) -> None:
        header = ObjectHeader(
            sop_class_uid=transfer.command.sop_class_uid,
            sop_instance_uid=transfer.command.sop_instance_uid,
            transfer_syntax_uid=transfer.context.transfer_syntax,
            calling_ae_title=request.calling_ae_title,
            called_ae_title=request.called_ae_title,
        )
        try:
            transfer.incoming = self._spool.begin(header)
        except OSError as error:
            self._refuse(transfer, error)

    def _refuse(self, transfer: "_Transfer", error: OSError) -> None:
        """Let the rest of the object pass, then answer that there is no room; the spool has no half file."""
        transfer.incoming = None
        transfer.status = Status.OUT_OF_RESOURCES
        self._log.error("spool cannot write: %s", error.strerror)

    def _take_dataset(self, pdv: Pdv, request: AssociationRequest) -> None:
        transfer = self._transfer
        if transfer is None or pdv.context_id != transfer.context.context_id:
            text = "a data set without its command, or in another presentation context"
            raise ProtocolError(text, reason=AbortReason.INVALID_PDU_PARAMETER)
        if transfer.incoming is not None:
            self._write(transfer, pdv.fragment)
        elif transfer.action is not None:
            transfer.action.write(pdv.fragment)
        if pdv.is_last:
            self._transfer = None
            self._finish(transfer, request)

    def _write(self, transfer: "_Transfer", fragment: memoryview) -> None:
        incoming = transfer.incoming
        assert incoming is not None
        if incoming.dataset_bytes + len(fragment) > self._settings.max_object_bytes:
            transfer.discard()
            transfer.status = Status.OUT_OF_RESOURCES
            self._log.error("an object is longer than %d bytes", self._settings.max_object_bytes)
            return
        try:
            incoming.write(fragment)
        except OSError as error:
            self._refuse(transfer, error)

    def _finish(self, transfer: "_Transfer", request: AssociationRequest) -> None:
        if transfer.action is not None:
            syntax, peer = transfer.context.transfer_syntax, request.calling_ae_title
            status = transfer.action.commit(syntax, peer=peer, on_commitment=self._on_commitment, log=self._log)
            self._answer(transfer, status, request)
            return
        receipt: Receipt | None = None
        try:
            receipt = transfer.commit()
        except OSError as error:
            self._refuse(transfer, error)
        if receipt is None:
            self._answer(transfer, transfer.status, request)
            return
        self._counts[receipt.outcome] += 1
        finding = receipt.finding
        if finding is not None:
            self._log.error("%r: %s", request.calling_ae_title, finding.text)
        self._answer(
            transfer, STATUS_OF[finding.code] if finding else Status.SUCCESS, request, finding.code if finding else None
        )
        if receipt.spooled is not None:
            self._tell(receipt.spooled)

    def _answer(
        self, transfer: "_Transfer", status: Status, request: AssociationRequest, comment: str | None = None
    ) -> None:
        self._refused += status is not Status.SUCCESS
        encoded = response(transfer.command, status, comment or "")
        context_id = transfer.context.context_id
        self._stream.send(command_pdus(encoded, context_id=context_id, peer_max_pdu_bytes=request.max_pdu_bytes))

    def _tell(self, spooled: SpooledObject) -> None:
        if self._on_stored is None:
            return
        try:
            self._on_stored(spooled)
        except Exception:  # noqa: BLE001 - foreign code; the object is durable and acknowledged, and will be replayed
            self._log.exception("an acknowledged object could not be handed on; it stays in the spool")

    def _drop_transfer(self) -> None:
        if self._transfer is not None:
            self._transfer.discard()
            self._transfer = None


class _Transfer:
    """One message being received: its command, and where its data set goes (nowhere once refused)."""

    def __init__(self, command: Command, context: AcceptedContext) -> None:
        self.command = command
        self.context = context
        self.incoming: Incoming | None = None
        self.action: CommitmentAction | None = None
        self.status = Status.CANNOT_UNDERSTAND

    def commit(self) -> Receipt | None:
        """Make the object durable; None when it was refused before."""
        if self.incoming is None:
            return None
        if self.command.sop_class_uid != self.context.abstract_syntax:
            return self.incoming.set_aside(QuarantineCode.CONTEXT_MISMATCH)
        return self.incoming.commit()

    def discard(self) -> None:
        """Forget what was received of the object."""
        if self.incoming is not None:
            self.incoming.discard()
            self.incoming = None
