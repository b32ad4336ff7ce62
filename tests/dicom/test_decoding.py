"""Compressed slices decoded in helper processes: the same values, the same errors, and no harm when a helper dies."""

import os
import signal

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from npcpit_imaging.dicom import decoding
from npcpit_imaging.dicom.decoding import decoder
from npcpit_imaging.dicom.header import read_instance
from npcpit_imaging.dicom.load import load_series
from npcpit_imaging.dicom.pixels import stored_values
from npcpit_imaging.errors import SeriesError


@pytest.fixture
def with_helpers(monkeypatch):
    """Helpers are worth their start here, however small the images, on however few cores."""
    monkeypatch.setattr(decoding, "WORTHWHILE_PIXELS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


@pytest.fixture
def compressed(tmp_path, make_series):
    """Five slices in RLE Lossless."""
    paths = make_series(tmp_path / "rle", count=5)
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    return paths


def not_here(instance, indices):
    """In place of decoding in this process: the helpers, processes of their own, must do it."""
    pytest.fail("decoded in this process")


def test_helpers_give_the_volume_that_this_process_gives(compressed, with_helpers, monkeypatch):
    with monkeypatch.context() as only_helpers:
        only_helpers.setattr(decoding, "stored_values", not_here)
        by_helpers = load_series(compressed)
    monkeypatch.setattr(decoding, "WORTHWHILE_PIXELS", 10**9)
    here = load_series(compressed)

    assert np.array_equal(by_helpers.voxels, here.voxels)
    assert by_helpers.voxels[4, 5, 7] == 400 + 50 + 7 - 1024


def test_a_helper_says_why_a_slice_cannot_be_decoded(compressed, with_helpers, monkeypatch):
    """The message names the instance, as without helpers."""
    dataset = pydicom.dcmread(compressed[2])
    dataset.PixelData = pydicom.encaps.encapsulate([b"\x01" + bytes(63) + b"\x05"])
    dataset.save_as(compressed[2])
    instance = read_instance(compressed[2])
    with pytest.raises(SeriesError) as here:
        stored_values(instance, [0])

    monkeypatch.setattr(decoding, "stored_values", not_here)
    with pytest.raises(SeriesError) as by_helper:
        load_series(compressed)

    assert str(by_helper.value) == str(here.value)
    assert instance.sop_instance_uid in str(here.value)


def test_a_helper_that_was_killed_costs_nothing(compressed, with_helpers):
    """Its frames are decoded in this process."""
    instances = [read_instance(path) for path in compressed]
    started = []
    make = decoding._Helper

    def remember():
        started.append(make())
        return started[-1]

    decoding._Helper = remember
    try:
        with decoder(instances) as decode:
            for helper in started:
                os.kill(helper._process.pid, signal.SIGKILL)
                helper._process.wait()
            found = [decode(instance, [0]) for instance in instances]
    finally:
        decoding._Helper = make

    assert len(started) == 2
    assert [int(values[0, 0, 1]) for values in found] == [1, 101, 201, 301, 401]


def test_native_slices_need_no_helper(tmp_path, make_series, with_helpers):
    instances = [read_instance(path) for path in make_series(tmp_path)]

    with decoder(instances) as decode:
        assert decode is stored_values
