"""What one object looks like afterwards: quantities unchanged, references whole, method recorded, refusals by name."""

import io
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

from npcpit_imaging.dicom.deidentify import (
    Action,
    DeidentifyPlan,
    Manifest,
    deidentify,
    new_uid,
    patient_id,
)
from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.pet import suv_scaling
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.errors import DeidentifyError, InputError

PLAN = DeidentifyPlan(key=bytes(range(32)))
SUV_KEYWORDS = (
    "Units", "CorrectedImage", "DecayCorrection", "DecayFactor", "RescaleSlope", "RescaleIntercept", "PatientWeight",
    "PatientSize", "PatientSex", "PatientAge", "SeriesTime", "AcquisitionTime", "StudyTime", "FrameReferenceTime",
    "ActualFrameDuration", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
)  # fmt: skip
RADIOPHARMACEUTICAL_KEYWORDS = (
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadionuclidePositronFraction", "RadiopharmaceuticalStartTime",
)  # fmt: skip


def run(dataset: Dataset, *, shift_days: int = -37, plan: DeidentifyPlan = PLAN) -> tuple[Dataset, Manifest]:
    return deidentify(dataset, subject="SUB-01", shift_days=shift_days, plan=plan)


def small(**values: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientID = CTImageStorage, "1.2.3.4.5", "0012345"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def test_a_raw_pets_suv_is_the_same_before_and_after(shared_data: Path) -> None:
    """Every tag of SUVbw, and the time from injection to scan across the dates, to the second."""
    path = next((shared_data / "images/sts_001_raw/FDG_PET/image").glob("*.dcm"))
    before, (after, _) = pydicom.dcmread(path), run(pydicom.dcmread(path))
    for keyword in SUV_KEYWORDS:
        assert after.get(keyword) == before.get(keyword), keyword
    old, new = (d.RadiopharmaceuticalInformationSequence[0] for d in (before, after))
    for keyword in RADIOPHARMACEUTICAL_KEYWORDS:
        assert new.get(keyword) == old.get(keyword), keyword
    assert after.get_item("PixelData").value == before.get_item("PixelData").value
    assert after.SeriesDate != before.SeriesDate


def deidentified_folder(source: Path, target: Path) -> Path:
    target.mkdir()
    for number, path in enumerate(sorted(source.iterdir())):
        copy, _ = run(pydicom.dcmread(path))
        copy.save_as(target / f"{number:04}.dcm", enforce_file_format=True)
    return target


def test_our_own_suv_and_contours_are_the_same_before_and_after(shared_data: Path, tmp_path: Path) -> None:
    """A PET series and its RTSTRUCT through the real readers: voxels, grid, ROI mask and SUV factor are equal."""
    images = shared_data / "images"
    folder, structures = images / "sts/STS_002/PET/image", images / "sts/STS_002/PET/mask"
    before, after = load_folder(folder), load_folder(deidentified_folder(folder, tmp_path / "image"))
    np.testing.assert_array_equal(after.voxels, before.voxels)
    np.testing.assert_array_equal(after.geometry.origin_mm, before.geometry.origin_mm)
    old, new = (next(path.iterdir()) for path in (structures, deidentified_folder(structures, tmp_path / "mask")))
    assert roi_names(new) == roi_names(old)
    masks = [read_roi(path, "GTV_Mass_PET", v.geometry) for path, v in ((old, before), (new, after))]
    np.testing.assert_array_equal(masks[0].voxels, masks[1].voxels)
    raw = sorted((images / "sts_001_raw/FDG_PET/image").iterdir())[:8]
    for number, path in enumerate(raw):
        run(pydicom.dcmread(path))[0].save_as(tmp_path / f"raw{number}.dcm", enforce_file_format=True)
    assert suv_scaling(sorted(tmp_path.glob("raw*.dcm"))).factor == suv_scaling(raw).factor


def test_intervals_across_midnight_and_inside_sequences_survive() -> None:
    """Injection 23:50 on 29 February, scan 00:50 on 1 March: both dates move alike, at depth one and none."""
    injection = Dataset()
    injection.RadiopharmaceuticalStartDateTime = "20240229235000.00+0900"
    pet = small(AcquisitionDateTime="20240301005000", SeriesDate="20240301", SeriesTime="005000")
    pet.RadiopharmaceuticalInformationSequence = Sequence([injection])
    after, _ = run(pet, shift_days=-60)
    assert after.AcquisitionDateTime == "20240101005000"
    assert after.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime == "20231231235000.00+0900"
    assert (after.SeriesDate, after.SeriesTime) == ("20240101", "005000")


def test_the_vendors_own_pet_times_move_with_the_others() -> None:
    """GE (0009,xx0D) and Siemens (0071,xx22) hold the decay time; unmoved they would break the SUV."""
    pet = small(SOPClassUID=PositronEmissionTomographyImageStorage)
    pet.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20240301120000.00")
    pet.private_block(0x0071, "SIEMENS MED PT", create=True).add_new(0x22, "DT", "20240301120000.00")
    after, _ = run(pet, shift_days=-1)
    assert after[0x0009, 0x100D].value == "20240229120000.00"
    assert after[0x0071, 0x1022].value == "20240229120000.00"


def test_the_philips_factors_stay_in_whichever_block_they_lie() -> None:
    pet = small()
    pet.private_block(0x7053, "SOMETHING ELSE", create=True).add_new(0x00, "DS", "9")
    pet.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x09, "DS", "1.25")
    after, _ = run(pet)
    assert after[0x7053, 0x0011].value == "Philips PET Private Group"
    assert after[0x7053, 0x1109].value == 1.25
    assert (0x7053, 0x0010) not in after
    assert (0x7053, 0x1000) not in after


