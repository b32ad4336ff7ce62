"""RECIST 1.1 target response of one time point (Eisenhauer 2009, 4.3.1 and 4.4; EORTC FAQ; recist.md 1.4)."""

from dataclasses import dataclass

from npcpit_imaging.config.protocol import NadirZeroRule, Protocol, PrPersistence
from npcpit_imaging.response.sums import Nadir, SumOfDiameters, change_text
from npcpit_imaging.study.assessment import Tenths, mm_text
from npcpit_imaging.study.response import Number, Response, RuleFired


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """The target response of one time point.

    Args:
        raw: From this time point's numbers alone; confirmation uses it.
        reported: With persistence of PR.
        rule: Why.
    """

    raw: Response
    reported: Response
    rule: RuleFired


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHistory:
    """What earlier time points decided.

    Args:
        baseline: Sum at baseline; None when a target had no value there.
        nadir: Smallest complete sum before; None when there was none.
        pr_before: PR (or CR) was assigned before, and confirmed where the protocol asks for it; no PD since.
        overall_cr_before: An overall CR was assigned before.
    """

    baseline: Tenths | None
    nadir: Nadir | None
    pr_before: bool = False
    overall_cr_before: bool = False


NO_TARGETS = TargetResult(
    raw=Response.NA,
    reported=Response.NA,
    rule=RuleFired(rule="target-na", clause="Eisenhauer 2009, table 2", text="NA: no target lesion at baseline"),
)


def target_response(
    now: SumOfDiameters, *, history: TargetHistory, protocol: Protocol, vetoed_by: tuple[str, ...] = ()
) -> TargetResult:
    """Classify the target lesions of one time point; CR is asked first, then PD, completeness, PR and SD.

    Args:
        now: The sum of this time point.
        history: Baseline, nadir and earlier answers.
        protocol: The study's decisions.
        vetoed_by: Lesions in which endoscopy saw tumour although imaging shows none.

    Example:
        >>> now = SumOfDiameters(total=624, missing=(), rest_cleared=False)
        >>> history = TargetHistory(baseline=600, nadir=Nadir(total=501, at="TP2"))
        >>> target_response(now, history=history, protocol=Protocol()).rule.text
        'PD: sum 62.4 mm vs nadir 50.1 mm at TP2, +24.6 %, +12.3 mm'
    """
    if now.cleared:
        return _vetoed(now, vetoed_by) if vetoed_by else _cleared(now)
    if history.nadir is not None and is_target_pd(now, history, protocol):
        return _progressed(now, history.nadir)
    if not now.complete or history.baseline is None:
        return _incomplete(now)
    if is_partial(now.total, history.baseline, protocol):
        return _compared(Response.PR, Response.PR, now, history.baseline)
    keeps = protocol.pr_persistence is PrPersistence.EORTC and history.pr_before
    return _compared(Response.SD, Response.PR if keeps else Response.SD, now, history.baseline)


def is_increase(now: Tenths, before: Tenths, protocol: Protocol) -> bool:
    """Say whether an increase is progression: at least 20 % and at least 5 mm, both inclusive."""
    far_enough = now - before >= protocol.pd_increase_mm * 10
    return far_enough and now * 100 >= before * (100 + protocol.pd_increase_percent)


def is_partial(now: Tenths, baseline: Tenths, protocol: Protocol) -> bool:
    """Say whether a decrease is partial response: at least 30 % from baseline, inclusive."""
    return now * 100 <= baseline * (100 - protocol.pr_decrease_percent)


def is_target_pd(now: SumOfDiameters, history: TargetHistory, protocol: Protocol) -> bool:
    """Say whether the lesions that have a value already show progression against the nadir."""
    if history.nadir is None or not (now.complete or protocol.pd_when_incomplete):
        return False
    if now.rest_cleared:  # small nodes may grow, but with the missing lesions gone it would be CR
        return False
    if history.nadir.total == 0 and protocol.nadir_zero_rule is NadirZeroRule.ONLY_AFTER_OVERALL_CR:
        return history.overall_cr_before and now.total > 0
    return is_increase(now.total, history.nadir.total, protocol)


def _cleared(now: SumOfDiameters) -> TargetResult:
    rest = "all targets absent" if now.total == 0 else f"only nodes below 10 mm left, sum {mm_text(now.total)} mm"
    return _result((Response.CR, Response.CR), "target-cr", "4.3.1", f"CR: {rest}", (("sum_mm", now.total / 10),))


def _vetoed(now: SumOfDiameters, vetoed_by: tuple[str, ...]) -> TargetResult:
    text = f"PR: imaging CR, but endoscopy shows tumour in {', '.join(vetoed_by)}"
    numbers = (("sum_mm", now.total / 10), ("vetoed_by", " ".join(vetoed_by)))
    return _result((Response.PR, Response.PR), "endoscopy-veto", "protocol, endo_policy", text, numbers)


def _progressed(now: SumOfDiameters, nadir: Nadir) -> TargetResult:
    partly = "" if now.complete else f" (without {', '.join(now.missing)})"
    text = (
        f"PD: sum {mm_text(now.total)} mm{partly} vs nadir {mm_text(nadir.total)} mm at {nadir.at}, "
        f"{change_text(now.total, nadir.total)}"
    )
    numbers = (
        ("sum_mm", now.total / 10),
        ("nadir_mm", nadir.total / 10),
        ("nadir_at", nadir.at),
        ("change_nadir_mm", (now.total - nadir.total) / 10),
    )
    return _result((Response.PD, Response.PD), "target-pd", "4.3.1" if now.complete else "4.4.2", text, numbers)


def _incomplete(now: SumOfDiameters) -> TargetResult:
    if not now.complete:
        text = f"NE: {', '.join(now.missing)} not assessed; the rest, {mm_text(now.total)} mm, is not PD"
        return _result((Response.NE, Response.NE), "target-ne", "4.4.2", text, (("missing", " ".join(now.missing)),))
    text = f"NE: sum {mm_text(now.total)} mm, but a target has no value at baseline"
    return _result((Response.NE, Response.NE), "target-no-baseline", "4.3.1", text, (("sum_mm", now.total / 10),))


def _compared(raw: Response, reported: Response, now: SumOfDiameters, baseline: Tenths) -> TargetResult:
    persists = raw is not reported
    after = "; PR was assigned before and this is not PD" if persists else ""
    text = (
        f"{reported}: sum {mm_text(now.total)} mm vs baseline {mm_text(baseline)} mm, "
        f"{change_text(now.total, baseline)}{after}"
    )
    numbers = (("sum_mm", now.total / 10), ("baseline_mm", baseline / 10))
    rule = "target-pr-persists" if persists else f"target-{raw.lower()}"
    return _result((raw, reported), rule, "EORTC FAQ, PR persistence" if persists else "4.3.1", text, numbers)


def _result(
    answer: tuple[Response, Response], rule: str, clause: str, text: str, numbers: tuple[tuple[str, Number], ...]
) -> TargetResult:
    clause = f"Eisenhauer 2009, {clause}" if clause[0].isdigit() else clause
    return TargetResult(
        raw=answer[0], reported=answer[1], rule=RuleFired(rule=rule, clause=clause, text=text, numbers=numbers)
    )
