"""nnInteractive's server as a segmenter, through its torch-free client (extra ``nninteractive``); never a default.

Isensee 2025, "nnInteractive: Redefining 3D Promptable Segmentation". The server runs elsewhere, started by the site
with a checkpoint that the site chose (theirs is CC BY-NC-SA 4.0). The client is imported by the first prompt, not
before; the address stands in the imaging settings. Only the voxels around the prompt, their spacing and the prompts are
sent.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import InputError, MissingPartError, NpcpitError, SegmentationError
from npcpit_imaging.segmentation.bundled import around, proposal_at_the_prompt
from npcpit_imaging.segmentation.corrections import lasso_plane
from npcpit_imaging.segmentation.frame import frame_of
from npcpit_imaging.segmentation.prompt import BoxPrompt, LassoPrompt, LinePrompt, PointPrompt, Prompt
from npcpit_imaging.segmentation.region import Region
from npcpit_imaging.segmentation.segmenter import Proposal, Provenance, require_positive
from npcpit_imaging.segmentation.stroke import stroke_voxels
from npcpit_imaging.study.caliper import PointMm
from npcpit_imaging.volume.volume import Mask, Volume

NAME = "nninteractive"
CLIENT = "nnInteractive.inference.remote"

STROKE_PIXELS = 1.0
"""Half-width of a stroke. A line has no word of its own in nnInteractive: it is drawn as a stroke, as a scribble is."""

UNKNOWN_LICENCE = "!!MISSING!!"
"""What the server says where the checkpoint names none."""


class Session(Protocol):
    """What is used of the client's session (``nnInteractiveRemoteInferenceSession``)."""

    supported_interactions: dict[str, bool]
    supports_initial_label: bool
    license: str | None
    INFERENCE_SESSION_VERSION: object

    def set_image(self, image: NDArray[np.float32], image_properties: dict[str, object]) -> None:
        """Send `(1, K, J, I)`."""
        ...

    def set_target_buffer(self, target_buffer: NDArray[np.uint8]) -> None:
        """Where answers are written `(K, J, I)`."""
        ...

    def add_initial_seg_interaction(self, initial_seg: NDArray[np.uint8]) -> object:
        """Begin from a mask."""
        ...

    def add_bbox_interaction(
        self, bbox_coords: list[list[int]], include_interaction: bool, run_prediction: bool
    ) -> object:
        """Half-open bounds along each axis."""
        ...

    def add_point_interaction(
        self, coordinates: tuple[int, ...], include_interaction: bool, run_prediction: bool
    ) -> object:
        """An index."""
        ...

    def add_scribble_interaction(
        self, scribble_image: NDArray[np.uint8], include_interaction: bool, run_prediction: bool
    ) -> object:
        """A stroke's voxels."""
        ...

    def add_lasso_interaction(
        self, lasso_image: NDArray[np.uint8], include_interaction: bool, run_prediction: bool
    ) -> object:
        """The voxels that an outline encloses."""
        ...

    def close(self) -> None:
        """Give the server's place to others."""
        ...


