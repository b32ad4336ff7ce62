"""A table of cases: one bad case never hides another, nothing is lost, and kill -9 costs only what was under way."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from npcpit_imaging.app import radiomics_inputs
from npcpit_imaging.app.pace import Pace
from npcpit_imaging.app.radiomics_cases import radiomics_cases
from npcpit_imaging.app.radiomics_parts import Part, part_path, read_part, write_part
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.flow.run import ALREADY_DONE, Case, Outcome, Status
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.files import write_mask, write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

NAMES = ["subject", "lesion_uid", "time_point"]
SETTINGS = """
[radiomics]
families = ["morphology", "intensity_statistics"]
minimum_voxels = 10
"""
FAULTS = (
    "missing image",
    "missing mask",
    "other grid",
    "empty mask",
    "tiny mask",
    "label",
    "modality",
    "no image file",
)
EXPECTED = {
    "missing image": "image: gone.nii.gz: no such file or folder",
    "missing mask": "mask: expected a value, found none",
    "other grid": "expected the image's voxels",
    "empty mask": "no feature could be computed: mask: expected",
    "tiny mask": "expected at least 10 voxels after interpolation and resegmentation, found 2",
    "label": "label 7 not present, found [1]",
    "modality": "modality: expected CT, MR, PT, OT, found 'XX'",
    "no image file": "not an image",
}


def ball(radius, shape=(16, 16, 16)):
    k, j, i = np.indices(shape)
    return (k - 7.5) ** 2 + (j - 7.5) ** 2 + (i - 7.5) ** 2 <= radius**2


def write_case(folder, name, number, *, inside=None):
    """A lesion of known mean: 100 + number everywhere inside, but for one voxel that is 1 higher, in fat and air."""
    inside = ball(4.0) if inside is None else inside
    geometry = Geometry(shape_kji=(16, 16, 16), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    voxels = np.where(inside, 100.0 + number, -100.0)
    voxels[8, 8, 8] += 1.0
    voxels[0, 0, 0] = -1000.0
    write_volume(Volume(voxels=voxels, geometry=geometry), folder / f"{name}.nii.gz")
    write_mask(Mask(voxels=inside, geometry=geometry), folder / f"{name}_mask.nii.gz")
    return {"case": name, "image": f"{name}.nii.gz", "mask": f"{name}_mask.nii.gz", "modality": "CT"}


def write_faulty(folder, name, fault):
    """A case with one fault."""
    inside = {"empty mask": ball(0.0), "tiny mask": ball(1.0) & (np.arange(16) == 7)}.get(fault)
    if fault == "tiny mask":
        inside &= (np.arange(16) == 7)[:, None]
    row = write_case(folder, name, 0, inside=inside)
    if fault == "other grid":
        geometry = Geometry(shape_kji=(16, 16, 16), origin_mm=(3.3, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
        write_mask(Mask(voxels=ball(4.0), geometry=geometry), folder / row["mask"])
    if fault == "no image file":
        (folder / row["image"]).write_bytes(b"not an image")
    changes = {"missing image": {"image": "gone.nii.gz"}, "missing mask": {"mask": ""}, "label": {"label": "7"}}
    return row | changes.get(fault, {"modality": "XX"} if fault == "modality" else {})


def write_table(folder, rows):
    path = folder / "cases.csv"
    columns = ["case", "image", "mask", "subject", "timepoint", "lesion", "modality", "label", "settings"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_settings(folder, text=SETTINGS):
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def cohort(tmp_path):
    """A table of ten good cases among which every fault stands, and its settings."""
    rows = [write_case(tmp_path, f"good{n}", n) for n in range(10)]
    for place, fault in enumerate(FAULTS):
        rows.insert(place * 2, write_faulty(tmp_path, f"bad {fault}", fault))
    return write_table(tmp_path, rows), write_settings(tmp_path), rows


def test_every_case_has_its_outcome_in_order_and_every_value_its_place(cohort, tmp_path):
    """Ten good and eight faulty cases in two processes: ten rows of values, eight reasons."""
    table, settings, rows = cohort
    told = []
    report = radiomics_cases(
        table, tmp_path / "out", settings=settings, workers=2, tell=lambda done, text: told.append((done, text))
    )
    assert [each.case.name for each in report.outcomes] == [row["case"] for row in rows]
    reasons = {each.case.name: each.reason for each in report.outcomes if each.status is Status.FAILED}
    assert set(reasons) == {f"bad {fault}" for fault in FAULTS}
    for fault in set(FAULTS) - {"no image file"}:
        assert EXPECTED[fault] in reasons[f"bad {fault}"]
    assert "cannot be read" in reasons["bad no image file"]
    assert not report.ok
    assert told[-1][0] == 1.0 and "18 of 18 (10 done, 8 failed)" in told[-1][1] and "cases/s" in told[-1][1]

    wide = pd.read_csv(tmp_path / "out" / "wide.csv").set_index("case")
    inside = np.count_nonzero(ball(4.0))
    assert list(wide.index) == [f"good{n}" for n in range(10)]
    for n in range(10):
        assert wide.loc[f"good{n}", "stat_mean"] == pytest.approx(100.0 + n + 1.0 / inside, rel=1e-6)
    parquet = pd.read_parquet(tmp_path / "out" / "wide.parquet").set_index("case")
    np.testing.assert_allclose(parquet.drop(columns=NAMES).to_numpy(), wide.drop(columns=NAMES).to_numpy(), rtol=1e-12)

    long = pd.read_parquet(tmp_path / "out" / "long.parquet")
    refused = long[long.case.isin(["bad empty mask", "bad tiny mask"])]
    assert set(long[long.status == "computed"].case) == set(wide.index)
    assert len(refused) == 2 * 47 and refused.value.isna().all() and (refused.reason != "").all()
    assert len(pd.read_csv(tmp_path / "out" / "long.csv")) == len(long)
    dictionary = pd.read_csv(tmp_path / "out" / "dictionary.csv")
    assert list(dictionary["column"]) == [
        name for name in wide.columns if name not in ("subject", "lesion_uid", "time_point")
    ]
    outcomes = pd.read_csv(tmp_path / "out" / "outcomes.csv")
    assert list(outcomes.status.value_counts()) == [10, 8]
    assert outcomes.line.tolist() == list(range(2, 20))


def test_only_what_changed_is_computed_again(tmp_path):
    """A changed mask, changed settings, a mended case; names in the table are taken from it anew."""
    rows = [write_case(tmp_path, f"c{n}", n) for n in range(3)]
    rows[1]["mask"] = "gone.nii.gz"
    settings = write_settings(tmp_path)

    def run(**names):
        table = write_table(tmp_path, [row | names for row in rows])
        return [each.reason for each in radiomics_cases(table, tmp_path / "out", settings=settings).outcomes]

    done = "47 of 47 features computed"
    assert run() == [done, "mask: gone.nii.gz: no such file or folder", done]
    rows[1]["mask"] = "c1_mask.nii.gz"
    assert run() == [ALREADY_DONE, done, ALREADY_DONE]
    write_case(tmp_path, "c2", 2, inside=ball(5.0))
    assert run(subject="NPC-001") == [ALREADY_DONE, ALREADY_DONE, done]
    assert set(pd.read_csv(tmp_path / "out" / "wide.csv").subject) == {"NPC-001"}
    write_settings(tmp_path, SETTINGS.replace("10", "11"))
    assert run() == [done, done, done]
    part_path(tmp_path / "out", "c0").write_text("{", encoding="utf-8")
    assert run() == [done, ALREADY_DONE, ALREADY_DONE]


def test_values_of_a_case_that_fails_now_leave_the_tables(tmp_path):
    """Its image was taken away: what was computed from it before is no result of this table."""
    rows = [write_case(tmp_path, f"c{n}", n) for n in range(2)]
    settings = write_settings(tmp_path)
    radiomics_cases(write_table(tmp_path, rows), tmp_path / "out", settings=settings)
    (tmp_path / "c0.nii.gz").unlink()
    report = radiomics_cases(tmp_path / "cases.csv", tmp_path / "out", settings=settings)
    assert [each.status for each in report.outcomes] == [Status.FAILED, Status.SKIPPED]
    assert list(pd.read_csv(tmp_path / "out" / "wide.csv").case) == ["c1"]
    assert set(pd.read_csv(tmp_path / "out" / "long.csv").case) == {"c1"}


def test_cases_of_other_settings_have_a_wide_table_of_their_own(tmp_path):
    """CT and PET of a cohort stand in one table of cases and never in one wide table."""
    rows = [write_case(tmp_path, f"c{n}", n) for n in range(2)]
    (tmp_path / "other.toml").write_text(SETTINGS.replace("10", "12"), encoding="utf-8")
    rows[1]["settings"] = "other.toml"
    report = radiomics_cases(write_table(tmp_path, rows), tmp_path / "out", settings=write_settings(tmp_path))
    wide = [file for file in report.tables.files if file.name.startswith("wide_") and file.suffix == ".csv"]
    assert [list(pd.read_csv(file).case) for file in wide] == [["c0"], ["c1"]]
    assert not (tmp_path / "out" / "wide.csv").exists()


def test_a_table_that_is_none_is_refused_with_its_line(tmp_path):
    row = {"case": "a", "image": "x", "mask": "y"}
    with pytest.raises(TableError, match=r"line 3: case: expected a name once, found 'a' in line 2 too"):
        radiomics_cases(write_table(tmp_path, [row, row]), tmp_path / "out")
    with pytest.raises(TableError, match="line 2: case: expected a value"):
        radiomics_cases(write_table(tmp_path, [row | {"case": ""}]), tmp_path / "out")
    with pytest.raises(InputError, match="at least one case"):
        radiomics_cases(write_table(tmp_path, []), tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made a folder"):
        radiomics_cases(write_table(tmp_path, [row]), tmp_path / "file")


def test_a_file_that_does_not_say_its_modality_gets_no_settings_by_guess(tmp_path):
    """A CT taken for an MR would be z-scored and nobody would see it."""
    row = write_case(tmp_path, "c", 0) | {"modality": ""}
    (outcome,) = radiomics_cases(write_table(tmp_path, [row]), tmp_path / "out").outcomes
    assert outcome.reason.startswith("line 2: modality: expected CT, MR or PT of a file that does not say it")
    settings = write_settings(tmp_path)
    (outcome,) = radiomics_cases(write_table(tmp_path, [row]), tmp_path / "out", settings=settings).outcomes
    assert outcome.status is Status.DONE


def test_a_doubt_about_an_image_stands_beside_its_values_again_and_again(tmp_path, monkeypatch):
    """A finding of the reader is in the outcome, also of the run that skips the case."""
    doubt = Finding(code="slice-gap", severity=Severity.WARNING, text="gap of 10 mm at z = 5")
    aside = Finding(code="series", severity=Severity.INFO, text="read")
    opened = radiomics_inputs.open_image

    def open_with_doubt(path, **options):
        return replace(opened(path, **options), findings=(doubt, aside))

    monkeypatch.setattr(radiomics_inputs, "open_image", open_with_doubt)
    table, settings = write_table(tmp_path, [write_case(tmp_path, "c", 7)]), write_settings(tmp_path)
    reasons = [radiomics_cases(table, tmp_path / "out", settings=settings).outcomes[0].reason for _ in range(2)]
    noted = "; slice-gap: gap of 10 mm at z = 5"
    assert reasons == ["47 of 47 features computed" + noted, ALREADY_DONE + noted]


def test_a_part_comes_back_as_it_was_written_and_no_draft_remains(tmp_path):
    path = part_path(tmp_path, "NPC-001/BASELINE/../T01")
    path.parent.mkdir()
    part = Part(case="NPC-001/BASELINE/../T01", reason="mask: expected …, found none")
    write_part(path, part)
    assert read_part(path) == part
    assert list(path.parent.iterdir()) == [path]
    assert read_part(part_path(tmp_path, "another")) is None


def test_rate_and_time_left_count_what_was_worked_on():
    """By hand: 1 skipped; 3 done in 6 s is 0.5 a second; 6 are left: 12 s."""
    now, told = [100.0], []
    pace = Pace(total=10, tell=lambda done, text: told.append((done, text)), clock=lambda: now[0])
    statuses = [Status.SKIPPED, Status.DONE, Status.DONE, Status.FAILED]
    for status in statuses:
        now[0] += 2.0 if status is not Status.SKIPPED else 0.0
        pace.outcome(Outcome(case=Case(name="x"), status=status, reason=""))
    assert told[0] == (0.1, "1 of 10 (1 skipped)")
    assert told[-1] == (0.4, "4 of 10 (2 done, 1 skipped, 1 failed), 0.5 cases/s, 12 s left")


BATCH = """
import sys
from pathlib import Path
from npcpit_imaging.app.radiomics_cases import radiomics_cases
if __name__ == "__main__":
    table, out, settings = map(Path, sys.argv[1:])
    radiomics_cases(table, out, settings=settings, workers=2)
