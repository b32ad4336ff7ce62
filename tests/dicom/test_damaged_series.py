"""Series with damaged bytes or absurd values end in a volume or in one of our errors, never in another exception."""

import random
import struct

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from npcpit_imaging.config.series import Choice, SeriesPolicy
from npcpit_imaging.dicom.load import load_folder, load_series
from npcpit_imaging.dicom.pet import suv_scaling
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.errors import NpcpitError

LENIENT = SeriesPolicy(gap=Choice.ALLOW, tilt=Choice.ALLOW, single_slice=Choice.ALLOW)

TEXTS = [
    "",
    "NaN",
    "inf",
    "-inf",
    "1e300",
    "-1",
    "0",
    "1\\2",
    "1\\2\\3",
    "0\\0\\0\\0\\0\\0",
    "x",
    " ",
    "1e-300",
    "99999999",
]
KEYWORDS = [
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
    "RescaleIntercept", "EchoTime", "AcquisitionNumber", "PatientWeight", "SeriesTime", "AcquisitionTime",
    "ActualFrameDuration", "DecayFactor", "Units", "Modality", "SOPInstanceUID", "FrameOfReferenceUID", "ImageType",
]  # fmt: skip
WHOLE = ["Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "SamplesPerPixel"]


def outcome(folder, policy):
    """A volume with finite geometry, or an error of ours; whatever else is raised fails the test."""
    try:
        volume = load_folder(folder, policy=policy)
    except NpcpitError as error:
        return refused(error)
    assert np.isfinite(volume.geometry.affine).all()
    return "volume"


def refused(error):
    """An error that names nobody."""
    assert "Secret" not in str(error)
    return "refused"


def uptake_outcome(folder):
    """The same of the SUV's tags."""
    for series in scan(folder).series:
        try:
            factor = suv_scaling(series).factor
        except NpcpitError as error:
            refused(error)
        else:
            assert np.isfinite(factor)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["CT", "MR", "PT"]),
    st.dictionaries(st.sampled_from(KEYWORDS), st.sampled_from(TEXTS), max_size=3),
    st.dictionaries(st.sampled_from(WHOLE), st.sampled_from([0, 1, 7, 8, 12, 16, 17, 64, 65535]), max_size=2),
    st.integers(0, 3),
)
def test_absurd_values_in_one_slice_or_all(tmp_path_factory, make_series, modality, texts, wholes, which):
    """Elements replaced by values that no scanner writes, as raw text that pydicom would not write either."""
    folder = tmp_path_factory.mktemp("absurd")

    for k, path in enumerate(make_series(folder, modality=modality, count=3)):
        dataset = pydicom.dcmread(path)
        if which in (k, 3):
            for keyword, value in texts.items():
                dataset[keyword] = pydicom.DataElement(tag_for_keyword(keyword), "LO", value)
            for keyword, value in wholes.items():
                setattr(dataset, keyword, value)
        dataset.save_as(path)  # the file's own header stays as it was
        path.write_bytes(with_true_vrs(path.read_bytes()))

    for policy in (SeriesPolicy(), LENIENT):
        outcome(folder, policy)
    uptake_outcome(folder)


def with_true_vrs(content):
    """Give the texts that were written as LO the VR of their tag: pydicom would not have written them as such."""
    for keyword in KEYWORDS:
        tag = struct.pack("<HH", tag_for_keyword(keyword) >> 16, tag_for_keyword(keyword) & 0xFFFF)
        content = content.replace(tag + b"LO", tag + dictionary_VR(keyword).encode())
    return content


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_bytes_changed_cut_or_doubled(tmp_path, make_series, modality):
    """120 damaged files beside two whole ones, from a fixed seed."""
    chance = random.Random(7)
    files = make_series(tmp_path / "image", modality=modality, count=3)
    whole = files[1].read_bytes()
    outcomes = []
    for _ in range(120):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(content))
            if chance.random() < 0.7:
                content[place] = chance.randrange(256)
            else:
                del content[place : place + chance.choice([1, 2, 50, 400])]
        files[1].write_bytes(content)
        outcomes.append(outcome(tmp_path / "image", LENIENT))
        uptake_outcome(tmp_path / "image")
    assert {"volume", "refused"} == set(outcomes)


def test_an_enhanced_objects_damaged_groups(shared_data, tmp_path):
    """dcmqi's multiframe with functional groups taken out, emptied or doubled at random."""
    source = next((shared_data / "images" / "dcmqi" / "segmentations" / "24x38x3" / "multiframe").iterdir())
    chance = random.Random(11)
    outcomes = []
    for _ in range(60):
        dataset = pydicom.dcmread(source)
        for _ in range(chance.randint(1, 3)):
            damage(dataset, chance)
        dataset.save_as(tmp_path / "damaged")
        try:
            load_series([tmp_path / "damaged"], policy=LENIENT)
            outcomes.append("volume")
        except NpcpitError:
            outcomes.append("refused")
    assert {"volume", "refused"} == set(outcomes)


def damage(dataset, chance):
    """Take out, empty or double one thing somewhere in the functional groups."""
    places = [dataset]
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in dataset.get(keyword) or []:
            places += [group, *(item for element in group if element.VR == "SQ" for item in element.value)]
    place = chance.choice(places)
    elements = [each for each in place if each.tag.group not in (2, 0x7FE0)]
    if not elements:
        return
    element = chance.choice(elements)
    match chance.randrange(3):
        case 0:
            del place[element.tag]
        case 1:
            element.value = None if element.VR != "SQ" else []
        case 2:
            if element.VR == "SQ":
                element.value.append(Dataset())
