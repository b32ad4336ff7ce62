"""Series to volumes: ordered by position, checked, rescaled; what is not one volume is refused by name."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file, get_testdata_files

from npcpit_imaging.config.series import Choice, SeriesPolicy
from npcpit_imaging.dicom.load import load_folder, load_series
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.dicom.split import split_series
from npcpit_imaging.errors import InputError, NpcpitError, SeriesError
from npcpit_imaging.volume.itk import geometry_of
from npcpit_imaging.volume.volume import Modality, Unit


def stored_slice(k, shape_ji=(6, 8)):
    """What the factory stores by default: 100 k + 10 j + i."""
    j, i = np.indices(shape_ji)
    return (100 * k + 10 * j + i).astype(np.int16)


EXPECTED = np.stack([stored_slice(k) for k in range(4)]).astype(np.float32)
ONE_SLICE = SeriesPolicy(single_slice=Choice.ALLOW)


def codes(volume):
    return [finding.code for finding in volume.findings]


def refused(folder, **options):
    """The message of the refusal; it never holds the patient."""
    with pytest.raises(SeriesError) as caught:
        load_folder(folder, **options)
    assert "Secret" not in str(caught.value)
    return str(caught.value)


def set_position(**where):
    """A change that moves slices: `{k: (x, y, z)}`."""

    def change(dataset, k):
        if k in where["at"]:
            dataset.ImagePositionPatient = list(where["at"][k])

    return change


# --- ordinary series -------------------------------------------------------------------------------------------------


def test_slices_are_ordered_by_position_and_not_by_number(tmp_path, make_series):
    """InstanceNumber runs against the position in the factory."""
    make_series(tmp_path)

    volume = load_folder(tmp_path)

    assert np.array_equal(volume.voxels, EXPECTED - 1024)
    assert volume.geometry.shape_kji == (4, 6, 8)
    assert volume.geometry.spacing_mm == (0.25, 0.5, 3.0)
    assert volume.geometry.origin_mm == (10.0, 20.0, 30.0)
    assert (volume.modality, volume.unit, volume.findings) == (Modality.CT, Unit.HU, ())
    assert volume.geometry.frame_of_reference_uid == pydicom.dcmread(next(tmp_path.iterdir())).FrameOfReferenceUID


def test_spacing_comes_from_positions_and_not_from_thickness(tmp_path, make_series):
    """SliceThickness is 3 mm in the factory, the slices are 1.5 mm apart."""
    make_series(tmp_path, spacing_mm=1.5)

    assert load_folder(tmp_path).geometry.spacing_mm[2] == pytest.approx(1.5)


def test_a_list_of_files_is_a_series(tmp_path, make_series):
    """`load_series` takes paths as well as a scanned series."""
    files = make_series(tmp_path)

    assert np.array_equal(load_series(files).voxels, EXPECTED - 1024)


@pytest.mark.parametrize(
    "orientation",
    [(0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (0.8, 0.6, 0, 0, 0, -1), (-1, 0, 0, 0, 1, 0)],
    ids=["sagittal", "coronal", "oblique", "flipped"],
)
def test_any_orientation_puts_voxels_where_the_header_says(tmp_path, make_series, orientation):
    """A voxel's place is its slice's position plus column and row steps, PS3.3 equation C.7.6.2.1-1."""
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(row, column)

    def change(dataset, k):
        dataset.ImageOrientationPatient = [float(value) for value in orientation]
        dataset.ImagePositionPatient = [float(value) for value in 5.0 - normal * 2.0 * k]  # against the normal

    make_series(tmp_path, change=change)

    volume = load_folder(tmp_path)

    for k, j, i in ((0, 0, 0), (1, 2, 3), (3, 5, 7)):
        place = 5.0 - normal * 2.0 * k + row * 0.25 * i + column * 0.5 * j
        index = np.rint(volume.geometry.to_index(place)).astype(int)
        assert np.allclose(volume.geometry.to_mm(index), place, atol=1e-6)
        assert volume.voxels[tuple(index)] == EXPECTED[k, j, i] - 1024


def test_slope_and_intercept_are_each_slices_own(tmp_path, make_series):
    """PET scanners scale every slice by itself."""

    def change(dataset, k):
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 * (k + 1), float(k)

    make_series(tmp_path, modality="PT", change=change)

    expected = np.stack([stored_slice(k) * 0.5 * (k + 1) + k for k in range(4)])
    volume = load_folder(tmp_path)
    assert np.allclose(volume.voxels, expected)
    assert volume.unit is Unit.BQML


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_signed_and_unsigned_values_of_every_width(tmp_path, make_series, kind):
    """The extremes of each type survive (32 bits to float32's own precision)."""
    ends = np.array([[np.iinfo(kind).min, np.iinfo(kind).max], [1, 2]], kind)
    make_series(tmp_path, modality="MR", count=2, stored=lambda _: ends)

    assert np.array_equal(load_folder(tmp_path).voxels[0], ends.astype(np.float32))


def test_bits_above_bits_stored_do_not_count(tmp_path, make_series):
    """Old overlays live in the high bits; a signed value keeps its sign (PS3.5 8.1.1)."""
    values = np.array([[0x0800, 0x17FF], [0x0FFF, 0xF001]], np.uint16)
    stored = values.view(np.int16)
    make_series(tmp_path, modality="MR", count=2, stored=lambda _: stored, values={"BitsStored": 12, "HighBit": 11})

    assert load_folder(tmp_path).voxels[0].tolist() == [[-2048.0, 2047.0], [-1.0, 1.0]]


def test_mr_needs_no_rescale(tmp_path, make_series):
    """MR Image (PS3.3 C.8.3.1) has no rescale of its own: values stay as stored, the unit is arbitrary."""
    make_series(tmp_path, modality="MR")

    volume = load_folder(tmp_path)

    assert np.array_equal(volume.voxels, EXPECTED)
    assert volume.unit is Unit.ARBITRARY


def test_pet_in_gml_is_suv_when_the_type_is_absent_or_bw(tmp_path, make_series):
    """PS3.3 C.8.9.1: without SUVType, GML is by body weight; by lean body mass it is no SUVbw."""
    make_series(tmp_path / "absent", modality="PT", values={"Units": "GML"})
    make_series(tmp_path / "bw", modality="PT", values={"Units": "GML", "SUVType": "BW"})
    make_series(tmp_path / "lean", modality="PT", values={"Units": "GML", "SUVType": "LBM"})

    units = [load_folder(tmp_path / name).unit for name in ("absent", "bw", "lean")]
    assert units[:2] == [Unit.SUVBW, Unit.SUVBW]
    assert units[2] is not Unit.SUVBW


# --- transfer syntaxes and multi-frame -------------------------------------------------------------------------------

MR_SAMPLES = [
    "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", MR_SAMPLES)
def test_one_image_in_every_transfer_syntax_has_the_same_voxels(name):
    """pydicom ships one MR in eight encodings; ITK reads the plain one."""
    itk = sitk.ReadImage(get_testdata_file("MR_small.dcm"))

    volume = load_series([Path(get_testdata_file(name))], policy=ONE_SLICE)

    assert np.array_equal(volume.voxels, sitk.GetArrayFromImage(itk).astype(np.float32))
    assert codes(volume) == ["single-slice"]


def test_a_deflated_file_is_read(tmp_path, make_series):
    """In a deflated file no byte position tells where the pixels are."""
    for path in make_series(tmp_path, count=2):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        pydicom.dcmwrite(path, dataset)

    assert np.array_equal(load_folder(tmp_path).voxels, EXPECTED[:2] - 1024)


def test_an_enhanced_multi_frame_ct_equals_its_classic_slices(shared_data):
    """dcmqi's sample comes both ways."""
    folder = shared_data / "images" / "dcmqi" / "segmentations" / "24x38x3"
    enhanced, classic = load_folder(folder / "multiframe"), load_folder(folder / "image")

    assert np.array_equal(enhanced.voxels, classic.voxels)
    assert enhanced.geometry.same_grid(classic.geometry)


# --- real series -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "sts/STS_002/CT", "sts/STS_003/MR_T1", "sts/STS_008/PET", "sts_001_raw/MR_T2",
        "mr_two_dates/SCAN_001", "jpeg2000_ct", "ibsi_1_ct_phantom/dicom",
    ],
)  # fmt: skip
def test_voxels_and_grid_are_those_of_itks_reader(shared_data, name):
    """SimpleITK orders by position too; PET's fractional slope differs by float32 rounding at most."""
    folder = shared_data / "images" / name
    folder = folder / "image" if (folder / "image").is_dir() else folder
    files = {pydicom.dcmread(path, specific_tags=["ImagePositionPatient"]).ImagePositionPatient[2]: str(path)
             for path in folder.iterdir() if scan(path).series}  # fmt: skip
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([files[z] for z in sorted(files)])
    reader.SetOutputPixelType(sitk.sitkFloat64)
    itk = reader.Execute()

    volume = load_folder(folder)

    assert volume.geometry.same_grid(geometry_of(itk))
    assert np.allclose(volume.voxels, sitk.GetArrayFromImage(itk), rtol=1e-6, atol=0)


