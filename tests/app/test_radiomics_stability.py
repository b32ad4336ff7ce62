"""Stability of a table of cases: the same numbers by the same seed in any number of processes, and two readers."""

import csv

import numpy as np
import pandas as pd
import pytest

from npcpit_imaging.app.radiomics_scale import fit_scale
from npcpit_imaging.app.radiomics_stability import perturbation_stability, reader_stability, seed_of
from npcpit_imaging.config.base import load
from npcpit_imaging.config.imaging import ImagingSettings
from npcpit_imaging.errors import InputError, RadiomicsError, TableError
from npcpit_imaging.flow.run import Status
from npcpit_imaging.volume.files import write_mask, write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

SETTINGS = '[radiomics]\nfamilies = ["morphology", "intensity_statistics"]\nminimum_voxels = 10\n'
COLUMNS = ["case", "image", "mask", "subject", "timepoint", "lesion", "reader"]
RADII = (3.0, 4.0, 5.0, 6.0)


def ball(radius):
    k, j, i = np.indices((18, 18, 18))
    return (k - 8.5) ** 2 + (j - 8.5) ** 2 + (i - 8.5) ** 2 <= radius**2


def write_files(folder, name, radius, number):
    geometry = Geometry(shape_kji=(18, 18, 18), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    values = np.random.default_rng(number).normal(50.0 * number, 5.0, (18, 18, 18))
    write_volume(Volume(voxels=values, geometry=geometry), folder / f"image{number}.nii.gz")
    write_mask(Mask(voxels=ball(radius), geometry=geometry), folder / f"{name}.nii.gz")


def write_table(folder, rows, settings=SETTINGS):
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "settings.toml").write_text(settings, encoding="utf-8")
    return {"table": folder / "cases.csv", "settings": folder / "settings.toml"}


@pytest.fixture(scope="module")
def perturbed(tmp_path_factory):
    """Four lesions of other size and brightness, one without an image; three perturbations in two processes."""
    folder = tmp_path_factory.mktemp("perturbed")
    rows = []
    for number, radius in enumerate(RADII):
        write_files(folder, f"c{number}", radius, number)
        rows.append({"case": f"c{number}", "image": f"image{number}.nii.gz", "mask": f"c{number}.nii.gz"})
    rows.insert(1, {"case": "bad", "image": "gone.nii.gz", "mask": "c0.nii.gz"})
    inputs = write_table(folder, rows)
    return folder, inputs, perturbation_stability(**inputs, output=folder / "two", repetitions=3, seed=5, workers=2)


def test_very_different_lesions_are_stable_and_a_bad_case_is_named(perturbed):
    folder, _, report = perturbed
    statuses = {each.case.name: each.status for each in report.outcomes}
    assert list(statuses) == ["c0", "bad", "c1", "c2", "c3"]
    assert statuses.pop("bad") is Status.FAILED and set(statuses.values()) == {Status.DONE}
    assert report.left_out == ("bad",)
    found = pd.read_csv(folder / "two" / "stability.csv").set_index("feature")
    assert len(found) == 47
    assert found.loc["morph_volume", "cases"] == 4 and found.loc["morph_volume", "repetitions"] == 3
    assert found.loc["stat_mean", "stable"] == "yes" and found.loc["stat_mean", "icc_2_1_lower"] > 0.9


def test_the_seed_decides_and_neither_workers_nor_order(perturbed):
    """One process, the cases backwards: the same values to the last digit; another seed: others."""
    folder, inputs, report = perturbed
    lines = inputs["table"].read_text().splitlines()
    backwards = folder / "backwards.csv"
    backwards.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    again = perturbation_stability(
        backwards, folder / "one", settings=inputs["settings"], repetitions=3, seed=5, workers=1
    )
    one, two = (
        {path.name: path.read_text() for path in (folder / name / "parts").iterdir()} for name in ("one", "two")
    )
    assert {name: text.split('"tables"')[1] for name, text in one.items() if '"tables"' in text} == {
        name: text.split('"tables"')[1] for name, text in two.items() if '"tables"' in text
    }
    assert {each.name: each.cases for each in again.features} == {each.name: each.cases for each in report.features}
    other = perturbation_stability(**inputs, output=folder / "other", repetitions=3, seed=6)
    assert [each.agreement for each in other.features] != [each.agreement for each in report.features]


def test_what_is_done_is_not_done_again_unless_the_perturbations_change(perturbed):
    folder, inputs, _ = perturbed
    again = perturbation_stability(**inputs, output=folder / "two", repetitions=3, seed=5)
    assert [each.status for each in again.outcomes].count(Status.SKIPPED) == 4
    more = perturbation_stability(**inputs, output=folder / "more", repetitions=2, seed=5)
    more = perturbation_stability(**inputs, output=folder / "more", repetitions=3, seed=5)
    assert [each.status for each in more.outcomes].count(Status.DONE) == 4


