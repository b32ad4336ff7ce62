"""RECIST 1.1 from one subject's records to every answer, one result per reader (Eisenhauer 2009; recist.md 1)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from npcpit_imaging.config.protocol import AfterPd, NewTherapyRule, Protocol, SdWindowRef
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.response.best_response import (
    DatedResponse,
    best_response,
    clinical_benefit,
    confirmed_best_response,
    first_confirmed,
    first_response,
)
from npcpit_imaging.response.chart import Chart, draw_chart
from npcpit_imaging.response.checking import Case
from npcpit_imaging.response.durations import duration_of_response, progression_free_survival
from npcpit_imaging.response.edit_checks import edit_checks
from npcpit_imaging.response.irecist import immune_best_response, immune_pd_date, immune_responses
from npcpit_imaging.response.lesion_response import lesion_responses
from npcpit_imaging.response.reading import read_timepoints
from npcpit_imaging.response.result import SubjectResponse, TimepointResponse
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import Evaluator, FieldPosition
from npcpit_imaging.study.response import ImmuneResponse, Response

__all__ = ["Case", "respond_case", "sd_reference"]


def respond_case(case: Case, *, protocol: Protocol) -> tuple[SubjectResponse, ...]:
    """Compute every response of one subject, separately for each reader.

    Args:
        case: The subject's records; neither their order nor that of lesions or readers matters.
        protocol: The study's decisions.

    Returns:
        One result per reader, in the readers' alphabetical order.

    Raises:
        ResponseError: Records that contradict each other; the message names the time point and the lesion.
    """
    by_reader: dict[str, list[Assessment]] = {}
    for record in _before_cutoff(case):
        by_reader.setdefault(record.reader, []).append(record)
    charts = [draw_chart(by_reader[reader]) for reader in sorted(by_reader)]
    _check_one_baseline(charts)
    return tuple(_respond_reader(chart, case, protocol) for chart in charts)


def _check_one_baseline(charts: Sequence[Chart]) -> None:
    """Refuse readers of different baselines: a reader's first follow-up must not pass for one."""
    names = {chart.baseline.name: chart.reader for chart in charts}
    if len(names) > 1:
        found = ", ".join(f"{name} of reader {reader or '(empty)'}" for name, reader in sorted(names.items()))
        raise ResponseError(f"expected every reader to begin at the same time point, found {found}")


def _before_cutoff(case: Case) -> Iterable[Assessment]:
    cutoff = None if case.course is None else case.course.cutoff
    kept = [record for record in case.records if cutoff is None or record.date <= cutoff]
    if not kept:
        raise ResponseError(f"no record on or before the cut-off {cutoff}")
    return kept


def _respond_reader(chart: Chart, case: Case, protocol: Protocol) -> SubjectResponse:
    timepoints = read_timepoints(chart, protocol=protocol, irradiations=case.irradiations, treated_on=case.treated_on)
    on_study = (tp for tp in timepoints if not _before_treatment(tp, case))
    pd_date = next((tp.date for tp in on_study if tp.overall_raw is Response.PD), None)
    timepoints = tuple(_placed(tp, case, protocol, pd_date) for tp in timepoints)
    if protocol.irecist:
        immune = immune_responses(chart, timepoints, protocol=protocol)
        timepoints = tuple(replace(tp, immune=own) for tp, own in zip(timepoints, immune, strict=True))
    return _summary(chart, timepoints, case, protocol, pd_date)


def _for_analysis(chart: Chart, protocol: Protocol) -> bool | None:
    """Say whether the analysis takes this reader; None when no row says whose read it is."""
    found = {row.evaluator for visit in chart.visits for row in visit.by_lesion.values()} - {None}
    if len(found) > 1:
        raise ResponseError(
            f"reader {chart.reader}: expected one evaluator, found {', '.join(sorted(map(str, found)))}"
        )
    return found.pop() == Evaluator(protocol.reader_for_analysis) if found else None


