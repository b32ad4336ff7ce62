"""The keys that seal a study's originals: one file, inside the vault or on a medium that site.toml names."""

import secrets
from pathlib import Path

from npcpit_imaging.app.study import Study
from npcpit_imaging.dicom.durable import sync_folder, write_synced
from npcpit_imaging.errors import ConfigError
from npcpit_imaging.store.sealed import KEY_BYTES, SUFFIX, key_name


def read_keys(study: Study) -> dict[str, bytes]:
    """The keys of a study's originals by name, newest first.

    Raises:
        ConfigError: The key file is missing or holds something else.
    """
    path = key_path(study)
    try:
        keys = [bytes.fromhex(line) for line in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{_called(study)}: expected keys in hexadecimal digits ({type(error).__name__})") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigError(f"{_called(study)}: expected {2 * KEY_BYTES} hexadecimal digits a line, found something else")
    return {key_name(key): key for key in keys}


def ensure_keys(study: Study) -> None:
    """Make the first key inside the study; a place elsewhere (a medium, another disk) must hold one already.

    Raises:
        ConfigError: The key is not where it should be, cannot be used or cannot be made.
    """
    path = key_path(study)
    if path.exists():
        read_keys(study)
        return
    if not path.resolve().is_relative_to(study.folder.resolve()):
        raise ConfigError(f"{_called(study)}: no key there; mount its medium, or make one: npcpit original-key STUDY")
    if any((study.vault / "originals").glob(f"*{SUFFIX}")):
        raise ConfigError(f"{_called(study)}: the key is gone, and originals are sealed with it; put it back")
    try:
        write_keys(path, [secrets.token_bytes(KEY_BYTES)])
    except OSError as error:
        raise ConfigError(f"{_called(study)}: cannot be written ({error.strerror})") from error


def write_keys(path: Path, keys: list[bytes]) -> None:
    """Replace the key file durably, readable by its owner alone.

    Raises:
        OSError: The disk refuses.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_synced(draft, "".join(f"{key.hex()}\n" for key in keys).encode("ascii"))
    draft.chmod(0o600)
    draft.rename(path)
    sync_folder(path.parent)


def key_path(study: Study) -> Path:
    """Where site.toml says that the keys lie."""
    return study.folder / study.site.deidentification.originals_key


def _called(study: Study) -> str:
    return f"deidentification.originals_key {study.site.deidentification.originals_key}"
