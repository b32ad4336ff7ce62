"""The last look: is anything that was taken away still there, in a value that the tables keep?"""

import re
from dataclasses import dataclass, field

from npcpit_imaging.dicom.deidentify.identity import is_standard_uid
from npcpit_imaging.dicom.deidentify.words import is_vocabulary

MIN_NAME_LETTERS = 3
"""Shorter parts of names are initials and particles, which occur in any text."""

MIN_IDENTIFIER_LETTERS = 4
"""Shorter identifiers (a Study ID of 1) occur in any text."""

MAX_WORD_IDENTIFIER = 5
"""Identifiers up to this length count only as a whole word: the 1234 of a Patient ID is also in a software version."""

_PLACEHOLDERS = frozenset(
    {"anonymous", "anonymized", "anonymised", "unknown", "none", "null", "patient", "name", "doctor"}
)
_WORD = re.compile(r"[A-Za-z0-9]+")
_UID = re.compile(r"[0-2](?:\.\d+){4,}")
_SEPARATORS = re.compile(r"[-/. :]")


@dataclass(slots=True)
class Residue:
    """What one object lost: names, identifiers and dates, in lower case."""

    names: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    fragments: set[bytes] = field(default_factory=set)

    def lose_name(self, text: str) -> None:
        """Remember the parts of a person's name."""
        for word in re.split(r"[\s^=,;]+", text):
            plain = word.strip(".").lower()
            if len(plain) >= MIN_NAME_LETTERS and plain not in _PLACEHOLDERS:
                self.names.add(plain)
                self._fragment(word)

    def lose_identifier(self, text: str) -> None:
        """Remember an identifier as a whole."""
        plain = text.strip().lower()
        if len(plain) >= MIN_IDENTIFIER_LETTERS and plain not in _PLACEHOLDERS:
            self.identifiers.add(plain)
            self._fragment(text)

    def lose_day(self, text: str) -> None:
        """Remember a date (the first eight digits of a DA or DT)."""
        digits = _SEPARATORS.sub("", text)[:8]
        if len(digits) == 8 and digits.isdigit():
            self.days.add(digits)

    def _fragment(self, text: str) -> None:
        fragment = text.encode("latin-1", "ignore")  # text read as Latin 1 gives back its bytes, whatever they meant
        if len(fragment) > MIN_NAME_LETTERS and not is_vocabulary(text):
            self.fragments.add(fragment)

    def in_text(self, text: str, *, description: bool) -> bool:
        """Is something that was lost in this text?

        Args:
            text: A value about to be kept.
            description: A cleaned description loses a name even if it is also a word of the vocabulary (a Dr. Long);
                a technical value loses it only otherwise, or a patient called Head would have no body part.
        """
        lowered = text.lower()
        words = {word for word in _WORD.findall(lowered) if description or not is_vocabulary(word)}
        if words & self.names or words & self.identifiers:
            return True
        longer = {part for part in self.identifiers if len(part) > MAX_WORD_IDENTIFIER and not is_vocabulary(part)}
        if any(part in lowered for part in longer):
            return True
        return self._holds_name_beyond_words(lowered) or self._holds_day(text) or _holds_uid(text)

    def _holds_name_beyond_words(self, lowered: str) -> bool:
        return any(name in lowered for name in self.names if len(name) > 4 and not is_vocabulary(name))

    def _holds_day(self, text: str) -> bool:
        digits = _SEPARATORS.sub("", text)
        return len(digits) >= 8 and any(day in digits for day in self.days)

    def in_bytes(self, data: bytes) -> bool:
        """Is something that was lost in these bytes?"""
        return any(fragment in data for fragment in self.fragments)


def _holds_uid(text: str) -> bool:
    return any(not is_standard_uid(uid) for uid in _UID.findall(text))
