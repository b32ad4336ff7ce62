"""Quality is a value that people see: findings of a series and of visits compared, in `series` and in `status`."""

import json

import pydicom
import pytest

from npcpit_imaging import cli
from npcpit_imaging.app.survey import survey_series, survey_study
from npcpit_imaging.store.images import series_of


def change(folder, **values) -> None:
    """Set header values in every file of a folder."""
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)


@pytest.fixture
def two_visits(study, arrive, write_series):
    """A baseline with contrast of a man of 70 kg, and a follow-up without contrast that says a woman of 48 kg."""
    first, later = write_series("20240105", "1", count=6), write_series("20240405", "2", count=6)
    change(first, PatientSex="M", PatientWeight="70", ContrastBolusAgent="Iomeron 350", BodyPartExamined="NECK")
    change(later, PatientSex="F", PatientWeight="48", BodyPartExamined="NECK")
    arrive(first)
    arrive(later)
    return study


def found_in_status(study) -> set[tuple[str, str]]:
    (subject,) = survey_study(study).subjects
    return {(each.summary.timepoint or "", finding.code) for each in subject.noticed for finding in each.findings}


FOLLOW_UP = {("FU1", "wrong-patient-suspected"), ("FU1", "contrast-differs")}
FACES = {("BASELINE", "face-bearing"), ("FU1", "face-bearing")}


def test_a_follow_up_of_somebody_else_and_without_contrast_is_told_in_status_at_once(two_visits):
    """Nobody has to ask for `series` first; the baseline itself is not accused."""
    assert found_in_status(two_visits) == FOLLOW_UP | FACES


def test_series_tells_the_same_with_both_values(two_visits, quiet):
    surveyed = {each.summary.timepoint: each for each in survey_series(two_visits, progress=quiet)}
    said = {finding.text for finding in surveyed["FU1"].findings if finding.code == "wrong-patient-suspected"}
    baseline = surveyed["BASELINE"].summary.uid
    assert said == {
        f"wrong patient suspected: PatientSex (0010,0040) F, but M in series {baseline} of BASELINE",
        f"wrong patient suspected: PatientWeight (0010,1030) 48 kg, but 70 kg in series {baseline} of BASELINE",
    }
    assert {each.code for each in surveyed["BASELINE"].findings} == {"face-bearing"}


def test_series_shows_what_deidentification_did_without_an_original_value(two_visits, quiet):
    for each in survey_series(two_visits, progress=quiet):
        (report,) = each.deidentification
        assert report["subject"] == "NPC-0001"
        assert "113100" in report["codes"]
        text = json.dumps(each.as_json(), default=str)
        assert "HOSPITAL-4711" not in text
        assert "1.2.3." not in text


def test_the_command_line_shows_findings_to_people_and_programs(two_visits, capsys):
    assert cli.run(["status", str(two_visits.folder)]) == 0
    told = capsys.readouterr()
    assert "wrong patient suspected" in " ".join((told.out + told.err).split())
    assert cli.run(["status", str(two_visits.folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    codes = {finding["code"] for subject in answer["subjects"] for finding in subject["findings"]}
    assert codes == {code for _, code in FOLLOW_UP | FACES}


def test_a_gap_is_told_in_status_as_soon_as_the_series_has_settled(study, arrive, write_series):
    source = write_series("20240105", "1", count=6)
    (source / "1-3").unlink()
    arrive(source)
    assert ("BASELINE", "slice-gap") in found_in_status(study)


def test_what_was_noticed_on_the_way_in_is_kept_once_for_a_series(study, arrive, write_series):
    """Six slices with burned-in text are one finding."""
    source = write_series("20240105", "1", count=6)
    change(source, BurnedInAnnotation="YES", RecognizableVisualFeatures="NO")
    arrive(source)
    with study.database.session() as session:
        (series,) = series_of(session)
    assert [each.code for each in series.arrival_findings] == ["burned-in-annotation"]
