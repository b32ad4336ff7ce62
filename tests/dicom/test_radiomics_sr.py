"""Radiomics reports: valid, readable by others, every number under DICOM's own code, what is left out named."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import pytest
from pydicom.sr.codedict import codes

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.dicom.load import load_series
from npcpit_imaging.dicom.radiomics_sr import UNITS, FeatureValue, LesionFeatures, ibsi_codes, write_radiomics_sr
from npcpit_imaging.dicom.seg import write_seg
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.catalogue import DEFINITIONS
from npcpit_imaging.radiomics.extract import extract

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
made = importlib.import_module("lesion_objects")

CODED, UNCODED = 147, 27
"""Of IBSI's 174 features; peaks, intensity statistics and IVH (2 + 18 + 7) have no code in DICOM."""
SETTINGS = RadiomicsSettings.model_validate({"filters": [{"kind": "mean", "support_voxels": 3}]})


def by_hand(**changes):
    """Three numbers of the first lesion, one of them without a code in DICOM."""
    rows = (
        ("morph_volume", "RNU0", 1234.56789012, "mm3"),
        ("cm_joint_max_3D_avg", "GYBY", 0.25, "1"),
        ("cm_joint_max_3D_comb", "GYBY", 1.5e-7, "1"),
        ("stat_mean", "Q4LE", 40.0, "HU"),
    )
    features = tuple(FeatureValue(tag=tag, code=code, value=value, unit=unit) for tag, code, value, unit in rows)
    lesion = made.lesion("T01", "NASOPHARYNX")
    whole = LesionFeatures(
        lesion=lesion, segment_number=1, features=features, settings_digest="ab" * 32, engine_version="0.1.0"
    )
    return replace(whole, **changes)


@pytest.fixture(scope="module")
def mr(tmp_path_factory):
    """A SEG of three lesions on the sample's MR, its folder and files."""
    folder = tmp_path_factory.mktemp("mr")
    files = sorted((made.SAMPLE / "MR_T2").iterdir())
    masks = made.segmented(load_series(files).geometry)
    write_seg(folder / "seg.dcm", masks, sources=files, created=made.SIGNED)
    return folder, files, masks


def write(mr, name, lesions):
    folder, files, _ = mr
    findings = write_radiomics_sr(
        folder / name, lesions, seg=folder / "seg.dcm", sources=files, timepoint="BASELINE", timepoint_order=0,
        created=made.SIGNED,
    )  # fmt: skip
    return folder / name, findings


@pytest.fixture(scope="module")
def extracted(mr):
    """Every feature of the first two lesions, as the engine gives them, in a report."""
    volume = load_series(mr[1])
    lesions = []
    for number, each in enumerate(mr[2][:2], start=1):
        table = extract(volume, each.mask, SETTINGS)
        features = tuple(
            FeatureValue(tag=row.tag, code=row.code, value=row.value, unit=row.unit, filter=row.filter) for row in table
        )
        lesions.append(by_hand(lesion=each.lesion, segment_number=number, features=features))
    return *write(mr, "extracted.dcm", lesions), lesions


def test_the_validator_finds_no_error(extracted):
    assert made.errors_of(extracted[0]) == []


def test_dcmtk_prints_every_number_once(extracted, dsrdump):
    path, _, lesions = extracted
    run = subprocess.run([dsrdump, "-q", "+Pc", str(path)], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    written = [
        row for each in lesions for row in each.features
        if not row.filter and row.code in ibsi_codes() and row.value is not None
    ]  # fmt: skip
    assert run.stdout.count(",IBSI,") == len(written) > 300
    assert run.stdout.count("NUM:") == len(written) + len(lesions)  # and the order of the time point
    assert "Person Observer" not in run.stdout


def test_highdicom_reads_names_values_units_and_the_aggregation(mr):
    """Two aggregations share a code; the tag tells them apart."""
    path, _ = write(mr, "hand.dcm", [by_hand()])
    report = hd.sr.srread(path)
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.tracking_uid == "2.25.47111"
    numbers = [each for each in group.get_measurements() if each.name.scheme_designator == "IBSI"]
    found = [(each.name.value, each.value, each.unit.value) for each in numbers]
    assert found == [("RNU0", 1234.56789, "mm3"), ("GYBY", 0.25, "1"), ("GYBY", 1.5e-7, "1")]
    texts = [
        item.TextValue for number in numbers for item in number[0].ContentSequence
        if item.ValueType == "TEXT" and item.TextValue.startswith("tag=")
    ]  # fmt: skip
    assert texts == ["tag=morph_volume", "tag=cm_joint_max_3D_avg", "tag=cm_joint_max_3D_comb"]


def test_what_is_left_out_is_named(mr, extracted):
    _, findings = write(mr, "hand.dcm", [by_hand()])
    assert [each.text for each in findings] == ["T01: 1 features without a code in DICOM: stat_mean"]
    (filtered,) = [each for each in extracted[1] if "T01" in each.text and "response map" in each.text]
    assert "mean" in filtered.text and "stat_mean" in filtered.text
    (uncoded,) = [each for each in extracted[1] if "T01" in each.text and "without a code" in each.text]
    assert uncoded.text.startswith(f"T01: {UNCODED} features")


def test_the_same_inputs_and_moment_give_the_same_bytes(mr):
    one, _ = write(mr, "one.dcm", [by_hand()])
    again, _ = write(mr, "again.dcm", [by_hand()])
    assert one.read_bytes() == again.read_bytes()


def test_another_lesions_segment_and_a_lesion_without_numbers_are_refused(mr):
    with pytest.raises(InputError, match="expected T01 as segment 2 of the SEG, found another lesion"):
        write(mr, "wrong.dcm", [by_hand(segment_number=2)])
    uncoded = tuple(row for row in by_hand().features if row.tag == "stat_mean")
    with pytest.raises(InputError, match="a feature with a code and a value for T01, found none"):
        write(mr, "none.dcm", [by_hand(features=uncoded)])


def test_147_of_ibsis_174_features_have_a_code_of_the_families_context_groups():
    """Each written code stands in DICOM's context group of its family (CID 7467, 7475-7479, 7500, 7501)."""
    groups = {
        "morphology": "cid7477", "intensity_histogram": "cid7478", "glcm": "cid7467", "glrlm": "cid7475",
        "glszm": "cid7476", "gldzm": "cid7479", "ngtdm": "cid7500", "ngldm": "cid7501",
    }  # fmt: skip
    coded = [each for each in DEFINITIONS.values() if each.code in ibsi_codes()]
    assert (len(coded), len(DEFINITIONS) - len(coded)) == (CODED, UNCODED)
    for each in coded:
        group = {code.value: code for code in getattr(codes, groups[each.family.value]).concepts.values()}
        assert group[each.code] == ibsi_codes()[each.code], each.stem


def test_every_unit_of_a_coded_feature_has_a_ucum_code():
    for intensity in ("HU", "SUVbw", "1"):
        units = {each.unit_for(intensity) for each in DEFINITIONS.values() if each.code in ibsi_codes()}
        assert units <= set(UNITS)
