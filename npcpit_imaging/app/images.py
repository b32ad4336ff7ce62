"""Images and masks from whatever a person names: a DICOM folder or file, NIfTI, NRRD, DICOM SEG, RTSTRUCT."""

from pathlib import Path

import numpy as np

from npcpit_imaging.config.series import DEFAULT_POLICY, SeriesPolicy
from npcpit_imaging.dicom.instance import Kind
from npcpit_imaging.dicom.load import choose_series, load_folder, series_geometry
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.dicom.seg_read import read_segment
from npcpit_imaging.errors import InputError
from npcpit_imaging.volume.files import is_image_file, read_labels, read_mask, read_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.reorder import reorder
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

UNITS = {Modality.CT: Unit.HU, Modality.PT: Unit.SUVBW}
"""What a NIfTI or NRRD value of a modality is taken to mean; the file itself cannot say."""


LABELS_SHOWN = 10
"""How many values of a label image a message lists; a file with more is most likely an image."""


def open_image(
    path: Path,
    *,
    series_uid: str | None = None,
    part: int | None = None,
    modality: Modality = Modality.OT,
    policy: SeriesPolicy = DEFAULT_POLICY,
) -> Volume:
    """Read an image.

    Args:
        path: A folder with a DICOM series, a DICOM file, NIfTI or NRRD.
        series_uid: Which series, where the folder holds several.
        part: Which volume of a series that holds several, from 1.
        modality: What a NIfTI or NRRD file holds; DICOM says it itself.
        policy: How strict reading a DICOM series is.

    Raises:
        InputError: Nothing readable is there.
        SeriesError: The series is not one volume.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and is_image_file(path):
        return read_volume(path, modality=modality, unit=UNITS.get(modality, Unit.ARBITRARY))
    return load_folder(path, series_uid=series_uid, part=part, policy=policy)


def open_grid(path: Path, *, series_uid: str | None = None) -> tuple[Geometry, tuple[Path, ...]]:
    """Return an image's grid and, of a DICOM series, its files; no pixel of a series is read.

    Raises:
        InputError: Nothing readable is there.
        SeriesError: The series is not one volume.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and is_image_file(path):
        return read_volume(path).geometry, ()
    series = choose_series(scan(path), series_uid=series_uid, where=path.name)
    return series_geometry(series), tuple(instance.path for instance in series.instances)


def open_mask(
    path: Path, geometry: Geometry, *, roi: str | None = None, segment: int | None = None, label: int | None = None
) -> Mask:
    """Read a mask on the voxels of an image.

    Args:
        path: NIfTI, NRRD, DICOM SEG or RTSTRUCT, or a folder that holds just one of the latter two.
        geometry: The image's grid.
        roi: Name of the RTSTRUCT region.
        segment: Number of the SEG segment.
        label: Value in a NIfTI or NRRD label image.

    Raises:
        InputError: Nothing readable is there, or a region must be chosen; the message lists the choices.
        GeometryError: The mask lies on other voxels.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and is_image_file(path):
        _refuse_other_choices(path, "a label image", roi=roi, segment=segment)
        return reorder(_one_label(path, label), geometry)
    kind, file = _region_object(path)
    if kind is Kind.RTSTRUCT:
        _refuse_other_choices(file, "an RTSTRUCT", segment=segment, label=label)
        return read_roi(file, roi or _only_roi(file), geometry)
    _refuse_other_choices(file, "a DICOM SEG", roi=roi, label=label)
    return read_segment(file, geometry, number=segment)


def _one_label(path: Path, label: int | None) -> Mask:
    """One label of a label image; a file of very many values is called what it looks like instead of listed."""
    try:
        return read_mask(path, label=label)
    except InputError as error:
        voxels, _ = read_labels(path)
        found = [int(value) for value in np.unique(voxels) if value != 0]
        if len(found) <= LABELS_SHOWN:
            raise
        shown = ", ".join(str(value) for value in found[:LABELS_SHOWN])
        raise InputError(
            f"{path}: expected {'one label' if label is None else f'label {label}'}, found {len(found)} values "
            f"({shown}, ...): looks like an image, not a mask; of a mask with many labels choose one with --label"
        ) from error


def _refuse_other_choices(path: Path, kind: str, **choices: str | int | None) -> None:
    """Refuse a choice that the file cannot answer: who asked for it expects another region than would be measured."""
    for name, value in choices.items():
        if value is not None:
            raise InputError(f"{path}: {kind} has no {name}, found --{name} {value}")


def _only_roi(file: Path) -> str:
    names = roi_names(file)
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise InputError(f"{file}: expected one region, found {listed}; choose one by its name")
    return names[0]


def _region_object(path: Path) -> tuple[Kind, Path]:
    found = scan(path)
    regions = [
        (series.kind, instance.path)
        for series in found.series
        if series.kind in (Kind.RTSTRUCT, Kind.SEG)
        for instance in series.instances
    ]
    if len(regions) != 1:
        kinds = ", ".join(sorted({series.kind.value for series in found.series})) or "no DICOM object"
        raise InputError(
            f"{path}: expected one mask (NIfTI, NRRD, DICOM SEG or RTSTRUCT), found {len(regions)} among: {kinds}"
        )
    return regions[0]
