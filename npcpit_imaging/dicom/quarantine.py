"""Objects that arrived but cannot be trusted, kept with the reason; never dropped, never ingested by themselves."""

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from npcpit_imaging.dicom.durable import sync_folder, write_synced
from npcpit_imaging.dicom.part10 import ObjectHeader
from npcpit_imaging.study.finding import Finding, Severity


class QuarantineCode(StrEnum):
    """Why an object was set aside; also its finding's code and the start of its file name."""

    OTHER_CONTENT = "same-uid-other-content"
    UID_MISMATCH = "uid-mismatch"
    INVALID_UID = "invalid-uid"
    UNREADABLE = "unreadable-dataset"
    CONTEXT_MISMATCH = "context-mismatch"
    INVALID_COMMAND = "invalid-command"
    DAMAGED = "damaged-in-spool"


TEXT = {
    QuarantineCode.OTHER_CONTENT: "expected the content first stored under this SOP Instance UID, found other content; "
    "the first one stays in use",
    QuarantineCode.UID_MISMATCH: "expected the SOP class and instance UIDs of the C-STORE command in the data set, "
    "found others",
    QuarantineCode.INVALID_UID: "expected SOP class and instance UIDs of digits and dots, found something else",
    QuarantineCode.UNREADABLE: "expected a data set in the negotiated transfer syntax, found bytes that are none",
    QuarantineCode.CONTEXT_MISMATCH: "expected the SOP class of the presentation context, found another in the command",
    QuarantineCode.INVALID_COMMAND: "expected a DIMSE command set, found bytes that are none",
    QuarantineCode.DAMAGED: "expected a Part-10 file as the receiver wrote it, found a damaged one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One object set aside.

    Args:
        path: Its bytes (a Part-10 file, or raw bytes with the suffix ``.bin``).
        finding: Why.
    """

    path: Path
    finding: Finding


def quarantined_in(folder: Path) -> Iterator[Quarantined]:
    """Yield what a quarantine folder holds; only reads, so it may be asked while a receiver runs."""
    for note in sorted(folder.glob("*.json")):
        values = json.loads(note.read_text(encoding="utf-8"))
        path = folder / str(values["file"])
        if path.exists():
            finding = Finding(code=values["code"], severity=Severity(values["severity"]), text=values["text"])
            yield Quarantined(path=path, finding=finding)


class Quarantine:
    """A folder of objects and their findings.

    A file is named by its reason and its content, so a sender that repeats itself does not fill the disk.

    Args:
        folder: Made when absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for leftover in folder.glob("*.part"):
            leftover.unlink()

    def __iter__(self) -> Iterator[Quarantined]:
        return quarantined_in(self._folder)

    def keep(self, path: Path, code: QuarantineCode, header: ObjectHeader, *, digest: str) -> Finding:
        """Move a synced file here; returns when it and its note are durable."""
        about = {"calling_ae_title": header.calling_ae_title, "called_ae_title": header.called_ae_title}
        key = hashlib.sha256(f"{digest} {header.sop_class_uid} {header.sop_instance_uid}".encode()).hexdigest()
        return self._place(path, code, f"{code}-{key[:32]}.dcm", about)

    def keep_unreadable(self, path: Path) -> Finding:
        """Move a spooled file that can no longer be read here."""
        return self._place(path, QuarantineCode.DAMAGED, f"{QuarantineCode.DAMAGED}-{uuid.uuid4().hex}.dcm", {})

    def keep_command(self, encoded: bytes, *, calling_ae_title: str, called_ae_title: str) -> Finding:
        """Keep the bytes of a command set that is none."""
        code = QuarantineCode.INVALID_COMMAND
        name = f"{code}-{hashlib.sha256(encoded).hexdigest()[:32]}.bin"
        path = self._folder / f"{uuid.uuid4().hex}.part"
        write_synced(path, encoded)
        about = {"calling_ae_title": calling_ae_title, "called_ae_title": called_ae_title}
        return self._place(path, code, name, about)

    def _place(self, path: Path, code: QuarantineCode, name: str, about: dict[str, str]) -> Finding:
        finding = Finding(code=code, severity=Severity.ERROR, text=f"quarantine/{name}: {TEXT[code]}")
        note = {"file": name, "code": code.value, "severity": finding.severity.value, "text": finding.text, **about}
        draft = self._folder / f"{uuid.uuid4().hex}.part"
        write_synced(draft, json.dumps(note, indent=1).encode())
        draft.rename(self._folder / f"{name}.json")  # before the object: an object here always has its reason
        path.rename(self._folder / name)
        sync_folder(self._folder)
        return finding
