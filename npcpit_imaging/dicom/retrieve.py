"""C-GET and C-MOVE of a series or of objects by name (PS3.4 annexes C.4.2 and C.4.3)."""

import ssl
from collections.abc import Iterable, Iterator, Sequence

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.presentation import PresentationContext, build_context

from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.archive import InstanceAnswer, SeriesAnswer
from npcpit_imaging.dicom.association import associated
from npcpit_imaging.dicom.dimse import Status
from npcpit_imaging.dicom.find import PENDING, failure_of, status_of
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.dicom.part10 import ObjectHeader
from npcpit_imaging.dicom.receipt import Outcome
from npcpit_imaging.dicom.storage_scp import STATUS_OF
from npcpit_imaging.dicom.uids import LOSSLESS, NATIVE, is_uid
from npcpit_imaging.errors import DicomError

MOVE_MODEL = "1.2.840.10008.5.1.4.1.2.2.2"
"""Study Root Query/Retrieve Information Model - MOVE."""

GET_MODEL = "1.2.840.10008.5.1.4.1.2.2.3"
"""Study Root Query/Retrieve Information Model - GET."""

SUBOPERATIONS_FAILED = frozenset({0xB000, 0xA702})
"""Some, or all, objects could not be sent (PS3.4 tables C.4-2 and C.4-3): the comparison of UIDs tells which."""

NAMES_PER_REQUEST = 64
"""SOP Instance UIDs in one request: 4 kB, which fits the smallest buffers."""

COMPRESSED = (
    *sorted(LOSSLESS - set(NATIVE)),
    *(f"1.2.840.10008.1.2.4.{leaf}" for leaf in (50, 51, 81, 91, 93, 112, 203)),
)
"""Compressed syntaxes; each is proposed in a context of its own, so that a PACS sends an object as it holds it."""

STORAGE_OF = {
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"),
    "MR": ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"),
    "PT": ("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1"),
}
"""Storage classes to propose where the PACS does not tell which it has: classic, enhanced, legacy converted."""

MAX_CONTEXTS = 128
"""Presentation contexts of one association (odd identifiers of one byte, PS3.8 table 9-13)."""


def get(
    pacs: PacsSite,
    tls: ssl.SSLContext | None,
    inbox: Inbox,
    series: SeriesAnswer,
    wanted: Sequence[InstanceAnswer],
    *,
    whole: bool,
) -> None:
    """Have objects sent on our own association, each acknowledged when it is durable.

    Raises:
        PeerRefusedError: The PACS says no.
        PeerLostError: It falls silent or breaks off.
        DicomError: Our disk refuses.
    """
    faults: list[DicomError] = []

    def stored(event: evt.Event) -> int:
        try:
            return _keep(event, pacs, inbox)
        except DicomError as error:
            faults.append(error)
            return int(Status.OUT_OF_RESOURCES)

    classes = storage_classes(series.modality, wanted)
    contexts = [build_context(GET_MODEL), *storage_contexts(classes)]
    with associated(pacs, contexts, tls=tls, roles=classes, handlers=[(evt.EVT_C_STORE, stored)]) as association:
        for identifier in _identifiers(series, wanted, whole=whole):
            _finish(association.send_c_get(identifier, GET_MODEL), "C-GET")
            if faults:
                raise faults[0]


def move(
    pacs: PacsSite,
    tls: ssl.SSLContext | None,
    destination: str,
    series: SeriesAnswer,
    wanted: Sequence[InstanceAnswer],
    *,
    whole: bool,
) -> None:
    """Have objects sent to a running receiver of ours, whose AE title the PACS maps to an address and a port.

    Raises:
        PeerRefusedError: The PACS says no, e.g. because it does not know the destination.
        PeerLostError: It falls silent or breaks off.
    """
    with associated(pacs, [build_context(MOVE_MODEL)], tls=tls) as association:
        for identifier in _identifiers(series, wanted, whole=whole):
            _finish(association.send_c_move(identifier, destination, MOVE_MODEL), "C-MOVE")


def storage_classes(modality: str, wanted: Iterable[InstanceAnswer]) -> tuple[str, ...]:
    """The storage classes to propose: those the PACS named, else those of the modality."""
    named = sorted({each.sop_class_uid for each in wanted if is_uid(each.sop_class_uid)})
    return tuple(named) or STORAGE_OF.get(modality, tuple(uid for uids in STORAGE_OF.values() for uid in uids))


def storage_contexts(classes: Sequence[str]) -> list[PresentationContext]:
    """Contexts for objects as they are: each syntax alone, uncompressed ones first, as many as fit.

    Example:
        >>> contexts = storage_contexts(["1.2.840.10008.5.1.4.1.1.2"])
        >>> [context.transfer_syntax for context in contexts[:2]]
        [['1.2.840.10008.1.2.1'], ['1.2.840.10008.1.2']]
    """
    return [build_context(uid, syntax) for syntax in (*NATIVE, *COMPRESSED) for uid in classes][: MAX_CONTEXTS - 1]


def _identifiers(series: SeriesAnswer, wanted: Sequence[InstanceAnswer], *, whole: bool) -> Iterator[Dataset]:
    names = [each.sop_instance_uid for each in wanted]
    for start in range(0, 1 if whole else len(names), NAMES_PER_REQUEST):
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "SERIES" if whole else "IMAGE"
        identifier.StudyInstanceUID = series.study_uid
        identifier.SeriesInstanceUID = series.series_uid
        if not whole:
            identifier.SOPInstanceUID = names[start : start + NAMES_PER_REQUEST]
        yield identifier


def _finish(responses: Iterator[tuple[Dataset, Dataset | None]], operation: str) -> None:
    for status, _ in responses:
        code = status_of(status, operation)
        if code not in PENDING and code != 0 and code not in SUBOPERATIONS_FAILED:
            raise failure_of(code, operation)


def _keep(event: evt.Event, pacs: PacsSite, inbox: Inbox) -> int:
    request = event.request
    header = ObjectHeader(
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        transfer_syntax_uid=str(event.context.transfer_syntax),
        calling_ae_title=pacs.ae_title,
        called_ae_title=pacs.calling_ae_title,
    )
    receipt = inbox.keep(header, [request.DataSet.getbuffer()])
    if receipt.outcome is Outcome.QUARANTINED and receipt.finding is not None:
        return int(STATUS_OF[receipt.finding.code])
    return int(Status.SUCCESS)
