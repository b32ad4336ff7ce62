"""Sealed files: what comes out is what went in, or an error; a second program opens them by the page alone."""

import hashlib
import io

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.sealed import CHUNK_BYTES, key_name, seal, sealed_with, unseal

KEY, OTHER = bytes(range(32)), bytes(32)
HEAD = 48
SEALED_CHUNK = CHUNK_BYTES + 16


def sealed(content: bytes, key: bytes = KEY) -> bytes:
    target = io.BytesIO()
    seal(io.BytesIO(content), target, key=key)
    return target.getvalue()


def opened(content: bytes, *keys: bytes) -> bytes:
    found = {key_name(key): key for key in keys or (KEY,)}
    return b"".join(unseal(io.BytesIO(content), keys=found, name="x.sealed"))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_sealed_comes_out_again(size):
    """Also where the last chunk is exactly full, or there is nothing in it."""
    content = (b"Yamada^Taro" * (size // 11 + 1))[:size]
    closed = sealed(content)
    assert b"Yamada" not in closed
    assert opened(closed, OTHER, KEY) == content


def test_the_same_content_is_sealed_differently_each_time():
    assert sealed(b"same") != sealed(b"same")


@pytest.mark.parametrize("at", [8, 20, HEAD, HEAD + 5, -1])
def test_a_changed_byte_anywhere_is_found_out(at):
    """In the key's name, the salt, the content and the tag."""
    closed = bytearray(sealed(b"content of an object"))
    closed[at] ^= 1
    with pytest.raises(StoreError, match=r"x\.sealed"):
        opened(bytes(closed))


@pytest.mark.parametrize(
    "damage",
    [
        lambda closed: closed[: HEAD + SEALED_CHUNK],
        lambda closed: closed[:-1],
        lambda closed: closed[:HEAD],
        lambda closed: closed[:HEAD] + closed[HEAD + SEALED_CHUNK :] + closed[HEAD : HEAD + SEALED_CHUNK],
        lambda closed: closed + closed[HEAD:],
        lambda closed: closed[:HEAD] + closed[HEAD : HEAD + SEALED_CHUNK] * 2 + closed[HEAD + SEALED_CHUNK :],
    ],
    ids=["last chunk gone", "last byte gone", "nothing left", "chunks swapped", "appended", "chunk repeated"],
)
def test_a_chunk_that_is_missing_moved_or_repeated_is_found_out(damage):
    with pytest.raises(StoreError, match="changed or cut"):
        opened(damage(sealed(bytes(CHUNK_BYTES) + b"the end")))


def test_another_key_and_another_file_are_refused_by_name(tmp_path):
    with pytest.raises(StoreError, match=f"sealed with key {key_name(KEY)}"):
        opened(sealed(b"content"), OTHER)
    with pytest.raises(StoreError, match="expected a sealed file"):
        opened(b"DICM" * 20)
    (tmp_path / "a.sealed").write_bytes(sealed(b"content", OTHER))
    assert sealed_with(tmp_path / "a.sealed") == key_name(OTHER)


def test_a_second_program_opens_it_by_the_description_of_the_format_alone():
    """HKDF-SHA-256 of key and salt; nonce: seven zero bytes, chunk number (4), last (1); the head is authenticated."""
    closed = sealed(b"a" * CHUNK_BYTES + b"end")
    head = closed[:HEAD]
    assert head[:8] == b"NPCPITS1"
    assert head[8:16] == hashlib.sha256(b"npcpit sealed file 1" + KEY).digest()[:8]
    cipher = AESGCM(HKDF(SHA256(), 32, salt=head[16:], info=b"npcpit sealed file 1").derive(KEY))
    first, last = closed[HEAD : HEAD + SEALED_CHUNK], closed[HEAD + SEALED_CHUNK :]
    assert cipher.decrypt(bytes(7) + bytes([0, 0, 0, 0, 0]), first, head) == b"a" * CHUNK_BYTES
    assert cipher.decrypt(bytes(7) + bytes([0, 0, 0, 1, 1]), last, head) == b"end"
