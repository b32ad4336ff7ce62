"""Which objects were ingested: SOP instance UID to digest, so that a duplicate sent later is still recognised."""

import contextlib
import errno
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path


class IngestedIndex:
    """A small durable table; its methods may be called from many threads.

    Args:
        path: The SQLite file, made when absent.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # `remember` precedes the removal of the only file
        with self._connection:
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS ingested"
                " (sop_instance_uid TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID"
            )

    def digest(self, sop_instance_uid: str) -> str | None:
        """Return the digest of an ingested object, or None for a UID never ingested.

        Raises:
            OSError: The table cannot be read.
        """
        with self._lock, _as_os_error():
            row = self._connection.execute(
                "SELECT digest FROM ingested WHERE sop_instance_uid = ?", (sop_instance_uid,)
            ).fetchone()
        return None if row is None else str(row[0])

    def remember(self, digests: Mapping[str, str]) -> None:
        """Record ingested objects (UID to digest) durably and together; the first record of a UID stays.

        Raises:
            OSError: The table cannot be written; none of them is recorded then.
        """
        if digests:
            with self._lock, _as_os_error(), self._connection:
                self._connection.executemany("INSERT OR IGNORE INTO ingested VALUES (?, ?)", digests.items())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """A full or failing disk is one thing to the caller, whoever met it first."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(errno.EIO, f"index of ingested objects: {error}") from error