def test_the_method_is_recorded_with_its_edition_and_codes() -> None:
    after, manifest = run(small())
    codes = [(code.CodeValue, code.CodingSchemeDesignator) for code in after.DeidentificationMethodCodeSequence]
    expected = ("113100", "113103", "113104", "113105", "113107", "113108", "113111")
    assert codes == [(value, "DCM") for value in expected]
    assert manifest.codes == expected
    assert after.PatientIdentityRemoved == "YES"
    assert after.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "2026d" in after.DeidentificationMethod[0]
    assert (str(after.PatientName), after.PatientID) == ("SUB-01", "SUB-01")


def test_device_identity_stays_only_when_asked() -> None:
    original = small(DeviceSerialNumber="SN-778899", StationName="PETCT2")
    kept, manifest = run(original, plan=DeidentifyPlan(key=PLAN.key, retain_device_identity=True))
    gone, _ = run(original)
    assert (kept.DeviceSerialNumber, kept.StationName) == ("SN-778899", "PETCT2")
    assert "113109" in manifest.codes
    assert (gone.DeviceSerialNumber, gone.StationName) == ("Removed", "Removed")


def test_work_on_pixels_that_an_earlier_deidentifier_recorded_is_not_forgotten() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = (
        "113102",
        "DCM",
        "Clean Recognizable Visual Features",
    )
    _, manifest = run(small(DeidentificationMethodCodeSequence=Sequence([code])))
    assert "113102" in manifest.codes


def test_references_agree_across_objects_and_modalities() -> None:
    """A mask refers to its image, a registration to two frames of reference: the new UIDs are the same in both."""
    image = small(SOPInstanceUID="1.2.3.99.1", FrameOfReferenceUID="1.2.3.99.2", StudyInstanceUID="1.2.3.99.3")
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.99.1"
    frame = Dataset()
    frame.FrameOfReferenceUID, frame.ContourImageSequence = "1.2.3.99.2", Sequence([reference])
    mask = small(SOPInstanceUID="1.2.3.99.4", ReferencedFrameOfReferenceSequence=Sequence([frame]))
    (image, manifest), (mask, _) = run(image), run(mask, shift_days=-99)
    frame = mask.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == image.FrameOfReferenceUID == new_uid(PLAN.key, "1.2.3.99.2")
    assert frame.ContourImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert frame.ContourImageSequence[0].ReferencedSOPClassUID == CTImageStorage
    assert set(manifest.uid_map) == {"1.2.3.99.1", "1.2.3.99.2", "1.2.3.99.3"}
    assert "1.2.3.99" not in repr(manifest)
    assert "1.2.3.99" not in str(manifest.report())


def test_two_processes_write_the_same_bytes_and_two_keys_do_not() -> None:
    path = get_testdata_file("CT_small.dcm")
    program = (
        "import io, sys, pydicom; from npcpit_imaging.dicom.deidentify import *;"
        f"d, _ = deidentify(pydicom.dcmread({path!r}), subject='SUB-01', shift_days=-37,"
        " plan=DeidentifyPlan(key=bytes(range(32))));"
        "b = io.BytesIO(); d.save_as(b, enforce_file_format=True); sys.stdout.buffer.write(b.getvalue())"
    )
    there = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, check=True).stdout
    assert there == saved(run(pydicom.dcmread(path))[0])
    assert there != saved(run(pydicom.dcmread(path), plan=DeidentifyPlan(key=bytes(32)))[0])


