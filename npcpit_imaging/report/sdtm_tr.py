"""TR rows: sizes and states of lesions, and sums of the targets, by visit (SDTMIG 3.4, TR; recist.md 1.3, 3.2)."""

from collections.abc import Iterable, Mapping

from npcpit_imaging.config.protocol import Protocol, RemovedPolicy
from npcpit_imaging.report.sdtm_draft import (
    Draft,
    Study,
    draft,
    group_of,
    is_before_treatment,
    link_group,
    link_id,
    number_text,
)
from npcpit_imaging.report.sdtm_records import SubjectRead, SumRecord
from npcpit_imaging.report.sdtm_rows import Cell
from npcpit_imaging.report.sdtm_terms import NOT_DONE, TOO_SMALL, TR_TESTS, TUMOR_MERGED, method
from npcpit_imaging.study.assessment import Assessment, Tenths, mm_text
from npcpit_imaging.study.lesion import LesionRole, LesionState

_STATES = {
    LesionState.ABSENT: ("ABSENT", "ABSENT"),
    LesionState.PRESENT: ("PRESENT", "PRESENT"),
    LesionState.INCREASED: ("INCREASED", "INCREASED"),
    LesionState.UNEQUIVOCAL_PD: ("UNEQUIVOCAL PROGRESSION", "UNEQUIVOCAL"),
    LesionState.EQUIVOCAL: ("EQUIVOCAL", "EQUIVOCAL"),
    LesionState.UNEQUIVOCAL: ("UNEQUIVOCAL", "UNEQUIVOCAL"),
    LesionState.MERGED: (TUMOR_MERGED, TUMOR_MERGED),
}
"""TUMSTATE of a state that is a finding: TRORRES and, in C124309's words, TRSTRESC."""

_REASONS = {
    LesionState.NOT_ASSESSED: "NOT ASSESSED",
    LesionState.NOT_IMAGED: "NOT IMAGED",
    LesionState.REMOVED: "REMOVED OR TREATED OUTSIDE THE PROTOCOL",
}
"""TRREASND of a state in which nothing was found."""

_ORDER = {test: index for index, test in enumerate(TR_TESTS)}


def result_rows(read: SubjectRead, study: Study, protocol: Protocol) -> list[Draft]:
    """Give the TR rows of one reader and subject."""
    at_visit: dict[str, set[str]] = {}
    for record in read.assessments:
        at_visit.setdefault(record.timepoint, set()).add(record.lesion)
    lesions = [
        _lesion(read, study, record, test, values)
        for record in read.assessments
        for test, values in _findings(record, at_visit[record.timepoint], protocol)
    ]
    sums = [row for total in read.sums for row in _sum_rows(read, study, total)]
    return _with_baseline_flags([*lesions, *sums], read)


def _lesion(read: SubjectRead, study: Study, record: Assessment, test: str, values: Mapping[str, Cell]) -> Draft:
    slice_thickness = None if record.slice_thickness is None else mm_text(record.slice_thickness)
    return draft(
        "TR",
        read,
        study,
        timepoint=record.timepoint,
        day=record.date,
        values={
            "GRPID": group_of(record),
            "LNKID": link_id(read, record.lesion),
            "LNKGRP": link_group(read.evaluator, study.visits[record.timepoint]),
            "TESTCD": test,
            "TEST": TR_TESTS[test],
            "METHOD": method(record.method),
            "LOBXFL": "",
            **values,
        },
        qualifiers={"SLICTHK": slice_thickness},
        order=(0, record.lesion, _ORDER[test]),
    )


def _findings(record: Assessment, at_visit: set[str], protocol: Protocol) -> Iterable[tuple[str, dict[str, Cell]]]:
    """Give each test of one lesion at one visit with its results."""
    size_test = "LPERP" if record.nodal else "LDIAM"
    match record.state:
        case LesionState.MEASURED:
            yield from _measured(record, protocol)
        case LesionState.TOO_SMALL:
            yield size_test, _worded(TOO_SMALL, protocol.tstm_default_mm * 10)
        case LesionState.NOT_ASSESSED | LesionState.NOT_IMAGED | LesionState.REMOVED:
            yield _not_seen(record, size_test, protocol)
        case LesionState.DISPROVED:
            yield "NEWCONF", _text("N", "N")
        case LesionState.MERGED:
            yield "TUMSTATE", _text(*_STATES[record.state])
            yield from _merged(record, size_test, at_visit)
        case _:
            yield "TUMSTATE", _text(*_STATES[record.state])
            if record.role is LesionRole.TARGET:
                yield size_test, _size_of_state(record)


def _measured(record: Assessment, protocol: Protocol) -> Iterable[tuple[str, dict[str, Cell]]]:
    if record.longest_diameter is not None:
        yield "LDIAM", _millimetres(record.longest_diameter)
    if record.short_axis is not None:
        yield "LPERP", _millimetres(record.short_axis)
    if record.nodal and record.short_axis is not None:
        normal = record.short_axis < protocol.normal_short_axis_mm * 10
        state = "NON-PATHOLOGICAL" if normal else "PATHOLOGICAL"
        yield "LNSTATE", _text(state, state)


