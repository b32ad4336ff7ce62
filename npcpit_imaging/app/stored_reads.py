"""What readers' records came to, as an SDTM export takes it: as it was computed, or as `respond` stored it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from npcpit_imaging.report.sdtm_records import BestRecord, DurationRecord, LesionRecord, TimepointRecord
from npcpit_imaging.response.lesion_timepoint import ENDOSCOPY
from npcpit_imaging.response.result import LesionResponse, SubjectResponse, TimepointResponse
from npcpit_imaging.store.bulk import StoredAnswer
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.assessment import Tenths
from npcpit_imaging.study.response import BestResponse, Duration, ImmuneResponse, NewLesion, Response

BEST_RULES = ("best_rule", "confirmed_best_rule")
"""Kept with a stored lesion's answer beside what tables show of it: the export says why a best response is one."""

IMMUNE_RULE = "best iRECIST response up to iCPD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one reader's records of one subject came to.

    Args:
        reader: The reader.
        timepoints: Responses of the follow-ups.
        nadirs: By follow-up, the smallest complete sum before it in tenths of mm; None where there is none.
        lesions: Responses of lesions.
        bests: Best responses of the subject and of lesions.
        durations: Times to events.
        pd_date: First PD; None when there is none.
    """

    reader: str
    timepoints: tuple[TimepointRecord, ...]
    nadirs: Mapping[str, Tenths | None]
    lesions: tuple[LesionRecord, ...]
    bests: tuple[BestRecord, ...]
    durations: tuple[DurationRecord, ...]
    pd_date: date | None


def best_rules(lesion: LesionResponse) -> dict[str, str]:
    """Why a lesion's best responses are what they are, to be stored with its answer."""
    return dict(zip(BEST_RULES, (lesion.best.rule.text, lesion.confirmed.rule.text), strict=True))


def said_now(answer: SubjectResponse) -> Said:
    """What the engine answers."""
    return Said(
        reader=answer.reader,
        timepoints=tuple(_timepoint(tp) for tp in answer.timepoints),
        nadirs={tp.timepoint: None if tp.nadir is None else tp.nadir.total for tp in answer.timepoints},
        lesions=tuple(record for lesion in answer.lesions for record in _lesion(lesion)),
        bests=_bests(answer),
        durations=_durations(answer),
        pd_date=answer.pd_date,
    )


def said_before(rows: Iterable[StoredAnswer]) -> tuple[Said, ...]:
    """What the engine answered when one subject's responses were stored, by reader.

    Returns:
        The same as `said_now` of the same records; nothing where an older version stored less than an export needs.
    """
    by_reader: dict[str, list[StoredAnswer]] = {}
    for row in rows:
        by_reader.setdefault(row.reader, []).append(row)
    lesions = [row.values for own in by_reader.values() for row in own if row.level == "lesion"]
    if any(name not in values for values in lesions for name in BEST_RULES):
        return ()
    return tuple(_stored(reader, own) for reader, own in sorted(by_reader.items()))


def _stored(reader: str, rows: Sequence[StoredAnswer]) -> Said:
    timepoints = [row.values for row in rows if row.level == "timepoint"]
    lesions = [row.values for row in rows if row.level == "lesion"]
    (subject,) = (row.values for row in rows if row.level == "subject")
    return Said(
        reader=reader,
        timepoints=tuple(map(_stored_timepoint, timepoints)),
        nadirs={str(values["timepoint"]): _tenths(values["nadir_mm"]) for values in timepoints},
        lesions=tuple(record for values in lesions for record in _stored_lesion(values)),
        bests=tuple(_stored_bests(subject, lesions)),
        durations=(
            *(_stored_duration(code, name, subject) for code, name in _DURATIONS),
            *(_stored_duration("TTLP", "to_progression", values, str(values["lesion"])) for values in lesions),
        ),
        pd_date=_date(subject["pd_date"]),
    )


_DURATIONS = (("PFS", "pfs"), ("RSD", "dor"), ("CRSD", "confirmed_dor"))
"""PARAMCD and the name of the stored columns."""


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


