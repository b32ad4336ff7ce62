"""Run one step over cases some at a time in this process, for steps that cost less together than one by one."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from npcpit_imaging.flow.outcome import Case, Outcome, Step, Supply, attempt

CASES_AT_ONCE = 200
"""Cases that are done together: enough to share queries and transactions, few enough to see progress."""


def in_groups(
    supply: Supply,
    step: Step,
    *,
    many: Callable[[Sequence[Case]], Sequence[Outcome]],
    after_group: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Yield an outcome per case, in order.

    Args:
        supply: Asked for cases until it has none.
        step: Does one case; it is asked for each of a group that could not be done together, so that what is wrong with
            one of them hides no other.
        many: Does a group and gives one outcome per case, in order; what it raises means that nothing was done.
        after_group: Called when every outcome of a group has been taken.
    """
    while group := list(islice(iter(supply, None), CASES_AT_ONCE)):
        yield from _together(many, group) or (attempt(case, step) for case in group)
        after_group()


def _together(many: Callable[[Sequence[Case]], Sequence[Outcome]], group: Sequence[Case]) -> Sequence[Outcome]:
    """What became of a group; empty when it was not done as one."""
    try:
        outcomes = many(group)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # a site's pipeline may even try to end the program; each case will say why
        return ()
    return outcomes if [each.case for each in outcomes] == list(group) else ()
