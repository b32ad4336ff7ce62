"""Measurement reports: ours valid and read back by anybody, others' numbers by code in any language, sites checked."""

import csv
import importlib
import re
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from npcpit_imaging.dicom import report_codes
from npcpit_imaging.dicom.anatomy import CATEGORY, HEAD_AND_NECK, LESION, MASS, OTHER_WORDS, SITES, site_codes
from npcpit_imaging.dicom.load import load_folder, load_series
from npcpit_imaging.dicom.seg import SegmentedLesion, write_seg
from npcpit_imaging.dicom.seg_read import read_segment
from npcpit_imaging.dicom.source_images import source_slices
from npcpit_imaging.dicom.sr import MeasuredLesion, in_image, key_slice, write_sr
from npcpit_imaging.dicom.sr_read import read_sr
from npcpit_imaging.errors import DicomError, GeometryError, InputError, NpcpitError
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.measurement import Measurement, Uptake
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
made = importlib.import_module("lesion_objects")

UPTAKE = Uptake(suv_max=10.3814217, suv_mean=6.01529, suv_peak=9.455, mtv_ml=33.58, tlg_g=201.993, sul_peak=7.25)
SOURCES = [(modality, identity) for modality in ("CT", "MR_T2", "PET") for identity in ("as it is", "de-identified")]


def measured(geometry, masks, *, uptake=None):
    """Calipers between pixels that are counted by hand: 3 rows and 4 columns apart, on each mask's own slice."""
    found = []
    for number, each in enumerate(masks, start=1):
        k, j, i = (int(value) for value in np.argwhere(each.mask.voxels)[0])
        start, end, across = (
            tuple(float(value) for value in geometry.to_mm(point))
            for point in ((k, j, i), (k, j + 3, i + 4), (k, j + 4, i - 3))
        )
        measurement = Measurement(
            longest_diameter=Caliper(start_mm=start, end_mm=end), short_axis=Caliper(start_mm=start, end_mm=across),
            slice_index_k=k, slice_position_mm=0.0, volume_ml=1.23456789 * number, components=1, convention="by hand",
        )  # fmt: skip
        found.append(MeasuredLesion(lesion=each.lesion, segment_number=number, measurement=measurement, uptake=uptake))
    return found


@pytest.fixture(scope="module", params=SOURCES, ids=lambda param: f"{param[0]} {param[1]}")
def written(request, tmp_path_factory):
    """SEG and SR of three lesions on one series of the sample: report, SEG, files, grid, what was measured."""
    modality, identity = request.param
    files = sorted((made.SAMPLE / modality).iterdir())
    if identity == "de-identified":
        files = made.deidentified_copy(made.SAMPLE / modality, tmp_path_factory.mktemp("copy"))
    return write_both(tmp_path_factory.mktemp("report"), files, uptake=UPTAKE if modality == "PET" else None)


def write_both(folder, files, *, uptake=None, order=0):
    geometry = load_series(files).geometry
    masks = made.segmented(geometry)
    lesions = measured(geometry, masks, uptake=uptake)
    write_seg(folder / "seg.dcm", masks, sources=files, created=made.SIGNED)
    write_sr(
        folder / "sr.dcm", lesions, seg=folder / "seg.dcm", sources=files, reader="R1", timepoint="BASELINE",
        timepoint_order=order, created=made.SIGNED,
    )  # fmt: skip
    return folder / "sr.dcm", folder / "seg.dcm", files, geometry, lesions


@pytest.fixture(scope="module")
def mr(tmp_path_factory):
    """The pair of the smallest series, as a follow-up."""
    return write_both(tmp_path_factory.mktemp("mr"), sorted((made.SAMPLE / "MR_T2").iterdir()), order=2)


# --- ours ------------------------------------------------------------------------------------------------------------


def test_the_validator_finds_no_error(written):
    """dciodvfy knows the Comprehensive 3D SR IOD; CT, MR and PET as sources, de-identified ones too."""
    assert made.errors_of(written[0]) == []


