"""Enhanced multi-frame objects: frames from functional groups, several volumes in one file."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from npcpit_imaging.dicom.load import load_folder, load_series
from npcpit_imaging.dicom.pet import suv_scaling
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.dicom.split import split_series
from npcpit_imaging.errors import InputError, QuantityError, SeriesError
from npcpit_imaging.volume.suv import SuvKind
from npcpit_imaging.volume.volume import Unit

SOP_CLASS = {
    "CT": "1.2.840.10008.5.1.4.1.1.2.1", "MR": "1.2.840.10008.5.1.4.1.1.4.1", "PT": "1.2.840.10008.5.1.4.1.1.130",
}  # fmt: skip


def item(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return Sequence([dataset])


def stored(frame):
    j, i = np.indices((5, 7))
    return (100 * frame + 10 * j + i).astype(np.uint16)


@pytest.fixture
def make_enhanced(tmp_path):
    """Write one enhanced file; `change(group, frame)` varies a frame's functional group, `last` the whole object."""

    def make(modality, heights_mm, *, change=None, last=None):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SOP_CLASS[modality], generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID = dataset.SeriesInstanceUID = dataset.FrameOfReferenceUID = "1.2.3"
        dataset.Modality = modality
        dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 5, 7, len(heights_mm)
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        shared = Dataset()
        shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
        shared.PixelMeasuresSequence = item(PixelSpacing=[0.5, 0.25], SliceThickness=2.0)
        if modality == "CT":
            shared.PixelValueTransformationSequence = item(RescaleSlope=1, RescaleIntercept=-1000, RescaleType="HU")
        dataset.SharedFunctionalGroupsSequence = Sequence([shared])
        groups = []
        for frame, height in enumerate(heights_mm):
            group = Dataset()
            group.PlanePositionSequence = item(ImagePositionPatient=[1.0, 2.0, float(height)])
            if change is not None:
                change(group, frame)
            groups.append(group)
        dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
        dataset.PixelData = np.stack([stored(frame) for frame in range(len(heights_mm))]).tobytes()
        if last is not None:
            last(dataset)
        pydicom.dcmwrite(tmp_path / "enhanced", dataset, enforce_file_format=True)
        return tmp_path

    return make


def test_frames_are_ordered_by_position(make_enhanced):
    """Frames are stored from the top down and read from the bottom up."""
    volume = load_folder(make_enhanced("CT", [6.0, 4.0, 2.0]))

    assert np.array_equal(volume.voxels, np.stack([stored(2), stored(1), stored(0)]) - 1000.0)
    assert volume.geometry.origin_mm == (1.0, 2.0, 2.0)
    assert volume.geometry.spacing_mm == (0.25, 0.5, 2.0)
    assert volume.unit is Unit.HU


def test_a_frames_own_rescale_counts_before_the_shared_one(make_enhanced):
    def change(group, frame):
        group.PixelValueTransformationSequence = item(RescaleSlope=frame + 1, RescaleIntercept=5)

    volume = load_folder(make_enhanced("CT", [0.0, 2.0, 4.0], change=change))

    assert np.array_equal(volume.voxels, np.stack([stored(k) * (k + 1.0) + 5.0 for k in range(3)]))


def test_echoes_of_one_file_are_volumes_of_their_own(make_enhanced):
    def change(group, frame):
        group.MREchoSequence = item(EffectiveEchoTime=(5.0, 50.0)[frame % 2])

    folder = make_enhanced("MR", [0.0, 0.0, 2.0, 2.0], change=change)

    with pytest.raises(SeriesError, match=r"found 2 by EffectiveEchoTime \(0018,9082\)"):
        load_folder(folder)
    early, late = (load_series(part) for part in split_series(scan(folder).series[0]))
    assert np.array_equal(early.voxels, np.stack([stored(0), stored(2)]))
    assert np.array_equal(late.voxels, np.stack([stored(1), stored(3)]))


