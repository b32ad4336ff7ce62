"""A reader's caliper against the image it was drawn on: inside it, in one slice, of a length that can be drawn."""

from collections.abc import Sequence

from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.tables import Row
from npcpit_imaging.errors import InputError, NpcpitError, SegmentationError, TableError
from npcpit_imaging.segmentation.prompt import parse_line
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.volume.geometry import Geometry

LONGEST_MM = 300.0
"""No lesion of the head and neck is longer; a longer line is a slip of the units or of a digit."""

SLICES_APART = 1.0
"""RECIST measures in one slice; ends up to one slice apart are rounding of a viewer."""


def read_caliper(row: Row, column: str) -> Caliper | None:
    """A reader's line from a cell, ``x,y,z:x,y,z`` in LPS mm; None when the cell is empty.

    Raises:
        TableError: It is no line, or a longer one than any lesion.
    """
    if not row.values[column]:
        return None
    try:
        line = parse_line(row.values[column])
    except (InputError, SegmentationError) as error:
        raise TableError(f"{column}: {error}", line=row.line) from error
    if line.length_mm > LONGEST_MM:
        raise TableError(f"{column}: expected at most {LONGEST_MM:g} mm, found {line.length_mm:.1f} mm", line=row.line)
    return Caliper(start_mm=line.start_mm, end_mm=line.end_mm)


def read_calipers(row: Row) -> tuple[Caliper | None, Caliper | None]:
    """A reader's long and short line.

    Raises:
        TableError: One cannot be used, or the short one is the longer one.
    """
    long, short = read_caliper(row, "caliper_mm"), read_caliper(row, "short_caliper_mm")
    if long is not None and short is not None and short.length_mm > long.length_mm:
        raise TableError(
            f"short_caliper_mm: expected at most caliper_mm's {long.length_mm:.1f} mm, found {short.length_mm:.1f} mm",
            line=row.line,
        )
    return long, short


def require_on_an_image(study: Study, row: Row, series_uids: Sequence[str]) -> None:
    """Refuse calipers that could not have been drawn on any of some series.

    Args:
        study: The study.
        row: The line with the calipers.
        series_uids: The series they may lie on, the likeliest first; the fault is told of that one.

    Raises:
        TableError: A caliper fits none of them, or none can be read.
    """
    drawn = {name: read_caliper(row, name) for name in ("caliper_mm", "short_caliper_mm")}
    calipers = {name: each for name, each in drawn.items() if each is not None}
    faults: list[str] = []
    for uid in series_uids if calipers else ():
        try:
            geometry = open_series(study, uid).geometry
        except NpcpitError as error:
            faults.append(str(error))
            continue
        wrong = [f"{name}: {fault}" for name, each in calipers.items() for fault in caliper_faults(each, geometry)]
        if not wrong:
            return
        faults.append(f"{wrong[0]} (series {uid})")
    if calipers:
        raise TableError(faults[0] if faults else "caliper: the visit has no image to draw on", line=row.line)


def caliper_faults(caliper: Caliper, geometry: Geometry) -> list[str]:
    """Why a line cannot have been drawn on a grid; empty when it can."""
    ends = (caliper.start_mm, caliper.end_mm)
    if not geometry.contains(ends).all():
        return [f"expected both ends inside the image of {geometry.describe()}, found one outside"]
    slices = geometry.to_index(ends)[:, 0]
    apart = float(abs(slices[1] - slices[0]))
    pixel_mm = min(geometry.spacing_mm[:2])
    faults = [f"expected both ends in one slice, found them {apart:.1f} slices apart"] if apart > SLICES_APART else []
    if caliper.length_mm < pixel_mm:
        faults.append(f"expected at least a pixel, {pixel_mm:.3g} mm, found {caliper.length_mm:.3g} mm")
    return faults
