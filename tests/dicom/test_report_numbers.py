"""Numbers written without highdicom are the elements that highdicom writes."""

import pytest
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from npcpit_imaging.dicom.report_numbers import algorithm_items, append_numbers, encoded, number_item, parameter_item
from npcpit_imaging.errors import DicomError

NAME, UNIT = Code("GYBY", "IBSI", "Joint Maximum of GLCM"), Code("mm3", "UCUM", "cubic millimeter")


@pytest.mark.parametrize("value", [1.5e-7, 0.0, -3.0, 1234.56789, 123456789012.25, 0.333333333])
def test_a_number_is_highdicoms(value):
    theirs = sr.Measurement(
        name=NAME,
        value=value,
        unit=UNIT,
        algorithm_id=sr.AlgorithmIdentification(name="engine", version="1.2", parameters=["tag=a", "settings=b"]),
    )[0]
    modifiers = [*algorithm_items(name="engine", version="1.2"), parameter_item("tag=a"), parameter_item("settings=b")]
    ours = number_item(name=NAME, value=value, unit=UNIT, modifiers=encoded(modifiers))
    assert ours.to_json_dict() == theirs.to_json_dict()


def test_numbers_need_a_group_each():
    with pytest.raises(DicomError, match="expected 1 measurement groups, found 0"):
        append_numbers(Dataset.from_json({"0040A730": {"vr": "SQ"}}), [[]])