class Drawn(Protocol):
    """A prompt as the server takes it."""

    @property
    def kind(self) -> str:
        """Among the server's ``supported_interactions``."""
        ...

    def add(self, session: Session, *, run: bool) -> None:
        """Send it; `run` asks for an answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Half-open bounds along k, j and i."""

    bounds: tuple[tuple[int, int], ...]
    include: bool
    kind: str = "bbox2d"

    def add(self, session: Session, *, run: bool) -> None:
        """Send it."""
        bounds = [list(each) for each in self.bounds]
        session.add_bbox_interaction(bounds, include_interaction=self.include, run_prediction=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One voxel's index (k, j, i)."""

    index: tuple[int, ...]
    include: bool
    kind: str = "points"

    def add(self, session: Session, *, run: bool) -> None:
        """Send it."""
        session.add_point_interaction(self.index, include_interaction=self.include, run_prediction=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voxels:
    """Voxels `(K, J, I)` under a stroke (``scribble``) or enclosed by an outline (``lasso``)."""

    kind: str
    inside: NDArray[np.uint8]
    include: bool

    def add(self, session: Session, *, run: bool) -> None:
        """Send them."""
        send = session.add_lasso_interaction if self.kind == "lasso" else session.add_scribble_interaction
        send(self.inside, include_interaction=self.include, run_prediction=run)


def segment_by_server(
    volume: Volume, prompts: tuple[Prompt, ...], *, previous: Mask | None, settings: SegmentationSettings
) -> Proposal:
    """Propose what the site's nnInteractive server finds at the prompt; a `Segmenter`.

    A line binds the answer as it binds every segmenter's.

    Raises:
        MissingPartError: The client is not installed; the message says how to get it.
        InputError: The settings name no server, or it does not answer.
        SegmentationError: A prompt or the image cannot be used, or the server's checkpoint takes no such prompt.
    """
    require_positive(prompts, refining=previous is not None)
    if not settings.nninteractive:
        raise InputError(
            "segmenter nninteractive: expected the address of a server in the imaging settings "
            '([segmentation] nninteractive = "http://HOST:PORT"), found none'
        )
    frame = frame_of(volume, prompts, previous, settings)
    region = around(volume, frame, settings)
    sent = [each for prompt in prompts for each in _drawn(prompt, region)]
    inside, by = _ask(volume, region, sent, previous=previous, settings=settings)
    return proposal_at_the_prompt(inside, prompts, region=region, frame=frame, settings=settings, by=by)


def _ask(
    volume: Volume, region: Region, sent: list[Drawn], *, previous: Mask | None, settings: SegmentationSettings
) -> tuple[NDArray[np.bool_], Provenance]:
    """Send the block and what was drawn; the answer `(K, J, I)` on the block, and who gave it."""
    found = np.zeros(region.shape_kji, np.uint8)
    image = np.ascontiguousarray(volume.voxels[region.window], np.float32)[None]
    session: Session | None = None
    try:
        session = _open(settings.nninteractive)
        _require_understood(session, sent, refining=previous is not None)
        session.set_image(image, {"spacing": list(region.native.spacing_mm[::-1])})
        session.set_target_buffer(found)
        if previous is not None:
            session.add_initial_seg_interaction(previous.voxels[region.window].astype(np.uint8))
        for number, each in enumerate(sent, start=1):
            each.add(session, run=number == len(sent))
        return found > 0, _provenance(session, settings)
    except (NpcpitError, MemoryError):
        raise
    except Exception as error:  # the client raises httpx's errors, its own and those of a body it cannot read
        raise InputError(
            f"segmenter nninteractive: expected an answer of the server at {settings.nninteractive}, found "
            f"{type(error).__name__}: {error}"
        ) from error
    finally:
        if session is not None:
            session.close()


def _open(address: str) -> Session:
    """A session of the server; the client is imported here."""
    try:
        client = import_module(CLIENT)
    except ImportError as error:
        raise MissingPartError(
            "segmenter nninteractive: needs nninteractive-client; pip install 'npcpit-imaging[nninteractive]'"
        ) from error
    opened: Session = client.nnInteractiveRemoteInferenceSession(address)
    return opened


def _require_understood(session: Session, sent: list[Drawn], *, refining: bool) -> None:
    known = session.supported_interactions
    lacking = sorted({each.kind for each in sent if not known.get(each.kind, False)})
    if refining and not session.supports_initial_label:
        lacking.append("initial mask")
    if lacking:
        has = ", ".join(sorted(kind for kind, is_known in known.items() if is_known)) or "none"
        raise SegmentationError(f"segmenter nninteractive: its checkpoint takes {has}, found {', '.join(lacking)}")


def _drawn(prompt: Prompt, region: Region) -> list[Drawn]:
    """A prompt as the server takes it, on the region's voxels.

    Raises:
        SegmentationError: It lies outside the image, or a lasso not in one slice.
    """
    block = region.native.crop(region.start_kji, region.shape_kji)
    include = prompt.positive
    if isinstance(prompt, BoxPrompt):
        return [Box(bounds=_middle_of_box(prompt, region), include=include)]
    if isinstance(prompt, PointPrompt):
        return [Point(index=_voxel(prompt.point_mm, region), include=include)]
    inside = np.zeros(block.shape_kji, np.uint8)
    if isinstance(prompt, LassoPrompt):
        k, enclosed = lasso_plane(region, prompt)
        if not 0 <= k < len(inside):
            return []  # beyond what the server sees; the correction on the answer still counts
        inside[k] = enclosed
        return [Voxels(kind="lasso", inside=inside, include=include)]
    points = (prompt.start_mm, prompt.end_mm) if isinstance(prompt, LinePrompt) else prompt.points_mm
    radius_mm = STROKE_PIXELS * max(block.spacing_mm[:2])
    window, covered = stroke_voxels(block, points, radius_mm=radius_mm, in_slice=False)
    inside[window] = covered
    return [Voxels(kind="scribble", inside=inside, include=include)]


def _middle_of_box(box: BoxPrompt, region: Region) -> tuple[tuple[int, int], ...]:
    """The box's middle slice as half-open bounds: the published checkpoint takes boxes of one slice."""
    one, other = _voxel(box.corner_mm, region), _voxel(box.opposite_mm, region)
    low, high = np.minimum(one, other), np.maximum(one, other)
    low[0] = high[0] = (low[0] + high[0]) // 2
    return tuple((int(first), int(last) + 1) for first, last in zip(low, high, strict=True))


def _voxel(point_mm: PointMm, region: Region) -> tuple[int, ...]:
    """The voxel of the region next to a point."""
    index = np.rint(region.native.to_index(point_mm)).astype(int) - np.array(region.start_kji)
    return tuple(int(each) for each in np.clip(index, 0, np.array(region.shape_kji) - 1))


def _provenance(session: Session, settings: SegmentationSettings) -> Provenance:
    licence = session.license
    return Provenance(
        name=NAME,
        version=str(session.INFERENCE_SESSION_VERSION),
        licence=licence if licence and licence != UNKNOWN_LICENCE else "unknown",
        weights_digest="",  # the server does not say
        settings_digest=settings.digest,
    )
