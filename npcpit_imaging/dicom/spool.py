"""Received objects made durable with one sync each, known by UID, and handed on until they are ingested.

```
FOLDER/pending/<number>.slot            empty, being received, or acknowledged and waiting for ingestion (see `slots`)
FOLDER/quarantine/<code>-<digest>.dcm   kept for a person, with the finding beside it as .json
FOLDER/commitments/*.json               storage commitments whose result is still to be reported
FOLDER/ingested.sqlite                  digest of every object that was ingested
FOLDER/spool.lock                       held by the one process that owns the spool
```
"""

import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
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
    plain_identity,
    read_header,
    read_identity,
    received_digest,
)
from npcpit_imaging.dicom.quarantine import Quarantine, QuarantineCode
from npcpit_imaging.dicom.receipt import Outcome, Receipt, SpooledObject
from npcpit_imaging.dicom.slots import Mark, Slot, SlotPool, adopt_files, meta_check, read_mark, slots_in
from npcpit_imaging.dicom.spool_census import COMMITMENTS, own_spool
from npcpit_imaging.dicom.uids import is_uid
from npcpit_imaging.errors import DicomError

__all__ = ["Incoming", "Outcome", "Receipt", "Spool", "SpooledObject"]

RESERVE_BYTES = 256 * 1024 * 1024
"""Free space we leave to the rest of the machine; below it an object is refused as out of resources."""

IDENTITY_BYTES = 64 * 1024
"""Bytes of the data set kept in memory to read its UIDs; (0008,0018) lies in the first few hundred."""