def test_dcmtk_prints_a_sensible_tree(written, dsrdump):
    """Two groups a lesion, calipers selected from an image, the reader and the device; no warning, no error."""
    run = subprocess.run([dsrdump, "-q", str(written[0])], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    tree = run.stdout
    assert tree.count('CONTAINER:(,,"Measurement Group")') == 6
    assert tree.count('(126081,DCM,"RECIST 1.1")') == (0 if written[4][0].uptake else 3)
    assert tree.count("SCOORD") == 6
    assert 'PNAME:(,,"Person Observer Name")="R1^"' in tree
    assert 'TEXT:(,,"Person Observer\'s Login Name")="R1"' in tree
    assert '(121007,DCM,"Device")' in tree
    assert '(C1442488,UMLS,"Baseline")' in tree
    assert tree.count('NUM:(,,"SUVbw")') == (9 if written[4][0].uptake else 0)


def test_our_numbers_come_back(written):
    """Every value to nine digits, under its lesion and visit."""
    values = read_sr(written[0])
    for each in written[4]:
        own = {(v.name_code, v.derivation_code): v for v in values if v.tracking_uid == each.lesion.tracking_uid}
        expected = {
            ("SCT 103339001", ""): (each.measurement.longest_diameter_mm, "mm"),
            ("SCT 103340004", ""): (each.measurement.short_axis_mm, "mm"),
            ("SCT 118565006", ""): (each.measurement.volume_ml, "ml"),
        }
        if each.uptake:
            expected |= {
                ("DCM 126401", "SCT 56851009"): (10.3814217, "g/ml{SUVbw}"),
                ("DCM 126401", "SCT 373098007"): (6.01529, "g/ml{SUVbw}"),
                ("DCM 126401", "DCM 126031"): (9.455, "g/ml{SUVbw}"),
                ("DCM 126406", "DCM 126031"): (7.25, "g/ml{SUVlbm(James128)}"),
                ("DCM 126032", ""): (33.58, "ml"),
                ("DCM 126033", ""): (201.993, "g"),
            }
        assert {key: v.unit for key, v in own.items()} == {key: unit for key, (_, unit) in expected.items()}
        for key, (number, _) in expected.items():
            assert own[key].value == pytest.approx(number, rel=1e-8)
            assert (own[key].tracking_id, own[key].timepoint) == (each.lesion.lesion_id, "BASELINE")


def test_highdicom_finds_segment_site_and_method(written):
    """TID 1411 groups by tracking UID refer to the SEG's segment; TID 1501 groups carry RECIST 1.1, not on PET."""
    path, seg, files, _, lesions = written
    report, segmentation = hd.sr.srread(path), pydicom.dcmread(seg)
    known = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}
    for each in lesions:
        (group,) = report.content.get_volumetric_roi_measurement_groups(tracking_uid=each.lesion.tracking_uid)
        assert group.tracking_identifier == each.lesion.lesion_id
        assert group.finding_type == (LESION if each.lesion.nodal else MASS)
        assert group.finding_sites[0].value == site_codes(each.lesion.location)[0]
        assert group.referenced_segment.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        assert group.referenced_segment.referenced_segment_numbers == [each.segment_number]
        images = {
            str(image.referenced_sop_instance_uid) for image in group.referenced_segment.source_images_for_segmentation
        }
        assert images
        assert images <= known
        (volume,) = group.get_measurements(name=codes.SCT.Volume)
        assert volume.value == pytest.approx(each.measurement.volume_ml, rel=1e-8)
        assert volume.method == codes.DCM.SumOfSegmentedVoxelMethodForVolume
        (calipers,) = report.content.get_image_measurement_groups(tracking_uid=each.lesion.tracking_uid)
        assert calipers.method == (None if each.uptake else Code("126081", "DCM", "RECIST 1.1"))
        assert [m.value for m in calipers.get_measurements(name=codes.SCT.LongAxis)] == pytest.approx(
            [each.measurement.longest_diameter_mm], rel=1e-8
        )


def test_the_report_names_reader_and_device_and_no_patient_of_its_own(written):
    """Patient and study are the images'; the observers are a reader code and this program."""
    report, source = hd.sr.srread(written[0]), pydicom.dcmread(written[2][0], stop_before_pixels=True)
    assert (report.PatientID, report.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert report.get("PatientIdentityRemoved") == source.get("PatientIdentityRemoved")
    observers = report.content.get_observer_contexts()
    assert [str(each.observer_identifying_attributes.name) for each in observers] == ["R1^", "npcpit_imaging"]
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE", "FINAL", "UNVERIFIED",
    )  # fmt: skip


def test_a_calipers_ends_are_where_its_pixels_are(written):
    """Pixel (column 40, row 40) has its middle at (40.5, 40.5) from the image's corner (PS3.3 C.18.6.1.2)."""
    path, _, files, geometry, _ = written
    first = next(value for value in read_sr(path) if value.name == "Long Axis")
    assert np.allclose(first.points_px, [(40.5, 40.5), (44.5, 43.5)], atol=1e-3)
    image = next(
        dataset
        for dataset in (pydicom.dcmread(file, stop_before_pixels=True) for file in files)
        if dataset.SOPInstanceUID == first.image_uid
    )
    assert np.allclose(image.ImagePositionPatient, geometry.to_mm((10, 0, 0)), atol=1e-3)


