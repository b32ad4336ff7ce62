"""What a PET file's values mean is stated by a person, never guessed: Bq/mL are no SUV."""

import json

import nibabel as nib
import numpy as np
import pytest

from npcpit_imaging import cli

BOX = ("--box", "6,6,14:34,34,46")


@pytest.fixture
def pet(tmp_path):
    """A hot ball of SUV 6 on 1 as NIfTI, its mask, and the same in Bq/mL (SUV x 5000)."""
    index = np.moveaxis(np.indices((22, 22, 15)), 0, -1) * [1, 1, 2]
    inside = np.linalg.norm(index - [10, 10, 15], axis=-1) <= 6.5
    suv = np.where(inside, 6.0, 1.0) + np.random.default_rng(1).normal(0, 0.05, inside.shape)
    for name, values in (("suv", suv), ("bq", suv * 5000), ("mask", inside)):
        affine = np.diag([-2.0, -2.0, 4.0, 1.0])
        nib.save(nib.Nifti1Image(values.astype(np.float32), affine), tmp_path / f"{name}.nii.gz")
    return tmp_path


@pytest.fixture
def call(pet, capsys):
    """Run a verb in the folder; its code, JSON or error."""

    def run(*arguments):
        code = cli.run([*(str(pet / each) if each.endswith(".gz") else each for each in arguments), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if code == 0 else err

    return run


def codes(answer):
    return {finding["code"] for finding in answer["findings"]}


@pytest.mark.parametrize("method", [(), ("--method", "pet-41-percent"), ("--method", "network")])
@pytest.mark.parametrize("unit", [(), ("--unit", "BQML")])
def test_a_pet_in_no_known_unit_or_in_becquerel_is_not_segmented(call, pet, unit, method):
    if "network" in method:
        pytest.importorskip("torch", reason="the extra deep is not installed")
    code, error = call("segment", "bq.nii.gz", *BOX, "-o", "out.nii.gz", "--modality", "PT", *unit, *method)
    assert code == 1
    assert "expected a PET in SUVbw" in error
    assert "--unit SUVbw" in error
    assert not (pet / "out.nii.gz").exists()


def test_a_pet_whose_unit_is_stated_is_segmented(call):
    code, answer = call("segment", "suv.nii.gz", *BOX, "-o", "out.nii.gz", "--modality", "PT", "--unit", "SUVbw")
    assert code == 0
    assert not {"unknown-unit", "nothing-at-the-prompt"} & codes(answer)


def test_a_pet_in_no_known_unit_has_a_size_and_no_uptake_and_says_so(call):
    code, answer = call("measure", "bq.nii.gz", "mask.nii.gz", "--modality", "PT")
    assert code == 0
    assert answer["uptake"] is None
    assert answer["longest_diameter_mm"] > 20
    assert {"unknown-unit", "no-suv"} <= codes(answer)
    assert answer["provenance"]["unit"] == "1"
    _, stated = call("measure", "suv.nii.gz", "mask.nii.gz", "--modality", "PT", "--unit", "SUVbw")
    assert stated["uptake"]["suv_mean"] == pytest.approx(6.0, abs=0.02)
    assert not {"unknown-unit", "no-suv"} & codes(stated)


def test_becquerel_that_are_called_suv_are_refused(call):
    """The ball is a tenth of the image: its 99th percentile is 30,000, no SUV."""
    code, error = call("measure", "bq.nii.gz", "mask.nii.gz", "--modality", "PT", "--unit", "SUVbw")
    assert code == 1
    assert "these values are no SUVbw" in error


def test_radiomics_of_a_pet_in_no_known_unit_has_no_value_and_says_why(call):
    code, answer = call("radiomics", "bq.nii.gz", "mask.nii.gz", "--modality", "PT")
    assert code == 0
    assert all(feature["value"] is None for feature in answer["features"])
    assert "whose unit nobody stated" in answer["features"][0]["reason"]
    assert "unknown-unit" in codes(answer)
    _, stated = call("radiomics", "suv.nii.gz", "mask.nii.gz", "--modality", "PT", "--unit", "SUVbw")
    assert any(feature["value"] is not None for feature in stated["features"])


@pytest.mark.parametrize(("offset", "padding", "said"), [(0, -1000, False), (1024, -1000, True), (1024, -2000, True)])
def test_a_ct_that_may_be_in_hounsfield_units_plus_1024_is_told(call, pet, offset, padding, said):
    """Fat of -100 is in every CT of a patient; below zero with the offset is padding at most, which is one value."""
    image = nib.load(pet / "mask.nii.gz")
    hu = np.where(image.get_fdata() > 0, 60, -100).astype(np.int16)
    hu[:3] = -1000
    hu[0] = padding
    nib.save(nib.Nifti1Image(hu + np.int16(offset), image.affine), pet / "ct.nii.gz")
    code, answer = call("measure", "ct.nii.gz", "mask.nii.gz", "--modality", "CT")
    assert code == 0, answer
    assert ("no-air" in codes(answer)) is said


def test_a_unit_that_is_none_of_the_modality_is_refused(call):
    code, error = call("measure", "suv.nii.gz", "mask.nii.gz", "--modality", "CT", "--unit", "SUVbw")
    assert code == 1
    assert "expected CT in HU, found --unit SUVbw" in error


def test_a_table_of_cases_states_the_unit_too(pet, capsys):
    lines = ("case,image,mask,modality,unit", "a,bq.nii.gz,mask.nii.gz,PT,", "b,suv.nii.gz,mask.nii.gz,PT,SUVbw")
    (pet / "cases.csv").write_text("\n".join((*lines, "c,suv.nii.gz,mask.nii.gz,PT,suv", "")), encoding="utf-8")
    arguments = ["radiomics", "--cases", str(pet / "cases.csv"), "-o", str(pet / "out"), "--workers", "1", "--json"]
    assert cli.run(arguments) == 1
    found = {each["case"]: each for each in json.loads(capsys.readouterr().out)["cases"]}
    assert [found[name]["status"] for name in "abc"] == ["failed", "done", "failed"]
    assert "whose unit nobody stated" in found["a"]["reason"]
    assert "unit: expected HU, SUVbw" in found["c"]["reason"]
