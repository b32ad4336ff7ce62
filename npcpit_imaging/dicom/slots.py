"""Slots: files whose folder entry is durable before an object comes, so that storing one costs a single sync.

An object is written behind an empty preamble (PS3.10, 7.1: 128 bytes that are ours to use). When it is whole, its mark
goes into the preamble: length, digest and a check of the file meta. One fdatasync then makes file and mark durable, and
only after that the object is acknowledged. A slot without a mark holds nothing that anybody was promised.
"""

import collections
import contextlib
import hashlib
import logging
import os
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.dicom.durable import sync_folder
from npcpit_imaging.dicom.part10 import PREAMBLE_BYTES, dataset_offset, received_digest
from npcpit_imaging.errors import DicomError

SLOTS_AT_ONCE = 32
"""How many slots are made and synced together: the sync of their folder is shared by as many objects."""

FEW_SLOTS = SLOTS_AT_ONCE // 2
"""With fewer left, more are made beside."""

LOG = logging.getLogger(__name__)
SUFFIX = ".slot"
MAGIC = b"NPCPIT\x00\x01"
_BODY = struct.Struct("<8sQL32s")
_CHECK_BYTES = 16
_NAME = re.compile(rf"(\d+){re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the preamble of a whole object says.

    Args:
        file_bytes: Length of the file.
        meta_check: CRC-32 of prefix and file meta.
        digest: SHA-256 (hex) of transfer syntax and data set.
    """

    file_bytes: int
    meta_check: int
    digest: str

    def encoded(self) -> bytes:
        """The mark as bytes; it carries a check of itself."""
        body = _BODY.pack(MAGIC, self.file_bytes, self.meta_check, bytes.fromhex(self.digest))
        return body + _check(body)


def read_mark(path: Path) -> Mark | None:
    """The mark of a slot; None for one that is empty or not whole.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        found = file.read(_BODY.size + _CHECK_BYTES)
        file_bytes = os.fstat(file.fileno()).st_size
    body = found[: _BODY.size]
    if not body.startswith(MAGIC) or found[_BODY.size :] != _check(body):
        return None
    _, length, check, digest = _BODY.unpack(body)
    if length != file_bytes:
        return None
    return Mark(file_bytes=length, meta_check=check, digest=digest.hex())


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK_BYTES]


def meta_check(head: bytes) -> int:
    """CRC-32 of everything in a file head behind the preamble."""
    return zlib.crc32(head[PREAMBLE_BYTES:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """An empty file that is open for writing; its folder entry is durable."""

    path: Path
    descriptor: int

    def keep(self, mark: Mark) -> None:
        """Make the object in the slot durable, and close it.

        Raises:
            OSError: The disk refuses; the slot is still open.
        """
        os.pwrite(self.descriptor, mark.encoded(), 0)
        os.fdatasync(self.descriptor)
        os.close(self.descriptor)


def slots_in(folder: Path) -> Iterator[Path]:
    """Every slot in a folder, by number; none where there is no such folder yet."""
    found = ((match, path) for path in folder.glob(f"*{SUFFIX}") if (match := _NAME.fullmatch(path.name)))
    for _, path in sorted((int(match[1]), path) for match, path in found):
        yield path


def adopt_files(folder: Path) -> None:
    """Turn objects that an earlier version acknowledged (a Part-10 file each, named by UID) into marked slots.

    Raises:
        OSError: The disk refuses; whatever was not turned yet stays as it is.
    """
    last = max((int(path.stem) for path in slots_in(folder)), default=-1)
    for number, path in enumerate(sorted(folder.glob("*.dcm"), key=_age), last + 1):
        with path.open("r+b") as file, contextlib.suppress(DicomError):  # an unreadable one stays for a person
            offset = dataset_offset(file)
            file.seek(0)
            head = file.read(offset)
            length = os.fstat(file.fileno()).st_size
            mark = Mark(file_bytes=length, meta_check=meta_check(head), digest=received_digest(path))
            os.pwrite(file.fileno(), mark.encoded(), 0)
            os.fdatasync(file.fileno())
            path.rename(folder / f"{number:010d}{SUFFIX}")
    sync_folder(folder)


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


class SlotPool:
    """Empty slots, ready for objects; its methods may be called from many threads.

    Args:
        folder: Where they lie; slots that are there already are left alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        numbers = [int(path.stem) for path in slots_in(folder)]
        self._next = max(numbers, default=-1) + 1
        self._free: collections.deque[Slot] = collections.deque()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def take(self) -> Slot:
        """An empty slot; more are made beside when few are left, so that no object waits for the making of files.

        Raises:
            OSError: The disk refuses.
        """
        slot, few = self._pop()
        while slot is None:
            with self._making:
                slot, few = self._pop()  # another thread may have made some meanwhile
                if slot is None:
                    self._make()
                    slot, few = self._pop()
        if few and self._making.acquire(blocking=False):
            try:
                threading.Thread(target=self._make_ahead, daemon=True).start()
            except RuntimeError as error:  # no thread to be had: the next slots are made by who needs them
                self._making.release()
                LOG.warning("slots cannot be made ahead: %s", error)
        return slot

    def _pop(self) -> tuple[Slot | None, bool]:
        """An empty slot, if there is one, and whether few are left."""
        with self._lock:
            slot = self._free.popleft() if self._free else None
            return slot, len(self._free) < FEW_SLOTS

    def _make_ahead(self) -> None:
        try:
            self._make()
        except OSError as error:  # whoever needs a slot will meet this, and say so to the sender
            LOG.warning("no slots can be made: %s", error.strerror)
        finally:
            self._making.release()

    def _make(self) -> None:
        """Make slots and sync their folder; the caller holds `_making`."""
        made = []
        try:
            for _ in range(SLOTS_AT_ONCE):
                path = self._folder / f"{self._next:010d}{SUFFIX}"
                made.append(Slot(path=path, descriptor=os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)))
                self._next += 1
            sync_folder(self._folder)
        except OSError:
            for slot in made:
                self.remove(slot)
            raise
        with self._lock:
            self._free.extend(made)

    def give_back(self, slot: Slot) -> None:
        """Empty a slot whose object did not arrive whole; never raises."""
        try:
            os.ftruncate(slot.descriptor, 0)
            os.lseek(slot.descriptor, 0, os.SEEK_SET)
        except OSError:
            self.remove(slot)
            return
        with self._lock:
            self._free.append(slot)

    def close(self) -> None:
        """Remove the empty slots."""
        with self._making, self._lock:
            while self._free:
                self.remove(self._free.popleft())

    def remove(self, slot: Slot) -> None:
        """Give a slot up for good, with whatever is in it; never raises."""
        with contextlib.suppress(OSError):
            os.close(slot.descriptor)
        with contextlib.suppress(OSError):
            slot.path.unlink(missing_ok=True)
