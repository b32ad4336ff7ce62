"""Every case has an outcome, in order, whatever happens to the others."""

import pytest

from npcpit_imaging.errors import FlowError, InputError
from npcpit_imaging.flow.run import Case, Outcome, SkipCaseError, Status, run_cases


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
