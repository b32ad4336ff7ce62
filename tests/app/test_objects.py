"""A study whose images lie on an object store: the same numbers, and nothing is indexed that is not there."""

import shutil
from uuid import uuid4

import fsspec
import numpy as np
import pytest

from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.completeness import settle_series
from npcpit_imaging.app.series import open_series, series_files
from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.images import SeriesState, paths_of, series_of
from npcpit_imaging.store.schema import SeriesRow


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}/study"


@pytest.fixture
def remote(tmp_path, url):
    init_study(tmp_path / "remote")
    site = tmp_path / "remote" / "configs" / "site.toml"
    lines = f'objects = "{url}"\nobjects_cache = "{tmp_path / "cache"}"'
    site.write_text(site.read_text(encoding="utf-8").replace('objects = "objects"', lines), encoding="utf-8")
    with open_study(tmp_path / "remote") as opened:
        yield opened


def the_series(study: Study) -> str:
    with study.database.session() as session:
        (found,) = series_of(session)
    return found.uid


def test_a_series_on_an_object_store_is_the_volume_it_is_in_a_folder(study, remote, url, write_series):
    """Also when the cache was lost; a file changed in the store is refused, never read."""
    files = sorted(write_series("20240105", "1").iterdir())
    for each in (study, remote):
        Arrivals(each).take_many(files)
    assert list((remote.folder / "objects").iterdir()) == []
    expected = open_series(study, the_series(study)).voxels
    np.testing.assert_array_equal(open_series(remote, the_series(remote)).voxels, expected)
    shutil.rmtree(remote.objects.folder)
    paths = series_files(remote, the_series(remote))
    assert [path.is_file() for path in paths] == [True] * len(files)
    shutil.rmtree(remote.objects.folder)
    there = f"{url}/{paths[1].relative_to(remote.objects.folder).as_posix()}"
    with fsspec.open(there, "rb") as file:
        content = file.read()
    with fsspec.open(there, "wb") as file:
        file.write(content[:-2] + b"\1\1")
    with pytest.raises(StoreError, match="as it was indexed, found other bytes"):
        series_files(remote, the_series(remote))


def test_a_lost_object_is_its_own_series_fault_and_harms_no_other(remote, url, write_series):
    """The series that lost one is incomplete and says which; the other one is judged."""
    for day, series in (("20240105", "1"), ("20240205", "2")):
        Arrivals(remote).take_many(sorted(write_series(day, series).iterdir()))
    with remote.database.session() as session:
        first, second = sorted(each.uid for each in series_of(session))
        name = paths_of(session, first)[0]
    fsspec.filesystem("memory").rm(f"{url}/{name}".removeprefix("memory://"))
    judged = settle_series(remote, settle_s=0.0)
    assert (judged[first], judged[second]) == (SeriesState.INCOMPLETE, SeriesState.QUIET)
    with remote.database.session() as session:
        assert f"expected {name}, found no such object" in str(session.get(SeriesRow, first).state_reason)


def test_where_the_object_store_refuses_nothing_is_indexed(remote, write_series, monkeypatch):
    files = sorted(write_series("20240105", "1").iterdir())
    memory = fsspec.filesystem("memory")

    def full(path: str, value: bytes, **options: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(type(memory), "pipe_file", full)
    assert {type(each) for each in Arrivals(remote).take_many(files)} == {StoreError}
    with remote.database.session() as session:
        assert series_of(session) == []
    monkeypatch.undo()
    Arrivals(remote).take_many(files)
    assert len(series_files(remote, the_series(remote))) == len(files)
