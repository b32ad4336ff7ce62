"""Which DICOM frame is which slice of a volume's grid: for viewers that fetch frames themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.dicom.scan import group
from npcpit_imaging.volume.geometry import Geometry

IN_PLACE = 0.1
"""How far, in slices, a frame may lie from its slice of the grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSource:
    """One slice's frame.

    Args:
        sop_instance_uid: The object.
        frame: Its frame, from 1.
        slope: RescaleSlope of the frame.
        intercept: RescaleIntercept.
        position_mm: Centre of the first voxel, LPS mm.
    """

    sop_instance_uid: str
    frame: int
    slope: float
    intercept: float
    position_mm: tuple[float, ...]


def slice_sources(paths: Sequence[Path], geometry: Geometry) -> list[SliceSource]:
    """The frames of a series in the order of a grid's slices; none when the frames are not its slices.

    Args:
        paths: The objects of one series.
        geometry: The grid that was read from them.
    """
    placed: dict[int, SliceSource] = {}
    for series in group(paths).series:
        for instance in series.instances:
            for frame in instance.frames:
                if frame.position_mm is None:
                    return []
                at = float(geometry.to_index(frame.position_mm)[0])
                if abs(at - round(at)) > IN_PLACE:
                    return []
                placed[round(at)] = SliceSource(
                    sop_instance_uid=instance.sop_instance_uid,
                    frame=frame.index + 1,
                    slope=frame.slope,
                    intercept=frame.intercept,
                    position_mm=tuple(frame.position_mm),
                )
    whole = sorted(placed) == list(range(geometry.shape_kji[0]))
    return [placed[k] for k in sorted(placed)] if whole else []
