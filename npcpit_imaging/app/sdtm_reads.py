"""From a subject's case and the engine's answers to the plain records an SDTM export is made from."""

from collections.abc import Mapping
from dataclasses import replace

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.report.sdtm_records import (
    BestRecord,
    DurationRecord,
    Evaluator,
    LesionRecord,
    SubjectRead,
    SumRecord,
    TimepointRecord,
)
from npcpit_imaging.response.chart import Chart, Visit, draw_chart
from npcpit_imaging.response.checking import Case
from npcpit_imaging.response.engine import respond_case
from npcpit_imaging.response.lesion_timepoint import ENDOSCOPY
from npcpit_imaging.response.result import LesionResponse, SubjectResponse, TimepointResponse
from npcpit_imaging.response.sums import sum_of_diameters
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.study.response import BestResponse


def subject_reads(
    case: Case,
    *,
    protocol: Protocol,
    evaluators: Mapping[str, Evaluator],
    lesions: Mapping[str, Lesion] | None = None,
    accepted: str | None = None,
) -> list[SubjectRead]:
    """Compute a subject's responses and give its records, one per reader.

    Args:
        case: The subject's records.
        protocol: The study's decisions.
        evaluators: Who each reader is in CDISC's words.
        lesions: The subject's lesions by name, where a store knows more of them than a table does.
        accepted: The reader whose reads an adjudicator chose; None when nobody decided.

    Raises:
        ResponseError: The records contradict each other.
    """
    return [
        replace(
            _read(case, answer, protocol, evaluators[answer.reader], lesions or {}), accepted=answer.reader == accepted
        )
        for answer in respond_case(case, protocol=protocol)
    ]


def _read(
    case: Case, answer: SubjectResponse, protocol: Protocol, evaluator: Evaluator, lesions: Mapping[str, Lesion]
) -> SubjectRead:
    records = _counted(case, answer.reader)
    chart = draw_chart(records)
    return SubjectRead(
        subject=answer.subject,
        evaluator=evaluator,
        baseline=chart.baseline.name,
        reference_start=case.treatment_start,
        assessments=records,
        irradiations=case.irradiations,
        sums=_sums(chart, answer, protocol),
        timepoints=tuple(_timepoint(tp) for tp in answer.timepoints),
        lesions=tuple(record for lesion in answer.lesions for record in _lesion(lesion)),
        bests=_bests(answer),
        durations=_durations(answer),
        pd_date=answer.pd_date,
        course=case.course,
        tracking_uids={name: lesion.tracking_uid for name, lesion in lesions.items()},
        locations={name: lesion.location for name, lesion in lesions.items()},
    )


def _counted(case: Case, reader: str) -> tuple[Assessment, ...]:
    """Give the records the engine used: one reader's, not after the cut-off."""
    cutoff = None if case.course is None else case.course.cutoff
    return tuple(r for r in case.records if r.reader == reader and (cutoff is None or r.date <= cutoff))


def _sums(chart: Chart, answer: SubjectResponse, protocol: Protocol) -> tuple[SumRecord, ...]:
    if not chart.targets:
        return ()
    by_name = {tp.timepoint: tp for tp in answer.timepoints}
    return tuple(_sum(chart, visit, by_name.get(visit.name), protocol) for visit in chart.visits)


def _sum(chart: Chart, visit: Visit, tp: TimepointResponse | None, protocol: Protocol) -> SumRecord:
    total = sum_of_diameters(chart, visit, chart.targets, protocol)
    return SumRecord(
        timepoint=visit.name,
        date=visit.last_date if tp is None else tp.date,
        total=total.total if total.complete else None,
        nadir=None if tp is None or tp.nadir is None else tp.nadir.total,
        expected=len(chart.targets),
        assessed=len(chart.targets) - len(total.missing),
    )


def _timepoint(tp: TimepointResponse) -> TimepointRecord:
    return TimepointRecord(
        timepoint=tp.timepoint,
        date=tp.date,
        target=tp.target,
        non_target=tp.non_target,
        new=tp.new.indicator,
        overall=tp.overall,
        immune=None if tp.immune is None else tp.immune.response,
        target_rule=tp.target_rule.text,
        non_target_rule=tp.non_target_rule.text,
        rule=tp.rule.text,
        immune_rule="" if tp.immune is None else tp.immune.rule.text,
        excluded=tp.excluded,
        too_early=tp.too_early,
        retro_dated_by=tp.retro_dated_by,
    )


def _lesion(lesion: LesionResponse) -> list[LesionRecord]:
    return [
        LesionRecord(
            lesion=lesion.lesion,
            cycle=lesion.cycle,
            irradiated=lesion.irradiated,
            timepoint=tp.timepoint,
            date=tp.date,
            response=tp.response,
            by_endoscopy=tp.source == ENDOSCOPY,
            rule=tp.rule.text,
            value=tp.value,
            baseline=lesion.baseline,
            nadir=tp.nadir,
            after_stop=tp.after_stop,
            too_early=tp.too_early,
        )
        for tp in lesion.timepoints
    ]


def _bests(answer: SubjectResponse) -> tuple[BestRecord, ...]:
    bests = [_best(answer.bor, confirmed=False), _best(answer.confirmed_bor, confirmed=True)]
    for lesion in answer.lesions:
        bests += [
            _best(lesion.best, confirmed=False, lesion=lesion),
            _best(lesion.confirmed, confirmed=True, lesion=lesion),
        ]
    if answer.immune_bor is not None:
        immune = replace(bests[0], response=answer.immune_bor, date=None, rule="best iRECIST response up to iCPD")
        bests.append(immune)
    return tuple(bests)


def _best(best: BestResponse, *, confirmed: bool, lesion: LesionResponse | None = None) -> BestRecord:
    return BestRecord(
        response=best.response,
        confirmed=confirmed,
        date=best.date,
        rule=best.rule.text,
        lesion="" if lesion is None else lesion.lesion,
        cycle=None if lesion is None else lesion.cycle,
        irradiated=lesion is not None and lesion.irradiated,
    )


def _durations(answer: SubjectResponse) -> tuple[DurationRecord, ...]:
    return (
        DurationRecord(code="PFS", duration=answer.pfs),
        DurationRecord(code="RSD", duration=answer.dor),
        DurationRecord(code="CRSD", duration=answer.confirmed_dor),
        *(
            DurationRecord(code="TTLP", duration=lesion.to_progression, lesion=lesion.lesion)
            for lesion in answer.lesions
        ),
    )
