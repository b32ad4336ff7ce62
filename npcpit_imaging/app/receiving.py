"""What arrives: de-identified, placed, indexed, assembled into visits; by network through the receiver's spool."""

import logging
import queue
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.app.commitment import Commitments
from npcpit_imaging.app.completeness import settle_series
from npcpit_imaging.app.originals import Originals
from npcpit_imaging.app.receiver_site import receiver_settings
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.deidentify import (
    DeidentifyPlan,
    SubjectCodes,
    mint_subject_code,
    read_subject_codes,
)
from npcpit_imaging.dicom.place import (
    PreparedObject,
    original_patient_id,
    prepare_object,
    write_object,
)
from npcpit_imaging.dicom.quarantine import QuarantineCode
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.spool import Spool, SpooledObject
from npcpit_imaging.errors import DicomError, InputError, NpcpitError, SpoolInUseError, StoreError
from npcpit_imaging.store.images import (
    IndexedObject,
    IndexOutcome,
    SeriesState,
    assemble_timepoints,
    index_object,
    subjects,
)
from npcpit_imaging.store.vault_map import MappedObject, VaultMap

LOG = logging.getLogger(__name__)

WAITING_AT_MOST = 256
"""Objects that are acknowledged before the study has taken them; beyond, senders are made to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of an object, and the series (UID as the study knows it) that it belongs to."""

    outcome: IndexOutcome
    series_uid: str


class Arrivals:
    """Takes objects into a study; the key, the subject codes and the plan are read once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        site = study.site.deidentification
        self._originals = Originals(study)
        self._originals.prepare()
        self._key = study_key(study)
        self._map = VaultMap(study.vault / "identity.sqlite")
        codes = study.folder / site.subject_codes
        self._codes = read_subject_codes(codes) if codes.exists() else SubjectCodes(codes={})
        self._plan = (
            DeidentifyPlan(key=self._key, retain_device_identity=site.retain_device_identity) if site.enabled else None
        )

    def take(self, source: Path) -> Taken:
        """Place and index one object.

        Raises:
            DicomError: It is no object that has a place in a study.
            DeidentifyError: It cannot be de-identified with certainty.
            StoreError: Its series is already known for another subject, its subject's other objects are in other
                dates, or the disk refuses.
        """
        prepared = prepare_object(source, subject_of=self.subject_of, plan=self._plan)
        with self._study.database.session() as session:
            outcome = index_object(session, _indexed(prepared), now=self._study.now())
            if outcome is IndexOutcome.STORED:  # the index tells first, so that no other content is overwritten
                write_object(prepared, self._study.objects)
                self._originals.keep(source, prepared.received_sha256)
                self._remember(prepared)
        return Taken(outcome=outcome, series_uid=prepared.series_uid)

    def _remember(self, prepared: PreparedObject) -> None:
        """Keep in the vault what the object was, before anything of the original can go."""
        if prepared.manifest is not None:
            mapped = MappedObject(
                original_sop_instance_uid=prepared.original_sop_instance_uid,
                sop_instance_uid=prepared.sop_instance_uid,
                received_sha256=prepared.received_sha256,
                sha256=prepared.sha256,
            )
            self._map.put(mapped, prepared.manifest.uid_map, report=prepared.manifest.report())

    def subject_of(self, patient_id: str) -> str:
        """The subject code of a hospital's Patient ID, from the table or minted.

        Raises:
            InputError: The Patient ID is empty.
        """
        if patient_id in self._codes:
            return self._codes.subject_of(patient_id)
        return mint_subject_code(self._key, patient_id)

    def assemble(self) -> dict[str, list[str]]:
        """Assemble every subject's visits; one that cannot be changed any more is reported, the others are done."""
        assembled: dict[str, list[str]] = {}
        with self._study.database.session() as session:
            codes = subjects(session)
        for code in codes:
            try:
                with self._study.database.session() as session:
                    points = assemble_timepoints(session, code, window_days=self._study.site.timepoints.window_days)
                assembled[code] = [f"{point.name} {point.date}" for point in points]
            except StoreError as error:
                assembled[code] = [f"not assembled: {error}"]
        return assembled


