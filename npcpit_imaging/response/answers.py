"""Results as plain rows for JSON and CSV, by the names users know (docs/respond.md); lengths in mm."""

from collections.abc import Sequence
from datetime import date
from typing import TypeAlias

from npcpit_imaging.response.result import LesionResponse, LesionTimepoint, SubjectResponse, TimepointResponse
from npcpit_imaging.response.sums import change_permille
from npcpit_imaging.study.assessment import Tenths
from npcpit_imaging.study.lesion import FieldPosition
from npcpit_imaging.study.response import ClinicalBenefit, Duration, Response, RuleFired

Cell: TypeAlias = "str | int | float | bool | list[Cell] | dict[str, Cell] | None"
Answer: TypeAlias = dict[str, Cell]


def timepoint_answers(subject: SubjectResponse) -> list[Answer]:
    """Give one row per follow-up."""
    return [_timepoint(subject, tp) for tp in subject.timepoints]


def lesion_answers(subject: SubjectResponse) -> list[Answer]:
    """Give one row per lesion (and cycle, where irradiated), with its responses inside."""
    return [_lesion(subject, lesion) for lesion in subject.lesions]


def subject_answer(subject: SubjectResponse) -> Answer:
    """Give the one row of a subject and reader."""
    immune = subject.immune_bor
    return {
        "subject": subject.subject,
        "reader": subject.reader,
        "bor": subject.bor.response.value,
        "bor_date": _day(subject.bor.date),
        "bor_rule": subject.bor.rule.text,
        "confirmed_bor": subject.confirmed_bor.response.value,
        "confirmed_bor_date": _day(subject.confirmed_bor.date),
        "confirmed_bor_rule": subject.confirmed_bor.rule.text,
        "clinical_benefit": benefit_word(subject.benefit),
        "clinical_benefit_date": _day(subject.benefit.date),
        "clinical_benefit_rule": subject.benefit.rule.text,
        "pd_date": _day(subject.pd_date),
        **_duration("dor", subject.dor),
        **_duration("confirmed_dor", subject.confirmed_dor),
        **_duration("pfs", subject.pfs),
        "new_out_of_field_date": _day(subject.new_out_of_field_date),
        "irecist_bor": None if immune is None else immune.value,
        "irecist_pd_date": _day(subject.immune_pd_date),
        "for_analysis": subject.for_analysis,
    }


def benefit_word(found: ClinicalBenefit) -> str:
    """Write a clinical benefit as Y, N or NA."""
    if found.benefit is None:
        return "NA"
    return "Y" if found.benefit else "N"


def finding_answers(subject: SubjectResponse) -> list[Answer]:
    """Give one row per finding, edit checks included."""
    return [
        {
            "subject": subject.subject,
            "reader": subject.reader,
            "code": finding.code,
            "severity": finding.severity.value,
            "text": finding.text,
        }
        for finding in subject.findings
    ]


def flat_lesions(rows: Sequence[Answer]) -> list[Answer]:
    """Spread lesions over their time points, one row each; a lesion without any keeps one row."""
    flat: list[Answer] = []
    for row in rows:
        responses = row["responses"]
        shared = {name: cell for name, cell in row.items() if name != "responses"}
        inside = (
            [response for response in responses if isinstance(response, dict)] if isinstance(responses, list) else []
        )
        flat += [{**shared, **response} for response in inside] or [shared]
    return flat


