"""Several processes: the same outcomes in the same order, and a process that dies costs its own case only."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from npcpit_imaging.errors import FlowError, InputError
from npcpit_imaging.flow.processes import cores, in_processes
from npcpit_imaging.flow.run import Case, Outcome, SkipCaseError, Status, run_cases


@dataclass(frozen=True)
class Step:
    """What a case's name says; a case that kills leaves a mark of every attempt."""

    marks: Path

    def __call__(self, case: Case) -> str:
        kind, _, number = case.name.partition(" ")
        if kind == "bad":
            raise InputError(f"expected a file, found none for {number}")
        if kind == "idle":
            raise SkipCaseError("nothing to do")
        if kind == "threads":
            return os.environ["OMP_NUM_THREADS"]
        mark = self.marks / case.name
        if kind == "killed" or (kind == "shaken" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return f"did {number} in {os.getpid()}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Outcomes of eleven cases in two processes, and the order they came in."""
    seen: list[Outcome] = []
    names = [f"good {number}" for number in range(5)]
    names[2:2] = ["bad 1", "killed 1", "idle 1", "shaken 1", "threads 1", "known 1"]
    outcomes = run_cases(
        [Case(name=name) for name in names],
        Step(tmp_path_factory.mktemp("marks")),
        is_done=lambda case: case.name == "known 1",
        on_outcome=seen.append,
        workers=2,
    )
    return names, outcomes, seen


def test_outcomes_stand_in_the_order_given_and_each_was_told_once(run):
    names, outcomes, seen = run
    assert [each.case.name for each in outcomes] == names
    assert sorted(each.case.name for each in seen) == sorted(names)


def test_every_good_case_is_done_in_another_process_than_ours(run):
    good = {each.reason.split()[-1] for each in run[1] if each.case.name.startswith("good")}
    assert all(each.status is Status.DONE for each in run[1] if each.case.name.startswith("good"))
    assert str(os.getpid()) not in good


def test_what_fails_or_is_skipped_keeps_its_reason(run):
    found = {each.case.name: each for each in run[1]}
    assert (found["bad 1"].status, found["bad 1"].reason) == (Status.FAILED, "expected a file, found none for 1")
    assert (found["idle 1"].status, found["known 1"].status) == (Status.SKIPPED, Status.SKIPPED)


def test_a_process_that_dies_fails_its_own_case_by_the_signals_name(run):
    (killed,) = [each for each in run[1] if each.case.name == "killed 1"]
    assert killed.status is Status.FAILED
    assert "2 times (signal SIGKILL, perhaps out of memory)" in killed.reason


def test_a_case_whose_process_died_once_gets_a_second_chance(run):
    (shaken,) = [each for each in run[1] if each.case.name == "shaken 1"]
    assert shaken.status is Status.DONE


def test_a_process_has_one_thread_and_our_own_environment_is_as_before(run):
    (threads,) = [each for each in run[1] if each.case.name == "threads 1"]
    assert threads.reason == "1"
    assert "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS" not in os.environ


def test_a_step_that_cannot_be_sent_and_no_worker_are_refused():
    with pytest.raises(FlowError, match="other processes"):
        run_cases([Case(name="a")], lambda case: case.name, workers=2)
    with pytest.raises(FlowError, match="at least 1, found 0"):
        list(in_processes(lambda: Case(name="a"), str, workers=0))


def test_there_is_at_least_one_core():
    assert cores() >= 1
