"""STOW-RS: DICOM SEG and SR that a person or program drew on this study's images (PS3.18 10.5)."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.web_objects import visible_series
from npcpit_imaging.dicom.place import PreparedObject, prepare_object
from npcpit_imaging.dicom.web_answers import JsonHeader, header_json
from npcpit_imaging.errors import DicomError, NpcpitError, StorageFullError, StoreError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.images import IndexedObject, IndexOutcome, index_object, is_deidentified
from npcpit_imaging.store.reading_schema import SubmissionRow
from npcpit_imaging.store.schema import InstanceRow, SeriesRow

LOG = logging.getLogger(__name__)

STORED_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.88.11": "SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "SR",
}
"""SOP classes that may be stored, with the modality that they have; images come by `npcpit receive` alone."""

NOT_SUPPORTED, NOT_AUTHORISED, CANNOT_UNDERSTAND, OUT_OF_RESOURCES, DUPLICATE = 0x0122, 0x0124, 0xC000, 0xA700, 0x0111
"""Failure reasons (PS3.18 table I.2-2, PS3.4 annex B.2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What became of one object.

    Args:
        sop_class_uid: Its class; empty where it could not be read.
        sop_instance_uid: Its UID; empty where it could not be read.
        series_uid: Its series; empty where it could not be read.
        failure: 0, or why it was not stored.
        reason: The same in words.
    """

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    series_uid: str = ""
    failure: int = 0
    reason: str = ""


class _RefusedError(NpcpitError):
    def __init__(self, failure: int, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


def store_object(study: Study, principal: Principal, content: bytes, *, study_uid: str = "") -> StoredObject:
    """Take one object in, or say why not; nothing of a refused one is kept.

    Args:
        study: The study.
        principal: Who stores it.
        content: A Part-10 file.
        study_uid: The study that the address names; empty for any.
    """
    with tempfile.TemporaryDirectory(prefix="npcpit-stow-") as folder:
        path = Path(folder) / "object.dcm"
        try:
            path.write_bytes(content)
            prepared = prepare_object(path, subject_of=lambda code: code, plan=None)
            header = header_json(path)
        except (DicomError, OSError) as error:
            return StoredObject(failure=CANNOT_UNDERSTAND, reason=str(error))
        except Exception as error:  # noqa: BLE001  # pydicom raises many kinds for hostile bytes
            return StoredObject(failure=CANNOT_UNDERSTAND, reason=f"cannot be read ({type(error).__name__})")
    try:
        with study.database.session() as session:
            _require_welcome(session, study, principal, prepared, header=header, study_uid=study_uid)
            _put(session, study, principal, prepared)
    except _RefusedError as error:
        return _outcome(prepared, error.failure, str(error))
    except (StorageFullError, StoreError) as error:
        LOG.warning("an object was not stored: %s", error)
        return _outcome(prepared, OUT_OF_RESOURCES, str(error))
    return _outcome(prepared, 0, "")


def _outcome(prepared: PreparedObject, failure: int, reason: str) -> StoredObject:
    return StoredObject(
        sop_class_uid=prepared.sop_class_uid,
        sop_instance_uid=prepared.sop_instance_uid,
        series_uid=prepared.series_uid,
        failure=failure,
        reason=reason,
    )


def _require_welcome(
    session: Session,
    study: Study,
    principal: Principal,
    prepared: PreparedObject,
    *,
    header: JsonHeader,
    study_uid: str,
) -> None:
    if STORED_CLASSES.get(prepared.sop_class_uid) != prepared.modality:
        raise _RefusedError(NOT_SUPPORTED, "expected a DICOM SEG or SR; images are received by npcpit receive")
    if study_uid and prepared.study_uid != study_uid:
        raise _RefusedError(CANNOT_UNDERSTAND, f"expected an object of study {study_uid}, found another study's")
    seen = visible_series(session, principal, study_uid=prepared.study_uid)
    if not any(each.subject == prepared.subject for each in seen):
        raise _RefusedError(NOT_AUTHORISED, "expected an object of a study and subject that you may see")
    ours = header_json(study.objects.file(seen[0].instances[0].path))
    for tag, name in (("00100010", "PatientName"), ("00100030", "PatientBirthDate")):
        if header.get(tag, {}) not in ({}, ours.get(tag, {}), {"vr": "PN"}, {"vr": "DA"}):
            raise _RefusedError(CANNOT_UNDERSTAND, f"{name}: expected what the images hold, found something else")
    series = session.get(SeriesRow, prepared.series_uid)
    own = {each.uid for each in seen}
    if series is not None and (series.uid not in own or series.modality != prepared.modality):
        raise _RefusedError(DUPLICATE, "SeriesInstanceUID: is in use already")


def _put(session: Session, study: Study, principal: Principal, prepared: PreparedObject) -> None:
    outcome = index_object(
        session,
        IndexedObject(
            sop_instance_uid=prepared.sop_instance_uid,
            sop_class_uid=prepared.sop_class_uid,
            series_uid=prepared.series_uid,
            study_uid=prepared.study_uid,
            subject=prepared.subject,
            modality=prepared.modality,
            description=prepared.description,
            frame_of_reference_uid=prepared.frame_of_reference_uid,
            date=prepared.date,
            path=prepared.path,
            sha256=prepared.sha256,
            received_sha256=prepared.received_sha256,
            deidentified=bool(is_deidentified(session, prepared.subject)),
        ),
        now=study.now(),
    )
    if outcome is IndexOutcome.CONFLICT:
        raise _RefusedError(DUPLICATE, "SOPInstanceUID: is in use already with other content")
    if outcome is IndexOutcome.REPEAT:
        return
    assert session.get(InstanceRow, prepared.sop_instance_uid) is not None, "index_object stores it"
    session.add(SubmissionRow(sop_instance_uid=prepared.sop_instance_uid, username=principal.name, at=study.now()))
    append_audit(
        session,
        actor=principal.name,
        action="object.store",
        now=study.now(),
        subject=prepared.subject,
        item=prepared.sop_instance_uid,
        detail={"modality": prepared.modality, "sha256": prepared.sha256},
    )
    study.objects.keep([prepared])  # before the transaction ends: what is indexed is on disk
