"""Running a MONAI bundle's network: the one file of a segmenter that knows torch and MONAI, imported only when used."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from numpy.typing import NDArray

from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.segmentation.bundle import GUIDANCE, USED, Bundle, refuse_unsafe
from npcpit_imaging.segmentation.region import Floats

WINDOW = 96
"""Edge of the sliding window, in voxels, of a bundle that names no inferer."""

READERS = ("LoadImage", "LoadImaged")
WRITERS = ("SaveImage", "SaveImaged")

Affine = NDArray[np.float64]
Guides = Mapping[str, Callable[[Affine, tuple[int, ...]], Floats]]
"""For each prompt channel: from an affine (index i, j, k to RAS mm) and a shape `(I, J, K)` to the channel."""

Transforms: TypeAlias = Callable[[dict[str, object]], dict[str, MetaTensor]]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a bundle answered.

    Args:
        labels: `(I, J, K)` whole numbers, 0 for background.
        affine: 4x4 from index (i, j, k) to RAS mm.
    """

    labels: NDArray[np.int64]
    affine: Affine


def added_log_odds(bundle: Bundle, channels: Floats, *, threads: int) -> Floats:
    """What a lattice bundle's network adds to the classifier's log-odds.

    Args:
        bundle: A bundle whose network works on a prompt's frame.
        channels: `(C, W, V, U)` of `encoding.encode`.
        threads: At most so many.

    Returns:
        `(W, V, U)`.

    Raises:
        InputError: The bundle's weights do not fit its network.
    """
    network, device = _network(bundle), _device()
    with _threads(threads), torch.inference_mode():
        answer = network(torch.from_numpy(channels[None]).to(device))
    added: Floats = answer[0, 0].float().cpu().numpy()
    if added.shape != channels.shape[1:]:
        raise InputError(f"bundle {bundle.name}: expected an answer of shape {channels.shape[1:]}, found {added.shape}")
    return added


def predict(bundle: Bundle, image: Path, guides: Guides) -> Prediction:
    """Run a bundle on an image file with its own pre- and post-processing and inferer.

    Args:
        bundle: Any bundle but a lattice's.
        image: NIfTI.
        guides: The prompt channels that can be drawn; those that the network takes are put behind the image.

    Raises:
        InputError: The bundle cannot be run; the message says which part of it failed.
        SegmentationError: It takes a prompt channel that nobody knows.
    """
    parser = _parser(bundle)
    _prepare(parser, bundle)
    before, after = (_transforms(parser, part, bundle) for part in ("preprocessing", "postprocessing"))
    inferer = _part(parser, "inferer", bundle) or SlidingWindowInferer(roi_size=(WINDOW,) * 3, overlap=0.25)
    network, device = _network(bundle), _device()
    with _named(bundle, "preprocessing"):
        item = before({"image": str(image)})
    tensor = _with_guides(item["image"], bundle, guides)
    with _named(bundle, "network"), torch.inference_mode():
        answer = inferer(tensor[None].to(device), network)
    answer = answer[0] if isinstance(answer, list | tuple) else answer
    item["pred"] = MetaTensor(answer[0].cpu(), affine=item["image"].affine, applied_operations=[])
    with _named(bundle, "postprocessing"):
        item = after(item)
    return _prediction(item["pred"], bundle)


def _with_guides(image: MetaTensor, bundle: Bundle, guides: Guides) -> torch.Tensor:
    """The image and behind it what the bundle's channels ask for, `(C, I, J, K)`."""
    wanted = [name for name in bundle.channels if name in GUIDANCE]
    unknown = [name for name in wanted if name not in guides]
    if unknown:
        raise SegmentationError(f"bundle {bundle.name}: takes {', '.join(unknown)}, which this prompt does not give")
    tensor = image.as_tensor() if isinstance(image, MetaTensor) else torch.as_tensor(image)
    if not wanted:
        return tensor
    affine, shape = np.asarray(image.affine, float), tuple(tensor.shape[1:])
    drawn = {name: torch.from_numpy(guides[name](affine, shape)) for name in wanted}
    images = iter(tensor)
    return torch.stack([drawn[name] if name in drawn else next(images) for name in bundle.channels])


