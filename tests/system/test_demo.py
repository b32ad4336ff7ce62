"""The demo from DICOM over the network to a delivered folder: equal to the truth, conformant, one number everywhere."""

import json
import shutil
import subprocess
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from highdicom.seg import segread
from PIL import Image

from npcpit_imaging import cli
from npcpit_imaging.app.demo import SUBJECT, run_demo
from npcpit_imaging.app.features import accepted_masks
from npcpit_imaging.app.matching import LOOK, match_study
from npcpit_imaging.app.pipelines import PIPELINES, run_pipeline
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.reading import record_reads
from npcpit_imaging.app.registrations import visit_transform
from npcpit_imaging.app.responses import shifted
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.app.survey import survey_study
from npcpit_imaging.dicom.sr_read import read_sr
from npcpit_imaging.flow.run import Status
from npcpit_imaging.store.lesions import proposals_of, put_proposal
from npcpit_imaging.store.results import features
from npcpit_imaging.store.runs import runs
from npcpit_imaging.volume.files import write_mask
from npcpit_imaging.volume.volume import Mask

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
    assert len(objects) == 29
    registrations = [path.name for path in objects if path.name.endswith("_REG.dcm")]
    assert registrations == [f"{SUBJECT}_FU1_CT_REG.dcm", f"{SUBJECT}_FU2_CT_REG.dcm"]
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


def test_every_accepted_lesion_has_a_key_image_of_the_slice_its_report_measures(study: Path, measured: pd.DataFrame):
    """The slice a picture names is the one the SR's calipers lie in; the JPEG beside it shows the same pixels."""
    seen = measured[measured.state == "measured"]
    pictures = sorted((study / "deliver").rglob("*_KEY.dcm"))
    assert len(pictures) == len(seen) == 9
    for path in pictures:
        picture = pydicom.dcmread(path)
        (row,) = seen[(seen.timepoint == path.name.split("_")[1]) & (seen.lesion == picture.TrackingID)].itertuples()
        assert picture.TrackingUID == row.tracking_uid
        assert f"LD {row.longest_diameter_mm:.1f} mm" in picture.ImageComments
        report = str(pydicom.dcmread(path.with_name(path.name.replace(f"{row.lesion}_KEY", "SR"))))
        assert picture.SourceImageSequence[0].ReferencedSOPInstanceUID in report
        shown = np.asarray(Image.open(path.with_suffix(".jpg"))).astype(int)
        assert np.abs(shown - picture.pixel_array).mean() < 3
    series = {(each.SeriesInstanceUID, each.InstanceNumber) for each in map(pydicom.dcmread, pictures)}
    assert (len(series), len({uid for uid, _ in series})) == (9, 3), "a series a visit, numbered"


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


def test_every_follow_up_says_which_lesion_is_which(study: Path):
    """T03 is absent at FU2 and nothing was drawn there; N01 is new; the others are themselves."""
    with open_study(study) as opened:
        found = {each.timepoint: each for each in match_study(opened)}
        with opened.database.session() as session:
            matched = [row for row in runs(session) if row.case_name.endswith("/match")]
        said = {row.case_name.split("/")[1]: row.reason for row in matched}
    assert set(said) == {"FU1", "FU2"}
    assert "1 new" in said["FU2"]
    assert not any(LOOK in words for words in said.values()), "nothing split, merged or took another's name"
    assert {name: each.refusal for name, each in found.items()} == {"FU1": "", "FU2": ""}
    for visit in found.values():
        assert not any(each.renamed for each in visit.matches)
        for each in visit.matches:
            assert each.kind.value != "same" or each.earlier == each.current_lesions
    names = {(name, each.kind.value, *each.earlier) for name, visit in found.items() for each in visit.matches}
    assert {("FU1", "same", "T01"), ("FU1", "same", "T02"), ("FU2", "same", "T01")} <= names


def test_an_absent_lesion_has_no_number_and_the_scripted_read_is_labelled(measured: pd.DataFrame):
    gone = measured[(measured.timepoint == "FU2") & (measured.lesion == "T03")].iloc[0]
    assert gone.state == "absent"
    numbers = ["longest_diameter_mm", "short_axis_mm", "volume_ml", "suv_max", "mtv_ml"]
    assert gone[numbers].isna().all()
    assert measured.read_label.str.startswith("SCRIPTED").all()


