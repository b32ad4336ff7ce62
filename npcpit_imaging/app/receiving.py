"""What arrives, by network or from a folder: de-identified, placed, indexed, assembled into visits."""

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.deidentify import (
    DeidentifyPlan,
    SubjectCodes,
    mint_subject_code,
    read_subject_codes,
)
from npcpit_imaging.dicom.place import PlacedObject, place_object
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Spool, SpooledObject
from npcpit_imaging.errors import InputError, NpcpitError, StoreError
from npcpit_imaging.store.images import IndexedObject, IndexOutcome, assemble_timepoints, index_object, subjects

LOG = logging.getLogger(__name__)

KEY_BYTES = 32
"""Length of a study's secret, made when the first object arrives."""

Tick = Callable[[], None]
ProgressBar = Callable[[str, int], AbstractContextManager[Tick]]
"""Opens a progress bar with a title and a number of steps; each call of what it gives is one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that could not be taken: its place below the folder that was imported, and why."""

    file: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ArrivalReport:
    """What became of every file of an import.

    Args:
        outcomes: Number of objects stored, repeated and in conflict.
        refused: Files that were not taken.
        assembled: Visits per subject.
    """

    outcomes: Counter[IndexOutcome]
    refused: tuple[Refused, ...]
    assembled: dict[str, list[str]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every file was taken."""
        return not self.refused and not self.outcomes[IndexOutcome.CONFLICT]

    def as_json(self) -> dict[str, object]:
        """The report for a program."""
        return {
            **{outcome.value: self.outcomes[outcome] for outcome in IndexOutcome},
            "refused": [{"file": each.file, "reason": each.reason} for each in self.refused],
            "timepoints": self.assembled,
        }


class Arrivals:
    """Takes objects into a study; the key, the subject codes and the plan are read once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        site = study.site.deidentification
        self._key = study_key(study)
        codes = study.folder / site.subject_codes
        self._codes = read_subject_codes(codes) if codes.exists() else SubjectCodes(codes={})
        self._plan = (
            DeidentifyPlan(key=self._key, retain_device_identity=site.retain_device_identity) if site.enabled else None
        )

    def take(self, source: Path) -> IndexOutcome:
        """Place and index one object.

        Raises:
            DicomError: It is no object that has a place in a study.
            DeidentifyError: It cannot be de-identified with certainty.
            StoreError: Its series is already known for another subject.
        """
        placed = place_object(source, self._study.objects, subject_of=self._subject_of, plan=self._plan)
        with self._study.database.session() as session:
            outcome = index_object(session, _indexed(placed), now=self._study.now())
        if outcome is IndexOutcome.CONFLICT:
            LOG.warning("instance %s arrived again with other content; the first one is kept", placed.sop_instance_uid)
        return outcome

    def _subject_of(self, patient_id: str) -> str:
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


def _indexed(placed: PlacedObject) -> IndexedObject:
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
    )


def study_key(study: Study) -> bytes:
    """The study's secret, made at first use; all pseudonyms, UIDs and date shifts come from it."""
    path = study.vault / "key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(KEY_BYTES), encoding="ascii")
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError as error:
        raise InputError("vault/key: expected hexadecimal digits, found something else") from error


def import_folder(study: Study, source: Path, *, progress: ProgressBar) -> ArrivalReport:
    """Take every file of a folder into the study.

    Args:
        study: The study.
        source: Walked to its depth; files that are no DICOM are refused by name, and never harm the others.
        progress: Opens a progress bar.

    Raises:
        InputError: There is no such folder, or it holds no file.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    if not files:
        raise InputError(f"{source}: expected DICOM files, found an empty folder")
    arrivals = Arrivals(study)
    outcomes: Counter[IndexOutcome] = Counter()
    refused: list[Refused] = []
    with progress("importing", len(files)) as tick:
        for file in files:
            try:
                outcomes[arrivals.take(file)] += 1
            except NpcpitError as error:
                refused.append(
                    Refused(file=str(file.relative_to(source)) if file != source else file.name, reason=str(error))
                )
            tick()
    return ArrivalReport(outcomes=outcomes, refused=tuple(refused), assembled=arrivals.assemble())


def spool_of(study: Study) -> Spool:
    """The spool of the study's receiver, inside the vault: objects there are not yet de-identified."""
    return Spool(study.vault / "spool")


def ingest(arrivals: Arrivals, spool: Spool, spooled: SpooledObject) -> IndexOutcome:
    """Take one spooled object into the study; it leaves the spool only when it is indexed.

    Raises:
        NpcpitError: It could not be taken; it stays in the spool.
    """
    outcome = arrivals.take(spooled.path)
    spool.done(spooled)
    return outcome


class Listener:
    """A running receiver whose objects go into a study as they arrive."""

    def __init__(self, study: Study, *, port: int | None = None) -> None:
        self._arrivals = Arrivals(study)
        self._spool = spool_of(study)
        self._lock = threading.Lock()
        self.outcomes: Counter[str] = Counter()
        site = study.site.receiver
        settings = ReceiverSettings(
            host=site.host,
            port=site.port if port is None else port,
            ae_title=site.ae_title,
            allowed_calling_ae_titles=site.peers or None,
        )
        self._receiver = Receiver(settings, self._spool, self._on_stored)

    def __enter__(self) -> "Listener":
        for spooled in self._spool.pending():
            self._on_stored(spooled)
        self._receiver.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.stop()
        self._spool.close()

    @property
    def port(self) -> int:
        """The TCP port in use."""
        return self._receiver.port

    def assemble(self) -> dict[str, list[str]]:
        """Assemble the visits from what has arrived."""
        with self._lock:
            return self._arrivals.assemble()

    def _on_stored(self, spooled: SpooledObject) -> None:
        with self._lock:
            try:
                self.outcomes[ingest(self._arrivals, self._spool, spooled).value] += 1
            except NpcpitError as error:
                self.outcomes["waiting"] += 1
                LOG.error("an object stays in the spool: %s", error)


def receive(study: Study, *, port: int | None, seconds: float | None, say: Callable[[str], None]) -> None:
    """Listen until Ctrl-C or for some seconds, and say what arrived."""
    until = None if seconds is None else time.monotonic() + seconds
    with Listener(study, port=port) as listener:
        say(f"{study.site.receiver.ae_title} listens on {study.site.receiver.host} port {listener.port}; Ctrl-C stops")
        try:
            while until is None or time.monotonic() < until:
                time.sleep(0.2)
        except KeyboardInterrupt:
            say("stopping")
        assembled = listener.assemble()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(listener.outcomes.items())) or "nothing arrived"
    say(counts)
    for subject, visits in assembled.items():
        say(f"{subject}: {', '.join(visits)}")
