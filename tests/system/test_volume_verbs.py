"""`npcpit volume` and `npcpit suv`: what is no volume is one line and exit 1; parts, policies and kinds are options."""

import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

_spec = importlib.util.spec_from_file_location("dicom_conftest", Path(__file__).parent.parent / "dicom" / "conftest.py")
_made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_made)
make_series = _made.make_series


@pytest.fixture
def folder(tmp_path):
    """Where the series goes."""
    return tmp_path / "image"


@pytest.fixture
def refusal(folder, tmp_path, npcpit):
    """What `npcpit volume` says of the folder: one line, exit 1, no file written, nobody named."""

    def of(*options):
        said = npcpit("volume", folder, "-o", tmp_path / "x.nii", *options).refusal()
        assert "Secret" not in said and "SECRET" not in said
        assert not (tmp_path / "x.nii").exists()
        return " ".join(said.split())  # a terminal folds long lines

    return of


# --- bad input, each with its message --------------------------------------------------------------------------------


def test_an_empty_folder(folder, refusal):
    folder.mkdir()
    assert "expected a series of DICOM images, found none" in refusal()


def test_no_folder(refusal):
    assert "no such file or folder" in refusal()


def test_one_slice(folder, refusal, make_series):
    make_series(folder, count=1)
    assert "expected at least 2 slices, found 1 (a lone slice has no spacing)" in refusal()


def test_mixed_frames_of_reference(folder, refusal, make_series):
    make_series(folder, change=lambda dataset, k: setattr(dataset, "FrameOfReferenceUID", f"1.2.{k // 2}"))
    assert "expected one volume, found 2 by FrameOfReferenceUID (0020,0052): 1: " in refusal()


def test_two_orientations(folder, refusal, make_series):
    def change(dataset, k):
        if k > 1:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    make_series(folder, change=change)
    assert "found 2 by ImageOrientationPatient (0020,0037)" in refusal()


def test_missing_pixel_spacing(folder, refusal, make_series):
    make_series(folder, change=lambda dataset, k: delattr(dataset, "PixelSpacing"))
    assert "PixelSpacing (0028,0030) is missing" in refusal()


def test_a_rescale_that_is_nan(folder, refusal, make_series):
    for path in make_series(folder, values={"RescaleSlope": 77.0}):
        path.write_bytes(path.read_bytes().replace(b"77.0", b"NaN "))
    assert "RescaleSlope (0028,1053): expected a finite number other than 0 for a slope, found nan" in refusal()


def test_truncated_pixel_data(folder, refusal, make_series):
    path = make_series(folder)[2]
    path.write_bytes(path.read_bytes()[:-40])
    assert "truncated pixel data in frame 1, expected 96 bytes, found 56" in refusal()


def time_series(dataset, k):
    """Slices 0, 1 at the first time, the same places again at the second."""
    dataset.ImagePositionPatient = [10.0, 20.0, 30.0 + 3.0 * (k % 2)]
    dataset.TemporalPositionIdentifier = k // 2 + 1


def test_a_4d_series(folder, refusal, make_series):
    make_series(folder, modality="MR", change=time_series)
    assert "expected one volume, found 2 by TemporalPositionIdentifier (0020,0100)" in refusal()


def test_a_4d_nifti(tmp_path, npcpit):
    nib.save(nib.Nifti1Image(np.zeros((5, 4, 3, 2), np.float32), np.eye(4)), tmp_path / "four.nii")
    said = npcpit("volume", tmp_path / "four.nii", "-o", tmp_path / "x.nii").refusal()
    assert "expected a 3D image, found 4 dimensions (5, 4, 3, 2)" in " ".join(said.split())


# --- options ---------------------------------------------------------------------------------------------------------


def test_one_volume_of_a_4d_series_is_chosen_by_its_number(folder, tmp_path, npcpit, make_series):
    make_series(folder, modality="MR", change=time_series)

    assert npcpit("volume", folder, "-o", tmp_path / "x.nii", "--part", 2).code == 0

    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "x.nii")))
    assert np.array_equal(voxels, np.stack([_made.stored_slice(2), _made.stored_slice(3)]))


