"""What is asked of a PACS and what it answers, whichever way it is spoken to (PS3.4 annex C, PS3.18)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from npcpit_imaging.dicom.uids import is_uid
from npcpit_imaging.errors import InputError, NetworkError

WILD = frozenset("*?\\")
"""Characters that make a matching key a pattern or a list (PS3.4 C.2.2.2.4): one asks for one patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """Which studies are asked for; at least one of the three keys must have a value.

    Args:
        patient_id: Exactly this Patient ID.
        accession: Exactly this accession number.
        study_uid: Exactly this Study Instance UID.
        date_from: First study date.
        date_to: Last study date.

    Raises:
        InputError: No key has a value, or a value is a pattern, which could match strangers.
    """

    patient_id: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    study_uid: str = ""
    date_from: date | None = None
    date_to: date | None = None

    def __post_init__(self) -> None:
        if not (self.patient_id or self.accession or self.study_uid):
            raise InputError(
                "expected a patient_id, an accession or a study_uid, found none: that is the whole archive"
            )
        if any(WILD & set(value) for value in (self.patient_id, self.accession)):
            raise InputError("patient_id, accession: expected one value, found a pattern (* ? or a backslash)")
        if self.study_uid and not is_uid(self.study_uid):
            raise InputError("study_uid: expected digits and dots, found something else")
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise InputError("date_from: expected a day not after date_to, found a later one")

    def matches(self, answer: "StudyAnswer") -> bool:
        """Whether an answer is what was asked: some archives match without regard to case, or by prefix."""
        return (
            (not self.patient_id or answer.patient_id == self.patient_id)
            and (not self.accession or answer.accession == self.accession)
            and (not self.study_uid or answer.study_uid == self.study_uid)
            and (self.date_from is None or (answer.day is not None and answer.day >= self.date_from))
            and (self.date_to is None or (answer.day is not None and answer.day <= self.date_to))
        )

    @property
    def date_range(self) -> str:
        """The study dates as a range matching key (PS3.4 C.2.2.2.5); empty for any."""
        if self.date_from is None and self.date_to is None:
            return ""
        first, last = (f"{day:%Y%m%d}" if day else "" for day in (self.date_from, self.date_to))
        return f"{first}-{last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnswer:
    """A study the PACS knows; `day` is None where it tells no date."""

    study_uid: str
    patient_id: str = field(repr=False)
    accession: str = field(repr=False)
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesAnswer:
    """A series the PACS knows.

    Args:
        count: Number of its instances as the PACS counts them; None where it does not.
    """

    study_uid: str
    series_uid: str
    modality: str
    description: str
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAnswer:
    """An instance the PACS knows; `sop_class_uid` is empty where it does not tell."""

    sop_instance_uid: str
    sop_class_uid: str


class Archive(Protocol):
    """A PACS. Every call raises `PeerRefusedError`, `PeerLostError` (worth another try) or `NetworkError`."""

    def echo(self) -> None:
        """Make sure that it answers and lets us in."""

    def studies(self, query: StudyQuery) -> tuple[StudyAnswer, ...]:
        """Its studies for a query; only those that match exactly."""

    def series(self, study_uid: str) -> tuple[SeriesAnswer, ...]:
        """The series of a study."""

    def instances(self, series: SeriesAnswer) -> tuple[InstanceAnswer, ...]:
        """The instances of a series."""

    def retrieve(self, series: SeriesAnswer, wanted: Sequence[InstanceAnswer], *, whole: bool) -> None:
        """Have objects sent to the spool.

        What arrives is what counts: an object that the PACS fails to send raises nothing.

        Args:
            series: Whose.
            wanted: Which objects; not empty.
            whole: Ask for the whole series instead of each by its name.
        """


def checked_uid(text: str, what: str) -> str:
    """Return a UID that a PACS answered.

    Raises:
        NetworkError: It is none.
    """
    if not is_uid(text):
        raise NetworkError(
            f"answer of the PACS: expected a {what} of digits and dots, found {'something else' if text else 'none'}"
        )
    return text


def day_of(text: str) -> date | None:
    """A DA value as a day; None for an empty or broken one."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def count_of(text: str) -> int | None:
    """An IS value that counts something; None for an empty or broken one."""
    try:
        return max(0, int(text))
    except ValueError:
        return None
