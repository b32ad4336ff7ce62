"""A prompt as a frame (centre, three axes, three half-lengths), so that every lesion looks one size to a segmenter."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.segmentation import SegmentationSettings
from npcpit_imaging.errors import SegmentationError
from npcpit_imaging.segmentation.agree import require_near, require_one_lesion, widened
from npcpit_imaging.segmentation.drawn import points_of
from npcpit_imaging.segmentation.prompt import (
    BoxPrompt,
    LassoPrompt,
    LinePrompt,
    Prompt,
)
from npcpit_imaging.segmentation.region import Floats, Region, cut_region, require_inside
from npcpit_imaging.study.caliper import Caliper, PointMm
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Volume

LINE_WIDTH_RATIO = 0.75
"""Short axis of a lesion as a fraction of its long axis: the median of the training lesions."""

LINE_DEPTH_RATIO = 1.3
"""Extent through the slices as a fraction of the long axis: the median of the training lesions, along a limb."""

LINE_REACH = (1.25, 1.55, 1.6)
"""How far, in half-lengths, the region reaches along, across and through the line's slice."""

BOX_REACH = 1.25
"""The same for a box, in every direction; a margin of 2 mm comes on top."""

BOX_MARGIN_MM = 2.0

LONG_AXIS_ANGLE_DEGREES = 60.0
"""A second line at least this far from the direction of the first is the short axis of a bidirectional measurement."""

SLICE_TOLERANCE = 0.05
"""A line whose ends differ by less, in slices, counts as drawn in one slice."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a lesion lies, as its prompt says.

    Args:
        centre_mm: `(3,)` LPS.
        axes: `(3, 3)`; rows are unit vectors along, across and through.
        half_mm: `(3,)` half-lengths along them.
        reach_mm: `(3,)` how far along them a segmenter looks.
        line: The long axis in its slice, None for a box.
        short: The short axis in the same slice, where a reader drew it too.
        slice_index_k: The slice of the line, None for a box.
        clicked: Whether it stands for clicks or strokes, whose lesion's size nobody drew.
        findings: What a reader should know of the prompt.
    """

    centre_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    half_mm: NDArray[np.float64]
    reach_mm: NDArray[np.float64]
    line: Caliper | None = None
    short: Caliper | None = None
    slice_index_k: int | None = None
    clicked: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def diameter_mm(self) -> float:
        """The lesion's in-plane size in mm."""
        return 2.0 * float(self.half_mm[:2].max())

    def region(self, volume: Volume, settings: SegmentationSettings) -> Region:
        """Cut the part of the image that the frame reaches."""
        signs = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
        corners = volume.geometry.to_index(self.centre_mm + (signs * self.reach_mm) @ self.axes)
        return cut_region(volume, corners.min(axis=0), corners.max(axis=0), voxel_budget=settings.voxel_budget)

    def coordinates(self, geometry: Geometry) -> tuple[Floats, Floats, Floats]:
        """Every voxel's place in the frame, in half-lengths: three arrays that broadcast to `(K, J, I)`."""
        matrix = self.axes @ geometry.affine[:3, :3] / self.half_mm[:, None]
        offset = self.axes @ (geometry.affine[:3, 3] - self.centre_mm) / self.half_mm
        k, j, i = np.ogrid[tuple(slice(size) for size in geometry.shape_kji)]
        u, v, w = (
            (matrix[row, 0] * i + matrix[row, 1] * j + matrix[row, 2] * k + offset[row]).astype(np.float32)
            for row in range(3)
        )
        return u, v, w


def frame_of(
    volume: Volume, prompts: tuple[Prompt, ...], previous: Mask | None, settings: SegmentationSettings
) -> Frame:
    """The frame of the positive line (or two), lasso, box, previous mask, scribble or point, in this order.

    What is drawn beside it must agree with it: a box beside a line bounds the proposal, a click beside one lies within
    the line's reach, and a click beside a previous mask widens the place that is looked at.

    Raises:
        SegmentationError: A prompt lies outside the image, contradicts another, a line is not in one slice, or nothing
            says where to look.
    """
    geometry = volume.geometry
    require_one_lesion(prompts, geometry)
    positive = [prompt for prompt in prompts if prompt.positive]
    points = [point for prompt in positive for point in points_of(prompt)]
    boxes = [prompt for prompt in positive if isinstance(prompt, BoxPrompt)]
    drawn = _line_frame_of(positive, geometry)
    if drawn is not None:
        offset = np.array(points).reshape(-1, 3) - drawn.centre_mm
        require_near(_inside(points, geometry), offset @ drawn.axes.T, drawn.reach_mm)
        beside = [finding for box in boxes for finding in box_frame(box, geometry).findings]
        return replace(drawn, findings=(*drawn.findings, *beside))
    for box in boxes:
        return box_frame(box, geometry)
    if previous is not None and previous.voxels.any():
        return box_frame(widened(previous, bounding_box(previous), _inside(points, geometry)), geometry)
    if not points:
        found = "neither" if previous is None else "an empty mask"
        raise SegmentationError(f"prompts: expected a positive prompt or a previous mask with a voxel, found {found}")
    return _points_frame(points, geometry, settings)