def _indexed(placed: PreparedObject) -> IndexedObject:
    return IndexedObject(
        sop_instance_uid=placed.sop_instance_uid,
        sop_class_uid=placed.sop_class_uid,
        series_uid=placed.series_uid,
        study_uid=placed.study_uid,
        subject=placed.subject,
        modality=placed.modality,
        description=placed.description,
        frame_of_reference_uid=placed.frame_of_reference_uid,
        date=placed.date,
        path=placed.path,
        sha256=placed.sha256,
        received_sha256=placed.received_sha256,
        deidentified=placed.manifest is not None,
        findings=() if placed.manifest is None else placed.manifest.findings,
    )


def spool_of(study: Study) -> Spool:
    """The spool of the study's receiver, inside the vault: objects there are not yet de-identified."""
    return Spool(study.vault / "spool")


def ingest(arrivals: Arrivals, spool: Spool, spooled: SpooledObject) -> Taken:
    """Take one spooled object into the study; it leaves the spool only when it is indexed, or for the quarantine.

    Raises:
        NpcpitError: It could not be taken; it stays in the spool.
    """
    taken = arrivals.take(spooled.path)
    if taken.outcome is IndexOutcome.CONFLICT:
        code = QuarantineCode.OTHER_CONTENT
        receipt = spool.set_aside(spooled.path, code, spooled.header, digest=spooled.digest)
        LOG.error("%s", "" if receipt.finding is None else receipt.finding.text)
    else:
        spool.done(spooled)
    return taken


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
    """Objects in the spool, oldest first; none while a receiver runs, which takes them by itself."""
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
        self._arrived: queue.Queue[tuple[SpooledObject, threading.Thread] | None] = queue.Queue(WAITING_AT_MOST)
        self._taker = threading.Thread(target=self._take_arrived, name="study-intake", daemon=True)
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
            for spooled in self._spool.pending():
                self._take(spooled)
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

    def assemble(self) -> dict[str, list[str]]:
        """Assemble the visits from what has arrived."""
        with self._lock:
            return self._arrivals.assemble()

    def settle(self) -> dict[str, SeriesState]:
        """Judge the series in which nothing has moved for long enough and that no open association carries."""
        if self._arrived.unfinished_tasks:
            return {}  # whose series these are is not known yet
        with self._lock:
            self._carried = {thread: series for thread, series in self._carried.items() if thread.is_alive()}
            carried = set().union(*self._carried.values())
            return settle_series(self._study, carried=carried)

    def _on_stored(self, spooled: SpooledObject) -> None:
        """Called from the association's own thread, which lives as long as the association is open."""
        self._arrived.put((spooled, threading.current_thread()))

    def drain(self) -> None:
        """Wait until the study has taken, or refused, everything that has arrived."""
        self._arrived.join()

    def _take_arrived(self) -> None:
        while (arrived := self._arrived.get()) is not None:
            self._take_one(*arrived)
            self._arrived.task_done()
        self._arrived.task_done()

    def _take_one(self, spooled: SpooledObject, association: threading.Thread) -> None:
        try:
            with self._lock:
                series_uid = self._take_locked(spooled)
                if series_uid:
                    self._carried.setdefault(association, set()).add(series_uid)
        except Exception:  # one object that nobody foresaw must not end the taking of all others
            LOG.exception("an acknowledged object could not be taken; it stays in the spool")

    def _take(self, spooled: SpooledObject) -> None:
        with self._lock:
            self._take_locked(spooled)

    def _take_locked(self, spooled: SpooledObject) -> str:
        """Take an object in; returns its series, or an empty text where it has to wait."""
        try:
            taken = ingest(self._arrivals, self._spool, spooled)
        except NpcpitError as error:
            self.outcomes["waiting"] += 1
            LOG.error("an object stays in the spool: %s", error)
            return ""
        self.outcomes[taken.outcome.value] += 1
        return taken.series_uid
