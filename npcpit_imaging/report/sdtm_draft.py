"""What every SDTM row shares: identifiers, evaluator, visit, study day; and rows before they are numbered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from npcpit_imaging.errors import InputError
from npcpit_imaging.report.sdtm_records import Evaluator, SubjectRead
from npcpit_imaging.report.sdtm_rows import Cell, Row
from npcpit_imaging.report.sdtm_spec import LONGEST_TEXT, RS, TR, TU
from npcpit_imaging.study.assessment import Assessment, Tenths
from npcpit_imaging.study.lesion import LesionRole

QUALIFIERS = {
    "IRRADFL": "Irradiated Flag",
    "IRRADDTC": "Date of First Irradiation",
    "PRIORRT": "In Previously Irradiated Area",
    "PROGDOC": "Progression Since Prior RT Documented",
    "BIOPSY": "Biopsy Proven Since Prior RT",
    "INFIELD": "Position Relative to Irradiated Field",
    "NODALFL": "Lymph Node Flag",
    "TRACKUID": "DICOM Tracking UID",
    "PARENTID": "Lesion It Split From",
    "MERGINTO": "Lesion It Merged Into",
    "ORGAN": "Organ as Recorded",
    "SLICTHK": "Slice Thickness (mm)",
    "RULE": "Rule That Fired",
    "REASNE": "Reason Not Evaluable",
    "EXCLUDED": "Reason Not Counted",
    "TOOEARLY": "Too Early After Treatment",
    "RETRODAT": "Retro-dated by Visit",
    "CYCLE": "Treatment Cycle",
}
"""Supplemental qualifiers: QNAM and QLABEL."""


SAID_AT_ONCE = 4096
"""Texts kept of those made last: most rows say what others say, and one text serves them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What every subject shares.

    Args:
        study_id: STUDYID.
        visits: VISITNUM by visit name.
    """

    study_id: str
    visits: Mapping[str, int]

    def usubjid(self, subject: str) -> str:
        """USUBJID of a subject code."""
        return usubjid(self.study_id, subject)


class Draft(NamedTuple):
    """A row without its --SEQ, and its supplemental qualifiers.

    Args:
        values: By variable of the domain, each of them, in their order; a flag or number may still be put in.
        qualifiers: By QNAM; empty ones are left out.
        order: Sorts the rows of a subject.
    """

    values: dict[str, Cell]
    qualifiers: Mapping[str, str]
    order: tuple[str | int, ...]


def _names(domain: str) -> dict[str, str]:
    """Names of a domain's variables by the part behind its prefix."""
    return {each.name.removeprefix(domain): each.name for each in DOMAINS[domain].variables}


DOMAINS = {spec.name: spec for spec in (TU, TR, RS)}
_NAMES = {domain: _names(domain) for domain in DOMAINS}
_EMPTY: dict[str, dict[str, Cell]] = {
    domain: dict.fromkeys(each.name for each in spec.variables) for domain, spec in DOMAINS.items()
}
"""A row of each domain in which nothing is said yet: every row has the same variables in the same order."""


def draft(
    domain: str,
    read: SubjectRead,
    study: Study,
    *,
    timepoint: str,
    day: date | None,
    values: Mapping[str, Cell],
    qualifiers: Mapping[str, str | None] | None = None,
    order: Sequence[str | int] = (),
) -> Draft:
    """Make a row: what is given, and what every row of the domain has.

    Args:
        domain: TU, TR or RS.
        read: Whose.
        study: What subjects share.
        timepoint: The visit; empty for a row of no visit.
        day: Date of the finding; None for a row without one.
        values: Values by variable name without the domain's prefix.
        qualifiers: Supplemental qualifiers; None and empty ones are left out.
        order: Sorts rows of one visit and reader.
    """
    evaluator, number = read.evaluator, study.visits[timepoint] if timepoint else None
    names, row = _NAMES[domain], _EMPTY[domain].copy()
    row["STUDYID"] = study.study_id
    row["DOMAIN"] = domain
    row["USUBJID"] = usubjid(study.study_id, read.subject)
    row[names["EVAL"]] = evaluator.role
    row[names["EVALID"]] = evaluator.identifier
    row[names["ACPTFL"]] = "Y" if read.accepted else ""
    row["VISITNUM"] = number
    row["VISIT"] = timepoint
    row[names["DTC"]] = "" if day is None else iso(day)
    row[names["DY"]] = study_day(day, read.reference_start)
    row.update(zip(map(names.__getitem__, values), values.values(), strict=True))
    return Draft(
        values=row,
        qualifiers={name: value for name, value in qualifiers.items() if value} if qualifiers else {},
        order=(read.subject, _code(evaluator), len(study.visits) + 1 if number is None else number, *order),
    )


