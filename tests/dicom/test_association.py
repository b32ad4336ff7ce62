"""Associations that we ask for: what a peer answers is told, however soon it comes."""

import time
from collections.abc import Iterator

import pytest
from pynetdicom import AE, build_context, evt

from npcpit_imaging.config.pacs import PacsKind, PacsSite
from npcpit_imaging.dicom.association import associated
from npcpit_imaging.errors import PeerLostError, PeerRefusedError

VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def port() -> Iterator[int]:
    """A pynetdicom peer that rejects everybody who does not call it PEER."""
    entity = AE(ae_title="PEER")
    entity.require_called_aet = True
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    yield int(server.socket.getsockname()[1])
    server.shutdown()


@pytest.mark.parametrize("wait_s", [0.0, 0.5])
def test_a_rejection_is_told_also_when_it_comes_before_we_look(port, wait_s):
    """The connection is closed while we are still before our look at whether it was made."""
    pacs = PacsSite(kind=PacsKind.DIMSE, host="127.0.0.1", port=port, ae_title="WRONG", calling_ae_title="US")
    late = [(evt.EVT_REQUESTED, lambda event: time.sleep(wait_s))]
    with (
        pytest.raises(PeerRefusedError, match=r"(?i)rejected: called AE"),
        associated(pacs, [build_context(VERIFICATION)], tls=None, handlers=late),
    ):
        pytest.fail("it was established")


def test_a_peer_that_hangs_up_before_it_answers_is_lost(port):
    """The request closes the connection, as one that speaks TLS would."""
    pacs = PacsSite(kind=PacsKind.DIMSE, host="127.0.0.1", port=port, ae_title="PEER", calling_ae_title="US")

    def hang_up(event: evt.Event) -> None:
        event.assoc.dul.socket.socket.shutdown(0)

    with (
        pytest.raises(PeerLostError, match="connected, but the association was not answered"),
        associated(pacs, [build_context(VERIFICATION)], tls=None, handlers=[(evt.EVT_CONN_OPEN, hang_up)]),
    ):
        pytest.fail("it was established")
