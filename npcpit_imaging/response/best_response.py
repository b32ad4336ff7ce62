"""Best overall response without and with confirmation (Eisenhauer 2009, 4.5, 4.6, table 3; admiralonco)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Protocol as Shape

from npcpit_imaging.config.protocol import CrThenPr, Protocol, ShortSdRule
from npcpit_imaging.study.response import BestResponse, ClinicalBenefit, Response, RuleFired

_CR, _PR, _SD, _PD, _NE = Response.CR, Response.PR, Response.SD, Response.PD, Response.NE
_NON = Response.NON_CR_NON_PD

RANK: dict[Response, int] = {
    response: rank
    for rank, response in enumerate(
        (_CR, _PR, _SD, _NON, _PD, _NE, Response.NOT_ALL_EVALUATED, Response.NED, Response.ND, Response.MISSING)
    )
} | {Response.NA: len(Response)}
"""Best first (Eisenhauer 2009, 4.5); NA, which is no response, last."""

CLAUSE = "Eisenhauer 2009, 4.5"
CLAUSE_CONFIRMED = "Eisenhauer 2009, table 3"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedResponse:
    """The response of one time point.

    Args:
        date: Its date.
        response: Its overall response.
        early: True within the protocol's ``too_early_days`` of treatment: such a CR or PR cannot confirm alone.
    """

    date: date
    response: Response
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    response: Response
    date: date
    why: Callable[[], str]
    """Asked of the best one alone: of all candidates, writing it is most of the work."""


def best_response(
    responses: Iterable[DatedResponse], *, protocol: Protocol, reference: date | None, pd_date: date | None = None
) -> BestResponse:
    """Best overall response without confirmation.

    Args:
        responses: Time-point responses in any order.
        protocol: ``min_sd_days``, ``missing_as_ne``.
        reference: Day from which the minimum duration of SD runs; None when not known.
        pd_date: Records after it are ignored, those of the same day are kept; None keeps all.

    Returns:
        The best response and its first date; NA when the answer depends on a reference date that is not known.

    Example:
        >>> day = lambda d, r: DatedResponse(date=date(2024, 1, d), response=r)
        >>> best_response([day(9, Response.PR)], protocol=Protocol(), reference=date(2024, 1, 1)).response.value
        'PR'
    """
    records = _window(responses, pd_date)

    def candidates(reference: date | None, *, sd_met: bool) -> list[_Candidate]:
        return [_unconfirmed(record, reference, protocol, sd_met=sd_met) for record in records]

    return _answer(candidates, reference, protocol, CLAUSE)


def confirmed_best_response(
    responses: Iterable[DatedResponse], *, protocol: Protocol, reference: date | None, pd_date: date | None = None
) -> BestResponse:
    """Best overall response where CR and PR must be confirmed at least ``ref_confirm`` days later.

    The arguments and the return value are those of `best_response`.
    """
    records = _settle_cr_then_pr(_window(responses, pd_date), protocol)

    def candidates(reference: date | None, *, sd_met: bool) -> list[_Candidate]:
        own = [
            _confirmed(index, records, protocol) or _demoted(records[index], reference, protocol, sd_met=sd_met)
            for index in range(len(records))
        ]
        return own + (_table3(records) if protocol.short_sd_rule is ShortSdRule.TABLE3 else [])

    return _answer(candidates, reference, protocol, CLAUSE_CONFIRMED)


def first_confirmed(
    responses: Iterable[DatedResponse], *, protocol: Protocol, pd_date: date | None = None
) -> date | None:
    """Day of the first CR or PR that is confirmed later; None when there is none. Duration of response starts there."""
    records = _settle_cr_then_pr(_window(responses, pd_date), protocol)
    return next((r.date for i, r in enumerate(records) if _confirmed(i, records, protocol) is not None), None)


def first_response(responses: Iterable[DatedResponse], *, pd_date: date | None = None) -> date | None:
    """Day of the first CR or PR, confirmed or not; None when there is none."""
    return next((r.date for r in _window(responses, pd_date) if r.response in (_CR, _PR)), None)


def clinical_benefit(
    responses: Iterable[DatedResponse],
    *,
    protocol: Protocol,
    reference: date | None,
    pd_date: date | None = None,
    stable: Sequence[Response] = (_SD, _NON),
) -> ClinicalBenefit:
    """Say whether there was a CR or PR at any time, or disease still stable after the minimum duration of SD.

    Args:
        responses: Time-point responses in any order.
        protocol: ``min_sd_days``.
        reference: Day from which it runs; None when not known.
        pd_date: Records after it are ignored, those of the same day are kept; None keeps all.
        stable: What counts as stable disease.
    """
    records = _window(responses, pd_date)
    answered = next((r.date for r in records if r.response in (_CR, _PR)), None)
    held = [r.date for r in records if r.response in stable]
    if reference is not None:
        held = [day for day in held if (day - reference).days >= protocol.min_sd_days]
        return _benefit(min([*held[:1], *([answered] if answered else [])], default=None))
    if answered is None and held:
        text = "NA: SD; the day its minimum duration is counted from (treatment start) is not known"
        rule = RuleFired(rule="benefit-na", clause=CLAUSE, text=text)
        return ClinicalBenefit(benefit=None, date=None, rule=rule)
    first = _benefit(answered)
    return first if answered is None or not held or held[0] >= answered else replace(first, date=None)


def _benefit(first: date | None) -> ClinicalBenefit:
    text = "N: no response, nor SD after its minimum duration" if first is None else f"Y: first on {first}"
    rule = RuleFired(rule="benefit-n" if first is None else "benefit-y", clause=CLAUSE, text=text)
    return ClinicalBenefit(benefit=first is not None, date=first, rule=rule)


def cr_then_pr_at(responses: Iterable[DatedResponse], *, pd_date: date | None = None) -> date | None:
    """Day of the first PR that follows a CR (table 3, footnote a): a query for the reader; None when there is none."""
    records = _window(responses, pd_date)
    return next((r.date for i, r in enumerate(records) if r.response is _PR and _has(records[:i], _CR)), None)


def _window(responses: Iterable[DatedResponse], pd_date: date | None) -> list[DatedResponse]:
    kept = (r for r in responses if pd_date is None or r.date <= pd_date)
    return sorted(kept, key=lambda r: (r.date, RANK[r.response]))


class _Candidates(Shape):
    """What each record could be, given a reference date, or given only whether the minimum duration of SD is met."""

    def __call__(self, reference: date | None, *, sd_met: bool) -> list[_Candidate]: ...


def _answer(candidates: _Candidates, reference: date | None, protocol: Protocol, clause: str) -> BestResponse:
    """Take the best candidate, first date; without a reference date only where that date does not matter."""
    answer = _best(candidates(reference, sd_met=True), protocol, clause)
    if reference is not None:
        return answer
    short = _best(candidates(None, sd_met=False), protocol, clause)
    if (answer.response, answer.date) == (short.response, short.date):
        return answer
    text = f"NA: {answer.response} or {short.response}; the day SD is counted from (treatment start) is not known"
    return BestResponse(response=Response.NA, date=None, rule=RuleFired(rule="bor-na", clause=clause, text=text))


def _best(candidates: Sequence[_Candidate], protocol: Protocol, clause: str) -> BestResponse:
    if not candidates:
        response = _NE if protocol.missing_as_ne else Response.MISSING
        text = f"{response}: no assessment after baseline"
        return BestResponse(response=response, date=None, rule=RuleFired(rule="bor-missing", clause=clause, text=text))
    best = min(candidates, key=lambda candidate: (RANK[candidate.response], candidate.date))
    return BestResponse(
        response=best.response,
        date=best.date,
        rule=RuleFired(
            rule=f"bor-{best.response.lower()}",
            clause=clause,
            text=f"{best.response}: {best.why()}",
            numbers=(("date", best.date.isoformat()),),
        ),
    )


def _unconfirmed(record: DatedResponse, reference: date | None, protocol: Protocol, *, sd_met: bool) -> _Candidate:
    if record.response in (_SD, _NON):
        return _stable(record.response, record, reference, protocol, sd_met=sd_met)
    return _Candidate(response=record.response, date=record.date, why=lambda: f"{record.response} on {record.date}")


def _demoted(record: DatedResponse, reference: date | None, protocol: Protocol, *, sd_met: bool) -> _Candidate:
    """An unconfirmed CR or PR is at best SD."""
    if record.response in (_CR, _PR):
        return _stable(_SD, record, reference, protocol, sd_met=sd_met)
    return _unconfirmed(record, reference, protocol, sd_met=sd_met)


def _stable(
    kind: Response, record: DatedResponse, reference: date | None, protocol: Protocol, *, sd_met: bool
) -> _Candidate:
    """SD (or NON-CR/NON-PD) where the minimum duration is met, else NE."""
    seen = record.response if record.response is kind else f"unconfirmed {record.response}"
    if reference is None:
        return _Candidate(response=kind if sd_met else _NE, date=record.date, why=lambda: f"{seen} on {record.date}")
    days = (record.date - reference).days
    met = days >= protocol.min_sd_days
    return _Candidate(
        response=kind if met else _NE,
        date=record.date,
        why=lambda: f"{seen} on {record.date}, day {days}, minimum {protocol.min_sd_days}",
    )


def _confirmed(index: int, records: Sequence[DatedResponse], protocol: Protocol) -> _Candidate | None:
    """Find a later record that confirms this CR or PR; None when there is none."""
    first = records[index]
    if first.response not in (_CR, _PR):
        return None
    for later in range(index + 1, len(records)):
        pair, between = records[later], records[index + 1 : later]
        confirms = _cr_confirmed if first.response is _CR else _pr_confirmed
        far_enough = (pair.date - first.date).days >= protocol.ref_confirm
        if far_enough and not (first.early and pair.early) and confirms(pair, between, protocol):
            return _Candidate(response=first.response, date=first.date, why=partial(_confirmed_words, first, pair))
    return None


def _confirmed_words(first: DatedResponse, pair: DatedResponse) -> str:
    return f"{first.response} on {first.date}, confirmed by {pair.response} on {pair.date}"


def _cr_confirmed(pair: DatedResponse, between: Sequence[DatedResponse], protocol: Protocol) -> bool:
    return (
        pair.response is _CR
        and all(record.response in (_CR, _NE) for record in between)
        and _count(between, _NE) <= protocol.max_nr_ne
    )


def _pr_confirmed(pair: DatedResponse, between: Sequence[DatedResponse], protocol: Protocol) -> bool:
    return (
        pair.response in (_PR, _CR)
        and all(record.response in (_CR, _PR, _SD, _NE) for record in between)
        and _count(between, _SD) <= (1 if protocol.accept_sd else 0)
        and _count(between, _NE) <= protocol.max_nr_ne
        and not _pr_after_cr([*between, pair])
    )


def _count(records: Iterable[DatedResponse], kind: Response) -> int:
    return sum(record.response is kind for record in records)


def _pr_after_cr(records: Sequence[DatedResponse]) -> bool:
    return any(record.response is _PR and _has(records[:index], _CR) for index, record in enumerate(records))


def _settle_cr_then_pr(records: list[DatedResponse], protocol: Protocol) -> list[DatedResponse]:
    """Apply the protocol's reading of CR followed by PR (table 3, footnote a)."""
    if protocol.cr_then_pr is CrThenPr.SD:
        return records
    for index, record in enumerate(records):
        if record.response is not _PR or not _has(records[:index], _CR):
            continue
        if protocol.cr_then_pr is CrThenPr.PD:  # the CR was real, so this disease is new
            return [*records[:index], replace(record, response=_PD)]
        return _retract(records, index, protocol)
    return records


