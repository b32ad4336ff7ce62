"""Who owns a spool, and what it holds at this moment; asking disturbs no running receiver."""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.dicom.quarantine import quarantined_in
from npcpit_imaging.dicom.slots import read_mark, slots_in
from npcpit_imaging.errors import SpoolInUseError
from npcpit_imaging.study.finding import Finding

LOCK = "spool.lock"
"""File that the one process that owns a spool holds locked."""

COMMITMENTS = "commitments"
"""Folder of storage commitments that have not been reported yet (`commitment.CommitmentQueue`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolCensus:
    """What a spool holds at one moment.

    Args:
        waiting: Number of acknowledged objects that are not in the study yet.
        quarantined: Why each object in quarantine is there.
        unreported: Number of storage commitments whose result the peer has not taken yet.
    """

    waiting: int
    quarantined: tuple[Finding, ...]
    unreported: int


def spool_census(folder: Path) -> SpoolCensus:
    """Count what a spool holds; only reads, so it may be asked while a receiver runs."""
    return SpoolCensus(
        waiting=sum(_is_marked(path) for path in slots_in(folder / "pending")),
        quarantined=tuple(each.finding for each in quarantined_in(folder / "quarantine")),
        unreported=sum(1 for _ in (folder / COMMITMENTS).glob("*.json")),
    )


def _is_marked(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):  # ingested meanwhile
        return read_mark(path) is not None
    return False


def spool_is_free(folder: Path) -> bool:
    """Whether no process owns the spool in a folder at this moment."""
    if not (folder / LOCK).exists():
        return True
    try:
        os.close(own_spool(folder))
    except SpoolInUseError:
        return False
    return True


def own_spool(folder: Path) -> int:
    """Take a spool for this process; closing the descriptor that is returned gives it back.

    Raises:
        SpoolInUseError: Another process owns it.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SpoolInUseError(
            "the spool is owned by another running process: expected one receiver per spool"
        ) from error
    return descriptor
