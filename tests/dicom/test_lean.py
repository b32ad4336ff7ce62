"""The fast header reader says what pydicom says, or declines: on real files, on every encoding, on damaged bytes."""

import random
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from npcpit_imaging.dicom.header import _instance, read_instance, read_instance_thoroughly
from npcpit_imaging.dicom.lean import NotPlainError, PlainHeader
from npcpit_imaging.errors import DicomError

SAMPLE = Path(__file__).parent.parent.parent / "sample_dicom"


def leanly(path):
    """What the fast reader makes of a file; None where it declines."""
    try:
        header = PlainHeader(path)
        return _instance(path, header, header.offset)
    except (NotPlainError, DicomError):
        return None


def agree(path):
    """Whether the fast reader answered; its answer is then pydicom's, to the last field."""
    found = leanly(path)
    if found is not None:
        assert repr(found) == repr(read_instance_thoroughly(path))
    return found is not None


def test_on_pydicoms_own_files_it_agrees_or_declines():
    """Broken files, private syntaxes, character sets and enhanced objects among them."""
    answered = [agree(Path(path)) for path in get_testdata_files() if Path(path).is_file()]

    assert sum(answered) >= 40  # plain ones it does read
    assert not all(answered)


def test_on_real_series_it_answers_every_classic_slice(shared_data):
    folders = ("sts/STS_002/CT/image", "sts_001_raw/MR_T2/image", "mr_two_dates/SCAN_001")
    for folder in folders:
        paths = [
            path for path in (shared_data / "images" / folder).rglob("*") if path.is_file() and path.name[:3] != "LIC"
        ]
        answered = [agree(path) for path in sorted(paths)[:12]]
        assert sum(answered) >= len(answered) - 2, folder


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, None], ids=["implicit", "explicit"])
def test_sequences_of_undefined_length_are_walked_over(tmp_path, make_series, syntax):
    """Nested twice, with items of both kinds of length; what follows them is still found."""

    def change(dataset, k):
        inner, outer = Dataset(), Dataset()
        inner.CodeValue = "1"
        outer.PurposeOfReferenceCodeSequence = Sequence([inner, Dataset()])
        outer["PurposeOfReferenceCodeSequence"].is_undefined_length = True
        outer.is_undefined_length_sequence_item = True
        dataset.ReferencedImageSequence = Sequence([outer, inner])
        dataset["ReferencedImageSequence"].is_undefined_length = True
        if syntax:
            dataset.file_meta.TransferSyntaxUID = syntax

    for path in make_series(tmp_path, change=change):
        assert agree(path)
        assert leanly(path).frames[0].spacing_mm == (0.5, 0.25)


def test_signed_padding_of_an_implicit_file_is_signed(tmp_path, make_series):
    """PixelPaddingValue is US or SS: PixelRepresentation says which (PS3.5 6.2.2)."""

    def change(dataset, k):
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.add_new("PixelPaddingValue", "SS", -2000)

    [path, *_] = make_series(tmp_path, change=change)

    assert agree(path)
    assert leanly(path).pixels.padding == (-2000, -2000)


@pytest.mark.parametrize("how", ["big endian", "japanese", "odd number", "directory", "no meta"])
def test_what_is_not_plain_is_left_to_pydicom(tmp_path, make_series, how):
    def change(dataset, k):
        if how == "big endian":
            dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        if how == "japanese":
            dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
            dataset.SeriesDescription = "山田"
        if how == "directory":
            dataset.DirectoryRecordSequence = Sequence([Dataset()])

    [path, *_] = make_series(tmp_path, change=change, values={"SliceThickness": 77.0} if how == "odd number" else {})
    if how == "odd number":
        path.write_bytes(path.read_bytes().replace(b"77.0", b"7,70"))
    if how == "no meta":
        dataset = pydicom.dcmread(path)
        pydicom.dcmwrite(path, Dataset(dataset), implicit_vr=True, little_endian=True)

    assert leanly(path) is None
    if how == "big endian":
        assert read_instance(path).frames[0].spacing_mm == (0.5, 0.25)


def test_on_damaged_bytes_it_agrees_or_declines(tmp_path, make_series):
    """1,200 headers with bytes changed, cut or doubled, from a fixed seed; never a third outcome."""
    chance = random.Random(20240105)
    whole = make_series(tmp_path / "image", count=1)[0].read_bytes()
    path = tmp_path / "damaged"
    answered = 0
    for _ in range(1200):
        path.write_bytes(damaged(whole, chance))
        found = leanly(path)
        if found is None:
            continue
        answered += 1
        assert repr(found) == repr(read_instance_thoroughly(path))
    assert 100 < answered < 750


def damaged(whole, chance):
    """Bytes of the header changed in up to three places, and now and then some taken out or put in."""
    content = bytearray(whole)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(132, len(content) - 100)
        match chance.randrange(4):
            case 0:
                content[place] = chance.randrange(256)
            case 1:
                content[place] = ord(chance.choice("0123456789.-+eE\\ \0"))
            case 2:
                del content[place : place + chance.randint(1, 4)]
            case 3:
                content[place:place] = content[place : place + chance.randint(1, 8)]
    return bytes(content)


def test_headers_laid_out_alike_are_walked_once_and_told_apart(tmp_path, make_series):
    """Slices of a series differ in values only; the second is read by the first one's layout, and says its own."""

    def with_uids_of_one_length(dataset, k):
        dataset.SOPInstanceUID = f"1.2.3.{k + 1}"

    first, second, *_ = make_series(tmp_path, change=with_uids_of_one_length)
    one, other = PlainHeader(first), PlainHeader(second)

    assert other._elements is one._elements
    assert one.get("ImagePositionPatient") != other.get("ImagePositionPatient")
    assert agree(first)
    assert agree(second)


@pytest.mark.parametrize("keyword", ["RescaleIntercept", "PixelSpacing"])
def test_one_element_renamed_in_place_is_another_layout(tmp_path, make_series, keyword):
    """Same length, same places, one tag a bit different: the element is not there any more."""
    first, second, *_ = make_series(tmp_path)
    assert agree(first)
    tag = pydicom.tag.Tag(keyword)
    stored = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little") + b"DS"
    renamed = tag.group.to_bytes(2, "little") + (tag.element + 1).to_bytes(2, "little") + b"DS"
    content = second.read_bytes()
    assert content.count(stored) == 1
    second.write_bytes(content.replace(stored, renamed))

    assert keyword not in PlainHeader(second)
    assert agree(second)
