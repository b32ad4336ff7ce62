"""Key images of a read as it is signed: the slice that was measured, with what was accepted burnt in."""

from dataclasses import dataclass, replace

import numpy as np

from npcpit_imaging.app.case_pictures import window_of
from npcpit_imaging.app.draft.content import LesionEntry
from npcpit_imaging.app.draft.drawing import present_mask
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.report.key_image import KeyImage, key_image
from npcpit_imaging.report.key_image_png import key_image_png
from npcpit_imaging.study.measurement import Measurement
from npcpit_imaging.volume.volume import Mask, Modality, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One picture.

    Args:
        lesion_id: Which lesion.
        title: What it shows.
        caption: The numbers.
        png: The file's content.
    """

    lesion_id: str
    title: str
    caption: str
    png: bytes


def capture(desk: Desk, place: Place, entry: LesionEntry) -> Captured | None:
    """The picture of a confirmed lesion's size; None where nothing was measured."""
    drawn = _by_caliper(desk, entry) if entry.accepted == "caliper" else _by_mask(desk, place, entry)
    if drawn is None:
        return None
    volume, mask, measurement, shown = drawn
    title = f"{place.timepoint}  {entry.lesion_id}  {volume.modality}"
    caption = _caption(entry, volume, measurement)
    picture = key_image(
        volume,
        mask,
        measurement,
        window=window_of(desk.study.imaging(volume.modality).display, volume),
        title=title,
        caption=caption,
        reversed_grey=volume.modality is Modality.PT,
    )
    if not shown:
        picture = _without_contour(picture)
    return Captured(lesion_id=entry.lesion_id, title=title, caption=caption, png=key_image_png(picture))


Drawn = tuple[Volume, Mask, Measurement, bool]


def _by_mask(desk: Desk, place: Place, entry: LesionEntry) -> Drawn | None:
    if entry.mask is None or entry.accepted != "proposal":
        return None
    volume = desk.shelf.get(entry.mask.series_uid).volume
    mask = present_mask(desk, place, entry, volume)
    assert mask is not None, "the draft's own mask on its own series"
    return volume, mask, entry.mask.measurement.measurement(), True


def _by_caliper(desk: Desk, entry: LesionEntry) -> Drawn | None:
    """The slice of the reader's line; two marked voxels at its ends say where to cut, and are not shown."""
    if entry.caliper is None or not entry.caliper.series_uid:
        return None
    volume, line = desk.shelf.get(entry.caliper.series_uid).volume, entry.caliper.caliper()
    ends = np.clip(
        np.rint(volume.geometry.to_index([line.start_mm, line.end_mm])).astype(int),
        0,
        np.array(volume.geometry.shape_kji) - 1,
    )
    k = int(ends[0, 0])
    marked = np.zeros(volume.geometry.shape_kji, bool)
    marked[k, ends[:, 1], ends[:, 2]] = True
    measurement = Measurement(
        longest_diameter=line,
        short_axis=None if entry.short_caliper is None else entry.short_caliper.caliper(),
        slice_index_k=k,
        slice_position_mm=float(np.dot(volume.geometry.to_mm((k, 0, 0)), volume.geometry.normal)),
        volume_ml=0.0,
        components=0,
        convention="reader's caliper",
    )
    return volume, Mask(voxels=marked, geometry=volume.geometry), measurement, False


def _without_contour(picture: KeyImage) -> KeyImage:
    return replace(picture, mask=np.zeros_like(picture.mask))


def _caption(entry: LesionEntry, volume: Volume, measurement: Measurement) -> str:
    lengths = [
        f"{name} {value:.1f} mm"
        for name, value in (("LD", entry.longest_diameter_mm), ("SA", entry.short_axis_mm))
        if value is not None
    ]
    whose = "reader's caliper" if entry.accepted == "caliper" else f"{measurement.volume_ml:.1f} mL, mask accepted"
    k = measurement.slice_index_k or 0
    where = f"slice {k + 1} of {volume.geometry.shape_kji[0]} at {measurement.slice_position_mm or 0.0:.1f} mm"
    return f"{'   '.join(lengths)}\n{whose}\n{where}"
