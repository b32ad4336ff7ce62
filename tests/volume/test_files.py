"""NIfTI is RAS and NRRD is LPS; other programs must find our voxels where we do, and we theirs."""

import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.errors import GeometryError, InputError
from npcpit_imaging.volume.files import read_labels, read_mask, read_volume, write_mask, write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

OBLIQUE = Geometry(
    shape_kji=(4, 3, 2),
    origin_mm=(10.0, -20.0, 30.0),
    spacing_mm=(0.5, 2.0, 3.0),
    direction=((0.0, 0.0, 1.0), (0.6, 0.8, 0.0), (-0.8, 0.6, 0.0)),
)
VOLUME = Volume(voxels=np.arange(24.0).reshape(4, 3, 2), geometry=OBLIQUE)


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.nrrd", "X.NII.GZ"])
def test_what_is_written_is_read_back_the_same(name, tmp_path):
    write_volume(VOLUME, tmp_path / name)
    again = read_volume(tmp_path / name, modality=Modality.CT, unit=Unit.HU)
    np.testing.assert_array_equal(again.voxels, VOLUME.voxels)
    assert again.geometry.same_grid(OBLIQUE)
    assert (again.modality, again.unit) == (Modality.CT, Unit.HU)


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nrrd"])
def test_simpleitk_finds_our_voxels_where_we_do(name, tmp_path):
    write_volume(VOLUME, tmp_path / name)
    image = sitk.ReadImage(str(tmp_path / name))
    index = image.TransformPhysicalPointToIndex(tuple(OBLIQUE.to_mm((3, 1, 0))))
    assert index == (0, 1, 3)
    assert image.GetPixel(index) == VOLUME.voxels[3, 1, 0]


def test_a_nifti_made_by_hand_lies_where_its_ras_affine_says(tmp_path):
    """RAS (-1, -2, 3) is LPS (1, 2, 3)."""
    nib.save(
        nib.Nifti1Image(
            np.zeros((2, 3, 4), np.int16), np.array([[-2.0, 0, 0, -1], [0, -2.0, 0, -2], [0, 0, 5.0, 3], [0, 0, 0, 1]])
        ),
        tmp_path / "x.nii",
    )
    geometry = read_volume(tmp_path / "x.nii").geometry
    assert geometry.shape_kji == (4, 3, 2)
    np.testing.assert_allclose(geometry.to_mm((0, 0, 0)), [1, 2, 3])
    np.testing.assert_allclose(geometry.to_mm((1, 1, 1)), [3, 4, 8])


def test_a_nifti_scale_is_applied(tmp_path):
    """Stored 10 with scl_slope 2 and scl_inter -5 (bytes 112 and 116 of the NIfTI-1 header) is 15."""
    nib.save(nib.Nifti1Image(np.full((2, 2, 2), 10, np.int16), np.eye(4)), tmp_path / "x.nii")
    content = bytearray((tmp_path / "x.nii").read_bytes())
    struct.pack_into("<ff", content, 112, 2.0, -5.0)
    (tmp_path / "x.nii").write_bytes(content)
    assert read_volume(tmp_path / "x.nii").voxels[0, 0, 0] == 15


def test_a_fourth_dimension_of_one_is_dropped_and_of_two_is_refused(tmp_path):
    for count in (1, 2):
        nib.save(nib.Nifti1Image(np.zeros((2, 3, 4, count), np.int16), np.eye(4)), tmp_path / f"{count}.nii")
    assert read_volume(tmp_path / "1.nii").geometry.shape_kji == (4, 3, 2)
    with pytest.raises(InputError, match="expected a 3D image, found 4 dimensions"):
        read_volume(tmp_path / "2.nii")


def test_a_sheared_nifti_is_refused(tmp_path):
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), sheared), tmp_path / "x.nii")
    with pytest.raises(GeometryError, match="orthogonal"):
        read_volume(tmp_path / "x.nii")


def write_labels(path, values) -> None:
    image = sitk.GetImageFromArray(np.array(values, float).reshape(1, 2, 2))
    sitk.WriteImage(image, str(path))


def test_a_label_must_be_chosen_where_there_are_several_and_must_be_there(tmp_path):
    write_labels(tmp_path / "x.nrrd", [0, 2, 2, 7])
    assert read_mask(tmp_path / "x.nrrd", label=2).voxels.sum() == 2
    with pytest.raises(InputError, match=r"expected one label, found \[2, 7\]; choose one"):
        read_mask(tmp_path / "x.nrrd")
    with pytest.raises(InputError, match=r"label 3 not present, found \[2, 7\]"):
        read_mask(tmp_path / "x.nrrd", label=3)


def test_an_only_label_needs_no_choice_whatever_its_value_and_an_empty_file_is_an_empty_mask(tmp_path):
    write_labels(tmp_path / "one.nrrd", [0, 0, 255, 255])
    assert (read_mask(tmp_path / "one.nrrd").voxels.sum(), read_mask(tmp_path / "one.nrrd").label) == (2, "255")
    write_labels(tmp_path / "none.nrrd", [0, 0, 0, 0])
    assert not read_mask(tmp_path / "none.nrrd").voxels.any()
    with pytest.raises(InputError, match="label 1 not present, found only background"):
        read_mask(tmp_path / "none.nrrd", label=1)


