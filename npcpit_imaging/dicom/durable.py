"""Files that survive a power cut: written under another name, synced, renamed, and the folder synced (POSIX fsync)."""

import errno
import os
from pathlib import Path


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and sync its content; a failure leaves nothing behind.

    Raises:
        OSError: The disk refuses, or the file exists.
    """
    with path.open("xb", buffering=0) as file:
        try:
            written = file.write(content)
            if written != len(content):
                raise OSError(errno.ENOSPC, f"{written} of {len(content)} bytes written")
            os.fdatasync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
