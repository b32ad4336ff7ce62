"""One line of a table of cases: its files, their digests, its image, mask and settings."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from npcpit_imaging import __version__
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.images import open_image, open_mask
from npcpit_imaging.app.measure import default_settings, in_suv
from npcpit_imaging.app.tables import Row
from npcpit_imaging.config.base import load
from npcpit_imaging.config.imaging import ImagingSettings
from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.study.finding import Severity
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

HASHED_BYTES = 1 << 20
"""How much of a file is hashed at a time."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One case's files, opened.

    Args:
        volume: The image, a PET in SUV.
        mask: The region, on the image's voxels.
        settings: Settings of its modality.
    """

    volume: Volume
    mask: Mask
    settings: RadiomicsSettings

    @property
    def notes(self) -> str:
        """What was noticed of image and mask that a person should know, in one line."""
        findings = dict.fromkeys((*self.volume.findings, *self.mask.findings))
        return "".join(f"; {each.code}: {each.text}" for each in findings if each.severity is not Severity.INFO)


@dataclass(frozen=True, kw_only=True)
class CaseFiles:
    """What one line of a table names.

    Args:
        folder: Folder the line's paths are relative to.
        row: The line.
        settings: Settings file where the line names none; None for the modality's.
    """

    folder: Path
    row: Row
    settings: Path | None

    def digest(self, *more: str) -> str:
        """SHA-256 of everything the result depends on but the settings: both files, the choices, the engine.

        Raises:
            TableError: The line names no image or no mask.
            InputError: A file is not there or cannot be read.
        """
        choices = [f"{name}={self.row.values[name]}" for name in ("modality", "unit", "roi", "segment", "label")]
        return digest_of(self._content("image"), self._content("mask"), *choices, __version__, *more)

    def settings_of(self, modality: Modality) -> RadiomicsSettings:
        """Settings of this case; its modality decides where no file is named.

        Raises:
            TableError: No file is named, and the image does not say its modality.
            ConfigError: The file cannot be used.
        """
        named = self.row.values["settings"]
        path = self.folder / named if named else self.settings
        if path is None and modality is Modality.OT:
            raise TableError(
                "modality: expected CT, MR or PT of a file that does not say it, or settings, found neither",
                line=self.row.line,
            )
        return (load(path, ImagingSettings) if path else default_settings(modality)).radiomics

    def open(self) -> Inputs:
        """Open image and mask.

        Raises:
            NpcpitError: One of them, or a cell of the line, cannot be used.
        """
        image = self.folder / self.row.text("image")
        expected = self._modality()
        volume = _opened(image, expected, self._unit(), self._content("image"))
        if expected is not Modality.OT and volume.modality is not expected:
            raise InputError(f"image: expected modality {expected}, found {volume.modality}")
        mask = open_mask(
            self.folder / self.row.text("mask"),
            volume.geometry,
            roi=self.row.values["roi"] or None,
            segment=self._number("segment"),
            label=self._number("label"),
        )
        return Inputs(volume=volume, mask=mask, settings=self.settings_of(volume.modality))

    def _content(self, column: str) -> str:
        path = self.folder / self.row.text(column)
        try:
            return _digest_of_path(path)
        except FileNotFoundError as error:
            raise InputError(f"{column}: {path.name}: no such file or folder") from error
        except OSError as error:
            raise InputError(f"{column}: {path.name}: cannot be read ({error.strerror or 'unknown reason'})") from error

    def _modality(self) -> Modality:
        text = self.row.values["modality"] or Modality.OT.value
        if text not in {each.value for each in Modality}:
            raise TableError(f"modality: expected {', '.join(Modality)}, found {text!r}", line=self.row.line)
        return Modality(text)

    def _unit(self) -> Unit | None:
        text = self.row.values["unit"]
        if text and text not in {each.value for each in Unit}:
            raise TableError(f"unit: expected {', '.join(Unit)}, found {text!r}", line=self.row.line)
        return Unit(text) if text else None

    def _number(self, column: str) -> int | None:
        text = self.row.values[column]
        if text and not (text.isascii() and text.isdigit()):
            raise TableError(f"{column}: expected a whole number, found {text!r}", line=self.row.line)
        return int(text) if text else None


def _digest_of_path(path: Path) -> str:
    """SHA-256 of a file, or of every file of a folder under its name there."""
    if path.is_file():
        stat = path.stat()
        return _digest_of_file(path, stat.st_size, stat.st_mtime_ns)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    if not files:
        raise FileNotFoundError
    return digest_of(*(f"{each.relative_to(path).as_posix()} {_digest_of_path(each)}" for each in files))


@lru_cache(maxsize=4096)
def _digest_of_file(path: Path, size: int, changed_ns: int) -> str:  # size and time make the key
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_BYTES):
            state.update(block)
    return state.hexdigest()


@lru_cache(maxsize=1)
def _opened(image: Path, modality: Modality, unit: Unit | None, content: str) -> Volume:  # the content makes the key
    """The image; the lesions of one image usually follow each other."""
    return in_suv(image, open_image(image, modality=modality, unit=unit))