@pytest.mark.parametrize("values", [[0, 0.5, 1, 1], [0, float("nan"), 1, 1], [0, float("inf"), 1, 1]])
def test_fractions_are_no_labels(values, tmp_path):
    write_labels(tmp_path / "x.nrrd", values)
    with pytest.raises(InputError, match="whole-number labels"):
        read_labels(tmp_path / "x.nrrd")


def test_a_mask_is_written_as_zeros_and_ones(tmp_path):
    write_mask(Mask(voxels=VOLUME.voxels > 11, geometry=OBLIQUE), tmp_path / "m.nii.gz")
    image = nib.load(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert int(np.asarray(image.dataobj).sum()) == 12


@pytest.mark.parametrize(("name", "content"), [("x.nii.gz", b"no gzip"), ("x.nii", b"x" * 400), ("x.nrrd", b"NRRD")])
def test_a_broken_file_is_refused_by_name(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: cannot be read"):
        read_volume(tmp_path / name)


def test_other_names_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.nii: no such file"):
        read_volume(tmp_path / "x.nii")
    with pytest.raises(InputError, match=r"x\.png: expected \.nii"):
        write_volume(VOLUME, tmp_path / "x.png")
    with pytest.raises(InputError, match="cannot be written"):
        write_volume(VOLUME, tmp_path / "nowhere" / "x.nrrd")
    (tmp_path / "x.mha").write_bytes(b"")
    with pytest.raises(InputError, match=r"x\.mha: expected \.nii"):
        read_volume(tmp_path / "x.mha")


def test_a_colour_nrrd_is_refused(tmp_path):
    sitk.WriteImage(sitk.Image([2, 2, 2], sitk.sitkVectorUInt8, 3), str(tmp_path / "x.nrrd"))
    with pytest.raises(InputError, match="3 components"):
        read_volume(tmp_path / "x.nrrd")


@pytest.mark.parametrize(("unit", "refused"), [("meter", True), ("micron", True), ("mm", False), ("unknown", False)])
def test_a_nifti_in_other_lengths_than_mm_is_refused(tmp_path, unit, refused):
    """In metres a lesion would be a thousand times too small."""
    image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.diag([1.0, 2.0, 3.0, 1.0]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "x.nii")

    if refused:
        with pytest.raises(InputError, match=f"x.nii: expected lengths in mm, found xyzt_units {unit}"):
            read_volume(tmp_path / "x.nii")
    else:
        assert read_volume(tmp_path / "x.nii").geometry.spacing_mm == (1.0, 2.0, 3.0)


def test_a_nifti_without_patient_space_says_so(tmp_path):
    """Both codes 0: left and right are a guess (NIfTI-1, method 1)."""
    image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4))
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nib.save(image, tmp_path / "x.nii")

    assert [finding.code for finding in read_volume(tmp_path / "x.nii").findings] == ["no-patient-space"]
    write_volume(VOLUME, tmp_path / "y.nii")
    assert read_volume(tmp_path / "y.nii").findings == ()


def test_nan_in_a_file_is_counted_in_a_finding(tmp_path):
    values = np.zeros((2, 3, 4), np.float32)
    values[0, 0, :2] = np.nan
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "x.nii")

    [finding] = read_volume(tmp_path / "x.nii").findings

    assert finding.code == "not-finite"
    assert finding.text.startswith("2 voxels are NaN or infinite")


@pytest.mark.parametrize("kind", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])])
def test_complex_and_colour_nifti_are_refused(tmp_path, kind):
    """The imaginary part would be dropped."""
    nib.save(nib.Nifti1Image(np.zeros((2, 3, 4), kind), np.eye(4)), tmp_path / "x.nii")

    with pytest.raises(InputError, match=r"x\.nii: expected one real number a voxel, found"):
        read_volume(tmp_path / "x.nii")


def nrrd(path, *lines):
    """An NRRD of 2 x 3 x 4 int16 voxels with these lines in its header."""
    head = ["NRRD0005", "type: short", "dimension: 3", "sizes: 2 3 4", "encoding: raw", "endian: little", *lines]
    path.write_bytes("\n".join([*head, "", ""]).encode() + np.arange(24, dtype="<i2").tobytes())
    return path


PLACED = "space directions: (2,0,0) (0,3,0) (0,0,4)"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("space: left-posterior-superior",), "expected space directions or spacings, found neither"),
        (("space: LPS", 'space units: "m" "m" "m"', PLACED), "expected lengths in mm, found m"),
        (("spacings: 2 3 4", 'units: "cm" "cm" "cm"'), "expected lengths in mm, found cm"),
    ],
)
def test_an_nrrd_whose_voxels_have_no_size_in_mm_is_refused(tmp_path, lines, message):
    """Read as 1 mm, or as millimetres, every length would be wrong."""
    with pytest.raises(InputError, match=rf"x\.nrrd: {message}"):
        read_volume(nrrd(tmp_path / "x.nrrd", *lines))


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        (("space: right-anterior-superior", 'space units: "mm" "mm" "mm"', PLACED), []),
        (("space: LPS", PLACED), []),
        (("space: scanner-xyz", PLACED), ["no-patient-space"]),
        (("spacings: 2 3 4",), ["no-patient-space"]),
    ],
)
def test_an_nrrd_without_patient_space_says_so(tmp_path, lines, codes):
    volume = read_volume(nrrd(tmp_path / "x.nrrd", *lines))

    assert [finding.code for finding in volume.findings] == codes
    assert volume.geometry.spacing_mm == (2.0, 3.0, 4.0)
