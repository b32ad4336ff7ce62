"""Received objects made durable: temporary name, fdatasync, rename, fsync of the folder, and only then a receipt.

```
FOLDER/incoming/*.part                  being received; dropped at start
FOLDER/pending/<sop uid>.dcm            acknowledged, waiting for ingestion
FOLDER/quarantine/<code>-<digest>.dcm   kept for a person, with the finding beside it as .json
FOLDER/commitments/*.json               storage commitments whose result is still to be reported
FOLDER/ingested.sqlite                  digest of every object that was ingested
FOLDER/spool.lock                       held by the one process that owns the spool
```
"""

import contextlib
import errno
import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

from npcpit_imaging.dicom.durable import sync_folder
from npcpit_imaging.dicom.ingested import IngestedIndex
from npcpit_imaging.dicom.part10 import (
    ObjectHeader,
    dataset_offset,
    file_head,
    read_header,
    read_identity,
    received_digest,
)
from npcpit_imaging.dicom.quarantine import Quarantine, QuarantineCode
from npcpit_imaging.dicom.receipt import Outcome, Receipt, SpooledObject
from npcpit_imaging.dicom.spool_census import COMMITMENTS, own_spool
from npcpit_imaging.dicom.uids import is_uid
from npcpit_imaging.errors import DicomError

__all__ = ["Incoming", "Outcome", "Receipt", "Spool", "SpooledObject"]

RESERVE_BYTES = 256 * 1024 * 1024
"""Free space we leave to the rest of the machine; below it an object is refused as out of resources."""

IDENTITY_BYTES = 64 * 1024
"""Bytes of the data set kept in memory to read its UIDs; (0008,0018) lies in the first few hundred."""

_STRIPES = 64
"""Locks that serialise objects of one UID; more than this many associations seldom commit at once."""