def test_a_jittering_pet_is_read_at_its_mean_spacing_with_a_finding(shared_data):
    """3.19 to 3.29 mm over 266 steps: no slice is 2 % of a step from its place; see decision 0010."""
    volume = load_folder(shared_data / "images" / "sts_001_raw" / "FDG_PET" / "image")

    assert volume.geometry.spacing_mm[2] == pytest.approx(3.27, abs=1e-4)
    assert codes(volume) == ["slice-spacing-jitter"]
    assert "3.190 to 3.290 mm" in volume.findings[0].text


# --- bad input -------------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_an_input_error(tmp_path):
    """Nothing there, and the message says so."""
    with pytest.raises(InputError, match="expected a series of DICOM images, found none"):
        load_folder(tmp_path)


def test_a_folder_of_other_files_says_what_was_left_out(tmp_path):
    """The reasons are counted."""
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="left out: 1 x not a DICOM file"):
        load_folder(tmp_path)


def test_several_series_must_be_chosen_between(tmp_path, make_series):
    """The choices are listed by UID, modality and number of slices."""
    make_series(
        tmp_path / "a", modality="CT", count=3, values={"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.2.3"}
    )
    make_series(
        tmp_path / "b", modality="MR", count=2, values={"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.2.4"}
    )

    with pytest.raises(InputError, match=r"found 1\.2\.3 \(CT, 3 slices\); 1\.2\.4 \(MR, 2 slices\)"):
        load_folder(tmp_path)
    assert load_folder(tmp_path, series_uid="1.2.4").modality is Modality.MR
    with pytest.raises(InputError, match=r"no series 9\.9, found 1\.2\.3"):
        load_folder(tmp_path, series_uid="9.9")