def saved(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_the_original_is_not_touched_and_shares_nothing_with_the_copy() -> None:
    original = small(PatientName="Yamada^Taro", PatientWeight="70", ImageType=["ORIGINAL", "PRIMARY"])
    untouched = deepcopy(original)
    copy, _ = run(original)
    copy.PatientWeight = "1"
    copy.ImageType[0] = "DERIVED"
    assert original == untouched


def test_file_meta_information_is_new_but_for_the_transfer_syntax() -> None:
    original = small()
    original.file_meta = FileMetaDataset()
    original.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    original.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    original.file_meta.SourceApplicationEntityTitle = "HOSPITAL"
    after, _ = run(original)
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID != "1.2.3.4.5"
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert "SourceApplicationEntityTitle" not in after.file_meta


def test_an_age_over_89_is_clipped_in_the_header_and_anywhere_else() -> None:
    inner = small(PatientAge="101Y")
    after, _ = run(small(PatientAge="095Y", ReferencedSeriesSequence=Sequence([inner])))
    assert after.PatientAge == after.ReferencedSeriesSequence[0].PatientAge == "090Y"


def test_a_report_keeps_its_measurements_and_loses_its_people() -> None:
    """TEXT is cleaned, PNAME replaced, DATE moved, UIDREF remapped, NUM kept, a Subject Birth Date item removed."""

    def item(kind: str, code: str, **values: object) -> Dataset:
        content, name = Dataset(), Dataset()
        name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, "DCM", "Concept"
        content.ValueType, content.ConceptNameCodeSequence = kind, Sequence([name])
        for keyword, value in values.items():
            setattr(content, keyword, value)
        return content

    number = Dataset()
    number.NumericValue = "12.5"
    items = [
        item("TEXT", "121106", TextValue="target lesion of Mrs Yamada"), item("PNAME", "121008", PersonName="Doe^Jane"),
        item("DATE", "111060", Date="20240301"), item("UIDREF", "112040", UID="1.2.3.77"),
        item("NUM", "103340004", MeasuredValueSequence=Sequence([number])), item("DATE", "121031", Date="19700101"),
    ]  # fmt: skip
    text, person, day, tracking, value = run(small(ContentSequence=Sequence(items)), shift_days=-1)[0].ContentSequence
    assert text.TextValue == "target lesion"
    assert str(person.PersonName) == "Removed"
    assert day.Date == "20240229"
    assert new_uid(PLAN.key, "1.2.3.77") == tracking.UID
    assert value.MeasuredValueSequence[0].NumericValue == 12.5


def test_codes_of_a_hospitals_own_scheme_become_pseudonyms_and_published_ones_stay() -> None:
    own, published = Dataset(), Dataset()
    own.CodeValue, own.CodingSchemeDesignator, own.CodeMeaning = "KYUDAI-7", "99KYUDAI", "CT neck for Dr Sato"
    published.CodeValue, published.CodingSchemeDesignator, published.CodeMeaning = "69536005", "SCT", "Head"
    original = small(ProcedureCodeSequence=Sequence([own]), AnatomicRegionSequence=Sequence([published]))
    (first, _), (second, _) = run(original), run(original)
    code = first.ProcedureCodeSequence[0]
    assert (code.CodingSchemeDesignator, code.CodeMeaning) == ("99LOCAL", "CT neck for".removesuffix(" for"))
    assert code.CodeValue == second.ProcedureCodeSequence[0].CodeValue != "KYUDAI-7"
    assert first.AnatomicRegionSequence[0].CodeMeaning == "Head"


def test_overlays_and_curves_go_and_graphics_keep_their_geometry() -> None:
    graphic, text, annotation = Dataset(), Dataset(), Dataset()
    graphic.GraphicData, graphic.GraphicType = [1.0, 2.0, 3.0, 4.0], "POLYLINE"
    text.UnformattedTextValue = "Yamada 12.5 mm lesion"
    annotation.GraphicObjectSequence, annotation.TextObjectSequence = Sequence([graphic]), Sequence([text])
    original = small(GraphicAnnotationSequence=Sequence([annotation]))
    original.add_new(0x60000010, "US", 8)
    original.add_new(0x60003000, "OW", bytes(8))
    original.add_new(0x50000010, "US", 8)
    after, _ = run(original)
    annotation = after.GraphicAnnotationSequence[0]
    assert annotation.GraphicObjectSequence[0].GraphicData == [1.0, 2.0, 3.0, 4.0]
    assert "Yamada" not in annotation.TextObjectSequence[0].UnformattedTextValue
    assert not [element.tag for element in after if element.tag.group in (0x5000, 0x6000)]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"BurnedInAnnotation": "YES", "Modality": "CT"}, "burned-in-annotation"),
        ({"Modality": "US"}, "burned-in-annotation"),
        ({"Modality": "CT", "BodyPartExamined": "NECK"}, "face-bearing"),
        ({"Modality": "MR", "RecognizableVisualFeatures": "YES"}, "face-bearing"), ({"Modality": "CT"}, "face-unknown"),
    ],
)  # fmt: skip
def test_pixels_that_may_show_somebody_are_flagged(values: dict[str, str], code: str) -> None:
    _, manifest = run(small(PixelData=bytes(2), **values))
    assert code in {finding.code for finding in manifest.findings}