def test_image_coordinates_worked_by_hand():
    """Rows run to posterior, columns to the right; pixels 1 mm apart along a row and 2 mm along a column.

    From (10, 20, 30), 5 mm along a row is +5 in y (5 pixels); 6 mm along a column is -6 in x (3 pixels).
    """
    image = Dataset()
    image.ImagePositionPatient, image.ImageOrientationPatient = [10, 20, 30], [0, 1, 0, -1, 0, 0]
    image.PixelSpacing, image.Rows, image.Columns = [2, 1], 50, 60
    (plane,) = source_slices([image])
    caliper = Caliper(start_mm=(10.0, 20.0, 30.0), end_mm=(4.0, 25.0, 30.0))
    assert np.allclose(in_image(caliper, plane.grid), [(0.5, 0.5), (5.5, 3.5)])


def test_a_caliper_in_no_slice_is_refused(mr):
    """Half way between two slices, and across slices."""
    _, _, files, geometry, _ = mr
    slices = source_slices([pydicom.dcmread(file, stop_before_pixels=True) for file in files])
    inside, between, above = (tuple(float(value) for value in geometry.to_mm((k, 20, 20))) for k in (5.0, 5.5, 6.0))
    for ends in ((between, between), (inside, above)):
        with pytest.raises(GeometryError, match="within a slice of the source images"):
            key_slice(Caliper(start_mm=ends[0], end_mm=ends[1]), slices)


def test_only_the_baseline_has_a_coded_time_point_type(mr, written):
    """Order 0 is the baseline; what a later visit is, its number does not say."""
    for path, order, kinds in ((written[0], 0, 6), (mr[0], 2, 0)):
        dump = str(pydicom.dcmread(path))
        assert dump.count("C1442488") == kinds
        orders = re.findall(r"Time Point Order.*?Numeric Value\s+DS: '?([0-9.]+)", dump, re.DOTALL)
        assert [float(each) for each in orders] == [order] * 6


def test_an_enhanced_source_is_referred_to_by_frame(shared_data, tmp_path):
    """One multi-frame file: the caliper names the frame it lies on."""
    folder = shared_data / "images" / "dcmqi" / "segmentations" / "24x38x3" / "multiframe"
    geometry, files = load_folder(folder).geometry, sorted(folder.iterdir())
    voxels = np.zeros(geometry.shape_kji, bool)
    voxels[1, 5:12, 6:9] = True
    each = SegmentedLesion(
        lesion=made.lesion("T01", "LIVER"), mask=Mask(voxels=voxels, geometry=geometry), algorithm="a", version="1"
    )
    write_seg(tmp_path / "seg", [each], sources=files)
    write_sr(
        tmp_path / "sr", measured(geometry, [each]), seg=tmp_path / "seg", sources=files, reader="R1",
        timepoint="FU1", timepoint_order=1,
    )  # fmt: skip
    assert made.errors_of(tmp_path / "sr") == []
    image = pydicom.dcmread(files[0], stop_before_pixels=True)
    dump = str(pydicom.dcmread(tmp_path / "sr"))
    (frame,) = set(re.findall(r"Referenced Frame Number\s+IS: '?(\d+)", dump))
    group = image.PerFrameFunctionalGroupsSequence[int(frame) - 1]
    assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, geometry.to_mm((1, 0, 0)), atol=1e-3)


def test_an_empty_diameter_leaves_the_volume(mr, tmp_path):
    """A lesion without calipers has one group, and no number that was not measured."""
    _, seg, files, _, lesions = mr
    bare = Measurement(
        longest_diameter=None, short_axis=None, slice_index_k=None, slice_position_mm=None, volume_ml=0.5,
        components=1, convention="by hand",
    )  # fmt: skip
    one = MeasuredLesion(lesion=lesions[0].lesion, segment_number=1, measurement=bare)
    write_sr(tmp_path / "sr", [one], seg=seg, sources=files, reader="R1", timepoint="FU1", timepoint_order=1)
    assert [(value.name, value.value) for value in read_sr(tmp_path / "sr")] == [("Volume", 0.5)]