def test_one_slice_is_refused_unless_allowed(tmp_path, make_series):
    """A lone slice has no spacing; allowed, its thickness stands in, with a finding."""
    make_series(tmp_path, count=1)

    assert "expected at least 2 slices, found 1" in refused(tmp_path)
    volume = load_folder(tmp_path, policy=ONE_SLICE)
    assert volume.geometry.spacing_mm[2] == 3.0
    assert codes(volume) == ["single-slice"]


def test_mixed_frames_of_reference_are_refused(tmp_path, make_series):
    """Slices of two frames never make one volume."""

    def change(dataset, k):
        dataset.FrameOfReferenceUID = f"1.2.{k // 2}"

    make_series(tmp_path, change=change)

    message = refused(tmp_path)
    assert "expected one volume, found 2 by FrameOfReferenceUID (0020,0052)" in message
    assert "= 1.2.0 (2 slices)" in message


def test_two_orientations_are_refused(tmp_path, make_series):
    """Two axial and two coronal slices."""

    def change(dataset, k):
        if k > 1:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    make_series(tmp_path, change=change)

    assert "found 2 by ImageOrientationPatient (0020,0037)" in refused(tmp_path)


def test_two_sizes_are_refused(tmp_path, make_series):
    """Rows and columns differ from slice 2 on."""
    make_series(tmp_path, stored=lambda k: stored_slice(k, (6, 8) if k < 2 else (4, 4)))

    assert "found 2 by Rows x Columns" in refused(tmp_path)


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"])
def test_missing_geometry_names_its_tag(tmp_path, make_series, keyword):
    """No grid is guessed."""

    def change(dataset, k):
        delattr(dataset, keyword)

    make_series(tmp_path, change=change)

    assert f"{keyword} (00" in (message := refused(tmp_path))
    assert "is missing" in message


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_missing_rescale_of_ct_and_pet_names_its_tag(tmp_path, make_series, keyword, modality):
    """Stored values of a CT are not HU without it."""

    def change(dataset, k):
        delattr(dataset, keyword)

    make_series(tmp_path, modality=modality, change=change)

    assert f"{keyword} (0028," in (message := refused(tmp_path))
    assert "is missing" in message


