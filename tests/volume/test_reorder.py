"""A mask whose axes are flipped or swapped is the same mask; one on other voxels is refused."""

import itertools

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.reorder import reorder
from npcpit_imaging.volume.volume import Mask

TILT = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
GRID = Geometry(
    shape_kji=(3, 4, 5),
    origin_mm=(10.0, -20.0, 30.0),
    spacing_mm=(1.0, 2.0, 3.0),
    direction=tuple(tuple(row) for row in TILT.tolist()),
)


def written_by_another_tool(mask: Mask, order: tuple[int, ...], flips: tuple[bool, ...]) -> Mask:
    """Put each voxel where its patient position says, in a grid with other axes, voxel by voxel."""
    columns = GRID.affine[:3, :3][:, order]
    sizes = np.array(GRID.shape_kji[::-1])[list(order)]
    origin = GRID.affine[:3, 3].copy()
    for axis, flip in enumerate(flips):
        if flip:
            origin = origin + columns[:, axis] * (sizes[axis] - 1)
            columns[:, axis] *= -1
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, origin
    other = Geometry.from_affine(affine, tuple(int(s) for s in sizes[::-1]))
    voxels = np.zeros(other.shape_kji, bool)
    for index in np.argwhere(mask.voxels):
        place = np.rint(other.to_index(GRID.to_mm(index))).astype(int)
        voxels[tuple(place)] = True
    return Mask(voxels=voxels, geometry=other)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
def test_every_axis_order_and_flip_gives_the_same_voxels_back(order: tuple[int, ...], flips: tuple[bool, ...]):
    voxels = np.random.default_rng(7).random(GRID.shape_kji) < 0.3
    mask = Mask(voxels=voxels, geometry=GRID)
    back = reorder(written_by_another_tool(mask, order, flips), GRID)
    assert np.array_equal(back.voxels, voxels)
    assert back.geometry == GRID


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            Geometry(
                shape_kji=(3, 4, 5), origin_mm=(11.0, -20.0, 30.0), spacing_mm=(1.0, 2.0, 3.0), direction=GRID.direction
            ),
            "found another grid (5x4x3 voxels of 1x2x3 mm, its corners up to 1 mm from the image's)",
        ),
        (
            Geometry(
                shape_kji=(3, 4, 6), origin_mm=GRID.origin_mm, spacing_mm=(1.0, 2.0, 3.0), direction=GRID.direction
            ),
            "found another grid (6x4x3 voxels of 1x2x3 mm)",
        ),
        (
            Geometry(
                shape_kji=(3, 4, 5), origin_mm=GRID.origin_mm, spacing_mm=(1.0, 2.0, 3.1), direction=GRID.direction
            ),
            "found another grid (5x4x3 voxels of 1x2x3.1 mm)",
        ),
        (Geometry(shape_kji=(3, 4, 5), origin_mm=GRID.origin_mm, spacing_mm=(1.0, 2.0, 3.0)), "its corners up to"),
    ],
    ids=["shifted", "larger", "thicker", "rotated"],
)
def test_a_mask_on_other_voxels_is_refused(other: Geometry, said: str):
    """The message tells what differs, of two grids of one size too."""
    mask = Mask(voxels=np.ones(other.shape_kji, bool), geometry=other)
    with pytest.raises(GeometryError, match="expected the image's voxels") as caught:
        reorder(mask, GRID)
    assert said in str(caught.value)
