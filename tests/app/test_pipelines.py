"""Pipelines of a study: loaded by path, every case recorded, done cases skipped, broken files refused by name."""

import pytest

from npcpit_imaging.app.pipelines import PIPELINES, all_well, outcomes_json, run_pipeline
from npcpit_imaging.errors import FlowError, InputError
from npcpit_imaging.flow.run import ALREADY_DONE, Status
from npcpit_imaging.store.runs import runs

SUBJECT = "NPC-0001"
COUNTING = """
from pathlib import Path
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Case

INPUT = "one"

def cases(study):
    return [Case(name=name, inputs=(INPUT,)) for name in ("a", "bad", "fault", "z")]

def run(study, case):
    with (study.tables / "log").open("a") as log:
        log.write(case.name + " ")
    if case.name == "bad":
        raise InputError("expected a mask, found none")
    if case.name == "fault":
        raise KeyError("SYN-0001")
    return f"did {case.name}"
"""


@pytest.fixture
def pipeline(study):
    """Write the pipeline `count` and return what it did in earlier runs, case by case."""
    (study.folder / "pipelines" / "count.py").write_text(COUNTING, encoding="utf-8")
    return study.tables / "log"


def statuses(outcomes) -> list[Status]:
    return [each.status for each in outcomes]


def test_one_failed_case_stops_no_other_and_each_is_recorded_with_its_reason(study, pipeline):
    seen: list[str] = []
    totals: list[int] = []
    outcomes = run_pipeline(study, "count", on_start=totals.append, on_outcome=lambda each: seen.append(each.case.name))
    assert statuses(outcomes) == [Status.DONE, Status.FAILED, Status.FAILED, Status.DONE]
    assert (totals, seen) == ([4], ["a", "bad", "fault", "z"])
    assert not all_well(outcomes)
    with study.database.session() as session:
        recorded = [(row.case_name, row.outcome, row.reason) for row in runs(session)]
        assert all(row.started <= row.ended for row in runs(session))
    assert recorded[0] == ("a", "done", "did a")
    assert recorded[1] == ("bad", "failed", "expected a mask, found none")
    assert recorded[2][:2] == ("fault", "failed")
    assert "KeyError" in recorded[2][2]
    assert "SYN-0001" not in recorded[2][2], "an exception's text may hold anything"
    assert outcomes_json(outcomes)[1] == {"case": "bad", "status": "failed", "reason": "expected a mask, found none"}


def test_done_cases_are_skipped_the_next_time_and_failed_ones_are_tried_again(study, pipeline):
    run_pipeline(study, "count")
    again = run_pipeline(study, "count")
    assert statuses(again) == [Status.SKIPPED, Status.FAILED, Status.FAILED, Status.SKIPPED]
    assert again[0].reason == ALREADY_DONE
    assert pipeline.read_text() == "a bad fault z bad fault "
    assert statuses(run_pipeline(study, "count", again=True))[0] is Status.DONE


@pytest.mark.parametrize("change", ["input", "pipeline", "config"])
def test_other_inputs_code_or_decisions_are_done_anew(change, study, pipeline):
    run_pipeline(study, "count")
    file = study.folder / "pipelines" / "count.py"
    if change == "input":
        file.write_text(COUNTING.replace('"one"', '"two"'), encoding="utf-8")
    elif change == "pipeline":
        file.write_text(COUNTING + "\n# another comment\n", encoding="utf-8")
    else:
        ct = study.folder / "configs" / "imaging" / "ct.toml"
        ct.write_text(ct.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert statuses(run_pipeline(study, "count"))[0] is Status.DONE


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def cases(study:", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def cases(study): return []", "expected a function run"),
        ("def run(study, case): return ''", "expected a function cases"),
        ("cases = run = 3", "expected a function cases"),
    ],
)
def test_a_pipeline_that_cannot_be_loaded_is_refused_by_name(code, words, study):
    (study.folder / "pipelines" / "mine.py").write_text(code, encoding="utf-8")
    with pytest.raises(FlowError, match=rf"mine\.py: .*{words}"):
        run_pipeline(study, "mine")


