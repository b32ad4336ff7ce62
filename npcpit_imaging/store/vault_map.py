"""What became of each original: its UIDs and digests beside the new ones, in the study's vault and nowhere else.

The table names patients' objects by their original UIDs: it is never exported, and lies in a folder of mode 0700.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from npcpit_imaging.errors import StoreError

_TABLES = (
    "CREATE TABLE IF NOT EXISTS uid (original TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS uid_new ON uid (new)",
    "CREATE TABLE IF NOT EXISTS object (original_sop_instance_uid TEXT PRIMARY KEY, sop_instance_uid TEXT NOT NULL,"
    " received_sha256 TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS manifest (sop_instance_uid TEXT PRIMARY KEY, report INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS report (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedObject:
    """One object that was de-identified.

    Args:
        original_sop_instance_uid: As the hospital knows it.
        sop_instance_uid: As the study knows it.
        received_sha256: Digest of transfer syntax and data set as received.
        sha256: Digest of the de-identified file.
    """

    original_sop_instance_uid: str
    sop_instance_uid: str
    received_sha256: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultRecord:
    """All that the vault keeps of one object.

    Args:
        mapped: Its names and digests.
        uids: Every UID in it, original to new.
        report: What de-identification did, without an original value; slices of a series mostly share one.
    """

    mapped: MappedObject
    uids: Mapping[str, str]
    report: Mapping[str, object] | None = None


class VaultMap:
    """The table; its methods may be called from many threads, one at a time. Closed with `close`, or when forgotten.

    Args:
        path: The SQLite file, made when absent with mode 0600.

    Raises:
        StoreError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        with _as_store_error():
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # the original may be dropped right afterwards
            with self._connection:
                for table in _TABLES:
                    self._connection.execute(table)
            self.close = weakref.finalize(self, self._connection.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(self, mapped: MappedObject, uids: Mapping[str, str], *, report: Mapping[str, object] | None = None) -> None:
        """Record one object; see `put_all`.

        Raises:
            StoreError: The disk refuses.
        """
        self.put_all([VaultRecord(mapped=mapped, uids=uids, report=report)])

    def put_all(self, records: Sequence[VaultRecord]) -> None:
        """Record objects, all their UIDs and what was done to them durably; what is known stays as it is.

        Raises:
            StoreError: The disk refuses; nothing of this call is recorded then.
        """
        if not records:
            return
        with _as_store_error(), self._connection:
            for record in records:
                self._put(record)

    def _put(self, record: VaultRecord) -> None:
        mapped = record.mapped
        values = (mapped.original_sop_instance_uid, mapped.sop_instance_uid, mapped.received_sha256, mapped.sha256)
        self._connection.executemany("INSERT OR IGNORE INTO uid VALUES (?, ?)", record.uids.items())
        self._connection.execute("INSERT OR IGNORE INTO object VALUES (?, ?, ?, ?)", values)
        if record.report is not None:
            self._put_report(mapped.sop_instance_uid, json.dumps(record.report, sort_keys=True))

    def _put_report(self, sop_instance_uid: str, text: str) -> None:
        self._connection.execute("INSERT OR IGNORE INTO report (text) VALUES (?)", (text,))
        self._connection.execute(
            "INSERT OR IGNORE INTO manifest SELECT ?, id FROM report WHERE text = ?", (sop_instance_uid, text)
        )

    def report(self, sop_instance_uid: str) -> dict[str, object] | None:
        """What de-identification did to an object, by its UID in the study; None for one it did not touch."""
        found = self._one(
            "SELECT text FROM manifest JOIN report ON report = id WHERE sop_instance_uid = ?", sop_instance_uid
        )
        return None if found is None else dict(json.loads(found))

    def new_uid(self, original: str) -> str | None:
        """The study's UID for a hospital's; None for one that never came."""
        return self._one("SELECT new FROM uid WHERE original = ?", original)

    def original_uid(self, new: str) -> str | None:
        """The hospital's UID for one of the study; None for one that the study did not make."""
        return self._one("SELECT original FROM uid WHERE new = ?", new)

    def mapped(self, original_sop_instance_uid: str) -> MappedObject | None:
        """What became of an object; None for one that never came."""
        query = "SELECT * FROM object WHERE original_sop_instance_uid = ?"
        with _as_store_error():
            row = self._connection.execute(query, (original_sop_instance_uid,)).fetchone()
        if row is None:
            return None
        original, new, received, stored = row
        return MappedObject(
            original_sop_instance_uid=original, sop_instance_uid=new, received_sha256=received, sha256=stored
        )

    def _one(self, query: str, value: str) -> str | None:
        with _as_store_error():
            row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else str(row[0])


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"vault: table of original UIDs: {error}") from error
