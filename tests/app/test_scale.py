"""Ten thousand subjects: a table is asked once for many of them, so statements do not grow with their number."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, select

from npcpit_imaging.app.delivery import deliver_tables, results_inputs_of_each
from npcpit_imaging.app.delivery_tables import feature_rows
from npcpit_imaging.app.pipelines import all_well, run_pipeline
from npcpit_imaging.app.results import deliver_results
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.app.survey import survey_study
from npcpit_imaging.store.bulk import baselines
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.results import put_features
from npcpit_imaging.store.schema import FeatureRow, ProposalRow

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
records = importlib.import_module("records")

FEW, MORE = 3, 9
"""Subjects; of nine some have every number of lesions and every course that the benchmark knows."""


@pytest.fixture(scope="module")
def few_and_more(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = [tmp_path_factory.mktemp("records") / "study" for _ in range(2)]
    for folder, count in zip(folders, (FEW, MORE), strict=True):
        records.make_store(folder, count, "")
    return folders[0], folders[1]


@contextmanager
def counted(study: Study) -> Iterator[list[str]]:
    """Every statement that reaches the database."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(study.database.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(study.database.engine, "before_cursor_execute", note)


def _respond(study: Study) -> None:
    assert all_well(run_pipeline(study, "respond", again=True))


def _inputs(study: Study) -> None:
    with study.database.session() as session:
        codes = subjects(session)
    assert all(results_inputs_of_each(study, codes).values())


VERBS: dict[str, Callable[[Study], object]] = {
    "status": survey_study,
    "respond": _respond,
    "inputs of deliver": _inputs,
    "tables of deliver": deliver_tables,
    "results of deliver": lambda study: deliver_results(study, figures=False),
}


@pytest.mark.parametrize("verb", VERBS)
def test_three_times_the_subjects_are_no_more_statements(
    few_and_more: tuple[Path, Path], verb: str, monkeypatch: pytest.MonkeyPatch
):
    """A statement a subject is what made 500 of them take minutes."""
    monkeypatch.setattr("npcpit_imaging.app.ledger.HELD_S", 3600.0)  # on a slow machine rows are written more often
    monkeypatch.setattr("npcpit_imaging.app.ledger.QUICK_S", 3600.0)
    counts = []
    for folder in few_and_more:
        with open_study(folder) as study:
            _respond(study)
            with counted(study) as said:
                VERBS[verb](study)
        counts.append(len(said))
    assert counts[0] == counts[1] > 0, counts


def test_a_subject_nobody_read_is_skipped_and_one_read_only_after_the_data_cut_is_in_no_table(tmp_path: Path):
    """Neither is a fault, and neither stops the tables of the others."""
    folder = tmp_path / "study"
    records.make_store(folder, FEW, "")
    protocol = folder / "configs" / "protocol.toml"
    # subjects begin on three days in a row: the cut is the day of the second one's baseline images
    with open_study(folder) as study, study.database.session() as session:
        days = sorted(baselines(session).values())
        session.add(records.SubjectRow(code="UNREAD", deidentified=False, created=records.NOW))
    text = protocol.read_text(encoding="utf-8")
    protocol.write_text(text.replace("[results]", f"[results]\ndata_cut = {days[1]}", 1), encoding="utf-8")
    with open_study(folder) as study:
        assert study.protocol.results.data_cut == days[1]
        said = {each.case.name: (each.status, each.reason) for each in run_pipeline(study, "respond")}
        deliver_tables(study)
    assert said["UNREAD"] == ("skipped", "no signed read")
    assert said["S00002"] == ("done", "no read on or before the data cut")
    assert said["S00001"][0] == "done" != said["S00001"][1]
    sizes = (folder / "deliver" / "sdtm" / "adtr.csv").read_text(encoding="utf-8")
    assert ("S00001" in sizes, "S00002" in sizes) == (True, False)


def test_features_stand_in_the_same_order_whichever_mask_was_proposed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With several workers the order of proposing is chance."""
    rows_of, found = records.rows_of, []

    def backwards(number: int, draw: object) -> Iterator[tuple[type, dict[str, object]]]:
        for kind, row in rows_of(number, draw):
            for name in ("id", "proposal_id"):
                if name in row and row[name] and (kind.__tablename__ == "proposal" or name == "proposal_id"):
                    row[name] = 10_000 - row[name]
            yield kind, row

    for rows in (rows_of, backwards):
        monkeypatch.setattr(records, "rows_of", rows)
        folder = tmp_path / rows.__name__
        records.make_store(folder, FEW, "")
        with open_study(folder) as study:
            with study.database.session() as session:
                for mask in session.scalars(select(ProposalRow)).all():
                    put_features(session, mask.id, "settings", [a_feature(mask.id, tag) for tag in ("b", "a")])
            found.append([tuple(map(str, row.values())) for row in feature_rows(study)])
    assert len(found[0]) > 50
    assert found[0] == found[1]


def a_feature(proposal: int, tag: str) -> FeatureRow:
    """A feature of a mask without pixels."""
    return FeatureRow(
        proposal_id=proposal,
        filter="",
        settings_sha256="settings",
        tag=tag,
        code="",
        family="statistics",
        value=1.0,
        unit="",
        status="computed",
        reason="",
        provenance={},
        created=records.NOW,
    )
