"""Every transfer syntax, written by DCMTK and by pydicom: lossless ones to the voxel, lossy ones near and said so."""

import base64
import subprocess

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from npcpit_imaging.dicom.load import load_folder

DCMTK = {
    "implicit little endian": ("dcmconv", "+ti", "1.2.840.10008.1.2"),
    "explicit big endian": ("dcmconv", "+tb", "1.2.840.10008.1.2.2"),
    "deflated": ("dcmconv", "+td", "1.2.840.10008.1.2.1.99"),
    "JPEG lossless, any predictor": ("dcmcjpeg", "+el", "1.2.840.10008.1.2.4.57"),
    "JPEG lossless SV1": ("dcmcjpeg", "+e1", "1.2.840.10008.1.2.4.70"),
    "JPEG-LS": ("dcmcjpls", "+el", "1.2.840.10008.1.2.4.80"),
    "RLE": ("dcmcrle", "-q", "1.2.840.10008.1.2.5"),
}
PYDICOM = {"JPEG 2000": JPEG2000Lossless, "JPEG-LS by CharLS": JPEGLSLossless, "RLE by pylibjpeg": RLELossless}


HTJ2K = (
    "/0//UQApQAAAAAAwAAAAKAAAAAAAAAAAAAAAMAAAACgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQ"
    "kJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4zMi4wLv+QAAoAAAAAAk8AAf+TwAArAA8A3frj/EP3AsM0AMAAE0AAE0AAEoAG4wCLdAAE"
    "5gBCNACAAQd0AMAAFowAAVUAAFUAEklfgGxfBJjpAQLcAIC/mADQGTqZ8QOQ+rUAolHOBwwggPq1AMAAFrQAAW7AABaIAFF8HlVV6nmKovgC"
    "KxxgABzjCI4rAIJpEcXAgGsijLrTANDaujBdtgF7p6fFwuQhGMsACEGwVpSaQf9I6frD29K6WwDAABdjAABdrAABawAQjkBMhLDq1XM00eSc"
    "ryoI6+cEjTQ64adgeAjxwpwvLJgBXC8JIqWe6eMklh5QAnYBf+mb6htEVUK0BiRhnFbmaTFYDMOwgfWwBgvDYtjehie5SQG2EIA8sGNJ7pET"
    "qemkL0W32AG//b+9/rACj60pUHfBmDMUmzvjE0EBwAAvXoAAXt8AALtgRAARQNQHIuBHdE80DNE30f8mQTD/E/JCME2BOqJDBCcCIILo/Uua"
    "OtTmmqcSh5jKcd7MzLbXKcnjYAbW3TyV+UZId4adDpxtVlX0mU7v7N4Z5eb3pwHjynHJfMJ6A3f/fwF9AERpyqKiLAAAqinKomkhAPQH/P87"
    "N40xxhhjjDHGGGOMMcYY8/7kfEAAAPfsAAPfsAAPfsAAPfsAAPfsAAPZZa1pJmjd57Jlu6OV3O3u4UXfLtEGpSXTSJu9Akc+fvOOW2hQDlbQ"
    "667FBAAAAAAAAAAAAAAAAPD+xgVH4B7O0jyamzUhDdmIlo0+tASGMozAqUWWM6NtSPFz5azmphLJAv/Z"
)
"""`smooth(0)` by imagecodecs 2026.10.10 (OpenJPH 0.32): ``base64(htj2k_encode(smooth(0), reversible=True))``."""


def smooth(k):
    """A ramp and a bump within 12 bits, 40 x 48."""
    j, i = np.indices((40, 48))
    return (20 * j + 11 * i + 300 * np.exp(-((j - 20) ** 2 + (i - 24) ** 2) / 50) + 100 * k).astype(np.uint16)


def signed(k):
    """The same around zero, in 16 bits."""
    return smooth(k).astype(np.int16) - 1024


STORED = {"12 bits unsigned": (smooth, {"BitsStored": 12, "HighBit": 11}), "16 bits signed": (signed, {})}


def dcmtk(programs, name, path):
    """Rewrite a file in place with a DCMTK program."""
    program, option, syntax = DCMTK[name]
    subprocess.run([programs(program), option, path, path], check=True, capture_output=True)
    assert pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax


@pytest.fixture
def programs(storescu):
    """Where DCMTK's programs are; without DCMTK the fixture skips or, in CI, fails."""
    return lambda name: storescu.replace("storescu", name)


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("name", DCMTK)
def test_dcmtks_lossless_files_are_read_to_the_voxel(tmp_path, make_series, programs, name, kind):
    stored, values = STORED[kind]
    for path in make_series(tmp_path, count=2, stored=stored, values=values):
        dcmtk(programs, name, path)

    volume = load_folder(tmp_path)

    assert np.array_equal(volume.voxels, np.stack([stored(k) for k in range(2)]) - 1024.0)
    assert volume.findings == ()


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("name", PYDICOM)
def test_pydicoms_lossless_files_are_read_to_the_voxel(tmp_path, make_series, name, kind):
    stored, values = STORED[kind]
    for path in make_series(tmp_path, count=2, stored=stored, values=values):
        dataset = pydicom.dcmread(path)
        dataset.compress(PYDICOM[name], generate_instance_uid=False)
        dataset.save_as(path)

    assert np.array_equal(load_folder(tmp_path).voxels, np.stack([stored(k) for k in range(2)]) - 1024.0)


@pytest.mark.parametrize(
    ("program", "options", "syntax", "off"),
    [
        ("dcmcjpeg", ["+ee", "+q", "98"], "1.2.840.10008.1.2.4.51", 40),
        ("dcmcjpls", ["+en", "+md", "2"], "1.2.840.10008.1.2.4.81", 2),
    ],
)
def test_lossy_pixels_are_near_and_a_finding_says_so(tmp_path, make_series, programs, program, options, syntax, off):
    """JPEG extended with 12 bits; JPEG-LS near-lossless promises at most its NEAR parameter."""
    for path in make_series(tmp_path, count=2, stored=smooth, values={"BitsStored": 12, "HighBit": 11}):
        subprocess.run([programs(program), *options, path, path], check=True, capture_output=True)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax

    volume = load_folder(tmp_path)

    assert np.abs(volume.voxels - (np.stack([smooth(k) for k in range(2)]) - 1024.0)).max() <= off
    assert [finding.code for finding in volume.findings] == ["lossy-compression"]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"])
def test_htj2k_is_read_to_the_voxel(tmp_path, make_series, syntax):
    """The stream is OpenJPH's, an encoder that has nothing to do with our decoder (OpenJPEG)."""
    for path in make_series(tmp_path, count=2, stored=lambda _: smooth(0), values={"BitsStored": 16}):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([base64.b64decode(HTJ2K)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)

    assert np.array_equal(load_folder(tmp_path).voxels, np.stack([smooth(0)] * 2) - 1024.0)


@pytest.mark.parametrize("name", ["JPEG-LS by CharLS", "RLE by pylibjpeg"])
def test_an_enhanced_file_is_decoded_frame_by_frame(tmp_path, shared_data, name):
    """dcmqi's multiframe CT, compressed here."""
    path = next((shared_data / "images" / "dcmqi" / "segmentations" / "24x38x3" / "multiframe").iterdir())
    plain = load_folder(path.parent)
    dataset = pydicom.dcmread(path)
    dataset.compress(PYDICOM[name], generate_instance_uid=False)
    dataset.save_as(tmp_path / "compressed")

    assert np.array_equal(load_folder(tmp_path).voxels, plain.voxels)