def _prediction(pred: MetaTensor, bundle: Bundle) -> Prediction:
    values = np.asarray(pred.as_tensor() if isinstance(pred, MetaTensor) else pred)
    if values.ndim == 4 and len(values) > 1:  # one-hot or scores: the first channel is background
        values = values.argmax(axis=0)
    elif values.ndim == 4:
        values = values[0]
    if values.ndim != 3 or not np.isfinite(values).all():
        raise InputError(f"bundle {bundle.name}: expected a finite 3D prediction, found shape {values.shape}")
    labels = np.rint(values) if np.array_equal(np.rint(values), values) else values > 0.5
    affine = np.asarray(pred.affine, float) if isinstance(pred, MetaTensor) else np.eye(4)
    return Prediction(labels=labels.astype(np.int64), affine=affine)


@cache
def _network(bundle: Bundle) -> torch.nn.Module:
    """The network with its weights, read once."""
    device = _device()
    with _named(bundle, bundle.weights_path.name):
        if bundle.weights_path.suffix == ".ts":
            network = torch.jit.load(str(bundle.weights_path), map_location=device)
        else:
            network = _part(_parser(bundle), "network_def", bundle)
            if network is None:
                raise InputError("expected a network_def for a state dict, found none")
            state = torch.load(bundle.weights_path, map_location=device, weights_only=True)
            network.load_state_dict(state.get("model", state))
    return cast(torch.nn.Module, network.to(device).eval())


def _parser(bundle: Bundle) -> ConfigParser:
    with _named(bundle, bundle.config_path.name):
        config = ConfigParser.load_config_file(bundle.config_path)
    refuse_unsafe(config, bundle.name)
    parser = ConfigParser(config)
    parser["bundle_root"] = str(bundle.folder)
    parser["device"] = f"$torch.device('{_device().type}')"
    return parser


def _prepare(parser: ConfigParser, bundle: Bundle) -> None:
    """Leave out what writes files, read NIfTI with nibabel; before anything is parsed, so that parts stay shared."""
    for part in ("preprocessing", "postprocessing"):
        config = parser.get(part)
        if not isinstance(config, Mapping):
            continue
        kept = [each for each in config.get("transforms", []) if not _is_one_of(each, WRITERS)]
        for each in kept:
            if _is_one_of(each, READERS):
                each["reader"] = "NibabelReader"  # MONAI's others reach for packages of their own
        parser[f"{part}::transforms"] = kept
    if not any(_is_one_of(each, READERS) for each in parser.get("preprocessing::transforms", [])):
        raise InputError(f"bundle {bundle.name}: expected LoadImaged in its preprocessing, found none")


def _transforms(parser: ConfigParser, part: str, bundle: Bundle) -> Transforms:
    """A bundle's transforms; none where it has none."""
    found = _part(parser, part, bundle)
    return cast(Transforms, found) if found is not None else lambda item: item


def _is_one_of(transform: object, names: tuple[str, ...]) -> bool:
    target = transform.get("_target_", "") if isinstance(transform, Mapping) else ""
    return str(target).rsplit(".", 1)[-1] in names


def _part(parser: ConfigParser, name: str, bundle: Bundle) -> torch.nn.Module | None:
    if name not in USED or parser.get(name) is None:
        return None
    with _named(bundle, name):
        return cast(torch.nn.Module, parser.get_parsed_content(name))


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def _named(bundle: Bundle, part: str) -> Iterator[None]:
    """Say which bundle and which part of it failed: what it raises may be anything, what it warns of is MONAI's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (InputError, SegmentationError) as error:
        raise type(error)(f"bundle {bundle.name}: {part}: {error}") from error
    except Exception as error:
        raise InputError(f"bundle {bundle.name}: {part} failed: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Kind and first line of what went wrong at the bottom: MONAI wraps it several times."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__} {lines[0][:200]}"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(min(count, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)
