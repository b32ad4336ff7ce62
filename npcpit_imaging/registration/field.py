"""The irradiated field: from fibres or masks, united over cycles, carried with a margin; is a lesion in it?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.align import Alignment
from npcpit_imaging.registration.propagate import Direction, propagate_mask
from npcpit_imaging.study.lesion import FieldPosition
from npcpit_imaging.study.treatment import Diffuser, DiffuserKind
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample_mask
from npcpit_imaging.volume.volume import Mask

IN_FRACTION = 0.5
"""A lesion lies in the field when at least this fraction of it does."""

OUT_FRACTION = 0.0
"""A lesion lies outside when no more than this fraction of it is within field and margin.

Radiotherapy's convention (Dawson 2000) is 0.95 and 0.20; both are parameters of `classify`.
"""


_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, kw_only=True)
class IrradiatedField:
    """Where light acted, with the margin within which its edge is not known.

    Args:
        mask: On some image's grid.
        margin_mm: Half-width of doubt about its edge; 0 on the images it was planned on.

    Raises:
        RegistrationError: The mask is empty or the margin negative.
    """

    mask: Mask
    margin_mm: float

    def __post_init__(self) -> None:
        if not self.mask.voxels.any():
            raise RegistrationError("irradiated field: expected voxels, found an empty field on this image")
        if not self.margin_mm >= 0:
            raise RegistrationError(f"irradiated field: expected a margin of 0 mm or more, found {self.margin_mm:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRelation:
    """How a lesion lies to the field.

    Args:
        position: In, at the margin, or out.
        fraction_in: Fraction of the lesion within the field.
        fraction_in_or_margin: Fraction within the field or its margin.
        nearest_mm: Distance of the lesion's nearest point from the field's edge; negative inside.
        margin_mm: The margin used.
    """

    position: FieldPosition
    fraction_in: float
    fraction_in_or_margin: float
    nearest_mm: float
    margin_mm: float


def diffuser_mask(diffuser: Diffuser, geometry: Geometry) -> Mask:
    """Return the voxels whose centres a fibre's light reaches, by geometry alone (no optics).

    Cylindrical: within ``radius_mm`` of the lit length, which runs back from the tip. Frontal: the (truncated) cone
    from ``start_radius_mm`` at the tip to ``radius_mm`` at ``length_mm`` in front of it.
    """
    voxels = np.zeros(geometry.shape_kji, bool)
    low, high = _reach(diffuser, geometry)
    if np.all(high > low):
        block = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
        voxels[tuple(map(slice, low, high))] = lit(diffuser, geometry.to_mm(block))
    return Mask(voxels=voxels, geometry=geometry, label=diffuser.kind)


def _reach(diffuser: Diffuser, geometry: Geometry) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last + 1 voxel `(k, j, i)` of the block around all that a fibre can light."""
    tip, far = np.array(diffuser.tip_mm), max(diffuser.length_mm, 0.0) * np.array(diffuser.axis)
    wide = max(diffuser.radius_mm, diffuser.start_radius_mm)
    ends = np.stack([tip, tip + far, tip - far])
    offsets = wide * np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
    index = geometry.to_index((ends[:, None, :] + offsets).reshape(-1, 3))
    shape = np.array(geometry.shape_kji)
    low = np.clip(np.floor(index.min(axis=0)), 0, shape).astype(np.intp)
    return low, np.clip(np.ceil(index.max(axis=0)) + 1, 0, shape).astype(np.intp)


def lit(diffuser: Diffuser, points_mm: ArrayLike) -> NDArray[np.bool_]:
    """Tell for points ``(..., 3)`` in LPS mm whether a fibre's light reaches them."""
    offset = np.asarray(points_mm, float) - np.array(diffuser.tip_mm)
    along = offset @ np.array(diffuser.axis)
    across = np.linalg.norm(offset - along[..., None] * np.array(diffuser.axis), axis=-1)
    forward = along if diffuser.kind is DiffuserKind.FRONTAL else -along
    radius = np.full(forward.shape, diffuser.radius_mm)
    if diffuser.kind is DiffuserKind.FRONTAL:
        widening = diffuser.radius_mm - diffuser.start_radius_mm
        radius = diffuser.start_radius_mm + widening * forward / diffuser.length_mm
    reached: NDArray[np.bool_] = (forward >= 0) & (forward <= diffuser.length_mm) & (across <= radius)
    return reached


