"""What a person points at: lines, boxes, points, scribbles and lassos in patient space (LPS mm)."""

import math
from dataclasses import dataclass
from typing import TypeAlias

from npcpit_imaging.errors import InputError, SegmentationError
from npcpit_imaging.study.caliper import PointMm


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePrompt:
    """The lesion's long axis as a reader draws it for RECIST 1.1, in one slice.

    Raises:
        SegmentationError: A coordinate is not finite, or the line has no length.

    Example:
        >>> LinePrompt(start_mm=(0.0, 0.0, 5.0), end_mm=(3.0, 4.0, 5.0)).length_mm
        5.0
    """

    start_mm: PointMm
    end_mm: PointMm
    positive: bool = True

    def __post_init__(self) -> None:
        _require_finite("line", (self.start_mm, self.end_mm))
        if self.length_mm == 0:
            raise SegmentationError(f"line: expected two different points, found {describe_point(self.start_mm)} twice")

    @property
    def length_mm(self) -> float:
        """Distance between the ends in mm."""
        return math.dist(self.start_mm, self.end_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPrompt:
    """Two opposite corners of a box around the lesion, its edges along the image's own axes.

    Raises:
        SegmentationError: A coordinate is not finite, or the corners are one point.
    """

    corner_mm: PointMm
    opposite_mm: PointMm
    positive: bool = True

    def __post_init__(self) -> None:
        _require_finite("box", (self.corner_mm, self.opposite_mm))
        if self.corner_mm == self.opposite_mm:
            raise SegmentationError(f"box: expected two opposite corners, found {describe_point(self.corner_mm)} twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointPrompt:
    """A click: in the lesion when positive, beside it when negative.

    Raises:
        SegmentationError: A coordinate is not finite.
    """

    point_mm: PointMm
    positive: bool = True

    def __post_init__(self) -> None:
        _require_finite("point", (self.point_mm,))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScribblePrompt:
    """A freehand stroke through the lesion, or through what is not the lesion.

    Raises:
        SegmentationError: Fewer than two points, or a coordinate is not finite.
    """

    points_mm: tuple[PointMm, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        _require_points("scribble", self.points_mm, least=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LassoPrompt:
    """A closed outline in one slice around the lesion, or around what is not the lesion.

    Raises:
        SegmentationError: Fewer than three points, or a coordinate is not finite.
    """

    points_mm: tuple[PointMm, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        _require_points("lasso", self.points_mm, least=3)


Prompt: TypeAlias = LinePrompt | BoxPrompt | PointPrompt | ScribblePrompt | LassoPrompt
"""Any of them; a segmenter takes a tuple of these."""


def parse_line(text: str) -> LinePrompt:
    """Read ``x,y,z:x,y,z`` in LPS mm as a line.

    Raises:
        InputError: The text is not two points.

    Example:
        >>> parse_line("0,0,5:3,4,5").length_mm
        5.0
    """
    start, end = _parse_pair("line", text)
    return LinePrompt(start_mm=start, end_mm=end)


def parse_axes(long: str | None, short: str | None) -> tuple[LinePrompt, ...]:
    """Read a long axis, or a long and a short one; each ``x,y,z:x,y,z`` in LPS mm.

    Raises:
        InputError: One is no line, the short one stands alone, or it is the longer one.

    Example:
        >>> [line.length_mm for line in parse_axes("0,0,5:8,0,5", "4,-3,5:4,3,5")]
        [8.0, 6.0]
    """
    if short and not long:
        raise InputError("short axis: expected a long axis beside it, found none")
    lines = tuple(parse_line(text) for text in (long, short) if text)
    if len(lines) == 2:
        require_shorter(lines[0].length_mm, lines[1].length_mm)
    return lines


def require_shorter(long_mm: float, short_mm: float) -> None:
    """Refuse a short axis that is the longer one: the two were exchanged, or belong to two lesions.

    Raises:
        InputError: It is longer than the long one.
    """
    if short_mm > long_mm:
        raise InputError(f"short axis: expected at most the long axis's {long_mm:.1f} mm, found {short_mm:.1f} mm")


def parse_box(text: str) -> BoxPrompt:
    """Read ``x,y,z:x,y,z`` in LPS mm as two opposite corners of a box.

    Raises:
        InputError: The text is not two points.
    """
    corner, opposite = _parse_pair("box", text)
    return BoxPrompt(corner_mm=corner, opposite_mm=opposite)


def parse_point(text: str, *, positive: bool = True) -> PointPrompt:
    """Read ``x,y,z`` in LPS mm as a click in the lesion, or beside it.

    Raises:
        InputError: The text is not three numbers.
    """
    return PointPrompt(point_mm=_parse_triple("point", text, text), positive=positive)


def parse_scribble(text: str, *, positive: bool = True) -> ScribblePrompt:
    """Read ``x,y,z:x,y,z:...`` in LPS mm as a stroke through the lesion, or through what is not the lesion.

    Raises:
        InputError: The text is not a row of points.
        SegmentationError: It holds fewer than two.
    """
    return ScribblePrompt(points_mm=_parse_row("scribble", text), positive=positive)


def parse_lasso(text: str, *, positive: bool = True) -> LassoPrompt:
    """Read ``x,y,z:x,y,z:...`` in LPS mm as a closed outline in one slice.

    Raises:
        InputError: The text is not a row of points.
        SegmentationError: It holds fewer than three.
    """
    return LassoPrompt(points_mm=_parse_row("lasso", text), positive=positive)


def describe_point(point_mm: PointMm) -> str:
    """One point for messages, in mm."""
    return "(" + ", ".join(f"{value:.1f}" for value in point_mm) + ") mm"


def _parse_pair(name: str, text: str) -> tuple[PointMm, PointMm]:
    parts = text.split(":")
    if len(parts) != 2:
        raise InputError(f'{name}: expected two points as "x,y,z:x,y,z" in mm, found "{text}"')
    return _parse_triple(name, parts[0], text), _parse_triple(name, parts[1], text)


def _parse_row(name: str, text: str) -> tuple[PointMm, ...]:
    return tuple(_parse_triple(name, part, text) for part in text.split(":"))


def _parse_triple(name: str, part: str, whole: str) -> PointMm:
    try:
        x, y, z = (float(number) for number in part.split(","))
    except ValueError as error:
        raise InputError(f'{name}: expected three numbers "x,y,z" in mm, found "{part}" in "{whole}"') from error
    if not all(math.isfinite(value) for value in (x, y, z)):
        raise InputError(f'{name}: expected finite numbers, found "{part}" in "{whole}"')
    return (x, y, z)


def _require_points(name: str, points_mm: tuple[PointMm, ...], *, least: int) -> None:
    if len(points_mm) < least:
        raise SegmentationError(f"{name}: expected at least {least} points, found {len(points_mm)}")
    _require_finite(name, points_mm)


def _require_finite(name: str, points_mm: tuple[PointMm, ...]) -> None:
    for point in points_mm:
        if not all(math.isfinite(value) for value in point):
            raise SegmentationError(f"{name}: expected finite coordinates in mm, found {point}")
