"""Give an arrived object its place in a study: de-identified or bit for bit, durable, under validated UIDs."""

import hashlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.valuerep import DA

from npcpit_imaging.dicom.deidentify import DeidentifyPlan, Manifest, deidentify, patient_id, subject_shift_days
from npcpit_imaging.dicom.durable import sync_folder
from npcpit_imaging.dicom.header import looks_like_dicom, quiet
from npcpit_imaging.dicom.part10 import PREAMBLE_BYTES, dataset_offset
from npcpit_imaging.dicom.slots import MAGIC
from npcpit_imaging.dicom.uids import is_uid
from npcpit_imaging.dicom.whole import check_whole
from npcpit_imaging.errors import DicomError, NpcpitError, StoreError

MEDIUM_DIRECTORY = "DICOMDIR"
"""File ID of the list of files on a CD (PS3.10, 8.6): no object."""

MODALITY_LETTERS = 16
"""Longest code string (PS3.5 6.2); longer ones are typing errors, which PostgreSQL would refuse to index."""

MODALITY_DATES = ("AcquisitionDate", "SeriesDate", "StudyDate", "ContentDate")
"""Where the day of an image stands, first choice first: a study may be opened on another day than it is scanned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedObject:
    """An arrived object as it will lie in the study's objects folder.

    Args:
        path: Relative to the objects folder.
        sha256: Digest of `content`.
        original_sop_instance_uid: As it arrived; the same as `sop_instance_uid` where nothing is de-identified.
        received_sha256: Digest of transfer syntax and data set as they arrived.
        manifest: What de-identification did; None where it is off.
        content: The file, byte for byte.
    """

    sop_instance_uid: str
    original_sop_instance_uid: str = field(repr=False)
    sop_class_uid: str
    series_uid: str
    study_uid: str
    subject: str
    modality: str
    description: str
    frame_of_reference_uid: str | None
    date: date | None
    path: str
    sha256: str
    received_sha256: str
    manifest: Manifest | None
    content: bytes = field(repr=False)


def claims_dicom(path: Path) -> bool:
    """Whether a file says it is a DICOM object, by its first bytes (PS3.10, 7.1) or its name; a broken one does too."""
    if path.name.upper() == MEDIUM_DIRECTORY:
        return False
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    try:
        return looks_like_dicom(path)
    except OSError:
        return True  # who reads it will say why it cannot be read


def prepare_object(source: Path, *, subject_of: Callable[[str], str], plan: DeidentifyPlan | None) -> PreparedObject:
    """Read an arrived object and, with a plan, de-identify it; nothing is written.

    Args:
        source: A Part-10 file.
        subject_of: Gives the subject code of a Patient ID.
        plan: How to de-identify; None keeps the file bit for bit.

    Raises:
        DicomError: The file is no DICOM object with the UIDs that give it a place.
        DeidentifyError: It cannot be de-identified with certainty.
    """
    content = _content(source)
    try:
        return _prepared(content, subject_of=subject_of, plan=plan)
    except NpcpitError:
        raise
    except Exception as error:  # pydicom decodes late, and raises many kinds for bytes that are no value
        raise DicomError(f"expected elements that can be read, found damaged ones ({type(error).__name__})") from error


def _prepared(content: bytes, *, subject_of: Callable[[str], str], plan: DeidentifyPlan | None) -> PreparedObject:
    dataset = _read(content, pixels=True)
    check_whole(content, dataset)
    received, original_uid = _dataset_digest(content, dataset), _uid(dataset, "SOPInstanceUID")
    subject = subject_of(patient_id(dataset))
    manifest = None
    if plan is not None:
        shift = subject_shift_days(plan.key, subject)
        dataset, manifest = deidentify(dataset, subject=subject, shift_days=shift, plan=plan)
        content = _encoded(dataset)
    return PreparedObject(
        sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
        original_sop_instance_uid=original_uid,
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        series_uid=_uid(dataset, "SeriesInstanceUID"),
        study_uid=_uid(dataset, "StudyInstanceUID"),
        subject=subject,
        modality=str(dataset.get("Modality", "") or "OT")[:MODALITY_LETTERS],
        description=str(dataset.get("SeriesDescription", "") or "").replace("\0", " "),  # PostgreSQL takes no NUL
        frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID", "") or "") or None,
        date=_day(dataset),
        path=_place(dataset).as_posix(),
        sha256=hashlib.sha256(content).hexdigest(),
        received_sha256=received,
        manifest=manifest,
        content=content,
    )


def write_objects(prepared: Sequence[PreparedObject], objects: Path) -> None:
    """Write prepared objects below the objects folder; returns when all are durable.

    Call it only for objects that the index does not hold: a file that already lies there was left by a process that
    died before it could index it, and is replaced.

    Raises:
        StoreError: The disk refuses.
    """
    try:
        _write_durably({objects / each.path: each.content for each in prepared})
    except OSError as error:
        raise StoreError(f"objects folder: cannot be written ({error.strerror})") from error


def original_patient_id(source: Path) -> str:
    """The Patient ID of an arrived object, from its header alone.

    Raises:
        DicomError: The file is no DICOM object, or the object belongs to nobody.
    """
    return patient_id(_read(_content(source), pixels=False))


def _content(source: Path) -> bytes:
    """The file as it was sent: the spool's mark in the preamble is no part of it."""
    try:
        content = source.read_bytes()
        return bytes(PREAMBLE_BYTES) + content[PREAMBLE_BYTES:] if content.startswith(MAGIC) else content
    except OSError as error:
        raise DicomError(f"cannot be read ({error.strerror})") from error


