"""Rows of PS3.15 Tables E.1-1 and E.3.4-1 as read by hand in the standard, and what our options make of them."""

import csv
from importlib.resources import files

import pytest
from pydicom.datadict import tag_for_keyword

from npcpit_imaging.dicom.deidentify.plan import STUDY_OPTIONS
from npcpit_imaging.dicom.deidentify.table import (
    OPTION_CODES,
    Action,
    Option,
    attribute_treatments,
    content_treatments,
    safe_private,
)

BASIC_ROWS = {
    "AccessionNumber": "Z", "AcquisitionDate": "X/Z", "AcquisitionDateTime": "X/Z/D", "ContentDate": "Z/D",
    "ContentSequence": "D", "DeviceSerialNumber": "X/Z/D", "DeviceUID": "U", "FrameOfReferenceUID": "U",
    "InstitutionName": "X/Z/D", "InstitutionAddress": "X", "OperatorsName": "X/Z/D", "OtherPatientIDs": "X",
    "PatientAddress": "X", "PatientAge": "X", "PatientBirthDate": "Z", "PatientComments": "X", "PatientName": "Z",
    "PatientSex": "Z", "PatientSize": "X", "PatientWeight": "X", "PerformedProcedureStepDescription": "X",
    "ProtocolName": "X/D", "ReferencedImageSequence": "X/Z/U*", "ReferencedSOPInstanceUID": "U",
    "ReferringPhysicianName": "Z", "RequestAttributesSequence": "X", "ROIName": "Z", "SOPInstanceUID": "U",
    "SeriesDate": "X/D", "SeriesDescription": "X", "SeriesInstanceUID": "U", "StationName": "X/Z/D", "StudyDate": "Z",
    "StudyDescription": "X", "StudyID": "Z", "StudyInstanceUID": "U", "StructureSetLabel": "D", "TrackingUID": "U",
    "UnformattedTextValue": "D", "VerifyingObserverName": "D", "IconImageSequence": "X", "ImageComments": "X",
    "DigitalSignaturesSequence": "X", "PersonName": "D", "MedicalRecordLocator": "X", "UID": "U",
}  # fmt: skip


def rows(name: str) -> list[dict[str, str]]:
    text = files("npcpit_imaging.dicom.deidentify").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize(("keyword", "basic"), BASIC_ROWS.items())
def test_the_basic_profile_column_is_the_standards(keyword: str, basic: str) -> None:
    tag = f"{tag_for_keyword(keyword):08X}"
    assert {row["tag"]: row["basic"] for row in rows("ps315_e1_1.csv")}[tag] == basic


def test_the_tables_have_every_row_of_edition_2026d_once() -> None:
    """656 attributes (the row of private attributes is a rule, not a tag) and 214 content items."""
    tags = [row["tag"] for row in rows("ps315_e1_1.csv")]
    items = [(row["code"], row["scheme"], row["value_type"]) for row in rows("ps315_e3_4_1.csv")]
    assert len(tags) == len(set(tags)) == 656
    assert len(items) == len(set(items)) == 214


@pytest.mark.parametrize(
    ("keyword", "action"),
    [
        ("StudyDate", Action.SHIFT), ("PatientAge", Action.KEEP), ("PatientWeight", Action.KEEP),
        ("PatientBirthDate", Action.EMPTY), ("SeriesDescription", Action.CLEAN), ("DeviceSerialNumber", Action.DUMMY),
        ("SOPInstanceUID", Action.REMAP), ("InstitutionName", Action.DUMMY), ("PatientAddress", Action.REMOVE),
        ("ContentSequence", Action.CONTENT), ("GraphicAnnotationSequence", Action.KEEP), ("PersonName", Action.DUMMY),
    ],
)  # fmt: skip
def test_the_studys_options_change_the_action(keyword: str, action: Action) -> None:
    assert attribute_treatments(STUDY_OPTIONS)[tag_for_keyword(keyword)].action is action


def test_without_options_the_basic_profile_alone_holds() -> None:
    treatments = attribute_treatments(frozenset())
    assert treatments[tag_for_keyword("PatientWeight")].action is Action.REMOVE
    assert treatments[tag_for_keyword("StudyDate")].action is Action.EMPTY


def test_retaining_device_identity_keeps_the_serial_number() -> None:
    treatments = attribute_treatments(STUDY_OPTIONS | {Option.DEVICE})
    assert treatments[tag_for_keyword("DeviceSerialNumber")].action is Action.KEEP


def test_content_items_follow_table_e341() -> None:
    """Person Observer Name is replaced, Comment is cleaned, Subject Birth Date goes, Study Date moves."""
    treatments = content_treatments(STUDY_OPTIONS)
    assert treatments["121008", "DCM", "PNAME"].action is Action.DUMMY
    assert treatments["121106", "DCM", "TEXT"].action is Action.CLEAN
    assert treatments["121031", "DCM", "DATE"].action is Action.REMOVE
    assert treatments["111060", "DCM", "DATE"].action is Action.SHIFT


def test_every_option_has_its_code_of_cid_7050() -> None:
    assert {option: code for option, (code, _) in OPTION_CODES.items()} == {
        Option.GRAPHICS: "113103", Option.STRUCTURED: "113104", Option.DESCRIPTORS: "113105",
        Option.MODIFIED_DATES: "113107", Option.PATIENT: "113108", Option.DEVICE: "113109",
        Option.SAFE_PRIVATE: "113111",
    }  # fmt: skip


def test_the_philips_suv_factors_are_safe() -> None:
    assert safe_private()["Philips PET Private Group", 0x7053, 0x00] == "DS"
    assert safe_private()["Philips PET Private Group", 0x7053, 0x09] == "DS"
