"""A finding: something a person should know about a value, kept beside the value instead of repaired silently."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a person should know about a value.

    Args:
        code: A short, stable name a program can look for, e.g. ``slice-gap``.
        severity: How much it matters.
        text: What was expected, what was found and where; never a patient's name.
    """

    code: str
    severity: Severity
    text: str
