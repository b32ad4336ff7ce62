"""The study's secret: all pseudonyms, UIDs and date shifts come from it (docs/deidentification.md)."""

import contextlib
import os
import secrets
from pathlib import Path

from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.durable import sync_folder, write_synced
from npcpit_imaging.errors import InputError, StoreError

KEY_BYTES = 32
"""Length of a study's secret, made when the first object arrives."""


def study_key(study: Study) -> bytes:
    """The study's secret, made at first use.

    Raises:
        InputError: The file holds something else.
        StoreError: The disk refuses.
    """
    path = study.vault / "key"
    if not path.exists():
        try:
            _make_key(path)
        except OSError as error:
            raise StoreError(f"vault: the study's secret cannot be written ({error.strerror})") from error
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError as error:
        raise InputError("vault/key: expected hexadecimal digits, found something else") from error


def _make_key(path: Path) -> None:
    """Make the secret durable before anything depends on it; of two processes that try, one wins for both."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    own = path.with_name(f"key.{secrets.token_hex(8)}")
    write_synced(own, secrets.token_hex(KEY_BYTES).encode("ascii"))
    own.chmod(0o600)
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    sync_folder(path.parent)
