"""Sending a folder: what a peer did not answer is sent again, and a peer that never answers is named."""

import threading
from collections import Counter
from pathlib import Path

import pytest
from pydicom.uid import AllTransferSyntaxes, CTImageStorage
from pynetdicom import AE, evt

from npcpit_imaging.dicom import send
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
