"""Sending a folder: what a peer did not answer is sent again, and a peer that never answers is named."""

import threading
from collections import Counter
from pathlib import Path

import pytest
from pydicom.uid import AllTransferSyntaxes, CTImageStorage
from pynetdicom import AE, evt

from npcpit_imaging.dicom import send
from npcpit_imaging.dicom.association import keep_answers
from npcpit_imaging.errors import NetworkError

SAMPLE = Path(__file__).parents[2] / "sample_dicom" / "FU1" / "CT"


@pytest.fixture
def folder(tmp_path):
    """Six slices of the sample."""
    for path in sorted(SAMPLE.glob("*.dcm"))[:6]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def peer(monkeypatch):
    """A real Storage SCP that keeps silent on requests whose number is asked for."""
    monkeypatch.setattr(send, "ANSWER_TIMEOUT_S", 1.0)
    running, going = [], threading.Event()

    def start(silent):
        seen, requests = Counter(), iter(range(10_000))

        def store(event):
            if silent(next(requests)):
                going.wait(30)  # until the test has ended
                return 0xA700
            seen[str(event.request.AffectedSOPInstanceUID)] += 1
            return 0x0000

        entity = AE(ae_title="PEER")
        entity.add_supported_context(CTImageStorage, list(AllTransferSyntaxes))
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
        running.append(server)
        return server.socket.getsockname()[1], seen

    yield start
    going.set()
    for server in running:
        server.shutdown()


def test_what_was_not_answered_is_sent_again(folder, peer):
    port, seen = peer(lambda request: request in (2, 3))
    assert send.send_folder(folder, port=port, called_ae_title="PEER") == 6
    assert sorted(seen.values()) == [1] * 6, "each taken once; none that was acknowledged came again"


def test_a_peer_that_never_answers_is_named_with_the_file(folder, peer):
    port, _ = peer(lambda request: request >= 2)
    with pytest.raises(NetworkError, match=r"\.dcm: expected to be taken, found no answer"):
        send.send_folder(folder, port=port, called_ae_title="PEER")


def test_a_reactor_that_goes_on_takes_no_answer_away(folder, peer):
    """What pynetdicom's reactor does when it is not paused in time, done all the time by another thread."""
    port, _ = peer(lambda request: False)
    entity = AE(ae_title="ASKER")
    entity.dimse_timeout = 2.0
    for syntax in AllTransferSyntaxes:
        entity.add_requested_context(CTImageStorage, syntax)
    association = entity.associate("127.0.0.1", port, ae_title="PEER")
    keep_answers(association)
    ended, taken = threading.Event(), []

    def go_on():
        while not ended.is_set():
            taken.append(association.dimse.get_msg(block=False)[1])

    thief = threading.Thread(target=go_on)
    thief.start()
    try:
        answers = [association.send_c_store(path) for path in sorted(folder.iterdir())]
    finally:
        ended.set()
        thief.join()
        association.release()
    assert [each.Status for each in answers] == [0x0000] * 6
    assert len(taken) > 100, "it looked into the queue"
    assert set(taken) == {None}, "and found nothing"
