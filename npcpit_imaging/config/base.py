"""TOML files to frozen classes: an unknown key raises, and every configuration has a digest."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from npcpit_imaging.errors import ConfigError


class Config(BaseModel):
    """A frozen configuration value; defaults live here and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @property
    def digest(self) -> str:
        """SHA-256 of every value, defaults included, as hex."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


C = TypeVar("C", bound=Config)


def load(path: Path, kind: type[C]) -> C:
    """Read a TOML file as one configuration class.

    Args:
        path: The file.
        kind: Which class it must be.

    Raises:
        ConfigError: The file is missing, is not TOML, or holds a key or value the class does not know;
            the message names the file, the key and what was expected.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path.name}: no such file in {path.parent}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read as text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: not valid TOML: {error}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg'].lower()}"
            for fault in error.errors()
        )
        raise ConfigError(f"{path.name}: {faults}") from error
