"""What a study holds: every series with its volume or the reason why there is none, every visit with its state."""

import json
from dataclasses import replace

import pydicom
import pytest

from npcpit_imaging.app import console
from npcpit_imaging.app.matching import LOOK
from npcpit_imaging.app.pipelines import run_pipeline
from npcpit_imaging.app.survey import survey_series, survey_study
from npcpit_imaging.errors import ConfigError
from npcpit_imaging.store.lesions import put_lesion
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.store.runs import put_runs
from npcpit_imaging.store.schema import RunRow
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState

SUBJECT = "NPC-0001"


def test_a_series_is_described_by_size_and_spacing(study, arrive, write_series, quiet):
    arrive(write_series("20240105", "1"))
    (found,) = survey_series(study, progress=quiet)
    assert (found.geometry, found.refusal) == ("8x8x3 voxels of 1x1x2.5 mm", "")
    assert (found.summary.timepoint, found.summary.instances) == ("BASELINE", 3)
    assert json.loads(json.dumps(found.as_json(), default=str))["geometry"] == found.geometry


def test_a_missing_slice_is_a_refusal_and_the_other_series_are_listed(study, arrive, write_series, quiet):
    source = write_series("20240105", "1", count=6)
    (source / "1-3").unlink()
    write_series("20240105", "2", into="series-1")
    arrive(source)
    found = survey_series(study, progress=quiet)
    refused = [each for each in found if each.refusal]
    assert len(found) == 2
    assert len(refused) == 1
    assert refused[0].summary.uid in refused[0].refusal
    assert refused[0].geometry == ""


def test_an_object_that_is_gone_or_damaged_on_disk_is_a_refusal(study, arrive, write_series, quiet):
    arrive(write_series("20240105", "1"))
    paths = sorted(study.objects.folder.rglob("*.dcm"))
    whole = paths[0].read_bytes()
    for damage in (b"", b"not DICOM at all" * 20):
        paths[0].write_bytes(damage)
        (found,) = survey_series(study, progress=quiet)
        assert "expected 3 readable objects" in found.refusal
    paths[0].unlink()
    (found,) = survey_series(study, progress=quiet)
    assert "expected 3 readable objects" in found.refusal
    paths[0].write_bytes(whole)
    (found,) = survey_series(study, progress=quiet)
    assert found.geometry


def test_one_series_in_two_studies_is_a_refusal(study, arrive, write_series, quiet):
    source = write_series("20240105", "1")
    dataset = pydicom.dcmread(source / "1-2")
    dataset.StudyInstanceUID = "1.2.3.77"
    dataset.save_as(source / "1-2")
    arrive(source)
    (found,) = survey_series(study, progress=quiet)
    assert "of 2 studies" in found.refusal


def test_an_object_that_is_no_image_says_so(study, arrive, write_series, quiet):
    arrive(write_series("20240105", "1", modality="RTSTRUCT"))
    (found,) = survey_series(study, progress=quiet)
    assert found.refusal == "RTSTRUCT is no image"
    assert found.summary.timepoint is None


def test_the_status_shows_visits_and_who_read_them(study, arrive, write_series):
    arrive(write_series("20240105", "1"))
    arrive(write_series("20240301", "2"))
    lesion = Lesion(
        lesion_id="T01", tracking_uid="2.25.7", role=LesionRole.TARGET, organ="NASOPHARYNX", location="NASOPHARYNX"
    )
    with study.database.session() as session:
        put_lesion(session, SUBJECT, lesion)
        absent = ConfirmedLesion(lesion=lesion, state=LesionState.ABSENT)
        sign_read(session, subject=SUBJECT, timepoint="FU1", reader="R1", lesions=[absent], now=study.now())
    (subject,) = survey_study(study).subjects
    assert [(visit.name, visit.series, visit.readers) for visit in subject.visits] == [
        ("BASELINE", {"CT": 1}, ()),
        ("FU1", {"CT": 1}, ("R1",)),
    ]


def test_a_failure_is_shown_until_the_same_case_is_done(study):
    file = study.folder / "pipelines" / "mine.py"
    code = (
        "from npcpit_imaging.errors import InputError\nfrom npcpit_imaging.flow.run import Case\n"
        "def cases(study): return [Case(name='a')]\n"
        "def run(study, case):\n    {body}\n"
    )
    file.write_text(code.format(body="raise InputError('expected light, found none')"), encoding="utf-8")
    run_pipeline(study, "mine")
    assert survey_study(study).failures == (("mine", "a", "expected light, found none"),)
    file.write_text(code.format(body="return 'lit'"), encoding="utf-8")
    run_pipeline(study, "mine")
    assert survey_study(study).failures == ()


def test_a_broken_protocol_is_named_by_the_status(study):
    (study.folder / "configs" / "protocol.toml").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"protocol\.toml"):
        survey_study(study)


def test_two_series_of_one_visit_are_told_apart_by_uid_and_description(study, arrive, write_series, quiet):
    arrive(write_series("20240105", "1"))
    arrive(write_series("20240105", "2"))
    found = survey_series(study, progress=quiet)
    named = [replace(each, summary=replace(each.summary, description=f"T{n}")) for n, each in enumerate(found, 1)]
    with console.OUT.capture() as shown:
        console.series_table(named)
    for name, each in zip(("T1", "T2"), named, strict=True):
        (line,) = [line for line in shown.get().splitlines() if f"…{each.summary.uid[-12:]}" in line]
        assert name in line.split()
        assert each.summary.uid not in line


def test_status_tells_which_lesions_a_reader_must_tell_apart_until_that_is_over(study, arrive, write_series, capsys):
    arrive(write_series("20240105", "1"))
    for number, reason in enumerate((f"1 split{LOOK}T01 seems to be split into T01.1, T01.2", "2 same")):
        row = {"pipeline": "followup", "case_name": f"{SUBJECT}/FU1/match", "key": str(number), "outcome": "done"}
        with study.database.session() as session:
            put_runs(session, [RunRow(**row, reason=reason, code_version="0", started=study.now(), ended=study.now())])
        found = survey_study(study)
        console.status(found)
        told = "T01 seems to be split into" in " ".join("".join(capsys.readouterr()).split())
        assert told == bool(found.undecided) == (number == 0)
