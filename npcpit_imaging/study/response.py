"""Responses in CDISC's words (codelist C96785) and the rule that made them."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Response(StrEnum):
    """A response to RECIST 1.1 (CDISC RSSTRESC); NA and MISSING say that there is none."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    NON_CR_NON_PD = "NON-CR/NON-PD"
    PD = "PD"
    NE = "NE"
    NED = "NED"
    ND = "ND"
    NOT_ALL_EVALUATED = "NOT ALL EVALUATED"
    MISSING = "MISSING"
    NA = "NA"


class ImmuneResponse(StrEnum):
    """A response to iRECIST (Seymour 2017; CDISC RSSTRESC)."""

    ICR = "iCR"
    IPR = "iPR"
    ISD = "iSD"
    NON_ICR_NON_IUPD = "NON-iCR/NON-iUPD"
    ICPD = "iCPD"
    IUPD = "iUPD"
    NE = "NE"
    NA = "NA"


class MetabolicResponse(StrEnum):
    """A response to PERCIST 1.0 (Wahl 2009)."""

    CMR = "CMR"
    PMR = "PMR"
    SMD = "SMD"
    PMD = "PMD"
    NE = "NE"


class NewLesion(StrEnum):
    """Is there a new lesion at this time point?"""

    YES = "Y"
    NO = "N"
    EQUIVOCAL = "EQUIVOCAL"


Number = int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFired:
    """The rule that made a response, and the numbers it fired on.

    Args:
        rule: Short stable name, e.g. ``target-pd``.
        clause: Where the rule stands, e.g. ``Eisenhauer 2009, 4.3.1``.
        text: One line for a person: ``PD: sum 62.4 mm vs nadir 50.1 mm at TP2, +24.6 %, +12.3 mm``.
        numbers: The same as data: name and value.
    """

    rule: str
    clause: str
    text: str
    numbers: tuple[tuple[str, Number], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BestResponse:
    """A best response, its date and its reason.

    Args:
        response: The answer; NA when it cannot be told without a date that was not given.
        date: Day it was first met; None for MISSING and NA.
        rule: Why.
    """

    response: Response
    date: date | None
    rule: RuleFired


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalBenefit:
    """Whether a subject had a response, or was stable for long enough.

    Args:
        benefit: None when it cannot be told without a date that was not given.
        date: Day it was first met; None when it was not, or when that day depends on a date that was not given.
        rule: Why.
    """

    benefit: bool | None
    date: date | None
    rule: RuleFired


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A time to an event.

    Args:
        days: Days from start to end, the first day counted as day 1; None when it cannot be told.
        event: True when the end is the event, False when it is censored.
        start: First day; None when not known.
        end: Day of the event or of censoring; None when not known.
        reason: What ended it, or why there is none.
    """

    days: int | None
    event: bool
    start: date | None
    end: date | None
    reason: str
