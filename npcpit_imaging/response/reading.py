"""The follow-ups of one chart read in date order: target, non-target, new, overall (Eisenhauer 2009, 4.3 and 4.4)."""

from collections.abc import Sequence
from datetime import date

from npcpit_imaging.config.protocol import ConfirmRequired, Protocol, TpDateRule
from npcpit_imaging.response.best_response import DatedResponse, first_confirmed
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.endoscopy import residual_seen
from npcpit_imaging.response.new_lesion import NONE_SEEN, NewLesionResult, new_lesions
from npcpit_imaging.response.non_target import Presence, lesion_presence, non_target_response
from npcpit_imaging.response.result import PartialSum, TimepointResponse
from npcpit_imaging.response.sums import Nadir, SumOfDiameters, is_cleared, piece_values, sum_of_diameters
from npcpit_imaging.response.target import NO_TARGETS, TargetHistory, TargetResult, target_response
from npcpit_imaging.response.timepoint import overall_response
from npcpit_imaging.study.assessment import Tenths
from npcpit_imaging.study.course import Irradiation
from npcpit_imaging.study.response import NewLesion, Number, Response, RuleFired

_RESPONDED = (Response.CR, Response.PR)


class TargetTrack:
    """The sums of some target lesions over time: baseline, nadir, and whether PR was assigned.

    Args:
        chart: The subject's records.
        lesions: The target lesions, or a part of them.
        protocol: The study's decisions.
    """

    def __init__(self, chart: Chart, lesions: Sequence[str], protocol: Protocol) -> None:
        self._chart, self._protocol = chart, protocol
        self.lesions = tuple(lesions)
        first = sum_of_diameters(chart, chart.baseline, self.lesions, protocol)
        self.baseline: Tenths | None = first.total if lesions and first.complete else None
        self.nadir = None if self.baseline is None else Nadir(total=self.baseline, at=chart.baseline.name)
        self._responses: list[DatedResponse] = []

    def read(self, visit: Visit, *, overall_cr_before: bool) -> tuple[SumOfDiameters | None, TargetResult]:
        """Classify the next visit; visits come in date order."""
        if not self.lesions:
            return None, NO_TARGETS
        now = sum_of_diameters(self._chart, visit, self.lesions, self._protocol)
        history = TargetHistory(
            baseline=self.baseline,
            nadir=self.nadir,
            pr_before=self._pr_before(),
            overall_cr_before=overall_cr_before,
        )
        vetoed = _vetoed_by(self._chart, visit, self.lesions, self._protocol) if now.cleared else ()
        result = target_response(now, history=history, protocol=self._protocol, vetoed_by=vetoed)
        if now.complete and (self.nadir is None or now.total < self.nadir.total):
            self.nadir = Nadir(total=now.total, at=visit.name)
        if result.raw is Response.PD:
            self._responses.clear()
        self._responses.append(DatedResponse(date=visit.last_date, response=result.raw))
        return now, result

    def _pr_before(self) -> bool:
        if self._protocol.confirm_required is ConfirmRequired.REQUIRED:
            return first_confirmed(self._responses, protocol=self._protocol) is not None
        return any(past.response in _RESPONDED for past in self._responses)


def _vetoed_by(chart: Chart, visit: Visit, lesions: Sequence[str], protocol: Protocol) -> tuple[str, ...]:
    return tuple(
        lesion for lesion in lesions if any(residual_seen(piece, protocol) for piece in chart.pieces(visit, lesion))
    )


def read_timepoints(
    chart: Chart,
    *,
    protocol: Protocol,
    irradiations: Sequence[Irradiation] = (),
    treated_on: Sequence[date] = (),
) -> tuple[TimepointResponse, ...]:
    """Give the response of every follow-up.

    Args:
        chart: The subject's records.
        protocol: The study's decisions.
        irradiations: Light treatments by lesion.
        treated_on: Every day of treatment.
    """
    reader = _Reader(chart, protocol=protocol, irradiations=irradiations, treated_on=treated_on)
    news = new_lesions(chart, protocol=protocol, irradiated_on=[t.date for t in irradiations])
    return tuple(reader.read(visit, new) for visit, new in zip(chart.follow_ups, news, strict=True))


