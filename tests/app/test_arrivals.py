"""Objects that share a transaction: each has the outcome it has alone, and none harms another."""

import logging
from pathlib import Path

import pydicom
import pytest

from npcpit_imaging.app import arrivals
from npcpit_imaging.app.arrivals import BATCH_OBJECTS, Arrivals, Taken, batches
from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import DicomError, StoreError
from npcpit_imaging.store.images import IndexOutcome, series_of
from tests.app.conftest import a_slice


def outcome(taken: object) -> object:
    """What became of an object; the class of its error."""
    return taken.outcome if isinstance(taken, Taken) else type(taken)


def stored(study) -> int:
    """Objects in the index; as many files lie in the folder."""
    with study.database.session() as session:
        indexed = sum(each.instances for each in series_of(session))
    assert indexed == len([path for path in study.objects.folder.rglob("*") if path.is_file()])
    return indexed


def write(path: Path, number: int, *, modality: str = "CT", pixels: bytes | None = None) -> Path:
    dataset = a_slice("20240105", "1", number, modality=modality)
    dataset.PixelData = pixels or dataset.PixelData
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def test_each_object_of_a_batch_has_the_outcome_it_has_alone(study, tmp_path):
    """A repeat, another content, no DICOM, and an MR slice in a CT series, between two good ones."""
    first, last = write(tmp_path / "first", 0), write(tmp_path / "last", 1)
    other = write(tmp_path / "other", 0, pixels=b"\7" * 128)
    foreign = write(tmp_path / "foreign", 2, modality="MR")
    broken = tmp_path / "broken"
    broken.write_bytes(b"nothing")
    batch = [first, first, other, broken, foreign, last]
    expected = [IndexOutcome.STORED, IndexOutcome.REPEAT, IndexOutcome.CONFLICT, DicomError, StoreError]
    found = [outcome(each) for each in Arrivals(study).take_many(batch)]
    assert found == [*expected, IndexOutcome.STORED]
    assert stored(study) == 2
    again = [outcome(each) for each in Arrivals(study).take_many(batch)]
    assert again == [IndexOutcome.REPEAT, *expected[1:], IndexOutcome.REPEAT]
    assert stored(study) == 2


def test_where_the_objects_folder_refuses_nothing_of_the_batch_is_indexed(study, write_series):
    source = write_series("20240105", "1")
    study.objects.folder.rmdir()
    study.objects.folder.write_bytes(b"")  # a file in the folder's place: no object can be written, also not by root
    found = Arrivals(study).take_many(sorted(source.iterdir()))
    assert [type(each) for each in found] == [StoreError] * 3
    study.objects.folder.unlink()
    with study.database.session() as session:
        assert series_of(session) == []
    assert [outcome(each) for each in Arrivals(study).take_many(sorted(source.iterdir()))] == [IndexOutcome.STORED] * 3
    assert stored(study) == 3


def test_a_fault_that_nobody_foresaw_keeps_one_object_in_the_spool_and_no_other(
    study, write_series, monkeypatch, caplog
):
    source = write_series("20240105", "1", count=BATCH_OBJECTS + 8)
    prepare = arrivals.prepare_object

    def faulty(path, **values):
        prepared = prepare(path, **values)
        if prepared.original_sop_instance_uid == "1.2.3.1.5":
            raise RuntimeError("a fault of ours")
        return prepared

    monkeypatch.setattr(arrivals, "prepare_object", faulty)
    with Listener(study, port=0) as listener, caplog.at_level(logging.CRITICAL):
        send_folder(source, port=listener.port, called_ae_title="NPCPIT")
    assert stored(study) == BATCH_OBJECTS + 7
    monkeypatch.undo()
    with Listener(study, port=0):  # the next start takes what waits
        pass
    assert stored(study) == BATCH_OBJECTS + 8


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([1] * 70, [32, 32, 6]), ([40, 40, 1, 1], [2, 2]), ([70, 1], [1, 1]), ([], [])],
)
def test_a_batch_ends_at_32_objects_or_64_mib(sizes, expected):
    """64 MiB bound what a batch holds in memory, beside its last object."""
    found = batches(sizes, size_of=lambda size: size * 1024 * 1024)
    assert [len(batch) for batch in found] == expected
