"""Keyed pseudonyms: subject codes, date shifts and UIDs (DICOM PS3.15 E.1.1, PS3.5 B.2)."""

import csv
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydicom.uid import UID_dictionary

from npcpit_imaging.errors import InputError, TableError

MIN_KEY_BYTES = 16
"""Shortest study secret accepted: 128 bits, the strength of the UIDs derived from it."""

MAX_SHIFT_DAYS = 365
"""Largest number of days a subject's dates move back."""

SUBJECT_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a subject code may look like: it becomes a Patient ID, a folder name and a table cell."""

_UID = re.compile(r"[0-9][0-9.]{0,63}", re.ASCII)
_STANDARD_UID = re.compile(r"1\.2\.840\.10008(\.\d{1,4}){1,9}", re.ASCII)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LETTERS = 10


def check_key(key: bytes) -> bytes:
    """Return the study secret unchanged, or refuse one that is too short.

    Raises:
        InputError: The key has fewer than `MIN_KEY_BYTES` bytes.
    """
    if len(key) < MIN_KEY_BYTES:
        raise InputError(f"study key: expected at least {MIN_KEY_BYTES} bytes, found {len(key)}")
    return key


def _digest(key: bytes, purpose: str, text: str) -> bytes:
    """HMAC-SHA-256 of a text, separated by purpose so that no pseudonym reveals another."""
    return hmac.digest(key, f"npcpit {purpose}\0{text}".encode(), hashlib.sha256)


def is_valid_uid(uid: str) -> bool:
    """True for digits and dots of at most 64 characters (PS3.5 9.1, without the rule on leading zeros)."""
    return _UID.fullmatch(uid) is not None


def is_standard_uid(uid: str) -> bool:
    """True for a UID that the standard itself defines (SOP classes, transfer syntaxes, coding schemes).

    Some devices make an instance's UID by hanging a date, a serial number or a patient's number on a SOP class: the
    standard's own components have four digits at most, also in editions to come.
    """
    return is_valid_uid(uid) and (uid in UID_dictionary or _STANDARD_UID.fullmatch(uid) is not None)


def new_uid(key: bytes, uid: str) -> str:
    """Replace an instance's UID by one only the key's holder can link to it.

    The result is a version 8 UUID under the 2.25 root (PS3.5 B.2). UIDs of the standard itself are returned unchanged.

    Args:
        key: The study secret.
        uid: The original UID.

    Example:
        >>> new_uid(bytes(16), "1.2.3") == new_uid(bytes(16), "1.2.3")
        True
        >>> new_uid(bytes(16), "1.2.840.10008.1.2")
        '1.2.840.10008.1.2'
    """
    uid = uid.strip("\0 ")
    if is_standard_uid(uid):
        return uid
    number = int.from_bytes(_digest(check_key(key), "uid", uid)[:16], "big")
    number = number & ~(0xF << 76) | (0x8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return f"2.25.{number}"


def subject_shift_days(key: bytes, subject: str) -> int:
    """How many days all dates of one subject move: a whole number from -365 to -1.

    Whole days keep times of day, and with them every interval and a PET's decay timing. Give the subject code rather
    than a hospital's Patient ID where one subject has several of those: all of them must share one shift.

    Args:
        key: The study secret.
        subject: The subject code (or the one Patient ID that stands for the subject).
    """
    number = int.from_bytes(_digest(check_key(key), "shift", normal_id(subject))[:8], "big")
    return -1 - number % MAX_SHIFT_DAYS


def mint_subject_code(key: bytes, patient_id: str, *, issuer: str = "", prefix: str = "S-") -> str:
    """Make a subject code of 10 letters and digits (50 bits) from a hospital's Patient ID.

    Args:
        key: The study secret.
        patient_id: The original Patient ID.
        issuer: Issuer of Patient ID, where two hospitals may use the same number.
        prefix: Begins the code.

    Raises:
        InputError: The Patient ID is empty: a code would join strangers.
    """
    identifier = normal_id(patient_id)
    if not identifier:
        raise InputError("Patient ID: expected a value, found none; two subjects would share one code")
    number = int.from_bytes(_digest(check_key(key), "subject", f"{normal_id(issuer)}\0{identifier}")[:8], "big")
    return prefix + "".join(_CROCKFORD[(number >> 5 * place) & 31] for place in range(_CODE_LETTERS))


def keyed_code(key: bytes, text: str) -> str:
    """Eight letters and digits that stand for a local code value."""
    number = int.from_bytes(_digest(key, "code", text)[:8], "big")
    return "L" + "".join(_CROCKFORD[(number >> 5 * place) & 31] for place in range(8))


def normal_id(identifier: str) -> str:
    """An identifier without DICOM's padding; leading zeros and case are part of it."""
    return identifier.strip("\0 \t\r\n")


def check_subject(subject: str) -> str:
    """Return a subject code unchanged, or refuse one that is not a plain code.

    Raises:
        InputError: It is empty, longer than 64 characters, or holds anything but letters, digits, ``_``, ``.``, ``-``.
    """
    if not SUBJECT_CODE.fullmatch(subject):
        raise InputError("subject code: expected 1 to 64 of A-Z a-z 0-9 _ . - beginning with a letter or digit")
    return subject


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectCodes:
    """Which subject code stands for which Patient ID.

    Args:
        codes: Original Patient ID to subject code.
    """

    codes: Mapping[str, str]

    def __post_init__(self) -> None:
        for code in self.codes.values():
            check_subject(code)
        object.__setattr__(self, "codes", MappingProxyType({normal_id(k): v for k, v in self.codes.items()}))

    def __repr__(self) -> str:
        return f"SubjectCodes({len(self.codes)} Patient IDs)"

    def __contains__(self, patient_id: str) -> bool:
        return normal_id(patient_id) in self.codes

    def subject_of(self, patient_id: str) -> str:
        """Return the code of a Patient ID.

        Raises:
            InputError: The table has no such Patient ID (which the message does not repeat).
        """
        try:
            return self.codes[normal_id(patient_id)]
        except KeyError:
            raise InputError("subject codes: the table has no row for this object's Patient ID") from None


def read_subject_codes(path: Path) -> SubjectCodes:
    """Read a CSV with the columns ``patient_id`` and ``subject``; several IDs may share one subject.

    Raises:
        InputError: The file cannot be read or lacks a column.
        TableError: A row has no ID, no valid code, or gives an ID a second code; the message names the line only.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"patient_id", "subject"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{path.name}: expected the columns patient_id and subject, missing {sorted(missing)}")
            codes: dict[str, str] = {}
            for row in reader:
                _add_code(codes, row, line=reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: cannot be read as a UTF-8 CSV table") from error
    return SubjectCodes(codes=codes)


def _add_code(codes: dict[str, str], row: Mapping[str, str | None], *, line: int) -> None:
    patient_id, subject = normal_id(row["patient_id"] or ""), normal_id(row["subject"] or "")
    if not patient_id:
        raise TableError("expected a patient_id, found none", line=line)
    if not SUBJECT_CODE.fullmatch(subject):
        raise TableError("expected a subject code of letters, digits, _ . -", line=line)
    if codes.setdefault(patient_id, subject) != subject:
        raise TableError("this patient_id has another subject code in an earlier row", line=line)
