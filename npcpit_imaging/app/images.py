"""Images and masks from whatever a person names: a DICOM folder or file, NIfTI, NRRD, DICOM SEG, RTSTRUCT."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from npcpit_imaging.config.series import DEFAULT_POLICY, SeriesPolicy
from npcpit_imaging.dicom.instance import Kind
from npcpit_imaging.dicom.load import choose_series, load_folder, series_geometry
from npcpit_imaging.dicom.rtstruct import read_roi, roi_names
from npcpit_imaging.dicom.scan import scan
from npcpit_imaging.dicom.seg_read import read_segment
from npcpit_imaging.errors import InputError, QuantityError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.files import is_image_file, read_labels, read_mask, read_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.reorder import reorder
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

UNITS: dict[Modality, tuple[Unit, ...]] = {
    Modality.CT: (Unit.HU,),
    Modality.PT: (Unit.SUVBW, Unit.SUVLBM, Unit.SUVBSA, Unit.BQML),
    Modality.MR: (Unit.ARBITRARY,),
    Modality.OT: (Unit.ARBITRARY,),
}
"""What a value of a modality may mean. A NIfTI or NRRD cannot say it: where there is a choice a person must."""

SUV_PERCENTILE = 99.0
HIGHEST_USUAL_SUV = 200.0
"""A hundredth of an image is never two hundred times as hot as the mean of the body: such values are Bq/mL."""


LABELS_SHOWN = 10
"""How many values of a label image a message lists; a file with more is most likely an image."""


def open_image(
    path: Path,
    *,
    series_uid: str | None = None,
    part: int | None = None,
    modality: Modality = Modality.OT,
    unit: Unit | None = None,
    policy: SeriesPolicy = DEFAULT_POLICY,
) -> Volume:
    """Read an image.

    A PET file whose unit nobody states is in no known unit, with the finding ``unknown-unit``: it may be SUV or Bq/mL.

    Args:
        path: A folder with a DICOM series, a DICOM file, NIfTI or NRRD.
        series_uid: Which series, where the folder holds several.
        part: Which volume of a series that holds several, from 1.
        modality: What a NIfTI or NRRD file holds; DICOM says it itself, and must agree where it is stated.
        unit: What a NIfTI or NRRD file's values mean; DICOM says it itself.
        policy: How strict reading a DICOM series is.

    Raises:
        InputError: Nothing readable is there, the unit is none of the modality's, or the series is of another modality.
        QuantityError: The values cannot be in the unit that was stated.
        SeriesError: The series is not one volume.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and is_image_file(path):
        return _open_file(path, modality, unit)
    if unit is not None:
        raise InputError(f"{path}: a DICOM series says its unit itself, found --unit {unit}")
    volume = load_folder(path, series_uid=series_uid, part=part, policy=policy)
    if modality not in (Modality.OT, volume.modality):
        raise InputError(f"{path.name}: expected {modality} as stated, found a DICOM series of {volume.modality}")
    return volume


def _open_file(path: Path, modality: Modality, unit: Unit | None) -> Volume:
    possible = UNITS[modality]
    if unit is not None and unit not in possible:
        raise InputError(f"{path.name}: expected {modality} in {' or '.join(possible)}, found --unit {unit}")
    known = possible[0] if len(possible) == 1 else unit
    volume = read_volume(path, modality=modality, unit=known or Unit.ARBITRARY)
    _require_usual_suv(path, volume)
    if known is not None:
        return replace(volume, findings=(*volume.findings, *_without_air(path, volume)))
    text = f"{path.name}: a file does not say whether a {modality} is in {', '.join(possible)}; state it with --unit"
    missing = Finding(code="unknown-unit", severity=Severity.WARNING, text=text)
    return replace(volume, findings=(*volume.findings, missing))


def _without_air(path: Path, volume: Volume) -> tuple[Finding, ...]:
    """Notice a CT that may be in HU + 1024: a patient's has air about -1000, fat about -100; padding is one value."""
    if volume.modality is not Modality.CT:
        return ()
    lowest = np.fmin.reduce(volume.voxels, axis=None)  # NaN is none
    if ((volume.voxels < 0) & (volume.voxels > lowest)).any():
        return ()
    found = f"no value below zero but {lowest:g}" if lowest < 0 else "no value below zero"
    text = (
        f"{path.name}: expected a CT in HU, with air about -1000 and fat about -100, found {found}: an offset of 1024 "
        "may not have been taken away, and every value and threshold would then be wrong"
    )
    return (Finding(code="no-air", severity=Severity.WARNING, text=text),)


def _require_usual_suv(path: Path, volume: Volume) -> None:
    """Refuse Bq/mL that are called SUV."""
    if volume.unit not in (Unit.SUVBW, Unit.SUVLBM, Unit.SUVBSA):
        return
    found = float(np.percentile(np.nan_to_num(volume.voxels), SUV_PERCENTILE))
    if found > HIGHEST_USUAL_SUV:
        raise QuantityError(
            f"{path.name}: expected at most SUV {HIGHEST_USUAL_SUV:g} in {SUV_PERCENTILE:g} % of the voxels, "
            f"found {found:.4g}: these values are no {volume.unit}"
        )


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