@pytest.mark.parametrize("value", ["NaN", "inf", "0"])
def test_a_slope_that_is_no_number_is_refused(tmp_path, make_series, value):
    """NaN and infinity pass pydicom's reader as decimal strings; 0 would erase the image."""
    for path in make_series(tmp_path, values={"RescaleSlope": 77.0}):
        path.write_bytes(path.read_bytes().replace(b"77.0", value.ljust(4).encode()))

    assert "RescaleSlope (0028,1053): expected a finite number" in refused(tmp_path)


def test_truncated_pixel_data_names_the_instance(tmp_path, make_series):
    """6 x 8 values of two bytes are 96 bytes; 40 are cut off."""
    files = make_series(tmp_path)
    uid = pydicom.dcmread(files[2]).SOPInstanceUID
    files[2].write_bytes(files[2].read_bytes()[:-40])

    message = refused(tmp_path)
    assert f"instance {uid}: truncated pixel data in frame 1, expected 96 bytes, found 56" in message


def test_pixel_data_shorter_than_the_image_is_truncated_too(tmp_path, make_series):
    """The element itself is whole, but holds half the values."""

    def change(dataset, k):
        dataset.PixelData = dataset.PixelData[:48]

    make_series(tmp_path, change=change)

    assert "truncated pixel data" in refused(tmp_path)


def test_truncated_compressed_pixel_data_is_refused():
    """pydicom's MR_truncated.dcm and half of a JPEG 2000 stream."""
    with pytest.raises(SeriesError, match="truncated"):
        load_series([Path(get_testdata_file("MR_truncated.dcm"))], policy=ONE_SLICE)


