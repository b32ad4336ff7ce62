"""A series for the page: its grid, how its values travel, windows, and where each slice's DICOM frame is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npcpit_imaging.app.shelf import Shelf, Shelved
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.imaging import DisplaySettings
from npcpit_imaging.dicom.pet import suv_scaling
from npcpit_imaging.dicom.slice_sources import slice_sources
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.store.images import SeriesSummary, paths_of, study_uid_of
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume

WINDOWS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "CT": (("Soft tissue", -160.0, 240.0), ("Neck", -75.0, 175.0), ("Lung", -1350.0, 150.0), ("Bone", -450.0, 1050.0)),
    "PT": (("SUV 0-5", 0.0, 5.0), ("SUV 0-10", 0.0, 10.0), ("SUV 0-20", 0.0, 20.0)),
}
"""Window presets by modality: name, black, white; the digit keys of the page."""

PERCENTILES = (1.0, 99.5)
"""Between which an image of no fixed scale is shown."""


def series_view(study: Study, shelf: Shelf, series: SeriesSummary) -> JsonObject:
    """Everything that is needed to show a series and to draw on it.

    Raises:
        NpcpitError: The series is not one volume; the message is for the reader.
    """
    held = shelf.get(series.uid)
    volume = held.volume
    with study.database.session() as session:
        study_uid = study_uid_of(session, series.uid)
        paths = tuple(study.objects.files(paths_of(session, series.uid)))
    low, high = float(volume.voxels.min()), float(volume.voxels.max())
    return {
        "uid": series.uid,
        "study_uid": study_uid,
        "subject": series.subject,
        "timepoint": series.timepoint,
        "modality": series.modality,
        "description": series.description,
        **grid_view(volume.geometry),
        "frame_of_reference_uid": series.frame_of_reference_uid,
        "unit": volume.unit.value,
        "dtype": str(held.stored.dtype),
        "scale": {"slope": 1.0, "intercept": 0.0},
        "value_range": [low, high],
        "digest": held.digest,
        "suv": _suv(volume, paths),
        "windows": _windows(study, volume),
        "findings": [
            {"code": each.code, "severity": each.severity.value, "text": each.text} for each in volume.findings
        ],
        "slices": _slices(paths, study_uid, series.uid, volume.geometry),
    }


def grid_view(geometry: Geometry) -> JsonObject:
    """A grid as JSON."""
    return {
        "shape_kji": list(geometry.shape_kji),
        "spacing_mm": list(geometry.spacing_mm),
        "origin_mm": list(geometry.origin_mm),
        "direction": [list(row) for row in geometry.direction],
        "affine": geometry.affine.tolist(),
    }


def _suv(volume: Volume, paths: Sequence[Path]) -> JsonObject | None:
    if volume.modality is not Modality.PT or volume.unit is not Unit.SUVBW:
        return None
    try:
        scaling = suv_scaling(paths)
    except NpcpitError:  # the series came in SUV already
        return {"factor": 1.0, "unit": Unit.SUVBW.value}
    return {"factor": scaling.factor, "unit": Unit.SUVBW.value, "source": scaling.source}


def _windows(study: Study, volume: Volume) -> list[JsonObject]:
    presets = list(WINDOWS.get(volume.modality, ()))
    own = _own_window(study.imaging(volume.modality).display, volume)
    if own is not None:
        presets.insert(0, own)
    return [
        {"key": str(number), "name": name, "low": low, "high": high}
        for number, (name, low, high) in enumerate(presets[:9], start=1)
    ]


def _own_window(display: DisplaySettings, volume: Volume) -> tuple[str, float, float] | None:
    """The study's own window; one of the image where its modality has no scale."""
    if display.low is not None and display.high is not None:
        return ("Study", display.low, display.high)
    if volume.modality in WINDOWS:
        return None
    low, high = (
        float(value) for value in np.percentile(volume.voxels[:: max(1, len(volume.voxels) // 16)], PERCENTILES)
    )
    return ("Image", low, max(high, low + 1.0))


def _slices(paths: Sequence[Path], study_uid: str, series_uid: str, geometry: Geometry) -> list[JsonObject]:
    """Where each slice of the grid is as a DICOM frame; empty when the grid is none of the stored slices'."""
    root = f"/dicom-web/studies/{study_uid}/series/{series_uid}/instances"
    return [
        {
            "k": k,
            "sop_instance_uid": each.sop_instance_uid,
            "frame": each.frame,
            "url": f"{root}/{each.sop_instance_uid}/frames/{each.frame}",
            "slope": each.slope,
            "intercept": each.intercept,
            "position_mm": list(each.position_mm),
        }
        for k, each in enumerate(slice_sources(paths, geometry))
    ]


def voxel_bytes(held: Shelved, first: int, count: int) -> bytes:
    """Slices of the grid as little-endian values in (k, j, i) order."""
    part = held.stored[first : first + count]
    return part.astype(part.dtype.newbyteorder("<"), copy=False).tobytes()
