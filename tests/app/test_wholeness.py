"""No pipeline computes from a series that is still arriving or lacks objects: the case is skipped and says why."""

from pathlib import Path

import pytest

from npcpit_imaging.app.arrivals import Arrivals
from npcpit_imaging.app.completeness import settle_series
from npcpit_imaging.app.lesions import LESION_COLUMNS, PROMPT_COLUMNS
from npcpit_imaging.app.pipelines import run_pipeline
from npcpit_imaging.app.receiving import spool_of
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.flow.run import Status
from npcpit_imaging.store.completeness import mark_incomplete
from npcpit_imaging.store.images import series_of
from npcpit_imaging.study.timepoint import BASELINE

SUBJECT = "NPC-0001"
LESION = f"{SUBJECT},T01,TARGET,NASOPHARYNX,NASOPHARYNX,no,yes,yes,"


def push(study: Study, folder: Path, *names: str) -> str:
    """Take some files as a receiver would, and assemble the visits; returns the series' UID."""
    arrivals = Arrivals(study)
    uid = [arrivals.take(folder / name).series_uid for name in names][-1]
    arrivals.assemble()
    return uid


def hand_in(folder: Path) -> None:
    """One lesion, and a box around it on the baseline CT."""
    tables = folder / "tables"
    (tables / "lesions.csv").write_text("\n".join((",".join(LESION_COLUMNS), LESION, "")), encoding="utf-8")
    values = {"subject": SUBJECT, "timepoint": BASELINE, "lesion": "T01", "modality": "CT"}
    values |= {"kind": "box", "coordinates_mm": "1,1,1:6,6,9"}
    row = ",".join(f'"{values.get(column, "")}"' for column in PROMPT_COLUMNS)
    (tables / "prompts.csv").write_text("\n".join((",".join(PROMPT_COLUMNS), row, "")), encoding="utf-8")


def on_ct(study: Study) -> tuple[Status, str]:
    """Outcome of the only lesion's case on the baseline CT."""
    return {each.case.name: (each.status, each.reason) for each in run_pipeline(study, "baseline")}[
        f"{SUBJECT}/{BASELINE}/T01/CT"
    ]


def test_a_series_that_is_still_arriving_is_skipped_until_it_has_settled(folder, study, write_series):
    uid = push(study, write_series("20240105", "1", count=6), *(f"1-{number}" for number in range(6)))
    hand_in(folder)
    status, reason = on_ct(study)
    assert status is Status.SKIPPED
    assert f"series {uid}: expected a whole series, found it receiving with 6 objects" in reason
    settle_series(study, settle_s=0)
    assert "whole series" not in on_ct(study)[1], "the segmenter may find nothing, but the series is measured"


def test_a_series_known_to_lack_its_last_slices_is_skipped_until_a_person_accepts_it(folder, study, write_series):
    """Its geometry is plausible: only the archive's count tells that a part of the tumour may be missing."""
    uid = push(study, write_series("20240105", "1", count=6), *(f"1-{number}" for number in range(5)))
    hand_in(folder)
    with study.database.session() as session:
        mark_incomplete(session, uid, expected=6, reason="the PACS does not send 1 of 6")
    status, reason = on_ct(study)
    assert status is Status.SKIPPED
    assert "found it incomplete with 5 objects (the PACS does not send 1 of 6)" in reason
    site = folder / "configs" / "site.toml"
    text = site.read_text(encoding="utf-8")
    assert text.count("accepted = []") == 1
    site.write_text(text.replace("accepted = []", f'accepted = ["{uid}"]'), encoding="utf-8")
    with open_study(folder) as accepting:
        assert "whole series" not in on_ct(accepting)[1]


def test_a_series_that_has_been_silent_long_enough_is_judged_by_the_pipeline_itself(folder, write_series):
    site = folder / "configs" / "site.toml"
    site.write_text(site.read_text(encoding="utf-8").replace("settle_s = 30.0", "settle_s = 0.0"), encoding="utf-8")
    hand_in(folder)
    with open_study(folder) as study:
        push(study, write_series("20240105", "1", count=6), *(f"1-{number}" for number in range(6)))
        assert "whole series" not in on_ct(study)[1]
        with study.database.session() as session:
            assert [each.state for each in series_of(session)] == ["quiet"]


@pytest.mark.parametrize("name", ["followup", "baseline"])
def test_an_open_series_stops_no_case_that_does_not_use_it(name, folder, study, arrive, write_series):
    """A follow-up still arriving leaves the baseline alone, and its own cases are skipped, not failed."""
    arrive(write_series("20240105", "1", count=6))
    uid = push(study, write_series("20240405", "2", count=6), *(f"2-{number}" for number in range(6)))
    hand_in(folder)
    outcomes = {each.case.name: each for each in run_pipeline(study, name)}
    waiting = [case for case, each in outcomes.items() if uid in each.reason]
    assert waiting == ([f"{SUBJECT}/FU1/registration"] if name == "followup" else [])
    assert all(outcomes[case].status is Status.SKIPPED for case in waiting)


def test_the_receive_pipeline_names_every_series_that_no_step_will_measure(study, write_series):
    uid = push(study, write_series("20240105", "1", count=6), "1-0", "1-1", "1-2", "1-4", "1-5")
    settle_series(study, settle_s=0)
    outcomes = {each.case.name: each for each in run_pipeline(study, "receive")}
    assert outcomes[f"series/{uid}"].status is Status.SKIPPED
    assert "incomplete" in outcomes[f"series/{uid}"].reason
    push(study, write_series("20240105", "1", count=6), "1-3")
    settle_series(study, settle_s=0)
    assert [each.case.name for each in run_pipeline(study, "receive")] == [f"visits/{SUBJECT}"]


def test_while_a_receiver_runs_a_pipeline_leaves_the_verdict_to_it(folder, write_series):
    """Only the receiver knows which associations are open."""
    site = folder / "configs" / "site.toml"
    site.write_text(site.read_text(encoding="utf-8").replace("settle_s = 30.0", "settle_s = 0.0"), encoding="utf-8")
    hand_in(folder)
    with open_study(folder) as study:
        push(study, write_series("20240105", "1", count=6), *(f"1-{number}" for number in range(6)))
        with spool_of(study):
            assert on_ct(study)[0] is Status.SKIPPED
