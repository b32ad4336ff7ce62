"""Storage commitment, push model, as provider: the request, its durable queue, and the report (PS3.4 annex J).

A peer asks by N-ACTION whether we hold some objects safely, and is answered later by N-EVENT-REPORT. In between the
request is a file, so that a restart forgets none.
"""

import json
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from io import BytesIO
from pathlib import Path

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pynetdicom.presentation import build_context

from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.association import associated
from npcpit_imaging.dicom.durable import sync_folder, write_synced
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.uids import (
    IMPLICIT,
    NATIVE,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    is_uid,
)
from npcpit_imaging.errors import DicomError, PeerLostError, PeerRefusedError

BIG_ENDIAN = NATIVE[2]

MAX_REQUEST_BYTES = 32 * 1024 * 1024
"""Longest request we assemble; one object needs about 130 bytes."""


class FailureReason(IntEnum):
    """Why an object is not committed (PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


class EventType(IntEnum):
    """What a report says (PS3.4 J.3.3)."""

    ALL_COMMITTED = 1
    FAILURES_EXIST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One object that a peer asks about, by the UIDs it sent it with."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """What a peer asks.

    Args:
        transaction_uid: The peer's name for this request.
        peer: Its AE title.
        references: At least one object.
    """

    transaction_uid: str
    peer: str
    references: tuple[Reference, ...]


def decode_request(encoded: bytes, transfer_syntax: str, *, peer: str) -> CommitmentRequest:
    """Decode the action information of an N-ACTION request (PS3.4 table J.3-1).

    Raises:
        DicomError: It is no request, or names no object.
    """
    try:
        with quiet():
            dataset = read_dataset(
                BytesIO(encoded),
                is_implicit_VR=transfer_syntax in IMPLICIT,
                is_little_endian=transfer_syntax != BIG_ENDIAN,
            )
            transaction = str(dataset.get("TransactionUID", ""))
            references = tuple(
                Reference(
                    sop_class_uid=str(item.get("ReferencedSOPClassUID", "")),
                    sop_instance_uid=str(item.get("ReferencedSOPInstanceUID", "")),
                )
                for item in dataset.get("ReferencedSOPSequence", ())
            )
    except Exception as error:  # pydicom raises many kinds for bytes that are no data set
        raise DicomError(f"storage commitment: request cannot be read ({type(error).__name__})") from error
    if not is_uid(transaction) or not references:
        raise DicomError("storage commitment: expected a transaction UID and objects, found none")
    return CommitmentRequest(transaction_uid=transaction, peer=peer, references=references)


class CommitmentQueue:
    """Requests that were accepted and not reported yet, a file each; one asked twice is two, and is answered twice.

    Args:
        folder: Made when absent; inside the spool, for it holds original UIDs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
        for leftover in folder.glob("*.part"):
            leftover.unlink()

    def add(self, request: CommitmentRequest) -> None:
        """Make a request durable.

        Raises:
            OSError: The disk refuses.
        """
        path = self._folder / f"{time.time_ns():020d}-{os.urandom(8).hex()}.json"
        draft = path.with_suffix(".part")
        write_synced(draft, json.dumps(asdict(request)).encode())
        draft.rename(path)
        sync_folder(self._folder)

    def waiting(self) -> dict[str, CommitmentRequest]:
        """Every request by its name in the queue, oldest first."""
        return {path.name: _queued(path) for path in sorted(self._folder.glob("*.json"))}

    def done(self, name: str) -> None:
        """Forget a request that was reported."""
        (self._folder / name).unlink(missing_ok=True)
        sync_folder(self._folder)


def _queued(path: Path) -> CommitmentRequest:
    values = json.loads(path.read_text(encoding="utf-8"))
    references = tuple(Reference(**each) for each in values.pop("references"))
    return CommitmentRequest(**values, references=references)


def send_report(
    request: CommitmentRequest,
    failures: Mapping[Reference, FailureReason],
    *,
    peer: PacsSite,
    tls: ssl.SSLContext | None,
) -> None:
    """Tell a peer what is committed, on an association of our own.

    Args:
        request: What it had asked.
        failures: Objects that are not committed; all others are.
        peer: Where it listens.
        tls: TLS, or None for plain text.

    Raises:
        PeerRefusedError: It refuses the association, the role or the report.
        PeerLostError: It cannot be reached or does not answer.
    """
    context = build_context(STORAGE_COMMITMENT, list(NATIVE[:2]))
    event = EventType.FAILURES_EXIST if failures else EventType.ALL_COMMITTED
    with associated(peer, [context], tls=tls, roles=[STORAGE_COMMITMENT]) as association:
        try:
            answer, _ = association.send_n_event_report(
                report_dataset(request, failures), event, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
            )
        except ValueError as error:  # pynetdicom: no context in which we are the provider
            raise PeerRefusedError(f"{peer.ae_title}: does not take reports of storage commitment from us") from error
    if "Status" not in answer:
        raise PeerLostError(f"{peer.ae_title}: no answer to the report of a storage commitment")
    if answer.Status != 0x0000:
        raise PeerRefusedError(f"{peer.ae_title}: answered the report with 0x{int(answer.Status):04X}")


def report_dataset(request: CommitmentRequest, failures: Mapping[Reference, FailureReason]) -> Dataset:
    """The event information of an N-EVENT-REPORT (PS3.4 table J.3-2)."""
    dataset = Dataset()
    dataset.TransactionUID = request.transaction_uid
    committed = [_item(each) for each in request.references if each not in failures]
    failed = [_item(each, failures[each]) for each in request.references if each in failures]
    if committed:
        dataset.ReferencedSOPSequence = committed
    if failed:
        dataset.FailedSOPSequence = failed
    return dataset


def _item(reference: Reference, reason: FailureReason | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if reason is not None:
        item.FailureReason = int(reason)
    return item