def test_a_chest_is_no_face_and_a_report_has_no_pixels() -> None:
    assert run(small(Modality="CT", BodyPartExamined="CHEST", PixelData=bytes(2)))[1].findings == ()
    assert run(small(Modality="SR"))[1].findings == ()


def test_what_cannot_be_done_with_certainty_is_refused_by_the_tags_name() -> None:
    with pytest.raises(DeidentifyError, match=r"\(0042,0011\) EncapsulatedDocument"):
        run(small(EncapsulatedDocument=b"%PDF Yamada Taro"))
    with pytest.raises(DeidentifyError, match="a voice recording"):
        run(small(SOPClassUID="1.2.840.10008.5.1.4.1.1.9.4.1"))
    with pytest.raises(DeidentifyError, match="nested sequences"):
        run(nested(depth=40))
    broken = small()
    text = b"Yamada Taro is no sequence"
    broken[0x00540016] = RawDataElement(BaseTag(0x00540016), "UN", len(text), text, 0, False, True)
    with pytest.raises(DeidentifyError, match=r"\(0054,0016\)") as caught:
        run(broken)
    assert "Yamada" not in str(caught.value)


def nested(*, depth: int) -> Dataset:
    dataset = small()
    for _ in range(depth):
        dataset = small(ReferencedSeriesSequence=Sequence([dataset]))
    return dataset


def test_arguments_that_would_leave_dates_or_names_are_refused() -> None:
    with pytest.raises(InputError, match="other than 0"):
        run(small(), shift_days=0)
    with pytest.raises(InputError, match="subject code"):
        deidentify(small(), subject="Yamada Taro", shift_days=-1, plan=PLAN)
    with pytest.raises(DeidentifyError, match="belongs to nobody"):
        patient_id(small(PatientID=""))
    assert patient_id(small()) == "0012345"


def test_the_manifest_counts_what_was_done_and_shows_no_value() -> None:
    _, manifest = run(small(StudyDate="20240301", SeriesDate="20240301", PatientAddress="Fukuoka"))
    assert manifest.count(Action.SHIFT) == 2
    assert manifest.count(Action.REMOVE) == 1
    assert manifest.count(Action.REMAP) == 1
    assert not {"20240301", "Fukuoka", "0012345"} & set(str(manifest).split("'"))


def test_an_unreadable_date_is_emptied_and_said(recwarn: pytest.WarningsRecorder) -> None:
    original = small()
    original.add(pydicom.DataElement(0x00080020, "DA", "Yamada", validation_mode=pydicom.config.IGNORE))
    after, manifest = run(original)
    assert after.StudyDate == ""
    assert [finding.code for finding in manifest.findings] == ["unreadable-value"]
    assert "Yamada" not in manifest.findings[0].text
    assert not recwarn.list


def test_a_japanese_name_that_was_already_decoded_leaves_tables_of_numbers_alone() -> None:
    """A name with no Latin letter gives no bytes to search for, and must not match everything."""
    original = small(
        SpecificCharacterSet="ISO 2022 IR 87", PatientName="山田^太郎", RedPaletteColorLookupTableData=bytes(range(64))
    )
    after, manifest = run(original)
    assert after.RedPaletteColorLookupTableData == bytes(range(64))
    assert str(after.PatientName) == "SUB-01"
    assert manifest.findings == ()


@pytest.mark.parametrize(
    ("tag", "vr"), [(0x00181210, "OW"), (0x00280010, "LO"), (0x00189074, "OB"), (0x00081090, "??")]
)
def test_a_text_under_the_wrong_vr_does_not_slip_through(tag: int, vr: str) -> None:
    original = small(PatientName="Yamada^Taro")
    text = b"Yamada Taro "
    original[tag] = RawDataElement(BaseTag(tag), vr, len(text), text, 0, False, True)
    after, _ = run(original)
    value = after.get_item(tag).value if tag in after else b""
    assert b"Yamada" not in (value if isinstance(value, bytes) else str(value).encode())


def test_a_short_patient_id_does_not_cost_the_software_version() -> None:
    original = small(PatientID="1234", SoftwareVersions="VB12345", ConvolutionKernel="1234 Br40")
    after, manifest = run(original)
    assert after.SoftwareVersions == "VB12345"
    assert after.ConvolutionKernel == "Removed"
    assert [finding.code for finding in manifest.findings] == ["identity-in-kept-value"]
