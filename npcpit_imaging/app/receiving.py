"""What arrives by network: from the receiver's spool into the study, as it comes, several objects at a time."""

import contextlib
import logging
import queue
import threading
import traceback
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.app.arrivals import BATCH_BYTES, BATCH_OBJECTS, Arrivals, Taken, batches
from npcpit_imaging.app.commitment import Commitments
from npcpit_imaging.app.completeness import settle_series
from npcpit_imaging.app.receiver_site import receiver_settings
from npcpit_imaging.app.retrying import Retries
from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.place import original_patient_id
from npcpit_imaging.dicom.quarantine import QuarantineCode
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.spool import Spool, SpooledObject
from npcpit_imaging.errors import DicomError, InputError, NpcpitError, SpoolInUseError, StoreError
from npcpit_imaging.store.images import IndexOutcome, SeriesState

LOG = logging.getLogger(__name__)

WAITING_AT_MOST = 256
"""Objects that are acknowledged before the study has taken them; beyond, senders are made to wait."""

_Arrived = tuple[SpooledObject, threading.Thread]


def spool_of(study: Study) -> Spool:
    """The spool of the study's receiver, inside the vault: objects there are not yet de-identified."""
    return Spool(study.vault / "spool")


def ingest(arrivals: Arrivals, spool: Spool, spooled: SpooledObject) -> Taken:
    """Take one spooled object into the study; it leaves the spool only when it is indexed, or for the quarantine.

    Raises:
        NpcpitError: It could not be taken; it stays in the spool.
    """
    (taken,) = ingest_batch(arrivals, spool, [spooled])
    if isinstance(taken, NpcpitError):
        raise taken
    return taken


def ingest_batch(arrivals: Arrivals, spool: Spool, waiting: Sequence[SpooledObject]) -> list[Taken | NpcpitError]:
    """Take spooled objects into the study; each leaves the spool only when it is indexed, or for the quarantine.

    Returns:
        What became of each; an error for one that stays in the spool.
    """
    found = arrivals.take_many([each.path for each in waiting])
    indexed: list[SpooledObject] = []
    conflicts: list[SpooledObject] = []
    for spooled, taken in zip(waiting, found, strict=True):
        if isinstance(taken, NpcpitError):
            continue
        (conflicts if taken.outcome is IndexOutcome.CONFLICT else indexed).append(spooled)
    spool.done_all(indexed)
    for spooled in conflicts:  # after the others left the spool: a full disk refuses the quarantine
        receipt = spool.set_aside(spooled.path, QuarantineCode.OTHER_CONTENT, spooled.header, digest=spooled.digest)
        LOG.error("%s", "" if receipt.finding is None else receipt.finding.text)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingObject:
    """An object that a receiver acknowledged and could not take into the study before it ended.

    Args:
        digest: Of transfer syntax and data set as received; names the object without its identifiers.
        file: Its name in the spool; holds the original UID, so it stays out of records and messages.
        subject: Whose it is; empty where the object cannot tell.
    """

    digest: str
    file: str
    subject: str


def waiting_objects(study: Study) -> list[WaitingObject]:
    """Objects in the spool, oldest first; none while a receiver runs, which tries them again by itself."""
    arrivals = Arrivals(study)
    try:
        with spool_of(study) as spool:
            return [_waiting(arrivals, each) for each in spool.pending()]
    except SpoolInUseError:
        return []


def _waiting(arrivals: Arrivals, spooled: SpooledObject) -> WaitingObject:
    try:
        subject = arrivals.subject_of(original_patient_id(spooled.path))
    except (DicomError, InputError):
        subject = ""  # taking it will fail and say why
    return WaitingObject(digest=spooled.digest, file=spooled.path.name, subject=subject)


def take_waiting(study: Study, file: str) -> str:
    """Take one object of the spool into the study and say what became of it.

    Raises:
        NpcpitError: It could not be taken; it stays in the spool.
    """
    with spool_of(study) as spool:
        return ingest(Arrivals(study), spool, spool.waiting(file)).outcome.value


