"""A case, and what became of it: done, skipped or failed, always with a reason."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from npcpit_imaging.errors import NpcpitError


class Status(StrEnum):
    """What became of a case."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One unit of work.

    Args:
        name: Unique within the run, e.g. ``NPC-0001/FU1/T01``; never a patient's identifier.
        inputs: Digests of everything the result depends on besides code and configuration.
        after: Names of cases of the same run that must be over, however they ended, before this one begins.
    """

    name: str
    inputs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one case, and why.

    Args:
        case: The case.
        status: done, skipped or failed.
        reason: What was done, why it was skipped, or what went wrong.
        details: For a fault of ours, where in the code; empty for a user's mistake.
    """

    case: Case
    status: Status
    reason: str
    details: str = ""


class SkipCaseError(NpcpitError):
    """Raised by a step that has nothing to do for a case; the text says why."""


ALREADY_DONE = "already done with the same inputs"
"""Why a case that needs no work is skipped."""

Step = Callable[[Case], str]
"""Does the work of one case and says in one line what was done."""

Supply = Callable[[], Case | None]
"""Gives the next case that may begin; None while there is none, for good once nothing is at work any more."""

Crew = Callable[[Supply, Step], Iterator[Outcome]]
"""Does the cases of a supply somewhere and yields their outcomes as they come.

It asks again whenever an outcome has been taken from it, because that may have freed other cases.
"""


def attempt(case: Case, step: Step) -> Outcome:
    """Run a step on one case; whatever it raises becomes the outcome."""
    try:
        return Outcome(case=case, status=Status.DONE, reason=step(case))
    except SkipCaseError as skip:
        return Outcome(case=case, status=Status.SKIPPED, reason=str(skip))
    except NpcpitError as error:
        return Outcome(case=case, status=Status.FAILED, reason=str(error))
    except Exception as error:  # noqa: BLE001  # a fault of ours in one case must not end the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(
            case=case,
            status=Status.FAILED,
            reason=f"internal fault: {type(error).__name__} in {place.name}",
            details="".join(traceback.format_exception(error)),
        )
