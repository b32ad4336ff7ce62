"""A PACS spoken to by DIMSE: C-ECHO, C-FIND, C-GET, C-MOVE as service class user (PS3.4 annexes A and C)."""

import ssl
from collections.abc import Sequence

from pynetdicom.presentation import build_context

from npcpit_imaging.config.pacs import PacsSite, Retrieve
from npcpit_imaging.dicom.archive import InstanceAnswer, SeriesAnswer, StudyAnswer, StudyQuery
from npcpit_imaging.dicom.association import associated
from npcpit_imaging.dicom.find import (
    FIND_MODEL,
    failure_of,
    find_instances,
    find_series,
    find_studies,
    status_of,
)
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.dicom.retrieve import get, move
from npcpit_imaging.dicom.uids import VERIFICATION


class DimseArchive:
    """A PACS that speaks DIMSE; an `Archive`.

    Each call has an association of its own: an idle one is cut by firewalls, and a broken one harms no other call.

    Args:
        pacs: The peer.
        inbox: Where objects go that come by C-GET.
        destination: AE title of our running receiver, for C-MOVE.
        tls: TLS, or None for plain text.
    """

    def __init__(
        self, pacs: PacsSite, inbox: Inbox, *, destination: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self._pacs = pacs
        self._inbox = inbox
        self._destination = destination
        self._tls = tls

    def echo(self) -> None:
        """C-ECHO (PS3.7, 9.1.5).

        Raises:
            PeerRefusedError: It rejects us.
            PeerLostError: It cannot be reached or does not answer.
        """
        with associated(self._pacs, [build_context(VERIFICATION)], tls=self._tls) as association:
            code = status_of(association.send_c_echo(), "C-ECHO")
        if code != 0:
            raise failure_of(code, "C-ECHO")

    def studies(self, query: StudyQuery) -> tuple[StudyAnswer, ...]:
        """C-FIND at the level STUDY."""
        with associated(self._pacs, [build_context(FIND_MODEL)], tls=self._tls) as association:
            return find_studies(association, query)

    def series(self, study_uid: str) -> tuple[SeriesAnswer, ...]:
        """C-FIND at the level SERIES."""
        with associated(self._pacs, [build_context(FIND_MODEL)], tls=self._tls) as association:
            return find_series(association, study_uid)

    def instances(self, series: SeriesAnswer) -> tuple[InstanceAnswer, ...]:
        """C-FIND at the level IMAGE."""
        with associated(self._pacs, [build_context(FIND_MODEL)], tls=self._tls) as association:
            return find_instances(association, series)

    def retrieve(self, series: SeriesAnswer, wanted: Sequence[InstanceAnswer], *, whole: bool) -> None:
        """C-GET or C-MOVE, as the site decided."""
        if self._pacs.retrieve is Retrieve.MOVE:
            move(self._pacs, self._tls, self._destination, series, wanted, whole=whole)
        else:
            get(self._pacs, self._tls, self._inbox, series, wanted, whole=whole)
