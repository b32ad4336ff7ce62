"""A study folder: its decisions, its pipelines, its memory and its objects.

```
STUDY/
  configs/       protocol.toml, site.toml, imaging/*.toml: what the study and the site decided; edit them here
  pipelines/     the imaging charter in code; edit it here
  tables/        what people hand in: lesions, prompts, reads, treatments (CSV)
  objects/       DICOM objects, de-identified
  derived/       masks and transforms
  deliver/       what people take away
  vault/         keys, original identifiers, the spool of the receiver: never leaves the site (mode 0700)
  npcpit.sqlite  the record
```
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import npcpit_imaging
from npcpit_imaging.app.objects import ObjectStore
from npcpit_imaging.config.base import load
from npcpit_imaging.config.imaging import ImagingSettings
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.config.registration import RegistrationPlan, load_plan
from npcpit_imaging.config.site import Site
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.database import Database
from npcpit_imaging.volume.volume import Modality

DEFAULT_CONFIGURATION = "npc-pit"
"""The configuration `npcpit init` copies when none is named."""

FOLDERS = ("tables", "objects", "derived", "deliver", "vault")


@dataclass(frozen=True, kw_only=True)
class Study:
    """An open study folder.

    Args:
        folder: The study folder.
        database: Its record.
    """

    folder: Path
    database: Database

    @cached_property
    def objects(self) -> ObjectStore:
        """DICOM objects.

        Raises:
            StoreError: The object store that `site.toml` names cannot be used.
        """
        return ObjectStore(self.site.store, study=self.folder, database=self.database)

    @property
    def derived(self) -> Path:
        """Masks and transforms."""
        return self.folder / "derived"

    @property
    def deliver(self) -> Path:
        """What people take away."""
        return self.folder / "deliver"

    @property
    def tables(self) -> Path:
        """What people hand in."""
        return self.folder / "tables"

    @property
    def vault(self) -> Path:
        """Keys and original identifiers; never leaves the site."""
        return self.folder / "vault"

    @cached_property
    def protocol(self) -> Protocol:
        """What the trial decided."""
        return load(self.folder / "configs" / "protocol.toml", Protocol)

    @cached_property
    def site(self) -> Site:
        """What the site decided."""
        return load(self.folder / "configs" / "site.toml", Site)

    def imaging(self, modality: Modality) -> ImagingSettings:
        """How images of a modality are segmented and described."""
        names = {Modality.CT: "ct", Modality.MR: "mr", Modality.PT: "pet"}
        if modality not in names:
            raise InputError(f"modality {modality}: expected CT, MR or PT")
        return load(self.folder / "configs" / "imaging" / f"{names[modality]}.toml", ImagingSettings)

    def plan(self, name: str) -> RegistrationPlan:
        """How a pair of modalities is registered, e.g. ``ct-ct``."""
        return load_plan(self.folder / "configs" / "imaging" / "registration" / f"{name}.toml")

    @staticmethod
    def now() -> datetime:
        """This moment, UTC."""
        return datetime.now(UTC)


def shipped(kind: str) -> Path:
    """Folder of the pipelines or configs that come with this installation.

    A wheel carries them inside the package; an editable install finds them in the checkout.
    """
    package = Path(npcpit_imaging.__file__).parent
    inside = package / "_study" / kind
    return inside if inside.is_dir() else package.parent / kind


def init_study(folder: Path, *, configuration: str = DEFAULT_CONFIGURATION) -> None:
    """Make a study folder from a shipped configuration.

    Raises:
        InputError: The folder is there and not empty, or there is no such configuration.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder.name}: expected no folder or an empty one, found something in it")
    chosen = shipped("configs") / configuration
    if not (chosen / "protocol.toml").is_file():
        choices = sorted(path.parent.name for path in shipped("configs").glob("*/protocol.toml"))
        raise InputError(f"configuration {configuration}: expected one of {', '.join(choices)}")
    shutil.copytree(shipped("configs") / DEFAULT_CONFIGURATION, folder / "configs", dirs_exist_ok=True)
    shutil.copytree(chosen, folder / "configs", dirs_exist_ok=True)
    shutil.copytree(shipped("pipelines"), folder / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FOLDERS:
        (folder / name).mkdir()
    (folder / "vault").chmod(0o700)
    with open_study(folder):
        pass


@contextmanager
def open_study(folder: Path) -> Iterator[Study]:
    """Open a study folder.

    Raises:
        InputError: The folder is no study folder.
        ConfigError: Its site file cannot be used.
        StoreError: Its database cannot be opened.
    """
    if not (folder / "configs" / "site.toml").is_file():
        raise InputError(f"{folder.name}: expected a study folder (make one with: npcpit init {folder.name})")
    site = load(folder / "configs" / "site.toml", Site)
    database = Database(site.store.url, folder=folder)
    try:
        yield Study(folder=folder, database=database)
    finally:
        database.close()
