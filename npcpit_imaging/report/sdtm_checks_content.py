"""Checks of what the rows say together: links, states, units, sums, baselines, responses (SDTMIG 3.4, TU, TR, RS)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_checking import (
    Hit,
    numbered,
    odd,
    qualifiers,
    reader_of,
    several,
    text_of,
)
from npcpit_imaging.report.sdtm_rows import Cell
from npcpit_imaging.report.sdtm_spec import FINDINGS, Dataset
from npcpit_imaging.report.sdtm_terms import NOT_DONE, RECIST, TOO_SMALL

_SIZES = frozenset({"LDIAM", "LPERP", "SUMDIAM"})


def _links(tabulation: Tabulation, domain: str, variable: str) -> set[tuple[Cell, str]]:
    dataset = tabulation.datasets[domain]
    return set(zip(dataset.cells("USUBJID"), dataset.texts(variable), strict=True))


def _without(
    tabulation: Tabulation, domain: str, variable: str, other: set[tuple[Cell, str]], skip: str = ""
) -> Iterator[Hit]:
    dataset = tabulation.datasets[domain]
    columns = (dataset.cells("USUBJID"), dataset.texts(variable), dataset.texts(f"{domain}TESTCD"))
    for number, (_, link, _) in odd(
        lambda subject, link, code: bool(link) and (subject, link) not in other and code != skip, *columns
    ):
        yield Hit(dataset=domain, row=number, text=f"{variable} {link}")


def results_without_tumor(tabulation: Tabulation) -> Iterator[Hit]:
    """Find results of a lesion that TU does not identify."""
    return _without(tabulation, "TR", "TRLNKID", _links(tabulation, "TU", "TULNKID"))


def tumors_without_result(tabulation: Tabulation) -> Iterator[Hit]:
    """Find lesions without any result; a merger's row has none of its own."""
    return _without(tabulation, "TU", "TULNKID", _links(tabulation, "TR", "TRLNKID"), skip="TUMERGE")


def responses_without_tumor(tabulation: Tabulation) -> Iterator[Hit]:
    """Find responses of a lesion that TU does not identify."""
    return _without(tabulation, "RS", "RSLNKID", _links(tabulation, "TU", "TULNKID"))


def responses_without_results(tabulation: Tabulation) -> Iterator[Hit]:
    """Find responses at a visit without any result."""
    return _without(tabulation, "RS", "RSLNKGRP", _links(tabulation, "TR", "TRLNKGRP"))


def lesion_without_link(tabulation: Tabulation) -> Iterator[Hit]:
    """Find rows of one lesion that do not say of which."""
    lesion_tests = {"LDIAM", "LPERP", "TUMSTATE", "LNSTATE", "NEWCONF", "LESRESP", "LESBEST", "ENDORESP"}
    for domain in FINDINGS:
        tests = set(tabulation.datasets[domain].cells(f"{domain}TESTCD")) if domain == "TU" else lesion_tests
        for number, _ in _odd(
            tabulation, domain, ("TESTCD", "LNKID"), lambda code, link, tests=tests: code in tests and not link
        ):
            yield Hit(dataset=domain, row=number, text=f"{domain}LNKID is empty")


def _odd(
    tabulation: Tabulation, domain: str, names: Sequence[str], is_odd: Callable[..., bool]
) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    """Rows of a domain that are odd by some of its own variables, named without the prefix."""
    dataset = tabulation.datasets[domain]
    return odd(is_odd, *(dataset.cells(f"{domain}{name}") for name in names))


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def done_and_not_done(tabulation: Tabulation) -> Iterator[Hit]:
    """Find results of what was not done (CORE-000099)."""
    for domain in FINDINGS:
        for number, (_, *cells) in _odd(
            tabulation,
            domain,
            ("STAT", "ORRES", "STRESC", "STRESN"),
            lambda status, *results: bool(status) and any(map(_text, results)),
        ):
            found = ", ".join(filter(None, map(_text, cells)))
            yield Hit(dataset=domain, row=number, text=f"{domain}STAT with {found}")


def neither_done_nor_not(tabulation: Tabulation) -> Iterator[Hit]:
    """Find rows with neither a result nor NOT DONE, and originals without a standard result."""
    for domain in FINDINGS:
        for number, (_, *cells) in _odd(
            tabulation,
            domain,
            ("STAT", "ORRES", "STRESC"),
            lambda status, *results: not _text(status) and not all(map(_text, results)),
        ):
            original, standard = map(_text, cells)
            yield Hit(dataset=domain, row=number, text=f"{domain}ORRES '{original}', {domain}STRESC '{standard}'")