def _line_frame_of(positive: list[Prompt], geometry: Geometry) -> Frame | None:
    """The frame of one line, of two, or of the first lasso's longest chord; None without any."""
    lines = [prompt for prompt in positive if isinstance(prompt, LinePrompt)]
    if len(lines) == 2:
        return bidirectional_frame(lines[0], lines[1], geometry)
    lassos = [_longest_chord(prompt, geometry) for prompt in positive if isinstance(prompt, LassoPrompt)]
    return line_frame([*lines, *lassos][0], geometry) if lines or lassos else None


def _inside(points: list[PointMm], geometry: Geometry) -> list[PointMm]:
    for point in points:
        require_inside("point", point, geometry)
    return points


def line_frame(line: LinePrompt, geometry: Geometry) -> Frame:
    """The frame of a long axis: along the line, across it in the slice, through the slices.

    Ends up to one slice apart are projected onto the nearest slice with the finding ``line-between-slices``.

    Raises:
        SegmentationError: An end lies outside the image, the ends lie more than one slice apart, or the line is shorter
            than a pixel.
    """
    for name, point in (("line start", line.start_mm), ("line end", line.end_mm)):
        require_inside(name, point, geometry)
    index = geometry.to_index([line.start_mm, line.end_mm])
    apart = float(abs(index[1, 0] - index[0, 0]))
    if apart > 1.0:
        raise SegmentationError(
            f"line: expected both ends in one slice (at most one slice apart), found slices {index[0, 0]:.1f} and "
            f"{index[1, 0]:.1f}; draw the long axis in one slice"
        )
    k = int(np.clip(round(float(index[:, 0].mean())), 0, geometry.shape_kji[0] - 1))
    index[:, 0] = k
    start, end = geometry.to_mm(index)
    length = math.dist(start, end)
    if length < min(geometry.spacing_mm[:2]):
        raise SegmentationError(
            f"line: expected a long axis of at least one pixel ({min(geometry.spacing_mm[:2]):.2f} mm) in its slice, "
            f"found {length:.2f} mm"
        )
    along = (end - start) / length
    half = length / 2 * np.array([1.0, LINE_WIDTH_RATIO, LINE_DEPTH_RATIO])
    return Frame(
        centre_mm=(start + end) / 2,
        axes=np.stack([along, np.cross(geometry.normal, along), geometry.normal]),
        half_mm=half,
        reach_mm=half * np.array(LINE_REACH) + np.array(geometry.spacing_mm),
        line=Caliper(start_mm=_point(start), end_mm=_point(end)),
        slice_index_k=k,
        findings=_between_slices(apart, k),
    )


def bidirectional_frame(one: LinePrompt, other: LinePrompt, geometry: Geometry) -> Frame:
    """The frame of a long and a short axis drawn in one slice, as RECIST's bidirectional tools draw them.

    Raises:
        SegmentationError: A line cannot be used, or the two are not the axes of one lesion in one slice.
    """
    long, short = sorted((one, other), key=lambda line: -line.length_mm)
    frame, second = line_frame(long, geometry), line_frame(short, geometry)
    angle = float(np.degrees(np.arccos(min(1.0, abs(float(frame.axes[0] @ second.axes[0]))))))
    if second.slice_index_k != frame.slice_index_k or angle < LONG_AXIS_ANGLE_DEGREES:
        raise SegmentationError(
            f"two lines: expected a long and a short axis across each other in one slice, found slices "
            f"{frame.slice_index_k} and {second.slice_index_k} and {angle:.0f} degrees between them"
        )
    half = frame.half_mm * (second.half_mm[0] / frame.half_mm[1])
    half[0] = frame.half_mm[0]
    offset = (second.centre_mm - frame.centre_mm) @ frame.axes[1]
    return replace(
        frame,
        centre_mm=frame.centre_mm + offset * frame.axes[1],
        half_mm=half,
        reach_mm=half * np.array(LINE_REACH) + np.array(geometry.spacing_mm),
        short=second.line,
        findings=(*frame.findings, *_exchanged(one, other)),
    )


