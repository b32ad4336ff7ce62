"""Objects on an object store: there when written, verified when read, and never an image that was not indexed."""

import hashlib
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.remote_objects import RemoteObjects
from tests.store.s3_server import s3_server

CONTENTS = {"aa/1.2/3/4.dcm": b"first", "bb/1.2/3/5.dcm": bytes(range(256)) * 1000}
DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}/study"


@pytest.fixture
def store(url: str, tmp_path: Path) -> RemoteObjects:
    store = RemoteObjects(url, tmp_path / "cache")
    store.write(CONTENTS)
    return store


def cached(store: RemoteObjects) -> dict[str, bytes]:
    files = [path for path in store.cache.rglob("*") if path.is_file()]
    return {path.relative_to(store.cache).as_posix(): path.read_bytes() for path in files}


def test_what_is_written_is_read_by_another_machine(store: RemoteObjects, url: str, tmp_path: Path):
    assert cached(store) == {}, "only what was verified against the index is cached"
    elsewhere = RemoteObjects(url, tmp_path / "other")
    elsewhere.fetch(DIGESTS)
    assert cached(elsewhere) == CONTENTS
    assert elsewhere.cache.stat().st_mode & 0o077 == 0, "closed to others"
    assert {name: elsewhere.digest(name) for name in CONTENTS} == DIGESTS


def test_an_object_that_is_gone_or_changed_is_refused_and_not_kept(store: RemoteObjects, url: str):
    (first, second) = CONTENTS
    fsspec.open(f"{url}/{first}", "wb").open().close()  # cut to nothing
    with pytest.raises(StoreError, match=f"expected {first} as it was indexed, found other bytes"):
        store.fetch(DIGESTS)
    assert set(cached(store)) == {second}, "the other one is not harmed"
    with pytest.raises(StoreError, match=r"expected none\.dcm, found no such object"):
        store.fetch({"none.dcm": "0" * 64})
    with pytest.raises(FileNotFoundError):
        store.digest("none.dcm")


def test_a_cache_that_cannot_be_written_is_said_to_be_that(store: RemoteObjects):
    store.cache.write_bytes(b"")  # a file in the folder's place: no object can be kept, also not by root
    with pytest.raises(StoreError, match=r"objects cache: cannot be written \(.+\)"):
        store.fetch(DIGESTS)


def test_a_url_nobody_can_open_is_refused_in_words(tmp_path: Path):
    with pytest.raises(StoreError, match="expected a URL such as s3://bucket/study, found nonsense://"):
        RemoteObjects("nonsense://bucket/study", tmp_path)


def test_the_same_over_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with s3_server() as (server, held):
        store = RemoteObjects(f"s3://bucket/study?{server}", tmp_path / "cache")
        store.write(CONTENTS)
        assert held == {f"/bucket/study/{name}": content for name, content in CONTENTS.items()}
        store.fetch(DIGESTS)
        assert cached(store) == CONTENTS
        first = next(iter(CONTENTS))
        held[f"/bucket/study/{first}"] = b"other"
        assert store.digest(first) == hashlib.sha256(b"other").hexdigest()
        with pytest.raises(StoreError, match="found other bytes"):
            store.fetch(DIGESTS)
        with pytest.raises(StoreError, match="found no such object"):
            store.fetch({"none.dcm": "0" * 64})
        with pytest.raises(StoreError, match=r"object store: cannot be used now \(\w+Error\)"):
            store.write({"refused.dcm": b"1"})