def _stored_timepoint(values: JsonObject) -> TimepointRecord:
    immune = values["irecist"]
    return TimepointRecord(
        timepoint=str(values["timepoint"]),
        date=_day(values["date"]),
        target=Response(str(values["target"])),
        non_target=Response(str(values["non_target"])),
        new=NewLesion(str(values["new"])),
        overall=Response(str(values["overall"])),
        immune=None if immune is None else ImmuneResponse(str(immune)),
        target_rule=str(values["target_rule"]),
        non_target_rule=str(values["non_target_rule"]),
        rule=str(values["rule"]),
        immune_rule=str(values["irecist_rule"] or ""),
        excluded=str(values["excluded"]),
        too_early=bool(values["too_early"]),
        retro_dated_by=str(values["retro_dated_by"] or ""),
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


def _stored_lesion(values: JsonObject) -> list[LesionRecord]:
    responses, baseline = values["responses"], _tenths(values["baseline_mm"])
    assert isinstance(responses, list), "written by lesion_answers"
    return [
        LesionRecord(
            lesion=str(values["lesion"]),
            cycle=_cycle(values),
            irradiated=bool(values["irradiated"]),
            timepoint=tp["timepoint"],
            date=_day(tp["date"]),
            response=Response(tp["response"]),
            by_endoscopy=tp["source"] == ENDOSCOPY,
            rule=tp["rule"],
            value=_tenths(tp["value_mm"]),
            baseline=baseline,
            nadir=_tenths(tp["nadir_mm"]),
            after_stop=tp["after_stop"],
            too_early=tp["too_early"],
        )
        for tp in responses
    ]


def _bests(answer: SubjectResponse) -> tuple[BestRecord, ...]:
    bests = [_best(answer.bor, confirmed=False), _best(answer.confirmed_bor, confirmed=True)]
    for lesion in answer.lesions:
        bests += [
            _best(lesion.best, confirmed=False, lesion=lesion),
            _best(lesion.confirmed, confirmed=True, lesion=lesion),
        ]
    if answer.immune_bor is not None:
        bests.append(replace(bests[0], response=answer.immune_bor, date=None, rule=IMMUNE_RULE))
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


def _stored_bests(subject: JsonObject, lesions: Iterable[JsonObject]) -> list[BestRecord]:
    bests = [_stored_best(subject, "bor"), _stored_best(subject, "confirmed_bor")]
    for values in lesions:
        bests += [
            replace(
                _stored_best(values, name),
                lesion=str(values["lesion"]),
                cycle=_cycle(values),
                irradiated=bool(values["irradiated"]),
            )
            for name in ("best", "confirmed_best")
        ]
    immune = subject["irecist_bor"]
    if immune is not None:
        bests.append(replace(bests[0], response=ImmuneResponse(str(immune)), date=None, rule=IMMUNE_RULE))
    return bests


def _stored_best(values: JsonObject, name: str) -> BestRecord:
    return BestRecord(
        response=Response(str(values[name])),
        confirmed=name.startswith("confirmed"),
        date=_date(values[f"{name}_date"]),
        rule=str(values[f"{name}_rule"]),
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


def _stored_duration(code: str, name: str, values: JsonObject, lesion: str = "") -> DurationRecord:
    days = values[f"{name}_days"]
    duration = Duration(
        days=days if isinstance(days, int) else None,
        event=bool(values[f"{name}_event"]),
        start=_date(values[f"{name}_start"]),
        end=_date(values[f"{name}_end"]),
        reason=str(values[f"{name}_reason"]),
    )
    return DurationRecord(code=code, duration=duration, lesion=lesion)


def _cycle(values: JsonObject) -> int | None:
    cycle = values["cycle"]
    return cycle if isinstance(cycle, int) else None


def _day(value: object) -> date:
    return date.fromisoformat(str(value))


def _date(value: object) -> date | None:
    return None if value is None else _day(value)


def _tenths(length_mm: object) -> Tenths | None:
    return round(length_mm * 10) if isinstance(length_mm, int | float) else None
