"""The verb measure: every degenerate mask and every other grid gives numbers or a named refusal."""

import nibabel as nib
import numpy as np
import pydicom
import pytest

from npcpit_imaging.app.measure import MaskChoice
from npcpit_imaging.app.measure_mask import measure_mask, parse_calipers
from npcpit_imaging.app.segmenting import segment_image
from npcpit_imaging.errors import GeometryError, InputError, NpcpitError
from npcpit_imaging.segmentation.prompt import BoxPrompt
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.volume.volume import Modality, Unit

DEGENERATE = [
    ("uninformative", "empty_mask", ["empty-mask"]),
    ("uninformative", "one_voxel_mask", []),
    ("uninformative", "disconnected_mask", ["several-components"]),
    ("uninformative", "full_mask", ["truncated"]),
    ("uninformative_slice", "empty_mask", ["empty-mask"]),
    ("uninformative_slice", "one_voxel_mask", ["truncated"]),
    ("uninformative_slice", "disconnected_mask", ["several-components", "several-components-in-slice"]),
    ("uninformative_slice", "full_mask", ["truncated"]),
    ("orientation", "mask", []),
]


@pytest.mark.parametrize(("folder", "name", "expected"), DEGENERATE)
def test_a_degenerate_mask_has_numbers_and_findings(shared_data, folder, name, expected):
    """Volume by counting voxels in nibabel; no diameter where there is no voxel, else at least a voxel's."""
    where = shared_data / "images" / "degenerate_masks" / folder
    (image,), mask = (where / "image").iterdir(), where / "mask" / f"{name}.nii.gz"
    found = measure_mask(image, mask)
    stored = nib.load(mask)
    voxels = int(np.count_nonzero(np.asarray(stored.dataobj)))
    assert found["volume_ml"] == pytest.approx(voxels * np.prod(stored.header.get_zooms()) / 1000)
    assert set(expected) <= {finding["code"] for finding in found["findings"]}
    if voxels == 0:
        assert found["longest_diameter_mm"] is found["short_axis_mm"] is found["bidimensional_product_mm2"] is None
        assert found["components"] == 0
    else:
        assert found["longest_diameter_mm"] >= found["short_axis_mm"] > 0
        product = found["longest_diameter_mm"] * found["short_axis_mm"]
        assert found["bidimensional_product_mm2"] == pytest.approx(product)


@pytest.mark.parametrize(("folder", "name"), [each[:2] for each in DEGENERATE])
def test_a_degenerate_mask_on_a_pet_has_uptake_or_none_at_all(shared_data, folder, name):
    where = shared_data / "images" / "degenerate_masks" / folder
    (image,) = (where / "image").iterdir()
    found = measure_mask(image, where / "mask" / f"{name}.nii.gz", modality=Modality.PT, unit=Unit.SUVBW)
    if found["components"] == 0:
        assert found["uptake"] is None
        return
    assert found["uptake"]["suv_max"] >= found["uptake"]["suv_mean"]
    assert found["uptake"]["sul_peak"] is None
    assert "sul-unknown" in [finding["code"] for finding in found["findings"]]


AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])  # LPS axes in NIfTI's RAS
SHAPE = (20, 16, 8)
BOX = (BoxPrompt(corner_mm=(5.0, 4.0, 6.0), opposite_mm=(15.0, 12.0, 18.0)),)


def write(path, voxels, affine=AFFINE):
    nib.save(nib.Nifti1Image(voxels.astype(np.uint8), affine), path)
    return path


@pytest.fixture
def image(tmp_path):
    return write(tmp_path / "image.nii.gz", np.ones(SHAPE))


def block():
    voxels = np.zeros(SHAPE, bool)
    voxels[5:15, 4:10, 3:6] = True
    return voxels


def moved(millimetres):
    affine = AFFINE.copy()
    affine[0, 3] += millimetres
    return affine


