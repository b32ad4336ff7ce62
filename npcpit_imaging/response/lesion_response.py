"""Response of each lesion: irradiated ones, the primary endpoint, from their own baseline (recist.md 1.11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.config.protocol import BaselineEpisode, LesionStop, Protocol
from npcpit_imaging.response.best_response import DatedResponse, best_response, confirmed_best_response
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.durations import time_to_progression
from npcpit_imaging.response.lesion_timepoint import (
    IMAGING,
    UNSEEN,
    LesionAnswer,
    LesionStart,
    classify_lesion,
    lesion_start,
)
from npcpit_imaging.response.result import LesionResponse, LesionTimepoint
from npcpit_imaging.response.sums import lesion_value
from npcpit_imaging.study.assessment import Assessment, Tenths
from npcpit_imaging.study.course import Irradiation
from npcpit_imaging.study.lesion import LesionState
from npcpit_imaging.study.response import BestResponse, Response, RuleFired

CLAUSE = "protocol, irradiated lesion (recist.md 1.11)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """What a lesion's response is counted from: its irradiation, or the subject's treatment where no light reached it.

    Args:
        lesion: The lesion.
        cycle: Number of the cycle; None when it was not irradiated.
        day: Day of the irradiation, or of the subject's first treatment; None when not known.
        until: Day of the next episode's irradiation; None when there is none.
        light: Every day on which light reached the lesion.
    """

    lesion: str
    cycle: int | None
    day: date | None
    until: date | None = None
    light: tuple[date, ...] = ()

    @property
    def irradiated(self) -> bool:
        """Whether light reached the lesion: only then it belongs to the endpoint."""
        return self.cycle is not None

    def counts(self, day: date) -> bool:
        """Say whether a scan is not before the treatment."""
        return self.day is None or day >= self.day


def lesion_responses(
    chart: Chart,
    *,
    irradiations: Sequence[Irradiation],
    treatment_start: date | None,
    protocol: Protocol,
    patient_pd: date | None,
) -> tuple[LesionResponse, ...]:
    """Give the response of every irradiated lesion, and of every baseline lesion that no light reached.

    Args:
        chart: The subject's records.
        irradiations: The subject's light treatments, by lesion.
        treatment_start: Stands in for a lesion that is marked irradiated and has no treatment row; None when not known.
        protocol: Baseline episode, what ends follow-up, endoscopy and the thresholds.
        patient_pd: First PD of the subject, for ``lesion_stop = patient_PD``.
    """
    done: dict[str, tuple[LesionTimepoint, ...]] = {}
    irradiated: dict[str, tuple[LesionTimepoint, ...]] = {}
    answers: list[LesionResponse] = []
    for episode in episodes(chart, irradiations, treatment_start, protocol):
        # an irradiated lesion never takes its response from one that no light reached
        answer = _course(chart, episode, irradiated if episode.irradiated else done, protocol, patient_pd)
        done[episode.lesion] = done.get(episode.lesion, ()) + answer.timepoints
        if episode.irradiated:
            irradiated[episode.lesion] = done[episode.lesion]
        answers.append(answer)
    return tuple(sorted(answers, key=lambda own: (own.lesion, own.cycle or 0)))


def episodes(
    chart: Chart, irradiations: Sequence[Irradiation], treatment_start: date | None, protocol: Protocol
) -> list[Episode]:
    """List what responses are counted from; lesions that merged come after their partners."""
    marked = {r.lesion for visit in chart.visits for r in visit.by_lesion.values() if r.irradiated}
    by_lesion: dict[str, list[Irradiation]] = {lesion: [] for lesion in marked}
    for treatment in irradiations:
        by_lesion.setdefault(treatment.lesion, []).append(treatment)
    fragments = {name for names in chart.fragments.values() for name in names}
    lesions = (set(by_lesion) | set(chart.baseline.by_lesion)) - fragments
    found: list[Episode] = []
    for lesion in sorted(lesions, key=lambda name: (_merges(chart, name), name)):
        own = sorted(by_lesion.get(lesion, ()), key=lambda treatment: (treatment.date, treatment.cycle))
        if own:
            found += _by_irradiation(lesion, own, protocol)
        else:
            light = () if lesion not in marked or treatment_start is None else (treatment_start,)
            cycle = 1 if lesion in marked else None
            found.append(Episode(lesion=lesion, cycle=cycle, day=treatment_start, light=light))
    return found


def _by_irradiation(lesion: str, own: Sequence[Irradiation], protocol: Protocol) -> list[Episode]:
    light = tuple(treatment.date for treatment in own)
    if protocol.baseline_episode is BaselineEpisode.FIRST_IRRADIATION:
        return [Episode(lesion=lesion, cycle=own[0].cycle, day=own[0].date, light=light)]
    pairs = zip(own, (*light[1:], None), strict=True)
    return [Episode(lesion=lesion, cycle=t.cycle, day=t.date, until=end, light=light) for t, end in pairs]


def _merges(chart: Chart, lesion: str) -> bool:
    rows = (visit.by_lesion.get(lesion) for visit in chart.visits)
    return any(row is not None and row.state is LesionState.MERGED for row in rows)


def _course(
    chart: Chart,
    episode: Episode,
    done: Mapping[str, tuple[LesionTimepoint, ...]],
    protocol: Protocol,
    patient_pd: date | None,
) -> LesionResponse:
    seen = [visit for visit in chart.visits if chart.pieces(visit, episode.lesion)]
    before = [visit for visit in seen if _is_before(chart, visit, episode)]
    if not before:
        return _without_baseline(episode, seen)
    assessed = [visit for visit in before if _is_assessed(chart, visit, episode.lesion)]
    first = chart.visits.index((assessed or before)[-1])
    visits = [visit for visit in chart.visits[first:] if _within(chart, visit, episode)]
    start = lesion_start(chart, visits[0], episode.lesion, protocol, irradiated=episode.irradiated)
    answers = _answers(chart, episode, start, visits=visits[1:], done=done, protocol=protocol)
    stop = patient_pd if protocol.lesion_stop is LesionStop.PATIENT_PD else None
    timepoints = _timepoints(answers, episode, stop, protocol)
    return _summarised(chart, episode, (visits[0], start), timepoints, protocol)


def _is_before(chart: Chart, visit: Visit, episode: Episode) -> bool:
    """Say whether a scan precedes the irradiation; without its date only the study's baseline surely does."""
    if episode.day is None or not episode.irradiated:
        return visit is chart.baseline
    return _date(chart, visit, episode.lesion) <= episode.day


