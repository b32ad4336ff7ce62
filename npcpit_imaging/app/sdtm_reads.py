"""From a subject's case and the engine's answers to the plain records an SDTM export is made from."""

from collections.abc import Mapping, Sequence
from datetime import date

from npcpit_imaging.app.stored_reads import Said, said_now
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.report.sdtm_records import Evaluator, SubjectRead, SumRecord
from npcpit_imaging.response.chart import Chart, Visit, draw_chart
from npcpit_imaging.response.checking import Case
from npcpit_imaging.response.engine import respond_case
from npcpit_imaging.response.sums import sum_of_diameters
from npcpit_imaging.study.assessment import Assessment, Tenths
from npcpit_imaging.study.lesion import Lesion


def subject_reads(
    case: Case,
    *,
    protocol: Protocol,
    evaluators: Mapping[str, Evaluator],
    lesions: Mapping[str, Lesion] | None = None,
    accepted: str | None = None,
    said: Sequence[Said] = (),
) -> list[SubjectRead]:
    """Give a subject's records with its responses, one per reader.

    Args:
        case: The subject's records.
        protocol: The study's decisions.
        evaluators: Who each reader is in CDISC's words.
        lesions: The subject's lesions by name, where a store knows more of them than a table does.
        accepted: The reader whose reads an adjudicator chose; None when nobody decided.
        said: What these very records came to, where it is known; computed otherwise.

    Raises:
        ResponseError: The records contradict each other.
    """
    every = said or [said_now(answer) for answer in respond_case(case, protocol=protocol)]
    return [
        _read(case, each, protocol, evaluators[each.reader], lesions or {}, accepted=each.reader == accepted)
        for each in every
    ]


def _read(
    case: Case,
    said: Said,
    protocol: Protocol,
    evaluator: Evaluator,
    lesions: Mapping[str, Lesion],
    *,
    accepted: bool,
) -> SubjectRead:
    records = _counted(case, said.reader)
    chart = draw_chart(records)
    return SubjectRead(
        subject=chart.subject,
        evaluator=evaluator,
        baseline=chart.baseline.name,
        reference_start=case.treatment_start,
        assessments=records,
        irradiations=case.irradiations,
        sums=_sums(chart, said, protocol),
        timepoints=said.timepoints,
        lesions=said.lesions,
        bests=said.bests,
        durations=said.durations,
        pd_date=said.pd_date,
        course=case.course,
        tracking_uids={name: lesion.tracking_uid for name, lesion in lesions.items()},
        locations={name: lesion.location for name, lesion in lesions.items()},
        accepted=accepted,
    )


def _counted(case: Case, reader: str) -> tuple[Assessment, ...]:
    """Give the records the engine used: one reader's, not after the cut-off."""
    cutoff = None if case.course is None else case.course.cutoff
    return tuple(r for r in case.records if r.reader == reader and (cutoff is None or r.date <= cutoff))


def _sums(chart: Chart, said: Said, protocol: Protocol) -> tuple[SumRecord, ...]:
    if not chart.targets:
        return ()
    days = {tp.timepoint: tp.date for tp in said.timepoints}
    return tuple(
        _sum(chart, visit, protocol, day=days.get(visit.name), nadir=said.nadirs.get(visit.name))
        for visit in chart.visits
    )


def _sum(chart: Chart, visit: Visit, protocol: Protocol, *, day: date | None, nadir: Tenths | None) -> SumRecord:
    total = sum_of_diameters(chart, visit, chart.targets, protocol)
    return SumRecord(
        timepoint=visit.name,
        date=visit.last_date if day is None else day,
        total=total.total if total.complete else None,
        nadir=nadir,
        expected=len(chart.targets),
        assessed=len(chart.targets) - len(total.missing),
    )