def turned(degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ AFFINE


OTHER_GRIDS = {
    "half a voxel beside": (block(), moved(0.5)),
    "a whole voxel beside": (block(), moved(1.0)),
    "a twentieth of a voxel beside": (block(), moved(0.05)),
    "turned by 2 degrees": (block(), turned(2.0)),
    "another pixel size": (block(), AFFINE * np.array([[1.1], [1], [1], [1]])),
    "thinner slices": (block(), AFFINE @ np.diag([1, 1, 0.5, 1])),
    "fewer slices": (block()[:, :, :6], AFFINE),
    "a cut-out": (block()[2:, 2:], AFFINE @ np.array([[1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 1, 0], [0, 0, 0, 1]])),
    "mirrored without saying so": (block(), AFFINE @ np.diag([-1, 1, 1, 1])),
    "axes swapped without saying so": (block().transpose(1, 0, 2), AFFINE),
}


@pytest.mark.parametrize(("voxels", "affine"), OTHER_GRIDS.values(), ids=OTHER_GRIDS)
def test_a_mask_of_another_grid_is_refused_by_name(image, tmp_path, voxels, affine):
    with pytest.raises(GeometryError, match=r"expected the image's voxels .*found another grid"):
        measure_mask(image, write(tmp_path / "mask.nii.gz", voxels, affine))


@pytest.mark.parametrize(("voxels", "affine"), OTHER_GRIDS.values(), ids=OTHER_GRIDS)
def test_a_previous_mask_of_another_grid_is_not_refined(image, tmp_path, voxels, affine):
    mask = write(tmp_path / "mask.nii.gz", voxels, affine)
    with pytest.raises(GeometryError, match=r"expected the image's voxels .*found another grid"):
        segment_image(image, BOX, tmp_path / "out.nii.gz", previous=mask, modality=Modality.CT)


SAME_VOXELS = {
    "as they are": (lambda v: v, np.eye(4)),
    "last column first": (lambda v: v[::-1], [[-1, 0, 0, 19], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    "feet first": (lambda v: v[:, :, ::-1], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 7], [0, 0, 0, 1]]),
    "columns before rows": (lambda v: v.transpose(1, 0, 2), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    "slices first": (lambda v: v.transpose(2, 0, 1), [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize(("order", "matrix"), SAME_VOXELS.values(), ids=SAME_VOXELS)
def test_the_same_voxels_in_another_order_measure_the_same(image, tmp_path, order, matrix):
    """10 x 6 pixels of 1 mm, corners a quarter outside: sqrt(9.5^2 + 5.5^2); three slices of 3 mm: 0.54 mL."""
    found = measure_mask(image, write(tmp_path / "mask.nii.gz", order(block()), AFFINE @ np.array(matrix)))
    assert found["longest_diameter_mm"] == pytest.approx(np.hypot(9.5, 5.5))
    assert found["volume_ml"] == pytest.approx(0.54)
    assert found["slice_index_k"] == 3


def test_a_mask_of_four_dimensions_or_none_is_refused(image, tmp_path):
    for voxels in (np.zeros((*SHAPE, 2)), np.zeros(SHAPE[:2])):
        with pytest.raises(NpcpitError, match="expected"):
            measure_mask(image, write(tmp_path / "mask.nii.gz", voxels))


def test_what_was_noticed_of_the_image_stands_beside_the_length_and_in_the_provenance(tmp_path):
    """Neither sform nor qform: the length rests on the voxel size, and the output says that it has no place."""
    for name, voxels in (("image", np.ones(SHAPE)), ("mask", block())):
        stored = nib.Nifti1Image(voxels.astype(np.uint8), AFFINE)
        stored.set_sform(None, code=0)
        stored.set_qform(None, code=0)
        nib.save(stored, tmp_path / f"{name}.nii.gz")
    found = measure_mask(tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz")
    assert found["in_patient_space"] is False
    assert "no-patient-space" in found["provenance"]["findings"]
    (finding,) = [each for each in found["findings"] if each["code"] == "no-patient-space"]
    assert "a length rests on the voxel size alone" in finding["text"]
    out = segment_image(
        tmp_path / "image.nii.gz", BOX, tmp_path / "out.nii.gz", method="calibrated", modality=Modality.CT
    )
    assert out["in_patient_space"] is False
    assert "no-patient-space" in out["provenance"]["findings"]


def test_a_series_without_a_uid_says_so_beside_its_lengths(sts_pet, tmp_path):
    found = changed(sts_pet, tmp_path, SeriesInstanceUID="")
    assert "no-series-uid" in {each["code"] for each in found["findings"]}
    assert "no-series-uid" in found["provenance"]["findings"]


WRONG_MASKS = {
    "a label that an empty mask has not": (0, 7, "label 7 not present, found only background"),
    "a label that is not there": (1, 7, r"label 7 not present, found \[1\]"),
    "negative": (-1, None, "expected labels of 0 .background. and more, found -1"),
    "negative and asked for": (-1, -1, "expected labels of 0 .background. and more, found -1"),
    "fractions": (0.5, None, "expected whole-number labels"),
}


@pytest.mark.parametrize(("value", "label", "said"), WRONG_MASKS.values(), ids=WRONG_MASKS)
def test_a_mask_without_the_label_or_with_values_that_are_none_is_refused(image, tmp_path, value, label, said):
    nib.save(nib.Nifti1Image((block() * value).astype(np.float32), AFFINE), tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=said):
        measure_mask(image, tmp_path / "mask.nii.gz", choice=MaskChoice(label=label))


def test_a_previous_mask_of_several_labels_needs_one_of_them(image, tmp_path):
    voxels = block().astype(int)
    voxels[0:3, 0:3, 0:2] = 5
    mask, out = write(tmp_path / "mask.nii.gz", voxels), tmp_path / "out.nii.gz"
    with pytest.raises(InputError, match=r"expected one label, found \[1, 5\]; choose one with --label"):
        segment_image(image, (), out, previous=mask, modality=Modality.CT)
    assert not out.exists()
    refined = segment_image(
        image, (), out, previous=mask, choice=MaskChoice(label=5), method="ellipsoid", modality=Modality.CT
    )
    ends = np.array(refined["longest_diameter_ends_mm"])
    assert (ends <= [3.0, 3.0, 6.0]).all()


BAD_CALIPERS = {
    "outside the image": ("5,4,9:5,40,9", None, "--caliper: expected both ends inside the image"),
    "through the slices": ("5,4,3:5,4,18", None, r"--caliper: expected both ends in one slice, found them 5\.0 slices"),
    "shorter than a pixel": ("5,4,9:5.2,4,9", None, "--caliper: expected at least a pixel"),
    "a short one outside": ("5,4,9:14,9,9", "5,12,9:5,20,9", "--short-caliper: expected both ends inside"),
}


@pytest.mark.parametrize(("long", "short", "said"), BAD_CALIPERS.values(), ids=BAD_CALIPERS)
def test_a_caliper_that_cannot_have_been_drawn_on_the_image_is_refused(image, tmp_path, long, short, said):
    with pytest.raises(InputError, match=said):
        measure_mask(image, write(tmp_path / "mask.nii.gz", block()), calipers=parse_calipers(long, short))


NAMED_CALIPERS = {
    "in the lesion's measured slice": ("5,4,9:14,9,9", None, []),
    "in another slice of the lesion": ("5,4,12:14,9,12", None, ["caliper-in-another-slice"]),
    "in a slice without the lesion": ("5,4,0:14,9,0", None, ["caliper-beside-lesion"]),
    "in its slice and beside it": ("1,12,9:10.6,15,9", None, ["caliper-beside-lesion"]),
    "twice the same": ("5,4,9:14,9,9", "5,4,9:14,9,9", ["short-caliper-differs", "short-caliper-not-across"]),
}


@pytest.mark.parametrize(("long", "short", "expected"), NAMED_CALIPERS.values(), ids=NAMED_CALIPERS)
def test_a_caliper_elsewhere_or_twice_the_same_is_named(image, tmp_path, long, short, expected):
    found = measure_mask(image, write(tmp_path / "mask.nii.gz", block()), calipers=parse_calipers(long, short))
    codes = [each["code"] for each in found["findings"]]
    assert [code for code in codes if code not in {"caliper-differs", "truncated"}] == expected


def test_the_readers_calipers_stand_beside_the_masks_axes(image, tmp_path):
    """11.0 mm drawn in the mask's diagonal of 10.98 mm: no finding; a short axis of 8 against 6.4 mm: one."""
    mask = write(tmp_path / "mask.nii.gz", block())
    calipers = parse_calipers("5,4,9:14.63,9.32,9", "5,4,9:5,12,9")
    found = measure_mask(image, mask, calipers=calipers)
    assert found["reader_longest_diameter_mm"] == pytest.approx(11.0, abs=0.01)
    assert found["reader_short_axis_mm"] == 8.0
    assert found["longest_diameter_mm"] == pytest.approx(10.977, abs=0.001)
    assert [finding["code"] for finding in found["findings"]] == ["short-caliper-differs"]


def test_a_short_caliper_alone_is_refused():
    with pytest.raises(InputError, match="expected --caliper beside it"):
        parse_calipers(None, "0,0,0:1,0,0")
    with pytest.raises(InputError, match="short axis: expected at most the long axis's 1"):
        parse_calipers("0,0,0:1,0,0", "0,0,0:0,2,0")
    assert parse_calipers("0,0,0:3,4,0", None) == (Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(3.0, 4.0, 0.0)), None)


@pytest.fixture(scope="module")
def raw_pet(shared_data):
    return shared_data / "images" / "sts_001_raw" / "FDG_PET"


ROI = MaskChoice(roi="GTV_Mass")


def test_a_raw_pet_has_the_known_uptake_of_its_tumour(raw_pet):
    """SUVmax 7.911 and mean 2.555 (shared/data/README.md); volume 366.1 mL; SULpeak by the tags' height and sex."""
    found = measure_mask(raw_pet / "image", raw_pet / "mask", choice=ROI)
    uptake = found["uptake"]
    assert uptake["suv_max"] == pytest.approx(7.911, abs=0.0005)
    assert uptake["suv_mean"] == pytest.approx(2.555, abs=0.0005)
    assert uptake["mtv_ml"] == pytest.approx(366.1, abs=0.05)
    assert uptake["tlg_g"] == pytest.approx(uptake["suv_mean"] * uptake["mtv_ml"])
    assert uptake["suv_mean"] < uptake["suv_peak"] < uptake["suv_max"]


@pytest.fixture(scope="module")
def sts_pet(shared_data):
    return shared_data / "images" / "sts" / "STS_002" / "PET"


def changed(pet, tmp_path, **tags):
    """The tumour on a PET with tags replaced in all its slices."""
    folder = tmp_path / "pet"
    folder.mkdir()
    for path in (pet / "image").iterdir():
        dataset = pydicom.dcmread(path)
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / path.name)
    return measure_mask(folder, pet / "mask", choice=MaskChoice(roi="GTV_Mass_PET"))


def test_sulpeak_follows_height_weight_and_sex(sts_pet, tmp_path):
    """A man of 70 kg and 1.75 m: 1.1 x 70 - 128 x 0.16 = 56.52 kg, 0.80743 of his weight."""
    uptake = changed(sts_pet, tmp_path, PatientWeight="70", PatientSize="1.75", PatientSex="M")["uptake"]
    assert uptake["sul_peak"] == pytest.approx(uptake["suv_peak"] * 56.52 / 70)


def test_without_a_height_there_is_no_sulpeak_and_a_reason(sts_pet, tmp_path):
    found = changed(sts_pet, tmp_path, PatientWeight="70", PatientSize="", PatientSex="M")
    assert found["uptake"]["sul_peak"] is None
    (finding,) = [each for each in found["findings"] if each["code"] == "sul-unknown"]
    assert "PatientSize" in finding["text"]


def test_a_pet_whose_suv_cannot_be_trusted_has_a_size_and_no_uptake(sts_pet, tmp_path, shared_data):
    found = changed(sts_pet, tmp_path, Units="BQML", PatientWeight="")
    assert found["uptake"] is None
    assert (
        found["longest_diameter_mm"]
        == measure_mask(sts_pet / "image", sts_pet / "mask", choice=MaskChoice(roi="GTV_Mass_PET"))[
            "longest_diameter_mm"
        ]
    )
    (finding,) = [each for each in found["findings"] if each["code"] == "no-suv"]
    assert finding["text"].startswith("no SUV: series ")
