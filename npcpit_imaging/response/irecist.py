"""iRECIST response of every follow-up and best response (Seymour 2017, tables 2 and 3; EORTC FAQ; recist.md 1.13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.immune_reading import ImmuneReading, new_targets, read_immune
from npcpit_imaging.response.new_lesion import NewLesionResult
from npcpit_imaging.response.reading import TargetTrack, reappeared
from npcpit_imaging.response.result import ImmuneResult, TimepointResponse
from npcpit_imaging.response.target import TargetResult
from npcpit_imaging.response.timepoint import overall_response
from npcpit_imaging.study.assessment import mm_text
from npcpit_imaging.study.response import ImmuneResponse, NewLesion, Response, RuleFired

CLAUSE = "Seymour 2017, table 2"

_IMMUNE = {
    Response.CR: ImmuneResponse.ICR,
    Response.PR: ImmuneResponse.IPR,
    Response.SD: ImmuneResponse.ISD,
    Response.NON_CR_NON_PD: ImmuneResponse.NON_ICR_NON_IUPD,
    Response.PD: ImmuneResponse.IUPD,
    Response.NE: ImmuneResponse.NE,
}

IBOR_RANK: dict[ImmuneResponse, int] = {
    response: rank
    for rank, response in enumerate(
        (
            ImmuneResponse.ICR,
            ImmuneResponse.IPR,
            ImmuneResponse.ISD,
            ImmuneResponse.NON_ICR_NON_IUPD,
            ImmuneResponse.ICPD,
            ImmuneResponse.IUPD,
            ImmuneResponse.NE,
        )
    )
}
"""Best first; what table 3 shows when nothing better was reached: iCPD before an unresolved iUPD before NE."""

_TARGET_RANK = {Response.CR: 0, Response.PR: 1, Response.SD: 2, Response.PD: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unconfirmed:
    """The iUPD that waits for confirmation: what progressed, and how large it was."""

    date: date
    name: str
    reading: ImmuneReading
    target: Response


def immune_responses(
    chart: Chart, timepoints: Sequence[TimepointResponse], *, protocol: Protocol
) -> tuple[ImmuneResult, ...]:
    """Give the iRECIST response of every follow-up.

    Args:
        chart: The subject's records.
        timepoints: The RECIST 1.1 responses of its follow-ups, in date order.
        protocol: Thresholds and the window of confirmation.
    """
    machine = _Machine(chart, protocol)
    return tuple(machine.read(visit, tp.new) for visit, tp in zip(chart.follow_ups, timepoints, strict=True))


class _Machine:
    """Reads the follow-ups in date order; progression is first unconfirmed, then confirmed or taken back."""

    def __init__(self, chart: Chart, protocol: Protocol) -> None:
        self._chart, self._protocol = chart, protocol
        self._track = TargetTrack(chart, chart.targets, protocol)
        self._known: frozenset[str] = frozenset()
        self._open: _Unconfirmed | None = None
        self._overall_cr = False
        self._confirmed_at = ""

    def read(self, visit: Visit, new: NewLesionResult) -> ImmuneResult:
        """Give the response of the next visit."""
        if self._confirmed_at:
            return _result(ImmuneResponse.ICPD, "after-icpd", f"progression was confirmed at {self._confirmed_at}")
        if self._open is not None and self._too_soon(visit, self._open):
            days = (visit.last_date - self._open.date).days
            least = self._protocol.irecist_confirm_min_days
            text = f"{days} days after {self._open.name}, earlier than {least}: neither confirms nor takes back"
            return _result(ImmuneResponse.IUPD, "iupd-too-soon", text)
        now, target = self._track.read(visit, overall_cr_before=self._overall_cr)
        total = 0 if now is None else now.total
        reading = read_immune(self._chart, visit, new, total=total, known=self._known, protocol=self._protocol)
        result = self._first(visit, reading, target) if self._open is None else self._later(reading, target, self._open)
        self._known |= reading.present
        if result.response is ImmuneResponse.ICPD:
            self._confirmed_at = visit.name
        self._overall_cr = self._overall_cr or result.response is ImmuneResponse.ICR
        return result

    def _too_soon(self, visit: Visit, waiting: _Unconfirmed) -> bool:
        return (visit.last_date - waiting.date).days < self._protocol.irecist_confirm_min_days

    def _first(self, visit: Visit, reading: ImmuneReading, target: TargetResult) -> ImmuneResult:
        """Classify a visit while no progression waits for confirmation."""
        causes = _causes(reading, target)
        if self._overall_cr and not causes:
            back = reappeared(self._chart, visit, self._protocol)
            causes = [f"{', '.join(back)} there again after iCR"] if back else []
        if not causes:
            return self._without_progression(reading, target)
        self._open = _Unconfirmed(date=visit.last_date, name=visit.name, reading=reading, target=target.raw)
        return _result(ImmuneResponse.IUPD, "iupd", "; ".join(causes))

    def _later(self, reading: ImmuneReading, target: TargetResult, waiting: _Unconfirmed) -> ImmuneResult:
        """Confirm the waiting progression, take it back, or leave it waiting."""
        reasons = confirmations(waiting.reading, reading, waiting.target, target.raw, protocol=self._protocol)
        if reasons:
            return _result(ImmuneResponse.ICPD, "icpd", f"{'; '.join(reasons)}, against iUPD at {waiting.name}")
        unseen = waiting.reading.present - reading.judged
        if target.raw is Response.NE or reading.non_target is Response.NE or unseen:
            return _result(ImmuneResponse.NE, "immune-ne", "not all evaluated: neither confirms nor takes back")
        if self._taken_back(reading, target, waiting):
            self._open = None
            return self._without_progression(reading, target)
        return _result(ImmuneResponse.IUPD, "iupd-unchanged", f"no further increase since iUPD at {waiting.name}")

    def _taken_back(self, reading: ImmuneReading, target: TargetResult, waiting: _Unconfirmed) -> bool:
        """Say whether the bar is reset: nothing progresses any more, and something got better than at the iUPD."""
        if target.raw is Response.PD or reading.non_target is Response.PD:
            return False
        shrunk = _TARGET_RANK.get(target.raw, 9) < _TARGET_RANK.get(waiting.target, 9)
        calmed = waiting.reading.non_target is Response.PD
        resolved = bool(waiting.reading.present) and not reading.present
        return shrunk or calmed or resolved

    def _without_progression(self, reading: ImmuneReading, target: TargetResult) -> ImmuneResult:
        overall, _ = overall_response(target.reported, reading.non_target, NewLesion.NO, protocol=self._protocol)
        response = _IMMUNE.get(overall, ImmuneResponse.NA)
        if response is ImmuneResponse.ICR and reading.present:  # disease outside the baseline lesions is still there
            response = ImmuneResponse.IPR
        return _result(response, f"immune-{response.lower()}", target.rule.text)


def _causes(reading: ImmuneReading, target: TargetResult) -> list[str]:
    causes = [target.rule.text.removeprefix("PD: ")] if target.raw is Response.PD else []
    if reading.non_target is Response.PD:
        causes.append(f"unequivocal progression of {', '.join(sorted(reading.non_target_pd))}")
    if reading.first_seen:
        causes.append(f"new lesion {', '.join(sorted(reading.first_seen))}")
    return causes


def confirmations(
    waiting: ImmuneReading, now: ImmuneReading, target_then: Response, target_now: Response, *, protocol: Protocol
) -> list[str]:
    """List what confirms progression (Seymour 2017, table 2): any further increase in what progressed, or new progress.

    Args:
        waiting: The reading at the iUPD.
        now: The reading that may confirm it.
        target_then: Target response at the iUPD.
        target_now: Target response now.
        protocol: ``irecist_increase_mm``.
    """
    least, reasons = protocol.irecist_increase_mm * 10, []
    growth = now.total - waiting.total
    if target_then is Response.PD and growth >= least:
        reasons.append(f"targets +{mm_text(growth)} mm")
    if target_then is not Response.PD and target_now is Response.PD:
        reasons.append("targets progress now")
    worse = now.non_target_pd - waiting.non_target_pd
    if waiting.non_target_pd:
        worse |= now.non_target_increased
    if worse:
        reasons.append(f"further increase of {', '.join(sorted(worse))}")
    if now.first_seen:
        reasons.append(f"another new lesion {', '.join(sorted(now.first_seen))}")
    return reasons + _new_lesion_growth(waiting, now, protocol)


def _new_lesion_growth(waiting: ImmuneReading, now: ImmuneReading, protocol: Protocol) -> list[str]:
    """List how the new lesions of the iUPD grew: their own sum by 5 mm, or any other one at all."""
    targets, reasons = new_targets(waiting, protocol), []
    if targets and targets <= now.sizes.keys():
        growth = sum(now.sizes[name] - waiting.sizes[name] for name in targets)
        if growth >= protocol.irecist_increase_mm * 10:
            reasons.append(f"new lesions +{mm_text(growth)} mm")
    others = {name for name in waiting.sizes.keys() - targets if now.sizes.get(name, 0) > waiting.sizes[name]}
    others |= now.new_increased & waiting.present
    return reasons + ([f"further increase of new {', '.join(sorted(others))}"] if others else [])


def _result(response: ImmuneResponse, rule: str, text: str) -> ImmuneResult:
    return ImmuneResult(
        response=response, rule=RuleFired(rule=rule, clause=CLAUSE, text=f"{response}: {text.removeprefix('NA: ')}")
    )


def immune_best_response(responses: Sequence[ImmuneResponse]) -> ImmuneResponse:
    """Best iRECIST response: the best up to the first iCPD (Seymour 2017, table 3).

    Args:
        responses: Responses in date order.

    Example:
        >>> immune_best_response([ImmuneResponse.IUPD, ImmuneResponse.ISD, ImmuneResponse.ICPD]).value
        'iSD'
    """
    counted = list(responses)
    if ImmuneResponse.ICPD in counted:
        counted = counted[: counted.index(ImmuneResponse.ICPD) + 1]
    known = [response for response in counted if response in IBOR_RANK]
    return min(known, key=lambda response: IBOR_RANK[response], default=ImmuneResponse.NA)


def immune_pd_date(timepoints: Sequence[TimepointResponse]) -> date | None:
    """Day of iRECIST progression: the first iUPD of the run that ends in iCPD, or that nothing evaluable follows."""
    start: date | None = None
    reassessed = False
    for tp in timepoints:
        response = None if tp.immune is None else tp.immune.response
        if response is ImmuneResponse.ICPD:
            return start
        if response is ImmuneResponse.IUPD:
            reassessed = start is not None
            start = start or tp.date
        elif response is not ImmuneResponse.NE:
            start = None
    return None if reassessed else start
