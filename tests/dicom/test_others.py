"""Segmentations and reports that other programs wrote on the sample study (others/README.md) are read as they are."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from npcpit_imaging.app.read_report import read_report
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.seg_read import read_segment, segments
from npcpit_imaging.dicom.sr_read import read_sr
from npcpit_imaging.errors import DicomError, InputError

OTHERS = Path(__file__).parent / "others"
SAMPLE = Path(__file__).parents[2] / "sample_dicom" / "BASELINE"


def test_cornerstones_length_and_bidirectional_are_read():
    """Made with lengths 24.41, 14.65 and 8.79 mm and these points; the image is the sample CT's first."""
    values = read_sr(OTHERS / "cornerstone3d_sr.dcm")
    found = [(value.tracking_id, value.name_code, value.value, value.unit, value.points_px) for value in values]
    assert found == [
        ("Cornerstone3DTools@^0.1.0:Length", "SCT 410668003", 24.41, "mm", ((10.5, 20.5), (40.5, 60.5))),
        ("Cornerstone3DTools@^0.1.0:Bidirectional", "SCT 103339001", 14.65, "mm", ((10.5, 20.5), (40.5, 20.5))),
        ("Cornerstone3DTools@^0.1.0:Bidirectional", "SCT 103340004", 8.79, "mm", ((25.5, 10.5), (25.5, 28.5))),
    ]
    image = pydicom.dcmread(SAMPLE / "CT" / "001.dcm", stop_before_pixels=True)
    assert {value.image_uid for value in values} == {image.SOPInstanceUID}
    assert {(value.finding_code, value.site) for value in values} == {("SCT 4147007", "Nasopharynx")}
    assert len({value.tracking_uid for value in values}) == 2


def test_dcmqis_segment_lies_where_it_was_drawn():
    """Rows 30-49, columns 40-59 and 40-61 without one pixel, on two neighbouring slices of the whole series."""
    volume = load_folder(SAMPLE / "MR_T2")
    mask = read_segment(OTHERS / "dcmqi_seg.dcm", volume.geometry)
    images = [pydicom.dcmread(SAMPLE / "MR_T2" / f"00{n}.dcm", stop_before_pixels=True) for n in (5, 6, 7)]
    places = sorted(round(float(volume.geometry.to_index(image.ImagePositionPatient)[0])) for image in images)
    expected = np.zeros(volume.geometry.shape_kji, bool)
    expected[places[0], 30:50, 40:60] = True
    expected[places[1], 30:50, 40:62] = True
    expected[places[1], 35, 45] = False
    assert np.array_equal(mask.voxels, expected)


def test_dcmqis_segment_says_what_it_is():
    (segment,) = segments(OTHERS / "dcmqi_seg.dcm")
    assert (segment.number, segment.label, segment.tracking_id, segment.tracking_uid) == (
        1, "GTV", "T01", "2.25.1234567890",
    )  # fmt: skip
    assert (segment.property_code, segment.site_code) == ("SCT 4147007", "SCT 71836000")
    assert segment.algorithm == "SEMIAUTOMATIC SlicerEditor"


def test_dcmqis_report_names_its_segment():
    values = read_sr(OTHERS / "dcmqi_sr.dcm")
    assert [(value.name, value.value, value.unit, value.derivation) for value in values] == [
        ("Volume", 1.25, "cm3", ""),
        ("Attenuation Coefficient", 57.5, "1", "Mean"),
    ]
    seg = pydicom.dcmread(OTHERS / "dcmqi_seg.dcm")
    assert {(value.segment_uid, value.segment_number) for value in values} == {(seg.SOPInstanceUID, 1)}
    assert {(value.tracking_id, value.timepoint, value.site) for value in values} == {("T01", "FU1", "Nasopharynx")}


def test_patient_coordinates_are_read_as_millimetres(tmp_path):
    """Cornerstone3D writes SCOORD3D for what is drawn on no single image; points stay LPS mm."""
    dataset = pydicom.dcmread(OTHERS / "cornerstone3d_sr.dcm")
    (container,) = [item for item in dataset.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"]
    length = next(item for item in container.ContentSequence[0].ContentSequence if item.ValueType == "NUM")
    (points,) = length.ContentSequence
    points.ValueType, points.GraphicData = "SCOORD3D", [1.5, -2.0, 30.0, 11.5, -2.0, 30.0]
    points.ReferencedFrameOfReferenceUID = "1.2.3"
    del points.ContentSequence
    dataset.save_as(tmp_path / "sr.dcm")
    value = read_sr(tmp_path / "sr.dcm")[0]
    assert (value.points_px, value.points_mm) == ((), ((1.5, -2.0, 30.0), (11.5, -2.0, 30.0)))


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [("cornerstone3d_sr.dcm", "SR", 3), ("dcmqi_sr.dcm", "SR", 2), ("dcmqi_seg.dcm", "SEG", 1)],
)
def test_the_verb_reads_either_kind(name, kind, count):
    result = read_report(OTHERS / name)
    assert result["kind"] == kind
    assert len(result["values"] if kind == "SR" else result["segments"]) == count


SAMPLES = [
    ("dcmqi/sr-example/sr.dcm", "SR", 12),
    ("dcmqi/sr-example/seg.dcm", "SEG", 1),
    ("dcmqi/segmentations/liver.dcm", "SEG", 1),
    ("dcmqi/segmentations/partial_overlaps.dcm", "SEG", 5),
    ("dcmqi/segmentations/sparse-labelmap-ppv5.dcm", "SEG", 1),
    ("dcmqi/segmentations/sparse-labelmap-noppv.dcm", "SEG", 1),
    ("dcmqi/segmentations/23x38x3/seg/label.seg", "SEG", 1),
    ("dcmqi/segmentations/24x38x3/seg/label.seg", "SEG", 1),
    ("highdicom/seg_image_ct_binary.dcm", "SEG", 1),
    ("highdicom/seg_image_ct_true_fractional.dcm", "SEG", 1),
    ("highdicom/sr_document_with_multiple_groups.dcm", "SR", 1),
]


@pytest.mark.parametrize(("name", "kind", "least"), SAMPLES)
def test_every_public_sample_is_read(shared_data, name, kind, least):
    result = read_report(shared_data / "images" / name)
    assert result["kind"] == kind
    assert len(result["values"] if kind == "SR" else result["segments"]) >= least


def test_what_is_neither_is_refused_by_name(tmp_path):
    (tmp_path / "text").write_text("no DICOM here")
    with pytest.raises(InputError, match="no such file"):
        read_report(tmp_path / "none")
    for path in (tmp_path / "text", SAMPLE / "CT" / "001.dcm"):
        with pytest.raises(DicomError, match=rf"{path.name}: expected .*SR.*segmentation|{path.name}: expected"):
            read_report(path)
