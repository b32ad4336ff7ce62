"""Run one step over many cases: an outcome for every case given, in order; one bad case never hides another."""

from collections.abc import Callable, Iterator, Sequence

from npcpit_imaging.errors import FlowError
from npcpit_imaging.flow.outcome import ALREADY_DONE, Case, Outcome, SkipCaseError, Status, Step, attempt
from npcpit_imaging.flow.processes import in_processes

__all__ = ["ALREADY_DONE", "Case", "Outcome", "SkipCaseError", "Status", "Step", "run_cases"]


def run_cases(
    cases: Sequence[Case],
    step: Step,
    *,
    is_done: Callable[[Case], bool] = lambda _: False,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
    workers: int = 1,
) -> list[Outcome]:
    """Run a step over cases on this machine, one after the other or in several processes.

    Args:
        cases: What to do, in order.
        step: Does one case; with several workers a function of a module, or an instance of a module's class.
        is_done: Tells whether a case is already done with the same inputs; it is then skipped.
        on_outcome: Told each outcome as it comes (progress, the store's record), always in this process.
        workers: How many processes; with 1 the step runs in this one.

    Returns:
        One outcome per case, in the order given.

    Raises:
        FlowError: Two cases have the same name, or the step cannot be given to other processes.
    """
    _require_unique_names(cases)
    outcomes: dict[str, Outcome] = {}

    def over(outcome: Outcome) -> None:
        outcomes[outcome.case.name] = outcome
        on_outcome(outcome)

    def left() -> Iterator[Case]:
        for case in cases:
            if is_done(case):
                over(Outcome(case=case, status=Status.SKIPPED, reason=ALREADY_DONE))
            else:
                yield case

    here = (attempt(case, step) for case in left())
    for outcome in here if workers == 1 else in_processes(left(), step, workers=workers):
        over(outcome)
    return [outcomes[case.name] for case in cases]


def _require_unique_names(cases: Sequence[Case]) -> None:
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise FlowError(f"cases: expected unique names, found twice: {', '.join(twice)}")