def reason_not_done(tabulation: Tabulation) -> Iterator[Hit]:
    """Find what was not done without a reason, and reasons for what was done."""
    for domain in FINDINGS:
        for number, (_, reason) in _odd(
            tabulation,
            domain,
            ("STAT", "REASND"),
            lambda status, reason: (status == NOT_DONE) != bool(_text(reason)),
        ):
            yield Hit(dataset=domain, row=number, text=f"{domain}REASND '{_text(reason)}'")


def units(tabulation: Tabulation) -> Iterator[Hit]:
    """Find numbers without a unit, units without a number, and text that is not its number."""
    names = ("STRESN", "STRESU", "STRESC", "TESTCD", "STAT")
    for number, cells in _odd(tabulation, "TR", names, lambda *own: bool(_unit_faults(*own))):
        yield from (Hit(dataset="TR", row=number, text=fault) for fault in _unit_faults(*cells))


def _unit_faults(value: Cell, unit: Cell, text: Cell, test: Cell, status: Cell) -> list[str]:
    faults = []
    if (value is None) == bool(_text(unit)):
        faults.append(f"TRSTRESN {value}, TRSTRESU '{_text(unit)}'")
    if isinstance(value, int | float) and _number(_text(text)) != value:
        faults.append(f"TRSTRESN {value}, TRSTRESC '{_text(text)}'")
    if test in _SIZES and value is None and status != NOT_DONE:
        faults.append(f"{test} without a number")
    return faults


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def original_number(tabulation: Tabulation) -> Iterator[Hit]:
    """Find an original number that is not the standard one though both have the same unit."""
    for number, (unit, _, original, value) in _odd(
        tabulation,
        "TR",
        ("ORRESU", "STRESU", "ORRES", "STRESN"),
        lambda unit, standard, original, value: bool(unit) and unit == standard and _number(_text(original)) != value,
    ):
        yield Hit(dataset="TR", row=number, text=f"TRORRES {_text(original)}, TRSTRESN {value} {unit}")


def plausible_sizes(tabulation: Tabulation) -> Iterator[Hit]:
    """Find sizes below 0."""
    for number, (test, value) in _odd(
        tabulation,
        "TR",
        ("TESTCD", "STRESN"),
        lambda test, value: test in _SIZES and isinstance(value, int | float) and value < 0,
    ):
        yield Hit(dataset="TR", row=number, text=f"{test} {value}")