def irradiated_field(
    geometry: Geometry, *, diffusers: Sequence[Diffuser] = (), masks: Sequence[Mask] = (), margin_mm: float = 0.0
) -> IrradiatedField:
    """Unite the fibres and masks of all cycles on one grid.

    Args:
        geometry: The planning image's grid.
        diffusers: Fibres of every cycle, in this image's patient space.
        masks: Fields drawn as masks or contours, in this image's patient space, on any grid.
        margin_mm: Doubt about the edge on this image.

    Raises:
        RegistrationError: Nothing of the field lies on this image.
    """
    voxels = np.zeros(geometry.shape_kji, bool)
    for mask in (*(diffuser_mask(diffuser, geometry) for diffuser in diffusers), *masks):
        same = geometry.same_grid(mask.geometry)
        voxels |= mask.voxels if same else resample_mask(mask, geometry).voxels
    return IrradiatedField(mask=Mask(voxels=voxels, geometry=geometry, label="irradiated field"), margin_mm=margin_mm)


def propagate_field(
    field: IrradiatedField,
    geometry: Geometry,
    alignment: Alignment,
    direction: Direction = Direction.TO_FIXED,
    *,
    overruled: bool = False,
) -> IrradiatedField:
    """Carry a field to another time point; its margin grows to at least the plan's and the registration's doubt.

    Raises:
        RegistrationError: The registration was rejected, or nothing of the field lies on the other image.
    """
    carried = propagate_mask(field.mask, geometry, alignment, direction, overruled=overruled)
    doubt = max(alignment.plan.field_margin_mm, carried.uncertainty_mm)
    return IrradiatedField(mask=carried.value, margin_mm=float(np.hypot(field.margin_mm, doubt)))


def classify(
    field: IrradiatedField,
    lesion: Mask | ArrayLike,
    *,
    in_fraction: float = IN_FRACTION,
    out_fraction: float = OUT_FRACTION,
) -> FieldRelation:
    """Say whether a lesion lies in the field, at its margin or outside.

    Args:
        field: In the lesion's patient space.
        lesion: A mask on any grid, or one point ``(3,)`` in LPS mm.
        in_fraction: In, when at least this fraction is within the field.
        out_fraction: Out, when no more than this fraction is within field and margin.

    Raises:
        RegistrationError: The lesion's mask is empty or its point is not three finite numbers.

    Example:
        >>> grid = Geometry(shape_kji=(20, 20, 20), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
        >>> fibre = Diffuser(
        ...     kind=DiffuserKind.CYLINDRICAL, tip_mm=(10, 10, 15), axis=(0, 0, 1), length_mm=10, radius_mm=5
        ... )
        >>> classify(irradiated_field(grid, diffusers=[fibre]), (10.0, 10.0, 8.0)).position
        <FieldPosition.IN: 'in'>
    """
    distance = signed_distance_mm(field.mask, _lesion_points(lesion))
    inside = float(np.mean(distance <= 0))
    near = float(np.mean(distance <= field.margin_mm))
    position = FieldPosition.MARGIN
    if inside >= in_fraction:
        position = FieldPosition.IN
    elif near <= out_fraction:
        position = FieldPosition.OUT
    return FieldRelation(
        position=position,
        fraction_in=inside,
        fraction_in_or_margin=near,
        nearest_mm=float(distance.min()),
        margin_mm=field.margin_mm,
    )


def signed_distance_mm(mask: Mask, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of points ``(N, 3)`` from a mask's edge, negative inside, to about half a voxel."""
    padded = np.pad(mask.voxels, 1)
    half = min(mask.geometry.spacing_mm) / 2.0
    rim = ndimage.binary_dilation(padded, _NEIGHBOURS) & ~padded
    edge = padded & ndimage.binary_dilation(~padded, _NEIGHBOURS)
    outwards, _ = cKDTree(mask.geometry.to_mm(np.argwhere(edge) - 1)).query(points_mm)
    inwards, _ = cKDTree(mask.geometry.to_mm(np.argwhere(rim) - 1)).query(points_mm)
    index = np.clip(np.rint(mask.geometry.to_index(points_mm)).astype(int) + 1, 0, np.array(padded.shape) - 1)
    within = padded[tuple(index.T)]
    distance: NDArray[np.float64] = np.where(
        within, -np.maximum(inwards - half, 0.0), np.maximum(outwards - half, 1e-9)
    )
    return distance


def _lesion_points(lesion: Mask | ArrayLike) -> NDArray[np.float64]:
    if isinstance(lesion, Mask):
        index = np.argwhere(lesion.voxels)
        if len(index) == 0:
            raise RegistrationError(f"lesion {lesion.label!r}: expected voxels, found an empty mask")
        return lesion.geometry.to_mm(index)
    point = np.asarray(lesion, float)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise RegistrationError(f"lesion: expected a point (x, y, z) in mm, found shape {point.shape}")
    return point[None, :]