class Listener:
    """A running receiver whose objects go into a study as they arrive.

    A thread of its own takes them in, so that a sender waits for one sync and not for de-identification and index.

    Args:
        study: The study.
        port: Listen here instead of where site.toml says; 0 takes a free one.

    Raises:
        ConfigError: The site lets strangers in from elsewhere, or names no address or title that can be.
        SpoolInUseError: Another receiver of this study is running.
    """

    def __init__(self, study: Study, *, port: int | None = None) -> None:
        settings = receiver_settings(study, port=port)
        self._study = study
        self._arrivals = Arrivals(study)
        self._lock = threading.Lock()
        self._carried: dict[threading.Thread, set[str]] = {}
        self._arrived: queue.Queue[_Arrived | None] = queue.Queue(WAITING_AT_MOST)
        self._taker = threading.Thread(target=self._take_arrived, name="study-intake", daemon=True)
        self._retries = Retries()
        self._complaint = ""
        self.outcomes: Counter[str] = Counter()
        self._spool = spool_of(study)
        try:
            self._commitments = Commitments(study, self._spool)
            on_commitment = self._commitments.accept if self._commitments.is_offered else None
            self._receiver = Receiver(settings, self._spool, self._on_stored, on_commitment=on_commitment)
        except NpcpitError:  # a certificate that cannot be used
            self._spool.close()
            raise

    def __enter__(self) -> "Listener":
        try:
            for batch in batches(self._spool.pending(), size_of=lambda spooled: spooled.dataset_bytes):
                self._take_safely(batch)
            self._taker.start()
            self._receiver.start()
            self._commitments.start()
        except BaseException:  # whatever stops us: the next receiver must find the spool free
            self._stop_taking()
            self._spool.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.stop()
        self._stop_taking()
        self._commitments.stop()
        self._spool.close()

    def _stop_taking(self) -> None:
        """Let the study take what has arrived; what it cannot take stays in the spool."""
        if self._taker.is_alive():
            self._arrived.put(None)
            self._taker.join()

    @property
    def port(self) -> int:
        """The TCP port in use."""
        return self._receiver.port

    def assemble(self, codes: Collection[str] | None = None) -> dict[str, list[str]]:
        """Assemble the visits from what has arrived, every subject's or those of some."""
        with self._lock:
            return self._arrivals.assemble(codes)

    def settle(self) -> dict[str, SeriesState]:
        """Judge the series in which nothing has moved for long enough and that no open association carries.

        What the store refused before is tried again first. A store that refuses now is logged, and is no reason to
        end: it may come back, and until then what arrives waits in the spool.
        """
        if self._arrived.unfinished_tasks:
            return {}  # whose series these are is not known yet
        if due := self._retries.due():
            self._take_safely(due)
        try:
            with self._lock:
                self._carried = {thread: series for thread, series in self._carried.items() if thread.is_alive()}
                carried = set().union(*self._carried.values())
                settled = settle_series(self._study, carried=carried)
        except NpcpitError as error:
            self._complain(str(error))
            return {}
        self._complaint = ""
        return settled

    def _complain(self, text: str) -> None:
        """Log a fault of the store once, not twice a second."""
        if text != self._complaint:
            LOG.error("series cannot be judged for now: %s", text)
        self._complaint = text

    def _on_stored(self, spooled: SpooledObject) -> None:
        """Called from the association's own thread, which lives as long as the association is open."""
        self._arrived.put((spooled, threading.current_thread()))

    def drain(self) -> None:
        """Wait until the study has taken, or refused, everything that has arrived."""
        self._arrived.join()

    def _take_arrived(self) -> None:
        ends = False
        while not ends:
            arrived = [self._arrived.get()]
            with contextlib.suppress(queue.Empty):
                while arrived[-1] is not None and len(arrived) < BATCH_OBJECTS and _bytes_of(arrived) < BATCH_BYTES:
                    arrived.append(self._arrived.get_nowait())
            ends = arrived[-1] is None
            if present := [each for each in arrived if each is not None]:
                self._take_batch(present)
            for _ in arrived:
                self._arrived.task_done()

    def _take_batch(self, arrived: Sequence[_Arrived]) -> None:
        series = self._take_safely([spooled for spooled, _ in arrived])
        with self._lock:
            for (_, association), uid in zip(arrived, series, strict=True):
                if uid:
                    self._carried.setdefault(association, set()).add(uid)

    def _take_safely(self, waiting: Sequence[SpooledObject]) -> list[str]:
        """Take objects in; returns the series of each, an empty text for one that has to wait."""
        try:
            with self._lock:
                return self._take_locked(waiting)
        except Exception as error:  # noqa: BLE001 - one object that nobody foresaw must not end the taking of all others
            if len(waiting) == 1:
                self._refused(waiting[0], StoreError(f"it could not be taken ({_kind_and_place(error)})"))
                return [""]
        return [self._take_safely([each])[0] if each.path.exists() else "" for each in waiting]

    def _refused(self, spooled: SpooledObject, error: NpcpitError) -> None:
        is_new, is_new_reason = self._retries.refused(spooled, error)
        self.outcomes["waiting"] += is_new
        if is_new_reason:
            LOG.error("an object stays in the spool: %s", error)

    def _take_locked(self, waiting: Sequence[SpooledObject]) -> list[str]:
        series = []
        for spooled, taken in zip(waiting, ingest_batch(self._arrivals, self._spool, waiting), strict=True):
            if isinstance(taken, NpcpitError):
                self._refused(spooled, taken)
            else:
                self.outcomes[taken.outcome.value] += 1
                if self._retries.taken(spooled):
                    self.outcomes["waiting"] -= 1
            series.append("" if isinstance(taken, NpcpitError) else taken.series_uid)
        return series


def _kind_and_place(error: Exception) -> str:
    """The kind of a fault and where it was met; its own words may quote what an object holds."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _bytes_of(arrived: Sequence[_Arrived | None]) -> int:
    return sum(each[0].dataset_bytes for each in arrived if each is not None)
