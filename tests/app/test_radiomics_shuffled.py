"""Features of shuffled voxels: what shape and histogram say stays to the last digit, texture does not."""

import pandas as pd
import pytest

from npcpit_imaging.app.profile_tables import read_shuffled
from npcpit_imaging.app.radiomics_batch import batch
from npcpit_imaging.app.radiomics_cases import radiomics_cases
from npcpit_imaging.app.results import radiomic_columns
from npcpit_imaging.config.radiomics import Family
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.feature import Feature, key
from npcpit_imaging.store.bulk import StoredSize
from tests.app.test_radiomics_stability import write_files, write_table

SETTINGS = '[radiomics]\nfamilies = ["morphology", "intensity_statistics", "glcm"]\nminimum_voxels = 10\n'


@pytest.fixture
def inputs(tmp_path):
    rows = []
    for number, visit in ((1, "BASELINE"), (2, "FU1")):
        write_files(tmp_path, f"c{number}", 4.0, number)
        rows.append(
            {
                "case": f"c{number}",
                "image": f"image{number}.nii.gz",
                "mask": f"c{number}.nii.gz",
                "subject": "S1",
                "timepoint": visit,
                "lesion": "T01",
            }
        )
    return write_table(tmp_path, rows, SETTINGS)


def test_shape_and_histogram_stay_and_texture_does_not(inputs, tmp_path):
    report = batch(inputs["table"], tmp_path / "out", settings=inputs["settings"], shuffle=True)
    assert report.ok and [file.name for file in report.files] == ["shuffled.csv"]
    found = pd.read_csv(tmp_path / "out" / "shuffled.csv").set_index("case").loc["c1"]
    radiomics_cases(inputs["table"], tmp_path / "real", settings=inputs["settings"])
    real = pd.read_csv(tmp_path / "real" / "wide.csv").set_index("case").loc["c1"]
    assert found["morph_volume"] == pytest.approx(real["morph_volume"], rel=1e-12)
    assert found["stat_mean"] == pytest.approx(real["stat_mean"], rel=1e-12)
    texture = [name for name in real.index if name.startswith("cm_")]
    assert texture and sum(found[name] != real[name] for name in texture) > len(texture) / 2
    again = batch(inputs["table"], tmp_path / "out", settings=inputs["settings"], shuffle=True)
    assert {each.status.value for each in again.outcomes} == {"skipped"}


def test_results_take_the_baseline_rows_under_the_names_of_their_own_features(inputs, tmp_path):
    batch(inputs["table"], tmp_path / "out", settings=inputs["settings"], shuffle=True)
    table = read_shuffled(tmp_path / "out" / "shuffled.csv")
    assert table[["subject", "lesion"]].to_numpy().tolist() == [["S1", "T01"]]
    assert {"stat_mean", "morph_volume"} <= set(table.columns) and "case" not in table.columns
    assert read_shuffled(tmp_path / "none.csv").empty


def test_a_lesion_twice_or_without_its_visit_is_refused(tmp_path):
    path = tmp_path / "shuffled.csv"
    path.write_text("subject,lesion,timepoint,stat_mean\nS1,T01,BASELINE,1\nS1,T01,BASELINE,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="each lesion once at BASELINE, found 1 more"):
        read_shuffled(path)
    path.write_text("subject,lesion,stat_mean\nS1,T01,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="found no timepoint"):
        read_shuffled(path)


def test_only_one_kind_of_computing_at_a_time(inputs, tmp_path):
    with pytest.raises(InputError, match="found --readers and --shuffle"):
        batch(inputs["table"], tmp_path / "out", readers=True, shuffle=True)


def test_a_filtered_feature_has_the_name_that_stability_gives_it():
    """Another name would leave it out of every test as "stability not measured"."""
    size = StoredSize(
        subject="S1", timepoint="BASELINE", date=pd.Timestamp("2026-01-05").date(), reader="R1", label="", lesion="T01",
        nodal=False, state="measured", longest_diameter_mm=20.0, short_axis_mm=10.0, proposal_id=7,
    )  # fmt: skip
    found = radiomic_columns([size], [(7, "digest", "log_2mm", "stat_mean", 1.5), (7, "digest", "", "stat_mean", 2.5)])
    feature = Feature(tag="stat_mean", code="Q4LE", family=Family.INTENSITY_STATISTICS, name="mean", filter="log_2mm",
                      value=1.5, unit="HU")  # fmt: skip
    assert found[[key(feature), "stat_mean"]].to_numpy().tolist() == [[1.5, 2.5]]