"""


def kill_when(folder, table, settings, *, parts):
    """Start a batch of two workers, end its first process with kill -9 after some parts, wait for the workers' end."""
    script = folder / "batch.py"
    script.write_text(BATCH, encoding="utf-8")
    out = folder / "out"
    batch = subprocess.Popen([sys.executable, script, table, out, settings], start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(out.glob("parts/*.json"))) < parts and batch.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(batch.pid, signal.SIGKILL)
    assert batch.wait() == -signal.SIGKILL
    while _is_alive(batch.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_alive(batch.pid), "the workers outlive the process that they work for"
    return out


def _is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def survives_kill(folder, *, count, parts, kills):
    """One bad case in ten; kill -9 once or twice; then the tables hold nine in ten and no part was computed twice."""
    rows = [write_case(folder, f"c{n}", n) for n in range(count)]
    for row in rows[::10]:
        row["image"] = "gone.nii.gz"
    table, settings = write_table(folder, rows), write_settings(folder)
    for number in range(1, kills + 1):
        out = kill_when(folder, table, settings, parts=parts * number)
    kept = {file.name: file.read_bytes() for file in out.glob("parts/*.json")}
    good = [name for name, content in kept.items() if not json.loads(content)["reason"]]
    assert parts <= len(kept) < count
    assert not (out / "wide.csv").exists()
    report = radiomics_cases(table, out, settings=settings, workers=2)
    counts = {status: sum(each.status is status for each in report.outcomes) for status in Status}
    assert counts[Status.FAILED] == count // 10
    assert counts[Status.SKIPPED] == len(good)
    assert counts[Status.DONE] + counts[Status.SKIPPED] == count - count // 10
    assert all((out / "parts" / name).read_bytes() == kept[name] for name in good)
    wide = pd.read_csv(out / "wide.csv").set_index("case")
    expected = [100.0 + n + 1.0 / np.count_nonzero(ball(4.0)) for n in range(count) if n % 10]
    np.testing.assert_allclose(wide.stat_mean.to_numpy(), expected, rtol=1e-6)
    outcomes = pd.read_csv(out / "outcomes.csv")
    assert (outcomes.status == "failed").sum() == count // 10 and outcomes.reason.notna().all()


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_done(tmp_path):
    survives_kill(tmp_path, count=40, parts=6, kills=1)


@pytest.mark.slow
def test_a_thousand_cases_with_a_hundred_bad_ones_survive_kill_9(tmp_path):
    survives_kill(tmp_path, count=1000, parts=200, kills=2)


DOCS = Path(__file__).parents[2] / "docs" / "radiomics.md"


def block(head):
    """The fenced block of docs/radiomics.md whose first line is this."""
    return DOCS.read_text(encoding="utf-8").split(f"```{head}\n")[1].split("```")[0]


def test_the_example_of_the_documentation(tmp_path, monkeypatch, capsys):
    """The table of docs/radiomics.md, with lesions of noise behind it, gives the lines it shows."""
    for number, name in enumerate(("s1", "s2", "s3")):
        write_case(tmp_path, name, number)
        geometry = Geometry(shape_kji=(16, 16, 16), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
        noise = np.random.default_rng(number).normal(40.0, 30.0, (16, 16, 16))
        write_volume(Volume(voxels=noise, geometry=geometry), tmp_path / f"{name}.nii.gz")
        (tmp_path / f"{name}_mask.nii.gz").rename(tmp_path / f"{name}_t01.nii.gz")
    (tmp_path / "cases.csv").write_text(block("csv cases.csv"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python cases"), "docs/radiomics.md", "exec"), {})
    assert capsys.readouterr().out == block("text cases")
    for file in re.findall(r"^\| `(\S+?)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE):
        if file.endswith((".csv", ".parquet")):
            assert (tmp_path / "out" / file).is_file(), file
