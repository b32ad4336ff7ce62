"""Rules for one value by its VR: dates move, UIDs are replaced, texts are cleaned, numbers must be numbers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from npcpit_imaging.dicom.deidentify import policy
from npcpit_imaging.dicom.deidentify.dates import check_tm, clip_age, shift_da, shift_dt
from npcpit_imaging.dicom.deidentify.elements import (
    Element,
    bytes_of,
    dummy,
    emptied,
    is_numeric_text,
    own,
    standard_vr,
    texts_of,
    with_texts,
)
from npcpit_imaging.dicom.deidentify.identity import is_valid_uid, keyed_code
from npcpit_imaging.dicom.deidentify.ledger import Ledger
from npcpit_imaging.dicom.deidentify.scope import Scope
from npcpit_imaging.dicom.deidentify.table import Action, Treatment
from npcpit_imaging.dicom.deidentify.words import clean_text

BY_VR = Treatment(Action.KEEP, Action.DUMMY)
"""Treatment of an attribute that Table E.1-1 does not name: its VR decides."""

MAX_SEARCHED_BYTES = 1 << 20
"""Binary values up to this size are searched for names; larger ones are tables of numbers."""

MIN_NUMERAL_IDENTIFIER = 8
"""Whole numbers from this length are looked at as identifiers; counts, times and currents are shorter."""

FREE_TEXT_VRS = frozenset({"LO", "SH", "UC", "LT", "ST", "UT", "UR"})
"""VRs a person can write sentences into."""

_CODE_STRING = re.compile(r"[A-Za-z0-9 _.+\-/]{0,32}")
_HIDDEN_TEXT = re.compile(rb"[\x20-\x7e]{6,}\0?")
_TIMEZONE = re.compile(r"[+-]\d{4}")
_CODE_TAGS = (policy.CODE_VALUE, policy.CODE_SCHEME, policy.CODE_MEANING, policy.LONG_CODE_VALUE)
_LOCAL_CODES = {policy.CODE_SCHEME: "99LOCAL", policy.URN_CODE_VALUE: "about:blank"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The rules of one study applied to the values of one object.

    Args:
        key: The study secret.
        subject: The subject code.
        shift_days: Days to add to every date.
        ledger: The books.
    """

    key: bytes = field(repr=False)
    subject: str
    shift_days: int
    ledger: Ledger

    @property
    def handlers(self) -> Mapping[str, Callable[[Scope, Element, str, Treatment], None]]:
        """The rule of every VR that has one of its own."""
        dates = dict.fromkeys(("DA", "DT", "TM", "AS"), self.shift)
        texts = dict.fromkeys(FREE_TEXT_VRS, self.text)
        numbers = dict.fromkeys(("DS", "IS"), self.number)
        return {"PN": self.empty, "AE": self.empty, "UI": self.remap, "CS": self.code_string} | dates | texts | numbers

    def replace(self, scope: Scope, element: Element, vr: str, action: Action) -> None:
        """Remove, empty or replace a value as the Basic Profile asks."""
        tag = int(element.tag)
        self.ledger.lose(tag, vr, element)
        self.ledger.record((*scope.path, tag), action)
        if action is Action.SUBJECT:
            scope.out[tag] = with_texts(element, "PN" if tag == policy.PATIENT_NAME else "LO", [self.subject])
        elif action is Action.EMPTY:
            scope.out[tag] = emptied(element, vr)
        elif action is not Action.REMOVE:
            scope.out[tag] = dummy(element, vr)

    def empty(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        """Names and application entities that the table does not name."""
        self.replace(scope, element, vr, Action.EMPTY)

    def remap(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        """UIDs of instances get new ones; UIDs of classes and of the standard stay."""
        tag, old = int(element.tag), texts_of(element, vr)
        stays = treatment.action is Action.KEEP and (treatment is not BY_VR or policy.is_class_uid(tag))
        new = [uid if stays and is_valid_uid(uid) else self.ledger.uid(uid) for uid in old]
        if new != old:
            self.ledger.record((*scope.path, tag), Action.REMAP)
        scope.out[tag] = with_texts(element, vr, new)

    def shift(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        """Dates move, times stay, ages over 89 become 90."""
        tag = int(element.tag)
        old = texts_of(element, vr)
        new = [self._moved(scope, tag, vr, text) for text in old]
        if new != old:
            self.ledger.record((*scope.path, tag), Action.SHIFT)
        scope.out[tag] = with_texts(element, vr, new)

    def _moved(self, scope: Scope, tag: int, vr: str, text: str) -> str:
        rules = {"AS": clip_age, "TM": check_tm, "DA": self._moved_day, "DT": self._moved_moment}
        try:
            return rules[vr](text) if text else text
        except ValueError:
            self.ledger.find("unreadable-value", scope.place(tag), f"expected VR {vr}, found something else; emptied")
            return ""

    def _moved_day(self, text: str) -> str:
        self.ledger.lose_day(text)
        return shift_da(text, self.shift_days)

    def _moved_moment(self, text: str) -> str:
        self.ledger.lose_day(text)
        return shift_dt(text, self.shift_days)

    def number(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        """Numbers stay bit for bit; text that is no number goes."""
        tag = int(element.tag)
        if is_numeric_text(bytes_of(element) or "\\".join(texts_of(element, vr))):
            scope.out[tag] = _known(element, vr, None)
            long = (text for text in texts_of(element, vr) if vr == "IS" and len(text) >= MIN_NUMERAL_IDENTIFIER)
            for text in long:  # a Patient ID or a day as a series or acquisition number
                self.ledger.keep(scope, tag, vr, text)
        else:
            self.ledger.find("unreadable-value", scope.place(tag), f"expected VR {vr}, found other text; emptied")
            self.replace(scope, element, vr, Action.EMPTY)

    def code_string(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        """Defined terms stay; anything that cannot be one goes, and so does what people type where a term should be."""
        tag, values = int(element.tag), texts_of(element, vr)
        typed = tag in policy.TYPED_CODE_STRINGS
        terms = [clean_text(value).upper().replace("-", "_") for value in values] if typed else values
        if treatment.action is Action.CLEAN or not all(_CODE_STRING.fullmatch(term) for term in terms):
            self.replace(scope, element, vr, treatment.otherwise)
        elif values and not any(terms):
            self.replace(scope, element, vr, Action.EMPTY if tag == policy.BODY_PART else Action.DUMMY)
        elif tag in policy.STRUCTURAL_CODE_STRINGS:
            scope.out[tag] = _known(element, vr, None)
        else:
            self._keep(scope, with_texts(element, vr, terms) if terms != values else element, vr, terms)

    def binary(self, scope: Scope, element: Element, vr: str) -> None:
        """Numbers and pixels stay bit for bit; small values are searched for names at the end."""
        tag, data = int(element.tag), bytes_of(element)
        if tag not in policy.PIXEL_TAGS and (vr == "OB" or element.VR == "UN") and _HIDDEN_TEXT.fullmatch(data):
            self.ledger.find("unreadable-value", scope.place(tag), f"expected VR {vr}, found text; replaced")
            self.replace(scope, element, vr, Action.DUMMY)
            return
        scope.out[tag] = own(element)
        if tag not in policy.PIXEL_TAGS and 4 <= len(data) <= MAX_SEARCHED_BYTES:
            self.ledger.keep(scope, tag, vr, data)

    def text(self, scope: Scope, element: Element, vr: str, treatment: Treatment) -> None:
        """Technical texts and published codes stay; other texts keep only words that name nobody."""
        tag, values = int(element.tag), texts_of(element, vr)
        if scope.local_code and tag in (*_CODE_TAGS, policy.URN_CODE_VALUE) and tag != policy.CODE_MEANING:
            self._local_code(scope, element, vr, values)
        elif treatment.action in (Action.SHIFT, Action.REMAP):
            keeps = tag == policy.TIMEZONE_OFFSET and all(_TIMEZONE.fullmatch(value) for value in values)
            self._keep(scope, element, vr, values) if keeps else self.replace(scope, element, vr, treatment.otherwise)
        elif _is_kept_text(scope, tag, vr, treatment) and _is_plain(values):
            self._keep(scope, element, vr, values)
        else:
            self._clean(scope, element, vr, values, treatment.otherwise)

    def _clean(self, scope: Scope, element: Element, vr: str, values: list[str], otherwise: Action) -> None:
        cleaned = [clean_text(value) for value in values]
        if values and not any(cleaned):
            self.replace(scope, element, vr, otherwise)
            return
        if cleaned != values:
            self.ledger.record((*scope.path, int(element.tag)), Action.CLEAN)
        self._keep(scope, with_texts(element, vr, cleaned), vr, cleaned, description=True)

    def _local_code(self, scope: Scope, element: Element, vr: str, values: list[str]) -> None:
        tag = int(element.tag)
        self.ledger.record((*scope.path, tag), Action.DUMMY)
        codes = [_LOCAL_CODES.get(tag) or keyed_code(self.key, value) for value in values]
        scope.out[tag] = with_texts(element, vr, codes)

    def _keep(self, scope: Scope, element: Element, vr: str, values: list[str], *, description: bool = False) -> None:
        tag = int(element.tag)
        scope.out[tag] = _known(element, vr, values)
        for value in values:
            self.ledger.keep(scope, tag, vr, value, description=description)


def _known(element: Element, vr: str, values: list[str] | None) -> Element:
    """The element itself, or with its real VR where it came with another."""
    if element.VR in (None, vr):
        return own(element)
    return with_texts(element, vr, texts_of(element, vr) if values is None else values)


def _is_kept_text(scope: Scope, tag: int, vr: str, treatment: Treatment) -> bool:
    if tag in _CODE_TAGS:
        return not scope.local_code
    if treatment is not BY_VR:
        return treatment.action is Action.KEEP and tag not in policy.TYPED_TEXTS
    return (tag == policy.TEXT_VALUE and scope.keep_text) or (
        vr in policy.TECHNICAL_VRS and vr == standard_vr(tag) and policy.is_technical(tag)
    )


def _is_plain(values: list[str]) -> bool:
    return all(value.isascii() and "\x1b" not in value for value in values)
