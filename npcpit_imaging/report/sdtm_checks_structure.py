"""Checks of names, order, lengths, keys, terms, dates and visits (SDTMIG 3.4, 4; SAS transport version 5)."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import chain

from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_checking import (
    Hit,
    findings,
    numbered,
    reader_of,
    repeated,
    several,
    text_of,
)
from npcpit_imaging.report.sdtm_draft import study_day
from npcpit_imaging.report.sdtm_spec import (
    FINDINGS,
    LONGEST_LABEL,
    LONGEST_NAME,
    LONGEST_TEXT,
    Core,
    Dataset,
    Row,
    Variable,
)
from npcpit_imaging.report.sdtm_terms import CLOSED, RS_EXTENSIONS, RS_TESTS, TERMS, TR_TESTS, TU_TESTS, Codelist

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_LOCATION_IN_TR = ("TRLOC", "TRLAT", "TRDIR", "TRPORTOT")
_TESTS = {"TU": TU_TESTS, "TR": TR_TESTS, "RS": {**RS_TESTS, **RS_EXTENSIONS}}
_SPONSOR_TERMS = {
    Codelist.RSTESTCD: frozenset(RS_EXTENSIONS),
    Codelist.RSTEST: frozenset(RS_EXTENSIONS.values()),
}


def names(tabulation: Tabulation) -> Iterator[Hit]:
    """Find names and labels that do not fit."""
    for dataset in tabulation.datasets.values():
        for variable in (*dataset.columns, _as_variable(dataset)):
            good_name = _NAME.fullmatch(variable.name) and len(variable.name) <= LONGEST_NAME
            if not good_name or not 0 < len(variable.label) <= LONGEST_LABEL:
                yield Hit(dataset=dataset.spec.name, row=0, text=f"{variable.name} ({variable.label})")


def _as_variable(dataset: Dataset) -> Variable:
    return Variable(name=dataset.spec.name, label=dataset.spec.label, core=Core.REQUIRED)


def unknown_variables(tabulation: Tabulation) -> Iterator[Hit]:
    """Find variables the guide does not know in the domain."""
    for dataset in tabulation.datasets.values():
        known = {variable.name for variable in dataset.spec.variables}
        for variable in dataset.columns:
            if variable.name not in known and variable.name not in _LOCATION_IN_TR:
                yield Hit(dataset=dataset.spec.name, row=0, text=variable.name)


def location_in_tr(tabulation: Tabulation) -> Iterator[Hit]:
    """Find what belongs to TU (CORE-000003, -000076, -000077, -000078)."""
    for variable in tabulation.datasets["TR"].columns:
        if variable.name in _LOCATION_IN_TR:
            yield Hit(dataset="TR", row=0, text=variable.name)


def required(tabulation: Tabulation) -> Iterator[Hit]:
    """Find required variables without a value."""
    for dataset in tabulation.datasets.values():
        needed = [variable.name for variable in dataset.spec.variables if variable.core is Core.REQUIRED]
        for number, row in numbered(dataset):
            for name in needed:
                if row.get(name) in (None, ""):
                    yield Hit(dataset=dataset.spec.name, row=number, text=name)


def text_length(tabulation: Tabulation) -> Iterator[Hit]:
    """Find text longer than the file can hold."""
    for dataset, name, number, value in _texts(tabulation, lambda text: len(text.encode()) > LONGEST_TEXT):
        yield Hit(dataset=dataset, row=number, text=f"{name}: {len(value.encode())} bytes")


def not_ascii(tabulation: Tabulation) -> Iterator[Hit]:
    """Find text that a transport file cannot hold without an encoding."""
    for dataset, name, number, _ in _texts(tabulation, lambda text: not text.isascii()):
        yield Hit(dataset=dataset, row=number, text=name)


def _texts(tabulation: Tabulation, is_wrong: Callable[[str], bool]) -> Iterator[tuple[str, str, int, str]]:
    """Dataset, variable, row and text of each text that is wrong; equal texts, which most are, are judged once."""
    for dataset in tabulation.datasets.values():
        different = set(chain.from_iterable(row.values() for row in dataset.rows))
        wrong = {text for text in different if isinstance(text, str) and is_wrong(text)}
        if not wrong:
            continue
        for number, row in numbered(dataset):
            for name, value in row.items():
                if isinstance(value, str) and value in wrong:
                    yield dataset.spec.name, name, number, value


def test_names(tabulation: Tabulation) -> Iterator[Hit]:
    """Find test codes and names that do not belong together, or do not fit."""
    for domain, number, row in findings(tabulation):
        code, test = text_of(row, f"{domain}TESTCD"), text_of(row, f"{domain}TEST")
        fits = _NAME.fullmatch(code) and len(code) <= LONGEST_NAME and len(test) <= LONGEST_LABEL
        if not fits or _TESTS[domain].get(code, test) != test:
            yield Hit(dataset=domain, row=number, text=f"{code}: {test}")


def keys(tabulation: Tabulation) -> Iterator[Hit]:
    """Find rows that say the same thing twice."""
    for name, dataset in tabulation.datasets.items():
        rows = ((name, number, row) for number, row in numbered(dataset))
        yield from repeated(rows, partial(_key, dataset.spec.keys), "keys")


def _key(variables: Sequence[str], _dataset: str, row: Row) -> tuple[str, ...]:
    return tuple(text_of(row, name) for name in variables)


def sequence(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a --SEQ that stands twice in a subject."""
    return repeated(
        findings(tabulation), lambda domain, row: (text_of(row, "USUBJID"), row.get(f"{domain}SEQ")), "--SEQ"
    )


