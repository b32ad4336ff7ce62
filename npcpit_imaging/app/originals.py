"""Objects as received, sealed in the vault: kept, given back to an authorised person, sealed anew with a new key."""

import contextlib
import fcntl
import getpass
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from npcpit_imaging.app.original_keys import ensure_keys, key_path, read_keys, write_keys
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.site import OriginalObjects
from npcpit_imaging.dicom.durable import sync_folder
from npcpit_imaging.dicom.part10 import received_digest
from npcpit_imaging.errors import InputError, StoreError
from npcpit_imaging.store.schema import InstanceRow
from npcpit_imaging.store.sealed import KEY_BYTES, SUFFIX, Reader, key_name, seal, sealed_with, unseal
from npcpit_imaging.store.vault_map import VaultMap

ACCESS_LOG = "access.jsonl"
"""Who took which original out, when and why: one line each, by the study's UIDs."""


class Originals:
    """The sealed originals of a study.

    Args:
        study: The study; its site says whether originals are kept, and where the key lies.
    """

    def __init__(self, study: Study) -> None:
        site = study.site.deidentification
        self._study = study
        self._folder = study.vault / "originals"
        self.are_kept = site.enabled and site.originals is OriginalObjects.ENCRYPTED

    def prepare(self) -> None:
        """Make sure, before anything arrives, that there is a key to seal with.

        Raises:
            ConfigError: Originals are kept, and the key cannot be read or made.
        """
        if self.are_kept:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked(fcntl.LOCK_EX):
                self._clear()
                ensure_keys(self._study)

    def keep(self, source: Path, digest: str) -> None:
        """Seal an object as it was received, where the site decided so; returns when that is durable.

        Args:
            source: The object as received.
            digest: Of its transfer syntax and data set; names the sealed file.

        Raises:
            StoreError: The disk refuses.
        """
        if not self.are_kept:
            return
        try:
            with self._locked(fcntl.LOCK_SH), source.open("rb") as original:
                self._write(digest, original, next(iter(read_keys(self._study).values())))
        except OSError as error:
            raise StoreError(f"vault/originals: cannot be written ({error.strerror})") from error

    def give(self, uid: str, output: Path, *, reason: str) -> None:
        """Write one object as it was received, and record who asked.

        Args:
            uid: Its SOP Instance UID, as the study or as the hospital knows it.
            output: A new file, readable by its owner alone.
            reason: Why, for the record.

        Raises:
            InputError: No such object, its original was not kept, or the output exists.
            StoreError: The sealed file was changed, or is sealed with a key that is not there.
        """
        row = self._row(uid)
        sealed = self._folder / f"{row.received_sha256}{SUFFIX}"
        if not sealed.is_file():
            raise InputError("this object's original was not kept: deidentification.originals was not encrypted then")
        if output.exists():
            raise InputError(f"{output}: expected a new file, found something there")
        self._record(row.sop_instance_uid, reason)
        self._open_into(sealed, output, row.received_sha256)

    def rotate(self) -> int:
        """Make a new key, seal everything with it, and forget the older ones; repeat it when it was interrupted.

        Returns:
            How many originals are sealed with the new key.

        Raises:
            StoreError: The disk refuses, or a sealed file was changed; the older keys stay then.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked(fcntl.LOCK_EX):
                self._clear()
                known = read_keys(self._study) if key_path(self._study).exists() else {}
                fresh = secrets.token_bytes(KEY_BYTES)
                write_keys(key_path(self._study), [fresh, *known.values()])
                files = sorted(self._folder.glob(f"*{SUFFIX}"))
                for sealed in files:
                    self._reseal(sealed, fresh, {key_name(fresh): fresh, **known})
                write_keys(key_path(self._study), [fresh])
        except OSError as error:
            raise StoreError(f"vault/originals: cannot be written ({error.strerror})") from error
        return len(files)

    def _clear(self) -> None:
        """Remove what a process that died had begun; under the exclusive lock nobody else is at it."""
        for leftover in self._folder.glob("*.part"):
            leftover.unlink()

    def _row(self, uid: str) -> InstanceRow:
        with VaultMap(self._study.vault / "identity.sqlite") as uids:
            mapped = uids.mapped(uid)
        with self._study.database.session() as session:
            row = session.get(InstanceRow, uid if mapped is None else mapped.sop_instance_uid)
        if row is None:
            raise InputError("expected the SOP Instance UID of an object of this study, found none of that UID")
        if not row.deidentified:
            raise InputError(f"this object was stored as it was received: objects/{row.path}")
        return row

    def _open_into(self, sealed: Path, output: Path, digest: str) -> None:
        with self._locked(fcntl.LOCK_SH), sealed.open("rb") as source, _new_file(output) as target:
            for piece in unseal(source, keys=read_keys(self._study), name=sealed.name):
                target.write(piece)
        if received_digest(output) != digest:
            output.unlink()
            raise StoreError(f"{sealed.name}: expected the object that was received, found another one")

    def _reseal(self, sealed: Path, fresh: bytes, keys: dict[str, bytes]) -> None:
        if sealed_with(sealed) == key_name(fresh):
            return
        with sealed.open("rb") as source:
            self._write(sealed.stem, _Pieces(unseal(source, keys=keys, name=sealed.name)), fresh)

    def _write(self, digest: str, plain: Reader, key: bytes) -> None:
        draft = self._folder / f"{digest}.{secrets.token_hex(8)}.part"
        try:
            with _new_file(draft) as target:
                seal(plain, target, key=key)
                target.flush()
                os.fdatasync(target.fileno())
            draft.rename(self._folder / f"{digest}{SUFFIX}")
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _record(self, uid: str, reason: str) -> None:
        line = {"at": self._study.now().isoformat(), "by": getpass.getuser(), "object": uid, "reason": reason}
        with (self._folder / ACCESS_LOG).open("a", encoding="utf-8") as log:
            os.fchmod(log.fileno(), 0o600)
            log.write(json.dumps(line) + "\n")
            log.flush()
            os.fsync(log.fileno())

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """Nobody seals with a key that is being forgotten."""
        with (self._folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, kind)
            yield


class _Pieces:
    """An iterator of pieces as a file that is read in pieces of any length."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, count: int) -> bytes:
        """The next bytes; fewer than asked for only at the end."""
        while len(self._left) < count and (piece := next(self._pieces, b"")):
            self._left += piece
        taken, self._left = self._left[:count], self._left[count:]
        return taken


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600; gone again when anything raises."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            yield file
        except BaseException:
            path.unlink(missing_ok=True)
            raise