def test_what_cannot_be_written_is_refused_by_name(mr, tmp_path):
    """No lesion, another lesion's segment, no such segment, no SEG, an SUV that is no number."""
    _, seg, files, _, lesions = mr
    first, second, _ = lesions
    nan = Uptake(suv_max=float("nan"), suv_mean=1.0, suv_peak=1.0, mtv_ml=1.0, tlg_g=1.0)

    def other(number, uptake=None):
        return [
            MeasuredLesion(lesion=second.lesion, segment_number=number, measurement=second.measurement, uptake=uptake)
        ]

    cases = [
        ([], seg, InputError, "at least one lesion"),
        (other(1), seg, InputError, "T02 as segment 1 of the SEG, found another lesion"),
        (other(7), seg, InputError, "no such segment"),
        (other(2, nan), seg, InputError, "finite SUVbw"),
        ([first], files[0], DicomError, "expected a DICOM segmentation"),
    ]
    for wanted, segmentation, error, words in cases:
        with pytest.raises(error, match=words):
            write_sr(
                tmp_path / "sr", wanted, seg=segmentation, sources=files, reader="R1", timepoint="B",
                timepoint_order=0,
            )  # fmt: skip
        assert not (tmp_path / "sr").exists()


def test_the_same_inputs_and_moment_give_the_same_bytes(mr, tmp_path):
    """An export can be made again; another reader's report is another object."""
    path, seg, files, _, lesions = mr
    for name, reader in (("a", "R1"), ("b", "R1"), ("c", "R2")):
        write_sr(
            tmp_path / name, lesions, seg=seg, sources=files, reader=reader, timepoint="BASELINE", timepoint_order=2,
            created=made.SIGNED,
        )  # fmt: skip
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == path.read_bytes()
    assert pydicom.dcmread(tmp_path / "a").SOPInstanceUID != pydicom.dcmread(tmp_path / "c").SOPInstanceUID


# --- others' ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dcmqi_report(shared_data):
    """dcmqi's report of a head and neck tumour on PET."""
    return shared_data / "images" / "dcmqi" / "sr-example" / "sr.dcm"


def test_dcmqis_tumour_has_its_published_numbers(dcmqi_report):
    """SUVbw maximum 10.38, mean 6.015, peak 9.455; 33.58 mL; its retired SNOMED identifiers are known as SCT."""
    values = {(value.name_code, value.derivation_code): value for value in read_sr(dcmqi_report)}
    assert values["DCM 126401", "SCT 56851009"].value == pytest.approx(10.38, abs=0.005)
    assert values["DCM 126401", "SCT 373098007"].value == pytest.approx(6.015, abs=0.0005)
    assert values["DCM 126401", "DCM 126031"].value == pytest.approx(9.455, abs=0.0005)
    assert values["SCT 118565006", ""].value == pytest.approx(33.58, abs=0.005)
    assert values["SCT 118565006", ""].unit == "ml"
    assert {value.tracking_id for value in values.values()} == {"primary tumor"}


def test_dcmqis_segment_has_the_volume_that_its_report_says(dcmqi_report):
    """The SEG's source is not at hand: its 13 slices, 3.375 mm apart, make the grid; the report says 33.58 mL."""
    grid = Geometry(
        shape_kji=(13, 128, 128), origin_mm=(-226.4105, -430.7887, -119.271), spacing_mm=(3.537818, 3.537818, 3.375)
    )
    mask = read_segment(dcmqi_report.with_name("seg.dcm"), grid)
    assert mask.volume_ml == pytest.approx(33.58, abs=0.005)


def test_highdicoms_groups_keep_their_lesions(shared_data):
    """Planar, volumetric and image groups in one report."""
    values = read_sr(shared_data / "images" / "highdicom" / "sr_document_with_multiple_groups.dcm")
    found = [(value.tracking_id, value.name, value.value, value.unit) for value in values]
    assert ("LungNodule0001", "Diameter", 10.0, "mm") in found
    assert ("Vertebra0001", "Volume", 200.0, "mm3") in found


def test_concepts_are_known_in_any_language(dcmqi_report, tmp_path):
    """Every code meaning replaced: the numbers, lesions and our own quantities' names stay."""
    dataset = pydicom.dcmread(dcmqi_report)

    def translate(ds, element):
        if element.keyword == "CodeMeaning":
            element.value = "mots"

    dataset.walk(translate)
    dataset.save_as(tmp_path / "translated")
    before, after = read_sr(dcmqi_report), read_sr(tmp_path / "translated")
    assert [value.value for value in after] == [value.value for value in before]
    assert [(value.name_code, value.tracking_uid) for value in after] == [
        (value.name_code, value.tracking_uid) for value in before
    ]
    assert {value.name for value in after if value.name_code == "DCM 126401"} == {"SUVbw"}