def study_day(day: date | None, start: date | None) -> int | None:
    """Give --DY: the start is day 1, the day before it day -1; there is no day 0 (SDTMIG 3.4, 4.4.4).

    Example:
        >>> study_day(date(2026, 1, 12), date(2026, 1, 12)), study_day(date(2026, 1, 5), date(2026, 1, 12))
        (1, -7)
    """
    if day is None or start is None:
        return None
    days = (day - start).days
    return days + 1 if days >= 0 else days


def link_id(read: SubjectRead, lesion: str) -> str:
    """Give --LNKID: the reader, then the lesion's DICOM Tracking UID, or its name where there is none.

    The reader stands in it because two readers' records of one lesion are two records.
    """
    return _joined(_code(read.evaluator), read.tracking_uids.get(lesion, lesion))


def link_group(evaluator: Evaluator, visit_number: int) -> str:
    """Give --LNKGRP: everything one reader assessed at one visit."""
    return _joined(_code(evaluator), f"A{visit_number}")


def _code(evaluator: Evaluator) -> str:
    return _code_of(evaluator.role, evaluator.identifier)


@lru_cache(maxsize=SAID_AT_ONCE)
def _code_of(role: str, identifier: str) -> str:
    return Evaluator(role=role, identifier=identifier).code


@lru_cache(maxsize=SAID_AT_ONCE)
def _joined(code: str, name: str) -> str:
    """A link, one text for all rows of it."""
    return f"{code}-{name}"


@lru_cache(maxsize=SAID_AT_ONCE)
def iso(day: date) -> str:
    """ISO 8601 of a day, one text for all rows of that day."""
    return day.isoformat()


@lru_cache(maxsize=SAID_AT_ONCE)
def usubjid(study_id: str, subject: str) -> str:
    """USUBJID of a subject code, one text for all rows of the subject."""
    return f"{study_id}-{subject}"


def is_before_treatment(row: Row, domain: str, read: SubjectRead) -> bool:
    """Say whether a row precedes the first treatment; where that is not known, whether it is of the baseline visit."""
    if read.reference_start is None:
        return row["VISIT"] == read.baseline
    return str(row[f"{domain}DTC"]) <= iso(read.reference_start)


def group_of(record: Assessment) -> str:
    """Give --GRPID and TUSTRESC of a lesion."""
    return LesionRole(record.role).value


def number_text(value: Tenths) -> str:
    """Write tenths as the shortest decimal.

    Example:
        >>> number_text(320), number_text(263), number_text(-5)
        ('32', '26.3', '-0.5')
    """
    sign, whole, part = "-" if value < 0 else "", abs(value) // 10, abs(value) % 10
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def sequenced(drafts: Iterable[Draft], domain: str) -> list[Draft]:
    """Sort rows and number them within their subject, from 1."""
    counts: dict[Cell, int] = {}
    rows = sorted(drafts, key=attrgetter("order"))
    for row in rows:
        subject = row.values["USUBJID"]
        row.values[f"{domain}SEQ"] = counts[subject] = counts.get(subject, 0) + 1
    return rows


def qualifier_rows(drafts: Iterable[Draft], domain: str) -> tuple[Row, ...]:
    """Give SUPP-- rows of numbered rows; text over 200 bytes goes on in NAME1, NAME2 (SDTMIG 3.4, 4.5.3.2)."""
    return tuple(
        {
            "STUDYID": row.values["STUDYID"],
            "RDOMAIN": domain,
            "USUBJID": row.values["USUBJID"],
            "IDVAR": f"{domain}SEQ",
            "IDVARVAL": str(row.values[f"{domain}SEQ"]),
            "QNAM": name,
            "QLABEL": label,
            "QVAL": part,
            "QORIG": "Derived" if qualifier in _DERIVED else "Collected",
            "QEVAL": row.values[f"{domain}EVAL"],
        }
        for row in drafts
        for qualifier, text in row.qualifiers.items()
        for name, label, part in _parts(qualifier, text)
    )


_DERIVED = frozenset({"RULE", "REASNE", "EXCLUDED", "TOOEARLY", "RETRODAT", "TRACKUID", "CYCLE"})


@lru_cache(maxsize=SAID_AT_ONCE)
def _parts(name: str, text: str) -> tuple[tuple[str, str, str], ...]:
    """Cut text at spaces into parts that fit, each with its own name."""
    parts, rest = [], " ".join(text.split())
    while len(rest.encode()) > LONGEST_TEXT:
        cut = rest.encode()[: LONGEST_TEXT + 1].decode(errors="ignore").rfind(" ")
        if cut < 1:
            raise InputError(f"qualifier {name}: expected words of at most {LONGEST_TEXT} bytes")
        parts.append(rest[:cut])
        rest = rest[cut + 1 :]
    label = QUALIFIERS[name]
    return tuple(
        (f"{name}{index or ''}", f"{label} {index}" if index else label, part)
        for index, part in enumerate([*parts, rest])
    )
