"""What the receiver agrees to: storage classes, transfer syntaxes, association requests."""

import random
import struct

import pytest
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import build_context

from npcpit_imaging.dicom.dimse import Command, Status, decode_command, response
from npcpit_imaging.dicom.negotiation import (
    Rejection,
    accept_pdu,
    choose_transfer_syntax,
    decode_request,
    is_storage,
    negotiate,
    reject_pdu,
)
from npcpit_imaging.dicom.upper_layer import ProtocolError
from npcpit_imaging.errors import DicomError

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG_BASELINE, JPEG_LOSSLESS, JPIP = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.94"


def request_body(*contexts: tuple[str, list[str]], max_length: int = 16384) -> bytes:
    """Encode an association request with pynetdicom, without its PDU header."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "PEER", "NPCPIT"
    proposed = [build_context(abstract, syntaxes) for abstract, syntaxes in contexts]
    for number, context in enumerate(proposed):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = proposed
    length = MaximumLengthNotification()
    length.maximum_length_received = max_length
    primitive.user_information = [length]
    return A_ASSOCIATE_RQ(primitive).encode()[6:]


@pytest.mark.parametrize("context", AllStoragePresentationContexts, ids=lambda context: str(context.abstract_syntax))
def test_every_storage_class_pynetdicom_knows_is_accepted(context):
    """An independent list."""
    assert is_storage(str(context.abstract_syntax))


@pytest.mark.parametrize(
    "uid", ["1.3.46.670589.11.0.0.12.1", "1.2.840.10008.5.1.4.1.1.99999", "1.2.840.10008.5.1.4.1.1.5"]
)
def test_private_future_and_retired_classes_are_accepted(uid):
    """Philips private, one of a later edition, retired Nuclear Medicine."""
    assert is_storage(uid)


@pytest.mark.parametrize(
    "uid",
    [
        "not a uid", "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2",
     "1.2.840.10008.1.20.1", "1.2.840.10008.5.1.4.31", "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.1.3.10"],
)  # fmt: skip
def test_other_services_are_no_storage(uid):
    """Verification, query, move, commitment, worklist, procedure step, DICOMDIR."""
    assert not is_storage(uid)


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((IMPLICIT,), IMPLICIT),
        ((IMPLICIT, EXPLICIT), EXPLICIT),
        ((BIG, IMPLICIT), IMPLICIT),
        ((BIG,), BIG),
        ((JPEG_LOSSLESS, EXPLICIT), JPEG_LOSSLESS),
        ((JPEG_BASELINE, IMPLICIT), IMPLICIT),
        ((JPEG_BASELINE,), JPEG_BASELINE),
        (("1.2.840.113619.5.2",), "1.2.840.113619.5.2"),
        ((JPIP,), None),
        ((JPIP, EXPLICIT), EXPLICIT),
    ],
)
def test_transfer_syntaxes_are_chosen_without_loss(proposed, chosen):
    """A lossy one only alone; explicit before implicit; an address instead of pixels never."""
    assert choose_transfer_syntax(CT, proposed) == chosen


def test_a_request_is_answered_context_by_context():
    """pynetdicom decodes our answer: results of PS3.8 table 9-18."""
    find = "1.2.840.10008.5.1.4.1.2.2.1"
    request = decode_request(memoryview(request_body((CT, [IMPLICIT]), (find, [IMPLICIT]), (CT, [JPIP]))))
    assert (request.calling_ae_title, request.called_ae_title, request.max_pdu_bytes) == ("PEER", "NPCPIT", 16384)
    accepted = negotiate(request)
    answer = A_ASSOCIATE_AC()
    answer.decode(accept_pdu(request, accepted, max_pdu_bytes=131072))
    primitive = answer.to_primitive()
    results = [(cx.context_id, cx.result) for cx in primitive.presentation_context_definition_results_list]
    assert results == [(1, 0), (3, 3), (5, 4)]
    assert primitive.maximum_length_received == 131072
    assert list(accepted) == [1]


@pytest.mark.parametrize("rejection", Rejection)
def test_a_rejection_says_why(rejection):
    """pynetdicom decodes it."""
    pdu = A_ASSOCIATE_RJ()
    pdu.decode(reject_pdu(rejection))
    assert (pdu.result, pdu.source, pdu.reason_diagnostic) == rejection.value


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom, on the way to our refusal
def test_damaged_requests_are_protocol_errors_and_nothing_else():
    """A bounded fuzz: 400 requests with flipped, cut or repeated bytes."""
    whole = request_body((CT, [IMPLICIT, EXPLICIT]), ("1.2.840.10008.1.1", [IMPLICIT]))
    generator = random.Random(3)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole[: generator.randrange(60, len(whole) + 1)])
        for _ in range(generator.randrange(4)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            negotiate(decode_request(memoryview(damaged)))
        except ProtocolError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("max_length", [1, 6])
def test_a_peer_that_can_read_nothing_is_refused(max_length):
    """A PDU of six bytes holds no fragment."""
    with pytest.raises(ProtocolError):
        decode_request(memoryview(request_body((CT, [IMPLICIT]), max_length=max_length)))


def command_set(**elements: bytes) -> bytes:
    """Encode elements of group 0000, e.g. ``e0100=b"..."``, by hand."""
    return b"".join(
        struct.pack("<HHL", 0, int(name[1:], 16), len(value)) + value for name, value in sorted(elements.items())
    )


def test_a_store_request_is_decoded():
    """Values padded as PS3.5 asks."""
    encoded = command_set(e0000=bytes(4), e0002=b"1.2.3\0", e0100=b"\1\0", e0110=b"\7\0", e0700=b"\0\0",
                          e0800=b"\0\0", e1000=b"1.2.3.4\0")  # fmt: skip
    assert decode_command(encoded) == Command(
        field=1, message_id=7, sop_class_uid="1.2.3", sop_instance_uid="1.2.3.4", has_dataset=True
    )


@pytest.mark.parametrize(
    "encoded",
    [b"\0\0", command_set(e0100=b"\1\0"), command_set(e0100=b"\1", e0800=b"\0\0"),
     struct.pack("<HHL", 0, 0x100, 200) + b"\1\0", struct.pack("<HHL", 8, 0x16, 2) + b"1\0"],
    ids=["cut", "no data set type", "one byte", "beyond the end", "group 8"],
)  # fmt: skip
def test_bytes_that_are_no_command_are_refused(encoded):
    """None is guessed at."""
    with pytest.raises(DicomError, match="command set"):
        decode_command(encoded)


def test_a_response_is_read_by_pydicom():
    """An independent reader of our encoding."""
    from io import BytesIO

    from pydicom.filereader import read_dataset

    command = Command(field=1, message_id=513, sop_class_uid=CT, sop_instance_uid="1.2.3.45", has_dataset=True)
    answer = read_dataset(BytesIO(response(command, Status.OUT_OF_RESOURCES, "full")), True, True)
    assert answer.CommandField == 0x8001
    assert answer.MessageIDBeingRespondedTo == 513
    assert answer.Status == 0xA700
    assert answer.AffectedSOPClassUID == CT
    assert answer.AffectedSOPInstanceUID == "1.2.3.45"
    assert answer.ErrorComment == "full"
    assert answer.CommandDataSetType == 0x0101
    assert answer.CommandGroupLength == len(response(command, Status.OUT_OF_RESOURCES, "full")) - 12
