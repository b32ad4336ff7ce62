"""Folders of files to series, by content and never by name."""

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file, get_testdata_files

from npcpit_imaging.config.series import Choice, SeriesPolicy
from npcpit_imaging.dicom.instance import Kind
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.errors import InputError


def test_files_are_grouped_by_series_and_read_by_content(tmp_path, make_series):
    """Two series in nested folders, no suffix anywhere, and a text file that is no DICOM."""
    make_series(tmp_path / "a", modality="CT", count=3)
    make_series(tmp_path / "b" / "c", modality="MR", count=2)
    (tmp_path / "readme.dcm").write_text("not DICOM, whatever the name says")

    found = scan(tmp_path)

    assert sorted((series.modality, len(series.instances)) for series in found.series) == [("CT", 3), ("MR", 2)]
    assert [(each.path.name, each.reason) for each in found.rejected] == [("readme.dcm", "not a DICOM file")]


def test_pixels_are_not_read(tmp_path, make_series):
    """The header is all that counts: a file cut off at its pixels is found."""
    (path,) = make_series(tmp_path, count=1)
    path.write_bytes(path.read_bytes()[:-40])

    (series,) = scan(tmp_path).series

    assert series.frame_count == 1


def test_an_empty_file_and_a_broken_one_are_rejected_with_a_reason(tmp_path):
    """Neither stops the scan."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "broken").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 60)

    found = scan(tmp_path)

    assert found.series == ()
    assert len(found.rejected) == 2
    assert all(each.reason for each in found.rejected)


def test_a_missing_folder_is_an_input_error(tmp_path):
    """The message names the folder."""
    with pytest.raises(InputError, match="nowhere: no such folder"):
        scan(tmp_path / "nowhere")


def test_a_file_without_preamble_is_dicom_too():
    """pydicom's rtstruct.dcm starts with its first element."""
    (series,) = scan(Path(get_testdata_file("rtstruct.dcm"))).series

    assert series.kind is Kind.RTSTRUCT


def test_a_dicomdir_is_a_list_of_files_and_no_instance():
    """It is rejected by name of what it is."""
    found = scan(Path(get_testdata_file("DICOMDIR")))

    assert found.series == ()
    assert "DICOMDIR" in found.rejected[0].reason


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("JPEG2000.dcm", "secondary capture"),
        ("examples_rgb_color.dcm", "expected Modality"),
        ("test-SR.dcm", "SR object"),
        ("liver_1frame.dcm", "SEG object"),
        ("rtplan.dcm", "not an image"),
    ],
)
def test_objects_that_cannot_be_measured_say_why(name, fault):
    """They are series of their own, with a fault and no frames."""
    (series,) = scan(Path(get_testdata_file(name))).series

    assert not series.is_measurable
    assert fault in series.first.fault


def test_a_localiser_and_a_colour_picture_have_a_fault(tmp_path, make_series):
    """ImageType LOCALIZER and PhotometricInterpretation RGB are named."""
    make_series(tmp_path / "scout", count=1, values={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    make_series(tmp_path / "colour", modality="MR", count=1, values={"PhotometricInterpretation": "RGB"})

    faults = sorted(series.first.fault for series in scan(tmp_path).series)

    assert "localiser" in faults[0]
    assert "PhotometricInterpretation (0028,0004) RGB" in faults[1]


def test_an_unreadable_value_is_a_fault_that_names_its_tag(tmp_path, make_series):
    """PixelSpacing of one number; the scan goes on."""
    make_series(tmp_path, count=2, values={"PixelSpacing": 0.5})

    (series,) = scan(tmp_path).series

    assert "PixelSpacing (0028,0030): expected 2 numbers, found 1" in series.first.fault


def test_no_value_of_a_person_is_kept(tmp_path, make_series):
    """Nothing a scan returns holds the patient's name or number."""
    make_series(tmp_path, count=2)

    assert "Secret" not in repr(scan(tmp_path))
    assert "SECRET" not in repr(scan(tmp_path))


def test_odd_values_are_quoted_in_no_log(tmp_path, make_series, caplog):
    """pydicom logs a value it finds odd, word for word: here a name where a UID belongs."""
    for path in make_series(tmp_path, count=1, values={"StudyInstanceUID": "1.22.333.4444.55555"}):
        path.write_bytes(path.read_bytes().replace(b"1.22.333.4444.55555", b"SECRET^NAME^OF^SOME"))

    with caplog.at_level("DEBUG"):
        scan(tmp_path)
        load_folder(tmp_path, policy=SeriesPolicy(single_slice=Choice.ALLOW))

    assert "SECRET" not in caplog.text


def test_every_file_of_pydicoms_collection_is_in_a_series_or_rejected():
    """Transfer syntaxes, broken files, reports: no traceback, and none is lost."""
    files = {Path(name) for name in get_testdata_files() if Path(name).is_file()}
    root = Path(pydicom.__file__).parent / "data" / "test_files"

    found = scan(root)

    paths = [instance.path for series in found.series for instance in series.instances]
    paths += [each.path for each in found.rejected]
    assert files <= set(paths)
    assert len(paths) == len(set(paths))
