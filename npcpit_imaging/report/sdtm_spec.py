"""The datasets: variables in the order, and with the labels and cores, of SDTMIG 3.4 (TU, TR, RS, 8.3, 8.4)."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import cast

from npcpit_imaging.report.sdtm_rows import Cell, ColumnRows, Row
from npcpit_imaging.report.sdtm_terms import Codelist

LONGEST_NAME, LONGEST_LABEL, LONGEST_TEXT = 8, 40, 200
"""Limits of the SAS transport file, version 5, in bytes."""


class Core(StrEnum):
    """Must a variable be there (expected), must it have a value (required)?"""

    REQUIRED = "Req"
    EXPECTED = "Exp"
    PERMISSIBLE = "Perm"


class Kind(StrEnum):
    """The logical type of a variable; the values are Dataset-JSON's."""

    TEXT = "string"
    INTEGER = "integer"
    FLOAT = "float"
    DATE = "date"

    @property
    def numeric(self) -> bool:
        """Num in SAS."""
        return self in {Kind.INTEGER, Kind.FLOAT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One column.

    Args:
        name: At most 8 characters.
        label: At most 40 characters.
        core: Required, expected or permissible.
        kind: Text, number or ISO 8601 date.
        codelist: Whose terms it takes; None when any text will do.
    """

    name: str
    label: str
    core: Core
    kind: Kind = Kind.TEXT
    codelist: Codelist | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """One dataset.

    Args:
        name: At most 8 characters.
        label: At most 40 characters.
        variables: In order.
        keys: What makes a row unique.
    """

    name: str
    label: str
    variables: tuple[Variable, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows of one dataset.

    Args:
        spec: What it should be.
        rows: Values by variable; an absent variable is missing.
    """

    spec: DatasetSpec
    rows: Sequence[Row]

    @cached_property
    def columns(self) -> tuple[Variable, ...]:
        """The variables to write: permissible ones only where a row has a value; what the spec does not know, last."""
        known = {variable.name for variable in self.spec.variables}
        planned = tuple(
            v
            for v in self.spec.variables
            if v.core is not Core.PERMISSIBLE or any(map(_is_filled, self.different(v.name)))
        )
        unknown = (
            Variable(name=name, label=name, core=Core.PERMISSIBLE, kind=self._kind(name))
            for name in self.names
            if name not in known
        )
        return (*planned, *unknown)

    @property
    def names(self) -> Sequence[str]:
        """The variables that rows have, in order of appearance."""
        if isinstance(self.rows, ColumnRows):
            return tuple(self.rows.columns)
        return tuple(dict.fromkeys(chain.from_iterable(self.rows)))

    def cells(self, name: str) -> Sequence[Cell]:
        """Every row's value of a variable; None where it is missing."""
        if isinstance(self.rows, ColumnRows):
            return self.rows.column(name)
        return [row.get(name) for row in self.rows]

    def texts(self, name: str) -> Sequence[str]:
        """Every row's value of a variable as text; empty where it is missing; made once."""
        if name not in self._texts:
            cells = self.cells(name)
            texts = [cell for cell in self.different(name) if isinstance(cell, str)]
            is_text = len(texts) == len(self.different(name))
            self._texts[name] = (
                cast("Sequence[str]", cells) if is_text else ["" if cell is None else str(cell) for cell in cells]
            )
        return self._texts[name]

    def different(self, name: str) -> Set[Cell]:
        """The different values of a variable: most rows say the same few words, so each is looked at once."""
        if name not in self._different:
            self._different[name] = frozenset(self.cells(name))
        return self._different[name]

    @cached_property
    def _texts(self) -> dict[str, Sequence[str]]:
        return {}

    @cached_property
    def _different(self) -> dict[str, Set[Cell]]:
        return {}

    def _kind(self, name: str) -> Kind:
        values = [cell for cell in self.cells(name) if cell is not None]
        return Kind.FLOAT if values and all(isinstance(value, int | float) for value in values) else Kind.TEXT

    def length(self, variable: Variable) -> int:
        """The longest value in bytes, 8 for a number; at least 1."""
        if variable.kind.numeric:
            return 8
        return self._lengths[variable.name]

    @cached_property
    def _lengths(self) -> dict[str, int]:
        """Of each text; the same few words stand in most rows, so each is measured once."""
        different = {v.name: self.different(v.name) for v in self.columns if not v.kind.numeric}
        return {
            name: max((len(str(value or "").encode()) for value in values), default=1) or 1
            for name, values in different.items()
        }


def _is_filled(cell: Cell) -> bool:
    return cell not in (None, "")


def _req(name: str, label: str, codelist: Codelist | None = None, kind: Kind = Kind.TEXT) -> Variable:
    return Variable(name=name, label=label, core=Core.REQUIRED, codelist=codelist, kind=kind)


def _exp(name: str, label: str, codelist: Codelist | None = None, kind: Kind = Kind.TEXT) -> Variable:
    return Variable(name=name, label=label, core=Core.EXPECTED, codelist=codelist, kind=kind)


def _perm(name: str, label: str, codelist: Codelist | None = None, kind: Kind = Kind.TEXT) -> Variable:
    return Variable(name=name, label=label, core=Core.PERMISSIBLE, codelist=codelist, kind=kind)


def _identifiers(domain: str) -> tuple[Variable, ...]:
    return (
        _req("STUDYID", "Study Identifier"),
        _req("DOMAIN", "Domain Abbreviation"),
        _req("USUBJID", "Unique Subject Identifier"),
        _req(f"{domain}SEQ", "Sequence Number", kind=Kind.INTEGER),
        _perm(f"{domain}GRPID", "Group ID"),
    )


def _evaluation(domain: str) -> tuple[Variable, ...]:
    return (
        _exp(f"{domain}EVAL", "Evaluator", Codelist.EVAL),
        _perm(f"{domain}EVALID", "Evaluator Identifier", Codelist.EVALID),
        _perm(f"{domain}ACPTFL", "Accepted Record Flag", Codelist.NY),
        _exp("VISITNUM", "Visit Number", kind=Kind.FLOAT),
        _perm("VISIT", "Visit Name"),
    )


_STAT = ("Completion Status", Codelist.ND)
_LOBXFL = ("Last Observation Before Exposure Flag", Codelist.NY)

TU = DatasetSpec(
    name="TU",
    label="Tumor/Lesion Identification",
    variables=(
        *_identifiers("TU"),
        _perm("TUSPID", "Sponsor-Defined Identifier"),
        _exp("TULNKID", "Link ID"),
        _req("TUTESTCD", "Tumor/Lesion ID Short Name", Codelist.TUTESTCD),
        _req("TUTEST", "Tumor/Lesion ID Test Name", Codelist.TUTEST),
        _exp("TUORRES", "Tumor/Lesion ID Result"),
        _exp("TUSTRESC", "Tumor/Lesion ID Result Std. Format", Codelist.TURESULT),
        _exp("TULOC", "Location of the Tumor/Lesion", Codelist.LOC),
        _perm("TULAT", "Laterality", Codelist.LAT),
        _exp("TUMETHOD", "Method of Identification", Codelist.METHOD),
        _exp("TULOBXFL", *_LOBXFL),
        *_evaluation("TU"),
        _exp("TUDTC", "Date/Time of Tumor/Lesion Identification", kind=Kind.DATE),
        _perm("TUDY", "Study Day of Tumor/Lesion Identification", kind=Kind.INTEGER),
    ),
    keys=("STUDYID", "USUBJID", "TUEVAL", "TUEVALID", "TULNKID", "TUTESTCD"),
)

TR = DatasetSpec(
    name="TR",
    label="Tumor/Lesion Results",
    variables=(
        *_identifiers("TR"),
        _exp("TRLNKID", "Link ID"),
        _perm("TRLNKGRP", "Link Group ID"),
        _req("TRTESTCD", "Tumor/Lesion Assessment Short Name", Codelist.TRTESTCD),
        _req("TRTEST", "Tumor/Lesion Assessment Test Name", Codelist.TRTEST),
        _exp("TRORRES", "Result or Finding in Original Units"),
        _exp("TRORRESU", "Original Units"),
        _exp("TRSTRESC", "Character Result/Finding in Std Format"),
        _exp("TRSTRESN", "Numeric Result/Finding in Standard Units", kind=Kind.FLOAT),
        _exp("TRSTRESU", "Standard Units"),
        _perm("TRSTAT", *_STAT),
        _perm("TRREASND", "Reason Not Done"),
        _exp("TRMETHOD", "Method Used to Identify the Tumor/Lesion", Codelist.METHOD),
        _exp("TRLOBXFL", *_LOBXFL),
        *_evaluation("TR"),
        _exp("TRDTC", "Date/Time of Tumor/Lesion Measurement", kind=Kind.DATE),
        _perm("TRDY", "Study Day of Tumor/Lesion Measurement", kind=Kind.INTEGER),
    ),
    keys=("STUDYID", "USUBJID", "TREVAL", "TREVALID", "TRLNKID", "TRTESTCD", "VISITNUM"),
)

RS = DatasetSpec(
    name="RS",
    label="Disease Response and Clin Classification",
    variables=(
        *_identifiers("RS"),
        _perm("RSLNKID", "Link ID"),
        _perm("RSLNKGRP", "Link Group ID"),
        _req("RSTESTCD", "Assessment Short Name", Codelist.RSTESTCD),
        _req("RSTEST", "Assessment Name", Codelist.RSTEST),
        _req("RSCAT", "Category for Assessment", Codelist.RSCAT),
        _perm("RSSCAT", "Subcategory"),
        _exp("RSORRES", "Result or Finding in Original Units"),
        _exp("RSSTRESC", "Character Result/Finding in Std Format"),
        _perm("RSSTAT", *_STAT),
        _perm("RSREASND", "Reason Not Done"),
        _perm("RSMETHOD", "Method of Test or Examination", Codelist.METHOD),
        _perm("RSDRVFL", "Derived Flag", Codelist.NY),
        *_evaluation("RS"),
        _exp("RSDTC", "Date/Time of Assessment", kind=Kind.DATE),
        _perm("RSDY", "Study Day of Assessment", kind=Kind.INTEGER),
    ),
    keys=("STUDYID", "USUBJID", "RSEVAL", "RSEVALID", "RSLNKID", "RSTESTCD", "RSCAT", "RSSCAT", "VISITNUM"),
)


def supplemental(parent: DatasetSpec) -> DatasetSpec:
    """Give the supplemental qualifiers of a domain (SDTMIG 3.4, 8.4)."""
    return DatasetSpec(
        name=f"SUPP{parent.name}",
        label=f"Supplemental Qualifiers for {parent.name}",
        variables=(
            _req("STUDYID", "Study Identifier"),
            _req("RDOMAIN", "Related Domain Abbreviation"),
            _req("USUBJID", "Unique Subject Identifier"),
            _exp("IDVAR", "Identifying Variable"),
            _exp("IDVARVAL", "Identifying Variable Value"),
            _req("QNAM", "Qualifier Variable Name"),
            _req("QLABEL", "Qualifier Variable Label"),
            _req("QVAL", "Data Value"),
            _req("QORIG", "Origin"),
            _exp("QEVAL", "Evaluator"),
        ),
        keys=("STUDYID", "RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "QNAM"),
    )


SUPPTU, SUPPTR, SUPPRS = supplemental(TU), supplemental(TR), supplemental(RS)

RELREC = DatasetSpec(
    name="RELREC",
    label="Related Records",
    variables=(
        _req("STUDYID", "Study Identifier"),
        _req("RDOMAIN", "Related Domain Abbreviation"),
        _exp("USUBJID", "Unique Subject Identifier"),
        _req("IDVAR", "Identifying Variable"),
        _exp("IDVARVAL", "Identifying Variable Value"),
        _exp("RELTYPE", "Relationship Type"),
        _req("RELID", "Relationship Identifier"),
    ),
    keys=("STUDYID", "RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "RELID"),
)

FINDINGS = ("TU", "TR", "RS")
"""The datasets of findings; each one's name is its variables' prefix."""

SPECS = {spec.name: spec for spec in (TU, TR, RS, SUPPTU, SUPPTR, SUPPRS, RELREC)}