def _retract(records: list[DatedResponse], pr_at: int, protocol: Protocol) -> list[DatedResponse]:
    """Read the CRs before a PR as PR, because they were over-called; a CR that was confirmed stays."""
    before = records[:pr_at]
    if any(record.response is _CR and _confirmed(i, before, protocol) is not None for i, record in enumerate(before)):
        return records
    return [replace(r, response=_PR) if r.response is _CR else r for r in before] + records[pr_at:]


def _table3(records: Sequence[DatedResponse]) -> list[_Candidate]:
    """Add what table 3 says where the minimum duration of SD is not met: CR then SD is PD, PR then SD is SD."""
    found: list[_Candidate] = []
    for index, first in enumerate(records):
        for later in range(index + 1, len(records)):
            second = records[later]
            if second.response is _PD:
                break
            if first.response is _CR and second.response in (_PR, _SD):
                why = f"{second.response} on {second.date} after CR on {first.date}"
                found.append(_Candidate(response=_PD, date=second.date, why=partial(str, why)))
                break
            if first.response is _PR and second.response is _SD and not _has(records[index:later], _CR):
                why = f"PR on {first.date}, then SD on {second.date}"
                found.append(_Candidate(response=_SD, date=first.date, why=partial(str, why)))
                break
    return found


def _has(records: Iterable[DatedResponse], *kinds: Response) -> bool:
    return any(record.response in kinds for record in records)
