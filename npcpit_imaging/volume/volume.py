"""A volume and a mask: voxels with the geometry that says where they are."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.volume.geometry import Geometry

T = TypeVar("T", bound=np.generic)


class Modality(StrEnum):
    """DICOM Modality (0008,0060) of the images we read; OT for files that do not say."""

    CT = "CT"
    MR = "MR"
    PT = "PT"
    OT = "OT"


class Unit(StrEnum):
    """What a voxel value means."""

    HU = "HU"
    SUVBW = "SUVbw"
    SUVLBM = "SUVlbm"
    SUVBSA = "SUVbsa"
    BQML = "BQML"
    ARBITRARY = "1"


@dataclass(frozen=True, kw_only=True)
class Volume:
    """An image on a regular grid.

    Args:
        voxels: `(K, J, I)` float32, made read-only.
        geometry: Where the voxels are.
        modality: DICOM modality.
        unit: What a value means.
        series_uid: SeriesInstanceUID the voxels came from; empty for NIfTI and NRRD.
        findings: What was noticed while reading.

    Raises:
        GeometryError: The array's shape is not the geometry's.
    """

    voxels: NDArray[np.float32]
    geometry: Geometry
    modality: Modality = Modality.OT
    unit: Unit = Unit.ARBITRARY
    series_uid: str = ""
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "voxels", _frozen(self.voxels, np.float32, self.geometry))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of voxels and grid, as hex."""
        return _digest(self.voxels, self.geometry)


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A region on a regular grid.

    Args:
        voxels: `(K, J, I)` bool, made read-only.
        geometry: Where the voxels are.
        label: What the region is called in its source (ROI name, segment label); may be empty.
        findings: What was noticed while reading or drawing it.

    Raises:
        GeometryError: The array's shape is not the geometry's.
    """

    voxels: NDArray[np.bool_]
    geometry: Geometry
    label: str = ""
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "voxels", _frozen(self.voxels, np.bool_, self.geometry))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of voxels and grid, as hex."""
        return _digest(self.voxels, self.geometry)

    @cached_property
    def volume_ml(self) -> float:
        """Voxel count times voxel volume, in mL."""
        return int(np.count_nonzero(self.voxels)) * self.geometry.voxel_ml


def require_same_grid(volume: Volume, mask: Mask) -> None:
    """Refuse a mask that does not lie on the image's own voxels.

    Raises:
        GeometryError: The grids differ; the message describes both.
    """
    if not volume.geometry.same_grid(mask.geometry):
        raise GeometryError(
            f"mask: expected the image's grid ({volume.geometry.describe()}), found another "
            f"({mask.geometry.describe()}, origins {_origin(volume.geometry)} and {_origin(mask.geometry)} mm)"
        )


def _origin(geometry: Geometry) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in geometry.origin_mm) + ")"


def _frozen(voxels: NDArray[T], dtype: type[T], geometry: Geometry) -> NDArray[T]:
    array = np.ascontiguousarray(voxels, dtype=dtype)
    if array.shape != geometry.shape_kji:
        raise GeometryError(f"voxels: expected shape {geometry.shape_kji} (k, j, i), found {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


def _digest(voxels: NDArray[np.generic], geometry: Geometry) -> str:
    state = hashlib.sha256(np.ascontiguousarray(voxels).data)
    state.update(np.round(geometry.affine, 6).tobytes())
    state.update(repr(geometry.shape_kji).encode())
    return state.hexdigest()