def test_cases_have_seeds_of_their_own():
    assert len({seed_of(1, "a"), seed_of(1, "b"), seed_of(2, "a")}) == 3
    assert seed_of(1, "a") == seed_of(1, "a")


def readers(folder, radii):
    """Every lesion outlined by two readers; the second one's radius is given."""
    rows = []
    for number, (one, two) in enumerate(zip(RADII, radii, strict=True)):
        for reader, radius in (("R1", one), ("R2", two)):
            write_files(folder, f"l{number}{reader}", radius, number)
            rows.append(
                {
                    "case": f"l{number}{reader}",
                    "image": f"image{number}.nii.gz",
                    "mask": f"l{number}{reader}.nii.gz",
                    "subject": f"S{number}",
                    "lesion": "T01",
                    "reader": reader,
                }
            )
    return rows


def test_readers_who_agree_on_size_agree_on_volume_and_a_shape_that_swaps_does_not(tmp_path):
    """By hand for the voxel count: both readers' numbers of voxels through the definition of ICC(2,1)."""
    swapped = (4.0, 3.0, 6.0, 5.0)
    inputs = write_table(tmp_path, readers(tmp_path, swapped))
    report = reader_stability(**inputs, output=tmp_path / "out")
    found = {each.name: each for each in report.features}
    ratings = np.array([[ball(a).sum(), ball(b).sum()] for a, b in zip(RADII, swapped, strict=True)], float)
    n, k = ratings.shape
    mean = ratings.mean()
    rows, columns = ratings.mean(axis=1), ratings.mean(axis=0)
    between = k * ((rows - mean) ** 2).sum() / (n - 1)
    raters = n * ((columns - mean) ** 2).sum() / (k - 1)
    error = ((ratings - rows[:, None] - columns + mean) ** 2).sum() / ((n - 1) * (k - 1))
    expected = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    assert found["morph_vol_approx"].agreement.value == pytest.approx(expected)
    assert not found["morph_vol_approx"].is_stable()
    assert (found["morph_vol_approx"].cases, found["morph_vol_approx"].repetitions) == (4, 2)


def test_a_lesion_that_one_reader_lacks_is_named_and_left_out(tmp_path):
    rows = readers(tmp_path, RADII)
    inputs = write_table(tmp_path, rows[:-1])
    report = reader_stability(**inputs, output=tmp_path / "out")
    assert report.left_out == ("S3/T01",)
    assert {each.cases for each in report.features if each.agreement} == {3}


def test_tables_without_two_readers_are_refused(tmp_path):
    rows = readers(tmp_path, RADII)
    with pytest.raises(InputError, match="at least 2, found 1"):
        reader_stability(**write_table(tmp_path, rows[::2]), output=tmp_path / "out")
    with pytest.raises(InputError, match="one mask of S0/T01 by R1, found another in line 3"):
        reader_stability(**write_table(tmp_path, [rows[0], rows[0] | {"case": "x"}]), output=tmp_path / "out")
    with pytest.raises(TableError, match="line 2: reader: expected a value"):
        reader_stability(**write_table(tmp_path, [rows[0] | {"reader": ""}]), output=tmp_path / "out")


def test_a_scale_fitted_on_a_tables_images_is_a_file_of_settings(tmp_path):
    """Three images of one tissue and three gains; the file's table loads and the fit is the same again."""
    k, j, i = np.indices((18, 18, 18))
    rows = []
    for number, gain in enumerate((1.0, 7.0, 30.0)):
        tissue = 100.0 + 3.0 * i + 2.0 * j + np.random.default_rng(number).normal(0.0, 2.0, k.shape)
        geometry = Geometry(shape_kji=k.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
        write_volume(
            Volume(voxels=np.where(ball(8.0), tissue * gain, 0.1), geometry=geometry), tmp_path / f"{number}.nii.gz"
        )
        rows.append({"case": str(number), "image": f"{number}.nii.gz", "mask": "none"})
    table = write_table(tmp_path, [*rows, rows[0] | {"case": "again"}])["table"]
    scale = fit_scale(table, tmp_path / "nyul.toml", n4=False)
    assert load(tmp_path / "nyul.toml", ImagingSettings).radiomics.normalise.nyul == scale
    first = (tmp_path / "nyul.toml").read_bytes()
    assert b"fitted on 3 images" in first
    fit_scale(table, tmp_path / "nyul.toml", n4=False)
    assert (tmp_path / "nyul.toml").read_bytes() == first
    with pytest.raises(RadiomicsError, match="at least 2 images"):
        fit_scale(write_table(tmp_path, rows[:1])["table"], tmp_path / "nyul.toml", n4=False)
