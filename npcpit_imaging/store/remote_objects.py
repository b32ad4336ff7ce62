"""DICOM objects on an S3-compatible store, or on any other that fsspec knows, with a verified cache on this machine.

Objects never change once they are indexed. What is written goes to the store alone and is there when `write` returns;
what is read is fetched once, compared with the digest that the index holds, and kept in the cache.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from npcpit_imaging.errors import ObjectFaultError, StoreError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

AT_ONCE = 8
"""Objects that travel at the same time."""


class RemoteObjects:
    """Objects below a URL such as ``s3://bucket/study``.

    S3 is spoken by pyarrow: ``s3://bucket/study?endpoint_override=minio.example:9000&scheme=https&region=...``; its
    credentials come from the environment (AWS_ACCESS_KEY_ID and the like), never from a file of the study.

    Args:
        url: Where; anything that fsspec opens.
        cache: Folder of this machine for what was read; made when absent.

    Raises:
        StoreError: The URL cannot be used, or a package for it is missing.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self._filesystem, self._root = _opened(url)
        self.cache = cache

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write objects; returns when the store has acknowledged all of them.

        Args:
            contents: Name below the URL to bytes. A name that is there already is replaced.

        Raises:
            StoreError: The store refuses, or cannot be reached.
        """
        self._each(lambda name: self._filesystem.pipe_file(self._there(name), contents[name]), list(contents))

    def fetch(self, digests: Mapping[str, str]) -> None:
        """Bring objects into the cache.

        Args:
            digests: Name below the URL to the SHA-256 that its bytes must have.

        Raises:
            ObjectFaultError: An object is not there or is another one; it is not kept, the others are.
            StoreError: The store cannot be reached, or the cache cannot be written.
        """
        self._each(lambda name: self._keep(name, self._read(name, digests[name])), list(digests))

    def digest(self, name: str) -> str:
        """SHA-256 of an object as it lies in the store now, whatever the cache holds.

        Raises:
            FileNotFoundError: It is not there.
            StoreError: The store cannot be reached.
        """
        try:
            return hashlib.sha256(self._filesystem.cat_file(self._there(name))).hexdigest()
        except FileNotFoundError:
            raise
        except Exception as error:  # each of fsspec's file systems has its own kinds
            raise self._failed(error) from error

    def _there(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _read(self, name: str, sha256: str) -> bytes:
        try:
            content: bytes = self._filesystem.cat_file(self._there(name))
        except FileNotFoundError as error:
            raise ObjectFaultError(f"object store: expected {name}, found no such object") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ObjectFaultError(f"object store: expected {name} as it was indexed, found other bytes")
        return content

    def _keep(self, name: str, content: bytes) -> None:
        try:
            self._keep_durably(self.cache / name, content)
        except OSError as error:
            raise StoreError(f"objects cache: cannot be written ({error.strerror})") from error

    def _keep_durably(self, target: Path, content: bytes) -> None:
        self.cache.mkdir(
            parents=True, exist_ok=True, mode=0o700
        )  # closed to others, whatever the mode of what is below
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=target.parent, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)  # a cache that is cut short by a power failure would be read as an image
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def _each(self, act: Callable[[str], None], names: Sequence[str]) -> None:
        """Do it for all names, several at once; the first failure is raised when all have ended."""
        with ThreadPoolExecutor(min(AT_ONCE, max(len(names), 1))) as pool:
            results = [pool.submit(act, name) for name in names]
        for result in results:
            error = result.exception()
            if isinstance(error, StoreError):
                raise error
            if error is not None:
                raise self._failed(error) from error

    @staticmethod
    def _failed(error: BaseException) -> StoreError:
        # Messages of the services may hold keys and addresses.
        return StoreError(f"object store: cannot be used now ({type(error).__name__})")


def _opened(url: str) -> tuple["AbstractFileSystem", str]:
    """The file system of a URL and the path below it."""
    import fsspec

    scheme = url.partition("://")[0]
    try:
        if scheme == "s3":
            from fsspec.implementations.arrow import ArrowFSWrapper
            from pyarrow.fs import FileSystem

            # Delayed opening sends a small object in one request instead of three.
            filesystem, path = FileSystem.from_uri(f"{url}{'&' if '?' in url else '?'}allow_delayed_open=true")
            return ArrowFSWrapper(filesystem), path.rstrip("/")
        found, path = fsspec.core.url_to_fs(url)
        return found, path.rstrip("/")
    except ImportError as error:
        raise StoreError(f"object store: expected the Python package that opens {scheme}://, found none") from error
    except Exception as error:  # pyarrow and fsspec raise several kinds for a URL that they cannot use
        raise StoreError(f"object store: expected a URL such as s3://bucket/study, found {scheme}://...") from error
