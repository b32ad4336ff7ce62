"""Association negotiation of a storage acceptor with pynetdicom's PDUs and primitives (PS3.8 9.3, PS3.7 annex D)."""

import struct
from dataclasses import dataclass
from enum import Enum

from pydicom.uid import UID, UID_dictionary
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext

from npcpit_imaging.dicom.uids import (
    APPLICATION_CONTEXT_NAME,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    LOSSLESS,
    NATIVE,
    STORAGE_COMMITMENT,
    VERIFICATION,
    WITHOUT_PIXELS,
    is_uid,
)
from npcpit_imaging.dicom.upper_layer import AbortReason, ProtocolError

_NOT_OBJECTS = frozenset({"1.2.840.10008.1.3.10", "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.2"})
# Media Storage Directory and Storage Commitment are SOP classes with "Storage" in their names that no C-STORE carries.

_DECODE_FAULTS = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)
# What pynetdicom's decoders raise on bytes that are no association request; UnicodeError is a ValueError.


class Rejection(Enum):
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    APPLICATION_CONTEXT = (1, 1, 2)
    CALLING_AE_TITLE = (1, 1, 3)
    CALLED_AE_TITLE = (1, 1, 7)
    PROTOCOL_VERSION = (1, 2, 2)
    LOCAL_LIMIT = (2, 3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedContext:
    """One presentation context a peer proposes."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedContext:
    """One presentation context agreed on."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRequest:
    """What a peer asks for.

    Args:
        calling_ae_title: The peer's name for itself.
        called_ae_title: The name it expects here.
        application_context: Must be the DICOM application context name.
        protocol_version: Bit 0 is version 1.
        max_pdu_bytes: Longest P-DATA the peer reads; 0 is unlimited.
        contexts: Proposed presentation contexts.
    """

    calling_ae_title: str
    called_ae_title: str
    application_context: str
    protocol_version: int
    max_pdu_bytes: int
    contexts: tuple[ProposedContext, ...]


def decode_request(body: memoryview) -> AssociationRequest:
    """Decode the variable field of an A-ASSOCIATE-RQ.

    Raises:
        ProtocolError: The bytes are no association request.
    """
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(struct.pack(">BxL", 1, len(body)) + bytes(body))
        primitive = pdu.to_primitive()
        contexts = tuple(_proposed(context) for context in primitive.presentation_context_definition_list)
        max_pdu_bytes = int(primitive.maximum_length_received or 0)
    except _DECODE_FAULTS as error:
        text = f"association request cannot be decoded ({type(error).__name__})"
        raise ProtocolError(text, reason=AbortReason.INVALID_PDU_PARAMETER) from error
    if not contexts or 0 < max_pdu_bytes <= 6:
        text = f"association request with {len(contexts)} contexts and a maximum length of {max_pdu_bytes} bytes"
        raise ProtocolError(text, reason=AbortReason.INVALID_PDU_PARAMETER)
    return AssociationRequest(
        calling_ae_title=pdu.calling_ae_title.strip(),
        called_ae_title=pdu.called_ae_title.strip(),
        application_context=str(primitive.application_context_name or ""),
        protocol_version=int(pdu.protocol_version),
        max_pdu_bytes=max_pdu_bytes,
        contexts=contexts,
    )


def _proposed(context: PresentationContext) -> ProposedContext:
    if context.abstract_syntax is None or not context.transfer_syntax:
        raise ValueError("a context needs an abstract and a transfer syntax")
    return ProposedContext(
        context_id=int(context.context_id),
        abstract_syntax=str(context.abstract_syntax),
        transfer_syntaxes=tuple(str(syntax) for syntax in context.transfer_syntax),
    )


def is_storage(abstract_syntax: str) -> bool:
    """Whether objects of a SOP class arrive by C-STORE: every storage class, and every class no dictionary knows.

    Example:
        >>> is_storage("1.2.840.10008.5.1.4.1.1.2"), is_storage("1.3.46.670589.5.0.1"), is_storage("1.2.840.10008.1.1")
        (True, True, False)
    """
    entry = UID_dictionary.get(abstract_syntax)
    if entry is None:
        return is_uid(abstract_syntax)
    return "Storage" in entry[0] and entry[1] == "SOP Class" and abstract_syntax not in _NOT_OBJECTS


def choose_transfer_syntax(abstract_syntax: str, proposed: tuple[str, ...]) -> str | None:
    """Pick the transfer syntax of one context, or None when none fits (which is an answer of the protocol).

    The sender's order is kept, except that a lossy syntax is taken only where nothing else is proposed (our choice must
    not make a sender compress with loss) and explicit VR little endian goes before the other uncompressed ones.
    """
    if abstract_syntax in (VERIFICATION, STORAGE_COMMITMENT):
        return next((syntax for syntax in NATIVE if syntax in proposed), None)
    usable = [syntax for syntax in proposed if is_uid(syntax) and syntax not in WITHOUT_PIXELS]
    best = next((syntax for syntax in usable if syntax in LOSSLESS), usable[0] if usable else None)
    if best in NATIVE:
        return next(syntax for syntax in NATIVE if syntax in usable)
    return best


def negotiate(request: AssociationRequest, *, commitment: bool = False) -> dict[int, AcceptedContext]:
    """Return the accepted contexts by context ID.

    Args:
        request: What the peer proposes.
        commitment: Whether storage commitment is offered.
    """
    accepted = {}
    for context in request.contexts:
        syntax = choose_transfer_syntax(context.abstract_syntax, context.transfer_syntaxes)
        wanted = context.abstract_syntax == VERIFICATION or is_storage(context.abstract_syntax)
        wanted = wanted or (commitment and context.abstract_syntax == STORAGE_COMMITMENT)
        if wanted and syntax is not None:
            accepted[context.context_id] = AcceptedContext(
                context_id=context.context_id, abstract_syntax=context.abstract_syntax, transfer_syntax=syntax
            )
    return accepted


def accept_pdu(request: AssociationRequest, accepted: dict[int, AcceptedContext], *, max_pdu_bytes: int) -> bytes:
    """Encode the A-ASSOCIATE-AC that answers a request."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT_NAME
    primitive.calling_ae_title = request.calling_ae_title
    primitive.called_ae_title = request.called_ae_title
    primitive.presentation_context_definition_results_list = [
        _result(context, accepted.get(context.context_id)) for context in request.contexts
    ]
    length, implementation, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    length.maximum_length_received = max_pdu_bytes
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    primitive.user_information = [length, implementation, version]
    encoded: bytes = A_ASSOCIATE_AC(primitive).encode()
    return encoded


def _result(proposed: ProposedContext, accepted: AcceptedContext | None) -> PresentationContext:
    result = PresentationContext()
    result.context_id = proposed.context_id
    result.transfer_syntax = [accepted.transfer_syntax if accepted else proposed.transfer_syntaxes[0]]
    if accepted is not None:
        result.result = 0x00
    elif proposed.abstract_syntax == VERIFICATION or is_storage(proposed.abstract_syntax):
        result.result = 0x04  # transfer syntaxes not supported
    else:
        result.result = 0x03  # abstract syntax not supported
    return result


def reject_pdu(rejection: Rejection) -> bytes:
    """Encode an A-ASSOCIATE-RJ."""
    primitive = A_ASSOCIATE()
    primitive.result, primitive.result_source, primitive.diagnostic = rejection.value
    encoded: bytes = A_ASSOCIATE_RJ(primitive).encode()
    return encoded