def _read(content: bytes, *, pixels: bool) -> Dataset:
    with quiet():
        try:
            return pydicom.dcmread(BytesIO(content), stop_before_pixels=not pixels)
        except Exception as error:  # pydicom raises many kinds for bytes that are no DICOM
            raise DicomError(f"expected a DICOM object, cannot be read ({type(error).__name__})") from error


def _dataset_digest(content: bytes, dataset: Dataset) -> str:
    """Digest of transfer syntax and data set, as the spool computes it: the same object from any sender is the same."""
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not is_uid(syntax):
        raise DicomError("(0002,0010) TransferSyntaxUID: expected a UID, found none")
    digest = hashlib.sha256(syntax.encode("latin-1") + b"\0")
    digest.update(memoryview(content)[dataset_offset(BytesIO(content)) :])
    return digest.hexdigest()


def _encoded(dataset: Dataset) -> bytes:
    buffer = pydicom.filebase.DicomBytesIO()
    with quiet():
        try:
            pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
        except Exception as error:  # as many kinds as for reading
            raise DicomError(f"de-identified object cannot be written ({type(error).__name__})") from error
    encoded: bytes = buffer.getvalue()
    return encoded


def _uid(dataset: Dataset, keyword: str) -> str:
    uid = str(dataset.get(keyword, "") or "")
    if not is_uid(uid):
        raise DicomError(
            f"{keyword}: expected a UID of digits and dots, found {'none' if not uid else 'something else'}"
        )
    return uid


def _place(dataset: Dataset) -> Path:
    uids = [_uid(dataset, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    bucket = hashlib.sha256(uids[1].encode("ascii")).hexdigest()[:2]
    return Path(bucket, uids[0], uids[1], f"{uids[2]}.dcm")


def _day(dataset: Dataset) -> date | None:
    for keyword in MODALITY_DATES:
        text = str(dataset.get(keyword, "") or "")
        try:
            if text:
                plain = text.replace(".", "")  # YYYY.MM.DD is the retired form (PS3.5 6.2)
                return DA(text) and date.fromisoformat(f"{plain[:4]}-{plain[4:6]}-{plain[6:8]}")
        except ValueError:
            continue  # a date that is none; the next attribute may hold one
    return None


def _write_durably(contents: Mapping[Path, bytes]) -> None:
    """Write under temporary names, sync, rename, sync the folders and every folder that was made for them."""
    changed: set[Path] = set()
    drafts: dict[Path, Path] = {}
    try:
        for target, content in contents.items():
            changed |= {target.parent, *_made(target.parent)}
            drafts[target] = draft = target.with_suffix(".part")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
        for draft in drafts.values():
            _sync(draft)
        for target, draft in drafts.items():
            draft.rename(target)
    except OSError:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise
    for folder in changed:
        sync_folder(folder)


def _made(folder: Path) -> list[Path]:
    """Make a folder and return those that have a new entry by that."""
    missing = list(itertools.takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    return [each.parent for each in missing]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
