"""Prompts drawn as images, for networks that take them as input channels."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.segmentation.drawn import points_of
from npcpit_imaging.segmentation.frame import Frame
from npcpit_imaging.segmentation.prompt import Prompt
from npcpit_imaging.segmentation.region import Floats
from npcpit_imaging.volume.files import RAS_TO_LPS
from npcpit_imaging.volume.volume import Mask

POINT_SIGMA_VOXELS = 2.0
"""A click is a Gaussian of this width and height one, as DeepEdit's guidance."""

LINE_VOXELS = 1.0
"""A line is drawn this far to each side."""

Affine = NDArray[np.float64]


def points_channel(affine: Affine, shape: tuple[int, ...], prompts: tuple[Prompt, ...], *, positive: bool) -> Floats:
    """Clicks and strokes `(I, J, K)` of one sign; all zero without any.

    Args:
        affine: 4x4 from index (i, j, k) to RAS mm.
        shape: Of the channel.
        prompts: All of them.
        positive: Which sign.
    """
    points = [point for prompt in prompts if prompt.positive == positive for point in points_of(prompt)]
    channel = np.zeros(shape, np.float32)
    for index in _index(affine, np.array(points).reshape(-1, 3)):
        axes = [
            np.exp(-0.5 * ((np.arange(n) - c) / POINT_SIGMA_VOXELS) ** 2) for n, c in zip(shape, index, strict=True)
        ]
        channel = np.maximum(channel, np.einsum("i,j,k->ijk", *axes).astype(np.float32))
    return channel


def line_channel(affine: Affine, shape: tuple[int, ...], frame: Frame) -> Floats:
    """The frame's long axis `(I, J, K)`; all zero for a box."""
    channel = np.zeros(shape, np.float32)
    if frame.line is None:
        return channel
    start, end = _index(affine, np.array([frame.line.start_mm, frame.line.end_mm]))
    steps = int(np.ceil(2 * np.abs(end - start).max())) + 1
    places = np.rint(np.linspace(start, end, steps)).astype(int)
    inside = np.all((places >= 0) & (places < np.array(shape)), axis=1)
    channel[tuple(places[inside].T)] = 1.0
    if not channel.any():
        return channel
    near: Floats = (ndimage.distance_transform_edt(channel == 0) <= LINE_VOXELS).astype(np.float32)
    return near


def box_channel(affine: Affine, shape: tuple[int, ...], frame: Frame) -> Floats:
    """The box around the frame `(I, J, K)`, of a line the one it suggests."""
    i, j, k = np.indices(shape)
    points = _to_lps(affine, np.stack([i, j, k], axis=-1).astype(float))
    place = (points - frame.centre_mm) @ frame.axes.T / frame.half_mm
    inside: Floats = np.all(np.abs(place) <= 1, axis=-1).astype(np.float32)
    return inside


def previous_channel(affine: Affine, shape: tuple[int, ...], previous: Mask | None) -> Floats:
    """The mask to be refined `(I, J, K)`, by its nearest voxel; all zero without one."""
    if previous is None:
        return np.zeros(shape, np.float32)
    i, j, k = np.indices(shape)
    index = previous.geometry.to_index(_to_lps(affine, np.stack([i, j, k], axis=-1).astype(float)))
    sampled: Floats = ndimage.map_coordinates(
        previous.voxels.astype(np.float32), np.moveaxis(index, -1, 0), order=0, mode="constant", output=np.float32
    )
    return sampled


def _to_lps(affine: Affine, index: NDArray[np.float64]) -> NDArray[np.float64]:
    lps = RAS_TO_LPS @ affine
    points: NDArray[np.float64] = index @ lps[:3, :3].T + lps[:3, 3]
    return points


def _index(affine: Affine, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    lps = RAS_TO_LPS @ affine
    index: NDArray[np.float64] = (points_mm - lps[:3, 3]) @ np.linalg.inv(lps[:3, :3]).T
    return index
