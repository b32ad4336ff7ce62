"""A time point: the visit at which images of one subject were taken."""

from dataclasses import dataclass
from datetime import date

BASELINE = "BASELINE"
"""The name of the time point all others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePoint:
    """One visit of one subject.

    Args:
        subject: Subject code, never a hospital identifier.
        name: ``BASELINE`` or a follow-up's name, e.g. ``FU1``.
        date: Date of the earliest image (shifted when de-identified).
    """

    subject: str
    name: str
    date: date
