"""The same voxels in another axis order: flips and permutations, nothing interpolated."""

import numpy as np

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask


def reorder(mask: Mask, geometry: Geometry) -> Mask:
    """Return a mask on `geometry` when both grids hold the same voxels in another order.

    NIfTI and NRRD writers are free to flip axes; the voxels stay where they are in the patient.

    Raises:
        GeometryError: The grids do not hold the same voxels.
    """
    if mask.geometry.same_grid(geometry):
        return Mask(voxels=mask.voxels, geometry=geometry, label=mask.label)
    axes = np.array(geometry.direction).T @ np.array(mask.geometry.direction)
    source_axis = np.abs(axes).argmax(axis=1)
    if sorted(source_axis.tolist()) != [0, 1, 2]:
        raise GeometryError(_refusal(mask.geometry, geometry))
    voxels = np.transpose(mask.voxels, [2 - int(source_axis[2 - axis]) for axis in range(3)])
    flips = tuple(axis for axis in range(3) if axes[2 - axis, source_axis[2 - axis]] < 0)
    voxels = np.flip(voxels, flips)
    if voxels.shape != geometry.shape_kji or not _reordered(mask.geometry, source_axis, flips).same_grid(geometry):
        raise GeometryError(_refusal(mask.geometry, geometry))
    return Mask(voxels=voxels, geometry=geometry, label=mask.label)


def _reordered(source: Geometry, source_axis: np.ndarray, flips: tuple[int, ...]) -> Geometry:
    """Describe the source grid with its axes in the new order, as (i, j, k) columns of an affine."""
    columns = source.affine[:3, :3][:, source_axis].copy()
    sizes = np.array(source.shape_kji[::-1])[source_axis]
    origin = source.affine[:3, 3].copy()
    for array_axis in flips:
        axis = 2 - array_axis
        origin += columns[:, axis] * (sizes[axis] - 1)
        columns[:, axis] *= -1
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, origin
    i, j, k = (int(size) for size in sizes)
    return Geometry.from_affine(affine, (k, j, i))


def _refusal(found: Geometry, expected: Geometry) -> str:
    return (
        f"mask: expected the image's voxels ({expected.describe()}), found another grid ({found.describe()}"
        f"{_placed(found, expected)}); resample the mask onto the image first"
    )


def _placed(found: Geometry, expected: Geometry) -> str:
    """What tells two grids of one size apart: how far their corners are."""
    if found.describe() != expected.describe():
        return ""
    nearest = np.linalg.norm(found.corners_mm()[:, None] - expected.corners_mm()[None], axis=-1).min(axis=1)
    return f", its corners up to {nearest.max():.3g} mm from the image's"