@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm"])
def test_half_a_compressed_stream_is_refused(tmp_path, name):
    """A codec that fills the rest with zeros would make a silently wrong image."""
    whole = Path(get_testdata_file(name)).read_bytes()
    start = whole.rindex(b"\xe0\x7f\x10\x00")
    path = tmp_path / "half"
    path.write_bytes(whole[: start + (len(whole) - start) // 2])

    with pytest.raises(SeriesError):
        load_series([path], policy=ONE_SLICE)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm"])
def test_a_compressed_stream_that_lost_its_end_is_refused(tmp_path, name, kept):
    """The fragment itself is whole DICOM; libjpeg would decode the rest as noise and say nothing."""
    dataset = pydicom.dcmread(get_testdata_file(name))
    stream = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = pydicom.encaps.encapsulate([stream[: int(len(stream) * kept)]])
    dataset.save_as(tmp_path / "cut")

    with pytest.raises(SeriesError, match=r"truncated|cannot be decoded"):
        load_series([tmp_path / "cut"], policy=ONE_SLICE)


def test_missing_pixel_data_is_refused(tmp_path, make_series):
    """A header alone is no image."""

    def change(dataset, k):
        del dataset.PixelData

    make_series(tmp_path, change=change)

    assert "PixelData (7FE0,0010) is missing" in refused(tmp_path)


def test_a_gap_says_how_wide_where_and_how_many_are_missing(tmp_path, make_series):
    """Slices at 30, 33, 36, 45: two are missing after 36."""
    make_series(tmp_path, change=set_position(at={3: (10.0, 20.0, 45.0)}))

    message = refused(tmp_path)
    assert "slice gap 9.000 mm after slice 2 at (10.00, 20.00, 36.00) mm, expected 3.000 mm" in message
    assert "about 2 missing" in message


@pytest.mark.parametrize(("shift_mm", "accepted"), [(0.10, True), (0.20, False)])
def test_jitter_is_allowed_up_to_a_twentieth_of_the_spacing(tmp_path, make_series, shift_mm, accepted):
    """0.15 mm of 3 mm: a slice 0.10 mm from its place is read with a finding, 0.20 mm is refused."""
    make_series(tmp_path, change=set_position(at={1: (10.0, 20.0, 33.0 + shift_mm)}))

    if accepted:
        assert codes(load_folder(tmp_path)) == ["slice-spacing-jitter"]
    else:
        assert "slice gap" in refused(tmp_path)


def test_identical_copies_are_left_out_with_a_finding(tmp_path, make_series):
    """The same file twice under another name."""
    files = make_series(tmp_path)
    (tmp_path / "copy").write_bytes(files[1].read_bytes())

    volume = load_folder(tmp_path)

    assert np.array_equal(volume.voxels, EXPECTED - 1024)
    assert codes(volume) == ["duplicate-slice"]


def test_identical_copies_are_refused_where_the_policy_says_so(tmp_path, make_series):
    files = make_series(tmp_path)
    (tmp_path / "copy").write_bytes(files[1].read_bytes())

    message = refused(tmp_path, policy=SeriesPolicy(duplicate=Choice.REFUSE))
    assert "expected each slice once, found 1 identical copies" in message


def test_a_modality_table_is_refused(tmp_path, make_series):
    """ModalityLUTSequence instead of slope and intercept: no linear scale would be right."""

    def change(dataset, k):
        table = pydicom.Dataset()
        table.LUTDescriptor, table.LUTData = [2, 0, 16], bytes([0, 0, 5, 0])
        dataset.ModalityLUTSequence = pydicom.Sequence([table])

    make_series(tmp_path, modality="MR", change=change)

    assert "ModalityLUTSequence (0028,3000): expected a slope and an intercept, found a table" in refused(tmp_path)


def test_two_different_images_at_one_place_are_refused(tmp_path, make_series):
    """Nothing tells them apart, so neither is chosen."""
    move = set_position(at={1: (10.0, 20.0, 30.0), 2: (10, 20, 33), 3: (10, 20, 36)})

    def change(dataset, k):
        move(dataset, k)
        dataset.ContentTime = f"12000{k}"  # differs in every slice, so it tells no volumes apart

    make_series(tmp_path, change=change)

    message = refused(tmp_path)
    assert "two different images at (10.0, 20.0, 30.0) mm" in message


def test_a_gantry_tilt_is_refused_with_its_angle(tmp_path, make_series):
    """Slices shifted along y by tan(15 degrees) of their height."""
    shift = 3.0 * np.tan(np.radians(15.0))
    make_series(tmp_path, change=set_position(at={k: (10.0, 20.0 + shift * k, 30.0 + 3.0 * k) for k in range(4)}))

    assert "15.00 degrees (a gantry tilt)" in refused(tmp_path)


def test_a_gap_is_interpolated_where_the_policy_allows(tmp_path, make_series):
    """Values that grow with height by 100 a slice: the missing slices at 39 and 42 mm are on the line."""
    stored = {3: stored_slice(5)}
    make_series(
        tmp_path,
        change=set_position(at={3: (10.0, 20.0, 45.0)}),
        stored=lambda k: stored.get(k, stored_slice(k)),
    )

    volume = load_folder(tmp_path, policy=SeriesPolicy(gap=Choice.ALLOW))

    assert np.allclose(volume.voxels, np.stack([stored_slice(k) for k in range(6)]) - 1024.0, atol=1e-3)
    assert volume.geometry.spacing_mm[2] == pytest.approx(3.0)
    assert codes(volume) == ["slices-interpolated"]


@pytest.mark.parametrize("degrees", [15.0, -8.0])
def test_a_tilt_is_taken_back_where_the_policy_allows(tmp_path, make_series, degrees):
    """An image that grows with y, 100 per mm, in patient space: upright, every voxel inside has its own y's value."""
    shift = 3.0 * np.tan(np.radians(degrees))

    def stored(k):
        y = 20.0 + shift * k + 0.5 * np.arange(40)
        return np.rint(100.0 * y)[:, None].repeat(6, axis=1).astype(np.int16)

    positions = {k: (10.0, 20.0 + shift * k, 30.0 + 3.0 * k) for k in range(4)}
    make_series(tmp_path, modality="MR", stored=stored, change=set_position(at=positions))

    volume = load_folder(tmp_path, policy=SeriesPolicy(tilt=Choice.ALLOW))

    assert codes(volume) == ["tilt-resampled"]
    assert f"{abs(degrees):.2f} degrees" in volume.findings[0].text
    k, j, i = np.indices(volume.voxels.shape)
    y = volume.geometry.to_mm(np.stack([k, j, i], axis=-1))[..., 1]
    inside = (y >= 20.0 + shift * k) & (y <= 20.0 + shift * k + 0.5 * 39)
    assert inside.sum() >= 4 * 39 * 6  # no slice lost its pixels
    assert np.allclose(volume.voxels[inside], 100.0 * y[inside], atol=1.0)
    assert np.all(volume.voxels[(y < 19.0 + shift * k)] == volume.voxels.min())


def test_a_slice_moved_within_its_plane_is_refused(tmp_path, make_series):
    """Slice 1 lies 1 mm to the side of the others."""
    make_series(tmp_path, change=set_position(at={1: (11.0, 20.0, 33.0)}))

    assert "slice 1 lies 1.000 mm beside the others" in refused(tmp_path)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoTime", (10.0, 80.0)),
        ("DiffusionBValue", (0.0, 800.0)),
        ("TemporalPositionIdentifier", (1, 2)),
        ("TriggerTime", (0.0, 400.0)),
        ("AcquisitionNumber", (1, 2)),
    ],
)
def test_two_volumes_in_one_series_are_refused_and_can_be_split(tmp_path, make_series, keyword, values):
    """Echoes, b-values, time positions, phases, acquisitions: the criterion and its values are named."""

    def change(dataset, k):
        setattr(dataset, keyword, values[k % 2])
        dataset.ImagePositionPatient = [10.0, 20.0, 30.0 + 3.0 * (k // 2)]

    make_series(tmp_path, modality="MR", count=6, change=change)

    message = refused(tmp_path)
    assert f"expected one volume, found 2 by {keyword} (" in message
    parts = split_series(scan(tmp_path).series[0])
    assert [float(part.criteria[0][1]) for part in parts] == [float(value) for value in values]
    first, second = (load_series(part) for part in parts)
    assert np.array_equal(first.voxels, np.stack([stored_slice(k) for k in (0, 2, 4)]))
    assert np.array_equal(second.voxels, np.stack([stored_slice(k) for k in (1, 3, 5)]))


def test_a_criterion_that_differs_in_every_slice_splits_nothing(tmp_path, make_series):
    """Acquisition times and numbers of one plain volume differ from slice to slice."""

    def change(dataset, k):
        dataset.AcquisitionNumber = k
        dataset.AcquisitionTime = f"12000{k}"

    make_series(tmp_path, change=change)

    assert np.array_equal(load_folder(tmp_path).voxels, EXPECTED - 1024)


def test_one_number_written_two_ways_splits_nothing(tmp_path, make_series):
    """Decimal strings 10 and 10.0 are one echo time."""

    def change(dataset, k):
        dataset.EchoTime = ("10", "10.0")[k % 2]

    make_series(tmp_path, modality="MR", change=change)

    assert np.array_equal(load_folder(tmp_path).voxels, EXPECTED)


def test_two_units_in_one_series_are_refused(tmp_path, make_series):
    """Half the slices in Bq/mL, half in SUV."""

    def change(dataset, k):
        dataset.Units = ("BQML", "GML")[k // 2]

    make_series(tmp_path, modality="PT", change=change)

    assert "found 2 by Units (0054,1001) or RescaleType (0028,1054)" in refused(tmp_path)


def test_echo_and_time_position_split_together(tmp_path, make_series):
    """Two echoes of two time positions are four volumes."""

    def change(dataset, k):
        dataset.EchoTime, dataset.TemporalPositionIdentifier = (10.0, 80.0)[k % 2], k // 2 % 2
        dataset.ImagePositionPatient = [10.0, 20.0, 30.0 + 3.0 * (k // 4)]

    make_series(tmp_path, modality="MR", count=12, change=change)

    parts = split_series(scan(tmp_path).series[0])
    assert [len(part.slices) for part in parts] == [3, 3, 3, 3]


def test_padding_outside_the_field_of_view_is_reported(tmp_path, make_series):
    """A corner of -2000 is no measurement; it keeps its value and a finding says how many voxels."""

    def stored(k):
        values = stored_slice(k)
        values[0, :2] = -2000
        return values

    make_series(tmp_path, stored=stored, values={"PixelPaddingValue": -2000})

    volume = load_folder(tmp_path)
    assert codes(volume) == ["pixel-padding"]
    assert "8 voxels" in volume.findings[0].text


def test_lossy_pixels_are_read_with_a_finding_or_refused(tmp_path, make_series):
    """The policy decides; the default reads them and says so."""
    make_series(tmp_path, values={"LossyImageCompression": "01"})

    assert codes(load_folder(tmp_path)) == ["lossy-compression"]
    assert "LossyImageCompression (0028,2110)" in refused(tmp_path, policy=SeriesPolicy(lossy=Choice.REFUSE))


def test_every_series_of_pydicoms_collection_is_a_volume_or_a_named_refusal():
    """No traceback, whatever the file."""
    root = Path(pydicom.__file__).parent / "data" / "test_files"
    outcomes = {"volume": 0, "refusal": 0}
    for name in get_testdata_files():
        path = Path(name)
        if not path.is_file() or root not in path.parents:
            continue
        try:
            load_series([path], policy=ONE_SLICE)
            outcomes["volume"] += 1
        except NpcpitError:
            outcomes["refusal"] += 1
    assert outcomes["volume"] >= 20
    assert outcomes["refusal"] >= 50


def test_every_folder_of_the_shared_images_is_a_volume_or_a_named_refusal(shared_data):
    """One folder at a time, as a user would."""
    volumes = 0
    for folder in sorted({path.parent for path in (shared_data / "images").rglob("*") if path.is_file()}):
        if folder.parent.parent.parent.name == "sts":
            continue  # read one by one above
        try:
            load_folder(folder)
            volumes += 1
        except NpcpitError:
            continue
    assert volumes >= 10


def test_one_of_the_named_files_that_cannot_be_read_is_refused(tmp_path, make_series):
    """The last slice of a study's series, damaged on disk: three of four slices would look like a whole volume."""
    paths = make_series(tmp_path)
    paths[-1].write_bytes(b"")

    with pytest.raises(SeriesError, match="expected 4 readable objects; left out: 1 x an empty file"):
        load_series(paths)
