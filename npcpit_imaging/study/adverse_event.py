"""An adverse event in the words of CTCAE 5.0: term, grade, when, and of which lesion or field."""

from dataclasses import dataclass
from datetime import date

from npcpit_imaging.errors import InputError

GRADES = (1, 2, 3, 4, 5)
"""CTCAE: mild, moderate, severe, life-threatening, death."""


def term_key(term: str) -> str:
    """What two spellings of one term share: their letters, whatever the case and the blanks between.

    Example:
        >>> term_key("Oral  pain") == term_key("ORAL PAIN")
        True
    """
    return " ".join(term.split()).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEvent:
    """One adverse event of one subject.

    Args:
        subject: Subject code.
        term: CTCAE term, e.g. ``Oral pain``.
        grade: 1 to 5, the worst it came to.
        start: First day.
        end: Last day; None while it lasts or when not known.
        lesion: The lesion it belongs to; empty when none.
        field: The treated field, in the site's words; empty when none.
        related: Whether it is held to be related to the treatment; None when not judged.
        serious: Whether it was serious; None when not judged.

    Raises:
        InputError: A grade outside 1 to 5, or an end before the start.
    """

    subject: str
    term: str
    grade: int
    start: date
    end: date | None = None
    lesion: str = ""
    field: str = ""
    related: bool | None = None
    serious: bool | None = None

    def __post_init__(self) -> None:
        if self.grade not in GRADES:
            raise InputError(f"adverse event {self.term}: expected a grade of 1 to 5, found {self.grade}")
        if self.end is not None and self.end < self.start:
            raise InputError(f"adverse event {self.term}: expected an end on or after {self.start}, found {self.end}")
