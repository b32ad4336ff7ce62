"""Public clinical images through the command line: the numbers others measured, or a refusal that says why."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

STS = [(f"STS_{number}", modality) for number in ("002", "003", "008") for modality in ("CT", "PET", "MR_T1")]
"""The nine series that `truth/ibsi_sts_measurements.csv` describes."""

DICOM_FOLDERS = (
    "dcmqi",
    "highdicom",
    "ibsi_1_ct_phantom",
    "ibsi_1_digital_phantom",
    "jpeg2000_ct",
    "mr_two_dates",
    "sts",
    "sts_001_raw",
)

GEOMETRIES = {
    "ibsi_1_ct_phantom": {"CT": "204x201x60 voxels of 0.977x0.977x3 mm"},
    "ibsi_1_digital_phantom": {"MR": "5x4x4 voxels of 1x1x1 mm"},
    "sts_001_raw": {
        "MR": "384x384x40 voxels of 0.5234x0.5234x5.2 mm",
        "PT": "128x128x267 voxels of 4.688x4.688x3.27 mm",
    },
}
"""Columns x rows x slices and spacings as dcmdump prints them."""


def objects_below(folder: Path) -> set[str]:
    """Files that hold a Part-10 object (PS3.10, 7.1), relative to the folder."""
    return {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and file.read_bytes()[128:132] == b"DICM"
    }


def test_the_list_of_folders_is_every_folder_that_holds_dicom(shared_data: Path):
    images = shared_data / "images"
    assert tuple(sorted(path.name for path in images.iterdir() if objects_below(path))) == DICOM_FOLDERS


@pytest.mark.parametrize("folder", DICOM_FOLDERS)
def test_every_series_of_a_folder_is_a_volume_or_a_named_refusal(folder, shared_data, tmp_path, npcpit):
    """Every object is accounted for; every image series has a volume or a reason, and never both."""
    source = shared_data / "images" / folder
    assert npcpit("init", tmp_path / "study").code == 0
    imported = npcpit("import", tmp_path / "study", source)
    found = npcpit("series", tmp_path / "study", "--json")
    assert "Traceback" not in imported.err + found.err
    assert "internal" not in imported.err + found.err
    for each in found.answer:
        assert bool(each["geometry"]) != bool(each["refusal"]), each
        if each["modality"] in ("CT", "MR", "PT") and each["refusal"]:
            assert each["series_uid"] in each["refusal"], "a refusal names its series"
            assert "expected" in each["refusal"], "a refusal says what was expected"
    for modality, geometry in GEOMETRIES.get(folder, {}).items():
        assert [each["geometry"] for each in found.answer if each["modality"] == modality] == [geometry]


@pytest.mark.parametrize("folder", ["dcmqi", "highdicom", "jpeg2000_ct"])
def test_an_import_accounts_for_every_object(folder, shared_data, tmp_path, npcpit):
    """Stored, repeated, in conflict or refused by name; what was not taken makes the exit code 1."""
    source = shared_data / "images" / folder
    study = tmp_path / "study"
    npcpit("init", study)
    ended = npcpit("import", study, source, "--json")
    report = json.loads(ended.out)
    refused = {each["file"] for each in report["refused"]}
    taken = report["stored"] + report["repeat"] + report["conflict"]
    assert taken + len(refused) == len(objects_below(source))
    assert refused <= objects_below(source)
    assert not objects_below(source) & set(report["no_dicom"])
    assert len(report["conflicts"]) == report["conflict"]
    assert ended.code == (1 if refused or report["conflict"] else 0)
    on_disk = [path for path in (study / "objects").rglob("*") if path.is_file()]
    assert len(on_disk) == report["stored"]


def test_objects_without_uids_and_patient_are_refused_and_the_message_names_the_attribute(
    shared_data, tmp_path, npcpit
):
    npcpit("init", tmp_path / "study")
    ended = npcpit("import", tmp_path / "study", shared_data / "images" / "jpeg2000_ct")
    assert ended.code == 1
    assert "SOPInstanceUID: expected a UID of digits and dots, found none" in ended.err
    assert "0 stored" in ended.out


@pytest.fixture(scope="module")
def sts_truth(shared_data: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Measured by others: patient and modality to the row of the table."""
    path = shared_data / "truth" / "ibsi_sts_measurements.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["patient"], row["mod"]): row for row in csv.DictReader(file)}


