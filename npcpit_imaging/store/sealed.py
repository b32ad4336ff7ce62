"""Files sealed with AES-256-GCM in chunks (NIST SP 800-38D; the STREAM construction of Hoang et al. 2015).

```
magic 8 bytes | key name 8 bytes | salt 32 bytes | chunks of 1 MiB, each with a tag of 16 bytes
```
Each file has a key of its own, derived from the master key and the salt (HKDF-SHA-256), so that a nonce is never used
twice. A chunk's nonce is its number and whether it is the last: one that is changed, moved or missing is found out.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from npcpit_imaging.errors import StoreError

KEY_BYTES = 32
"""Length of a master key."""

CHUNK_BYTES = 1 << 20
"""Plain bytes of a chunk; an object of any length needs no more memory than a few of these."""

SUFFIX = ".sealed"
"""Of a sealed file's name."""

MAGIC = b"NPCPITS1"
_NAME_BYTES = 8
_SALT_BYTES = 32
_TAG_BYTES = 16
_HEAD_BYTES = len(MAGIC) + _NAME_BYTES + _SALT_BYTES
_PURPOSE = b"npcpit sealed file 1"


class Reader(Protocol):
    """What is sealed: anything that is read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer than asked for only at the end."""


def key_name(key: bytes) -> str:
    """The name of a master key, which tells nothing of the key itself.

    Example:
        >>> key_name(bytes(32))
        '808371ce0c3f06f2'
    """
    return hashlib.sha256(_PURPOSE + key).hexdigest()[: 2 * _NAME_BYTES]


def seal(source: Reader, target: BinaryIO, *, key: bytes) -> None:
    """Write a sealed copy.

    Args:
        source: Read to its end.
        target: Where to.
        key: Master key, 32 bytes.

    Raises:
        OSError: Reading or writing failed.
    """
    head = MAGIC + bytes.fromhex(key_name(key)) + os.urandom(_SALT_BYTES)
    cipher = _cipher(key, head)
    target.write(head)
    number, chunk = 0, source.read(CHUNK_BYTES)
    while True:
        following = source.read(CHUNK_BYTES)
        target.write(cipher.encrypt(_nonce(number, last=not following), chunk, head))
        if not following:
            return
        number, chunk = number + 1, following


def unseal(source: BinaryIO, *, keys: Mapping[str, bytes], name: str) -> Iterator[bytes]:
    """Yield what was sealed, piece by piece; each piece is genuine, and the end is reached only by a whole file.

    Args:
        source: A sealed file.
        keys: Master keys by their names.
        name: What messages call the file.

    Raises:
        StoreError: It was sealed with another key, was changed or cut, or is no sealed file.
    """
    head = source.read(_HEAD_BYTES)
    cipher = _cipher(_key_of(head, keys, name), head)
    number, chunk = 0, source.read(CHUNK_BYTES + _TAG_BYTES)
    while True:
        following = source.read(CHUNK_BYTES + _TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), chunk, head)
        except InvalidTag as error:
            raise StoreError(f"{name}: expected the bytes that were sealed, found it changed or cut") from error
        if not following:
            return
        number, chunk = number + 1, following


def sealed_with(path: Path) -> str:
    """The name of the key that a file was sealed with.

    Raises:
        StoreError: It is no sealed file.
    """
    with path.open("rb") as file:
        return _name_in(file.read(_HEAD_BYTES), path.name)


def _key_of(head: bytes, keys: Mapping[str, bytes], name: str) -> bytes:
    found = _name_in(head, name)
    if found not in keys:
        raise StoreError(f"{name}: expected one of the keys {', '.join(keys)}, found it sealed with key {found}")
    return keys[found]


def _name_in(head: bytes, name: str) -> str:
    if len(head) != _HEAD_BYTES or not head.startswith(MAGIC):
        raise StoreError(f"{name}: expected a sealed file, found something else")
    return head[len(MAGIC) : len(MAGIC) + _NAME_BYTES].hex()


def _cipher(key: bytes, head: bytes) -> AESGCM:
    salt = head[len(MAGIC) + _NAME_BYTES :]
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_PURPOSE).derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">7xLB", number, last)
