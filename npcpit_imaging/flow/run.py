"""Run one step over many cases: an outcome for every case given, in order; one bad case never hides another."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from npcpit_imaging.errors import FlowError
from npcpit_imaging.flow.outcome import (
    ALREADY_DONE,
    Case,
    Crew,
    Outcome,
    SkipCaseError,
    Status,
    Step,
    Supply,
    attempt,
)
from npcpit_imaging.flow.processes import in_processes

__all__ = ["ALREADY_DONE", "Case", "Crew", "Outcome", "SkipCaseError", "Status", "Step", "run_cases"]


def run_cases(
    cases: Sequence[Case],
    step: Step,
    *,
    is_done: Callable[[Case], bool] = lambda _: False,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
    workers: int = 1,
    crew: Crew | None = None,
) -> list[Outcome]:
    """Run a step over cases: one after the other, in several processes of this machine, or on a cluster.

    Args:
        cases: What to do, in order.
        step: Does one case; with several workers a function of a module, or an instance of a module's class.
        is_done: Tells whether a case is already done with the same inputs; it is then skipped.
        on_outcome: Told each outcome as it comes (progress, the store's record), always in this process.
        workers: How many processes of this machine; with 1 the step runs in this one.
        crew: Who does the cases instead, e.g. a cluster.

    Returns:
        One outcome per case, in the order given.

    Raises:
        FlowError: Two cases have the same name, one waits for a case that does not come before it, the step cannot be
            given to other processes, or the crew was lost; outcomes that came before were told to `on_outcome`.
    """
    _require_order(cases)
    outcomes: dict[str, Outcome] = {}

    def over(outcome: Outcome) -> None:
        outcomes[outcome.case.name] = outcome
        on_outcome(outcome)

    supply = _supply(cases, outcomes, is_done, over)
    for outcome in (crew or _crew(workers))(supply, step):
        over(outcome)
    return [outcomes[case.name] for case in cases]


def _crew(workers: int) -> Crew:
    return _in_order if workers == 1 else partial(in_processes, workers=workers)


def _in_order(supply: Supply, step: Step) -> Iterator[Outcome]:
    while (case := supply()) is not None:
        yield attempt(case, step)


def _supply(
    cases: Sequence[Case],
    outcomes: dict[str, Outcome],
    is_done: Callable[[Case], bool],
    over: Callable[[Outcome], None],
) -> Supply:
    """Hand out cases in order; one that waits for others steps back behind those that need not."""
    waiting = list(cases)

    def following() -> Case | None:
        place = 0
        while place < len(waiting):
            case = waiting[place]
            if not all(name in outcomes for name in case.after):
                place += 1
                continue
            del waiting[place]
            if not is_done(case):
                return case
            over(Outcome(case=case, status=Status.SKIPPED, reason=ALREADY_DONE))
            place = 0  # what waited for it may begin
        return None

    return following


def _require_order(cases: Sequence[Case]) -> None:
    """Every name once, and every case behind those it waits for: then no two can wait for each other."""
    names: set[str] = set()
    twice: set[str] = set()
    for case in cases:
        twice |= {case.name} & names
        absent = [name for name in case.after if name not in names]
        if absent:
            raise FlowError(f"case {case.name}: expected {absent[0]}, which it waits for, before it; found none")
        names.add(case.name)
    if twice:
        raise FlowError(f"cases: expected unique names, found twice: {', '.join(sorted(twice))}")
