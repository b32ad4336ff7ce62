"""De-identify one DICOM object (DICOM PS3.15 2026d Annex E, Basic Profile with options)."""

from types import MappingProxyType

from pydicom.dataset import Dataset, FileMetaDataset

from npcpit_imaging import __version__
from npcpit_imaging.dicom.deidentify import policy
from npcpit_imaging.dicom.deidentify.elements import code_item, element_at, items_of, new_element, text_at
from npcpit_imaging.dicom.deidentify.identity import check_subject, is_valid_uid
from npcpit_imaging.dicom.deidentify.inspection import pixel_findings
from npcpit_imaging.dicom.deidentify.manifest import Manifest
from npcpit_imaging.dicom.deidentify.plan import DeidentifyPlan
from npcpit_imaging.dicom.deidentify.table import BASIC_PROFILE_CODE, EDITION, OPTION_CODES
from npcpit_imaging.dicom.deidentify.walk import Walk
from npcpit_imaging.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from npcpit_imaging.errors import DeidentifyError, InputError

_EARLIER_PIXEL_WORK = {"113101": "Clean Pixel Data Option", "113102": "Clean Recognizable Visual Features Option"}
"""CID 7050 codes an earlier de-identifier may have earned and we must not lose: we never change pixels."""


def deidentify(dataset: Dataset, *, subject: str, shift_days: int, plan: DeidentifyPlan) -> tuple[Dataset, Manifest]:
    """Return a de-identified copy of an object and what was done to it.

    The input is not changed; pixel data are the same bytes. The same input, plan, subject and shift give the same
    output on every machine.

    Args:
        dataset: Any composite object, with or without file meta information.
        subject: Code written as Patient's Name and Patient ID.
        shift_days: Whole days added to every date; from `subject_shift_days`.
        plan: The study's key and options.

    Returns:
        The copy, with fresh file meta information where the input had any, and its manifest.

    Raises:
        DeidentifyError: The object holds something nobody can de-identify with certainty (an encapsulated document, a
            recording, a directory, bytes that claim to be a sequence); the message names the tag, never a value.
        InputError: The subject code is not a plain code, or the shift is zero.

    Example:
        >>> original = Dataset()
        >>> original.PatientName, original.StudyDate = "Yamada^Taro", "20240131"
        >>> plan = DeidentifyPlan(key=b"a secret of this study")
        >>> copy, manifest = deidentify(original, subject="S-01", shift_days=-31, plan=plan)
        >>> str(copy.PatientName), copy.StudyDate, copy.PatientIdentityRemoved
        ('S-01', '20231231', 'YES')
    """
    check_subject(subject)
    if not isinstance(shift_days, int) or shift_days == 0:
        raise InputError("shift_days: expected a whole number other than 0, found none")
    _refuse_by_class(dataset)
    walk = Walk(plan=plan, subject=subject, shift_days=shift_days)
    out = walk.run(dataset)
    codes = _method_codes(dataset, plan)
    _write_method(out, subject=subject, codes=codes)
    _write_file_meta(dataset, out)
    manifest = Manifest(
        subject=subject,
        edition=EDITION,
        codes=tuple(codes),
        changes=walk.ledger.changes,
        findings=pixel_findings(dataset) + walk.ledger.findings,
        uid_map=MappingProxyType(dict(walk.ledger.uid_map)),
    )
    return out, manifest


def patient_id(dataset: Dataset) -> str:
    """The original Patient ID, read without regard to a broken character set.

    Raises:
        DeidentifyError: It is absent or empty, so the object belongs to nobody.
    """
    text = text_at(dataset, policy.PATIENT_ID)
    if not text:
        raise DeidentifyError("(0010,0020) PatientID: expected a value, found none; the object belongs to nobody")
    return text


def _refuse_by_class(dataset: Dataset) -> None:
    meta = getattr(dataset, "file_meta", None)
    for holder, tag in ((dataset, 0x00080016), (meta, 0x00020002)):
        kind = policy.REFUSED_SOP_CLASSES.get(text_at(holder, tag)) if holder is not None else None
        if kind is not None:
            raise DeidentifyError(
                f"(0008,0016) SOPClassUID: expected an object of images or measurements, found {kind}"
            )


def _method_codes(dataset: Dataset, plan: DeidentifyPlan) -> dict[str, str]:
    """CID 7050 codes claimed, and those an earlier de-identifier earned on the pixels."""
    codes = dict([BASIC_PROFILE_CODE, *(OPTION_CODES[option] for option in OPTION_CODES if option in plan.options)])
    if policy.METHOD_CODES in dataset:
        place = "(0012,0064) DeidentificationMethodCodeSequence"
        earlier = items_of(element_at(dataset, policy.METHOD_CODES), dataset, place)
        values = {text_at(code, policy.CODE_VALUE) for code in earlier}
        codes |= {value: meaning for value, meaning in _EARLIER_PIXEL_WORK.items() if value in values}
    return dict(sorted(codes.items()))


def _write_method(out: Dataset, *, subject: str, codes: dict[str, str]) -> None:
    out[policy.PATIENT_NAME] = new_element(policy.PATIENT_NAME, "PN", subject)
    out[policy.PATIENT_ID] = new_element(policy.PATIENT_ID, "LO", subject)
    out[policy.IDENTITY_REMOVED] = new_element(policy.IDENTITY_REMOVED, "CS", "YES")
    out[policy.METHOD] = new_element(
        policy.METHOD, "LO", [f"DICOM PS3.15 {EDITION} Annex E Basic Profile", f"npcpit_imaging {__version__}"]
    )
    out[policy.METHOD_CODES] = new_element(
        policy.METHOD_CODES, "SQ", [code_item(value, "DCM", meaning) for value, meaning in codes.items()]
    )
    out[policy.TIME_MODIFIED] = new_element(policy.TIME_MODIFIED, "CS", "MODIFIED")


def _write_file_meta(dataset: Dataset, out: Dataset) -> None:
    """Fresh file meta information: nothing of the sender stays but the transfer syntax."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        return
    new = FileMetaDataset()
    new.FileMetaInformationGroupLength = 0  # pydicom writes the real one where it finds this
    new.FileMetaInformationVersion = b"\0\1"
    new.MediaStorageSOPClassUID = text_at(out, 0x00080016)
    new.MediaStorageSOPInstanceUID = text_at(out, 0x00080018)
    if syntax := text_at(meta, 0x00020010):
        new.TransferSyntaxUID = _checked_syntax(syntax)
    new.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    new.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    out.file_meta = new
    out.preamble = b"\0" * 128


def _checked_syntax(uid: str) -> str:
    if not is_valid_uid(uid):
        raise DeidentifyError("(0002,0010) TransferSyntaxUID: expected a UID, found other text")
    return uid