@pytest.mark.parametrize(("patient", "modality"), STS)
def test_a_tumour_is_measured_as_others_measured_it_by_contour_and_by_nifti_mask(
    patient, modality, shared_data, sts_truth, npcpit
):
    """Volume within 0.5 %, longest diameter between voxel centres and contour give or take one pixel.

    The NIfTI mask of the same tumour gives the same answer, digests included, which cover every voxel and the grid:
    equal digests are a Dice of exactly 1.
    """
    truth = sts_truth[patient, modality]
    images = shared_data / "images"
    image = images / "sts" / patient / modality / "image"
    found = npcpit("measure", image, image.parent / "mask", "--roi", f"GTV_Mass_{modality}", "--json").answer
    pixel_mm = float(truth["spacing"].split("x")[0])
    assert found["volume_ml"] == pytest.approx(float(truth["vol_ml_rt"]), rel=0.005)
    assert found["longest_diameter_mm"] >= float(truth["ld_mask_mm"]) - pixel_mm
    assert found["longest_diameter_mm"] <= float(truth["ld_contour_mm"]) + pixel_mm
    assert found["slice_index_k"] == int(truth["ld_slice"])
    assert found["short_axis_mm"] < found["longest_diameter_mm"]
    nifti = npcpit("measure", image, images / "sts_nifti" / patient / f"{modality}_mask.nii.gz", "--json").answer
    assert nifti == found


def test_suv_of_a_raw_pet_is_what_two_other_programs_found(shared_data, npcpit):
    pet = shared_data / "images" / "sts_001_raw" / "FDG_PET"
    found = npcpit("suv", pet / "image", pet / "mask", "--roi", "GTV_Mass", "--json").answer
    assert found["suv_max"] == pytest.approx(7.911, rel=0.005)
    assert found["suv_mean"] == pytest.approx(2.555, rel=0.005)
    assert found["unit"] == "SUVbw"


@pytest.mark.parametrize(("scan", "length_mm", "volume_ml"), [("MR_T2", 93.5, 364.9), ("FDG_PET", 91.2, 366.1)])
def test_a_large_tumour_of_raw_scans_has_its_known_size(scan, length_mm, volume_ml, shared_data, npcpit):
    """Within one pixel of each scan, 0.52 and 4.7 mm, and the oblique MR is measured in its own slices."""
    folder = shared_data / "images" / "sts_001_raw" / scan
    found = npcpit("measure", folder / "image", folder / "mask", "--roi", "GTV_Mass", "--json").answer
    pixel_mm = {"MR_T2": 0.5234, "FDG_PET": 4.6875}[scan]
    assert found["longest_diameter_mm"] == pytest.approx(length_mm, abs=pixel_mm)
    assert found["volume_ml"] == pytest.approx(volume_ml, rel=0.005)


@pytest.fixture(scope="module")
def degenerate(shared_data: Path) -> Path:
    return shared_data / "images" / "degenerate_masks"


def test_an_empty_mask_has_no_diameter_and_says_so(degenerate, npcpit):
    folder = degenerate / "uninformative"
    image, mask = folder / "image" / "uninformative.nii.gz", folder / "mask" / "empty_mask.nii.gz"
    found = npcpit("measure", image, mask, "--json").answer
    assert (found["longest_diameter_mm"], found["short_axis_mm"], found["slice_index_k"]) == (None, None, None)
    assert found["volume_ml"] == 0
    assert [finding["code"] for finding in found["findings"]] == ["empty-mask"]


def test_disconnected_parts_are_counted_and_reported(degenerate, npcpit):
    folder = degenerate / "uninformative"
    path = folder / "mask" / "disconnected_mask.nii.gz"
    found = npcpit("measure", folder / "image" / "uninformative.nii.gz", path, "--json").answer
    parts = sitk.ConnectedComponent(sitk.ReadImage(str(path)) > 0, True)
    assert found["components"] == int(sitk.GetArrayFromImage(parts).max()) > 1
    assert any("component" in finding["text"] for finding in found["findings"])


def test_a_mask_on_another_grid_is_refused_and_both_grids_are_named(degenerate, npcpit):
    image = degenerate / "uninformative" / "image" / "uninformative.nii.gz"
    mask = degenerate / "uninformative_slice" / "mask" / "full_mask.nii.gz"
    text = npcpit("measure", image, mask, "--json").refusal()
    for path in (image, mask):
        size = "x".join(str(size) for size in nib.load(path).shape)
        assert f"{size} voxels" in text


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nrrd"])
@pytest.mark.parametrize("scan", ["sts_001_raw/MR_T2/image", "sts/STS_002/PET/image"])
def test_a_written_volume_is_the_same_voxels_at_the_same_places(name, scan, shared_data, tmp_path, npcpit):
    """SimpleITK reads our file and the DICOM series by itself: every voxel and every place agree."""
    source = shared_data / "images" / scan
    assert npcpit("volume", source, "-o", tmp_path / name).code == 0
    ours = sitk.ReadImage(str(tmp_path / name), sitk.sitkFloat64)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(source))
    theirs = sitk.ReadImage(names, sitk.sitkFloat64)
    assert ours.GetSize() == theirs.GetSize()
    np.testing.assert_allclose(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs), rtol=1e-6, atol=1e-6)
    size = ours.GetSize()
    for corner in [(0, 0, 0), (size[0] - 1, 0, 0), (0, size[1] - 1, 0), tuple(n - 1 for n in size)]:
        one = ours.TransformContinuousIndexToPhysicalPoint([float(n) for n in corner])
        other = theirs.TransformContinuousIndexToPhysicalPoint([float(n) for n in corner])
        np.testing.assert_allclose(one, other, atol=0.01)
