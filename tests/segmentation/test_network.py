"""The shipped network: what it says of itself, what it proposes, and who gets it when nobody chooses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation.bundle import read_bundle
from npcpit_imaging.segmentation.bundled import bundle_calibration
from npcpit_imaging.segmentation.encoding import CHANNELS, encode
from npcpit_imaging.segmentation.features import feature_names
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.lattice import SHAPE_WVU, from_lattice, places, to_lattice
from npcpit_imaging.segmentation.preferred import FOLDER, NETWORK_IS_BETTER
from npcpit_imaging.segmentation.prompt import LinePrompt, PointPrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves a test's own folder out

from made_bundles import deep
from test_bundles import run_without_deep

SETTINGS = SegmentationSettings()
GRID = Geometry(shape_kji=(30, 90, 90), origin_mm=(-40.0, -40.0, -45.0), spacing_mm=(0.9, 0.9, 3.0))
LINE = LinePrompt(start_mm=(-12.0, 0.0, 0.0), end_mm=(12.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def node():
    """A node of 24 x 18 x 20 mm, 30 HU above muscle, a larger one as bright two millimetres beside it."""
    x, y, z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)), -1, 0)
    inside = (x / 12) ** 2 + (y / 9) ** 2 + (z / 10) ** 2 <= 1
    other = np.hypot(x, y - 25) < 14
    values = np.where(inside | other, 85.0, 55.0)
    values = ndimage.gaussian_filter(values, (0.2, 0.6, 0.6)) + np.random.default_rng(3).normal(0, 8, values.shape)
    volume = Volume(voxels=values.astype(np.float32), geometry=GRID, modality=Modality.CT, unit=Unit.HU)
    return volume, Mask(voxels=inside, geometry=GRID)


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def test_the_bundle_says_what_it_is_and_whose_data_it_was_trained_on():
    bundle = read_bundle(FOLDER)
    assert bundle.lattice
    assert bundle.channels == CHANNELS
    assert bundle.licence == "CC-BY-3.0"
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    metadata = json.loads((FOLDER / "configs" / "metadata.json").read_text(encoding="utf-8"))
    for text in (card, metadata["copyright"]):
        for word in ("Soft-tissue-Sarcoma", "Vallieres", "CC BY 3.0", "Image Biomarker Standardisation Initiative"):
            assert word in text
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 3_000_000


def test_the_bundle_brings_the_classifiers_it_was_trained_on():
    bundle = read_bundle(FOLDER)
    for modality in (Modality.CT, Modality.MR, Modality.PT):
        for prompt in ("line", "box"):
            assert bundle_calibration(bundle, f"{modality}-{prompt}").names == feature_names(modality)


@pytest.mark.parametrize("method", ["calibrated", "network"])
def test_the_node_is_proposed_and_its_larger_neighbour_is_not(node, method):
    if method == "network":
        deep()
    volume, truth = node
    proposal = segment(volume, (LINE,), SETTINGS, method=method)
    assert dice(proposal.mask.voxels, truth.voxels) > 0.7
    assert measure(proposal.mask).longest_diameter_mm == pytest.approx(24.0, abs=1.0)
    assert measure(proposal.mask).components == 1


def test_the_network_answers_the_same_every_time_and_says_which_weights(node):
    deep()
    one, other = (segment(node[0], (LINE,), SETTINGS, method="network") for _ in range(2))
    assert one.mask.digest == other.mask.digest
    assert one.provenance.name == "bundle:npcpit_lesion"
    assert one.provenance.weights_digest == read_bundle(FOLDER).weights_digest
    assert one.provenance.licence == "CC-BY-3.0"


def test_nobody_chooses_the_measured_best_is_taken(node):
    """A line on CT gets what the table says, a click the classifier: the network was never trained on clicks."""
    deep()
    expected = "bundle:npcpit_lesion" if LinePrompt in NETWORK_IS_BETTER[Modality.CT] else "calibrated"
    assert segment(node[0], (LINE,), SETTINGS).provenance.name == expected
    click = PointPrompt(point_mm=(0.0, 0.0, 0.0))
    assert segment(node[0], (click,), SETTINGS).provenance.name == "calibrated"


def test_without_the_extra_the_classifier_is_the_best_and_the_network_says_what_it_needs():
    code = """
