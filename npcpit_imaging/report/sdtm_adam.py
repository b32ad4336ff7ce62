"""ADaM-style tables from the same records: ADTR (sizes), ADRS (responses), ADLRS (lesions), ADTTE (times to events)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_draft import iso, link_id, study_day, usubjid
from npcpit_imaging.report.sdtm_records import BestRecord, DurationRecord, LesionRecord, SubjectRead, SumRecord
from npcpit_imaging.report.sdtm_rows import Cell, ColumnRows, Row
from npcpit_imaging.report.sdtm_terms import RECIST
from npcpit_imaging.report.sdtm_tr import percent_tenths
from npcpit_imaging.study.assessment import Assessment, Tenths
from npcpit_imaging.study.lesion import LesionRole
from npcpit_imaging.study.response import Response

Sizes: TypeAlias = Mapping[tuple[str, str, str, str], Tenths]
"""By USUBJID, TRLNKID, VISIT and TRTESTCD, in tenths of mm."""

Sources: TypeAlias = Mapping[tuple[str, str, str, str, str], Cell]
"""RSSEQ by USUBJID, RSEVAL, RSEVALID, RSLNKID and RSDTC."""

RANK = {"CR": 1, "PR": 2, "SD": 3, "NON-CR/NON-PD": 4, "PD": 5, "NE": 6, "MISSING": 7}
"""AVAL of a response, as in admiralonco."""

_RESPONDERS = frozenset({"CR", "PR"})
_BENEFIT = frozenset({"CR", "PR", "SD", "NON-CR/NON-PD"})
_DURATIONS = {
    "PFS": "Progression-free Survival (days)",
    "RSD": "Duration of Response (days)",
    "CRSD": "Duration of Confirmed Response (days)",
    "TTLP": "Time to Progression of the Lesion (days)",
}


def analysis_tables(
    reads: Sequence[SubjectRead], tabulation: Tabulation, *, study_id: str, protocol: Protocol
) -> dict[str, ColumnRows[Cell]]:
    """Give the analysis tables by name.

    Args:
        reads: One per subject and reader.
        tabulation: The SDTM datasets of the same reads: where sizes and source rows come from.
        study_id: STUDYID.
        protocol: The increase that is PD.
    """
    ordered = sorted(reads, key=lambda read: (read.subject, read.evaluator))
    limits = (protocol.pd_increase_percent, protocol.pd_increase_mm * 10)
    sizes, sources = _sizes_by_visit(tabulation), _sources(tabulation)
    return {
        "adtr": _by_column(ordered, lambda read: _sizes(read, study_id, sizes, limits)),
        "adrs": _by_column(ordered, lambda read: _responses(read, study_id)),
        "adlrs": _by_column(ordered, lambda read: _lesions(read, study_id)),
        "adtte": _by_column(ordered, lambda read: _times(read, study_id, sources)),
    }


def _by_column(reads: Sequence[SubjectRead], rows_of: Callable[[SubjectRead], Iterable[Row]]) -> ColumnRows[Cell]:
    """The rows of every read: a large study's would fill the memory as mappings."""
    groups = (reads[first : first + READS_AT_ONCE] for first in range(0, len(reads), READS_AT_ONCE))
    return ColumnRows([row for read in group for row in rows_of(read)] for group in groups)


READS_AT_ONCE = 200
"""Reads whose rows are mappings together, before they are cells of columns."""


def _sizes_by_visit(tabulation: Tabulation) -> Sizes:
    """Give each lesion's sizes from TR, in tenths of mm."""
    results = tabulation.datasets["TR"]
    names = ("USUBJID", "TRLNKID", "VISIT", "TRTESTCD", "TRSTRESN")
    return {
        (str(subject), str(link), str(visit), str(test)): round(value * 10)
        for subject, link, visit, test, value in zip(*map(results.cells, names), strict=True)
        if isinstance(value, int | float)
    }