class Spool:
    """A folder of received objects, owned by one process; its methods may be called from many threads.

    Args:
        folder: Made when absent; must be on a local disk whose fsync can be trusted.
        reserve_bytes: Free space below which an object is refused.

    Raises:
        SpoolInUseError: Another process owns the spool.
        OSError: The folder cannot be made or written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        ...     list(spool.pending())
        []
    """

    def __init__(self, folder: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._incoming, self._pending = folder / "incoming", folder / "pending"
        for part in (folder, self._incoming, self._pending):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = own_spool(folder)
        for leftover in self._incoming.iterdir():
            leftover.unlink()
        self.quarantine = Quarantine(folder / "quarantine")
        self._ingested = IngestedIndex(folder / "ingested.sqlite")
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._numbers = itertools.count()
        for made in (self._pending, folder, folder.parent):
            sync_folder(made)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the spool up; objects being received must have ended."""
        self._ingested.close()
        os.close(self._lock_file)

    def begin(self, header: ObjectHeader) -> "Incoming":
        """Start receiving one object.

        Raises:
            OSError: The disk has no room above the reserve, or refuses.
        """
        space = os.statvfs(self._incoming)
        if space.f_bavail * space.f_frsize < self._reserve_bytes:
            raise OSError(errno.ENOSPC, "less free space than the spool's reserve")
        return Incoming(self, header, self._incoming / f"{next(self._numbers)}.part")

    def admit(self, path: Path, header: ObjectHeader, *, dataset_bytes: int, digest: str) -> Receipt:
        """Give a complete, synced temporary file its place; returns when that is durable.

        Two associations may bring the same UID at once: the second waits until the first is durable.
        """
        target = self._pending / f"{header.sop_instance_uid}.dcm"
        with self._stripe(header.sop_instance_uid):
            known = self._known_digest(target, header.sop_instance_uid)
            if known == digest:
                path.unlink()
                return Receipt(outcome=Outcome.ALREADY_STORED)
            if known is None:
                self._place(path, target)
                return Receipt(
                    outcome=Outcome.STORED,
                    spooled=SpooledObject(path=target, header=header, dataset_bytes=dataset_bytes, digest=digest),
                )
        return self.set_aside(path, QuarantineCode.OTHER_CONTENT, header, digest=digest)

    def _place(self, path: Path, target: Path) -> None:
        path.rename(target)
        try:
            sync_folder(self._pending)
        except OSError:
            target.unlink(missing_ok=True)  # else a repetition would be taken for already durable
            raise

    def _stripe(self, sop_instance_uid: str) -> threading.Lock:
        return self._stripes[hash(sop_instance_uid) % _STRIPES]

    def set_aside(self, path: Path, code: QuarantineCode, header: ObjectHeader, *, digest: str) -> Receipt:
        """Move a complete, synced temporary file to the quarantine; returns when that is durable."""
        finding = self.quarantine.keep(path, code, header, digest=digest)
        return Receipt(outcome=Outcome.QUARANTINED, finding=finding)

    def _known_digest(self, target: Path, sop_instance_uid: str) -> str | None:
        if target.exists():
            return received_digest(target)
        return self._ingested.digest(sop_instance_uid)

    def pending(self) -> Iterator[SpooledObject]:
        """Yield every object that waits for ingestion, oldest first; one that cannot be read goes to the quarantine."""
        aged = []
        for path in self._pending.glob("*.dcm"):
            with contextlib.suppress(FileNotFoundError):  # ingested meanwhile
                aged.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(aged):
            with contextlib.suppress(FileNotFoundError):
                try:
                    spooled = _spooled(path)
                except DicomError:
                    self.quarantine.keep_unreadable(path)
                    continue
                yield spooled

    def waiting(self, name: str) -> SpooledObject:
        """Return one object that waits for ingestion by the name of its file.

        Raises:
            DicomError: There is none of that name any more, or it cannot be read.
        """
        path = self._pending / Path(name).name
        if not path.is_file():
            raise DicomError("spool: expected a waiting object, found none of that name")
        return _spooled(path)

    def waiting_uid(self, sop_instance_uid: str) -> SpooledObject | None:
        """Return the object of a UID that waits for ingestion, or None; its digest is computed from its bytes.

        Raises:
            DicomError: It cannot be read any more.
        """
        if not is_uid(sop_instance_uid):
            return None
        path = self._pending / f"{sop_instance_uid}.dcm"
        try:
            return _spooled(path)
        except FileNotFoundError:
            return None

    def ingested_digest(self, sop_instance_uid: str) -> str | None:
        """Return the digest of an object that was ingested, as it was received; None for a UID never ingested.

        Raises:
            OSError: The table cannot be read.
        """
        return self._ingested.digest(sop_instance_uid)

    @property
    def commitments(self) -> Path:
        """Folder of the storage commitments that are still to be reported."""
        return self._folder / COMMITMENTS

    def done(self, spooled: SpooledObject) -> None:
        """Remember an ingested object's digest, then remove its file; repeating this is harmless."""
        uid = spooled.header.sop_instance_uid
        with self._stripe(uid):
            self._ingested.remember(uid, spooled.digest)
            spooled.path.unlink(missing_ok=True)


class Incoming:
    """One object while it is received; end it with `commit`, `set_aside` or `discard`."""

    def __init__(self, spool: Spool, header: ObjectHeader, path: Path) -> None:
        self._spool = spool
        self._header = header
        self._path = path
        self._hash = hashlib.sha256(header.transfer_syntax_uid.encode("latin-1") + b"\0")
        self._head = bytearray()
        self.dataset_bytes = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._write(memoryview(file_head(header)))

    def write(self, fragment: memoryview) -> None:
        """Append bytes of the data set.

        Raises:
            OSError: The disk refuses; the temporary file is gone then.
        """
        if len(self._head) < IDENTITY_BYTES:
            self._head += fragment[: IDENTITY_BYTES - len(self._head)]
        self._hash.update(fragment)
        self.dataset_bytes += len(fragment)
        self._write(fragment)

    def _write(self, piece: memoryview) -> None:
        try:
            while piece:
                piece = piece[os.write(self._file, piece) :]
        except OSError:
            self.discard()
            raise

    def commit(self) -> Receipt:
        """Make the complete object durable under its UID, or in the quarantine when its identity is doubtful.

        Raises:
            OSError: The disk refuses; the temporary file is gone then.
        """
        try:
            fault = self._fault()
        except OSError:
            self.discard()
            raise
        if fault is not None:
            return self.set_aside(fault)
        self._sync()
        return self._placed(None)

    def set_aside(self, code: QuarantineCode) -> Receipt:
        """Make the object durable in the quarantine.

        Raises:
            OSError: The disk refuses; the temporary file is gone then.
        """
        self._sync()
        return self._placed(code)

    def _placed(self, code: QuarantineCode | None) -> Receipt:
        digest = self._hash.hexdigest()
        try:
            if code is not None:
                return self._spool.set_aside(self._path, code, self._header, digest=digest)
            return self._spool.admit(self._path, self._header, dataset_bytes=self.dataset_bytes, digest=digest)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise

    def _sync(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError:
            self.discard()
            raise
        os.close(self._file)

    def _fault(self) -> QuarantineCode | None:
        header = self._header
        if not is_uid(header.sop_instance_uid) or not is_uid(header.sop_class_uid):
            return QuarantineCode.INVALID_UID
        try:
            identity = self._identity()
        except DicomError:
            return QuarantineCode.UNREADABLE
        return None if identity == (header.sop_class_uid, header.sop_instance_uid) else QuarantineCode.UID_MISMATCH

    def _identity(self) -> tuple[str, str]:
        syntax = self._header.transfer_syntax_uid
        try:
            return read_identity(BytesIO(self._head), syntax)
        except DicomError:
            if self.dataset_bytes <= len(self._head):
                raise
        # A long element before the UIDs: read the file itself.
        with self._path.open("rb") as file:
            file.seek(dataset_offset(file))
            return read_identity(file, syntax)

    def discard(self) -> None:
        """Forget an object that did not arrive whole."""
        os.close(self._file)
        self._path.unlink(missing_ok=True)


def _spooled(path: Path) -> SpooledObject:
    with path.open("rb") as file:
        offset = dataset_offset(file)
    return SpooledObject(
        path=path, header=read_header(path), dataset_bytes=path.stat().st_size - offset, digest=received_digest(path)
    )