class _Reader:
    """Reads the follow-ups in date order and remembers what earlier ones decided."""

    def __init__(
        self, chart: Chart, *, protocol: Protocol, irradiations: Sequence[Irradiation], treated_on: Sequence[date]
    ) -> None:
        inside = _irradiated_targets(chart, irradiations)
        outside = [lesion for lesion in chart.targets if lesion not in inside]
        self._chart, self._protocol, self._treated_on = chart, protocol, treated_on
        self._all = TargetTrack(chart, chart.targets, protocol)
        self._inside = TargetTrack(chart, inside, protocol)
        self._outside = TargetTrack(chart, outside, protocol)
        self._overall_cr = False

    def read(self, visit: Visit, new: NewLesionResult) -> TimepointResponse:
        """Give the response of the next visit."""
        baseline, nadir = self._all.baseline, self._all.nadir
        now, target = self._all.read(visit, overall_cr_before=self._overall_cr)
        irradiated = self._partial(self._inside, visit, now, target)
        not_irradiated = self._partial(self._outside, visit, now, target)
        non_target, non_target_rule = non_target_response(self._chart, visit, self._protocol)
        overall, clause = overall_response(target.reported, non_target, new.indicator, protocol=self._protocol)
        overall_raw, _ = overall_response(target.raw, non_target, new.indicator, protocol=self._protocol)
        rule = _overall_rule(overall, clause, target, non_target_rule, new)
        back = reappeared(self._chart, visit, self._protocol) if self._overall_cr else ()
        if back and overall is not Response.PD:
            overall = overall_raw = Response.PD
            rule = _reappearance_rule(back)
        by_new_lesion = Response.PD not in (target.raw, non_target) and not back
        day = _date(visit, overall, new if by_new_lesion else NONE_SEEN, self._protocol)
        too_early = any(0 < (day - treated).days < self._protocol.too_early_days for treated in self._treated_on)
        self._overall_cr = self._overall_cr or (overall is Response.CR and not too_early)
        return TimepointResponse(
            timepoint=visit.name,
            date=day,
            first_date=visit.first_date,
            target=target.reported,
            target_raw=target.raw,
            non_target=non_target,
            new=new,
            overall=overall,
            overall_raw=overall_raw,
            total=None if now is None else now.total,
            complete=now is not None and now.complete,
            baseline=baseline,
            nadir=nadir,
            rule=rule,
            target_rule=target.rule,
            non_target_rule=non_target_rule,
            irradiated=irradiated,
            not_irradiated=not_irradiated,
            after_pd=False,
            excluded="",
            too_early=too_early,
            retro_dated_by=_retro_dated_by(new),
            immune=None,
        )

    def _partial(
        self, track: TargetTrack, visit: Visit, now: SumOfDiameters | None, target: TargetResult
    ) -> PartialSum:
        """Classify a part of the targets; when it is all of them, the answer is known already."""
        if track.lesions != self._all.lesions:
            now, target = track.read(visit, overall_cr_before=self._overall_cr)
        total = now.total if now is not None and now.complete else None
        return PartialSum(total=total, response=target.reported)


def _irradiated_targets(chart: Chart, irradiations: Sequence[Irradiation]) -> list[str]:
    treated = {treatment.lesion for treatment in irradiations}
    rows = chart.baseline.by_lesion
    return [lesion for lesion in chart.targets if lesion in treated or rows[lesion].irradiated]


def reappeared(chart: Chart, visit: Visit, protocol: Protocol) -> tuple[str, ...]:
    """Name the lesions that are there again; after an overall CR that is progression (EORTC FAQ).

    A node is there again from 10 mm short axis on; a non-target node only by unequivocal progression.
    """
    back = []
    for lesion in chart.targets:
        values = piece_values(chart, visit, lesion, protocol)
        nodal = chart.baseline.by_lesion[lesion].nodal
        if values is not None and not is_cleared(values, nodal=nodal, protocol=protocol):
            back.append(lesion)
    for lesion in chart.non_targets:
        nodal = chart.baseline.by_lesion[lesion].nodal
        if not nodal and lesion_presence(chart, visit, lesion, protocol) is Presence.PRESENT:
            back.append(lesion)
    return tuple(back)


def _reappearance_rule(back: Sequence[str]) -> RuleFired:
    text = f"PD: {', '.join(back)} there again after an overall CR"
    return RuleFired(rule="reappearance", clause="EORTC FAQ, reappearance", text=text, numbers=_lesions(back))


def _lesions(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (("lesions", " ".join(names)),)


def _overall_rule(
    overall: Response, clause: str, target: TargetResult, non_target: RuleFired, new: NewLesionResult
) -> RuleFired:
    """Say in one line what made the overall response: what progressed, or else targets and non-targets."""
    if overall is Response.PD:
        fired = [rule for rule in (target.rule, non_target) if rule.text.startswith("PD: ")]
        fired += [new.rule] if new.indicator is NewLesion.YES else []
        text = "PD: " + "; ".join(rule.text.removeprefix("PD: ") for rule in fired)
        return RuleFired(rule=fired[0].rule, clause=fired[0].clause, text=text, numbers=_merged(fired))
    fired = [rule for rule in (target.rule, non_target) if not rule.text.startswith("NA: ")]
    text = fired[0].text if len(fired) == 1 else f"{overall}: target {fired[0].text}; non-target {fired[1].text}"
    text += f"; {new.rule.text}, not counted yet" if new.indicator is NewLesion.EQUIVOCAL else ""
    return RuleFired(rule=fired[0].rule, clause=clause, text=text, numbers=_merged(fired))


def _merged(fired: Sequence[RuleFired]) -> tuple[tuple[str, Number], ...]:
    return tuple(pair for rule in fired for pair in rule.numbers)


def _date(visit: Visit, overall: Response, new: NewLesionResult, protocol: Protocol) -> date:
    """Date the time point: PD by new lesions alone by their scan, other PD by the first scan, else by the last."""
    if protocol.tp_date_rule is TpDateRule.ALL_EARLIEST:
        return visit.first_date
    if overall is not Response.PD:
        return visit.last_date
    return min((sighting.date for sighting in new.certain), default=visit.first_date)


def _retro_dated_by(new: NewLesionResult) -> str:
    if not new.certain or any(not sighting.proved_at for sighting in new.certain):
        return ""
    return new.certain[0].proved_at
