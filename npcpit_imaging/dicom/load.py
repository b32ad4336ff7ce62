"""A series to a volume: slices by position, geometry checked, values rescaled (DICOM PS3.3 C.7.6.2, C.11.1)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from npcpit_imaging.config.series import DEFAULT_POLICY, Choice, SeriesPolicy
from npcpit_imaging.dicom.grid import Stack, regular_grid, stack
from npcpit_imaging.dicom.header import A_DICOMDIR, NOT_DICOM, quiet
from npcpit_imaging.dicom.instance import Instance, Kind, series_name
from npcpit_imaging.dicom.pixels import stored_values
from npcpit_imaging.dicom.regular import onto_grid
from npcpit_imaging.dicom.scan import ScanResult, Series, group, scan
from npcpit_imaging.dicom.split import Slice, SubSeries, split_series
from npcpit_imaging.dicom.values import tag_name
from npcpit_imaging.dicom.voxels import read_voxels
from npcpit_imaging.errors import InputError, SeriesError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Modality, Unit, Volume

UNITS = {"HU": Unit.HU, "BQML": Unit.BQML, "GML-BW": Unit.SUVBW}
"""What the header calls a value (RescaleType, Units and SUVType) and our unit for it; all others are arbitrary."""


def load_folder(
    folder: Path, *, series_uid: str | None = None, part: int | None = None, policy: SeriesPolicy = DEFAULT_POLICY
) -> Volume:
    """Read the one image series of a folder.

    Args:
        folder: Walked to its depth; objects that are no images are passed over.
        series_uid: Which series, where the folder holds several.
        part: Which volume of a series that holds several, counted from 1 as the refusal lists them.
        policy: How strict to be.

    Raises:
        InputError: There is no such folder, no image series in it, or several, or no such part; the message lists
            the choices.
        SeriesError: The series is not one volume.
    """
    found = scan(folder)
    series = choose_series(found, series_uid=series_uid, where=folder.name)
    volume = load_series(series if part is None else choose_part(series, part), policy=policy)
    return replace(volume, findings=(*volume.findings, *left_out(found)))


def left_out(found: ScanResult) -> list[Finding]:
    """Say which files were no readable objects: a volume without its last slice looks whole."""
    doubtful = Counter(each.reason for each in found.rejected if each.reason not in (NOT_DICOM, A_DICOMDIR))
    if not doubtful:
        return []
    words = "; ".join(f"{count} x {reason}" for reason, count in doubtful.most_common(5))
    text = f"{doubtful.total()} files of the folder were left out, and may have been slices: {words}"
    return [Finding(code="unreadable-object", severity=Severity.WARNING, text=text)]


def choose_part(series: Series, number: int) -> SubSeries:
    """Return one volume of a series that holds several, counted from 1 as the refusal lists them.

    Raises:
        InputError: There is no such volume; the message lists those there are.
    """
    parts = split_series(series)
    if not 1 <= number <= len(parts):
        raise InputError(f"{series_name(series.series_uid)}: no volume {number}, found {_numbered(parts)}")
    return parts[number - 1]


def _numbered(parts: Sequence[SubSeries]) -> str:
    return "; ".join(f"{number}: {part.describe()}" for number, part in enumerate(parts, start=1)) or "none"


def choose_series(found: ScanResult, *, series_uid: str | None = None, where: str = "folder") -> Series:
    """Return the one image series of a scan.

    Raises:
        InputError: There is none or there are several; the message lists the choices.
        SeriesError: The only image series cannot be measured; the message says why.
    """
    images = [series for series in found.series if series.kind is Kind.IMAGE]
    if series_uid is not None:
        images = [series for series in found.series if series.series_uid == series_uid]
        if not images:
            raise InputError(f"{where}: no series {series_uid}, {_choices(found.series)}")
    measurable = [series for series in images if series.is_measurable]
    chosen = measurable or images
    if len(chosen) != 1:
        expected = "expected one image series" if chosen else "expected a series of DICOM images"
        raise InputError(f"{where}: {expected}, {_choices(chosen or found.series)}{_rejections(found, chosen)}")
    return chosen[0]


def _choices(series: Sequence[Series]) -> str:
    return f"found {'; '.join(each.describe() for each in series) or 'none'}"


def _rejections(found: ScanResult, chosen: Sequence[Series]) -> str:
    """Say why files are in no series, where that may be why nothing was found."""
    if chosen or not found.rejected:
        return ""
    reasons = Counter(each.reason for each in found.rejected)
    return "; left out: " + "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(5))


def load_series(source: Series | SubSeries | Sequence[Path], *, policy: SeriesPolicy = DEFAULT_POLICY) -> Volume:
    """Read a series as a volume on a regular grid.

    Args:
        source: A series of a scan, one part of a split series, or the files of one series.
        policy: How strict to be.

    Returns:
        The volume, float32, k along the slices' normal, with what was noticed as findings.

    Raises:
        InputError: The files are of several series, or of none.
        SeriesError: A file cannot be read, or the series is not one volume; the message says what was expected,
            found and where.
    """
    if not isinstance(source, (Series, SubSeries)):
        source = _series_of_files(group(source))
    part = source if isinstance(source, SubSeries) else _only_part(source)
    with quiet():
        return _load(part, policy)


def _series_of_files(found: ScanResult) -> Series:
    """Return the one series of files that were named: without one of them the volume would be another."""
    series = choose_series(found, where="files")
    if found.rejected:
        raise SeriesError(
            f"{series_name(series.series_uid)}: expected {len(series.instances) + len(found.rejected)} readable objects"
            f"{_rejections(found, ())}"
        )
    return series


def series_geometry(series: Series | SubSeries, *, policy: SeriesPolicy = DEFAULT_POLICY) -> Geometry:
    """Return the grid that `load_series` would put a series on, from the headers alone.

    Raises:
        SeriesError: The series is not one volume, as far as the headers tell.
    """
    part = series if isinstance(series, SubSeries) else _only_part(series)
    return regular_grid(stack(part), policy).geometry


def _only_part(series: Series) -> SubSeries:
    faults = sorted({instance.fault for instance in series.instances if instance.fault})
    if faults:
        raise SeriesError(f"{series_name(series.series_uid)}: {'; '.join(faults)}")
    parts = split_series(series)
    if len(parts) != 1:
        criteria = ", ".join(dict.fromkeys(name for part in parts for name, _ in part.criteria))
        raise SeriesError(
            f"{series_name(series.series_uid)}: expected one volume, found {len(parts)} by {criteria}: "
            + _numbered(parts)
        )
    return parts[0]


def _load(part: SubSeries, policy: SeriesPolicy) -> Volume:
    stacked = stack(part)
    lossy = _lossy(stacked, policy)
    placed = regular_grid(stacked, policy)
    voxels, padded = read_voxels(stacked)
    if not placed.is_exact:
        voxels = onto_grid(voxels, stacked, placed.geometry)
    first = stacked.slices[0].instance
    unit = UNITS.get(first.unit, Unit.ARBITRARY)
    return Volume(
        voxels=voxels,
        geometry=placed.geometry,
        modality=Modality(first.modality),
        unit=unit,
        series_uid=part.series_uid,
        findings=(
            *placed.findings,
            *_drop_copies(stacked, policy),
            *lossy,
            *_padding(padded),
            *_unit(first, unit),
            *_nameless(part),
        ),
    )


def _padding(padded: int) -> list[Finding]:
    if not padded:
        return []
    text = f"{padded} voxels hold {tag_name('PixelPaddingValue')}: outside the field of view, no measurement"
    return [Finding(code="pixel-padding", severity=Severity.INFO, text=text)]


def _lossy(stacked: Stack, policy: SeriesPolicy) -> list[Finding]:
    count = sum("lossy" in each.instance.flags for each in stacked.slices)
    if not count:
        return []
    text = f"{tag_name('LossyImageCompression')}: {count} of {len(stacked.slices)} slices were compressed with loss"
    if policy.lossy is Choice.REFUSE:
        raise SeriesError(f"{series_name(stacked.series_uid)}: {text}")
    return [Finding(code="lossy-compression", severity=Severity.WARNING, text=text)]


def _unit(first: Instance, unit: Unit) -> list[Finding]:
    """Say when a CT is not in HU or a PET in no unit we know; an MR has none."""
    if unit is not Unit.ARBITRARY or first.modality == "MR":
        return []
    name = tag_name("RescaleType" if first.modality == "CT" else "Units")
    text = f"{name}: {first.unit or 'absent'}: values are in no known unit"
    return [Finding(code="unknown-unit", severity=Severity.WARNING, text=text)]


def _drop_copies(stacked: Stack, policy: SeriesPolicy) -> list[Finding]:
    """Refuse two different images at one place; report identical copies, or refuse them too."""
    dropped = 0
    for each, copies in zip(stacked.slices, stacked.copies, strict=True):
        for copy in copies:
            _require_identical(stacked.series_uid, each, copy)
            dropped += 1
    if not dropped:
        return []
    if policy.duplicate is Choice.REFUSE:
        raise SeriesError(
            f"{series_name(stacked.series_uid)}: expected each slice once, found {dropped} identical copies"
        )
    text = f"{dropped} identical copies of slices left out"
    return [Finding(code="duplicate-slice", severity=Severity.WARNING, text=text)]


def _require_identical(series_uid: str, one: Slice, other: Slice) -> None:
    same = np.array_equal(
        stored_values(one.instance, [one.frame.index]), stored_values(other.instance, [other.frame.index])
    ) and (one.frame.slope, one.frame.intercept) == (other.frame.slope, other.frame.intercept)
    if not same:
        raise SeriesError(
            f"{series_name(series_uid)}: two different images at {one.frame.position_mm} mm and no criterion tells "
            f"them apart: instances {one.instance.sop_instance_uid} and {other.instance.sop_instance_uid}"
        )


def _nameless(part: SubSeries) -> list[Finding]:
    if part.series_uid:
        return []
    text = (
        "SeriesInstanceUID (0020,000E) is empty: files of one modality and frame of reference were read as one series"
    )
    return [Finding(code="no-series-uid", severity=Severity.WARNING, text=text)]