def _sources(tabulation: Tabulation) -> Sources:
    """Give RSSEQ of each overall and lesion response, by subject, reader, lesion and date."""
    responses = tabulation.datasets["RS"]
    names = ("USUBJID", "RSEVAL", "RSEVALID", "RSLNKID", "RSDTC", "RSSEQ", "RSTESTCD", "RSCAT")
    return {
        (str(subject), str(role), str(identifier), str(link), str(day)): sequence
        for subject, role, identifier, link, day, sequence, test, category in zip(
            *map(responses.cells, names), strict=True
        )
        if (test == "OVRLRESP" and category == RECIST) or test == "LESRESP"
    }


def _identity(read: SubjectRead, study_id: str) -> dict[str, Cell]:
    start = read.reference_start
    return {
        "STUDYID": study_id,
        "USUBJID": usubjid(study_id, read.subject),
        "EVAL": read.evaluator.role,
        "EVALID": read.evaluator.identifier,
        "ACPTFL": "Y" if read.accepted else "",
        "TRTSDT": "" if start is None else iso(start),
    }


def _sizes(read: SubjectRead, study_id: str, sizes: Sizes, limits: tuple[int, int]) -> Iterator[Row]:
    """ADTR: each target lesion's size, and their sum, with change from baseline and from nadir."""
    targets = sorted({r.lesion for r in read.assessments if r.role is LesionRole.TARGET})
    for index, lesion in enumerate(targets, start=1):
        rows = sorted((r for r in read.assessments if r.lesion == lesion), key=lambda r: (r.date, r.timepoint))
        name = f"{'N' if rows[0].nodal else ''}LDIAM{index}"
        own = {
            "PARAMCD": name,
            "PARAM": f"Target Lesion {index} Analysis Diameter (mm)",
            "LNKID": link_id(read, lesion),
            "LESION": lesion,
            "IRRADFL": "Y" if any(r.irradiated for r in rows) or _treated(read, lesion) else "N",
        }
        series = [(r.timepoint, iso(r.date), _size(read, r, study_id, sizes), r.state.value) for r in rows]
        yield from _changes(read, study_id, own, series, limits)
    sums = {record.timepoint: record for record in read.sums}
    own = {
        "PARAMCD": "SDIAM",
        "PARAM": "Target Lesions Sum of Diameters (mm)",
        "LNKID": "",
        "LESION": "",
        "IRRADFL": "",
    }
    series = [(s.timepoint, iso(s.date), s.total, "") for s in read.sums]
    for row in _changes(read, study_id, own, series, limits):
        yield {**row, **_counts(sums[str(row["AVISIT"])])}


def _treated(read: SubjectRead, lesion: str) -> bool:
    return any(treated.lesion == lesion for treated in read.irradiations)


def _size(read: SubjectRead, record: Assessment, study_id: str, sizes: Sizes) -> Tenths | None:
    subject, link = usubjid(study_id, read.subject), link_id(read, record.lesion)
    return sizes.get((subject, link, record.timepoint, "LPERP" if record.nodal else "LDIAM"))


def _counts(record: SumRecord) -> dict[str, Cell]:
    complete = record.total is not None
    return {"LSEXP": record.expected, "LSASS": record.assessed, "ANL01FL": "Y" if complete else ""}


def _changes(
    read: SubjectRead,
    study_id: str,
    own: dict[str, Cell] | dict[str, str],
    series: Iterable[tuple[str, str, Tenths | None, str]],
    limits: tuple[int, int],
) -> Iterator[Row]:
    identity = _identity(read, study_id)
    baseline: Tenths | None = None
    nadir: Tenths | None = None
    for visit, day, value, state in series:
        at_baseline = visit == read.baseline
        baseline = value if at_baseline else baseline
        yield {
            **identity,
            **own,
            "AVISIT": visit,
            "ADT": day,
            "STATE": state,
            "AVAL": _mm(value),
            "BASE": _mm(baseline),
            "CHG": None if at_baseline else _mm(_minus(value, baseline)),
            "PCHG": None if at_baseline else _percent(value, baseline),
            "NADIR": _mm(nadir),
            "CHGNAD": _mm(_minus(value, nadir)),
            "PCHGNAD": _percent(value, nadir),
            "ABLFL": "Y" if at_baseline else "",
            "CRIT1": f">= {limits[0]} % and >= {limits[1] // 10} mm above nadir",
            "CRIT1FL": _criterion(value, nadir, limits),
            "ANL01FL": "Y" if value is not None else "",
            "ANL02FL": "Y" if value is not None and _until_pd(read, day) else "",
        }
        if value is not None:
            nadir = value if nadir is None else min(nadir, value)


