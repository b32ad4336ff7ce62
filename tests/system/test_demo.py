"""The demo from DICOM over the network to a delivered folder: equal to the truth, conformant, one number everywhere."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from highdicom.seg import segread
from PIL import Image

from npcpit_imaging import cli
from npcpit_imaging.app.demo import run_demo
from npcpit_imaging.app.pipelines import PIPELINES, run_pipeline
from npcpit_imaging.app.study import open_study
from npcpit_imaging.dicom.sr_read import read_sr
from npcpit_imaging.flow.run import Status

SAMPLE = Path(__file__).parents[2] / "sample_dicom"
IDENTIFIERS = (b"SYN-0001", b"SYNTHETIC", b"2.25.49018086514087222551448796073459732216")
"""Of the patient as sent: Patient ID, name, a series UID. None may leave the vault."""

AXES = {"Long Axis": "longest_diameter_mm", "Short Axis": "short_axis_mm", "Volume": "volume_ml"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "study"
    assert run_demo(folder, SAMPLE), "every size and response of the demo equals truth.toml"
    return folder


@pytest.fixture(scope="module")
def measured(study: Path) -> pd.DataFrame:
    return pd.read_csv(study / "deliver" / "measurements.csv")


def test_every_seg_and_sr_is_conformant(study: Path, dciodvfy: str):
    objects = sorted((study / "deliver").rglob("*.dcm"))
    assert len(objects) == 12
    for path in objects:
        said = subprocess.run([dciodvfy, path], capture_output=True, text=True, check=False)
        assert [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")] == [], path.name


def test_the_reports_numbers_are_the_tables_numbers(study: Path, measured: pd.DataFrame):
    compared = 0
    for path in sorted((study / "deliver").rglob("*_CT_SR.dcm")):
        visit = path.name.split("_")[1]
        for value in read_sr(path):
            row = measured[(measured.timepoint == visit) & (measured.tracking_uid == value.tracking_uid)]
            assert len(row) == 1
            assert value.value == pytest.approx(float(row[AXES[value.name]].iloc[0]), abs=1e-3)
            compared += 1
    assert compared == 9 * 3


def test_segments_carry_the_lesions_tracking_uids_and_volumes(study: Path, measured: pd.DataFrame):
    compared = 0
    for path in sorted((study / "deliver").rglob("*_CT_SEG.dcm")):
        segmentation = segread(path)
        volume = segmentation.get_volume(combine_segments=False)
        voxel_ml = float(np.prod(volume.spacing)) / 1000
        for number in segmentation.segment_numbers:
            described = segmentation.get_segment_description(number)
            row = measured[
                (measured.timepoint == path.name.split("_")[1]) & (measured.tracking_uid == described.tracking_uid)
            ]
            assert described.tracking_id == row.lesion.iloc[0]
            voxels = np.count_nonzero(volume.array[..., number - 1])
            assert voxels * voxel_ml == pytest.approx(float(row.volume_ml.iloc[0]), rel=1e-3)
            compared += 1
    assert compared == 9


def test_an_absent_lesion_has_no_number_and_the_scripted_read_is_labelled(measured: pd.DataFrame):
    gone = measured[(measured.timepoint == "FU2") & (measured.lesion == "T03")].iloc[0]
    assert gone.state == "absent"
    numbers = ["longest_diameter_mm", "short_axis_mm", "volume_ml", "suv_max", "mtv_ml"]
    assert gone[numbers].isna().all()
    assert measured.read_label.str.startswith("SCRIPTED").all()


def test_features_are_long_and_wide_and_a_refused_one_has_its_reason(study: Path):
    long = pd.read_parquet(study / "deliver" / "features.parquet")
    wide = pd.read_parquet(study / "deliver" / "features_wide.parquet")
    assert set(long.status) <= {"computed", "undefined", "refused"}
    assert (long[long.status != "computed"].reason != "").all()
    one = long[(long.status == "computed") & (long["filter"] == "")].iloc[0]
    row = wide[(wide.tracking_uid == one.tracking_uid) & (wide.series_uid == one.series_uid)]
    assert float(row[one.tag].iloc[0]) == one.value


def test_the_pdf_has_a_page_of_pictures_per_visit_and_registration(study: Path, pdftoppm: str, tmp_path: Path):
    (report,) = (study / "deliver").rglob("*_report.pdf")
    subprocess.run([pdftoppm, "-r", "40", "-png", report, tmp_path / "page"], check=True)
    pages = [np.asarray(Image.open(path).convert("L")) for path in sorted(tmp_path.glob("*.png"))]
    assert len(pages) == 1 + 3 + 2
    for page in pages[1:]:
        assert np.count_nonzero(page < 128) > 0.02 * page.size, "a page of pictures is not blank"


def test_nothing_outside_the_vault_identifies_the_patient(study: Path):
    for path in study.rglob("*"):
        if path.is_file() and study / "vault" not in path.parents:
            content = path.read_bytes()
            assert not any(identifier in content for identifier in IDENTIFIERS), path.relative_to(study)


def test_a_second_run_of_every_pipeline_does_nothing_again(study: Path):
    with open_study(study) as opened:
        for name in PIPELINES[1:]:
            outcomes = run_pipeline(opened, name)
            assert outcomes
            assert {outcome.status for outcome in outcomes} == {Status.SKIPPED}, name


def test_an_export_holds_checksums_and_only_accepted_masks(study: Path, measured: pd.DataFrame, tmp_path: Path):
    assert cli.run(["export", str(study), str(tmp_path / "out")]) == 0
    masks = sorted((tmp_path / "out" / "derived").rglob("*_CT_*.nii.gz"))
    assert len(masks) == int((measured.state == "measured").sum())
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, check=False
    )
    assert checked.returncode == 0
