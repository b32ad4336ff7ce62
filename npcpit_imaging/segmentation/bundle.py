"""A MONAI bundle in a local folder: what it says of itself, and why it may be refused (MONAI bundle specification).

    BUNDLE/configs/metadata.json     name, version, licence, the channels of input and output
    BUNDLE/configs/inference.json    or .yaml: network_def, inferer, preprocessing, postprocessing
    BUNDLE/models/model.ts           TorchScript, or model.pt: a state dict for network_def

A config's expressions (``$...``) are Python. A bundle is therefore run only from a folder that the site names; nothing
in it is fetched from elsewhere, and a config that would fetch is refused.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from npcpit_imaging.errors import InputError

PREFIX = "bundle:"
"""A segmenter's name that begins so is a bundle's folder."""

CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
WEIGHTS = ("model.ts", "model.pt")
"""TorchScript is preferred: it needs no network_def."""

LATTICE = "npcpit-lattice-1"
"""``prompt_encoding`` of a bundle whose network works on a prompt's frame (`encoding.CHANNELS`)."""

CALIBRATION = "models/calibration.json"
"""The calibrated classifiers that a lattice bundle's network was trained on."""

GUIDANCE = ("positive", "negative", "line", "box", "previous")
"""Names of input channels that hold a prompt; every other name is the image."""

FETCHING = re.compile(
    r"https?://|ftp://|download|load_state_dict_from_url|torch\.hub|hf_hub|urlretrieve|from_pretrained", re.I
)
"""What a config that fetches something from elsewhere is known by."""

MODULES = ("monai.", "torch.")
"""Where a config's ``_target_`` may come from; a bare name is MONAI's."""

USED = ("network_def", "inferer", "preprocessing", "postprocessing")
"""The parts of a config that are run."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle that was looked at and not refused.

    Args:
        folder: Where it lies.
        name: What it calls itself.
        version: Its version.
        licence: Its licence, ``unknown`` where it does not say.
        config_path: Its inference config.
        weights_path: TorchScript (``.ts``) or a state dict (``.pt``).
        weights_digest: SHA-256 of the weights, as hex.
        channels: Names of the network's input channels in their order.
        lattice: Whether the network works on a prompt's frame.
    """

    folder: Path
    name: str
    version: str
    licence: str
    config_path: Path
    weights_path: Path
    weights_digest: str
    channels: tuple[str, ...]
    lattice: bool


def read_bundle(folder: Path) -> Bundle:
    """Look at a bundle without running anything of it.

    Raises:
        InputError: A part is missing or cannot be read; the message says which.
    """
    if not folder.is_dir():
        raise InputError(f"bundle {folder}: no such folder")
    metadata_path = _first(folder, "configs", ("metadata.json",), folder / "metadata.json")
    metadata = _metadata(metadata_path)
    weights = _first(folder, "models", WEIGHTS)
    return Bundle(
        folder=folder,
        name=str(metadata.get("name", folder.name)),
        version=str(metadata.get("version", "unknown")),
        licence=str(metadata.get("license", metadata.get("licence", "unknown"))),
        config_path=_first(folder, "configs", CONFIGS),
        weights_path=weights,
        weights_digest=_digest(weights, weights.stat().st_mtime_ns),
        channels=_channels(metadata),
        lattice=metadata.get("prompt_encoding") == LATTICE,
    )


def refuse_unsafe(config: object, bundle: str) -> None:
    """Refuse a config that would fetch something, or that runs code of its own.

    Args:
        config: The parsed JSON or YAML.
        bundle: The bundle's name, for messages.

    Raises:
        InputError: It would; the message quotes the place.
    """
    used = {key: config[key] for key in USED if key in config} if isinstance(config, Mapping) else config
    for text in _strings(config):
        if FETCHING.search(text):
            raise InputError(
                f'bundle {bundle}: expected a config that needs nothing from elsewhere, found "{text[:80]}"'
            )
    for target in _targets(used):
        if "." in target and not target.startswith(MODULES):
            raise InputError(f"bundle {bundle}: expected components of monai or torch, found {target}")


def _first(folder: Path, part: str, names: tuple[str, ...], *others: Path) -> Path:
    for path in (*(folder / part / name for name in names), *others):
        if path.is_file():
            return path
    raise InputError(f"bundle {folder}: expected {part}/{' or '.join(names)}, found neither" if len(names) > 1
                     else f"bundle {folder}: expected {part}/{names[0]}, found none")  # fmt: skip


def _metadata(path: Path) -> dict[str, object]:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected JSON, found {type(error).__name__}") from error
    if not isinstance(metadata, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(metadata).__name__}")
    return metadata


def _channels(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the input's channels; one image where the bundle does not say."""
    place: object = metadata
    for key in ("network_data_format", "inputs", "image", "channel_def"):
        place = place.get(key, {}) if isinstance(place, Mapping) else {}
    names = place if isinstance(place, Mapping) else {}
    ordered = sorted(names.items(), key=lambda item: int(item[0]))
    return tuple(str(name) for _, name in ordered) or ("image",)


@cache
def _digest(path: Path, changed_ns: int) -> str:
    """SHA-256 of a file, taken once while it does not change."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _targets(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        target = value.get("_target_")
        if isinstance(target, str):
            yield target
        for each in value.values():
            yield from _targets(each)
    elif isinstance(value, list):
        for each in value:
            yield from _targets(each)