def test_pet_values_are_marked_as_proposals_in_table_seg_and_sr(study: Path, measured: pd.DataFrame):
    seen = measured[measured.state == "measured"]
    assert (seen.pet_status == "proposal, not confirmed").all()
    for path in sorted((study / "deliver").rglob("*_SR.dcm")):
        report = pydicom.dcmread(path)
        on_pet = "_PT_" in path.name
        flags = (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag)
        assert flags == (("PARTIAL" if on_pet else "COMPLETE"), "UNVERIFIED", ("PRELIMINARY" if on_pet else "FINAL"))
        assert ("not confirmed" in report.CompletionFlagDescription) is on_pet
        by_program = on_pet or "RADIOMICS" in path.name
        assert ("SCRIPTED^" in str(report)) is not by_program, "nobody but the program observed the PET, or a feature"


def test_every_dicom_object_of_a_labelled_read_shows_the_label(study: Path):
    of_a_read = [path for path in (study / "deliver").rglob("*.dcm") if not path.name.endswith("_REG.dcm")]
    assert len(of_a_read) == 27
    for path in of_a_read:
        assert "SCRIPTED READ" in pydicom.dcmread(path).SeriesDescription, path.name


def sum_of_targets(measured: pd.DataFrame, visit: str) -> float:
    """T01 and T03 by their longest diameter, the node T02 by its short axis, in tenths of a millimetre."""
    rows = measured[(measured.timepoint == visit) & (measured.state == "measured")].set_index("lesion")
    sizes = [rows.longest_diameter_mm["T01"], rows.short_axis_mm["T02"], rows.longest_diameter_mm["T03"]]
    return round(sum(round(float(size), 1) for size in sizes), 1)


def test_response_tables_hold_words_and_json_and_no_python(study: Path, measured: pd.DataFrame):
    rows = pd.read_csv(study / "deliver" / "responses_timepoint.csv", dtype=str, keep_default_na=False)
    assert rows.new_lesions.tolist() == ["", "N01"]
    sums = {visit: sum_of_targets(measured, visit) for visit in ("FU1", "BASELINE")}
    assert json.loads(rows.fired[0])["numbers"] == {"sum_mm": sums["FU1"], "baseline_mm": sums["BASELINE"]}
    assert sums == {"FU1": pytest.approx(42.5, abs=1.5), "BASELINE": pytest.approx(69.0, abs=1.5)}, "truth.toml's sums"
    lesions = pd.read_csv(study / "deliver" / "responses_lesion.csv", dtype=str, keep_default_na=False)
    assert lesions.timepoint.tolist() == ["FU1", "FU2"] * 3
    for path in (study / "deliver").glob("*.csv"):
        assert "['" not in path.read_text(), path.name
        assert "{'" not in path.read_text(), path.name


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
    assert len(pages) == 1 + 2 + 3 + 2
    for page in pages[3:]:
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


def test_nothing_exported_holds_a_true_date(study: Path, tmp_path: Path):
    assert cli.run(["export", str(study), str(tmp_path / "out")]) == 0
    days = [datetime.now(UTC).date() - timedelta(days=back) for back in (0, 1)]
    true = [datetime(2024, *day, tzinfo=UTC).date() for day in ((3, 4), (3, 14), (4, 29), (6, 24))]
    with open_study(study) as opened:
        moved = {shifted(opened, SUBJECT, day) for day in true}
    days += [day for day in true if day not in moved]  # one true date may by chance be another, moved
    assert len(days) >= 4
    forms = [f"{day:{form}}".upper().encode() for day in days for form in ("%Y-%m-%d", "%Y%m%d", "%d%b%y")]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {".pdf", ".dcm", ".csv", ".parquet", ".xpt", ".json", ".tfm", ".gz"} <= {path.suffix for path in files}
    for path in files:
        content = path.read_bytes()
        assert not [form for form in forms if form in content], path.name
        assert datetime.fromtimestamp(path.stat().st_mtime, UTC).year == 1980, path.name
    assert "created" not in pd.read_parquet(tmp_path / "out" / "deliver" / "features.parquet").columns


def second_reader(study: Study) -> None:
    """R2 accepts another mask of T01 at FU1 (one voxel larger along i) and otherwise what the first reader accepted."""
    with study.database.session() as session:
        (known,) = [
            each
            for each in proposals_of(session, SUBJECT)
            if (each.timepoint, each.lesion.lesion_id, each.uptake) == ("FU1", "T01", None)
        ]
    volume = open_series(study, known.series_uid)
    mask = open_mask_of(study, known, volume)
    larger = Mask(voxels=mask.voxels | np.roll(mask.voxels, 1, axis=2), geometry=mask.geometry, label=mask.label)
    path = study.folder / known.mask_path.replace(".nii.gz", "_larger.nii.gz")
    write_mask(larger, path)
    other = replace(
        known, id=0, mask_path=path.relative_to(study.folder).as_posix(), mask_sha256=larger.digest, key="of R2"
    )
    with study.database.session() as session:
        put_proposal(session, other, now=study.now())
    reads = pd.read_csv(study.tables / "reads.csv", dtype=str, keep_default_na=False)
    reads.assign(reader="R2", label="", caliper_mm="", short_caliper_mm="").to_csv(
        study.tables / "reads.csv", index=False
    )
    list(record_reads(study, study.tables / "reads.csv"))


