"""Looks for a patient in a DICOM file; knows nothing of the de-identifier and shares no code with it.

`identity_of` gathers from an original every name, identifier, UID and date at any depth. `leaks` searches another file
for them: every element of every sequence, private elements, file meta information, preamble, and the file's bytes.
"""

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset

ID_KEYWORDS = {
    "PatientID", "OtherPatientIDs", "AccessionNumber", "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers",
    "MilitaryRank", "MedicalRecordLocator", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName",
    "IssuerOfPatientID", "AdmissionID", "ServiceEpisodeID", "RequestedProcedureID", "ScheduledProcedureStepID",
    "PerformedProcedureStepID", "FillerOrderNumberImagingServiceRequest", "PlacerOrderNumberImagingServiceRequest",
    "Occupation", "PatientComments", "AdditionalPatientHistory", "CountryOfResidence", "RegionOfResidence",
    "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers", "StationName", "DeviceSerialNumber",
    "ClinicalTrialSubjectID", "VerifyingOrganization", "RequestingService",
}  # fmt: skip
CLASS_WORDS = (
    "SOPClass",
    "TransferSyntax",
    "ImplementationClassUID",
    "CodingSchemeUID",
    "ContextUID",
    "MappingResourceUID",
)
STRUCTURE_KEYWORDS = {"ValueType", "RelationshipType", "Modality"}
PIXEL_KEYWORDS = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}
PLACEHOLDERS = {"anonymous", "anonymized", "unknown", "none", "yes", "no"}
STANDARD_UID = re.compile(r"1\.2\.840\.10008(\.[0-9]{1,4})+")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What would tell who an original belongs to."""

    names: frozenset[str]
    identifiers: frozenset[str]
    uids: frozenset[str]
    days: frozenset[str]


def elements(dataset: Dataset) -> Iterator[tuple[str, Dataset, pydicom.DataElement]]:
    """Every element at every depth with its path, decoded as far as it can be."""
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001  a broken value is searched as bytes by the caller
            continue
        yield str(tag), dataset, element
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                for path, holder, inner in elements(item):
                    yield f"{tag}[{number}]{path}", holder, inner


def texts(element: pydicom.DataElement) -> list[str]:
    """The element's values as text; bytes as Latin 1."""
    value = element.value
    if value is None or element.VR == "SQ":
        return []
    if isinstance(value, bytes):
        return [value.decode("latin-1")]
    many = isinstance(value, list | pydicom.multival.MultiValue)
    return [str(part) for part in (value if many else [value])]


def identity_of(dataset: Dataset) -> Identity:
    """Gather every name, identifier, UID and date of an original, its file meta information included."""
    names: set[str] = set()
    identifiers: set[str] = set()
    uids: set[str] = set()
    days: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for source in (dataset, getattr(dataset, "file_meta", None) or Dataset()):
            for _, _, element in elements(source):
                for text in texts(element):
                    if element.VR == "PN":
                        names |= _name_parts(text)
                    elif element.VR == "UI" and not any(word in element.keyword for word in CLASS_WORDS):
                        uids |= {text} if len(text) >= 8 and not STANDARD_UID.fullmatch(text) else set()
                    elif element.VR in ("DA", "DT"):
                        days |= _days(text)
                    if element.keyword in ID_KEYWORDS and len(text) >= 4 and text.lower() not in PLACEHOLDERS:
                        identifiers.add(text.strip())
    identifiers = {text for text in identifiers if not any(text in value for value in _harmless(dataset))}
    return Identity(
        names=frozenset(names), identifiers=frozenset(identifiers), uids=frozenset(uids), days=frozenset(days)
    )


def leaks(identity: Identity, written: bytes) -> list[str]:
    """Where in a written file something of the identity can be found; empty when nowhere."""
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(written), force=True)
        for source in (dataset.file_meta, dataset):
            for path, _, element in elements(source):
                if element.keyword not in PIXEL_KEYWORDS | STRUCTURE_KEYWORDS:
                    found += [
                        f"{path} {element.keyword}: {what}"
                        for text in texts(element)
                        for what in _in_text(identity, text)
                    ]
    if written[:128].strip(b"\0"):
        found.append("preamble: not empty")
    return found + _in_bytes(identity, _without_pixels(dataset, written))


def _harmless(dataset: Dataset) -> set[str]:
    """Values of an identifying attribute that only repeat the manufacturer or the modality."""
    return {str(dataset.get(keyword, "")) for keyword in ("Manufacturer", "ManufacturerModelName", "Modality")}


def _name_parts(text: str) -> set[str]:
    parts = {part.strip() for part in re.split(r"[\^=,\s]+", text)}
    long_enough = {part for part in parts if len(part) >= (3 if part.isascii() else 2)}
    return {part for part in long_enough if part.lower() not in PLACEHOLDERS and not part.isdigit()}


def _days(text: str) -> set[str]:
    digits = text.replace(".", "")[:8]
    return {digits} if len(digits) == 8 and digits.isdigit() else set()


def _in_text(identity: Identity, text: str) -> list[str]:
    lowered = text.lower()
    words = set(re.findall(r"\w+", lowered))
    found = ["name" for name in identity.names if name.lower() in words or (len(name) > 4 and name.lower() in lowered)]
    found += ["identifier" for identifier in identity.identifiers if identifier.lower() in lowered]
    found += ["UID" for uid in identity.uids if uid in text]
    digits = re.sub(r"[-/. :]", "", text)
    return found + ["date" for day in identity.days if day in (digits if len(digits) < 1000 else "")]


def _without_pixels(dataset: Dataset, written: bytes) -> bytes:
    for keyword in PIXEL_KEYWORDS:
        if keyword in dataset:
            value = dataset[keyword].value
            written = written.replace(value, b"") if isinstance(value, bytes) and len(value) > 16 else written
    return written


def _in_bytes(identity: Identity, data: bytes) -> list[str]:
    """Search the bytes themselves, in every encoding a name may have there."""
    found = []
    for kind, values in (("UID", identity.uids), ("identifier", identity.identifiers), ("name", identity.names)):
        for value in values:
            encoded = {
                value.encode(codec, "ignore")
                for codec in ("utf-8", "iso2022_jp", "shift_jis", "latin-1", "euc_kr", "gb18030")
            }
            found += [f"bytes: {kind}" for needle in encoded if len(needle) > 5 and needle in data]
    return found
