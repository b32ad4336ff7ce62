"""Checks of what the rows say together: links, states, units, sums, baselines, responses (SDTMIG 3.4, TU, TR, RS)."""

from collections.abc import Iterator

from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_checking import (
    Hit,
    by_key,
    findings,
    numbered,
    qualifiers,
    reader_of,
    repeated,
    several,
    text_of,
)
from npcpit_imaging.report.sdtm_spec import Cell, Row
from npcpit_imaging.report.sdtm_terms import NOT_DONE, RECIST, TOO_SMALL

_SIZES = frozenset({"LDIAM", "LPERP", "SUMDIAM"})


def _links(tabulation: Tabulation, domain: str, variable: str) -> set[tuple[Cell, str]]:
    return {(row.get("USUBJID"), text_of(row, variable)) for row in tabulation.datasets[domain].rows}


def _without(
    tabulation: Tabulation, domain: str, variable: str, other: set[tuple[Cell, str]], skip: str = ""
) -> Iterator[Hit]:
    for number, row in numbered(tabulation.datasets[domain]):
        link = text_of(row, variable)
        if link and (row.get("USUBJID"), link) not in other and text_of(row, f"{domain}TESTCD") != skip:
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
    for domain, number, row in findings(tabulation):
        about_lesion = domain == "TU" or row.get(f"{domain}TESTCD") in lesion_tests
        if about_lesion and not text_of(row, f"{domain}LNKID"):
            yield Hit(dataset=domain, row=number, text=f"{domain}LNKID is empty")


def done_and_not_done(tabulation: Tabulation) -> Iterator[Hit]:
    """Find results of what was not done (CORE-000099)."""
    for domain, number, row in findings(tabulation):
        results = [text_of(row, f"{domain}{name}") for name in ("ORRES", "STRESC", "STRESN")]
        if text_of(row, f"{domain}STAT") and any(results):
            yield Hit(dataset=domain, row=number, text=f"{domain}STAT with {', '.join(filter(None, results))}")


def neither_done_nor_not(tabulation: Tabulation) -> Iterator[Hit]:
    """Find rows with neither a result nor NOT DONE, and originals without a standard result."""
    for domain, number, row in findings(tabulation):
        results = [text_of(row, f"{domain}{name}") for name in ("ORRES", "STRESC")]
        if not text_of(row, f"{domain}STAT") and not all(results):
            yield Hit(dataset=domain, row=number, text=f"{domain}ORRES '{results[0]}', {domain}STRESC '{results[1]}'")


def reason_not_done(tabulation: Tabulation) -> Iterator[Hit]:
    """Find what was not done without a reason, and reasons for what was done."""
    for domain, number, row in findings(tabulation):
        not_done = text_of(row, f"{domain}STAT") == NOT_DONE
        if not_done != bool(text_of(row, f"{domain}REASND")):
            yield Hit(dataset=domain, row=number, text=f"{domain}REASND '{text_of(row, f'{domain}REASND')}'")


def units(tabulation: Tabulation) -> Iterator[Hit]:
    """Find numbers without a unit, units without a number, and text that is not its number."""
    for number, row in numbered(tabulation.datasets["TR"]):
        value, unit, text = row.get("TRSTRESN"), text_of(row, "TRSTRESU"), text_of(row, "TRSTRESC")
        if (value is None) == bool(unit):
            yield Hit(dataset="TR", row=number, text=f"TRSTRESN {value}, TRSTRESU '{unit}'")
        if isinstance(value, int | float) and _number(text) != value:
            yield Hit(dataset="TR", row=number, text=f"TRSTRESN {value}, TRSTRESC '{text}'")
        if row.get("TRTESTCD") in _SIZES and value is None and text_of(row, "TRSTAT") != NOT_DONE:
            yield Hit(dataset="TR", row=number, text=f"{row.get('TRTESTCD')} without a number")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def original_number(tabulation: Tabulation) -> Iterator[Hit]:
    """Find an original number that is not the standard one though both have the same unit."""
    for number, row in numbered(tabulation.datasets["TR"]):
        unit, original = text_of(row, "TRORRESU"), text_of(row, "TRORRES")
        same = bool(unit) and unit == text_of(row, "TRSTRESU")
        if same and _number(original) != row.get("TRSTRESN"):
            yield Hit(dataset="TR", row=number, text=f"TRORRES {original}, TRSTRESN {row.get('TRSTRESN')} {unit}")


def plausible_sizes(tabulation: Tabulation) -> Iterator[Hit]:
    """Find sizes below 0."""
    for number, row in numbered(tabulation.datasets["TR"]):
        value = row.get("TRSTRESN")
        if row.get("TRTESTCD") in _SIZES and isinstance(value, int | float) and value < 0:
            yield Hit(dataset="TR", row=number, text=f"{row.get('TRTESTCD')} {value}")