def _is_assessed(chart: Chart, visit: Visit, lesion: str) -> bool:
    return all(piece.state not in UNSEEN for piece in chart.pieces(visit, lesion))


def _within(chart: Chart, visit: Visit, episode: Episode) -> bool:
    return episode.until is None or _date(chart, visit, episode.lesion) <= episode.until


def _date(chart: Chart, visit: Visit, lesion: str) -> date:
    return max((piece.date for piece in chart.pieces(visit, lesion)), default=visit.last_date)


def _without_baseline(episode: Episode, seen: Sequence[Visit]) -> LesionResponse:
    where = f"first seen at {seen[0].name}" if seen else "never read"
    when = "its treatment date is not known" if episode.day is None else f"irradiated on {episode.day}"
    reason = f"NA: no scan of the lesion before its irradiation ({where}, {when})"
    none = BestResponse(
        response=Response.NA, date=None, rule=RuleFired(rule="lesion-no-baseline", clause=CLAUSE, text=reason)
    )
    return LesionResponse(
        lesion=episode.lesion,
        cycle=episode.cycle,
        irradiated=True,
        irradiated_on=episode.day,
        baseline_at="",
        baseline=None,
        measurable=False,
        measurable_reason=reason,
        timepoints=(),
        best=none,
        confirmed=none,
        to_progression=time_to_progression((), start=None, pd_date=None),
        merged_into="",
        split_into=(),
        reason=reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was found and answered at one visit."""

    visit: str
    day: date
    value: Tenths | None
    nadir: Tenths | None
    baseline: Tenths | None
    answer: LesionAnswer


def _answers(
    chart: Chart,
    episode: Episode,
    start: LesionStart,
    *,
    visits: Sequence[Visit],
    done: Mapping[str, tuple[LesionTimepoint, ...]],
    protocol: Protocol,
) -> list[_Seen]:
    """Classify the lesion at every visit after its own baseline."""
    nadir, found = start.size, []
    for visit in visits:
        shared = _shared(visit, episode.lesion, done)
        value = None if shared else lesion_value(chart, visit, episode.lesion, protocol)
        answer = shared or classify_lesion(chart, visit, start=start, nadir=nadir, protocol=protocol)
        day = _date(chart, visit, episode.lesion)
        found.append(_Seen(visit=visit.name, day=day, value=value, nadir=nadir, baseline=start.size, answer=answer))
        if value is not None and nadir is not None:
            nadir = min(nadir, value)
    return found


def _shared(visit: Visit, lesion: str, done: Mapping[str, tuple[LesionTimepoint, ...]]) -> LesionAnswer | None:
    """Give the partner's response to a lesion that merged into it; None when the lesion did not merge."""
    record = visit.by_lesion.get(lesion)
    if record is None or record.state is not LesionState.MERGED:
        return None
    partner = next((tp for tp in done.get(record.parent_lesion, ()) if tp.timepoint == visit.name), None)
    response = Response.NE if partner is None else partner.response
    source = IMAGING if partner is None else partner.source
    text = f"{response}: merged into {record.parent_lesion} and shares its response"
    return LesionAnswer(response=response, source=source, rule="lesion-merged", text=text)


def _timepoints(
    answers: Sequence[_Seen], episode: Episode, stop: date | None, protocol: Protocol
) -> tuple[LesionTimepoint, ...]:
    """Mark what lies after the end of the lesion's follow-up, and what lies too early after treatment."""
    progressed = (seen.day for seen in answers if seen.answer.response is Response.PD and episode.counts(seen.day))
    last = min([*progressed, *([] if stop is None else [stop])], default=None)
    return tuple(
        LesionTimepoint(
            timepoint=seen.visit,
            date=seen.day,
            response=seen.answer.response,
            value=seen.value,
            nadir=seen.nadir,
            source=seen.answer.source,
            rule=RuleFired(rule=seen.answer.rule, clause=CLAUSE, text=seen.answer.text, numbers=_numbers(seen)),
            after_stop=last is not None and seen.day > last,
            too_early=any(0 < (seen.day - day).days < protocol.too_early_days for day in episode.light),
        )
        for seen in answers
    )


def _numbers(seen: _Seen) -> tuple[tuple[str, float | None], ...]:
    names = (("value_mm", seen.value), ("baseline_mm", seen.baseline), ("nadir_mm", seen.nadir))
    return tuple((name, None if size is None else size / 10) for name, size in names)


def _summarised(
    chart: Chart,
    episode: Episode,
    own: tuple[Visit, LesionStart],
    timepoints: tuple[LesionTimepoint, ...],
    protocol: Protocol,
) -> LesionResponse:
    """Say what a lesion's responses come to, from its own baseline visit and what it was there."""
    baseline, start = own
    on_study = [tp for tp in timepoints if not tp.after_stop and episode.counts(tp.date)]
    counted = [DatedResponse(date=tp.date, response=tp.response, early=tp.too_early) for tp in on_study]
    progressed = next((tp.date for tp in on_study if tp.response is Response.PD), None)
    merged = next((r.parent_lesion for r in _rows(chart, episode.lesion) if r.state is LesionState.MERGED), "")
    return LesionResponse(
        lesion=episode.lesion,
        cycle=episode.cycle,
        irradiated=episode.irradiated,
        irradiated_on=episode.day if episode.irradiated else None,
        baseline_at=baseline.name,
        baseline=start.size,
        measurable=start.measurable,
        measurable_reason=start.reason,
        timepoints=timepoints,
        best=best_response(counted, protocol=protocol, reference=episode.day),
        confirmed=confirmed_best_response(counted, protocol=protocol, reference=episode.day),
        to_progression=time_to_progression(counted, start=episode.day, pd_date=progressed),
        merged_into=merged,
        split_into=chart.fragments.get(episode.lesion, ()),
        reason="",
    )


def _rows(chart: Chart, lesion: str) -> list[Assessment]:
    return [visit.by_lesion[lesion] for visit in chart.visits if lesion in visit.by_lesion]
