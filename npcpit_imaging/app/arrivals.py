"""What arrives: de-identified, placed, indexed, assembled into visits; several objects share one transaction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from npcpit_imaging.app.originals import Originals
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.deidentify import DeidentifyPlan, SubjectCodes, mint_subject_code, read_subject_codes
from npcpit_imaging.dicom.place import PreparedObject, prepare_object
from npcpit_imaging.errors import InputError, NpcpitError, StoreError
from npcpit_imaging.store.images import (
    IndexedObject,
    IndexOutcome,
    assemble_timepoints,
    index_object,
    is_deidentified,
    subjects,
)
from npcpit_imaging.store.vault_map import MappedObject, VaultMap, VaultRecord

Item = TypeVar("Item")

BATCH_OBJECTS = 32
"""Objects that share one transaction at most: its syncs are shared by them, and other writers wait for all of them."""

BATCH_BYTES = 64 * 1024 * 1024
"""A batch of this size takes no further object; a batch is held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of an object, and the series (UID as the study knows it) that it belongs to."""

    outcome: IndexOutcome
    series_uid: str


def batches(items: Iterable[Item], *, size_of: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Group objects for `Arrivals.take_many`.

    Args:
        items: In order.
        size_of: Bytes of an object.

    Example:
        >>> [len(batch) for batch in batches(range(70), size_of=lambda item: 1024)]
        [32, 32, 6]
    """
    batch: list[Item] = []
    size_bytes = 0
    for item in items:
        batch.append(item)
        size_bytes += size_of(item)
        if len(batch) == BATCH_OBJECTS or size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


class Arrivals:
    """Takes objects into a study; the key, the subject codes and the plan are read once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        site = study.site.deidentification
        self._originals = Originals(study)
        self._originals.prepare()
        self._key = study_key(study)
        self._map = VaultMap(study.vault / "identity.sqlite")
        self._table = study.folder / site.subject_codes
        self._table_state: tuple[int, int] | None = None
        self._codes = SubjectCodes(codes={})
        self._settled_ids: set[str] = set()
        self._read_codes()
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
        return self._place([(source, self._prepare(source))])[0]

    def take_many(self, sources: Sequence[Path]) -> list[Taken | NpcpitError]:
        """Place and index objects in one transaction; where that fails, each in its own, so that none harms another.

        Args:
            sources: The objects; those of a call are in memory together.

        Returns:
            What became of each, in order; the error that `take` raises for one that could not be taken.
        """
        found: list[PreparedObject | NpcpitError] = [self._attempt(source) for source in sources]
        pairs = zip(sources, found, strict=True)
        ready = [(source, each) for source, each in pairs if isinstance(each, PreparedObject)]
        try:
            placed: list[Taken | NpcpitError] = [*self._place(ready)] if ready else []
        except NpcpitError:
            placed = [self._alone(source, prepared) for source, prepared in ready]
        results = iter(placed)
        return [each if isinstance(each, NpcpitError) else next(results) for each in found]

    def _prepare(self, source: Path) -> PreparedObject:
        return prepare_object(source, subject_of=self.subject_of, plan=self._plan)

    def _attempt(self, source: Path) -> PreparedObject | NpcpitError:
        try:
            return self._prepare(source)
        except NpcpitError as error:
            return error

    def _alone(self, source: Path, prepared: PreparedObject) -> Taken | NpcpitError:
        try:
            return self._place([(source, prepared)])[0]
        except NpcpitError as error:
            return error

    def _place(self, ready: Sequence[tuple[Path, PreparedObject]]) -> list[Taken]:
        """Index objects and write those that are new; all of them, or none is indexed."""
        with self._study.database.session() as session:
            # The index tells first, so that no other content is overwritten; what it holds is on disk when it commits.
            outcomes = [index_object(session, _indexed(prepared), now=self._study.now()) for _, prepared in ready]
            new = [each for each, outcome in zip(ready, outcomes, strict=True) if outcome is IndexOutcome.STORED]
            self._study.objects.keep([prepared for _, prepared in new])
            for source, prepared in new:
                self._originals.keep(source, prepared.received_sha256)
            self._map.put_all([_record(prepared) for _, prepared in new if prepared.manifest is not None])
        return [
            Taken(outcome=outcome, series_uid=prepared.series_uid)
            for (_, prepared), outcome in zip(ready, outcomes, strict=True)
        ]

    def _read_codes(self) -> None:
        """Read the subject table where it has changed: a receiver that runs for years must know today's rows."""
        try:
            found = self._table.stat()
            state = (found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            state = None
        if state != self._table_state:
            self._codes = SubjectCodes(codes={}) if state is None else read_subject_codes(self._table)
            self._table_state = state
            self._settled_ids.clear()

    def subject_of(self, patient_id: str) -> str:
        """The subject code of a hospital's Patient ID, from the table as it stands now, or minted.

        Raises:
            InputError: The Patient ID is empty, the table cannot be read, or the table gives a code to a patient whose
                images are already in the study under a minted one.
        """
        self._read_codes()
        if patient_id not in self._codes:
            return mint_subject_code(self._key, patient_id)
        subject = self._codes.subject_of(patient_id)
        if patient_id not in self._settled_ids:
            self._check_not_minted(patient_id, subject)
            self._settled_ids.add(patient_id)
        return subject

    def _check_not_minted(self, patient_id: str, subject: str) -> None:
        minted = mint_subject_code(self._key, patient_id)
        if minted == subject:
            return
        with self._study.database.session() as session:
            is_known = is_deidentified(session, minted) is not None
        if is_known:
            raise InputError(
                f"{self._table.name}: expected {minted} for a patient whose images are already in the study under that "
                f"minted code, found {subject}; one patient would be two subjects"
            )

    def assemble(self, codes: Collection[str] | None = None) -> dict[str, list[str]]:
        """Assemble subjects' visits, every one's or those of some; one that cannot be changed any more is reported."""
        assembled: dict[str, list[str]] = {}
        if codes is None:
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


def _record(prepared: PreparedObject) -> VaultRecord:
    """What the vault keeps of an object, before anything of the original can go."""
    assert prepared.manifest is not None
    mapped = MappedObject(
        original_sop_instance_uid=prepared.original_sop_instance_uid,
        sop_instance_uid=prepared.sop_instance_uid,
        received_sha256=prepared.received_sha256,
        sha256=prepared.sha256,
    )
    return VaultRecord(mapped=mapped, uids=prepared.manifest.uid_map, report=prepared.manifest.report())
