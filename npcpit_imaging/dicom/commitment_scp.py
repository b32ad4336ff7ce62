"""The N-ACTION message that asks for storage commitment, as the receiver's association takes it (PS3.7 10.1.4)."""

import logging
from collections.abc import Callable

from npcpit_imaging.dicom.commitment import MAX_REQUEST_BYTES, CommitmentRequest, decode_request
from npcpit_imaging.dicom.dimse import Command, Status
from npcpit_imaging.dicom.uids import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from npcpit_imaging.errors import DicomError

OnCommitment = Callable[[CommitmentRequest], None]
"""Makes a storage commitment request durable; a DicomError or OSError refuses it."""

REQUEST_STORAGE_COMMITMENT = 1
"""The one action type of the push model (PS3.4 J.3.2)."""


def begin_action(command: Command) -> "tuple[CommitmentAction | None, Status]":
    """Judge an N-ACTION request by its command: where its data set goes, or why it is refused."""
    if (command.sop_class_uid, command.sop_instance_uid) != (STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE):
        return None, Status.INVALID_SOP_INSTANCE
    if command.action_type != REQUEST_STORAGE_COMMITMENT:
        return None, Status.NO_SUCH_ACTION
    return (CommitmentAction(), Status.SUCCESS) if command.has_dataset else (None, Status.PROCESSING_FAILURE)


class CommitmentAction:
    """The data set of one request while it is received; it is small, and stays in memory."""

    def __init__(self) -> None:
        self._encoded = bytearray()
        self._too_long = False

    def write(self, fragment: memoryview) -> None:
        """Append bytes of the data set; what is beyond the limit passes by."""
        self._too_long = self._too_long or len(self._encoded) + len(fragment) > MAX_REQUEST_BYTES
        if not self._too_long:
            self._encoded += fragment

    def commit(
        self, transfer_syntax: str, *, peer: str, on_commitment: OnCommitment | None, log: logging.Logger
    ) -> Status:
        """Hand the complete request on; Success means that it is durable and will be reported."""
        if self._too_long or on_commitment is None:
            return Status.RESOURCE_LIMITATION
        try:
            asked = decode_request(bytes(self._encoded), transfer_syntax, peer=peer)
            on_commitment(asked)
        except DicomError as error:
            log.error("%r: %s", peer, error)
            return Status.PROCESSING_FAILURE
        except OSError as error:
            log.error("storage commitment: the queue cannot be written: %s", error.strerror)
            return Status.RESOURCE_LIMITATION
        log.info("%r asks for the commitment of %d objects", peer, len(asked.references))
        return Status.SUCCESS
