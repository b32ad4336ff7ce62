"""The irradiated field of a study: tables/fields.csv to a mask on every visit's CT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npcpit_imaging.app.images import open_mask
from npcpit_imaging.app.registrations import visit_transform
from npcpit_imaging.app.series import find_series, open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.tables import Row, read_table
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.registration.field import IrradiatedField, irradiated_field
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.study.treatment import Diffuser, DiffuserKind
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample_mask
from npcpit_imaging.volume.volume import Mask, Modality

MASK = "mask"
"""Kind of a field that comes from a file instead of a fibre."""

REQUIRED = ("subject", "cycle", "timepoint", "kind")
OPTIONAL = ("tip_mm", "axis", "length_mm", "radius_mm", "start_radius_mm", "file", "roi")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One line of tables/fields.csv: a fibre, or a mask, of one cycle.

    Args:
        subject: Subject code.
        cycle: From 1.
        timepoint: The visit on whose CT it was planned.
        diffuser: The fibre; None for a mask.
        file: NIfTI, NRRD, DICOM SEG or RTSTRUCT of the field, from the study's folder; None for a fibre.
        roi: The region's name in an RTSTRUCT; empty otherwise.
    """

    subject: str
    cycle: int
    timepoint: str
    diffuser: Diffuser | None
    file: Path | None
    roi: str


def read_fields(study: Study) -> tuple[FieldRow, ...]:
    """Read tables/fields.csv.

    Raises:
        InputError: The table is missing.
        TableError: A line cannot be used; the message names it.
    """
    rows = read_table(study.tables / "fields.csv", required=REQUIRED, optional=OPTIONAL)
    return tuple(_row(study, row) for row in rows)


def _row(study: Study, row: Row) -> FieldRow:
    kind = row.text("kind").lower()
    choices = [MASK, *(each.value for each in DiffuserKind)]
    if kind not in choices:
        raise TableError(f"kind: expected {', '.join(choices)}, found {kind!r}", line=row.line)
    cycle = row.text("cycle")
    if not cycle.isdecimal() or int(cycle) < 1:
        raise TableError(f"cycle: expected a number from 1, found {cycle!r}", line=row.line)
    try:
        diffuser = None if kind == MASK else _diffuser(study, row, DiffuserKind(kind))
    except TableError:
        raise
    except InputError as error:
        raise TableError(str(error), line=row.line) from error
    return FieldRow(
        subject=row.text("subject"),
        cycle=int(cycle),
        timepoint=row.text("timepoint"),
        diffuser=diffuser,
        file=study.folder / row.text("file") if kind == MASK else None,
        roi=row.values["roi"],
    )


def _diffuser(study: Study, row: Row, kind: DiffuserKind) -> Diffuser:
    reach = study.protocol.diffusers
    default = reach.cylindrical_radius_mm if kind is DiffuserKind.CYLINDRICAL else reach.frontal_radius_mm
    depth = None if kind is DiffuserKind.CYLINDRICAL else reach.frontal_depth_mm
    x, y, z = _triple(row, "axis")
    length = float(np.linalg.norm((x, y, z)))
    if length == 0:
        raise TableError("axis: expected a direction, found 0,0,0", line=row.line)
    return Diffuser(
        kind=kind,
        tip_mm=_triple(row, "tip_mm"),
        axis=(x / length, y / length, z / length),
        length_mm=_number(row, "length_mm", depth),
        radius_mm=_number(row, "radius_mm", default),
        start_radius_mm=_number(row, "start_radius_mm", 0.0),
    )


def _triple(row: Row, column: str) -> tuple[float, float, float]:
    text = row.text(column)
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise TableError(f"{column}: expected x,y,z in LPS mm, found {text!r}", line=row.line) from error
    return (x, y, z)


def _number(row: Row, column: str, default: float | None) -> float:
    text = row.values[column]
    if not text:
        if default is None:
            raise TableError(
                f"{column}: expected a number, found none, and protocol.toml [diffusers] has none", line=row.line
            )
        return default
    try:
        return float(text)
    except ValueError as error:
        raise TableError(f"{column}: expected a number, found {text!r}", line=row.line) from error


def field_at(
    study: Study,
    subject: str,
    timepoint: str,
    rows: Sequence[FieldRow],
    *,
    grid_of: Callable[[str], Geometry] | None = None,
) -> IrradiatedField:
    """The field of all cycles on a visit's CT, united, with the widest margin of its parts.

    A part that was planned on another visit is carried by the stored registrations to the baseline and from there.

    Args:
        study: The study.
        subject: Whose.
        timepoint: Of the visit.
        rows: Of tables/fields.csv; other subjects' are passed over.
        grid_of: The grid of a series by its UID, from who has it open; by reading its files without.

    Raises:
        InputError: The subject has no field, or a file cannot be read.
        FlowError: A registration is missing, stale or rejected.
        RegistrationError: Nothing of the field lies on this visit's CT.
    """
    own = [row for row in rows if row.subject == subject]
    if not own:
        raise InputError(f"{subject}: no line in fields.csv")
    grids = grid_of or (lambda uid: open_series(study, uid).geometry)
    target = grids(find_series(study, subject, timepoint, Modality.CT).uid)
    voxels, margin_mm = np.zeros(target.shape_kji, bool), 0.0
    for planned in dict.fromkeys(row.timepoint for row in own):
        grid = grids(find_series(study, subject, planned, Modality.CT).uid)
        part = _planned(grid, [row for row in own if row.timepoint == planned])
        if planned == timepoint:
            voxels |= part.mask.voxels
            continue
        carried, doubt_mm = _carried(
            study, subject, part.mask, target, planned=planned, timepoint=timepoint, grids=grids
        )
        voxels |= carried.voxels
        margin_mm = max(margin_mm, doubt_mm)
    return IrradiatedField(mask=Mask(voxels=voxels, geometry=target, label="irradiated field"), margin_mm=margin_mm)


def _planned(geometry: Geometry, rows: Sequence[FieldRow]) -> IrradiatedField:
    masks = [open_mask(row.file, geometry, roi=row.roi or None) for row in rows if row.file is not None]
    return irradiated_field(geometry, diffusers=[row.diffuser for row in rows if row.diffuser], masks=masks)


def _carried(
    study: Study,
    subject: str,
    mask: Mask,
    target: Geometry,
    *,
    planned: str,
    timepoint: str,
    grids: Callable[[str], Geometry],
) -> tuple[Mask, float]:
    """A mask on another visit's CT and the margin it needs: the plan's, or more where the registration is less sure."""
    least, margin_mm = study.plan("ct-ct").field_margin_mm, 0.0
    if planned != BASELINE:
        transform, doubt = visit_transform(study, subject, planned)
        baseline = grids(find_series(study, subject, BASELINE, Modality.CT).uid)
        mask, margin_mm = resample_mask(mask, baseline, transform.inverse()), max(least, doubt)
    if timepoint != BASELINE:
        transform, doubt = visit_transform(study, subject, timepoint)
        mask = resample_mask(mask, target, transform)
        margin_mm = float(np.hypot(margin_mm, max(least, doubt)))
    return mask, margin_mm