def too_small(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a lesion too small to measure without the protocol's value."""
    for number, (_, value) in _odd(
        tabulation,
        "TR",
        ("ORRES", "STRESN"),
        lambda original, value: original == TOO_SMALL and value != tabulation.too_small_mm,
    ):
        yield Hit(dataset="TR", row=number, text=f"TRSTRESN {value}")


def one_baseline(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a second baseline flag of a lesion and test."""
    for domain in FINDINGS:
        dataset, seen = tabulation.datasets[domain], dict[tuple[Cell, ...], int]()
        flags = dataset.texts(f"{domain}LOBXFL")
        keys = zip(
            dataset.cells("USUBJID"),
            *(dataset.texts(f"{domain}{name}") for name in ("EVAL", "EVALID", "LNKID", "TESTCD")),
            strict=True,
        )
        for number, (flag, key) in enumerate(zip(flags, keys, strict=True), start=1):
            first = seen.setdefault(key, number) if flag == "Y" else number
            if first != number:
                yield Hit(dataset=domain, row=number, text=f"--LOBXFL: same as row {first}")


def baseline_before_treatment(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a baseline flag after the first treatment."""
    starts = tabulation.reference_start
    begun = {subject: start.isoformat() for subject, start in starts.items()}
    for domain in FINDINGS:
        dataset = tabulation.datasets[domain]
        columns = (dataset.texts("USUBJID"), dataset.texts(f"{domain}DTC"), dataset.texts(f"{domain}LOBXFL"))
        for number, (subject, day, _) in odd(
            lambda subject, day, flag: flag == "Y" and subject in begun and day > begun[subject], *columns
        ):
            yield Hit(dataset=domain, row=number, text=f"{day}, first treatment {starts[str(subject)]}")


def target_without_baseline(tabulation: Tabulation) -> Iterator[Hit]:
    """Find target lesions without a size before the first treatment."""
    results = tabulation.datasets["TR"]
    columns = (results.cells("USUBJID"), results.texts("TRLNKID"), results.cells("TRLOBXFL"), results.cells("TRTESTCD"))
    flagged = {
        (subject, link) for subject, link, flag, test in zip(*columns, strict=True) if flag == "Y" and test in _SIZES
    }
    for number, row in numbered(tabulation.datasets["TU"]):
        is_target = row.get("TUSTRESC") == "TARGET" and row.get("TUTESTCD") == "TUMIDENT"
        if is_target and (row.get("USUBJID"), text_of(row, "TULNKID")) not in flagged:
            yield Hit(dataset="TU", row=number, text=text_of(row, "TULNKID"))


def same_place(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a lesion with two locations: between readers, or between its own rows."""
    return several(
        (
            ("TU", number, row)
            for number, row in numbered(tabulation.datasets["TU"])
            if row.get("TUTESTCD") != "TUMERGE"
        ),
        lambda _, row: (row.get("USUBJID"), text_of(row, "TUSPID")),
        lambda _, row: (text_of(row, "TULOC"), text_of(row, "TULAT")),
        "TULOC",
    )


def no_place(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a lesion without a location."""
    for number, row in numbered(tabulation.datasets["TU"]):
        if not text_of(row, "TULOC"):
            yield Hit(dataset="TU", row=number, text=text_of(row, "TULNKID"))


def same_role(tabulation: Tabulation) -> Iterator[Hit]:
    """Find results of a lesion in another group than it was identified in."""
    roles = {
        (row.get("USUBJID"), text_of(row, "TULNKID")): text_of(row, "TUSTRESC")
        for row in tabulation.datasets["TU"].rows
    }
    results = tabulation.datasets["TR"]
    columns = (results.cells("USUBJID"), results.texts("TRLNKID"), results.cells("TRGRPID"))
    for number, (subject, link, group) in odd(
        lambda subject, link, group: roles.get((subject, link), _text(group)) != _text(group), *columns
    ):
        role = roles[subject, str(link)]
        yield Hit(dataset="TR", row=number, text=f"TRGRPID {group}, TUSTRESC {role}")


def evaluators(tabulation: Tabulation) -> Iterator[Hit]:
    """Find findings without an evaluator."""
    for domain in FINDINGS:
        for number, _ in _odd(tabulation, domain, ("EVAL",), lambda role: not _text(role)):
            yield Hit(dataset=domain, row=number, text=f"{domain}EVAL is empty")


def sums(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a sum that is not the sum of its parts, and a sum although a target lesion has no size."""
    nodal, targets, split = _nodes_and_targets(tabulation)
    totals, sizes_of = _totals_and_sizes(tabulation.datasets["TR"], nodal)
    for key, sizes in sizes_of.items():
        number, total = totals.get(key, (0, None))
        if total is None:
            continue
        found = sum(round(value * 10) for value in sizes.values() if isinstance(value, int | float))
        missing = sorted(link for link in targets.get(key[:-1], set()) - split if sizes.get(link) is None)
        if found != round(float(str(total)) * 10) or missing:
            text = f"SUMDIAM {total}, parts {found / 10:g}" + (f", no {missing}" if missing else "")
            yield Hit(dataset="TR", row=number, text=text)


def _totals_and_sizes(
    results: Dataset, nodal: set[tuple[Cell, str]]
) -> tuple[dict[tuple[Cell, ...], tuple[int, Cell]], dict[tuple[Cell, ...], dict[str, Cell]]]:
    """By subject, reader and visit: the first sum with its row, and each target's size by its link."""
    totals: dict[tuple[Cell, ...], tuple[int, Cell]] = {}
    sizes: dict[tuple[Cell, ...], dict[str, Cell]] = {}
    own = zip(*(results.cells(name) for name in ("TRTESTCD", "TRGRPID", "TRSTRESN")), strict=True)
    who = _visits_of_readers(results)
    rows = zip(who, results.cells("USUBJID"), results.texts("TRLNKID"), own, strict=True)
    for number, (key, subject, link, (test, group, value)) in enumerate(rows, start=1):
        if test == "SUMDIAM":
            totals.setdefault(key, (number, value))
        elif group != "TARGET":
            continue
        parts = sizes.setdefault(key, {})
        if group == "TARGET" and test == ("LPERP" if (subject, link) in nodal else "LDIAM"):
            parts[link] = value
    return totals, sizes


def _visits_of_readers(dataset: Dataset) -> Iterator[tuple[Cell, ...]]:
    """Subject, reader and visit of every row."""
    name = dataset.spec.name
    reader = (dataset.texts(f"{name}EVAL"), dataset.texts(f"{name}EVALID"))
    return zip(dataset.cells("USUBJID"), *reader, dataset.cells("VISITNUM"), strict=True)


def _nodes_and_targets(
    tabulation: Tabulation,
) -> tuple[set[tuple[Cell, str]], dict[tuple[Cell, ...], set[str]], set[str]]:
    """Give the nodes, each reader's baseline targets, and the lesions that split."""
    node_flags, parents = qualifiers(tabulation, "TU", "NODALFL"), qualifiers(tabulation, "TU", "PARENTID")
    nodal: set[tuple[Cell, str]] = set()
    targets: dict[tuple[Cell, ...], set[str]] = {}
    split: set[str] = set()
    identified = [row for row in tabulation.datasets["TU"].rows if row.get("TUTESTCD") != "TUMERGE"]
    links = {(*reader_of(row, "TU"), text_of(row, "TUSPID")): text_of(row, "TULNKID") for row in identified}
    for row in tabulation.datasets["TU"].rows:
        key, link = (row.get("USUBJID"), text_of(row, "TUSEQ")), text_of(row, "TULNKID")
        if key in node_flags:
            nodal.add((row.get("USUBJID"), link))
        if key in parents:
            split.add(links.get((*reader_of(row, "TU"), parents[key]), ""))
        if row.get("TUTESTCD") == "TUMIDENT" and row.get("TUSTRESC") == "TARGET":
            targets.setdefault(reader_of(row, "TU"), set()).add(link)
    return nodal, targets, split


def overall_response(tabulation: Tabulation) -> Iterator[Hit]:
    """Find an overall response that is not PD though target, non-target or new lesions are, and PD without any of them.

    After an overall CR disease that comes back is PD by itself (EORTC RECIST FAQ).
    """
    responses = tabulation.datasets["RS"]
    columns = (responses.texts(name) for name in ("RSLNKID", "RSTESTCD", "RSSTRESC", "RSCAT"))
    rows = zip(_visits_of_readers(responses), *columns, strict=True)
    visits: dict[tuple[Cell, ...], dict[str, tuple[int, str]]] = {}
    for number, (key, link, test, result, category) in enumerate(rows, start=1):
        if category == RECIST and not link and key[-1] is not None:
            visits.setdefault(key, {})[test] = (number, result)
    cleared: set[tuple[Cell, ...]] = set()
    for key, answers in sorted(visits.items(), key=lambda each: float(str(each[0][-1]))):
        of = {test: answer for test, (_, answer) in answers.items()}
        progressed = "PD" in {of.get("TRGRESP"), of.get("NTRGRESP")} or of.get("NEWLIND") == "Y"
        overall = of.get("OVRLRESP")
        came_back = overall == "PD" and key[:-1] in cleared
        if overall is not None and progressed != (overall == "PD") and not came_back:
            yield Hit(dataset="RS", row=answers["OVRLRESP"][0], text=f"{of}")
        if overall == "CR":
            cleared.add(key[:-1])


def supplemental_parents(tabulation: Tabulation) -> Iterator[Hit]:
    """Find supplemental qualifiers of a row that is not there."""
    for domain in ("TU", "TR", "RS"):
        parents = _links(tabulation, domain, f"{domain}SEQ")
        more = tabulation.datasets[f"SUPP{domain}"]
        own = set(zip(more.cells("RDOMAIN"), more.cells("IDVAR"), strict=True)) <= {(domain, f"{domain}SEQ")}
        if own and set(zip(more.cells("USUBJID"), more.texts("IDVARVAL"), strict=True)) <= parents:
            continue
        columns = [more.cells(name) for name in ("USUBJID", "IDVARVAL", "RDOMAIN", "IDVAR")]
        for number, (_, value, _, variable) in odd(partial(_is_orphan, domain, parents), *columns):
            yield Hit(dataset=f"SUPP{domain}", row=number, text=f"{variable} {value}")


def _is_orphan(domain: str, parents: set[tuple[Cell, str]], subject: Cell, value: Cell, *of: Cell) -> bool:
    return of != (domain, f"{domain}SEQ") or (subject, _text(value)) not in parents


def relations(tabulation: Tabulation) -> Iterator[Hit]:
    """Find relations by a variable that its dataset does not have, and relations of one side."""
    sides: dict[str, int] = {}
    for row in tabulation.datasets["RELREC"].rows:
        sides[text_of(row, "RELID")] = sides.get(text_of(row, "RELID"), 0) + 1
    for number, row in numbered(tabulation.datasets["RELREC"]):
        dataset = tabulation.datasets.get(text_of(row, "RDOMAIN"))
        there = dataset is not None and any(v.name == row.get("IDVAR") for v in dataset.columns)
        if not there or sides[text_of(row, "RELID")] != 2:
            yield Hit(dataset="RELREC", row=number, text=f"{row.get('RDOMAIN')} {row.get('IDVAR')}")