def test_time_positions_of_one_file_are_volumes_of_their_own(make_enhanced):
    def change(group, frame):
        group.FrameContentSequence = item(TemporalPositionIndex=frame // 2 + 1)

    folder = make_enhanced("MR", [0.0, 2.0, 0.0, 2.0], change=change)

    parts = split_series(scan(folder).series[0])
    assert [part.criteria[0] for part in parts] == [
        ("TemporalPositionIndex (0020,9128)", "1"), ("TemporalPositionIndex (0020,9128)", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "unit"), [("Bq/ml", Unit.BQML), ("{SUVbw}g/ml", Unit.SUVBW)])
def test_a_pet_takes_unit_and_scale_from_its_real_world_value_map(make_enhanced, code, unit):
    def change(group, frame):
        group.RealWorldValueMappingSequence = item(
            RealWorldValueSlope=0.5 + frame, RealWorldValueIntercept=0.0,
            MeasurementUnitsCodeSequence=item(CodeValue=code, CodingSchemeDesignator="UCUM", CodeMeaning=code),
        )  # fmt: skip

    volume = load_folder(make_enhanced("PT", [0.0, 2.0], change=change))

    assert np.array_equal(volume.voxels, np.stack([stored(0) * 0.5, stored(1) * 1.5]))
    assert volume.unit is unit


def mapped(slope, code, intercept=0.0):
    """One real world value map."""
    unit = item(CodeValue=code, CodingSchemeDesignator="UCUM", CodeMeaning=code)
    return item(RealWorldValueSlope=slope, RealWorldValueIntercept=intercept, MeasurementUnitsCodeSequence=unit)


def test_a_pets_unit_goes_with_its_own_scale(make_enhanced):
    """A rescale of 1 beside a map of 2.5 Bq/mL: the unit stands with the map, so its slope counts."""

    def change(group, frame):
        group.PixelValueTransformationSequence = item(RescaleSlope=1, RescaleIntercept=0, RescaleType="US")
        group.RealWorldValueMappingSequence = mapped(2.5, "Bq/ml")

    volume = load_folder(make_enhanced("PT", [0.0, 2.0], change=change))

    assert np.array_equal(volume.voxels, np.stack([stored(0), stored(1)]) * 2.5)
    assert volume.unit is Unit.BQML


def test_a_ct_by_its_map_alone_is_in_hu_when_the_map_says_so(make_enhanced):
    def change(group, frame):
        group.RealWorldValueMappingSequence = mapped(1.0, "[hnsf'U]", -1000.0)

    def last(dataset):
        del dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence

    volume = load_folder(make_enhanced("CT", [0.0, 2.0], change=change, last=last))

    assert np.array_equal(volume.voxels, np.stack([stored(0), stored(1)]) - 1000.0)
    assert volume.unit is Unit.HU


def test_of_several_maps_the_one_of_a_known_unit_counts(make_enhanced):
    def change(group, frame):
        group.RealWorldValueMappingSequence = Sequence([*mapped(9.0, "{counts}/s"), *mapped(0.5, "{SUVbw}g/ml")])

    volume = load_folder(make_enhanced("PT", [0.0, 2.0], change=change))

    assert np.array_equal(volume.voxels, np.stack([stored(0), stored(1)]) * 0.5)
    assert volume.unit is Unit.SUVBW


def test_maps_that_contradict_each_other_are_refused(make_enhanced):
    """Bq/mL and SUV of one image: which of them is meant nobody says."""

    def change(group, frame):
        group.RealWorldValueMappingSequence = Sequence([*mapped(9.0, "Bq/ml"), *mapped(0.5, "{SUVbw}g/ml")])

    refusal = r"RealWorldValueMappingSequence \(0040,9096\): expected one map a frame, found 2 that differ"
    with pytest.raises((InputError, SeriesError), match=refusal):
        load_folder(make_enhanced("PT", [0.0, 2.0], change=change))


def test_a_map_that_is_a_table_is_refused(make_enhanced):
    def change(group, frame):
        group.RealWorldValueMappingSequence = item(RealWorldValueLUTData=[0.0, 1.0, 4.0])

    with pytest.raises((InputError, SeriesError), match=r"found RealWorldValueLUTData \(0040,9212\) alone"):
        load_folder(make_enhanced("PT", [0.0, 2.0], change=change))


def test_frames_of_different_units_are_refused(make_enhanced):
    """HU beside an effective atomic number, as spectral CT writes them."""

    def change(group, frame):
        kind = "HU" if frame < 2 else "Z_EFF"
        group.PixelValueTransformationSequence = item(RescaleSlope=1, RescaleIntercept=0, RescaleType=kind)

    with pytest.raises((InputError, SeriesError), match="expected frames of one unit, found HU, Z_EFF"):
        load_folder(make_enhanced("CT", [0.0, 2.0, 0.0, 2.0], change=change))


@pytest.mark.parametrize(
    ("group_name", "keyword", "values"),
    [
        ("MRDiffusionSequence", "DiffusionBValue", (0.0, 800.0)),
        ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase", (30.0, 70.0)),
        ("RespiratorySynchronizationSequence", "NominalPercentageOfRespiratoryPhase", (0.0, 50.0)),
        ("TemporalPositionSequence", "TemporalPositionTimeOffset", (0.0, 12.5)),
    ],
)
def test_phases_and_b_values_of_one_file_are_chosen_by_number(make_enhanced, group_name, keyword, values):
    """The refusal numbers the volumes; the number reads one."""

    def change(group, frame):
        setattr(group, group_name, item(**{keyword: values[frame // 2]}))

    folder = make_enhanced("MR", [0.0, 2.0, 0.0, 2.0], change=change)

    with pytest.raises(SeriesError, match=rf"found 2 by {keyword} .*1: {keyword} .* 2: {keyword} "):
        load_folder(folder)
    assert np.array_equal(load_folder(folder, part=2).voxels, np.stack([stored(2), stored(3)]))
    with pytest.raises(InputError, match="no volume 3, found 1: "):
        load_folder(folder, part=3)


def test_an_enhanced_pet_in_suv_needs_no_further_scale(make_enhanced):
    """Its map says SUVbw; one in Bq/mL is refused, as the SUV's tags are another object's."""

    def change(group, frame):
        group.RealWorldValueMappingSequence = mapped(0.5, "{SUVbw}g/ml")

    folder = make_enhanced("PT", [0.0, 2.0], change=change)
    [series] = scan(folder).series

    assert suv_scaling(series).factor == 1.0
    with pytest.raises(QuantityError, match="SUV by LBMJAMES128, found GML-BW"):
        suv_scaling(series, kind=SuvKind.LBM_JAMES)


def test_a_pet_without_any_scale_is_refused(make_enhanced):
    with pytest.raises(SeriesError, match=r"PixelValueTransformationSequence \(0028,9145\) is missing"):
        load_folder(make_enhanced("PT", [0.0, 2.0]))


def test_fewer_functional_groups_than_frames_are_refused(make_enhanced):
    def last(dataset):
        del dataset.PerFrameFunctionalGroupsSequence[-1]

    with pytest.raises(SeriesError, match=r"NumberOfFrames \(0028,0008\): expected 2 .*found 3"):
        load_folder(make_enhanced("CT", [0.0, 2.0, 4.0], last=last))


def test_a_frame_without_position_is_refused(make_enhanced):
    def change(group, frame):
        if frame == 1:
            del group.PlanePositionSequence

    with pytest.raises(SeriesError, match=r"ImagePositionPatient \(0020,0032\) is missing"):
        load_folder(make_enhanced("CT", [0.0, 2.0, 4.0], change=change))


def test_truncated_frames_are_refused(make_enhanced):
    folder = make_enhanced("CT", [0.0, 2.0, 4.0])
    path = folder / "enhanced"
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(SeriesError, match=r"truncated pixel data in frame 3, expected 70 bytes, found 50"):
        load_folder(folder)


def test_several_frames_without_functional_groups_have_no_positions(make_enhanced):
    def last(dataset):
        del dataset.PerFrameFunctionalGroupsSequence

    with pytest.raises(SeriesError, match="several frames without PerFrameFunctionalGroupsSequence"):
        load_folder(make_enhanced("CT", [0.0, 2.0], last=last))