def _exchanged(one: LinePrompt, other: LinePrompt) -> tuple[Finding, ...]:
    if other.length_mm <= one.length_mm:
        return ()
    text = (
        f"two lines: the first, expected to be the long axis, is {one.length_mm:.1f} mm, the second "
        f"{other.length_mm:.1f} mm; the longer one was taken as the long axis"
    )
    return (_warn("axes-exchanged", text),)


def box_frame(box: BoxPrompt, geometry: Geometry) -> Frame:
    """The frame of a box along the image's axes, cut off at the image's border with the finding ``box-cut-off``.

    A box without thickness, drawn in one slice, is given its shorter side as thickness: finding ``flat-box``.

    Raises:
        SegmentationError: The box lies wholly outside the image, or has less than a pixel in the slice.
    """
    index = np.sort(geometry.to_index([box.corner_mm, box.opposite_mm]), axis=0)
    edge = np.array(geometry.shape_kji) - 0.5
    if (index[1] < -0.5).any() or (index[0] > edge).any():
        require_inside("box", _point(geometry.to_mm(index.mean(axis=0))), geometry)
    findings = []
    if (index[0] < -0.5).any() or (index[1] > edge).any():
        findings.append(_warn("box-cut-off", "box: reaches out of the image; the part inside was used"))
    index = np.clip(index, -0.5, edge)
    spacing = np.array(geometry.spacing_mm)
    half = (index[1] - index[0])[::-1] * spacing / 2
    if (half[:2] < spacing[:2] / 2).any():
        raise SegmentationError(
            f"box: expected at least one pixel each way in the slice, found {2 * half[0]:.2f} x {2 * half[1]:.2f} mm"
        )
    if half[2] < spacing[2] / 4:
        half[2] = half[:2].min()
        findings.append(_warn("flat-box", f"box: no thickness; {2 * half[2]:.1f} mm, its shorter side, was taken"))
    return Frame(
        centre_mm=geometry.to_mm(index.mean(axis=0)),
        axes=np.array(geometry.direction).T,
        half_mm=np.maximum(half, spacing / 2),
        reach_mm=half * BOX_REACH + BOX_MARGIN_MM,
        findings=tuple(findings),
    )


def _points_frame(points: list[PointMm], geometry: Geometry, settings: SegmentationSettings) -> Frame:
    for point in points:
        require_inside("point", point, geometry)
    places = np.array(points) @ np.array(geometry.direction)
    centre = (places.min(axis=0) + places.max(axis=0)) / 2
    half = np.ptp(places, axis=0) / 2 + settings.point_radius_mm
    axes = np.array(geometry.direction).T
    text = f"point: a lesion of {2 * half.max():.0f} mm was assumed; a click alone does not say how large it is"
    return Frame(
        centre_mm=centre @ axes,
        axes=axes,
        half_mm=half,
        reach_mm=half * BOX_REACH + BOX_MARGIN_MM,
        clicked=True,
        findings=(_warn("size-assumed", text),),
    )


def _longest_chord(lasso: LassoPrompt, geometry: Geometry) -> LinePrompt:
    for point in lasso.points_mm:
        require_inside("lasso", point, geometry)
    points = np.array(lasso.points_mm)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    one, other = np.unravel_index(int(distance.argmax()), distance.shape)
    return LinePrompt(start_mm=lasso.points_mm[one], end_mm=lasso.points_mm[other])


def bounding_box(mask: Mask) -> BoxPrompt:
    """The box that a mask with a voxel just fits into."""
    index = np.argwhere(mask.voxels)
    low, high = index.min(axis=0) - 0.5, index.max(axis=0) + 0.5
    return BoxPrompt(corner_mm=_point(mask.geometry.to_mm(low)), opposite_mm=_point(mask.geometry.to_mm(high)))


def _between_slices(apart: float, k: int) -> tuple[Finding, ...]:
    if apart <= SLICE_TOLERANCE:
        return ()
    return (_warn("line-between-slices", f"line: its ends lie {apart:.2f} slices apart; projected onto slice {k}"),)


def _warn(code: str, text: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, text=text)


def _point(values: NDArray[np.float64]) -> PointMm:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
