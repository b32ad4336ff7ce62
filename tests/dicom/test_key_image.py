"""Key images: the caliper is in the pixels, the object says so, names its lesion and slice, and is valid."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from npcpit_imaging.dicom.key_image import BurntInKeyImage, write_key_image
from npcpit_imaging.dicom.load import load_series
from npcpit_imaging.errors import GeometryError, InputError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.report.burnt_in import SIZE_PIXELS, burn_in, write_jpeg
from npcpit_imaging.report.key_image import Window, key_image
from npcpit_imaging.study.caliper import Caliper

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
made = importlib.import_module("lesion_objects")

GREEN = np.array([0x37, 0xD6, 0x7A])
"""The long axis."""


def picture_of(modality):
    """The first lesion of the sample series, drawn, with what it was drawn from."""
    files = sorted((made.SAMPLE / modality).iterdir())
    volume = load_series(files)
    first = made.segmented(volume.geometry)[0]
    found = measure(first.mask)
    low, high = np.percentile(volume.voxels, (1, 99.5))
    window = Window(low=float(low), high=float(high))
    drawn = key_image(volume, first.mask, found, window=window, title="T01", caption="LD 1.0 mm")
    return BurntInKeyImage(
        lesion=first.lesion, pixels=burn_in(drawn), caliper=found.longest_diameter, text="LD 1.0 mm"
    ), files, volume, found  # fmt: skip


@pytest.fixture(scope="module", params=["CT", "MR_T2", "PET"])
def written(request, tmp_path_factory):
    picture, files, volume, found = picture_of(request.param)
    path = tmp_path_factory.mktemp("key") / "key.dcm"
    write_key_image(path, picture, sources=files, timepoint="BASELINE", created=made.SIGNED)
    return path, picture, files, volume, found


def test_the_validator_finds_no_error(written):
    assert made.errors_of(written[0]) == []


def test_the_pixels_are_the_picture_and_the_object_says_that_they_are_annotated(written):
    dataset = pydicom.dcmread(written[0])
    assert np.array_equal(dataset.pixel_array, written[1].pixels)
    assert (dataset.BurnedInAnnotation, dataset.ConversionType) == ("YES", "WSD")
    assert list(dataset.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"


def test_the_object_names_its_lesion_its_study_and_the_slice_of_the_caliper(written):
    path, picture, files, volume, found = written
    dataset, source = pydicom.dcmread(path), pydicom.dcmread(files[0], stop_before_pixels=True)
    assert (dataset.TrackingID, dataset.TrackingUID) == ("T01", picture.lesion.tracking_uid)
    assert (dataset.StudyInstanceUID, dataset.PatientID) == (source.StudyInstanceUID, source.PatientID)
    (reference,) = dataset.SourceImageSequence
    images = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    (image,) = [each for each in images if each.SOPInstanceUID == reference.ReferencedSOPInstanceUID]
    place = volume.geometry.to_mm((found.slice_index_k, 0, 0))
    assert abs(np.subtract(image.ImagePositionPatient, place) @ volume.geometry.normal) < 0.05
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"


def test_the_caliper_is_green_in_the_pixels(written):
    """The line's colour is there, about as often as the line is long: the picture's 110 mm are about 750 pixels."""
    pixels, found = written[1].pixels, written[4]
    width, height = SIZE_PIXELS
    assert pixels.shape == (height, width, 3)
    near = np.abs(pixels.astype(int) - GREEN).max(axis=2) < 40
    expected = found.longest_diameter_mm / 110 * 750
    assert expected / 2 < near.sum() < expected * 6


def test_a_jpeg_shows_the_same_picture_and_tells_nothing_else(tmp_path):
    picture, _, _, _ = picture_of("MR_T2")
    write_jpeg(picture.pixels, tmp_path / "key.jpg")
    with Image.open(tmp_path / "key.jpg") as read:
        assert np.abs(np.asarray(read).astype(int) - picture.pixels).mean() < 3
        assert dict(read.getexif()) == {}


def test_the_same_inputs_and_moment_give_the_same_bytes(tmp_path):
    picture, files, _, _ = picture_of("MR_T2")
    for name in ("a", "b"):
        write_key_image(tmp_path / name, picture, sources=files, timepoint="FU1", created=made.SIGNED)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_nobody_confirmed_says_so(tmp_path):
    picture, files, _, _ = picture_of("MR_T2")
    write_key_image(
        tmp_path / "key", picture, sources=files, timepoint="FU1", confirmed=False, label="SCRIPTED READ: by a test"
    )
    said = pydicom.dcmread(tmp_path / "key").SeriesDescription
    assert said.startswith("PROPOSAL: SCRIPTED READ: FU1 key images")


def test_a_caliper_in_no_slice_and_grey_pixels_are_refused(tmp_path):
    picture, files, volume, _ = picture_of("MR_T2")
    start, end = (tuple(float(x) for x in volume.geometry.to_mm((5.5, 20, i))) for i in (20, 30))
    between = BurntInKeyImage(
        lesion=picture.lesion, pixels=picture.pixels, caliper=Caliper(start_mm=start, end_mm=end), text=""
    )
    with pytest.raises(GeometryError, match="within a slice"):
        write_key_image(tmp_path / "key", between, sources=files, timepoint="FU1")
    grey = BurntInKeyImage(lesion=picture.lesion, pixels=picture.pixels[..., 0], caliper=picture.caliper, text="")
    with pytest.raises(InputError, match="8-bit RGB"):
        write_key_image(tmp_path / "key", grey, sources=files, timepoint="FU1")
    assert not (tmp_path / "key").exists()
