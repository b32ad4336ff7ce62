"""A real Dask cluster: the same outcomes as here, and what dies costs a retry, its own case or one clear error."""

import importlib
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from npcpit_imaging.errors import FlowError
from npcpit_imaging.flow.cluster import in_cluster
from npcpit_imaging.flow.run import Case, Status, run_cases

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out
Step = importlib.import_module("cluster_step").Step


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def run(cluster, marks):
    def over(names, **options):
        cases = [Case(name=name) for name in names]
        crew = partial(in_cluster, address=cluster.address)
        return run_cases(cases, Step(marks), crew=crew, **options)

    return over


def test_every_case_has_its_outcome_in_order_though_workers_die(run, marks):
    """One worker dies at the shaken case, and both at the poisonous one, time and again; no neighbour pays for it."""
    names = ["good 1", "bad 1", "shaken 1", "poisonous 1", "good 2", "good 3", "good 4"]
    outcomes = run(names)
    assert [each.case.name for each in outcomes] == names
    done = {each.case.name for each in outcomes if each.status is Status.DONE}
    assert done == {"good 1", "shaken 1", "good 2", "good 3", "good 4"}
    assert outcomes[1].reason == "expected a file, found none for 1"
    assert outcomes[3].status is Status.FAILED
    assert "its worker ended without an answer" in outcomes[3].reason
    assert "alone too" in outcomes[3].reason
    assert len((marks / "shaken 1").read_text()) >= 2
    assert str(os.getpid()) not in {each.reason.split()[-1] for each in outcomes}


def test_a_scheduler_that_dies_is_one_error_and_what_was_done_was_told(run, cluster):
    told = []

    def on_outcome(outcome):
        told.append(outcome.case.name)
        if len(told) == 2:
            cluster.kill("scheduler")

    with pytest.raises(FlowError, match=r"the scheduler was lost with .* run again for the rest"):
        run([f"slow {number}" for number in range(8)], on_outcome=on_outcome)
    assert len(told) == 2


def test_a_run_whose_workers_are_all_gone_ends_after_the_stated_patience_and_what_was_done_was_told(
    scheduler, marks, caplog
):
    """One worker, killed with its nanny after the first of two cases: the second is begun and nobody does it."""
    scheduler.start_worker("127.0.0.2")
    scheduler.wait_for_workers(1)
    told = []

    def on_outcome(outcome):
        told.append(outcome.case.name)
        scheduler.kill("127.0.0.2")

    cases = [Case(name="good 0"), Case(name="held 1")]
    crew = partial(in_cluster, address=scheduler.address, patience_s=1.0)
    with pytest.raises(FlowError, match=r"no worker was left for 1 s with 1 cases begun; .* run again for the rest"):
        run_cases(cases, Step(marks), crew=crew, on_outcome=on_outcome)
    assert told == ["good 0"]
    assert "no worker is left; waiting 1 s for one" in caplog.text


def test_a_protocol_that_dask_does_not_know_is_refused_before_anybody_is_asked(marks):
    with pytest.raises(FlowError, match=r"cluster foo://bar: expected one of .*tcp://.*, found foo://"):
        run_cases([Case(name="good 1")], Step(marks), crew=partial(in_cluster, address="foo://bar"))


@pytest.mark.slow
def test_a_worker_of_another_version_that_joins_later_is_refused_before_the_next_case(scheduler, marks, monkeypatch):
    """We change what we are, so the second worker differs from us as one of another version would."""
    scheduler.start_worker("127.0.0.2")
    scheduler.wait_for_workers(1)

    def on_outcome(_):
        scheduler.start_worker("127.0.0.3")
        scheduler.wait_for_workers(2)
        monkeypatch.setattr("npcpit_imaging.__version__", "0.0.0")

    cases = [Case(name=f"good {number}") for number in range(4)]
    crew = partial(in_cluster, address=scheduler.address)
    with pytest.raises(FlowError, match=r"worker .*127\.0\.0\.3.* runs version .*, expected 0\.0\.0"):
        run_cases(cases, Step(marks), crew=crew, on_outcome=on_outcome)


def test_an_address_where_nobody_answers_and_one_without_workers_are_refused(marks, monkeypatch, scheduler):
    monkeypatch.setattr("npcpit_imaging.flow.cluster.CONNECT_TIMEOUT_S", 1.0)
    with pytest.raises(FlowError, match="at least one worker, found none"):
        run_cases([Case(name="good 1")], Step(marks), crew=partial(in_cluster, address=scheduler.address))
    scheduler.kill("scheduler")
    with pytest.raises(FlowError, match="expected a Dask scheduler, found none that answers"):
        run_cases([Case(name="good 1")], Step(marks), crew=partial(in_cluster, address=scheduler.address))
