"""Every prompt through `npcpit segment`, on a node of 24 mm in muscle, as a person would type it."""

import json

import numpy as np
import pytest

from npcpit_imaging import cli
from npcpit_imaging.volume.files import read_mask, write_mask, write_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

GRID = Geometry(shape_kji=(30, 80, 80), origin_mm=(-40.0, -40.0, -45.0), spacing_mm=(1.0, 1.0, 3.0))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """An ellipsoid of 24 x 18 x 20 mm, 40 HU above muscle, beside a vessel as bright as itself."""
    x, y, z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)), -1, 0)
    inside = (x / 12) ** 2 + (y / 9) ** 2 + (z / 10) ** 2 <= 1
    values = np.where(inside | (np.hypot(x - 17, y) < 4), 95.0, 55.0)
    values += np.random.default_rng(3).normal(0, 8, values.shape)
    folder = tmp_path_factory.mktemp("node")
    volume = Volume(voxels=values.astype(np.float32), geometry=GRID, modality=Modality.CT, unit=Unit.HU)
    write_volume(volume, folder / "image.nii.gz")
    mask = Mask(voxels=inside, geometry=GRID)
    write_mask(mask, folder / "truth.nii.gz")
    return folder, mask


@pytest.fixture
def segment(node, tmp_path, capsys):
    """Run the verb; return its JSON and the mask's voxels."""
    count = iter(range(100))

    def run(*arguments):
        output = tmp_path / f"mask_{next(count)}.nii.gz"
        image = str(node[0] / "image.nii.gz")
        code = cli.run(["segment", image, "-o", str(output), "--modality", "CT", "--json", *arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out), read_mask(output).voxels

    return run


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def at(voxels, *point_mm):
    return bool(voxels[tuple(np.rint(GRID.to_index(point_mm)).astype(int))])


LINE = ("--line", "-12,0,0:12,0,0")


@pytest.mark.parametrize(
    ("arguments", "least"),
    [
        (LINE, 0.85),
        ((*LINE, "--short-axis", "0,-9,0:0,9,0"), 0.85),
        (("--box", "-13,-10,-11:13,10,11"), 0.85),
        (("--lasso", "-12,0,0:-6,-8,0:6,-8,0:12,0,0:6,8,0:-6,8,0"), 0.8),
        (("--scribble", "-8,0,0:0,0,0:8,0,0"), 0.5),
        (("--point", "0,0,0"), 0.5),
        (("--point", "0,0,0", "--point", "-8,0,0"), 0.5),
    ],
    ids=["line", "two axes", "box", "lasso", "scribble", "click", "two clicks"],
)
def test_a_positive_prompt_proposes_the_node(segment, node, arguments, least):
    answer, voxels = segment(*arguments)
    assert answer["proposal"] is True
    assert answer["provenance"]["seconds"] > 0
    assert dice(voxels, node[1].voxels) > least


def test_negative_prompts_take_away_what_they_touch(segment):
    _, before = segment(*LINE)
    assert at(before, 0, 5, 0)
    assert at(before, 4, 5, 0)
    _, clicked = segment(*LINE, "--negative-point", "0,5,0")
    assert not at(clicked, 0, 5, 0)
    _, stroked = segment(*LINE, "--negative-scribble", "0,5,0:4,5,0")
    assert not at(stroked, 0, 5, 0)
    assert not at(stroked, 4, 5, 0)
    _, outlined = segment(*LINE, "--negative-lasso", "-3,3,0:7,3,0:7,8,0:-3,8,0")
    assert not at(outlined, 0, 5, 0)
    assert not at(outlined, 4, 5, 0)
    for voxels in (clicked, stroked, outlined):
        assert np.count_nonzero(voxels) < np.count_nonzero(before)


def test_a_previous_mask_alone_is_refined(segment, node):
    folder, truth = node
    answer, voxels = segment("--previous", str(folder / "truth.nii.gz"))
    assert dice(voxels, truth.voxels) > 0.85
    assert answer["provenance"]["name"] == "calibrated"


def test_a_click_added_to_a_previous_mask_is_in_the_new_one(segment, node):
    folder, _ = node
    _, before = segment("--previous", str(folder / "truth.nii.gz"))
    assert not at(before, -13, 0, 0)
    _, after = segment("--previous", str(folder / "truth.nii.gz"), "--point", "-13,0,0")
    assert at(after, -13, 0, 0)


def test_a_previous_mask_on_another_grid_is_refused(node, tmp_path, capsys):
    folder, _ = node
    other = GRID.crop((0, 0, 0), (10, 80, 80))
    write_mask(Mask(voxels=np.ones(other.shape_kji, bool), geometry=other), tmp_path / "other.nii.gz")
    arguments = ["segment", str(folder / "image.nii.gz"), "-o", str(tmp_path / "m.nii.gz"), "--line", LINE[1]]
    assert cli.run([*arguments, "--previous", str(tmp_path / "other.nii.gz")]) == 1
    assert "expected" in capsys.readouterr().err


def test_only_negative_prompts_are_refused(node, tmp_path, capsys):
    arguments = ["segment", str(node[0] / "image.nii.gz"), "-o", str(tmp_path / "m.nii.gz")]
    assert cli.run([*arguments, "--negative-point", "0,0,0"]) == 1
    assert "at least one positive prompt" in capsys.readouterr().err
    assert not (tmp_path / "m.nii.gz").exists()