def deliver(study: Study) -> dict[str, Status]:
    return {outcome.case.name: outcome.status for outcome in run_pipeline(study, "deliver")}


@pytest.mark.slow
def test_what_is_missing_or_changed_is_delivered_again_every_time(study: Path, tmp_path: Path):
    copy = shutil.copytree(study, tmp_path / "study")
    nothing = {f"subject/{SUBJECT}": Status.SKIPPED, "tables": Status.SKIPPED, "results": Status.SKIPPED}
    with open_study(copy) as opened:
        for name in (f"{SUBJECT}/{SUBJECT}_report.pdf",) * 2 + ("responses_finding.csv",) * 2:
            deliver(opened)
            assert deliver(opened) == nothing
            (copy / "deliver" / name).unlink()
            assert deliver(opened) != nothing
            assert (copy / "deliver" / name).is_file(), "lost again, written again"
        deliver(opened)
        with opened.database.session() as session:
            changed = next(row for row in features(session) if row.tag == "morph_volume")
            changed.value = 1234.5
        assert deliver(opened)["tables"] is Status.DONE
        assert 1234.5 in pd.read_csv(copy / "deliver" / "features.csv").value.to_numpy()


@pytest.mark.slow
def test_two_readers_have_files_of_their_own_and_no_mask_is_lost(study: Path, tmp_path: Path):
    copy = shutil.copytree(study, tmp_path / "study")
    with open_study(copy) as opened:
        before = accepted_masks(opened)
        second_reader(opened)
        for name in ("respond", "radiomics", "deliver"):
            assert Status.FAILED not in {outcome.status for outcome in run_pipeline(opened, name)}
        after = accepted_masks(opened)
    place = f"{SUBJECT}/FU1/T01/CT"
    assert set(after) - set(before) == {f"{place}/SCRIPTED", f"{place}/R2"}
    assert set(before) - set(after) == {place}
    delivered = copy / "deliver" / SUBJECT
    names = {path.name for path in delivered.iterdir()}
    assert {f"{SUBJECT}_SCRIPTED_report.pdf", f"{SUBJECT}_R2_report.pdf"} <= names
    assert {f"{SUBJECT}_FU1_CT_{reader}_T01_KEY.jpg" for reader in ("SCRIPTED", "R2")} <= names
    assert f"{SUBJECT}_report.pdf" not in names, "the report of one reader alone is over"
    masks = {}
    for reader in ("SCRIPTED", "R2"):
        report = pydicom.dcmread(delivered / f"{SUBJECT}_FU1_CT_{reader}_SR.dcm")
        assert f"{reader}^" in str(report)
        assert ("SCRIPTED READ" in report.SeriesDescription) is (reader == "SCRIPTED")
        masks[reader] = np.count_nonzero(segread(delivered / f"{SUBJECT}_FU1_CT_{reader}_SEG.dcm").pixel_array)
    assert masks["R2"] > masks["SCRIPTED"]
    wide = pd.read_parquet(copy / "deliver" / "features_wide.parquet")
    here = wide[(wide.timepoint == "FU1") & (wide.lesion == "T01") & (wide.modality == "CT")]
    assert sorted(here.readers) == ["R2", "SCRIPTED"]
    shared = wide[(wide.timepoint == "FU1") & (wide.lesion == "T02") & (wide.modality == "CT")]
    assert shared.readers.tolist() == ["R2+SCRIPTED"]


SURE_MM = 2.0
"""No carried seed claims to be surer (uncertainty_floor_mm of the plan)."""


