"""What a series' headers say before anything is measured on it."""

import numpy as np
import pytest

from npcpit_imaging.dicom.quality import series_findings
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.study.finding import Severity


def findings_of(folder):
    (series,) = scan(folder).series
    return {finding.code: finding for finding in series_findings(series)}


def test_a_plain_series_has_nothing_to_tell(tmp_path, make_series):
    make_series(tmp_path)

    assert findings_of(tmp_path) == {}


def test_overlapping_slices_of_a_real_ct(shared_data):
    """jpeg2000_ct: slices of 3 mm every 2 mm."""
    found = findings_of(shared_data / "images" / "jpeg2000_ct")

    assert "3 mm and slice spacing 2 mm: slices overlap" in found["thickness-is-not-spacing"].text
    assert found["thickness-is-not-spacing"].severity is Severity.INFO


def test_gaps_between_thin_slices(tmp_path, make_series):
    make_series(tmp_path, spacing_mm=4.0)

    assert "slices leave gaps" in findings_of(tmp_path)["thickness-is-not-spacing"].text


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"LossyImageCompression": "01"}, "lossy-compression"),
        ({"BurnedInAnnotation": "YES"}, "burned-in-annotation"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        ({"FrameOfReferenceUID": ""}, "no-frame-of-reference"),
    ],
)
def test_what_the_header_says_is_a_finding(tmp_path, make_series, values, code):
    make_series(tmp_path, values=values)

    assert findings_of(tmp_path)[code].severity is Severity.WARNING


def test_a_localiser_cannot_be_measured(tmp_path, make_series):
    make_series(tmp_path, values={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})

    assert findings_of(tmp_path)["not-measurable"].severity is Severity.ERROR


def test_a_gap_is_an_error_and_comes_first(tmp_path, make_series):
    def change(dataset, k):
        dataset.BurnedInAnnotation = "YES"
        if k == 3:
            dataset.ImagePositionPatient = [10.0, 20.0, 45.0]

    make_series(tmp_path, change=change)

    found = findings_of(tmp_path)
    assert next(iter(found)) == "slice-gap"
    assert found["slice-gap"].severity is Severity.ERROR
    assert "slice gap 9.000 mm" in found["slice-gap"].text


def test_one_slice_and_a_tilt_have_their_own_codes(tmp_path, make_series):
    def tilt(dataset, k):
        dataset.ImagePositionPatient = [10.0, 20.0 + k, 30.0 + 3.0 * k]

    make_series(tmp_path / "one", count=1)
    make_series(tmp_path / "tilt", change=tilt)

    assert "single-slice" in findings_of(tmp_path / "one")
    assert "a gantry tilt" in findings_of(tmp_path / "tilt")["irregular-slices"].text


def test_copies_and_several_volumes(tmp_path, make_series):
    def echoes(dataset, k):
        dataset.EchoTime = (10.0, 80.0)[k % 2]
        dataset.ImagePositionPatient = [10.0, 20.0, 30.0 + 3.0 * (k // 2)]

    files = make_series(tmp_path / "copies")
    (tmp_path / "copies" / "again").write_bytes(files[0].read_bytes())
    make_series(tmp_path / "echoes", modality="MR", change=echoes)

    assert "1 slices" in findings_of(tmp_path / "copies")["duplicate-slice"].text
    assert "EchoTime (0018,0081) = 10 (2 slices)" in findings_of(tmp_path / "echoes")["several-volumes"].text


def test_missing_positions_are_an_error(tmp_path, make_series):
    def change(dataset, _k):
        del dataset.ImagePositionPatient

    make_series(tmp_path, change=change)

    assert "ImagePositionPatient (0020,0032) is missing" in findings_of(tmp_path)["no-geometry"].text


def test_a_pet_whose_suv_cannot_be_had_says_why(tmp_path, make_series):
    def change(dataset, _k):
        del dataset.PatientWeight

    make_series(tmp_path / "with", modality="PT", count=2)
    make_series(tmp_path / "without", modality="PT", count=2, change=change)

    assert "no-suv" not in findings_of(tmp_path / "with")
    assert "PatientWeight (0010,1030) is missing" in findings_of(tmp_path / "without")["no-suv"].text


def test_reports_and_contours_have_no_image_findings(shared_data):
    folder = shared_data / "images" / "sts" / "STS_002" / "CT" / "mask"

    assert findings_of(folder) == {}


def test_the_raw_pet_tells_its_jitter(shared_data):
    found = findings_of(shared_data / "images" / "sts_001_raw" / "FDG_PET" / "image")

    assert list(found) == ["slice-spacing-jitter"]
    assert np.isclose(float(found["slice-spacing-jitter"].text.split("read as ")[1].split()[0]), 3.27)
