"""nnInteractive's real client against a server that speaks its protocol: what is sent, and what is made of the answer.

The server of these tests is ours (its model: bright voxels connected to what was drawn); theirs needs their weights.
"""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from scipy import ndimage

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError, MissingPartError, SegmentationError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.segmentation.prompt import BoxPrompt, LassoPrompt, LinePrompt, PointPrompt, ScribblePrompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

GRID = Geometry(shape_kji=(30, 90, 80), origin_mm=(-10.0, -20.0, 0.0), spacing_mm=(0.8, 0.8, 2.5))
CENTRE_MM = (20.0, 24.0, 40.0)
LINE = LinePrompt(start_mm=(10.0, 24.0, 40.0), end_mm=(30.0, 24.0, 40.0))
THRESHOLD = 40.0


@pytest.fixture(scope="module")
def balls():
    """Two balls of 80 HU in water, 10 and 6 mm of radius."""
    place = GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1))
    ball = np.linalg.norm(place - CENTRE_MM, axis=-1) <= 10
    other = np.linalg.norm(place - (20.0, 43.0, 40.0), axis=-1) <= 6
    voxels = np.where(ball | other, 80.0, 0.0).astype(np.float32)
    return Volume(voxels=voxels, geometry=GRID, modality=Modality.CT, unit=Unit.HU), Mask(voxels=ball, geometry=GRID)


class Model:
    """What the server holds: an image, what was drawn on it, and what it takes."""

    def __init__(self, kinds=("points", "bbox2d", "scribble", "lasso"), *, initial=True):
        self.kinds, self.initial = kinds, initial
        self.image, self.spacing, self.calls, self.released = None, None, [], 0

    def capabilities(self):
        return {
            "supported_interactions": {
                kind: kind in self.kinds for kind in ("points", "bbox2d", "bbox3d", "scribble", "lasso")
            },
            "channel_mapping": {"points": [3, 4]},
            "num_interaction_channels": 7,
            "supports_initial_label": self.initial,
            "supports_zero_shot_label_refinement": False,
            "preferred_scribble_thickness": 2,
            "interaction_decay": 0.98,
            "inference_session_version": "test-1",
            "license": "CC-BY-NC-SA-4.0",
        }

    def draw(self, name, voxels, *, include):
        self.calls.append((name, voxels, include))

    def answer(self):
        label, _ = ndimage.label(self.image > THRESHOLD)
        drawn = [np.unique(label[voxels]) for _, voxels, include in self.calls if include]
        inside = np.isin(label, [each for part in drawn for each in part if each])
        for _, voxels, include in self.calls:
            if not include:
                inside &= ~ndimage.binary_dilation(voxels, iterations=2)
        return inside.astype(np.uint8)


