"""Checks of names, order, lengths, keys, terms, dates and visits (SDTMIG 3.4, 4; SAS transport version 5)."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import chain

from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_checking import (
    Hit,
    all_different,
    findings,
    numbered,
    odd,
    repeated,
    several,
    text_of,
)
from npcpit_imaging.report.sdtm_draft import study_day
from npcpit_imaging.report.sdtm_rows import Cell, Row
from npcpit_imaging.report.sdtm_spec import FINDINGS, LONGEST_LABEL, LONGEST_NAME, LONGEST_TEXT, Core, Dataset, Variable
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
        lacking = [name for name in needed if any(map(_is_missing, dataset.different(name)))]
        for number, row in numbered(dataset) if lacking else ():
            for name in lacking:
                if row.get(name) in (None, ""):
                    yield Hit(dataset=dataset.spec.name, row=number, text=name)


def _is_missing(cell: Cell) -> bool:
    return cell is None or cell == ""


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
        different = set(chain.from_iterable(map(dataset.different, dataset.names)))
        wrong = {text for text in different if isinstance(text, str) and is_wrong(text)}
        if not wrong:
            continue
        for number, row in numbered(dataset):
            for name, value in row.items():
                if isinstance(value, str) and value in wrong:
                    yield dataset.spec.name, name, number, value


def test_names(tabulation: Tabulation) -> Iterator[Hit]:
    """Find test codes and names that do not belong together, or do not fit."""
    for domain in FINDINGS:
        dataset = tabulation.datasets[domain]
        columns = (dataset.texts(f"{domain}TESTCD"), dataset.texts(f"{domain}TEST"))
        for number, (code, test) in odd(partial(_is_misnamed, _TESTS[domain]), *columns):
            yield Hit(dataset=domain, row=number, text=f"{code}: {test}")


def _is_misnamed(tests: Mapping[str, str], code: str, test: str) -> bool:
    fits = _NAME.fullmatch(code) and len(code) <= LONGEST_NAME and len(test) <= LONGEST_LABEL
    return not fits or tests.get(code, test) != test


def keys(tabulation: Tabulation) -> Iterator[Hit]:
    """Find rows that say the same thing twice."""
    for name, dataset in tabulation.datasets.items():
        telling = [name for name in dataset.spec.keys if len(dataset.different(name)) > 1]
        if all_different(*(dataset.texts(variable) for variable in telling or dataset.spec.keys)):
            continue
        rows = ((name, number, row) for number, row in numbered(dataset))
        yield from repeated(rows, partial(_key, dataset.spec.keys), "keys")


def _key(variables: Sequence[str], _dataset: str, row: Row) -> tuple[str, ...]:
    return tuple(text_of(row, name) for name in variables)


def sequence(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a --SEQ that stands twice in a subject."""
    twice = [
        name
        for name in FINDINGS
        if not all_different(tabulation.datasets[name].texts("USUBJID"), tabulation.datasets[name].cells(f"{name}SEQ"))
    ]
    rows = ((name, number, row) for name in twice for number, row in numbered(tabulation.datasets[name]))
    return repeated(rows, lambda domain, row: (text_of(row, "USUBJID"), row.get(f"{domain}SEQ")), "--SEQ")


