"""`npcpit segment` on degenerate images and masks: a proposal with its findings or a named refusal, no traceback."""

import itertools
import json

import numpy as np
import pytest

from npcpit_imaging import cli
from npcpit_imaging.volume.files import read_mask, read_volume

FOLDERS = ("orientation", "uninformative", "uninformative_slice")
EMPTY = "empty_mask.nii.gz"
UNIT = {"PT": ("--unit", "SUVbw")}


@pytest.fixture(params=FOLDERS)
def degenerate(request, shared_data):
    """An image and its masks: constant voxels, one slice only, none, one, disconnected or all voxels inside."""
    where = shared_data / "images" / "degenerate_masks" / request.param
    (image,) = (where / "image").iterdir()
    return image, sorted((where / "mask").iterdir())


@pytest.fixture
def segment(tmp_path, capsys):
    """Run the verb; its JSON and mask on success, its one line of refusal else."""

    def run(image, *arguments):
        output = tmp_path / "mask.nii.gz"
        output.unlink(missing_ok=True)
        code = cli.run(["segment", str(image), "-o", str(output), "--json", *map(str, arguments)])
        out, err = capsys.readouterr()
        if code == 0:
            return json.loads(out), read_mask(output)
        assert code == 1
        assert not output.exists()
        assert err.startswith("error: ")
        assert "Traceback" not in err
        return err, None

    return run


def drawn(image):
    """Every kind of prompt, in and around the middle of an image."""
    grid = read_volume(image).geometry
    last = np.array(grid.shape_kji) - 1.0

    def text(*shares):
        points = (grid.to_mm(np.array(share) * last) for share in shares)
        return ":".join(",".join(f"{each:.3f}" for each in point) for point in points)

    slice_share = 0.0 if last[0] == 0 else (last[0] // 2) / last[0]
    left, right, front, back = ((slice_share, *at) for at in ((0.5, 0.3), (0.5, 0.7), (0.4, 0.5), (0.6, 0.5)))
    return {
        "line": ("--line", text(left, right)),
        "two axes": ("--line", text(left, right), "--short-axis", text(front, back)),
        "box": ("--box", text((0, 0.2, 0.2), (1, 0.8, 0.8))),
        "everything": ("--box", text((0, 0, 0), (1, 1, 1))),
        "lasso": ("--lasso", text(left, front, right, back)),
        "scribble": ("--scribble", text(left, front, right)),
        "click": ("--point", text(left)),
        "corner": ("--point", text((0, 0, 0))),
        "click and its contrary": ("--point", text(left), "--negative-point", text(right)),
    }


@pytest.mark.parametrize("modality", ["CT", "MR", "PT", "OT"])
def test_every_prompt_on_a_degenerate_image_gives_a_mask_or_says_that_it_is_empty(segment, degenerate, modality):
    image, _ = degenerate
    for name, prompt in drawn(image).items():
        answer, mask = segment(image, *prompt, "--modality", modality, *UNIT.get(modality, ()))
        assert mask is not None, f"{name}: {answer}"
        codes = {finding["code"] for finding in answer["findings"]}
        assert mask.geometry.same_grid(read_volume(image).geometry)
        assert mask.voxels.any() or "empty-mask" in codes, name
        assert ("size-assumed" in codes) == (name in {"scribble", "click", "corner", "click and its contrary"}), name
        assert ("modality-assumed" in codes) == (modality == "OT"), name


@pytest.mark.parametrize("method", ["pet-gradient", "pet-41-percent", "pet-suv-4.0", "ellipsoid"])
def test_every_contour_answers_on_a_degenerate_pet(segment, degenerate, method):
    image, _ = degenerate
    for name, prompt in drawn(image).items():
        answer, mask = segment(image, *prompt, "--modality", "PT", *UNIT["PT"], "--method", method)
        assert mask is not None, f"{name}: {answer}"
        assert mask.voxels.any() or "empty-mask" in {finding["code"] for finding in answer["findings"]}, name


def test_every_degenerate_mask_is_refined_or_named_as_empty(segment, degenerate):
    image, masks = degenerate
    for path in masks:
        answer, mask = segment(image, "--previous", path, "--modality", "CT")
        if path.name == EMPTY:
            assert "expected a positive prompt or a previous mask with a voxel, found an empty mask" in answer
        else:
            assert mask is not None, f"{path.name}: {answer}"
            assert mask.voxels.any() or "empty-mask" in {finding["code"] for finding in answer["findings"]}


def test_an_empty_previous_mask_beside_a_prompt_does_no_harm(segment, degenerate):
    image, masks = degenerate
    for path in (each for each in masks if each.name == EMPTY):
        _, mask = segment(image, *drawn(image)["box"], "--previous", path, "--modality", "CT")
        assert mask is not None


def test_a_mask_of_another_folder_is_refused_and_both_grids_are_named(segment, shared_data):
    where = shared_data / "images" / "degenerate_masks"
    for folder, other in itertools.permutations(FOLDERS, 2):
        (image,) = (where / folder / "image").iterdir()
        for path in sorted((where / other / "mask").iterdir()):
            refusal, mask = segment(image, "--previous", path, *drawn(image)["box"])
            assert mask is None
            assert "expected the image's voxels" in refusal
            assert "found another grid" in refusal
