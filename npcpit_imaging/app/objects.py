"""Where a study's DICOM objects lie: in a folder, or on an object store with a cache on this machine."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from npcpit_imaging.config.site import StoreSite
from npcpit_imaging.dicom.place import PreparedObject, write_objects
from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.database import Database
from npcpit_imaging.store.images import digests_of
from npcpit_imaging.store.remote_objects import RemoteObjects


class ObjectStore:
    """The objects of one study.

    Args:
        site: Where they are.
        study: The study folder.
        database: The study's record, which holds the digest of every object.

    Raises:
        StoreError: The object store that `site.toml` names cannot be used.
    """

    def __init__(self, site: StoreSite, *, study: Path, database: Database) -> None:
        self._database = database
        self._remote: RemoteObjects | None = None
        if "://" in site.objects:
            self._remote = RemoteObjects(site.objects, _cache(site))
            self.folder = self._remote.cache
        else:
            self.folder = study / site.objects

    def file(self, name: str) -> Path:
        """One object as a file of this machine; see `files`."""
        return self.files([name])[0]

    def files(self, names: Iterable[str]) -> list[Path]:
        """Objects as files of this machine, in the order asked.

        Args:
            names: As the index holds them.

        Raises:
            ObjectFaultError: One must be fetched and is not there, or is not what was indexed.
            StoreError: The object store cannot be reached, or the cache not be written.
        """
        asked = list(names)
        if self._remote is not None:
            self._fetch(self._remote, [name for name in asked if not (self.folder / name).is_file()])
        return [self.folder / name for name in asked]

    def _fetch(self, remote: RemoteObjects, names: Sequence[str]) -> None:
        if not names:
            return
        with self._database.session() as session:
            digests = digests_of(session, names)
        if unknown := sorted(set(names) - digests.keys()):
            raise StoreError(f"objects: expected {unknown[0]} in the index, found nothing")
        remote.fetch(digests)

    def keep(self, prepared: Sequence[PreparedObject]) -> None:
        """Write prepared objects; returns when all are durable. For objects that the index does not hold yet.

        Raises:
            StoreError: The disk or the object store refuses.
        """
        if self._remote is None:
            write_objects(prepared, self.folder)
        else:
            self._remote.write({each.path: each.content for each in prepared})

    def digest(self, name: str) -> str:
        """SHA-256 of an object as it lies there now, past any cache.

        Raises:
            FileNotFoundError: It is not there.
            StoreError: The object store cannot be reached.
        """
        if self._remote is not None:
            return self._remote.digest(name)
        with (self.folder / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _cache(site: StoreSite) -> Path:
    """The folder that `site.toml` names, else one in the user's cache, by the digest of the URL."""
    if site.objects_cache:
        return Path(site.objects_cache).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "npcpit" / hashlib.sha256(site.objects.encode()).hexdigest()[:16]