def test_a_seed_carried_from_the_baseline_falls_where_the_truth_says(study: Path):
    """The registration is exact at each target; a mask's carried centre is as far from the later lesion's as in truth.

    T01 shrinks towards one side: by truth.toml its first centre lies 7.4 mm from the centre at FU2, just outside of
    what is left (half axes 8.0 and 5.5 mm). So no seed of it has to lie inside there; of the others every one does.
    """
    truth = tomllib.loads((SAMPLE / "truth.toml").read_text())
    with open_study(study) as opened:
        with opened.database.session() as session:
            stored = [each for each in proposals_of(session, SUBJECT) if each.uptake is None]
        masks = {(each.timepoint, each.lesion.lesion_id): each for each in stored}
        seen = []
        for (visit, name), proposal in masks.items():
            known = truth["lesion"][name]["at"]
            if visit == "BASELINE" or "center_mm" not in known["BASELINE"] or "center_mm" not in known[visit]:
                continue
            motion = np.array(truth["timepoint"][visit]["series"]["CT"]["baseline_ct_to_series"])
            first, later = (np.array(known[when]["center_mm"]) for when in ("BASELINE", visit))
            expected = motion[:3, :3] @ first + motion[:3, 3]
            transform, _ = visit_transform(opened, SUBJECT, visit)
            assert np.linalg.norm(transform.inverse().map(first) - expected) <= 0.3, f"{visit} {name}"
            baseline = masks["BASELINE", name]
            source, target = (open_series(opened, each.series_uid) for each in (baseline, proposal))
            points = source.geometry.to_mm(np.argwhere(open_mask_of(opened, baseline, source).voxels))
            seed = transform.inverse().map(points.mean(axis=0))
            moved = np.linalg.norm(expected - later)
            assert abs(np.linalg.norm(seed - later) - moved) <= SURE_MM, f"{visit} {name}"
            if moved < SURE_MM:
                index = np.rint(target.geometry.to_index(seed)).astype(int)
                assert open_mask_of(opened, proposal, target).voxels[tuple(index)], f"{visit} {name}"
            seen.append((visit, name))
    assert sorted(seen) == [("FU1", "T01"), ("FU1", "T02"), ("FU1", "T03"), ("FU2", "T01"), ("FU2", "T02")]


def test_the_delivered_registration_moves_the_baselines_points_onto_the_follow_up(study: Path):
    """PS3.3 C.20.2.1.1 by hand: the moving item's matrix takes T02's known centre to its known place at FU1 and FU2."""
    truth = tomllib.loads((SAMPLE / "truth.toml").read_text())
    for visit in ("FU1", "FU2"):
        written = pydicom.dcmread(study / "deliver" / SUBJECT / f"{SUBJECT}_{visit}_CT_REG.dcm")
        moving = written.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
        matrix = np.array(moving.FrameOfReferenceTransformationMatrix, float).reshape(4, 4)
        motion = np.array(truth["timepoint"][visit]["series"]["CT"]["baseline_ct_to_series"])
        centre = np.array([*truth["lesion"]["T02"]["at"]["BASELINE"]["center_mm"], 1.0])
        assert np.linalg.norm((matrix @ centre - motion @ centre)[:3]) <= 0.3, visit


POSITIONS = {
    ("FU1", "T01"): "in", ("FU1", "T02"): "out", ("FU1", "T03"): "in",
    ("FU2", "N01"): "out", ("FU2", "T01"): "in", ("FU2", "T02"): "out",
}  # fmt: skip
"""T01 and T03 were lit, T02 and the new N01 were not: the fibres of truth.toml, planned on the baseline CT."""


def test_the_pipelines_say_which_lesion_lies_in_the_field(study: Path):
    """In the follow-up's outcome, in the status and beside the reader's own word in a table."""
    found = pd.read_csv(study / "deliver" / "field_positions.csv", keep_default_na=False)
    said = {(row.timepoint, row.lesion_id): row.position for row in found.itertuples()}
    assert {key: said[key] for key in POSITIONS} == POSITIONS
    assert {said["BASELINE", name] for name in ("T01", "T03")} == {"in"}
    carried = found[found.timepoint != "BASELINE"]
    assert (carried.margin_mm >= 4).all(), "a carried field's edge is in doubt"
    assert found[found.lesion_id == "N01"].read_position.tolist() == ["out"], "what the reader said stands beside"
    with open_study(study) as opened:
        (subject,) = survey_study(opened).subjects
    visits = {visit.name: visit.field for visit in subject.visits}
    assert visits["FU2"].startswith("N01 (NEW) out ("), "the new lesion comes first"
    assert visits["BASELINE"] == ""


def test_the_field_verb_writes_a_line_per_lesion(study: Path, tmp_path: Path):
    """The same positions for the newest masks, without a read."""
    assert cli.run(["field", str(study), "-o", str(tmp_path / "positions.csv")]) == 0
    found = pd.read_csv(tmp_path / "positions.csv")
    said = {(row.timepoint, row.lesion_id): row.position for row in found.itertuples()}
    assert {key: said[key] for key in POSITIONS} == POSITIONS
