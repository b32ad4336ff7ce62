"""Any MONAI bundle of a local folder answers a reader's prompt; what it may not do is refused with its place."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.segmentation.bundle import read_bundle, refuse_unsafe
from npcpit_imaging.segmentation.prompt import BoxPrompt, LinePrompt, PointPrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out

from made_bundles import deep, inference, threshold_network, write_bundle

CENTRE_MM = (20.0, 24.0, 40.0)
LINE = LinePrompt(start_mm=(10.0, 24.0, 40.0), end_mm=(30.0, 24.0, 40.0))


@pytest.fixture(scope="module")
def balls():
    """Two balls of 80 HU in water, 10 and 6 mm of radius, on oblique anisotropic voxels."""
    angle = 0.2
    turn = ((np.cos(angle), -np.sin(angle), 0.0), (np.sin(angle), np.cos(angle), 0.0), (0.0, 0.0, 1.0))
    grid = Geometry(shape_kji=(30, 96, 80), origin_mm=(-10.0, -30.0, 0.0), spacing_mm=(0.8, 0.8, 2.5), direction=turn)
    place = grid.to_mm(np.moveaxis(np.indices(grid.shape_kji), 0, -1))
    ball = np.linalg.norm(place - CENTRE_MM, axis=-1) <= 10
    other = np.linalg.norm(place - (20.0, 50.0, 40.0), axis=-1) <= 6
    voxels = np.where(ball | other, 80.0, 0.0).astype(np.float32)
    return Volume(voxels=voxels, geometry=grid, modality=Modality.CT, unit=Unit.HU), Mask(voxels=ball, geometry=grid)


def ask(folder, volume, *prompts, previous=None):
    settings = SegmentationSettings(bundles=(str(folder),))
    return segment(volume, prompts, settings, previous=previous, method=f"bundle:{folder}")


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("script", [True, False])
def test_a_bundle_finds_the_ball_under_the_prompt_and_not_its_neighbour(balls, tmp_path, script):
    volume, truth = balls
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=script)
    for prompt in (LINE, BoxPrompt(corner_mm=(9.0, 13.0, 29.0), opposite_mm=(31.0, 35.0, 51.0))):
        proposal = ask(folder, volume, prompt)
        assert dice(proposal.mask.voxels, truth.voxels) > 0.9
        assert proposal.mask.geometry.same_grid(volume.geometry)
    assert proposal.provenance.name == "bundle:threshold"
    assert proposal.provenance.version.startswith("0.1.0, torch 2."), "another torch may round another way"
    assert proposal.provenance.licence == "MIT"
    assert len(proposal.provenance.weights_digest) == 64


def test_the_line_binds_a_bundle_too(balls, tmp_path):
    volume, _ = balls
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False)
    short = LinePrompt(start_mm=(14.0, 24.0, 40.0), end_mm=(26.0, 24.0, 40.0))
    mask = ask(folder, volume, short).mask
    for plane in mask.voxels:
        j, i = np.nonzero(plane)
        if len(j):
            assert np.hypot(*(np.ptp(axis) * 0.8 for axis in (i, j))) < 18.0
    k = round(float(volume.geometry.to_index(CENTRE_MM)[0]))
    x = volume.geometry.to_mm(np.insert(np.argwhere(mask.voxels[k]).astype(float), 0, k, axis=1))[:, 0]
    assert 13.0 < x.min() < x.max() < 27.0


def test_a_network_that_takes_prompts_receives_them(balls, tmp_path):
    """The network sees only its prompt channels: what it answers is what was drawn."""
    volume, truth = balls
    channels = ("image", "positive", "negative", "line", "box", "previous")
    box = BoxPrompt(corner_mm=(14.0, 18.0, 34.0), opposite_mm=(26.0, 30.0, 46.0))
    click = PointPrompt(point_mm=CENTRE_MM)
    previous = Mask(voxels=truth.voxels, geometry=truth.geometry)
    cases = {"positive": (click,), "line": (LINE,), "box": (box,), "previous": (click,)}
    sizes = {}
    for number, (name, prompts) in enumerate(cases.items()):
        weights = [0.0 if channel != name else 10.0 for channel in channels]
        network = threshold_network(5.0, channels=6, weights=weights)
        folder = write_bundle(tmp_path / str(number), network, script=False, channels=channels)
        proposal = ask(folder, volume, *prompts, previous=previous if name == "previous" else None)
        sizes[name] = proposal.mask.volume_ml
        assert proposal.mask.voxels.any(), name
    assert sizes["previous"] == pytest.approx(truth.volume_ml, rel=0.1)
    assert sizes["box"] == pytest.approx(12**3 / 1000, rel=0.35)
    assert sizes["positive"] < 0.2 < sizes["box"]


def test_a_negative_click_reaches_the_network(balls, tmp_path):
    volume, _ = balls
    channels = ("image", "negative")
    network = threshold_network(4.0, channels=2, weights=[1.0, -50.0])
    folder = write_bundle(tmp_path / "b", network, script=False, channels=channels)
    before = ask(folder, volume, LINE).mask
    beside = PointPrompt(point_mm=(20.0, 30.0, 40.0), positive=False)
    after = ask(folder, volume, LINE, beside).mask
    assert before.volume_ml - after.volume_ml > 0.05


def test_a_bundle_that_finds_nothing_at_the_prompt_says_so(balls, tmp_path):
    folder = write_bundle(tmp_path / "b", threshold_network(40.0), script=False)
    proposal = ask(folder, balls[0], BoxPrompt(corner_mm=(9.0, 13.0, 29.0), opposite_mm=(31.0, 35.0, 51.0)))
    assert [finding.code for finding in proposal.findings] == ["nothing-at-the-prompt"]
    assert not proposal.mask.voxels.any()


def test_a_bundle_that_no_setting_names_is_refused(balls, tmp_path):
    """Its config is run as code: a reading page must not choose any folder."""
    deep()
    with pytest.raises(InputError, match="expected a bundle that the imaging settings name"):
        segment(balls[0], (LINE,), SegmentationSettings(), method=f"bundle:{tmp_path}")


FETCHING = {
    "address": {"network_def": {"_target_": "UNet"}, "weights": "https://example.org/model.pt"},
    "hub": {"network_def": "$torch.hub.load('a/b', 'c')"},
    "data set": {"dataset": {"_target_": "DecathlonDataset", "download": True}, "x": "$monai.apps.download_url('a')"},
}


@pytest.mark.parametrize("name", FETCHING)
def test_a_config_that_would_fetch_something_is_refused(name):
    with pytest.raises(InputError, match="expected a config that needs nothing from elsewhere"):
        refuse_unsafe(FETCHING[name], "b")


def test_a_config_with_code_of_its_own_is_refused(balls, tmp_path):
    config = inference({"_target_": "os.system", "command": f"touch {tmp_path / 'never'}"})
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False, config=config)
    with pytest.raises(InputError, match=r"expected components of monai or torch, found os\.system"):
        ask(folder, balls[0], LINE)
    assert not (tmp_path / "never").exists()


def test_weights_that_are_code_are_refused(balls, tmp_path):
    """A pickle may run anything; a state dict is read with weights_only."""
    torch, _ = deep()
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False)
    torch.save(threshold_network(4.0), folder / "models" / "model.pt")
    with pytest.raises(InputError, match=r"bundle threshold: model\.pt failed: UnpicklingError"):
        ask(folder, balls[0], LINE)


def test_weights_of_another_network_are_refused(balls, tmp_path):
    folder = write_bundle(tmp_path / "b", threshold_network(4.0, channels=2), script=False)
    with pytest.raises(InputError, match=r"bundle threshold: model\.pt failed: RuntimeError"):
        ask(folder, balls[0], LINE)


@pytest.mark.parametrize("part", ["configs/metadata.json", "configs/inference.json", "models/model.pt"])
def test_a_missing_part_is_named(tmp_path, part):
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False)
    (folder / part).unlink()
    with pytest.raises(InputError, match=part.split("/")[1].split(".", maxsplit=1)[0]):
        read_bundle(folder)


def test_a_broken_part_is_named(balls, tmp_path):
    config = inference({"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 1, "kernel_size": 1})
    config["preprocessing"]["transforms"][2]["pixdim"] = "wide"
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False, config=config)
    with pytest.raises(InputError, match="bundle threshold: preprocessing failed"):
        ask(folder, balls[0], LINE)


def test_a_yaml_config_runs_as_well(balls, tmp_path):
    yaml = pytest.importorskip("yaml")
    volume, truth = balls
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False)
    path = folder / "configs" / "inference.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.with_suffix(".yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    path.unlink()
    assert dice(ask(folder, volume, LINE).mask.voxels, truth.voxels) > 0.9


WITHOUT = """
import importlib.abc, importlib.machinery, sys
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "monai"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
"""


def run_without_deep(code):
    """Run code where torch and MONAI cannot be imported."""
    command = [sys.executable, "-W", "error", "-c", WITHOUT + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_without_the_extra_a_bundle_says_how_to_get_it(tmp_path):
    folder = write_bundle(tmp_path / "b", threshold_network(4.0), script=False)
    code = f"""
from npcpit_imaging.errors import MissingPartError
from npcpit_imaging.segmentation.bundled import bundle_segmenter
from pathlib import Path
try:
    bundle_segmenter(Path({str(folder)!r}))
except MissingPartError as error:
    print(error)
"""
    ended = run_without_deep(code)
    assert "needs torch and monai; pip install 'npcpit-imaging[deep]'" in ended.stdout, ended.stderr


def test_without_the_extra_everything_else_works():
    """The segmenters' own tests pass where torch and MONAI cannot be imported."""
    tests = [str(Path(__file__).with_name(name)) for name in ("test_calibrated.py", "test_pet.py", "test_prompt.py")]
    code = f"import pytest; sys.exit(pytest.main(['-q', '-x', '-n', '0', '-p', 'no:cacheprovider', *{tests!r}]))"
    ended = run_without_deep(code)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_prompt_channel_nobody_gives_is_named(tmp_path, balls):
    network = threshold_network(4.0, channels=2)
    folder = write_bundle(tmp_path / "b", network, script=False, channels=("image", "gaze"))
    with pytest.raises((InputError, SegmentationError), match="bundle threshold"):
        ask(folder, balls[0], LINE)
