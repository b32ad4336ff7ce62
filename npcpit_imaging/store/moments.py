"""Moments as the databases give them back: SQLite forgets that they are UTC."""

from datetime import UTC, datetime


def utc(moment: datetime) -> datetime:
    """A stored moment with its time zone.

    Example:
        >>> utc(datetime(2026, 1, 2)).isoformat()
        '2026-01-02T00:00:00+00:00'
    """
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
