"""How a series was taken and of what body, read from its header; unknown where the header does not tell."""

import pydicom
import pytest
from pydicom.dataset import Dataset

from npcpit_imaging.dicom.circumstances import circumstances_of
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.study.circumstances import Circumstances, Contrast


def of(tmp_path, make_series, **values) -> Circumstances:
    make_series(tmp_path, values=values)
    (series,) = scan(tmp_path).series
    return circumstances_of(series)


def test_a_header_that_says_nothing_leaves_everything_unknown(tmp_path, make_series):
    assert of(tmp_path, make_series) == Circumstances()


def test_sex_size_and_weight_are_read(tmp_path, make_series):
    found = of(tmp_path, make_series, PatientSex="F", PatientSize="1.62", PatientWeight="54.5")
    assert (found.sex, found.size_m, found.weight_kg) == ("F", 1.62, 54.5)


@pytest.mark.parametrize(("written", "metres"), [("162", 1.62), ("0", None), ("", None), ("-1", None)])
def test_a_size_in_centimetres_is_one_in_metres_and_a_zero_is_none(tmp_path, make_series, written, metres):
    assert of(tmp_path, make_series, PatientSize=written).size_m == metres


@pytest.mark.parametrize(
    ("values", "contrast"),
    [
        ({"ContrastBolusAgent": "Iomeron 350"}, Contrast.GIVEN),
        ({"ContrastBolusAgent": "Removed"}, Contrast.GIVEN),
        ({"ContrastBolusAgent": ""}, Contrast.NOT_STATED),
        ({"ContrastBolusAgent": "NONE"}, Contrast.NOT_STATED),
        ({"ContrastBolusVolume": "90"}, Contrast.GIVEN),
        ({"ContrastBolusVolume": "0"}, Contrast.NOT_STATED),
        ({"ContrastBolusAgentSequence": [Dataset()]}, Contrast.GIVEN),
        ({}, Contrast.NOT_STATED),
    ],
)
def test_contrast_is_given_when_any_attribute_says_so(tmp_path, make_series, values, contrast):
    """``Removed`` is what de-identification leaves of a name that it does not know."""
    assert of(tmp_path, make_series, **values).contrast is contrast


def test_the_uptake_time_and_tracer_of_a_real_pet_are_those_of_its_tags(shared_data):
    """STS_001: injection and scan as its own header says, computed here from the two times of day alone."""
    folder = shared_data / "images" / "sts_001_raw"
    series = next(each for each in scan(folder).series if each.modality == "PT")
    header = pydicom.dcmread(series.first.path, stop_before_pixels=True)
    drug = header.RadiopharmaceuticalInformationSequence[0]
    found = circumstances_of(series)
    assert found.weight_kg == float(header.PatientWeight)
    assert found.uptake_min == pytest.approx(
        minutes(header.SeriesTime) - minutes(drug.RadiopharmaceuticalStartTime), abs=0.2
    )
    assert found.tracer


def minutes(time: str) -> float:
    return int(time[:2]) * 60 + int(time[2:4]) + float(time[4:]) / 60
