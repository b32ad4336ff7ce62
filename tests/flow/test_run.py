"""Every case has an outcome, in order, whatever happens to the others."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from npcpit_imaging.errors import FlowError, InputError
from npcpit_imaging.flow.run import Case, Outcome, SkipCaseError, Status, run_cases


@dataclass(frozen=True)
class Waiting:
    """Says which of the cases it needs were over when it began; a is slow."""

    marks: Path

    def __call__(self, case: Case) -> str:
        found = [name for name in case.after if (self.marks / name).exists()]
        time.sleep(0.5 if case.name == "a" else 0.0)
        (self.marks / case.name).touch()
        return f"after {' '.join(found)}"


def step(case: Case) -> str:
    if case.name == "bad":
        raise InputError("expected a file, found none")
    if case.name == "fault":
        raise ZeroDivisionError
    if case.name == "idle":
        raise SkipCaseError("nothing to do")
    return f"did {case.name}"


def test_each_case_has_one_outcome_in_the_order_given():
    seen: list[Outcome] = []
    cases = [Case(name=name) for name in ("good", "bad", "fault", "idle", "last")]
    outcomes = run_cases(cases, step, on_outcome=seen.append)
    assert [o.case.name for o in outcomes] == ["good", "bad", "fault", "idle", "last"]
    assert [o.status for o in outcomes] == [Status.DONE, Status.FAILED, Status.FAILED, Status.SKIPPED, Status.DONE]
    assert seen == outcomes


def test_a_users_mistake_gives_its_message_and_a_fault_of_ours_gives_its_place():
    bad, fault = run_cases([Case(name="bad"), Case(name="fault")], step)
    assert (bad.reason, bad.details) == ("expected a file, found none", "")
    assert fault.reason == "internal fault: ZeroDivisionError in step"
    assert "Traceback" in fault.details


def test_a_done_case_is_not_run_again():
    (outcome,) = run_cases([Case(name="fault")], step, is_done=lambda _: True)
    assert outcome.status is Status.SKIPPED


def test_two_cases_of_one_name_are_refused():
    with pytest.raises(FlowError, match="found twice: good"):
        run_cases([Case(name="good"), Case(name="good")], step)


def test_a_case_waits_until_those_it_needs_are_over_and_others_go_first(tmp_path):
    """In two processes b, which needs a, begins only when a is over, though c and d are free before."""
    cases = [Case(name="a"), Case(name="b", after=("a",)), Case(name="c"), Case(name="d", after=("b", "c"))]
    seen: list[str] = []
    outcomes = run_cases(cases, Waiting(tmp_path), on_outcome=lambda each: seen.append(each.case.name), workers=2)
    assert [each.case.name for each in outcomes] == ["a", "b", "c", "d"]
    assert [each.reason for each in outcomes] == ["after ", "after a", "after ", "after b c"]


def test_a_case_that_needs_one_which_is_already_done_or_failed_still_begins():
    cases = [Case(name="done"), Case(name="bad"), Case(name="last", after=("done", "bad"))]
    outcomes = run_cases(cases, step, is_done=lambda case: case.name == "done")
    assert [each.status for each in outcomes] == [Status.SKIPPED, Status.FAILED, Status.DONE]


@pytest.mark.parametrize("order", [["b", "a"], ["b"]])
def test_a_case_that_waits_for_one_which_does_not_come_before_is_refused(order):
    cases = [Case(name=name, after=("a",) if name == "b" else ()) for name in order]
    with pytest.raises(FlowError, match="case b: expected a, which it waits for, before it"):
        run_cases(cases, step)