def _timepoint(subject: SubjectResponse, tp: TimepointResponse) -> Answer:
    nadir = None if tp.nadir is None else tp.nadir.total
    total = tp.total if tp.complete or tp.target_raw is Response.PD else None  # a part is no smaller sum
    return {
        "subject": subject.subject,
        "reader": subject.reader,
        "timepoint": tp.timepoint,
        "date": tp.date.isoformat(),
        "target": tp.target.value,
        "target_raw": tp.target_raw.value,
        "non_target": tp.non_target.value,
        "new": tp.new.indicator.value,
        "overall": tp.overall.value,
        "overall_raw": tp.overall_raw.value,
        "sum_mm": _mm(total),
        "sum_complete": tp.complete,
        "sum_assessed_mm": _mm(tp.total),
        "baseline_mm": _mm(tp.baseline),
        "nadir_mm": _mm(nadir),
        "nadir_at": None if tp.nadir is None else tp.nadir.at,
        "change_percent": _percent(total, tp.baseline),
        "change_nadir_percent": _percent(total, nadir),
        "change_nadir_mm": None if total is None or nadir is None else _mm(total - nadir),
        "rule": tp.rule.text,
        "fired": _fired(tp.rule),
        "target_rule": tp.target_rule.text,
        "non_target_rule": tp.non_target_rule.text,
        **_new(tp),
        "irradiated_sum_mm": _mm(tp.irradiated.total),
        "irradiated_response": tp.irradiated.response.value,
        "not_irradiated_sum_mm": _mm(tp.not_irradiated.total),
        "not_irradiated_response": tp.not_irradiated.response.value,
        "after_pd": tp.after_pd,
        "excluded": tp.excluded,
        "too_early": tp.too_early,
        "in_spider": tp.in_spider,
        "irecist": None if tp.immune is None else tp.immune.response.value,
        "irecist_rule": None if tp.immune is None else tp.immune.rule.text,
    }


def _new(tp: TimepointResponse) -> Answer:
    fields = {
        f"new_{position.value}_field": [s.lesion for s in tp.new.certain if s.field is position]
        for position in FieldPosition
    }
    lesions: list[Cell] = [sighting.lesion for sighting in tp.new.sightings]
    return {
        "new_lesions": lesions,
        **{name: list(names) for name, names in fields.items()},
        "retro_dated_by": tp.retro_dated_by or None,
    }


def _lesion(subject: SubjectResponse, lesion: LesionResponse) -> Answer:
    return {
        "subject": subject.subject,
        "reader": subject.reader,
        "lesion": lesion.lesion,
        "irradiated": lesion.irradiated,
        "cycle": lesion.cycle,
        "irradiated_on": _day(lesion.irradiated_on),
        "baseline_at": lesion.baseline_at or None,
        "baseline_mm": _mm(lesion.baseline),
        "measurable": lesion.measurable,
        "measurable_reason": lesion.measurable_reason,
        "best": lesion.best.response.value,
        "best_date": _day(lesion.best.date),
        "confirmed_best": lesion.confirmed.response.value,
        "confirmed_best_date": _day(lesion.confirmed.date),
        **_duration("to_progression", lesion.to_progression),
        "merged_into": lesion.merged_into or None,
        "split_into": list(lesion.split_into),
        "reason": lesion.reason or None,
        "responses": [_lesion_timepoint(tp) for tp in lesion.timepoints],
    }


def _lesion_timepoint(tp: LesionTimepoint) -> Answer:
    return {
        "timepoint": tp.timepoint,
        "date": tp.date.isoformat(),
        "response": tp.response.value,
        "value_mm": _mm(tp.value),
        "nadir_mm": _mm(tp.nadir),
        "source": tp.source,
        "rule": tp.rule.text,
        "after_stop": tp.after_stop,
        "too_early": tp.too_early,
    }


def _fired(rule: RuleFired) -> Answer:
    return {"rule": rule.rule, "clause": rule.clause, "numbers": dict(rule.numbers)}


def _duration(name: str, duration: Duration) -> Answer:
    return {
        f"{name}_days": duration.days,
        f"{name}_event": duration.event if duration.days is not None else None,
        f"{name}_start": _day(duration.start),
        f"{name}_end": _day(duration.end),
        f"{name}_reason": duration.reason,
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _mm(length: Tenths | None) -> float | None:
    return None if length is None else length / 10


def _percent(now: Tenths | None, before: Tenths | None) -> float | None:
    permille = None if now is None or before is None else change_permille(now, before)
    return None if permille is None else permille / 10