def _not_seen(record: Assessment, size_test: str, protocol: Protocol) -> tuple[str, dict[str, Cell]]:
    """Give what was not done: the size of a target, the state of anything else."""
    as_zero = record.state is LesionState.REMOVED and protocol.removed_policy is RemovedPolicy.ZERO
    if record.role is LesionRole.TARGET and as_zero:
        return size_test, _worded(_REASONS[record.state], 0)
    test = size_test if record.role is LesionRole.TARGET else "TUMSTATE"
    return test, _not_done(_REASONS[record.state])


def _merged(record: Assessment, size_test: str, at_visit: set[str]) -> Iterable[tuple[str, dict[str, Cell]]]:
    """Give a merged target 0 mm, but only where its partner, which has the whole diameter, was read."""
    if record.role is not LesionRole.TARGET:
        return
    if record.parent_lesion in at_visit:
        yield size_test, _worded(TUMOR_MERGED, 0)
    else:
        yield size_test, _not_done(f"MERGED INTO {record.parent_lesion}, WHICH WAS NOT ASSESSED")


def _size_of_state(record: Assessment) -> dict[str, Cell]:
    if record.state is LesionState.ABSENT:
        return _millimetres(0)
    return _not_done(f"STATE GIVEN INSTEAD OF A DIAMETER: {_STATES[record.state][0]}")


def _millimetres(size: Tenths) -> dict[str, Cell]:
    return {**_number(size, "mm"), "ORRES": mm_text(size) if size else "0", "ORRESU": "mm"}


def _worded(words: str, size: Tenths) -> dict[str, Cell]:
    """Give words whose standard result is a number: the words have no unit."""
    return {**_number(size, "mm"), "ORRES": words, "ORRESU": ""}


def _number(value: Tenths, unit: str) -> dict[str, Cell]:
    return {"STRESC": number_text(value), "STRESN": value / 10, "STRESU": unit}


def _text(original: str, standard: str) -> dict[str, Cell]:
    return {"ORRES": original, "ORRESU": "", "STRESC": standard, "STRESN": None, "STRESU": ""}


def _not_done(reason: str) -> dict[str, Cell]:
    return {**_text("", ""), "STAT": NOT_DONE, "REASND": reason}


def _sum_rows(read: SubjectRead, study: Study, record: SumRecord) -> list[Draft]:
    """Give the sum of the targets and its changes; where a target has no value there is no sum, and no change."""
    if record.total is None:
        reason = f"{record.assessed} OF {record.expected} TARGET LESIONS HAVE A VALUE"
        return [_sum_row(read, study, record, "SUMDIAM", _not_done(reason))]
    rows = [_sum_row(read, study, record, "SUMDIAM", _millimetres(record.total))]
    baseline = next((each.total for each in read.sums if each.timepoint == read.baseline), None)
    if record.timepoint == read.baseline:
        return rows
    if baseline:
        rows.append(_sum_row(read, study, record, "PCBSD", _percent(record.total, baseline)))
    if record.nadir:
        rows.append(_sum_row(read, study, record, "PCNSD", _percent(record.total, record.nadir)))
    if record.nadir is not None:
        rows.append(_sum_row(read, study, record, "ACNSD", _millimetres(record.total - record.nadir)))
    return rows


def _sum_row(read: SubjectRead, study: Study, record: SumRecord, test: str, values: Mapping[str, Cell]) -> Draft:
    return draft(
        "TR",
        read,
        study,
        timepoint=record.timepoint,
        day=record.date,
        values={
            "GRPID": LesionRole.TARGET.value,
            "LNKGRP": link_group(read.evaluator, study.visits[record.timepoint]),
            "TESTCD": test,
            "TEST": TR_TESTS[test],
            "LOBXFL": "",
            **values,
        },
        order=(1, "", _ORDER[test]),
    )


def percent_tenths(now: Tenths, before: Tenths) -> int:
    """Give a change in tenths of a percent, rounded half away from zero.

    Example:
        >>> percent_tenths(340, 501), percent_tenths(413, 340)
        (-321, 215)
    """
    change = now - before
    size = (2000 * abs(change) + before) // (2 * before)
    return size if change >= 0 else -size


def _percent(now: Tenths, before: Tenths) -> dict[str, Cell]:
    change = percent_tenths(now, before)
    return {**_number(change, "%"), "ORRES": number_text(change), "ORRESU": "%"}


def _with_baseline_flags(rows: list[Draft], read: SubjectRead) -> list[Draft]:
    """Flag the last finding of each lesion and test before the first treatment."""
    last: dict[tuple[Cell, Cell], Draft] = {}
    done = (row for row in rows if row.values["TRSTAT"] != NOT_DONE)
    before = [row for row in done if is_before_treatment(row.values, "TR", read)]
    for row in sorted(before, key=lambda each: (str(each.values["TRDTC"]), each.order)):
        last[row.values["TRLNKID"], row.values["TRTESTCD"]] = row
    for row in last.values():
        row.values["TRLOBXFL"] = "Y"
    return rows