import numpy as np
from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import MissingPartError
from npcpit_imaging.segmentation.prompt import LinePrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume
grid = Geometry(shape_kji=(20, 40, 40), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 2.0))
k, j, i = np.indices(grid.shape_kji)
ball = (i - 20) ** 2 + (j - 20) ** 2 + 4 * (k - 10) ** 2 < 100
volume = Volume(voxels=np.where(ball, 90, 50).astype(np.float32), geometry=grid, modality=Modality.CT, unit=Unit.HU)
line = LinePrompt(start_mm=(10.0, 20.0, 20.0), end_mm=(30.0, 20.0, 20.0))
print(segment(volume, (line,), SegmentationSettings()).provenance.name)
try:
    segment(volume, (line,), SegmentationSettings(), method="network")
except MissingPartError as error:
    print(error)
"""
    ended = run_without_deep(code)
    assert ended.stdout.splitlines() == [
        "calibrated",
        "segmenter network: needs torch and monai; pip install 'npcpit-imaging[deep]'",
    ], ended.stderr


def test_nothing_is_imported_before_a_network_answers():
    code = (
        "import sys; from npcpit_imaging.segmentation import segmenters, preferred; "
        "preferred.shipped_network(); print(sorted({'torch', 'monai'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"


def test_the_lattice_follows_the_prompt_and_comes_back(node):
    """A linear image is sampled exactly where the frame lies, and a linear answer comes back exactly."""
    volume, _ = node
    tilted = LinePrompt(start_mm=(-8.0, -6.0, 0.0), end_mm=(8.0, 6.0, 0.0))
    frame = frame_of(volume, (tilted,), None, SETTINGS)
    region = frame.region(volume, SETTINGS)
    place = region.geometry.to_mm(np.moveaxis(np.indices(region.values.shape), 0, -1))
    seen = to_lattice(frame, region, np.moveaxis(place, -1, 0).astype(np.float32))
    assert seen.shape == (3, *SHAPE_WVU)
    u, v, w = (each[2:-2, 6:-6, 6:-6] for each in np.broadcast_arrays(*places(frame)))
    expected = frame.centre_mm + np.stack([u, v, w], axis=-1) * frame.half_mm @ frame.axes
    inner = np.moveaxis(seen[:, 2:-2, 6:-6, 6:-6], 0, -1)
    np.testing.assert_allclose(inner[8:-8], expected[8:-8], atol=0.01)
    back = from_lattice(frame, region, np.broadcast_to(places(frame)[0], SHAPE_WVU).astype(np.float32))
    along = np.broadcast_to(frame.coordinates(region.geometry)[0], region.values.shape)
    near = np.abs(along) < 1.0
    np.testing.assert_allclose(back[near], along[near], atol=1e-3)


def test_the_channels_of_a_prompt_are_its_own():
    zeros = np.zeros(SHAPE_WVU, np.float32)
    columns = np.zeros((len(feature_names(Modality.PT)), *SHAPE_WVU), np.float32)
    channels = encode(columns, zeros, zeros + 4, modality=Modality.PT, line=True, size=(20.0, 5.0))
    found = dict(zip(CHANNELS, channels, strict=True))
    assert channels.shape == (len(CHANNELS), *SHAPE_WVU)
    assert (found["calibrated"] == 0.5).all()
    assert [float(found[name].max()) for name in ("line", "ct", "mr", "pet")] == [1.0, 0.0, 0.0, 1.0]
    assert found["size"].max() == pytest.approx(np.log(0.5))
    assert found["slice"].max() == pytest.approx(0.25)