def test_a_gap_is_read_where_it_is_allowed_and_says_so(folder, refusal, tmp_path, npcpit, make_series):
    def change(dataset, k):
        if k == 3:
            dataset.ImagePositionPatient = [10.0, 20.0, 42.0]

    make_series(folder, change=change)

    assert "slice gap 6.000 mm" in refusal()
    answer = npcpit("volume", folder, "-o", tmp_path / "x.nii", "--allow", "gap", "--json").answer
    assert [finding["code"] for finding in answer["findings"]] == ["slices-interpolated"]
    assert answer["size_ijk"] == [8, 6, 5]


def test_copies_are_refused_where_that_is_asked(folder, refusal, make_series):
    files = make_series(folder)
    (folder / "copy").write_bytes(files[0].read_bytes())

    assert "expected each slice once, found 1 identical copies" in refusal("--refuse", "duplicate")
    assert "duplicate both allowed and refused" in refusal("--refuse", "duplicate", "--allow", "duplicate")


# --- SUV -------------------------------------------------------------------------------------------------------------

HEIGHT_M, WEIGHT_KG, LEFT_BQ = 1.70, 70.0, 140e6
"""The factory's patient, a man; 280 MBq given one half-life before the scan."""

BY_HAND = {
    "BW": ("SUVbw", 70_000 / 140e6),  # 70 kg in g over what is left
    "LBMJAMES128": ("SUVlbm", 55_297.577854671 / 140e6),  # 1.10 x 70 - 128 x (70 / 170)^2 = 77 - 21.702422... kg
    "LBMJANMA": ("SUVlbm", 54_475.239 / 140e6),  # 9270 x 70 / (6680 + 216 x 24.221453) = 648900 / 11911.834 kg
    "BSA": ("SUVbsa", 18_097.08 / 140e6),  # Du Bois: 0.007184 x 70^0.425 x 170^0.725 = 1.809708 m2
}
"""Worked with a desk calculator: kind to unit and SUV of 1 Bq/mL."""


@pytest.mark.parametrize("kind", BY_HAND)
def test_every_kind_of_suv_by_hand(folder, npcpit, make_series, kind):
    make_series(folder, modality="PT", values={"PatientSize": HEIGHT_M, "PatientSex": "M"})
    unit, factor = BY_HAND[kind]

    answer = npcpit("suv", folder, "--kind", kind, "--json").answer

    assert answer["unit"] == unit
    assert answer["factor"] == pytest.approx(factor, rel=1e-5)
    stored = max(_made.stored_slice(k).max() for k in range(4))
    assert answer["suv_max"] == pytest.approx(stored * factor, rel=1e-5)
    assert answer["decay_s"] == pytest.approx(6586.2)


def test_a_kind_whose_tag_is_missing_names_it(folder, npcpit, make_series):
    make_series(folder, modality="PT")
    assert "PatientSize (0010,1020) is missing" in npcpit("suv", folder, "--kind", "bsa").refusal()


def test_a_region_is_measured_in_the_kind_asked_for(folder, tmp_path, npcpit, make_series):
    """Lean over weight is one ratio for every voxel: 55.2976 / 70 by James."""
    make_series(folder, modality="PT", values={"PatientSize": HEIGHT_M, "PatientSex": "M"})
    assert npcpit("volume", folder, "-o", tmp_path / "pet.nii").code == 0
    image = sitk.ReadImage(str(tmp_path / "pet.nii"))
    sitk.WriteImage(image > 200, str(tmp_path / "mask.nii"))

    by_weight, lean = (
        npcpit("suv", folder, tmp_path / "mask.nii", "--kind", kind, "--json").answer for kind in ("BW", "LBMJAMES128")
    )

    for name in ("suv_max", "suv_mean", "suv_peak", "tlg_g"):
        assert lean[name] / by_weight[name] == pytest.approx(55.297577854671 / 70, rel=1e-6)
    assert lean["mtv_ml"] == by_weight["mtv_ml"]
    assert by_weight["suv_max"] == pytest.approx(float(pydicom_max(folder)) / 2000, rel=1e-6)


def pydicom_max(folder):
    """The largest stored value, by pydicom alone."""
    return max(pydicom.dcmread(path).pixel_array.max() for path in folder.iterdir())