@pytest.mark.parametrize("body", ["    raise ZeroDivisionError", "    return None", "    return ['a']"])
def test_a_pipeline_whose_cases_fail_or_are_no_cases_is_refused_by_name(body, study):
    code = f"def cases(study):\n{body}\ndef run(study, case): return ''\n"
    (study.folder / "pipelines" / "mine.py").write_text(code, encoding="utf-8")
    with pytest.raises(FlowError, match=r"mine\.py: "):
        run_pipeline(study, "mine")


@pytest.mark.parametrize("name", ["nonsense", "../configs/x", ""])
def test_an_unknown_pipeline_is_refused_and_the_choices_are_listed(name, study):
    with pytest.raises(InputError, match="expected one of baseline, deliver, followup, radiomics, receive, respond"):
        run_pipeline(study, name)


@pytest.mark.parametrize("name", [each for each in PIPELINES if each != "baseline"])
def test_a_shipped_pipeline_has_nothing_to_do_in_an_empty_study(name, study):
    assert all_well(run_pipeline(study, name))


def test_without_a_table_of_lesions_there_is_nothing_to_measure_and_the_table_is_named(study):
    with pytest.raises(InputError, match=r"lesions\.csv: no such file in tables"):
        run_pipeline(study, "baseline")


def test_visits_are_registered_before_anybody_has_named_a_lesion(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    arrive(write_series("20240301", "2"))
    outcomes = run_pipeline(study, "followup")
    assert [each.case.name for each in outcomes] == [f"{SUBJECT}/FU1/registration"]


def test_one_subject_alone_is_run_and_an_unknown_one_is_refused(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    arrive(write_series("20240105", "3", patient="HOSPITAL-2"))
    (outcome,) = run_pipeline(study, "receive", subject=SUBJECT)
    assert outcome.case.name == f"visits/{SUBJECT}"
    with pytest.raises(InputError, match=f"subject NPC-9999: expected one of .*{SUBJECT}"):
        run_pipeline(study, "receive", subject="NPC-9999")


def test_the_receive_pipeline_runs_again_only_when_something_came(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    assert statuses(run_pipeline(study, "receive")) == [Status.DONE]
    assert statuses(run_pipeline(study, "receive")) == [Status.SKIPPED]
    arrive(write_series("20240301", "2"))
    (outcome,) = run_pipeline(study, "receive")
    assert outcome.status is Status.DONE
    assert [visit.split()[0] for visit in outcome.reason.split(", ")] == ["BASELINE", "FU1"]


QUITTER = """
import sys
from npcpit_imaging.flow.run import Case
{top}

def cases(study):
    {cases}
    return [Case(name="a"), Case(name="b")]

def run(study, case):
    if case.name == "a":
        sys.exit(0)
    return "ran"
"""


def test_a_case_that_ends_the_program_has_failed_and_the_next_one_runs(study):
    (study.folder / "pipelines" / "mine.py").write_text(QUITTER.format(top="", cases="pass"), encoding="utf-8")
    outcomes = run_pipeline(study, "mine")
    assert statuses(outcomes) == [Status.FAILED, Status.DONE]
    assert "SystemExit" in outcomes[0].reason


@pytest.mark.parametrize(("top", "cases"), [("sys.exit(0)", "pass"), ("", "sys.exit(0)")])
def test_a_pipeline_that_ends_the_program_before_its_cases_is_refused_by_name(top, cases, study):
    (study.folder / "pipelines" / "mine.py").write_text(QUITTER.format(top=top, cases=cases), encoding="utf-8")
    with pytest.raises(FlowError, match=r"mine\.py: .*SystemExit"):
        run_pipeline(study, "mine")


def test_a_pipeline_that_runs_already_is_refused_and_free_again_afterwards(study, pipeline):
    """The second run starts while the first one is at its first case."""
    refusals: list[str] = []

    def start_again(_: object) -> None:
        with pytest.raises(FlowError) as caught:
            run_pipeline(study, "count")
        refusals.append(str(caught.value))

    run_pipeline(study, "count", on_outcome=start_again)
    assert set(refusals) == {"pipeline count: already running in study study; wait for it to end"}
    assert pipeline.read_text() == "a bad fault z "
    assert statuses(run_pipeline(study, "count"))[0] is Status.SKIPPED
