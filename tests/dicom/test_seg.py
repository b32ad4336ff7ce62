"""Segmentations: ours valid and read back to the voxel, others' as their own readers see them, the rest refused."""

import importlib
import sys
from datetime import timedelta
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

from npcpit_imaging.dicom.load import load_folder, load_series
from npcpit_imaging.dicom.seg import SegmentedLesion, write_seg
from npcpit_imaging.dicom.seg_read import read_segment, segments
from npcpit_imaging.errors import DicomError, GeometryError, InputError, NpcpitError
from npcpit_imaging.volume.files import read_mask
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.reorder import reorder
from npcpit_imaging.volume.volume import Mask

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
made = importlib.import_module("lesion_objects")

SOURCES = [(modality, identity) for modality in ("CT", "MR_T2", "PET") for identity in ("as it is", "de-identified")]


@pytest.fixture(scope="module", params=SOURCES, ids=lambda param: f"{param[0]} {param[1]}")
def written(request, tmp_path_factory):
    """A SEG of three lesions on one series of the sample, with the series' files and grid."""
    modality, identity = request.param
    folder = made.SAMPLE / modality
    files = sorted(folder.iterdir())
    if identity == "de-identified":
        files = made.deidentified_copy(folder, tmp_path_factory.mktemp("copy"))
    geometry = load_series(files).geometry
    path = tmp_path_factory.mktemp("seg") / "seg.dcm"
    write_seg(path, made.segmented(geometry), sources=files, created=made.SIGNED)
    return path, files, geometry


@pytest.fixture(scope="module")
def mr(tmp_path_factory):
    """Files and grid of the smallest series."""
    files = sorted((made.SAMPLE / "MR_T2").iterdir())
    return files, load_series(files).geometry


# --- ours ------------------------------------------------------------------------------------------------------------


def test_the_validator_finds_no_error(written):
    """dciodvfy knows the SEG IOD; CT, MR and PET as sources, de-identified ones too."""
    assert made.errors_of(written[0]) == []


def test_images_without_the_patients_optional_elements_still_give_a_valid_seg(mr, tmp_path):
    """Type 2 elements that a scanner left out are there, and empty, in what is made from its images."""
    files, geometry = mr
    for file in files:
        image = pydicom.dcmread(file)
        for keyword in ("PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"):
            if keyword in image:
                delattr(image, keyword)
        image.save_as(tmp_path / file.name)
    write_seg(tmp_path / "seg", made.segmented(geometry), sources=sorted(tmp_path.glob("*.dcm")), created=made.SIGNED)
    assert made.errors_of(tmp_path / "seg") == []
    assert pydicom.dcmread(tmp_path / "seg").PatientBirthDate == ""


def test_each_lesion_comes_back_to_the_voxel(written):
    """Three lesions, two of which overlap and one on one slice only."""
    path, _, geometry = written
    for number, mask in enumerate(made.three_masks(geometry.shape_kji), start=1):
        assert np.array_equal(read_segment(path, geometry, number=number).voxels, mask)


def test_another_reader_sees_the_same_voxels(written):
    """highdicom, asked by the images' own UIDs in the order of their position."""
    path, files, geometry = written
    ordered = sorted((pydicom.dcmread(file, stop_before_pixels=True) for file in files), key=along_normal)
    seen = hd.seg.segread(path).get_pixels_by_source_instance([str(image.SOPInstanceUID) for image in ordered])
    expected = np.stack(made.three_masks(geometry.shape_kji), axis=-1)
    assert np.array_equal(seen.astype(bool), expected)


def along_normal(image):
    orientation = np.array(image.ImageOrientationPatient, float)
    return float(np.cross(orientation[:3], orientation[3:]) @ np.array(image.ImagePositionPatient, float))