def constants(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a DOMAIN that is not the dataset's, and a second STUDYID."""
    study = next((text_of(row, "STUDYID") for _, _, row in findings(tabulation)), "")
    for name, dataset in tabulation.datasets.items():
        expected = name if name in FINDINGS else None

        def is_odd(domain: Cell, own: Cell, expected: str | None = expected) -> bool:
            return (expected is not None and domain != expected) or (own or "") != study

        for number, (domain, own) in odd(is_odd, dataset.cells("DOMAIN"), dataset.cells("STUDYID")):
            if expected is not None and domain != expected:
                yield Hit(dataset=name, row=number, text=f"DOMAIN {domain}")
            if (own or "") != study:
                yield Hit(dataset=name, row=number, text=f"STUDYID {own}")


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
            for number, (value,) in odd(partial(_is_foreign, allowed), dataset.texts(variable.name)):
                text = f"{variable.name} {value} is not in {codelist.name} ({codelist.value})"
                yield Hit(dataset=dataset.spec.name, row=number, text=text)


def _is_foreign(allowed: Collection[str], value: str) -> bool:
    return bool(value) and value not in allowed


def result_terms(tabulation: Tabulation) -> Iterator[Hit]:
    """Find results that are no result of their test."""
    for domain, test_codes, codelist in (
        ("TR", {"TUMSTATE", "LNSTATE"}, Codelist.TRRESULT),
        ("TR", {"NEWCONF"}, Codelist.NY),
        ("RS", {"TRGRESP", "NTRGRESP", "OVRLRESP", "BESTRESP", *RS_EXTENSIONS}, Codelist.RSRESULT),
    ):
        dataset, is_odd = tabulation.datasets[domain], partial(_is_no_result, test_codes, TERMS[codelist])
        columns = (dataset.cells(f"{domain}TESTCD"), dataset.texts(f"{domain}STRESC"))
        for number, (code, value) in odd(is_odd, *columns):
            yield Hit(dataset=domain, row=number, text=f"{code} {value}")
    responses = tabulation.datasets["RS"]
    for number, (_, cell) in odd(
        lambda code, cell: code == "NEWLIND" and (cell or "") not in {"Y", "N", "EQUIVOCAL"},
        responses.cells("RSTESTCD"),
        responses.cells("RSSTRESC"),
    ):
        yield Hit(dataset="RS", row=number, text=f"NEWLIND {cell}")


def _is_no_result(codes: Collection[str], allowed: Collection[str], code: str, value: str) -> bool:
    return code in codes and bool(value) and value not in allowed


def dates(tabulation: Tabulation) -> Iterator[Hit]:
    """Find dates that are not whole ISO 8601 dates; only a best response may have none."""
    for domain in FINDINGS:
        dataset = tabulation.datasets[domain]
        columns = (dataset.texts(f"{domain}DTC"), dataset.cells("VISITNUM"))
        for number, (text, _) in odd(lambda day, visit: (day or visit is not None) and _date(day) is None, *columns):
            yield Hit(dataset=domain, row=number, text=f"{domain}DTC '{text}'")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def days(tabulation: Tabulation) -> Iterator[Hit]:
    """Find study days that are not counted from the first treatment."""
    starts = tabulation.reference_start
    for domain in FINDINGS:
        dataset = tabulation.datasets[domain]
        columns = (dataset.texts("USUBJID"), dataset.texts(f"{domain}DTC"), dataset.cells(f"{domain}DY"))
        for number, (subject, day, found) in odd(
            lambda subject, day, found: found != study_day(_date(day), starts.get(subject)), *columns
        ):
            expected = study_day(_date(str(day)), starts.get(str(subject)))
            yield Hit(dataset=domain, row=number, text=f"{domain}DY {found}, expected {expected}")


def visits(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a visit with two numbers, and a number with two visits."""
    pairs: set[tuple[Cell, ...]] = set()
    for name in FINDINGS:
        pairs |= set(
            zip(tabulation.datasets[name].texts("VISIT"), tabulation.datasets[name].cells("VISITNUM"), strict=True)
        )
    known = [(visit, str(number)) for visit, number in pairs if number is not None]
    if len(known) == len({visit for visit, _ in known}) == len({number for _, number in known}):
        return
    rows = [each for each in findings(tabulation) if each[2].get("VISITNUM") is not None]
    yield from several(
        rows, lambda _, row: text_of(row, "VISIT"), lambda _, row: text_of(row, "VISITNUM"), "VISITNUM of a VISIT"
    )
    yield from several(
        rows, lambda _, row: text_of(row, "VISITNUM"), lambda _, row: text_of(row, "VISIT"), "VISIT of a VISITNUM"
    )


def visit_order(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a visit whose number is higher than a later one's."""
    seen = [
        (domain, *cells)
        for domain in FINDINGS
        for cells in set(zip(*_visit_columns(tabulation.datasets[domain]), strict=True))
    ]
    if not any(True for _ in _out_of_order((0, *each) for each in seen)):
        return
    yield from _out_of_order(
        (number, domain, *cells)
        for domain in FINDINGS
        for number, cells in enumerate(zip(*_visit_columns(tabulation.datasets[domain]), strict=True), start=1)
    )


def _visit_columns(dataset: Dataset) -> list[Sequence[Cell]]:
    """Subject, reader, visit and day of every row."""
    name = dataset.spec.name
    who = [dataset.cells("USUBJID"), dataset.texts(f"{name}EVAL"), dataset.texts(f"{name}EVALID")]
    return [*who, dataset.cells("VISITNUM"), dataset.texts(f"{name}DTC")]


def _out_of_order(rows: Iterable[tuple[int, str, Cell, Cell, Cell, Cell, Cell]]) -> Iterator[Hit]:
    latest: dict[object, tuple[float, str]] = {}
    for number, domain, subject, role, identifier, visit, cell in sorted(rows, key=_by_visit):
        if not isinstance(visit, int | float):
            continue
        who, day = (domain, subject, role, identifier), str(cell)
        before = latest.get(who)
        if before is not None and visit > before[0] and day < before[1]:
            yield Hit(dataset=domain, row=number, text=f"visit {visit} on {day}, visit {before[0]} on {before[1]}")
        if before is None or visit > before[0]:
            latest[who] = (visit, day)


def _by_visit(each: tuple[int, str, Cell, Cell, Cell, Cell, Cell]) -> tuple[float, str]:
    visit, day = each[-2:]
    return (float(visit) if isinstance(visit, int | float) else 0.0, str(day))
