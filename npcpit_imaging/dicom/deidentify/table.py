"""DICOM PS3.15 2026d Table E.1-1 (attributes), Table E.3.4-1 (content items) and safe private attributes, as data."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

EDITION = "2026d"
"""The edition of PS3.15 whose tables lie beside this file."""

GROUP_OVERLAY, GROUP_CURVE = 0x60, 0x50


class Option(StrEnum):
    """Options of the Basic Profile we can claim; the values are the tables' column names (CID 7050 codes below)."""

    DEVICE = "device"
    PATIENT = "patient"
    MODIFIED_DATES = "modified_dates"
    DESCRIPTORS = "descriptors"
    STRUCTURED = "structured"
    GRAPHICS = "graphics"
    SAFE_PRIVATE = "safe_private"


BASIC_PROFILE_CODE = ("113100", "Basic Application Confidentiality Profile")
"""CID 7050 code of the profile itself."""

OPTION_CODES: Mapping[Option, tuple[str, str]] = {
    Option.GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.STRUCTURED: ("113104", "Clean Structured Content Option"),
    Option.DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Option.DEVICE: ("113109", "Retain Device Identity Option"),
    Option.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
}
"""CID 7050 code value and meaning of every option."""


class Action(StrEnum):
    """What happens to an attribute or content item."""

    KEEP = "kept"
    SHIFT = "shifted"
    CLEAN = "cleaned"
    REMAP = "remapped"
    CONTENT = "content cleaned"
    EMPTY = "emptied"
    DUMMY = "replaced"
    SUBJECT = "subject code"
    REMOVE = "removed"


@dataclass(frozen=True, slots=True)
class Treatment:
    """An action and what replaces it where nothing is left to keep.

    Args:
        action: What to do.
        otherwise: What the Basic Profile alone asks for.
    """

    action: Action
    otherwise: Action


_LAST_LETTER = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.REMAP, "U*": Action.KEEP}
_OPTION_LETTER = {
    (Option.MODIFIED_DATES, "C"): Action.SHIFT,
    (Option.STRUCTURED, "C"): Action.CONTENT,
    (Option.GRAPHICS, "C"): Action.KEEP,
}


def resolve(basic: str, letters: Mapping[str, str], options: Iterable[Option]) -> Treatment:
    """Turn one row of a table into a treatment.

    A compound action (``X/Z/D``) takes its last letter: the one that is valid for every IOD, whatever type the
    attribute has there. An option that keeps wins over one that cleans, and both over the Basic Profile. ``U*`` keeps a
    sequence whose UIDs are replaced inside.

    Args:
        basic: The Basic Profile column.
        letters: Option column name to ``K`` or ``C``; empty letters count as absent.
        options: The options claimed.

    Example:
        >>> resolve("X/D", {}, ()).action.name, resolve("X", {"patient": "K"}, (Option.PATIENT,)).action.name
        ('DUMMY', 'KEEP')
    """
    otherwise = _LAST_LETTER[basic.rsplit("/", 1)[-1]]
    claimed = {option: letters[option] for option in options if letters.get(option)}
    if "K" in claimed.values():
        return Treatment(Action.KEEP, otherwise)
    for option, letter in claimed.items():
        return Treatment(_OPTION_LETTER.get((option, letter), Action.CLEAN), otherwise)
    return Treatment(otherwise, otherwise)


ContentKey = tuple[str, str, str]
"""Concept code value, its coding scheme, and the content item's value type."""


@cache
def attribute_treatments(options: frozenset[Option]) -> Mapping[int, Treatment]:
    """Treatment of every single attribute of Table E.1-1; overlays, curves and private ones are rules of the walk."""
    rows = (row for row in _rows("ps315_e1_1.csv") if "x" not in row["tag"])
    return {int(row["tag"], 16): resolve(row["basic"], row, sorted(options, key=_precedence)) for row in rows}


@cache
def content_treatments(options: frozenset[Option]) -> Mapping[ContentKey, Treatment]:
    """Treatment of every content item of Table E.3.4-1."""
    return {
        (row["code"], row["scheme"], row["value_type"]): resolve(row["basic"], row, sorted(options, key=_precedence))
        for row in _rows("ps315_e3_4_1.csv")
    }


PrivateKey = tuple[str, int, int]
"""Private creator, group, and the element's last byte."""


@cache
def safe_private() -> Mapping[PrivateKey, str]:
    """Private attributes known to hold no identity, and the VR their value must fit."""
    return {
        (row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"] for row in _rows("safe_private.csv")
    }


def _precedence(option: Option) -> int:
    """Dates before words: an attribute with both columns is shifted, not cleaned."""
    return list(Option).index(option) if option is not Option.MODIFIED_DATES else -1


def _rows(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