def _placed(tp: TimepointResponse, case: Case, protocol: Protocol, pd_date: date | None) -> TimepointResponse:
    """Mark a time point before treatment, after the first PD or after the start of another therapy."""
    if _before_treatment(tp, case):
        return replace(tp, excluded=f"before treatment began on {case.treatment_start}")
    after_pd = pd_date is not None and tp.date > pd_date
    if after_pd:
        in_spider = protocol.after_pd is AfterPd.INCLUDE_FOR_SPIDER
        return replace(tp, after_pd=True, excluded=f"after the first PD on {pd_date}", in_spider=in_spider)
    if _after_therapy(tp, case, protocol):
        return replace(tp, excluded="after the start of another anticancer therapy")
    return tp


def _before_treatment(tp: TimepointResponse, case: Case) -> bool:
    start = case.treatment_start
    return start is not None and tp.date < start


def _after_therapy(tp: TimepointResponse, case: Case, protocol: Protocol) -> bool:
    therapy = None if case.course is None else case.course.new_therapy_date
    stops = protocol.new_therapy_rule is NewTherapyRule.STOP_BOR
    return stops and therapy is not None and tp.first_date > therapy


def _summary(
    chart: Chart,
    timepoints: Sequence[TimepointResponse],
    case: Case,
    protocol: Protocol,
    pd_date: date | None,
) -> SubjectResponse:
    counted = [_dated(tp) for tp in timepoints if not tp.excluded]
    every = [_dated(tp) for tp in timepoints if not tp.after_pd]
    reference = sd_reference(chart, case, protocol)
    lesions = lesion_responses(
        chart,
        irradiations=case.irradiations,
        treatment_start=case.treatment_start,
        protocol=protocol,
        patient_pd=pd_date,
    )
    start = first_response(counted)
    confirmed = first_confirmed(counted, protocol=protocol)
    answer = SubjectResponse(
        subject=chart.subject,
        reader=chart.reader,
        timepoints=tuple(timepoints),
        lesions=lesions,
        bor=best_response(counted, protocol=protocol, reference=reference),
        confirmed_bor=confirmed_best_response(counted, protocol=protocol, reference=reference),
        pd_date=pd_date,
        dor=duration_of_response(every, start=start, pd_date=pd_date, course=case.course, protocol=protocol),
        confirmed_dor=duration_of_response(
            every, start=confirmed, pd_date=pd_date, course=case.course, protocol=protocol
        ),
        pfs=progression_free_survival(
            every, start=case.treatment_start, pd_date=pd_date, course=case.course, protocol=protocol
        ),
        new_out_of_field_date=_out_of_field(timepoints),
        immune_bor=_immune_bor(timepoints, case, protocol) if protocol.irecist else None,
        immune_pd_date=immune_pd_date(timepoints) if protocol.irecist else None,
        findings=(),
        benefit=clinical_benefit(counted, protocol=protocol, reference=reference),
        for_analysis=_for_analysis(chart, protocol),
    )
    return replace(answer, findings=edit_checks(chart, answer, case, protocol=protocol))


def sd_reference(chart: Chart, case: Case, protocol: Protocol) -> date | None:
    """Give the day from which the minimum duration of SD runs; None when it is not known."""
    if protocol.sd_window_ref is SdWindowRef.BASELINE:
        return chart.baseline.first_date
    if protocol.sd_window_ref is SdWindowRef.RANDOMISATION:
        return None if case.course is None else case.course.randomisation
    return case.treatment_start


def _dated(tp: TimepointResponse) -> DatedResponse:
    return DatedResponse(date=tp.date, response=tp.overall_raw, early=tp.too_early)


def _out_of_field(timepoints: Sequence[TimepointResponse]) -> date | None:
    days = [s.date for tp in timepoints for s in tp.new.certain if s.field is FieldPosition.OUT]
    return min(days, default=None)


def _immune_bor(timepoints: Sequence[TimepointResponse], case: Case, protocol: Protocol) -> ImmuneResponse:
    """Best iRECIST response; RECIST's first PD does not end its window."""
    counted = (tp for tp in timepoints if not (_before_treatment(tp, case) or _after_therapy(tp, case, protocol)))
    return immune_best_response([tp.immune.response for tp in counted if tp.immune is not None])