def too_small(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a lesion too small to measure without the protocol's value."""
    for number, row in numbered(tabulation.datasets["TR"]):
        if text_of(row, "TRORRES") == TOO_SMALL and row.get("TRSTRESN") != tabulation.too_small_mm:
            yield Hit(dataset="TR", row=number, text=f"TRSTRESN {row.get('TRSTRESN')}")


def one_baseline(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a second baseline flag of a lesion and test."""
    return repeated(findings(tabulation), _flagged, "--LOBXFL")


def _flagged(domain: str, row: Row) -> tuple[Cell, ...] | None:
    if text_of(row, f"{domain}LOBXFL") != "Y":
        return None
    return (*reader_of(row, domain), text_of(row, f"{domain}LNKID"), text_of(row, f"{domain}TESTCD"))


def baseline_before_treatment(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a baseline flag after the first treatment."""
    for domain, number, row in findings(tabulation):
        start = tabulation.reference_start.get(text_of(row, "USUBJID"))
        day = text_of(row, f"{domain}DTC")
        if text_of(row, f"{domain}LOBXFL") == "Y" and start is not None and day > start.isoformat():
            yield Hit(dataset=domain, row=number, text=f"{day}, first treatment {start}")


def target_without_baseline(tabulation: Tabulation) -> Iterator[Hit]:
    """Find target lesions without a size before the first treatment."""
    flagged = {
        (row.get("USUBJID"), text_of(row, "TRLNKID"))
        for row in tabulation.datasets["TR"].rows
        if row.get("TRLOBXFL") == "Y" and row.get("TRTESTCD") in _SIZES
    }
    for number, row in numbered(tabulation.datasets["TU"]):
        is_target = row.get("TUSTRESC") == "TARGET" and row.get("TUTESTCD") == "TUMIDENT"
        if is_target and (row.get("USUBJID"), text_of(row, "TULNKID")) not in flagged:
            yield Hit(dataset="TU", row=number, text=text_of(row, "TULNKID"))


def same_place(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a lesion with two locations: between readers, or between its own rows."""
    return several(
        (each for each in findings(tabulation) if each[0] == "TU" and each[2].get("TUTESTCD") != "TUMERGE"),
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
    for number, row in numbered(tabulation.datasets["TR"]):
        role = roles.get((row.get("USUBJID"), text_of(row, "TRLNKID")))
        if role is not None and text_of(row, "TRGRPID") != role:
            yield Hit(dataset="TR", row=number, text=f"TRGRPID {row.get('TRGRPID')}, TUSTRESC {role}")


def evaluators(tabulation: Tabulation) -> Iterator[Hit]:
    """Find findings without an evaluator."""
    for domain, number, row in findings(tabulation):
        if not text_of(row, f"{domain}EVAL"):
            yield Hit(dataset=domain, row=number, text=f"{domain}EVAL is empty")


def sums(tabulation: Tabulation) -> Iterator[Hit]:
    """Find a sum that is not the sum of its parts, and a sum although a target lesion has no size."""
    parts = by_key(tabulation.datasets["TR"], lambda row: (*reader_of(row, "TR"), row.get("VISITNUM")))
    nodal, targets, split = _nodes_and_targets(tabulation)
    for rows in parts.values():
        total = next(((number, row) for number, row in rows if row.get("TRTESTCD") == "SUMDIAM"), None)
        if total is None or total[1].get("TRSTRESN") is None:
            continue
        sizes = {
            text_of(row, "TRLNKID"): row.get("TRSTRESN")
            for _, row in rows
            if row.get("TRGRPID") == "TARGET" and row.get("TRTESTCD") == _size_test(row, nodal)
        }
        found = sum(round(value * 10) for value in sizes.values() if isinstance(value, int | float))
        who = reader_of(total[1], "TR")
        missing = sorted(link for link in targets.get(who, set()) - split if sizes.get(link) is None)
        if found != round(float(str(total[1]["TRSTRESN"])) * 10) or missing:
            text = f"SUMDIAM {total[1]['TRSTRESN']}, parts {found / 10:g}" + (f", no {missing}" if missing else "")
            yield Hit(dataset="TR", row=total[0], text=text)


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


def _size_test(row: Row, nodal: set[tuple[Cell, str]]) -> str:
    return "LPERP" if (row.get("USUBJID"), text_of(row, "TRLNKID")) in nodal else "LDIAM"


def overall_response(tabulation: Tabulation) -> Iterator[Hit]:
    """Find an overall response that is not PD though target, non-target or new lesions are, and PD without any of them.

    After an overall CR disease that comes back is PD by itself (EORTC RECIST FAQ).
    """
    rows = ((number, row) for number, row in numbered(tabulation.datasets["RS"]) if row.get("RSCAT") == RECIST)
    visits: dict[tuple[Cell, ...], dict[str, tuple[int, str]]] = {}
    for number, row in rows:
        if row.get("VISITNUM") is not None and not text_of(row, "RSLNKID"):
            at_visit = visits.setdefault((*reader_of(row, "RS"), row["VISITNUM"]), {})
            at_visit[text_of(row, "RSTESTCD")] = (number, text_of(row, "RSSTRESC"))
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
        parents = {(row.get("USUBJID"), text_of(row, f"{domain}SEQ")) for row in tabulation.datasets[domain].rows}
        for number, row in numbered(tabulation.datasets[f"SUPP{domain}"]):
            good = row.get("RDOMAIN") == domain and row.get("IDVAR") == f"{domain}SEQ"
            if not good or (row.get("USUBJID"), text_of(row, "IDVARVAL")) not in parents:
                yield Hit(dataset=f"SUPP{domain}", row=number, text=f"{row.get('IDVAR')} {row.get('IDVARVAL')}")


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