def _until_pd(read: SubjectRead, day: str) -> bool:
    return read.pd_date is None or day <= iso(read.pd_date)


def _criterion(value: Tenths | None, nadir: Tenths | None, limits: tuple[int, int]) -> str:
    """Say whether the increase criterion is met, in exact integers."""
    if value is None or nadir is None:
        return ""
    percent, least = limits
    return "Y" if value - nadir >= least and 100 * value >= (100 + percent) * nadir else "N"


def _minus(value: Tenths | None, before: Tenths | None) -> Tenths | None:
    return None if value is None or before is None else value - before


def _mm(value: Tenths | None) -> float | None:
    return None if value is None else value / 10


def _percent(value: Tenths | None, before: Tenths | None) -> float | None:
    return None if value is None or not before else percent_tenths(value, before) / 10


def _responses(read: SubjectRead, study_id: str) -> Iterator[Row]:
    """ADRS: overall response by visit, best responses, responder and benefit flags, PD, death, last assessment."""
    identity = _identity(read, study_id)
    for tp in read.timepoints:
        counted = "" if tp.excluded else "Y"
        answer = _answer("OVR", "Overall Response", tp.overall.value, iso(tp.date), tp.rule, counted=counted)
        yield {**identity, **answer, "AVISIT": tp.timepoint}
    for best in read.bests:
        if not best.lesion and isinstance(best.response, Response):
            for answer in _best_answers(best):
                yield {**identity, **answer}
    for answer in _facts(read):
        yield {**identity, **answer}


def _best_answers(best: BestRecord) -> Iterator[dict[str, Cell]]:
    prefix, words = ("C", "Confirmed ") if best.confirmed else ("", "")
    day = "" if best.date is None else iso(best.date)
    value = best.response.value
    yield _answer(
        f"{prefix}BOR",
        f"Best Overall Response, {'Confirmed' if best.confirmed else 'Not Confirmed'}",
        value,
        day,
        best.rule,
    )
    for code, param, good in (
        ("RSP", "Response", _RESPONDERS),
        ("CB", "Clinical Benefit", _BENEFIT),
    ):
        met = value in good
        yield _flag(f"{prefix}{code}", f"{words}{param}", met, day if met else "", best.rule)


def _facts(read: SubjectRead) -> Iterator[dict[str, Cell]]:
    pd_day = "" if read.pd_date is None else iso(read.pd_date)
    yield _flag("PD", "Disease Progression", read.pd_date is not None, pd_day, "first PD")
    targets = any(r.role is LesionRole.TARGET and r.timepoint == read.baseline for r in read.assessments)
    yield _flag("MDIS", "Measurable Disease at Baseline", targets, "", "target lesions at baseline")
    last = max((tp for tp in read.timepoints), key=lambda tp: tp.date, default=None)
    if last is not None:
        yield _answer("LSTA", "Last Disease Assessment", last.overall.value, iso(last.date), last.rule)
    died = None if read.course is None else read.course.death_date
    if read.course is not None:
        yield _flag("DEATH", "Death", died is not None, "" if died is None else iso(died), "subjects table")


def _answer(code: str, param: str, value: str, day: str, rule: str, *, counted: str = "Y") -> dict[str, Cell]:
    return {
        "PARAMCD": code,
        "PARAM": param,
        "AVISIT": "",
        "AVALC": value,
        "AVAL": RANK.get(value),
        "ADT": day,
        "ANL01FL": counted,
        "PARCAT1": "RECIST 1.1",
        "RULE": rule,
    }


def _flag(code: str, param: str, met: bool, day: str, rule: str) -> dict[str, Cell]:
    return {**_answer(code, param, "Y" if met else "N", day, rule), "AVAL": int(met)}


