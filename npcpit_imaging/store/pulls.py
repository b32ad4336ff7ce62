"""What is known of each pulled series' completeness: a small durable table beside the study's record, in the vault.

It holds original UIDs of what is missing, and so stays in the vault; its key is the series' UID as the study knows it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from npcpit_imaging.errors import StoreError


class PulledState(StrEnum):
    """How complete a pulled series is."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledRecord:
    """One pulled series.

    Args:
        series_uid: As the study knows it.
        state: Receiving and reopened mean that a pull is under way, or was killed.
        expected: Number of instances the PACS lists.
        missing: Original SOP Instance UIDs that have not arrived.
    """

    series_uid: str
    state: PulledState
    expected: int
    missing: tuple[str, ...] = ()


class PullLedger:
    """The table of pulled series.

    Args:
        path: The SQLite file, made when absent.

    Raises:
        StoreError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        with _as_store_error():
            self._connection = sqlite3.connect(path)
            with self._connection:
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS pulled (series_uid TEXT PRIMARY KEY, state TEXT NOT NULL,"
                    " expected INTEGER NOT NULL, missing TEXT NOT NULL, updated TEXT NOT NULL) WITHOUT ROWID"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def record(self, series_uid: str) -> PulledRecord | None:
        """What is known of a series; None for one never pulled."""
        found = self._records("WHERE series_uid = ?", (series_uid,))
        return found[0] if found else None

    def records(self) -> list[PulledRecord]:
        """All pulled series, ordered by UID."""
        return self._records("ORDER BY series_uid", ())

    def _records(self, which: str, values: tuple[str, ...]) -> list[PulledRecord]:
        with _as_store_error():
            query = f"SELECT series_uid, state, expected, missing FROM pulled {which}"  # noqa: S608  # our own words
            rows = list(self._connection.execute(query, values))
        return [
            PulledRecord(
                series_uid=uid, state=PulledState(state), expected=expected, missing=tuple(json.loads(missing))
            )
            for uid, state, expected, missing in rows
        ]

    def put(self, record: PulledRecord, *, now: datetime) -> None:
        """Record a series durably; its former record is replaced."""
        values = (record.series_uid, record.state.value, record.expected, json.dumps(record.missing), now.isoformat())
        with _as_store_error(), self._connection:
            self._connection.execute("INSERT OR REPLACE INTO pulled VALUES (?, ?, ?, ?, ?)", values)


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"table of pulled series: {error}") from error