def constants(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a DOMAIN that is not the dataset's, and a second STUDYID."""
    study = next((text_of(row, "STUDYID") for _, _, row in findings(tabulation)), "")
    for name, dataset in tabulation.datasets.items():
        for number, row in numbered(dataset):
            if name in FINDINGS and row.get("DOMAIN") != name:
                yield Hit(dataset=name, row=number, text=f"DOMAIN {row.get('DOMAIN')}")
            if text_of(row, "STUDYID") != study:
                yield Hit(dataset=name, row=number, text=f"STUDYID {row.get('STUDYID')}")


def closed_terms(tabulation: Tabulation) -> Iterator[Hit]:
    """Find words outside a codelist that nobody may extend."""
    return _foreign_terms(tabulation, closed=True)


def open_terms(tabulation: Tabulation) -> Iterator[Hit]:
    """Find words outside an extensible codelist that are not declared as ours."""
    return _foreign_terms(tabulation, closed=False)


def _foreign_terms(tabulation: Tabulation, *, closed: bool) -> Iterator[Hit]:
    for dataset in tabulation.datasets.values():
        for variable in dataset.spec.variables:
            codelist = variable.codelist
            if codelist is None or (codelist in CLOSED) != closed:
                continue
            allowed = TERMS[codelist] | _SPONSOR_TERMS.get(codelist, frozenset())
            for number, row in numbered(dataset):
                value = text_of(row, variable.name)
                if value and value not in allowed:
                    text = f"{variable.name} {value} is not in {codelist.name} ({codelist.value})"
                    yield Hit(dataset=dataset.spec.name, row=number, text=text)


def result_terms(tabulation: Tabulation) -> Iterator[Hit]:
    """Find results that are no result of their test."""
    for domain, test_codes, codelist in (
        ("TR", {"TUMSTATE", "LNSTATE"}, Codelist.TRRESULT),
        ("TR", {"NEWCONF"}, Codelist.NY),
        ("RS", {"TRGRESP", "NTRGRESP", "OVRLRESP", "BESTRESP", *RS_EXTENSIONS}, Codelist.RSRESULT),
    ):
        for number, row in numbered(tabulation.datasets[domain]):
            value = text_of(row, f"{domain}STRESC")
            if row.get(f"{domain}TESTCD") in test_codes and value and value not in TERMS[codelist]:
                yield Hit(dataset=domain, row=number, text=f"{row.get(f'{domain}TESTCD')} {value}")
    for number, row in numbered(tabulation.datasets["RS"]):
        if row.get("RSTESTCD") == "NEWLIND" and text_of(row, "RSSTRESC") not in {"Y", "N", "EQUIVOCAL"}:
            yield Hit(dataset="RS", row=number, text=f"NEWLIND {row.get('RSSTRESC')}")


def dates(tabulation: Tabulation) -> Iterator[Hit]:
    """Find dates that are not whole ISO 8601 dates; only a best response may have none."""
    for domain, number, row in findings(tabulation):
        text = text_of(row, f"{domain}DTC")
        may_lack = row.get("VISITNUM") is None
        if (text or not may_lack) and _date(text) is None:
            yield Hit(dataset=domain, row=number, text=f"{domain}DTC '{text}'")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def days(tabulation: Tabulation) -> Iterator[Hit]:
    """Find study days that are not counted from the first treatment."""
    for domain, number, row in findings(tabulation):
        start = tabulation.reference_start.get(text_of(row, "USUBJID"))
        expected = study_day(_date(text_of(row, f"{domain}DTC")), start)
        if row.get(f"{domain}DY") != expected:
            yield Hit(dataset=domain, row=number, text=f"{domain}DY {row.get(f'{domain}DY')}, expected {expected}")


def visits(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a visit with two numbers, and a number with two visits."""
    rows = [each for each in findings(tabulation) if each[2].get("VISITNUM") is not None]
    yield from several(
        rows, lambda _, row: text_of(row, "VISIT"), lambda _, row: text_of(row, "VISITNUM"), "VISITNUM of a VISIT"
    )
    yield from several(
        rows, lambda _, row: text_of(row, "VISITNUM"), lambda _, row: text_of(row, "VISIT"), "VISIT of a VISITNUM"
    )


def visit_order(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a visit whose number is higher than a later one's."""
    latest: dict[object, tuple[float, str]] = {}
    for domain, number, row in sorted(findings(tabulation), key=_by_visit):
        visit = row.get("VISITNUM")
        if not isinstance(visit, int | float):
            continue
        who, day = (domain, *reader_of(row, domain)), text_of(row, f"{domain}DTC")
        before = latest.get(who)
        if before is not None and visit > before[0] and day < before[1]:
            yield Hit(dataset=domain, row=number, text=f"visit {visit} on {day}, visit {before[0]} on {before[1]}")
        if before is None or visit > before[0]:
            latest[who] = (visit, day)


def _by_visit(each: tuple[str, int, Row]) -> tuple[float, str]:
    domain, _, row = each
    visit = row.get("VISITNUM")
    return (float(visit) if isinstance(visit, int | float) else 0.0, text_of(row, f"{domain}DTC"))