def test_words_alone_are_no_concept(dcmqi_report, tmp_path):
    """A container that only says Imaging Measurements, under a foreign code, is not taken for one."""
    dataset = pydicom.dcmread(dcmqi_report)
    for item in dataset.ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeValue == "126010":
            item.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99LOCAL"
    dataset.save_as(tmp_path / "local")
    with pytest.raises(DicomError, match="found no measurement group"):
        read_sr(tmp_path / "local")


def test_other_objects_are_refused_by_name(mr, tmp_path):
    """A picture, a text, nothing and no file are no report."""
    (tmp_path / "text").write_text("no DICOM here")
    (tmp_path / "empty").touch()
    for path in (mr[2][0], mr[1], tmp_path / "text", tmp_path / "empty", tmp_path / "none", tmp_path):
        with pytest.raises(DicomError, match=re.escape(path.name)):
            read_sr(path)


def test_bytes_lost_or_changed_end_in_numbers_or_a_named_refusal(mr, tmp_path):
    """A hundred damaged copies: cut short or with bytes overwritten."""
    content = mr[0].read_bytes()
    random = np.random.default_rng(12)
    refused = []
    for trial in range(100):
        damaged = bytearray(content)
        if trial % 2:
            del damaged[int(random.integers(len(content))) :]
        else:
            for at in random.integers(0, len(content), 40):
                damaged[at] = int(random.integers(256))
        (tmp_path / "damaged").write_bytes(bytes(damaged))
        try:
            read_sr(tmp_path / "damaged")
        except NpcpitError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert {message[:9] for message in refused} == {"damaged: "}


# --- codes -----------------------------------------------------------------------------------------------------------

VERIFIED_ELSEWHERE = {"31467002"}
"""Base of skull structure: SNOMED CT core; not among the codes that the DICOM standard lists."""


def standard_codes(scheme):
    """Every code value of a scheme in pydicom's copy of the standard (PS3.16), with all its meanings."""
    concepts = importlib.import_module("pydicom.sr._concepts_dict").concepts[scheme]
    found = {}
    for by_value in concepts.values():
        for value, (meaning, _) in by_value.items():
            found.setdefault(value, set()).add(meaning.lower())
    return found


def test_every_site_is_a_code_of_the_standard_with_its_meaning():
    """SNOMED CT values and meanings as PS3.16 lists them."""
    known = standard_codes("SCT")
    for code in {*SITES.values(), CATEGORY, MASS, LESION, HEAD_AND_NECK}:
        if code.value not in VERIFIED_ELSEWHERE:
            assert code.meaning.lower() in known[code.value], code


def test_every_concept_of_a_report_is_a_code_of_the_standard():
    """Value, scheme and meaning of each code in the report's vocabulary."""
    vocabulary = [code for code in vars(report_codes).values() if isinstance(code, Code)]
    vocabulary += [*report_codes.DERIVATIONS, *report_codes.PROCEDURES.values()]
    for code in vocabulary:
        if code == report_codes.TIME_POINT or code.scheme_designator == "UCUM":
            continue  # TID 1502 itself names the one; UCUM is a grammar and no list
        assert code.meaning.lower() in standard_codes(code.scheme_designator)[code.value], code


def test_every_site_is_a_cdisc_term(shared_data):
    """TULOC, codelist C74456; words of other origin are listed apart and lead to a term."""
    table = shared_data / "recist" / "sdtm_ct_onco_subset_2025-03-25.csv"
    with table.open(encoding="utf-8", newline="") as file:
        terms = {row["term"] for row in csv.DictReader(file) if row["clst_code"] == "C74456"}
    assert set(SITES) <= terms
    assert set(OTHER_WORDS.values()) <= set(SITES)
    assert not set(OTHER_WORDS) & terms


def test_an_unknown_site_has_no_code_rather_than_a_wrong_one(mr, tmp_path):
    """A metastasis elsewhere is not put into the head and neck."""
    assert site_codes("DUODENUM") == ()
    _, _, files, geometry, _ = mr
    each = made.segmented(geometry)[0]
    elsewhere = SegmentedLesion(lesion=made.lesion("N01", "DUODENUM"), mask=each.mask, algorithm="a", version="1")
    write_seg(tmp_path / "seg", [elsewhere], sources=files)
    write_sr(
        tmp_path / "sr", measured(geometry, [elsewhere]), seg=tmp_path / "seg", sources=files, reader="R1",
        timepoint="FU1", timepoint_order=1,
    )  # fmt: skip
    assert "AnatomicRegionSequence" not in pydicom.dcmread(tmp_path / "seg").SegmentSequence[0]
    assert made.errors_of(tmp_path / "seg") == made.errors_of(tmp_path / "sr") == []
