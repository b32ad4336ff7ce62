"""Results from tables alone: the smallest table there can be, refusals, and best response from our own time points."""

import pandas as pd
import pytest

from npcpit_imaging.app.analyse import AnalyseFiles, analyse
from npcpit_imaging.app.respond import best_response, respond
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import InputError

HEADER = (
    "subject,timepoint,date,reader,lesion,role,organ,nodal,irradiated,state,longest_diameter_mm,short_axis_mm,field\n"
)
ROWS = (
    "S1,BASELINE,2026-01-05,R1,T01,target,nasopharynx,no,yes,measured,32.0,,in\n"
    "S1,FU1,2026-02-23,R1,T01,target,nasopharynx,no,yes,measured,20.0,,in\n"
    "S1,FU2,2026-04-06,R1,T01,target,nasopharynx,no,yes,measured,26.3,,in\n"
)


@pytest.fixture
def files(tmp_path) -> AnalyseFiles:
    texts = {
        "m.csv": HEADER + ROWS,
        "s.csv": "subject,treatment_start,last_contact\nS1,2026-01-12,2026-04-20\n",
        "t.csv": "subject,lesion,cycle,date\nS1,T01,1,2026-01-12\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return AnalyseFiles(measurements=tmp_path / "m.csv", subjects=tmp_path / "s.csv", treatments=tmp_path / "t.csv")


def test_one_lesion_of_one_patient_has_results_with_every_figure(files, tmp_path):
    report = analyse(files, tmp_path / "out", protocol=Protocol())
    assert report.faults == ()
    assert "primary endpoint 100.0 % (1 of 1 lesions in 1 patients)" in report.said
    times = pd.read_csv(tmp_path / "out" / "tables" / "time_to_event.csv")
    pfs = times[times["endpoint"] == "progression-free survival"].iloc[0]
    assert (pfs["events"], pfs["median_days"]) == (1, 85)  # 12 January to 6 April, both counted
    local = times[times["endpoint"] == "time to local progression"].iloc[0]
    assert (local["level"], local["median_days"]) == ("lesion", 85)
    assert (tmp_path / "out" / "figures" / "waterfall_lesions.svg").is_file()
    assert "one patient" in (tmp_path / "out" / "results.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["BASELINE", "baseline", "SCREENING"])
def test_size_and_flags_are_those_of_the_baseline_whatever_it_is_called(name, files, tmp_path):
    """32 mm before treatment, no node, not irradiated before; FU1's 20 mm is no predictor."""
    files.measurements.write_text(HEADER + ROWS.replace("BASELINE", name), encoding="utf-8")
    analyse(files, tmp_path / "out", protocol=Protocol())
    (lesion,) = pd.read_csv(tmp_path / "out" / "tables" / "profiles_lesions.csv").to_dict("records")
    assert (lesion["longest_diameter_mm"], lesion["nodal"], lesion["prior_rt"]) == (32.0, False, False)
    screened = pd.read_csv(tmp_path / "out" / "tables" / "association_screening.csv")
    assert {"longest_diameter_mm", "nodal", "prior_rt"} <= set(screened["predictor"])


def test_a_refused_row_writes_nothing(files, tmp_path):
    files.measurements.write_text(HEADER + ROWS.replace("20.0", "twenty"), encoding="utf-8")
    report = analyse(files, tmp_path / "out", protocol=Protocol())
    assert any("twenty" in fault.text for fault in report.faults)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_left_alone(files, tmp_path):
    with pytest.raises(InputError, match="found something else"):
        analyse(files, tmp_path, protocol=Protocol())


def test_best_response_reads_our_own_table_of_time_points(files, tmp_path):
    """The same best responses from respond's CSV as respond itself gives (with the date SD counts from)."""
    answered = respond(files.measurements, protocol=Protocol(), subjects=files.subjects, treatments=files.treatments)
    answered.write_csv(tmp_path / "csv")
    report = best_response(tmp_path / "csv" / "timepoints.csv", protocol=Protocol())
    assert report.faults == ()
    (row,) = report.subjects
    (expected,) = answered.subjects
    assert (row["bor"], row["bor_date"]) == (expected["bor"], expected["bor_date"]) == ("PR", "2026-02-23")


def test_best_response_never_mixes_readers(files, tmp_path):
    second = ROWS.replace(",R1,", ",R2,").replace("20.0", "30.0")
    files.measurements.write_text(HEADER + ROWS + second, encoding="utf-8")
    answered = respond(files.measurements, protocol=Protocol(), subjects=files.subjects, treatments=files.treatments)
    answered.write_csv(tmp_path / "csv")
    report = best_response(tmp_path / "csv" / "timepoints.csv", protocol=Protocol())
    assert "time points of one reader, found R1, R2" in report.faults[0].text
    assert report.subjects == ()
