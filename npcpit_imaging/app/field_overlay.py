"""The irradiated field on one series: where light acted, and the margin in which the edge is not known."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.app.fields import FieldRow, field_at, read_fields
from npcpit_imaging.app.series import find_series
from npcpit_imaging.app.series_path import SeriesPath, series_path
from npcpit_imaging.app.shelf import Shelf
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError, ReadingError, RegistrationError
from npcpit_imaging.registration.field import IrradiatedField
from npcpit_imaging.store.images import SeriesSummary, series_of
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.resample import resample_mask
from npcpit_imaging.volume.volume import Mask, Modality

LABEL = "irradiated field"


@dataclass(frozen=True, kw_only=True)
class FieldOverlay:
    """The field of every cycle on one series' grid.

    Args:
        inside: Where light acted.
        margin: Where it may have acted: within `margin_mm` of the field, the field itself left out.
        margin_mm: Half-width of doubt about the edge; 0 where it was planned on this very image.
        planned_on: Visits on whose CT it was planned.
        cycles: Which cycles it unites.
    """

    inside: Mask
    margin: Mask
    margin_mm: float
    planned_on: tuple[str, ...]
    cycles: tuple[int, ...]


def has_field(study: Study, subject: str, *, visits: Collection[str]) -> bool:
    """Whether a field of a subject is on record that was planned on one of these visits.

    Raises:
        TableError: tables/fields.csv cannot be used.
    """
    return bool(_rows(study, subject, visits))


def _rows(study: Study, subject: str, visits: Collection[str]) -> list[FieldRow]:
    if not (study.tables / "fields.csv").is_file():
        return []
    return [row for row in read_fields(study) if row.subject == subject and row.timepoint in visits]


def field_overlay(study: Study, shelf: Shelf, series: SeriesSummary, *, visits: Collection[str]) -> FieldOverlay:
    """The field on a series of a visit: on the visit's CT as the plans carry it, on other series from that CT.

    Args:
        study: The study.
        shelf: Volumes that are open.
        series: On whose grid it is asked for.
        visits: Visits that may be known of; a cycle planned on a later one would tell of it, and is left out.

    Raises:
        ReadingError: It cannot be said where the field lies; the message is for the reader.
        TableError: tables/fields.csv cannot be used.
    """
    rows = _rows(study, series.subject, visits)
    visit = series.timepoint
    if visit is None:
        raise ReadingError(f"series {series.uid}: expected one of a visit, found it in none")
    try:
        ct = find_series(study, series.subject, visit, Modality.CT)
        field = field_at(study, series.subject, visit, rows, grid_of=lambda uid: shelf.get(uid).volume.geometry)
    except (InputError, RegistrationError) as error:
        raise ReadingError(str(error)) from error
    geometry = shelf.get(series.uid).volume.geometry
    if ct.uid != series.uid:
        field = _carried(study, field, geometry, _path(study, series, ct))
    return FieldOverlay(
        inside=field.mask,
        margin=margin_of(field),
        margin_mm=field.margin_mm,
        planned_on=tuple(dict.fromkeys(row.timepoint for row in rows)),
        cycles=tuple(sorted({row.cycle for row in rows})),
    )


def _path(study: Study, series: SeriesSummary, ct: SeriesSummary) -> SeriesPath:
    """From a series of a visit to the visit's CT, by that visit's own images alone."""
    with study.database.session() as session:
        visit = [each for each in series_of(session, subject=series.subject) if each.timepoint == series.timepoint]
    return series_path(study, series.subject, visit, from_series_uid=series.uid, to_series_uid=ct.uid)


def _carried(study: Study, field: IrradiatedField, geometry: Geometry, path: SeriesPath) -> IrradiatedField:
    """The field on another series of the same visit; a registration between adds its doubt."""
    transforms = [step.transform for step in path.steps if step.transform is not None]
    if len(transforms) > 1:
        raise ReadingError("irradiated field: expected at most one registration to the visit's CT, found several")
    doubt_mm = max(study.plan("ct-ct").field_margin_mm, path.uncertainty_mm) if transforms else 0.0
    mask = resample_mask(field.mask, geometry, transforms[0] if transforms else None)
    if not mask.voxels.any():
        raise ReadingError("irradiated field: nothing of it lies on this image")
    return IrradiatedField(mask=mask, margin_mm=float(np.hypot(field.margin_mm, doubt_mm)))


def margin_of(field: IrradiatedField) -> Mask:
    """The voxels outside a field whose centres lie within its margin, measured as `classify` measures it.

    Example:
        >>> grid = Geometry(shape_kji=(1, 1, 9), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(2.0, 1.0, 1.0))
        >>> voxels = np.zeros(grid.shape_kji, bool)
        >>> voxels[0, 0, 4] = True
        >>> near = margin_of(IrradiatedField(mask=Mask(voxels=voxels, geometry=grid), margin_mm=4.0))
        >>> near.voxels[0, 0].astype(int).tolist()
        [0, 0, 1, 1, 0, 1, 1, 0, 0]
    """
    geometry = field.mask.geometry
    half = min(geometry.spacing_mm) / 2.0  # the edge runs half a voxel outside the last centre
    reach = np.ceil(field.margin_mm / np.array(geometry.spacing_mm[::-1])).astype(int) + 1
    margin = np.zeros(geometry.shape_kji, bool)
    window = _window(field.mask.voxels, reach)
    inside = field.mask.voxels[window]
    distance = ndimage.distance_transform_edt(~inside, sampling=geometry.spacing_mm[::-1])
    margin[window] = ~inside & (distance - half <= field.margin_mm)
    return Mask(voxels=margin, geometry=geometry, label=f"margin of the {LABEL}")


def _window(voxels: NDArray[np.bool_], reach: NDArray[np.int_]) -> tuple[slice, ...]:
    """The box around a field and its margin."""
    (box,) = ndimage.find_objects(voxels.astype(np.uint8))
    return tuple(
        slice(max(0, part.start - int(more)), min(size, part.stop + int(more)))
        for part, more, size in zip(box, reach, voxels.shape, strict=True)
    )