def _lesions(read: SubjectRead, study_id: str) -> Iterator[Row]:
    """ADLRS: each lesion's response by visit, and its best; IRRADFL says which belong to the endpoint."""
    identity = _identity(read, study_id)
    for record in read.lesions:
        yield {
            **identity,
            **_lesion_key(read, record),
            **_answer("LOVR", "Lesion Response", record.response.value, iso(record.date), record.rule),
            "AVISIT": record.timepoint,
            "SIZE": _mm(record.value),
            "BASE": _mm(record.baseline),
            "PCHG": _percent(record.value, record.baseline),
            "NADIR": _mm(record.nadir),
            "PCHGNAD": _percent(record.value, record.nadir),
            "ANL01FL": "" if record.after_stop else "Y",
            "SOURCE": "ENDOSCOPY" if record.by_endoscopy else "IMAGING",
        }
    for best in read.bests:
        if best.lesion:
            code, words = ("LCBOR", "Confirmed") if best.confirmed else ("LBOR", "Not Confirmed")
            day = "" if best.date is None else iso(best.date)
            yield {
                **identity,
                **_lesion_key(read, best),
                **_answer(code, f"Best Lesion Response, {words}", best.response.value, day, best.rule),
            }


def _lesion_key(read: SubjectRead, record: LesionRecord | BestRecord) -> dict[str, Cell]:
    days = [t.date for t in read.irradiations if (t.lesion, t.cycle) == (record.lesion, record.cycle)]
    return {
        "LNKID": link_id(read, record.lesion),
        "LESION": record.lesion,
        "IRRADFL": "Y" if record.irradiated else "N",
        "CYCLE": record.cycle,
        "IRRADDT": iso(min(days)) if days else "",
    }


def _times(read: SubjectRead, study_id: str, sources: Sources) -> Iterator[Row]:
    """ADTTE: PFS, durations of response, progression of each lesion, overall survival; CNSR 0 is the event."""
    identity = _identity(read, study_id)
    for record in read.durations:
        if record.duration.days is not None:
            yield {**identity, **_time(read, record, study_id, sources)}
    survival = _survival(read)
    if survival is not None:
        yield {**identity, **survival}


def _time(read: SubjectRead, record: DurationRecord, study_id: str, sources: Sources) -> dict[str, Cell]:
    duration = record.duration
    end = "" if duration.end is None else iso(duration.end)
    link = link_id(read, record.lesion) if record.lesion else ""
    who = (usubjid(study_id, read.subject), read.evaluator.role, read.evaluator.identifier)
    source = None if duration.reason == "death" else sources.get((*who, link, end))
    return {
        "PARAMCD": record.code,
        "PARAM": _DURATIONS[record.code],
        "LNKID": link,
        "STARTDT": "" if duration.start is None else iso(duration.start),
        "ADT": end,
        "AVAL": duration.days,
        "CNSR": 0 if duration.event else 1,
        "EVNTDESC": duration.reason if duration.event else "",
        "CNSDTDSC": "" if duration.event else duration.reason,
        "SRCDOM": "" if source is None else "RS",
        "SRCVAR": "" if source is None else "RSDTC",
        "SRCSEQ": source,
    }


def _survival(read: SubjectRead) -> dict[str, Cell] | None:
    """Overall survival: from the first treatment to death, else to the last contact, neither after the cut-off."""
    course, start = read.course, read.reference_start
    if course is None or start is None:
        return None
    cutoff = course.cutoff
    died = course.death_date is not None and (cutoff is None or course.death_date <= cutoff)
    end = course.death_date if died else course.last_contact
    if not died and end is None:
        return None
    assert end is not None
    if cutoff is not None and end > cutoff:
        end = cutoff
    return {
        "PARAMCD": "OS",
        "PARAM": "Overall Survival (days)",
        "LNKID": "",
        "STARTDT": iso(start),
        "ADT": iso(end),
        "AVAL": study_day(end, start),
        "CNSR": 0 if died else 1,
        "EVNTDESC": "death" if died else "",
        "CNSDTDSC": "" if died else "last contact",
        "SRCDOM": "",
        "SRCVAR": "",
        "SRCSEQ": None,
    }