_STRIPES = 256
"""Locks that serialise objects of one UID; a sync is waited for under one of them."""


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
        self._pending = folder / "pending"
        for part in (folder, self._pending):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = own_spool(folder)
        self.quarantine = Quarantine(folder / "quarantine")
        self._ingested = IngestedIndex(folder / "ingested.sqlite")
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._names: dict[str, str] = {}
        try:
            self._recover()
            self._slots = SlotPool(self._pending)
            for made in (self._pending, folder, folder.parent):
                sync_folder(made)
        except BaseException:  # nobody gets this object, so nobody could give the spool up
            self._ingested.close()
            os.close(self._lock_file)
            raise

    def _recover(self) -> None:
        """Find what was acknowledged; what has no mark did not arrive whole, and nobody was promised it."""
        adopt_files(self._pending)
        marked = []
        for path in slots_in(self._pending):
            if read_mark(path) is None:
                path.unlink()
            else:
                marked.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(marked):
            self._recover_one(path)

    def _recover_one(self, path: Path) -> None:
        try:
            spooled = _spooled(path)
        except DicomError:
            self.quarantine.keep_unreadable(path)
            return
        uid = spooled.header.sop_instance_uid
        known = self._known_digest(uid)
        if known is None or (uid not in self._names and known == spooled.digest):
            self._names[uid] = path.name
        elif known == spooled.digest:
            path.unlink()  # a sync failed, the sender was told so and sent it again
        else:
            self.set_aside(path, QuarantineCode.OTHER_CONTENT, spooled.header, digest=spooled.digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the spool up; objects being received must have ended."""
        self._slots.close()
        self._ingested.close()
        os.close(self._lock_file)

    def begin(self, header: ObjectHeader) -> "Incoming":
        """Start receiving one object.

        Raises:
            OSError: The disk has no room above the reserve, or refuses.
        """
        space = os.statvfs(self._pending)
        if space.f_bavail * space.f_frsize < self._reserve_bytes:
            raise OSError(errno.ENOSPC, "less free space than the spool's reserve")
        return Incoming(self, header, self._slots)

    def admit(self, slot: Slot, header: ObjectHeader, mark: Mark, *, dataset_bytes: int) -> Receipt | None:
        """Make a complete object durable under its UID, or recognise it; its slot is used up by the former only.

        Two associations may bring the same UID at once: the second waits until the first is durable.

        Returns:
            Stored or already stored; None for a UID that is known with other content.

        Raises:
            OSError: The disk refuses.
        """
        uid = header.sop_instance_uid
        with self._stripe(uid):
            known = self._known_digest(uid)
            if known is None:
                slot.keep(mark)
                self._names[uid] = slot.path.name
                spooled = SpooledObject(path=slot.path, header=header, dataset_bytes=dataset_bytes, digest=mark.digest)
                return Receipt(outcome=Outcome.STORED, spooled=spooled)
        return Receipt(outcome=Outcome.ALREADY_STORED) if known == mark.digest else None

    def _stripe(self, sop_instance_uid: str) -> threading.Lock:
        return self._stripes[hash(sop_instance_uid) % _STRIPES]

    def set_aside(self, path: Path, code: QuarantineCode, header: ObjectHeader, *, digest: str) -> Receipt:
        """Move a complete, synced temporary file to the quarantine; returns when that is durable."""
        finding = self.quarantine.keep(path, code, header, digest=digest)
        return Receipt(outcome=Outcome.QUARANTINED, finding=finding)

    def _known_digest(self, sop_instance_uid: str) -> str | None:
        name = self._names.get(sop_instance_uid)
        mark = None if name is None else _mark_if_there(self._pending / name)
        return self._ingested.digest(sop_instance_uid) if mark is None else mark.digest

    def pending(self) -> Iterator[SpooledObject]:
        """Yield every object that waits for ingestion, oldest first; one that cannot be read goes to the quarantine."""
        for uid, name in list(self._names.items()):
            path = self._pending / name
            try:
                spooled = _spooled(path)
            except FileNotFoundError:
                continue  # ingested meanwhile
            except DicomError:
                self._names.pop(uid, None)
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
        name = self._names.get(sop_instance_uid)
        try:
            return None if name is None else _spooled(self._pending / name)
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
        self.done_all([spooled])

    def done_all(self, ingested: Sequence[SpooledObject]) -> None:
        """Remember the digests of ingested objects in one sync, then remove their files; repeating this is harmless."""
        self._ingested.remember({each.header.sop_instance_uid: each.digest for each in ingested})
        for spooled in ingested:
            uid = spooled.header.sop_instance_uid
            with self._stripe(uid):
                spooled.path.unlink(missing_ok=True)
                self._names.pop(uid, None)


class Incoming:
    """One object while it is received; end it with `commit`, `set_aside` or `discard`."""

    def __init__(self, spool: Spool, header: ObjectHeader, slots: SlotPool) -> None:
        self._spool = spool
        self._header = header
        self._slots = slots
        self._hash = hashlib.sha256(header.transfer_syntax_uid.encode("latin-1") + b"\0")
        self._start = bytearray()
        self._head = file_head(header)
        self.dataset_bytes = 0
        self._slot = slots.take()
        self._write(memoryview(self._head))

    def write(self, fragment: memoryview) -> None:
        """Append bytes of the data set.

        Raises:
            OSError: The disk refuses; nothing of the object is left then.
        """
        if len(self._start) < IDENTITY_BYTES:
            self._start += fragment[: IDENTITY_BYTES - len(self._start)]
        self._hash.update(fragment)
        self.dataset_bytes += len(fragment)
        self._write(fragment)

    def _write(self, piece: memoryview) -> None:
        try:
            while piece:
                piece = piece[os.write(self._slot.descriptor, piece) :]
        except OSError:
            self.discard()
            raise

    def commit(self) -> Receipt:
        """Make the complete object durable under its UID, or in the quarantine when its identity is doubtful.

        Raises:
            OSError: The disk refuses; nothing of the object is left then.
        """
        try:
            fault = self._fault()
            if fault is not None:
                return self._aside(fault)
            receipt = self._spool.admit(self._slot, self._header, self._mark(), dataset_bytes=self.dataset_bytes)
            if receipt is None:
                return self._aside(QuarantineCode.OTHER_CONTENT)
        except OSError:
            self._slots.remove(self._slot)  # what a disk refused to sync is not written to again
            raise
        if receipt.outcome is Outcome.ALREADY_STORED:
            self.discard()
        return receipt

    def set_aside(self, code: QuarantineCode) -> Receipt:
        """Make the object durable in the quarantine.

        Raises:
            OSError: The disk refuses; nothing of the object is left then.
        """
        try:
            return self._aside(code)
        except OSError:
            self._slots.remove(self._slot)
            raise

    def _aside(self, code: QuarantineCode) -> Receipt:
        os.fdatasync(self._slot.descriptor)
        receipt = self._spool.set_aside(self._slot.path, code, self._header, digest=self._hash.hexdigest())
        os.close(self._slot.descriptor)
        return receipt

    def _mark(self) -> Mark:
        return Mark(
            file_bytes=len(self._head) + self.dataset_bytes,
            meta_check=meta_check(self._head),
            digest=self._hash.hexdigest(),
        )

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
        if (plain := plain_identity(self._start, syntax)) is not None:
            return plain
        try:
            return read_identity(BytesIO(self._start), syntax)
        except DicomError:
            if self.dataset_bytes <= len(self._start):
                raise
        # A long element before the UIDs: read the file itself.
        with self._slot.path.open("rb") as file:
            file.seek(dataset_offset(file))
            return read_identity(file, syntax)

    def discard(self) -> None:
        """Forget an object that did not arrive whole."""
        self._slots.give_back(self._slot)


def _spooled(path: Path) -> SpooledObject:
    """Read a waiting object back, and verify every byte of it against its mark.

    Raises:
        DicomError: It is not what was acknowledged.
        FileNotFoundError: It is gone.
    """
    mark = read_mark(path)
    with path.open("rb") as file:
        offset = dataset_offset(file)
        file.seek(0)
        head = file.read(offset)
    if mark is None or mark.meta_check != meta_check(head) or mark.digest != received_digest(path):
        raise DicomError("spool: expected the object that was acknowledged, found a damaged one")
    return SpooledObject(
        path=path, header=read_header(path), dataset_bytes=mark.file_bytes - offset, digest=mark.digest
    )


def _mark_if_there(path: Path) -> Mark | None:
    with contextlib.suppress(FileNotFoundError):
        return read_mark(path)
    return None