def handler(model, wire):
    """The protocol of nninteractive-client 2.6 as far as our segmenter goes."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def say(self, content=b"", meta=None):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            if meta is not None:
                self.send_header("X-Meta", json.dumps(meta))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self.say(json.dumps(model.capabilities()).encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = self.path.removeprefix("/")
            if name == "claim":
                self.say(json.dumps({"lease_token": "t", "idle_timeout_seconds": 600}).encode())
                return
            assert self.headers["X-Lease-Token"] == "t"
            if name == "release":
                model.released += 1
                self.say()
                return
            meta = json.loads(self.headers["X-Meta"]) if "X-Meta" in self.headers else json.loads(body)
            if name == "set_image":
                (model.image,) = wire.unpack_array(body)
                model.spacing = meta["image_properties"]["spacing"]
                self.say(json.dumps({"original_image_shape": [1, *model.image.shape]}).encode())
                return
            if name == "set_target_buffer":
                assert tuple(meta["shape"]) == model.image.shape
                self.say(b"{}")
                return
            model.draw(name, self.voxels(name, meta, body), include=meta.get("include_interaction", True))
            if meta["run_prediction"]:
                box = [[0, size] for size in model.image.shape]
                self.say(wire.pack_array(model.answer()), {"ran_prediction": True, "bbox": box})
            else:
                self.say(b"", {"ran_prediction": False, "bbox": None})

        def voxels(self, name, meta, body):
            if name in ("add_scribble_interaction", "add_lasso_interaction", "add_initial_seg_interaction"):
                return wire.unpack_array(body) > 0
            drawn = np.zeros(model.image.shape, bool)
            if name == "add_bbox_interaction":
                drawn[tuple(slice(*each) for each in meta["bbox_coords"])] = True
            else:
                drawn[tuple(meta["coordinates"])] = True
            return drawn

    return Handler


@pytest.fixture
def serve():
    """Start servers on free ports of this machine; returns the settings that name each."""
    try:
        from nnInteractive.inference.remote import serialization as wire
    except ImportError:
        words = "nninteractive-client is missing: the dependency group dev brings it"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    started = []

    def start(model):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(model, wire))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        started.append((server, thread))
        return SegmentationSettings(method="nninteractive", nninteractive=f"http://127.0.0.1:{server.server_port}")

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


PROMPTS = {
    "add_scribble_interaction": LINE,
    "add_bbox_interaction": BoxPrompt(corner_mm=(9.0, 13.0, 29.0), opposite_mm=(31.0, 35.0, 51.0)),
    "add_point_interaction": PointPrompt(point_mm=CENTRE_MM),
    "add_lasso_interaction": LassoPrompt(
        points_mm=((9.5, 13.5, 40.0), (30.5, 13.5, 40.0), (30.5, 34.5, 40.0), (9.5, 34.5, 40.0))
    ),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_the_ball_under_the_prompt_is_proposed_and_its_neighbour_is_not(name, balls, serve):
    volume, truth = balls
    model = Model()
    proposal = segment(volume, (PROMPTS[name],), serve(model))
    assert [call[0] for call in model.calls] == [name]
    assert dice(proposal.mask.voxels, truth.voxels) > 0.9
    assert proposal.mask.geometry.same_grid(volume.geometry)
    by = proposal.provenance
    assert (by.name, by.version, by.licence) == ("nninteractive", "test-1", "CC-BY-NC-SA-4.0")
    assert model.released == 1, "its place on the server is free again"


def test_only_the_voxels_around_the_prompt_are_sent_with_their_spacing_and_where_it_lies(balls, serve):
    volume, _ = balls
    model = Model()
    click = PointPrompt(point_mm=CENTRE_MM)
    segment(volume, (click,), serve(model).model_copy(update={"bundle_margin_mm": 0.0}))
    assert model.image.size < volume.voxels.size / 2
    assert model.spacing == [2.5, 0.8, 0.8]
    ((_, voxels, _),) = model.calls
    (index,) = np.argwhere(voxels)
    k, j, i = np.rint(volume.geometry.to_index(CENTRE_MM)).astype(int)
    around = volume.voxels[k - 2 : k + 3, j - 14 : j + 15, i - 14 : i + 15]
    a, b, c = index
    assert np.array_equal(model.image[a - 2 : a + 3, b - 14 : b + 15, c - 14 : c + 15], around)


def test_a_line_binds_the_server_too_and_a_negative_stroke_reaches_it(balls, serve):
    volume, _ = balls
    short = LinePrompt(start_mm=(14.0, 24.0, 40.0), end_mm=(26.0, 24.0, 40.0))
    assert measure(segment(volume, (short,), serve(Model())).mask).longest_diameter_mm < 18.0
    model = Model()
    beside = ScribblePrompt(points_mm=((18.0, 33.0, 40.0), (22.0, 33.0, 40.0)), positive=False)
    after = segment(volume, (LINE, beside), serve(model)).mask
    assert [(name, include) for name, _, include in model.calls] == [
        ("add_scribble_interaction", True),
        ("add_scribble_interaction", False),
    ]
    assert segment(volume, (LINE,), serve(Model())).mask.volume_ml - after.volume_ml > 0.05


def test_a_previous_mask_is_sent_before_the_prompt(balls, serve):
    volume, truth = balls
    model = Model()
    segment(volume, (PointPrompt(point_mm=CENTRE_MM),), serve(model), previous=truth)
    assert [name for name, _, _ in model.calls] == ["add_initial_seg_interaction", "add_point_interaction"]
    assert model.calls[0][1].sum() == truth.voxels.sum()


def test_what_its_checkpoint_does_not_take_is_said(balls, serve):
    with pytest.raises(SegmentationError, match="its checkpoint takes points, found scribble"):
        segment(balls[0], (LINE,), serve(Model(("points",))))
    with pytest.raises(SegmentationError, match="found initial mask"):
        segment(balls[0], (PROMPTS["add_point_interaction"],), serve(Model(initial=False)), previous=balls[1])


def test_no_server_and_no_address_are_said_with_what_was_expected(balls, serve):
    """Port 9 (discard) has no server; asking for one of ours first makes sure that the client is there."""
    serve(Model())
    nobody = SegmentationSettings(method="nninteractive", nninteractive="http://127.0.0.1:9")
    with pytest.raises(
        InputError, match=r"expected an answer of the server at http://127\.0\.0\.1:9, found ConnectError"
    ):
        segment(balls[0], (LINE,), nobody)
    with pytest.raises(InputError, match="expected the address of a server in the imaging settings"):
        segment(balls[0], (LINE,), SegmentationSettings(), method="nninteractive")


def test_without_the_client_the_message_says_what_to_install(balls, monkeypatch):
    monkeypatch.setitem(sys.modules, "nnInteractive.inference.remote", None)
    settings = SegmentationSettings(nninteractive="http://127.0.0.1:9")
    with pytest.raises(MissingPartError, match=r"pip install 'npcpit-imaging\[nninteractive\]'"):
        segment(balls[0], (LINE,), settings, method="nninteractive")


def test_the_client_is_not_imported_before_it_is_used():
    code = (
        "import sys; from npcpit_imaging.segmentation import segmenters; "
        "print([name for name in sys.modules if name.startswith(('nnInteractive', 'blosc2'))])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"
