"""An object that was cut is refused by name, before de-identification writes it anew and it looks whole."""

from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from npcpit_imaging.dicom.deidentify import DeidentifyPlan
from npcpit_imaging.dicom.place import PreparedObject, prepare_object
from npcpit_imaging.errors import DicomError
from tests.app.conftest import a_slice

WHOLE = {
    "CT_small.dcm": "explicit little endian, padded",
    "MR_small_bigendian.dcm": "explicit big endian",
    "MR_small_implicit.dcm": "implicit",
    "JPEG2000.dcm": "encapsulated pixels",
    "rtplan.dcm": "nested sequences",
    "reportsi.dcm": "a report",
    "test-SR.dcm": "ends with a sequence",
    "liver_1frame.dcm": "multi-frame",
}
"""Samples of pydicom, and what each stands for."""


def of_somebody(name: str) -> bytes:
    """A sample; two of them have no Patient ID and get one."""
    dataset = pydicom.dcmread(get_testdata_file(name))
    if dataset.get("PatientID"):
        return Path(get_testdata_file(name)).read_bytes()
    dataset.PatientID = "4711"
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def prepared(path: Path, *, plan: DeidentifyPlan | None = None) -> PreparedObject:
    return prepare_object(path, subject_of=lambda _: "NPC-0001", plan=plan)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("plan", [None, DeidentifyPlan(key=b"k" * 32)], ids=["kept", "deidentified"])
def test_a_cut_object_is_refused_and_a_padded_one_is_taken(name, plan, tmp_path):
    """Cut by 1, 3 and 9 bytes and by a tenth, none of which is the end of an element in these files."""
    content = of_somebody(name)
    path = tmp_path / "object.dcm"
    for missing in (1, 3, 9, len(content) // 10):
        path.write_bytes(content[:-missing])
        with pytest.raises(DicomError):
            prepared(path, plan=plan)
    for padding in (0, 2, 512):
        path.write_bytes(content + bytes(padding))
        prepared(path, plan=plan)


def test_the_message_names_the_element_that_was_cut():
    with pytest.raises(DicomError, match=r"whole data set, found one that ends inside \(300A,00B0\) BeamSequence"):
        prepared(Path(get_testdata_file("rtplan_truncated.dcm")))


@pytest.mark.parametrize("plan", [None, DeidentifyPlan(key=b"k" * 32)], ids=["kept", "deidentified"])
def test_a_date_in_the_retired_form_is_the_day_of_the_image(plan, tmp_path):
    """2024.01.05 of the acquisition, where the study was opened the day before; a modality is cut to 16 letters."""
    with pydicom.config.disable_value_validation():
        dataset = a_slice("20240104", "1", 0, modality="CT" * 10)
        dataset.AcquisitionDate = "2024.01.05"
        pydicom.dcmwrite(tmp_path / "slice", dataset, enforce_file_format=True)
    plain = a_slice("20240105", "1", 0)
    pydicom.dcmwrite(tmp_path / "plain", plain, enforce_file_format=True)
    found = prepared(tmp_path / "slice", plan=plan)
    assert found.date == prepared(tmp_path / "plain", plan=plan).date
    assert found.modality == "CT" * 8
    if plan is None:
        assert found.date == date(2024, 1, 5)
