"""The verbs that need no study: what they write can be used by other programs, and what they refuse is said."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

SAMPLE = Path(__file__).parent.parent.parent / "sample_dicom"


@pytest.fixture(scope="module")
def truth() -> dict:
    return tomllib.loads((SAMPLE / "truth.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def images(shared_data: Path) -> Path:
    return shared_data / "images"


def test_the_transform_of_register_resamples_moving_onto_fixed(tmp_path, truth, npcpit):
    """SimpleITK reads the .tfm, moves known points as the truth says, and resamples to what --resampled wrote."""
    fixed, moving = SAMPLE / "FU1" / "MR_T1", SAMPLE / "BASELINE" / "MR_T1"
    transform_file, resampled_file = tmp_path / "t.tfm", tmp_path / "x.nii.gz"
    ended = npcpit("register", fixed, moving, "-o", transform_file, "--resampled", resampled_file, "--json")
    assert ended.answer["verdict"] == "accept"

    transform = sitk.ReadTransform(str(transform_file))
    baseline, follow_up = (truth["timepoint"][name]["series"]["MR_T1"] for name in ("BASELINE", "FU1"))
    to_baseline, to_follow_up = (np.array(each["baseline_ct_to_series"]) for each in (baseline, follow_up))
    centres = [
        lesion["at"]["BASELINE"]["center_mm"]
        for lesion in truth["lesion"].values()
        if "center_mm" in lesion["at"]["BASELINE"]
    ]
    assert len(centres) >= 3
    for centre in (np.array([*each, 1.0]) for each in centres):
        mapped = transform.TransformPoint((to_follow_up @ centre)[:3].tolist())
        assert np.linalg.norm(np.array(mapped) - (to_baseline @ centre)[:3]) < 2.0

    ours = sitk.ReadImage(str(resampled_file), sitk.sitkFloat64)
    names = [sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)) for folder in (fixed, moving)]
    onto, source = (sitk.ReadImage(each, sitk.sitkFloat64) for each in names)
    theirs = sitk.Resample(source, onto, transform, sitk.sitkLinear, 0.0)
    assert ours.GetSize() == theirs.GetSize()
    difference = np.abs(sitk.GetArrayFromImage(ours) - sitk.GetArrayFromImage(theirs))
    assert np.percentile(difference, 99.9) < 0.5


def test_a_registration_that_is_rejected_exits_1_and_says_why(tmp_path, images, npcpit):
    """A head and a thigh have nothing in common."""
    thigh = images / "sts" / "STS_008" / "CT" / "image"
    ended = npcpit("register", SAMPLE / "BASELINE" / "PET_CT", thigh, "-o", tmp_path / "t.tfm", "--json")
    assert ended.code == 1
    if ended.out:  # refused by its own quality, or already as two images that share nothing
        assert json.loads(ended.out)["verdict"] == "reject"
        assert json.loads(ended.out)["reasons"]
    else:
        assert ended.refusal()


def test_suv_of_a_series_already_in_suv_has_factor_one(images, sts_pet, npcpit):
    found = npcpit("suv", sts_pet, "--json").answer
    assert found["factor"] == 1.0


@pytest.fixture
def sts_pet(images: Path) -> Path:
    return images / "sts" / "STS_002" / "PET" / "image"


def test_radiomics_gives_codes_units_and_where_it_comes_from(images, npcpit):
    """The largest SUV of the tumour is the one that other programs agreed on (truth/ibsi_sts_measurements.csv)."""
    pet = images / "sts" / "STS_002" / "PET"
    found = npcpit("radiomics", pet / "image", pet / "mask", "--roi", "GTV_Mass_PET", "--json").answer
    by_code = {each["code"]: each for each in found["features"] if each["tag"].startswith("stat_")}
    assert len(by_code) == 18, "IBSI 1, 3.3: eighteen intensity-based statistics"
    volume = [each for each in found["features"] if each["tag"].startswith("morph_vol_approx")]
    assert [each["code"] for each in volume] == ["YEKZ"]
    assert found["provenance"]


def test_radiomics_of_an_empty_mask_has_no_number_but_a_reason_for_each_feature(images, npcpit):
    folder = images / "degenerate_masks" / "uninformative"
    mask = folder / "mask" / "empty_mask.nii.gz"
    found = npcpit("radiomics", folder / "image" / "uninformative.nii.gz", mask, "--json").answer
    assert {each["value"] for each in found["features"]} == {None}
    assert all(each["reason"] for each in found["features"])


def test_a_proposal_is_written_on_the_image_grid_and_called_a_proposal(tmp_path, npcpit):
    ended = npcpit(
        "segment", SAMPLE / "BASELINE" / "PET", "-o", tmp_path / "m.nii.gz", "--box", "-40,-60,-40:40,40,40", "--json"
    )
    assert ended.answer["proposal"] is True
    mask = sitk.ReadImage(str(tmp_path / "m.nii.gz"))
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(SAMPLE / "BASELINE" / "PET"))
    image = sitk.ReadImage(names)
    assert mask.GetSize() == image.GetSize()
    np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), atol=0.01)
    assert set(np.unique(sitk.GetArrayFromImage(mask))) == {0, 1}


def refusals(images: Path) -> dict[str, tuple[tuple[object, ...], tuple[str, ...]]]:
    """Name to (arguments, words the message must hold)."""
    sts = images / "sts" / "STS_002"
    ct, rtstruct = sts / "CT" / "image", sts / "CT" / "mask"
    nifti = images / "sts_nifti" / "STS_002" / "CT_mask.nii.gz"
    raw = images / "sts_001_raw"
    segs = images / "dcmqi" / "segmentations"
    readme = SAMPLE / "README.md"
    return {
        "several series": (("volume", sts, "-o", "x.nii.gz"), ("expected one image series", "CT", "MR", "PT")),
        "unknown series": (("volume", sts, "-o", "x.nii.gz", "--series", "1.2.3"), ("1.2.3", "found")),
        "missing path": (("volume", "nowhere", "-o", "x.nii.gz"), ("nowhere", "no such")),
        "no DICOM": (("volume", readme, "-o", "x.nii.gz"), ("expected a series of DICOM images", "not a DICOM file")),
        "contours as image": (("volume", rtstruct, "-o", "x.nii.gz"), ("expected a series", "RTSTRUCT")),
        "output suffix": (("volume", ct, "-o", "x.png"), ("x.png", ".nii.gz", ".nrrd")),
        "output folder": (("volume", ct, "-o", "nowhere/x.nii.gz"), ("cannot be written",)),
        "unknown ROI": (("measure", ct, rtstruct, "--roi", "Liver"), ("Liver", "GTV_Mass_CT")),
        "unknown label": (("measure", ct, nifti, "--label", "7"), ("label 7", "[1]")),
        "unknown segment": (("measure", segs / "ct-3slice", segs / "liver.dcm", "--segment", "9"), ("9", "1 (Liver)")),
        "segment not chosen": (("measure", segs / "ct-3slice", segs / "partial_overlaps.dcm"), ("GREEN", "choose one")),
        "ROI of a label image": (("measure", ct, nifti, "--roi", "GTV"), ("has no roi",)),
        "segment of contours": (("measure", ct, rtstruct, "--segment", "1"), ("has no segment",)),
        "label of a SEG": (("measure", segs / "ct-3slice", segs / "liver.dcm", "--label", "1"), ("has no label",)),
        "mask of another image": (
            ("measure", raw / "FDG_PET" / "image", raw / "MR_T2" / "mask", "--roi", "GTV_Mass"),
            ("rame of reference",),
        ),
        "text as mask": (("measure", ct, readme), ("expected one mask",)),
        "SUV of CT": (("suv", ct), ("expected PT, found CT",)),
        "no prompt": (("segment", ct, "-o", "m.nii.gz"), ("--line", "--box", "--point")),
        "broken prompt": (("segment", ct, "-o", "m.nii.gz", "--line", "1,2"), ("x,y,z:x,y,z",)),
        "prompt outside": (
            ("segment", ct, "-o", "m.nii.gz", "--point", "9999,0,0"),
            ("expected a point in the image",),
        ),
        "unknown method": (
            (
                "segment",
                images / "pyradiomics" / "brain1_image.nrrd",
                "-o",
                "m.nii.gz",
                "--point",
                "0,0,0",
                "--method",
                "magic",
            ),
            ("magic",),
        ),
        "moving is missing": (("register", ct, "nowhere", "-o", "t.tfm"), ("nowhere",)),
        "settings missing": (("radiomics", ct, nifti, "--settings", "nowhere.toml"), ("nowhere.toml",)),
        "no table": (("respond", "nowhere.csv"), ("nowhere.csv",)),
    }


@pytest.mark.parametrize("name", refusals(Path()))
def test_what_cannot_be_done_is_refused_with_what_was_expected(name, images, tmp_path, monkeypatch, npcpit):
    """One line on stderr, exit code 1, nothing on stdout and no file written."""
    monkeypatch.chdir(tmp_path)
    arguments, words = refusals(images)[name]
    text = npcpit(*arguments, "--json").refusal()
    for word in words:
        assert word in text
    assert list(tmp_path.iterdir()) == []
