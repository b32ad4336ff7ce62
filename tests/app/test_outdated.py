"""Results rest on reads, tables and decisions as they are now, or there are none; they are whole, or those before."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from npcpit_imaging.app import result_files
from npcpit_imaging.app.delivery import deliver_subject, deliver_tables
from npcpit_imaging.app.outdated import response_state
from npcpit_imaging.app.pipelines import all_well, run_pipeline
from npcpit_imaging.app.results import deliver_results, missing_results
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.app.survey import survey_study
from npcpit_imaging.errors import OutdatedError, TableError
from npcpit_imaging.flow.run import Status
from npcpit_imaging.store.bulk import response_keys

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
records = importlib.import_module("records")

SUBJECTS = 3
"""S00000 to S00002 with 2, 3 and 4 lesions; light from 9 January 2023 on, follow-ups 42, 84, ... days after."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("records") / "study"
    records.make_store(folder, SUBJECTS, "")
    with open_study(folder) as study:
        assert all_well(run_pipeline(study, "respond"))
    return folder


@pytest.fixture
def study(template: Path, tmp_path: Path) -> Iterator[Study]:
    shutil.copytree(template, tmp_path / "study")
    with open_study(tmp_path / "study") as opened:
        yield opened


def cut(study: Study, day: str) -> None:
    path = study.folder / "configs" / "protocol.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[results]", f"[results]\ndata_cut = {day}", 1), encoding="utf-8")
    study.__dict__.pop("protocol", None)


def replaced(study: Study, name: str, old: str, new: str) -> None:
    path = study.tables / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def stale_responses(study: Study) -> list[str]:
    return [each.subject for each in survey_study(study).subjects if any(s.kind == "response" for s in each.stale)]


def test_a_new_data_cut_gives_no_results_until_the_responses_are_computed_up_to_it(study: Study):
    """10 March lies between the first follow-up and the second: results of later visits would bear that date."""
    deliver_results(study, figures=False)
    cut(study, "2023-03-10")
    for deliver in (deliver_results, deliver_tables, lambda one: deliver_subject(one, "S00000")):
        with pytest.raises(OutdatedError, match=r"S00000.*npcpit run respond"):
            deliver(study)
    assert not (study.deliver / "results").exists()  # they would tell of a state that is over
    assert stale_responses(study) == ["S00000", "S00001", "S00002"]
    assert all_well(run_pipeline(study, "respond"))
    deliver_results(study, figures=False)
    visits = pd.read_csv(study.deliver / "results" / "tables" / "lesion_timepoints.csv")
    assert set(visits["timepoint"]) == {"FU1"} and len(visits) == 2 + 3 + 4
    assert not stale_responses(study)


def test_a_changed_table_names_whose_responses_are_older_than_it(study: Study):
    replaced(study, "treatments.csv", "S00001,T02,1,2023-01-10", "S00001,T02,1,2023-01-11")
    assert response_state(study).outdated == ("S00001",) and stale_responses(study) == ["S00001"]
    with pytest.raises(OutdatedError, match=r"1 subjects \(S00001\)"):
        deliver_results(study, figures=False)
    deliver_subject_of_others_is_not_held_up(study)


def deliver_subject_of_others_is_not_held_up(study: Study) -> None:
    with pytest.raises(Exception, match=r"(?i)object|file|series") as fault:  # there are no pixels in this study
        deliver_subject(study, "S00002")
    assert not isinstance(fault.value, OutdatedError)


def test_of_a_subject_that_cannot_be_answered_no_earlier_answer_stays(study: Study):
    replaced(study, "subjects.csv", "S00001,2023-01-10", "S00001,10 January")
    failed = [each for each in run_pipeline(study, "respond") if each.status is Status.FAILED]
    assert [each.case.name for each in failed] == ["S00001"]
    with study.database.session() as session:
        assert {code for code, _ in response_keys(session)} == {"S00000", "S00002"}
    state = response_state(study)
    assert not state.outdated and list(state.refused) == ["S00001"] and "10 January" in state.refused["S00001"]
    with pytest.raises(TableError, match="10 January"):
        deliver_results(study, figures=False)
    assert not (study.deliver / "results").exists()


def test_before_the_first_follow_up_there_are_results_with_figures_and_they_are_written_again_when_a_part_is_gone(
    study: Study,
):
    cut(study, "2023-02-01")
    assert all_well(run_pipeline(study, "respond"))
    said = next(each.reason for each in run_pipeline(study, "deliver") if each.case.name == "results")
    assert said.startswith("primary endpoint 0.0 % (0 of 9 lesions in 3 patients)"), said
    assert missing_results(study) == ()
    shutil.rmtree(study.deliver / "results" / "tables")
    assert [each.split(" at ")[0] for each in missing_results(study)] == ["missing tables"]


def test_a_run_that_is_killed_while_it_writes_leaves_the_results_that_were_there(study: Study, monkeypatch):
    results = study.deliver / "results"
    deliver_results(study, figures=False)
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    write, left = result_files.write_result_table, iter(range(4))

    def killed(folder: Path, name: str, table: pd.DataFrame) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(folder, name, table)

    monkeypatch.setattr(result_files, "write_result_table", killed)
    with pytest.raises(KeyboardInterrupt):
        deliver_results(study, figures=False)
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before
    monkeypatch.undo()
    deliver_results(study, figures=False)
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before
    assert [path.name for path in study.deliver.iterdir()] == ["results"]
