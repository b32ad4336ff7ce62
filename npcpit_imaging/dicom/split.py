"""Split a series into volumes by named criteria: echoes, b-values, time positions, phases (DICOM PS3.3 C.7.3.1)."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from npcpit_imaging.dicom.enhanced import FRAME_CRITERIA
from npcpit_imaging.dicom.header import CRITERIA
from npcpit_imaging.dicom.instance import Frame, Instance
from npcpit_imaging.dicom.scan import Series
from npcpit_imaging.dicom.values import tag_name

SAME_ORIENTATION = 1e-3
"""Largest difference of a direction cosine between slices of one volume."""

SAME_SPACING_MM = 1e-3
"""Largest difference of the pixel spacing between slices of one volume."""

SAME_POSITION_MM = 1e-2
"""Slices nearer than this along the normal lie at the same place."""

DECISIVE = ("EchoTime", "EffectiveEchoTime", "DiffusionBValue")
"""Criteria that are never two in one volume, even where no position repeats."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A frame together with the file it is in."""

    instance: Instance
    frame: Frame


@dataclass(frozen=True, kw_only=True)
class SubSeries:
    """The slices of a series that agree in every criterion.

    Args:
        series_uid: SeriesInstanceUID.
        slices: At least one slice.
        criteria: What tells these slices from the others of the series: keyword with tag, and its value.
    """

    series_uid: str
    slices: tuple[Slice, ...]
    criteria: tuple[tuple[str, str], ...] = ()

    def describe(self) -> str:
        """One line for messages."""
        named = ", ".join(f"{name} = {value}" for name, value in self.criteria) or "all"
        return f"{named} ({len(self.slices)} slices)"


Key = Callable[[Slice], str]


def split_series(series: Series) -> tuple[SubSeries, ...]:
    """Split a series into sub-series, each of which could be one volume.

    Slices of different size, spacing, orientation or frame of reference never share a volume. Where positions repeat,
    the first criterion that explains the repeats divides them; what no criterion explains stays together, and loading
    refuses it.

    Args:
        series: A series of images.

    Returns:
        At least one sub-series for a series with slices, in order of the criteria's values; none for one without.
    """
    slices = tuple(Slice(instance=each, frame=frame) for each in series.instances for frame in each.frames)
    parts = [SubSeries(series_uid=series.series_uid, slices=slices)] if slices else []
    for name, key in _geometric():
        parts = [divided for part in parts for divided in _divide(part, name, key(part.slices))]
    for keyword in dict.fromkeys((*CRITERIA, *(keyword for _, keyword in FRAME_CRITERIA))):
        parts = [divided for part in parts for divided in _divide_where_it_explains(part, keyword)]
    return tuple(parts)


def _geometric() -> tuple[tuple[str, Callable[[Sequence[Slice]], Key]], ...]:
    return (
        (tag_name("Modality"), lambda _: lambda each: each.instance.modality),
        (f"{tag_name('Units')} or {tag_name('RescaleType')}", lambda _: lambda each: each.instance.unit or "none"),
        (tag_name("FrameOfReferenceUID"), lambda _: lambda each: each.instance.frame_of_reference_uid or "none"),
        ("Rows x Columns (0028,0010) x (0028,0011)", lambda _: _size),
        (tag_name("PixelSpacing"), lambda all_of: _nearest(all_of, _spacing, SAME_SPACING_MM)),
        (tag_name("ImageOrientationPatient"), lambda all_of: _nearest(all_of, _orientation, SAME_ORIENTATION)),
    )


def _size(each: Slice) -> str:
    pixels = each.instance.pixels
    return "none" if pixels is None else f"{pixels.rows} x {pixels.columns}"


def _spacing(each: Slice) -> tuple[float, ...]:
    return each.frame.spacing_mm or ()


def _orientation(each: Slice) -> tuple[float, ...]:
    return each.frame.orientation or ()


def _nearest(slices: Sequence[Slice], values: Callable[[Slice], tuple[float, ...]], tolerance: float) -> Key:
    """Return a key that names slices by the first slice whose values are within `tolerance` of theirs."""
    known: dict[tuple[float, ...], tuple[float, ...]] = {}
    for each in slices:
        found = values(each)
        if found not in known:
            known[found] = next((one for one in known.values() if _close(one, found, tolerance)), found)
    return lambda each: " ".join(f"{value:g}" for value in known[values(each)]) or "none"


def _close(one: tuple[float, ...], other: tuple[float, ...], tolerance: float) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _divide(part: SubSeries, name: str, key: Key) -> list[SubSeries]:
    groups: dict[str, list[Slice]] = {}
    for each in part.slices:
        groups.setdefault(key(each), []).append(each)
    if len(groups) == 1:
        return [part]
    return [
        SubSeries(series_uid=part.series_uid, slices=tuple(groups[value]), criteria=(*part.criteria, (name, value)))
        for value in sorted(groups, key=_numeric_order)
    ]


def _numeric_order(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value


def _canonical(value: str) -> str:
    """Write numbers one way, as 10 and 10.0 are one echo time and not two."""
    try:
        return "\\".join(f"{float(part):.6g}" for part in value.split("\\"))
    except ValueError:
        return value


def _divide_where_it_explains(part: SubSeries, keyword: str) -> list[SubSeries]:
    if len({each.frame.criteria.get(keyword) for each in part.slices}) == 1:
        return [part]
    before = 0 if keyword in DECISIVE else most_repeats(part.slices)
    if before == 1:
        return [part]
    divided = _divide(part, tag_name(keyword), lambda each: _canonical(each.frame.criteria.get(keyword, "none")))
    if len(divided) == 1 or keyword in DECISIVE:
        return divided
    after = max(most_repeats(one.slices) for one in divided)
    return divided if before > 1 and len(divided) <= before and after < before else [part]


def most_repeats(slices: Iterable[Slice]) -> int:
    """Count the images at the place that has most of them; 1 for a plain volume, 0 where positions are unknown."""
    places = [place for each in slices if (place := offset_mm(each.frame)) is not None]
    if not places:
        return 0
    ordered = np.sort(places)
    steps = np.concatenate(([0], np.cumsum(np.diff(ordered) > SAME_POSITION_MM)))
    return max(Counter(steps.tolist()).values())


def offset_mm(frame: Frame) -> float | None:
    """Return a slice's position along its own normal in mm, or None where the header does not say."""
    if frame.position_mm is None or frame.orientation is None:
        return None
    (a, b, c, d, e, f), (x, y, z) = frame.orientation, frame.position_mm
    return (b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z  # row x column, along the position