def test_segments_carry_identity_site_and_algorithm(written):
    """Tracking UID and ID are the lesion's; a site without a code is head and neck, its words in the label."""
    path, files, _ = written
    seg, source = hd.seg.segread(path), pydicom.dcmread(files[0], stop_before_pixels=True)
    items = seg.SegmentSequence
    assert [item.TrackingUID for item in items] == ["2.25.47111", "2.25.47112", "2.25.47113"]
    assert [item.TrackingID for item in items] == ["T01", "T02", "T03"]
    assert [item.SegmentLabel for item in items] == [
        "T01 NASOPHARYNX", "T02 RETROPHARYNGEAL LYMPH NODE", "T03 MASTICATOR SPACE",
    ]  # fmt: skip
    regions = [item.AnatomicRegionSequence[0].CodeValue for item in items]
    assert regions == ["71836000", "25683005", "774007"]
    assert {item.SegmentAlgorithmType for item in items} == {"SEMIAUTOMATIC"}
    assert items[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "pet-41-percent"
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.PatientID == source.PatientID
    assert seg.get("PatientIdentityRemoved") == source.get("PatientIdentityRemoved")
    assert (seg.ContentDate, seg.ContentTime) == ("20240305", "093015")


def test_our_list_of_segments_says_the_same(written):
    """The list that messages and pages choose from."""
    listed = segments(written[0])
    assert [(each.number, each.tracking_id, each.tracking_uid) for each in listed] == [
        (1, "T01", "2.25.47111"), (2, "T02", "2.25.47112"), (3, "T03", "2.25.47113"),
    ]  # fmt: skip


def test_the_same_inputs_and_moment_give_the_same_bytes(mr, tmp_path):
    """An export can be made again; another moment is another object."""
    files, geometry = mr
    lesions = made.segmented(geometry)
    for name, moment in (("a", made.SIGNED), ("b", made.SIGNED), ("c", made.SIGNED + timedelta(seconds=1))):
        write_seg(tmp_path / name, lesions, sources=files, created=moment)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pydicom.dcmread(tmp_path / "a").SOPInstanceUID != pydicom.dcmread(tmp_path / "c").SOPInstanceUID


def test_lesions_apart_are_written_like_lesions_that_overlap(mr, tmp_path):
    """Two paths through the writer, one answer."""
    files, geometry = mr
    first, _, third = made.segmented(geometry)
    write_seg(tmp_path / "apart", [first, third], sources=files)
    for number, each in enumerate((first, third), start=1):
        assert np.array_equal(read_segment(tmp_path / "apart", geometry, number=number).voxels, each.mask.voxels)


def test_files_in_any_order_give_the_same_voxels(mr, tmp_path):
    """A series comes as the file system lists it."""
    files, geometry = mr
    shuffled = [files[k] for k in np.random.default_rng(3).permutation(len(files))]
    write_seg(tmp_path / "seg", made.segmented(geometry), sources=shuffled)
    for number, mask in enumerate(made.three_masks(geometry.shape_kji), start=1):
        assert np.array_equal(read_segment(tmp_path / "seg", geometry, number=number).voxels, mask)


def test_a_jittering_pet_keeps_its_slices(shared_data, tmp_path):
    """Slice steps of 3.19 to 3.29 mm: the regular grid's slices are still the files' own."""
    folder = shared_data / "images" / "sts_001_raw" / "FDG_PET" / "image"
    geometry = load_folder(folder).geometry
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[::29, 60, 61:64] = True
    each = SegmentedLesion(
        lesion=made.lesion("T01", "NECK"), mask=Mask(voxels=voxels, geometry=geometry), algorithm="a", version="1"
    )
    write_seg(tmp_path / "seg", [each], sources=sorted(folder.iterdir()))
    assert np.array_equal(read_segment(tmp_path / "seg", geometry).voxels, voxels)


@pytest.mark.parametrize("modality", ["CT", "PET"])
@pytest.mark.parametrize("patient", ["STS_002", "STS_003", "STS_008"])
def test_frames_that_begin_within_a_byte_come_back_to_the_voxel(shared_data, tmp_path, patient, modality):
    """Rows times columns is no multiple of 8 in most of these, so neither is a frame of single bits."""
    folder = shared_data / "images" / "sts" / patient / modality / "image"
    geometry = load_folder(folder).geometry
    voxels = np.random.default_rng(3).random(geometry.shape_kji) < 0.3
    each = SegmentedLesion(
        lesion=made.lesion("T01", "NECK"), mask=Mask(voxels=voxels, geometry=geometry), algorithm="a", version="1"
    )
    write_seg(tmp_path / "seg", [each], sources=sorted(folder.iterdir()))
    assert np.array_equal(read_segment(tmp_path / "seg", geometry).voxels, voxels)


@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
def test_an_enhanced_source_is_a_source_like_any_other(shared_data, tmp_path, size):
    """One multi-frame file instead of a file a slice; rows of 23 pixels do not fill their last byte."""
    folder = shared_data / "images" / "dcmqi" / "segmentations" / size / "multiframe"
    geometry = load_folder(folder).geometry
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[1, 3, 4:9] = voxels[2, 30, 20:23] = True
    each = SegmentedLesion(
        lesion=made.lesion("T01", "NECK"), mask=Mask(voxels=voxels, geometry=geometry), algorithm="a", version="1"
    )
    write_seg(tmp_path / "seg", [each], sources=sorted(folder.iterdir()))
    assert np.array_equal(read_segment(tmp_path / "seg", geometry).voxels, voxels)
    assert made.errors_of(tmp_path / "seg") == []


def changed(each, *, voxels=None, geometry=None):
    mask = Mask(
        voxels=each.mask.voxels if voxels is None else voxels,
        geometry=each.mask.geometry if geometry is None else geometry,
    )
    return SegmentedLesion(lesion=each.lesion, mask=mask, algorithm=each.algorithm, version=each.version)


def shifted(geometry: Geometry, mm: float) -> Geometry:
    x, y, z = geometry.origin_mm
    return Geometry(
        shape_kji=geometry.shape_kji,
        origin_mm=(x + mm, y, z),
        spacing_mm=geometry.spacing_mm,
        direction=geometry.direction,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
    )


def test_what_cannot_be_written_is_refused_by_name(mr, tmp_path):
    """Nothing, an empty mask, a lesion twice, half a pixel beside, half the slices, another frame of reference."""
    files, geometry = mr
    first, second, _ = made.segmented(geometry)
    k, j, i = geometry.shape_kji
    other_frame = Geometry(
        shape_kji=geometry.shape_kji, origin_mm=geometry.origin_mm, spacing_mm=geometry.spacing_mm,
        direction=geometry.direction, frame_of_reference_uid="1.2.3",
    )  # fmt: skip
    cases = [
        ([], files, InputError, "at least one lesion"),
        ([first, changed(second, voxels=np.zeros((k, j, i), bool))], files, InputError, "empty one for T02"),
        ([first, first], files, InputError, "tracking UID of T01 again"),
        ([first, changed(second, geometry=shifted(geometry, 0.65))], files, GeometryError, "between"),
        ([first], files[: k // 2], GeometryError, "slices each once"),
        ([changed(first, geometry=other_frame)], files, GeometryError, "frame of reference"),
        ([first], [*files, made.SAMPLE / "CT" / "001.dcm"], DicomError, "one series, found 2"),
        ([first], [made.SAMPLE.parent / "truth.toml"], DicomError, "not a DICOM file"),
    ]
    for lesions, sources, error, words in cases:
        with pytest.raises(error, match=words):
            write_seg(tmp_path / "seg", lesions, sources=sources)
        assert not (tmp_path / "seg").exists()


# --- others' ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dcmqi(shared_data):
    """dcmqi's test segmentations."""
    return shared_data / "images" / "dcmqi" / "segmentations"


@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
@pytest.mark.parametrize("source", ["image", "multiframe"])
def test_dcmqis_segments_are_its_nrrds(dcmqi, size, source):
    """The same SEG on the classic and on the enhanced copy of its source."""
    geometry = load_folder(dcmqi / size / source).geometry
    published = reorder(read_mask(dcmqi / size / "nrrd" / "label.nrrd"), geometry)
    mask = read_segment(dcmqi / size / "seg" / "label.seg", geometry)
    assert np.array_equal(mask.voxels, published.voxels)
    assert (mask.label, mask.findings) == ("Liver", ())


@pytest.mark.parametrize("padding", ["noppv", "ppv5"])
def test_a_sparse_label_map_is_empty_where_it_has_no_frame(dcmqi, padding):
    """Two frames for three slices; a declared padding value is no segment."""
    geometry = load_folder(dcmqi / "24x38x3" / "image").geometry
    published = read_mask(dcmqi / f"sparse_labelmap_{padding}_seg.nrrd", label=1)
    mask = read_segment(dcmqi / f"sparse-labelmap-{padding}.dcm", geometry)
    assert np.array_equal(mask.voxels, reorder(published, geometry).voxels)
    assert [each.number for each in segments(dcmqi / f"sparse-labelmap-{padding}.dcm")] == [1]


def test_segments_that_overlap_are_read_apart(dcmqi):
    """dcmqi spreads five segments over three label images, as they overlap."""
    geometry = load_folder(dcmqi / "ct-3slice").geometry
    images = [sitk.ReadImage(str(dcmqi / f"partial_overlaps-{each}.nrrd")) for each in (1, 2, 3)]
    labels = [sitk.GetArrayFromImage(image) for image in images]
    numbers = [each.number for each in segments(dcmqi / "partial_overlaps.dcm")]
    assert numbers == [1, 2, 3, 4, 5]
    for number in numbers:
        published = np.any([label == number for label in labels], axis=0)
        mask = read_segment(dcmqi / "partial_overlaps.dcm", geometry, number=number)
        assert published.any()
        assert np.array_equal(mask.voxels, published)


def test_a_liver_on_three_slices_is_its_nrrd(dcmqi):
    """A SEG of a CT of 512 columns."""
    geometry = load_folder(dcmqi / "ct-3slice").geometry
    published = reorder(read_mask(dcmqi / "liver_seg.nrrd"), geometry)
    assert np.array_equal(read_segment(dcmqi / "liver.dcm", geometry).voxels, published.voxels)


@pytest.fixture(scope="module")
def highdicom_source():
    """The three CT slices that highdicom's samples were made on; they come with pydicom."""
    names = [f"dicomdirtests/77654033/CT2/{number}" for number in (17136, 17166, 17196)]
    return [Path(str(get_testdata_file(name))) for name in names]


@pytest.mark.parametrize("kind", ["binary", "true_fractional"])
def test_highdicoms_samples_are_what_highdicom_reads(shared_data, highdicom_source, kind):
    """A true fractional segment is cut at one half, and the mask says so."""
    path = shared_data / "images" / "highdicom" / f"seg_image_ct_{kind}.dcm"
    uids = [str(pydicom.dcmread(file).SOPInstanceUID) for file in highdicom_source]
    expected = hd.seg.segread(path).get_pixels_by_source_instance(uids)[..., 0]
    mask = read_segment(path, load_series(highdicom_source).geometry)
    assert mask.voxels.any()
    assert not mask.voxels.all()
    assert np.array_equal(mask.voxels, expected >= 0.5)
    assert [each.code for each in mask.findings] == ([] if kind == "binary" else ["seg-fractional"])


def test_a_label_map_by_highdicom_is_read(mr, tmp_path):
    """Two segments in one label map of 8 bits."""
    files, geometry = mr
    images = [pydicom.dcmread(file) for file in files]
    labels = np.zeros((len(files), *geometry.shape_kji[1:]), np.uint8)
    labels[4, 10:20, 30:33], labels[5, 11:14, 40] = 1, 2
    order = np.argsort([along_normal(image) for image in images])
    path = tmp_path / "labelmap"
    hd.seg.Segmentation(
        source_images=[images[index] for index in order],
        pixel_array=labels,
        segmentation_type=hd.seg.SegmentationTypeValues.LABELMAP,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=number, segment_label=f"S{number}", algorithm_type="MANUAL",
                segmented_property_category=codes.SCT.Tissue, segmented_property_type=codes.SCT.SoftTissue,
            )
            for number in (1, 2)
        ],
        series_instance_uid=hd.UID(), series_number=1, sop_instance_uid=hd.UID(), instance_number=1,
        manufacturer="m", manufacturer_model_name="m", software_versions="1", device_serial_number="1",
    ).save_as(path)  # fmt: skip
    for number in (1, 2):
        assert np.array_equal(read_segment(path, geometry, number=number).voxels, labels == number)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_segment_of_another_image_is_refused_by_name(dcmqi, mr, shared_data):
    """Another frame of reference; the same one between the voxels; no frame of reference known and far away."""
    liver = dcmqi / "liver.dcm"
    with pytest.raises(GeometryError, match=r"liver\.dcm: expected frame of reference"):
        read_segment(liver, mr[1])
    geometry = load_folder(dcmqi / "ct-3slice").geometry
    with pytest.raises(GeometryError, match=r"liver\.dcm: expected slices on the image's voxels"):
        read_segment(liver, shifted(geometry, 0.3))
    far = Geometry(shape_kji=(3, 20, 20), origin_mm=geometry.origin_mm, spacing_mm=geometry.spacing_mm)
    with pytest.raises(GeometryError, match=r"liver\.dcm: expected the segment within the image"):
        read_segment(liver, far)


def test_a_pixel_shifted_segment_is_not_taken_for_the_image(dcmqi):
    """A whole pixel beside is another place: the mask moves with it and is not stretched back."""
    geometry = load_folder(dcmqi / "ct-3slice").geometry
    moved = read_segment(dcmqi / "liver.dcm", shifted(geometry, -geometry.spacing_mm[0]))
    straight = read_segment(dcmqi / "liver.dcm", geometry)
    assert np.array_equal(moved.voxels[:, :, 1:], straight.voxels[:, :, :-1])


def test_a_segment_must_be_chosen_and_exist(written):
    """The message lists what there is."""
    path, _, geometry = written
    with pytest.raises(InputError, match=r"1 \(T01 NASOPHARYNX\), 2 \(T02 .*choose one by its number"):
        read_segment(path, geometry)
    with pytest.raises(InputError, match="segment 9 not present"):
        read_segment(path, geometry, number=9)


def test_other_objects_are_refused_by_name(mr, tmp_path):
    """A picture, a text, nothing and no file are no segmentation."""
    files, geometry = mr
    (tmp_path / "text").write_text("no DICOM here")
    (tmp_path / "empty").touch()
    for path in (files[0], tmp_path / "text", tmp_path / "empty", tmp_path / "none", tmp_path):
        with pytest.raises(DicomError, match="expected a DICOM segmentation"):
            read_segment(path, geometry)
        with pytest.raises(DicomError, match="expected a DICOM segmentation"):
            segments(path)


def test_a_flipped_grid_is_the_same_place(dcmqi):
    """A grid whose rows run the other way gets the same voxels, flipped."""
    geometry = load_folder(dcmqi / "ct-3slice").geometry
    straight = read_segment(dcmqi / "liver.dcm", geometry).voxels
    affine = geometry.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (geometry.shape_kji[2] - 1)
    affine[:3, 0] *= -1
    flipped = Geometry.from_affine(affine, geometry.shape_kji)
    assert np.array_equal(read_segment(dcmqi / "liver.dcm", flipped).voxels, straight[:, :, ::-1])


BREAKS = {
    "no per-frame groups": lambda ds: ds.__delattr__("PerFrameFunctionalGroupsSequence"),
    "one frame fewer": lambda ds: setattr(ds, "NumberOfFrames", int(ds.NumberOfFrames) - 1),
    "no pixels": lambda ds: ds.__delattr__("PixelData"),
    "half the pixels": lambda ds: setattr(ds, "PixelData", ds.PixelData[: len(ds.PixelData) // 4 * 2]),
    "no segment number": lambda ds: ds.SegmentSequence[0].__delattr__("SegmentNumber"),
    "an unknown type": lambda ds: setattr(ds, "SegmentationType", "SOLID"),
    "no rows": lambda ds: ds.__delattr__("Rows"),
    "no positions": lambda ds: [
        item.__delattr__("PlanePositionSequence") for item in ds.PerFrameFunctionalGroupsSequence
    ],
    "no frame's segment": lambda ds: ds.SharedFunctionalGroupsSequence[0].__delattr__("SegmentIdentificationSequence"),
    "all frames in one place": lambda ds: [
        setattr(item, "PlanePositionSequence", ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence)
        for item in ds.PerFrameFunctionalGroupsSequence
    ],
    "no orientation": lambda ds: ds.SharedFunctionalGroupsSequence[0].__delattr__("PlaneOrientationSequence"),
    "a spacing of zero": lambda ds: setattr(
        ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing", [0, 0]
    ),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_segmentation_is_refused_by_name(mr, tmp_path, how):
    """Never a traceback, never a mask."""
    files, geometry = mr
    write_seg(tmp_path / "seg", made.segmented(geometry)[:1], sources=files)
    dataset = pydicom.dcmread(tmp_path / "seg")
    BREAKS[how](dataset)
    dataset.save_as(tmp_path / "seg")
    with pytest.raises((DicomError, GeometryError), match="seg: "):
        read_segment(tmp_path / "seg", geometry, number=1)


def test_bytes_lost_or_changed_end_in_a_mask_or_a_named_refusal(mr, tmp_path):
    """A hundred damaged copies: cut short or with bytes overwritten, header included."""
    files, geometry = mr
    write_seg(tmp_path / "seg", made.segmented(geometry)[:1], sources=files)
    content = (tmp_path / "seg").read_bytes()
    random = np.random.default_rng(11)
    refused = []
    for trial in range(100):
        damaged = bytearray(content)
        if trial % 2:
            del damaged[int(random.integers(len(content))) :]
        else:
            for at in random.integers(0, 6000, 20):
                damaged[at] = int(random.integers(256))
        (tmp_path / "damaged").write_bytes(bytes(damaged))
        try:
            read_segment(tmp_path / "damaged", geometry)
        except NpcpitError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert {message[:9] for message in refused} == {"damaged: "}
