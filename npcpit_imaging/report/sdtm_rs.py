"""RS rows: responses by visit, irradiated lesion and endoscopy, and best responses (SDTMIG 3.4, RS; recist.md 3.2)."""

from datetime import date

from npcpit_imaging.report.sdtm_draft import Draft, Study, draft, link_group, link_id
from npcpit_imaging.report.sdtm_records import BestRecord, LesionRecord, SubjectRead, TimepointRecord
from npcpit_imaging.report.sdtm_rows import Cell
from npcpit_imaging.report.sdtm_terms import (
    ENDOSCOPY,
    IRECIST,
    NOT_DONE,
    PROTOCOL_DEFINED,
    RECIST,
    RS_EXTENSIONS,
    RS_TESTS,
)
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import EndoscopyState
from npcpit_imaging.study.response import ImmuneResponse, NewLesion, Response

CONFIRMED, UNCONFIRMED = "CONFIRMED", "UNCONFIRMED"
"""RSSCAT of a best response."""

_TESTS = {**RS_TESTS, **RS_EXTENSIONS}
_ORDER = {test: index for index, test in enumerate(_TESTS)}
_NONE = frozenset({"NA", "MISSING", "ND"})
"""Words for "there is no answer": not results, so not done, with the reason."""

_ENDOSCOPY = {
    EndoscopyState.CR: "CR",
    EndoscopyState.NON_CR_NON_PD: "NON-CR/NON-PD",
    EndoscopyState.PD: "PD",
    EndoscopyState.NE: "NE",
}


def response_rows(read: SubjectRead, study: Study) -> list[Draft]:
    """Give the RS rows of one reader and subject.

    A lesion that was treated and never read has no row: TU does not identify it (ADLRS keeps it, as not evaluable).
    """
    known = {record.lesion for record in read.assessments} | {""}
    rows = [row for record in read.timepoints for row in _timepoint(read, study, record)]
    rows += [_lesion(read, study, record) for record in read.lesions if record.lesion in known]
    rows += [_endoscopy(read, study, record) for record in read.assessments if record.endoscopy is not None]
    return rows + [_best(read, study, record) for record in read.bests if record.lesion in known]


def _timepoint(read: SubjectRead, study: Study, tp: TimepointRecord) -> list[Draft]:
    notes = {
        "EXCLUDED": tp.excluded,
        "TOOEARLY": "Y" if tp.too_early else "",
        "RETRODAT": tp.retro_dated_by,
    }
    found: list[tuple[str, str, Response | NewLesion | ImmuneResponse, str]] = [
        ("TRGRESP", RECIST, tp.target, tp.target_rule),
        ("NTRGRESP", RECIST, tp.non_target, tp.non_target_rule),
        ("NEWLIND", RECIST, tp.new, ""),
        ("OVRLRESP", RECIST, tp.overall, tp.rule),
    ]
    if tp.immune is not None:
        found.append(("OVRLRESP", IRECIST, tp.immune, tp.immune_rule))
    return [
        _row(
            read,
            study,
            timepoint=tp.timepoint,
            day=tp.date,
            test=test,
            values={"CAT": category, "DRVFL": "Y", **_result(response, rule)},
            qualifiers={**_why(response, rule), **(notes if test == "OVRLRESP" else {})},
        )
        for test, category, response, rule in found
        if test == "OVRLRESP" or response is not Response.NA
    ]


def _lesion(read: SubjectRead, study: Study, record: LesionRecord) -> Draft:
    """Give one lesion's response; where endoscopy decided it, it is not RECIST's but the protocol's own."""
    return _row(
        read,
        study,
        timepoint=record.timepoint,
        day=record.date,
        test="LESRESP",
        lesion=record.lesion,
        values={
            "CAT": PROTOCOL_DEFINED if record.by_endoscopy else RECIST,
            "SCAT": _cycle(record.cycle),
            "METHOD": ENDOSCOPY if record.by_endoscopy else "",
            "DRVFL": "Y",
            **_result(record.response, record.rule),
        },
        qualifiers={
            "IRRADFL": "Y" if record.irradiated else "N",
            "CYCLE": _number(record.cycle),
            **_why(record.response, record.rule),
            "EXCLUDED": "after what ended the follow-up of the lesion" if record.after_stop else "",
            "TOOEARLY": "Y" if record.too_early else "",
        },
    )


def _endoscopy(read: SubjectRead, study: Study, record: Assessment) -> Draft:
    assert record.endoscopy is not None
    return _row(
        read,
        study,
        timepoint=record.timepoint,
        day=record.date,
        test="ENDORESP",
        lesion=record.lesion,
        values={
            "CAT": PROTOCOL_DEFINED,
            "ORRES": record.endoscopy.value,
            "STRESC": _ENDOSCOPY[record.endoscopy],
            "METHOD": ENDOSCOPY,
        },
        qualifiers={},
    )


def _best(read: SubjectRead, study: Study, record: BestRecord) -> Draft:
    confirmation = CONFIRMED if record.confirmed else UNCONFIRMED
    immune = isinstance(record.response, ImmuneResponse)
    return _row(
        read,
        study,
        timepoint="",
        day=record.date,
        test="LESBEST" if record.lesion else "BESTRESP",
        lesion=record.lesion,
        values={
            "CAT": IRECIST if immune else RECIST,
            "SCAT": f"{confirmation} {_cycle(record.cycle)}".strip(),
            "DRVFL": "Y",
            **_result(record.response, record.rule),
        },
        qualifiers={
            **({"IRRADFL": "Y" if record.irradiated else "N", "CYCLE": _number(record.cycle)} if record.lesion else {}),
            **_why(record.response, record.rule),
        },
    )


def _cycle(cycle: int | None) -> str:
    return "" if cycle is None else f"CYCLE {cycle}"


def _number(cycle: int | None) -> str:
    return "" if cycle is None else str(cycle)


def _row(
    read: SubjectRead,
    study: Study,
    *,
    timepoint: str,
    day: date | None,
    test: str,
    values: dict[str, Cell],
    qualifiers: dict[str, str | None],
    lesion: str = "",
) -> Draft:
    return draft(
        "RS",
        read,
        study,
        timepoint=timepoint,
        day=day,
        values={
            "LNKID": link_id(read, lesion) if lesion else "",
            "LNKGRP": link_group(read.evaluator, study.visits[timepoint]) if timepoint else "",
            "TESTCD": test,
            "TEST": _TESTS[test],
            **values,
        },
        qualifiers=qualifiers,
        order=(_ORDER[test], lesion, str(values["CAT"]), str(values.get("SCAT") or "")),
    )


def _result(response: Response | NewLesion | ImmuneResponse, rule: str) -> dict[str, Cell]:
    """Give the result; not evaluable is a result (RSORRES NE), no answer at all is not done."""
    if response.value in _NONE:
        reason = rule[:200].encode()[:200].decode(errors="ignore")
        return {"ORRES": "", "STRESC": "", "STAT": NOT_DONE, "REASND": reason or response.value}
    return {"ORRES": response.value, "STRESC": response.value}


def _why(response: Response | NewLesion | ImmuneResponse, rule: str) -> dict[str, str | None]:
    return {"RULE": rule, "REASNE": rule if response.value == "NE" else None}
