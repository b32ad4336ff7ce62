"""Nothing of the original is left: real files of every kind, and identities planted where others forget to look."""

import contextlib
import importlib
import io
import struct
import sys
import warnings
from pathlib import Path
from random import Random

import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from npcpit_imaging.dicom.deidentify import DeidentifyPlan, Manifest, deidentify
from npcpit_imaging.errors import DeidentifyError

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
scanner = importlib.import_module("identity_scanner")
identity_of, leaks = scanner.identity_of, scanner.leaks

PLAN = DeidentifyPlan(key=bytes(range(32)))
SHIFT = -37
SAMPLE = Path(__file__).parents[2] / "sample_dicom"
TEST_FILES = Path(get_testdata_files("CT_small.dcm")[0]).parent
DICOM_FILES = sorted(
    {str(path) for path in get_testdata_files() + get_charset_files() if Path(path).is_file()}
    | {str(path) for path in (TEST_FILES / "dicomdirtests").rglob("*") if path.is_file()}
)


def read(path: str | Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom complains of the broken files, which are the point here
        return pydicom.dcmread(path, force=True)


def written(dataset: Dataset, original: Dataset) -> bytes:
    """The copy as a file, in the encoding of the original."""
    buffer, meta = io.BytesIO(), getattr(original, "file_meta", {})
    implicit, little = original.original_encoding
    encoding = {} if "TransferSyntaxUID" in meta else {"implicit_vr": implicit, "little_endian": little}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(buffer, dataset, **encoding)
    return buffer.getvalue()


def run(original: Dataset) -> tuple[bytes, Manifest]:
    copy, manifest = deidentify(original, subject="SUB-01", shift_days=SHIFT, plan=PLAN)
    return written(copy, original), manifest


@pytest.mark.parametrize("path", DICOM_FILES, ids=lambda path: Path(path).name)
def test_a_real_file_keeps_nothing_of_its_owner(path: str) -> None:
    """Every pydicom test and character set file: no name, id, UID or unshifted date; a directory is refused by name."""
    identity = identity_of(read(path))
    if "DICOMDIR" in path:
        with pytest.raises(DeidentifyError, match="DICOMDIR"):
            run(read(path))
    else:
        data, _ = run(read(path))
        assert leaks(identity, data) == []


@pytest.mark.parametrize("path", DICOM_FILES, ids=lambda path: Path(path).name)
def test_pixel_data_are_the_same_bytes(path: str) -> None:
    original = read(path)
    if "PixelData" not in original or "DICOMDIR" in path:
        return
    pixels = original.get_item("PixelData").value
    data, _ = run(original)
    assert read(io.BytesIO(data)).get_item("PixelData").value == pixels


def test_the_scanner_finds_the_owner_of_an_original() -> None:
    """The test of the test: on an untouched file it finds name, identifier, UID and date."""
    path = get_testdata_files("CT_small.dcm")[0]
    found = "\n".join(leaks(identity_of(read(path)), Path(path).read_bytes()))
    assert all(what in found for what in ("name", "identifier", "UID", "date"))


class Planted:
    """A CT object with an identifying word, each used once, in every place where one may hide."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def word(self) -> str:
        number = len(self.words)
        self.words.append(f"Qz{'abcdefghij'[number // 10]}{'klmnopqrst'[number % 10]}ishida")
        return self.words[-1]

    def code(self, scheme: str) -> Dataset:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = self.word(), scheme, self.word()
        return item

    def dataset(self) -> Dataset:
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, "1.2.3.4.5.6.7.8", "CT"
        ds.PatientName, ds.PatientID = f"{self.word()}^{self.word()}", self.word()
        ds.StudyDescription, ds.SeriesDescription = f"Neck {self.word()}", f"AX {self.word()} T1"
        ds.ProtocolName, ds.ImageComments, ds.InstitutionName = self.word(), self.word(), self.word()
        ds.ReferringPhysicianName, ds.AccessionNumber, ds.StationName = self.word(), self.word(), self.word()
        ds.RetrieveAETitle, ds.RetrieveURL, ds.StudyID = self.word(), f"http://{self.word()}/", self.word()
        ds.ContrastBolusAgent, ds.BodyPartExamined = self.word(), self.word().upper()
        ds.ConvolutionKernel = self.words[0]  # the patient's own name, in a technical field
        ds.OtherPatientIDsSequence = Sequence([Dataset()])
        ds.OtherPatientIDsSequence[0].PatientID = self.word()
        self._deep(ds)
        self._private(ds)
        self._graphics(ds)
        return ds

    def _deep(self, ds: Dataset) -> None:
        """Depth three and four, in sequences the table does not name."""
        inner = Dataset()
        inner.PatientName, inner.SegmentDescription, inner.TrackingID = self.word(), self.word(), self.word()
        inner.PurposeOfReferenceCodeSequence = Sequence([self.code(f"99{self.word()[:12]}")])
        middle, outer = Dataset(), Dataset()
        middle.DerivationImageSequence = Sequence([inner])
        outer.SourceImageSequence = Sequence([middle])
        ds.SharedFunctionalGroupsSequence = Sequence([outer])
        ds.ContentSequence = Sequence([self._content("TEXT"), self._content("PNAME")])

    def _content(self, kind: str) -> Dataset:
        leaf, container = Dataset(), Dataset()
        leaf.ValueType, leaf.ConceptNameCodeSequence = kind, Sequence([self.code("99HERE")])
        setattr(leaf, {"TEXT": "TextValue", "PNAME": "PersonName"}[kind], self.word())
        container.ValueType, container.ContentSequence = "CONTAINER", Sequence([leaf])
        top = Dataset()
        top.ValueType, top.ContentSequence = "CONTAINER", Sequence([container])
        return top

    def _private(self, ds: Dataset) -> None:
        block = ds.private_block(0x0009, f"ACME {self.word()}", create=True)
        nested = Dataset()
        nested.PatientName = self.word()
        block.add_new(0x01, "LO", self.word())
        block.add_new(0x02, "SQ", Sequence([nested]))
        philips = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        philips.add_new(0x00, "DS", "0.000587")
        philips.add_new(0x09, "LO", self.word())  # a safe element whose value is not what it promises
        philips.add_new(0x03, "LO", self.word())
        deep = ds.SharedFunctionalGroupsSequence[0].SourceImageSequence[0]
        deep.private_block(0x0019, "OTHER", create=True).add_new(0x10, "UN", self.word().encode())

    def _graphics(self, ds: Dataset) -> None:
        text = Dataset()
        text.UnformattedTextValue = self.word()
        annotation = Dataset()
        annotation.GraphicLayer, annotation.TextObjectSequence = "LAYER", Sequence([text])
        ds.GraphicAnnotationSequence = Sequence([annotation])
        ds.add_new(0x60001500, "LO", self.word())
        ds.add_new(0x60003000, "OW", self.word().encode() + b"\0")
        ds.add_new(0x50000030, "LO", self.word())

    def file(self, syntax: str) -> bytes:
        ds = self.dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = syntax
        ds.file_meta.SourceApplicationEntityTitle = self.word()
        ds.file_meta.PrivateInformationCreatorUID = "1.2.3.4.5.6.7.9"
        ds.file_meta.PrivateInformation = self.word().encode() + b"\0"
        ds.preamble = self.word().encode().ljust(128, b"\0")
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # planted words do not all fit their VR
            pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
        return buffer.getvalue()


def un_element(tag: tuple[int, int], value: bytes) -> bytes:
    """An element of VR UN as bytes, explicit little endian."""
    value += b" " * (len(value) % 2)
    return struct.pack("<HH2sHI", *tag, b"UN", 0, len(value)) + value


def implicit_item(tag: tuple[int, int], value: bytes) -> bytes:
    """One sequence item of defined length that holds one element, implicit little endian (PS3.5 6.2.2)."""
    value += b" " * (len(value) % 2)
    element = struct.pack("<HHI", *tag, len(value)) + value
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_planted_identities_are_gone_from_every_hiding_place(syntax: str) -> None:
    """More than 40 words: depth three and more, private blocks, graphics, overlays, file meta information, preamble."""
    planted = Planted()
    original = planted.file(syntax)
    assert len(planted.words) >= 40
    assert all(word[:12].encode().lower() in original.lower() for word in planted.words)
    data, manifest = run(read(io.BytesIO(original)))
    assert [word for word in planted.words if word.encode().lower() in data.lower()] == []
    assert leaks(identity_of(read(io.BytesIO(original))), data) == []
    assert not any(word.lower() in str(manifest.report()).lower() for word in planted.words)
    copy = read(io.BytesIO(data))
    assert (copy.StudyDescription, copy.SeriesDescription) == ("Neck", "AX T1")
    assert float(copy[0x7053, 0x1000].value) == 0.000587
    assert (0x7053, 0x1009) not in copy
    assert (0x0009, 0x0010) not in copy


def test_elements_of_unknown_vr_are_read_before_they_are_trusted() -> None:
    """UN: an address, a sequence in implicit VR, a tag nobody knows, text where the dictionary says a number."""
    base = Planted().file(ExplicitVRLittleEndian)
    words = [b"Xavierstreet", b"Xaviername", b"Xavierunknown", b"Xaviernumber"]
    appended = un_element((0x7777, 0x0002), words[2]).replace(b"\x77\x77", b"\x78\x77", 1) + un_element(
        (0x7FE0, 0x0020), words[2]
    )
    inside = (
        un_element((0x0010, 0x1040), words[0])
        + un_element((0x0028, 0x0008), words[3])
        + un_element((0x0040, 0x0340), implicit_item((0x0010, 0x0010), words[1]))
    )
    ds = read(io.BytesIO(base))
    for tag in [tag for tag in map(int, ds.keys()) if tag > 0x00100000]:
        del ds[tag]
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    original = buffer.getvalue() + inside + appended
    assert all(word in original for word in words)
    data, manifest = run(read(io.BytesIO(original)))
    assert [word for word in words if word in data] == []
    assert "unreadable-value" in {finding.code for finding in manifest.findings}


def test_a_broken_character_set_is_no_reason_to_fail_or_to_leak() -> None:
    """Shift JIS bytes under a charset that does not exist, and a lone escape sequence, in kept and cleaned texts."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 999"
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, "1.2.3.4.5.6.7.8"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    name = "山田太郎".encode("shift_jis")
    texts = {(0x0010, 0x0010): name + b"^\x1b$B;3ED", (0x0018, 0x1210): name, (0x0018, 0x1250): b"\x1b$B;3ED\x1b(B"}
    tail = b"".join(
        struct.pack("<HHI", *tag, len(v) + len(v) % 2) + v + b" " * (len(v) % 2) for tag, v in texts.items()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy, _ = deidentify(read(io.BytesIO(buffer.getvalue() + tail)), subject="S", shift_days=-1, plan=PLAN)
    data = written(copy, copy)
    assert name not in data
    assert b";3ED" not in data
    assert str(copy.PatientName) == "S"
    assert copy.ConvolutionKernel == copy.ReceiveCoilName == "Removed"


@pytest.mark.parametrize("name", ["CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "MR_small_bigendian.dcm", "priv_SQ.dcm"])
def test_damaged_bytes_are_read_or_refused_and_never_a_traceback(name: str) -> None:
    """A bounded, seeded fuzz: 60 copies of a file with up to 12 bytes changed; only errors of ours may come."""
    random, whole = Random(7), (TEST_FILES / name).read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 12)):
            damaged[random.randrange(132, min(len(whole), 8000))] = random.randrange(256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                original = pydicom.dcmread(io.BytesIO(bytes(damaged)), force=True)
            except Exception:  # noqa: BLE001  what pydicom cannot read never reaches the de-identifier
                continue
            with contextlib.suppress(DeidentifyError):
                deidentify(original, subject="S", shift_days=-1, plan=PLAN)


def test_text_behind_the_standards_uid_root_is_no_uid_of_the_standard() -> None:
    """Neither an instance's nor a class's UID may carry text through, nor may the transfer syntax."""
    ds = Dataset()
    for tag, text in ((0x00080016, b"1.2.840.10008.5 Yamada"), (0x00080018, b"1.2.840.10008.1 Yamada")):
        ds[tag] = RawDataElement(BaseTag(tag), "UI", len(text), text, 0, False, True)
    copy, _ = deidentify(ds, subject="S", shift_days=-1, plan=PLAN)
    assert copy.SOPClassUID.startswith("2.25.")
    assert copy.SOPInstanceUID.startswith("2.25.")
    text = b"1.2.840.10008.1.2 Yamada"
    ds.file_meta = FileMetaDataset()
    ds.file_meta[0x00020010] = RawDataElement(BaseTag(0x00020010), "UI", len(text), text, 0, False, True)
    with pytest.raises(DeidentifyError, match=r"\(0002,0010\)"):
        deidentify(ds, subject="S", shift_days=-1, plan=PLAN)


def test_a_uid_hung_on_a_class_of_the_standard_is_an_instances_uid() -> None:
    """Some devices append date, serial number and patient number to the SOP class; the standard's own UIDs stay."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"{CTImageStorage}.20240131.4711008"
    ds.FrameOfReferenceUID = "1.2.840.10008.1.4.1.1"  # Talairach Brain Atlas
    copy, manifest = deidentify(ds, subject="S", shift_days=-1, plan=PLAN)
    assert copy.SOPClassUID == CTImageStorage
    assert copy.SOPInstanceUID.startswith("2.25.")
    assert copy.FrameOfReferenceUID == ds.FrameOfReferenceUID
    assert list(manifest.uid_map) == [ds.SOPInstanceUID]


def test_no_date_that_everybody_knows_tells_the_shift() -> None:
    """The edition of a public context group and the trial's own approval: shifted, they would tell by how much."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-A0100", "SRT", "Brain"
    code.MappingResource, code.ContextGroupVersion, code.ContextIdentifier = "DCMR", "20020904", "4"
    ds = Dataset()
    ds.AnatomicRegionSequence = Sequence([code])
    ds.EthicsCommitteeApprovalEffectivenessStartDate = "20230401"
    copy, _ = deidentify(ds, subject="S", shift_days=-1, plan=PLAN)
    kept = copy.AnatomicRegionSequence[0]
    assert (kept.CodeValue, kept.CodeMeaning) == ("T-A0100", "Brain")
    assert not {"ContextGroupVersion", "MappingResource", "ContextIdentifier"} & set(kept.dir())
    assert "EthicsCommitteeApprovalEffectivenessStartDate" not in copy


def test_a_number_that_is_the_patients_or_a_day_goes_and_other_numbers_stay() -> None:
    ds = Dataset()
    ds.PatientID, ds.StudyDate = "20881177", "20240131"
    ds.SeriesNumber, ds.AcquisitionNumber, ds.ExposureTime = 20881177, 20240131, 20240132
    ds.ActualFrameDuration = 180000
    copy, manifest = deidentify(ds, subject="S", shift_days=-1, plan=PLAN)
    assert (copy.SeriesNumber, copy.AcquisitionNumber) == (0, 0)
    assert (copy.ExposureTime, copy.ActualFrameDuration) == (20240132, 180000)
    assert [finding.code for finding in manifest.findings] == ["identity-in-kept-value"] * 2


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [("94", "a", ("90", "a")), ("89.9", "a", ("89.9", "a")), ("1100", "mo", ("90", "a")), ("400", "d", ("400", "d")),
     ("40", "decades", ("90", "a"))],
)  # fmt: skip
def test_an_age_over_89_in_a_report_is_90_years(value: str, unit: str, expected: tuple[str, str]) -> None:
    """Subject Age (121033 DCM) of TID 1007; 1100 months are 91.7 years; a unit nobody knows counts as old."""

    def code(text: str, scheme: str) -> Sequence:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = text, scheme, text
        return Sequence([item])

    measured, item, ds = Dataset(), Dataset(), Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, code(unit, "UCUM")
    measured.FloatingPointValue = float(value)
    item.RelationshipType, item.ValueType = "HAS OBS CONTEXT", "NUM"
    item.ConceptNameCodeSequence, item.MeasuredValueSequence = code("121033", "DCM"), Sequence([measured])
    ds.SOPClassUID, ds.ContentSequence = "1.2.840.10008.5.1.4.1.1.88.33", Sequence([item])
    copy, _ = deidentify(ds, subject="S", shift_days=-1, plan=PLAN)
    kept = copy.ContentSequence[0].MeasuredValueSequence[0]
    assert (str(kept.NumericValue), kept.MeasurementUnitsCodeSequence[0].CodeValue) == expected
    assert kept.get("FloatingPointValue") == (None if expected == ("90", "a") else float(value))


def test_what_people_write_beside_technical_values_is_cleaned() -> None:
    """Comments, descriptions and explanations in groups 0018 and 0028 are sentences of people, not of devices."""
    ds = Dataset()
    ds.FrameOfInterestDescription = ds.SystemStatusComment = ds.PaddleDescription = "seen by Qzishida at noon"
    ds.WindowCenterWidthExplanation = ["Qzishida", "BONE"]
    ds.EthnicGroup = "Qzishida clan"
    ds.ConvolutionKernel = "B30f"
    copy, _ = deidentify(ds, subject="S", shift_days=-1, plan=PLAN)
    assert "Qzishida" not in str(copy)
    assert copy.ConvolutionKernel == "B30f"


@pytest.mark.parametrize("visit", ["BASELINE", "FU1", "FU2"])
def test_every_object_of_the_sample_study_keeps_nothing_of_its_owner(visit: str) -> None:
    """All objects of all series, by the scanner that shares no code with the de-identifier."""
    files = sorted((SAMPLE / visit).rglob("*.dcm"))
    assert len(files) > 50
    for path in files:
        data = read(path)
        data.PatientName = "KUROSAWA^AYAKO"  # the sample's own name, SYNTHETIC, is also a word of its scanners' names
        identity = identity_of(data)
        assert identity.names, "the sample has somebody to look for"
        data, _ = run(data)
        assert leaks(identity, data) == [], path.name


def test_real_series_keep_nothing_of_their_owner(shared_data: Path) -> None:
    """CT, MR, PET, RTSTRUCT, SEG and SR from five sources."""
    patterns = [
        "sts/STS_002/*/*/*",
        "sts_001_raw/*/*/*",
        "mr_two_dates/*/*",
        "dcmqi/*/*.dcm",
        "dcmqi/*.dcm",
        "highdicom/*",
    ]
    files = [files[0] for pattern in patterns for files in _by_folder(shared_data / "images", pattern)]
    assert len(files) >= 12
    for path in files:
        identity = identity_of(read(path))
        data, _ = run(read(path))
        assert leaks(identity, data) == [], path.name


def _by_folder(root: Path, pattern: str) -> list[list[Path]]:
    folders: dict[Path, list[Path]] = {}
    for path in sorted(root.glob(pattern)):
        if path.is_file() and path.suffix in (".dcm", ".DCM", "") and b"DICM" in path.read_bytes()[128:132]:
            folders.setdefault(path.parent, []).append(path)
    return list(folders.values())
