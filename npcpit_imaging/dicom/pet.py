"""SUV of a PET series from its own tags (DICOM PS3.3 C.8.9; QIBA vendor-neutral SUV pseudo-code).

Missing and doubtful tags are refused by name; which time stamps count is told in `pet_timing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.nuclides import require_half_life_of_nuclide
from npcpit_imaging.dicom.pet_timing import Timing, radiopharmaceutical, timing
from npcpit_imaging.dicom.scan import Series
from npcpit_imaging.dicom.values import number, tag_name, text
from npcpit_imaging.errors import DicomError, InputError, QuantityError
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.volume.suv import Body, DecayCorrection, Injection, Sex, SuvKind, suv_factor
from npcpit_imaging.volume.volume import Modality, Unit, Volume

ENHANCED_PET = ("1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1")
"""Enhanced PET Image Storage, and Legacy Converted Enhanced PET Image Storage."""

PHILIPS_SUV = 0x00
"""Philips (7053,xx00): SUV for one unit of CNTS."""

PHILIPS_ACTIVITY = 0x09
"""Philips (7053,xx09): Bq/mL for one unit of CNTS."""

PHILIPS_CREATOR = "Philips PET Private Group"
"""Who owns group 7053."""

READ_TAGS = (
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "TimezoneOffsetFromUTC",
    "Units", "SUVType", "CorrectedImage", "DecayCorrection", "DecayFactor", "FrameReferenceTime",
    "ActualFrameDuration", "PatientWeight", "PatientSize", "PatientSex", "RadiopharmaceuticalInformationSequence",
)  # fmt: skip
"""What is read of each image of the series."""

ONE_VALUE = ("Units", "SUVType", "DecayCorrection", "PatientWeight", "PatientSize", "PatientSex", "CorrectedImage")
"""What must be the same in every image of the series."""

INJECTION_TIMES = ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime")
"""When it was injected: the same in every image too."""

PRIVATE_TAGS = (0x00090010, 0x0009100D, 0x70530010, 0x70531000, 0x70531009)
"""GE's and Philips's blocks as they are written in practice."""

UNIT_OF_KIND = {
    SuvKind.BW: Unit.SUVBW,
    SuvKind.LBM_JAMES: Unit.SUVLBM,
    SuvKind.LBM_JANMAHASATIAN: Unit.SUVLBM,
    SuvKind.BSA: Unit.SUVBSA,
}
"""What a voxel means after scaling."""


@dataclass(frozen=True, kw_only=True)
class SuvScaling:
    """How a PET's values become SUV.

    Args:
        factor: SUV is the image's value times this.
        kind: The body size divided by.
        source: Where the factor comes from.
        timing: The times that counted; None where no decay had to be applied.
        findings: What was noticed.
    """

    factor: float
    kind: SuvKind
    source: str
    timing: Timing | None = None
    findings: tuple[Finding, ...] = ()


def to_suv(volume: Volume, series: Series | Sequence[Path], *, kind: SuvKind = SuvKind.BW) -> Volume:
    """Return a PET volume in SUV.

    Args:
        volume: The volume of the series.
        series: The series, or its files, whose tags say how.
        kind: The body size to divide by.

    Raises:
        InputError: The volume is not of this series.
        QuantityError: The series is no PET, or a tag is missing, doubtful or contradictory; the message names it.
    """
    if isinstance(series, Series):
        scaling, uid = suv_scaling(series, kind=kind), series.series_uid
    else:
        headers = read_headers(series)
        scaling, uid = scaling_of(headers, kind=kind), text(headers[0], "SeriesInstanceUID")
    if volume.series_uid and uid != volume.series_uid:
        raise InputError(f"SUV: expected the tags of series {volume.series_uid}, found those of {uid}")
    return Volume(
        voxels=(volume.voxels * np.float64(scaling.factor)).astype(np.float32),
        geometry=volume.geometry,
        modality=Modality.PT,
        unit=UNIT_OF_KIND[kind],
        series_uid=volume.series_uid,
        findings=(*volume.findings, *scaling.findings),
    )


def suv_scaling(series: Series | Sequence[Path], *, kind: SuvKind = SuvKind.BW) -> SuvScaling:
    """Return the factor from a PET series' values (after rescale slope and intercept) to SUV.

    Args:
        series: The series, or its files.
        kind: The body size to divide by.

    Raises:
        InputError: There are no files, or they are of several series.
        QuantityError: The series is no PET, or a tag is missing, doubtful or contradictory; the message names it.
    """
    if isinstance(series, Series) and series.first.sop_class_uid in ENHANCED_PET:
        return _of_enhanced(series, kind)
    return scaling_of(read_headers(series), kind=kind)


def _of_enhanced(series: Series, kind: SuvKind) -> SuvScaling:
    """An enhanced PET is SUV only where its real world value map says so."""
    unit = series.first.unit
    if unit != "GML-BW" or kind is not SuvKind.BW:
        raise QuantityError(
            f"series {series.series_uid}: {tag_name('RealWorldValueMappingSequence')} of an enhanced PET: expected "
            f"SUVbw (UCUM {{SUVbw}}g/ml) for SUV by {kind.value}, found {unit or 'no known unit'}"
        )
    return SuvScaling(
        factor=1.0, kind=kind, source=f"{tag_name('RealWorldValueMappingSequence')} in SUVbw: already SUV"
    )


def lean_body_fraction(series: Series | Sequence[Path]) -> float:
    """Return lean body mass (James, 128 for men, as PERCIST) over body weight: SUVbw times this is SUVlbm.

    Args:
        series: The PET series, or its files.

    Raises:
        InputError: There are no files, or they are of several series.
        QuantityError: Weight, height or sex is missing, doubtful or differs between images; the message names it.
    """
    headers = read_headers(series)
    with quiet():
        for keyword in ("PatientWeight", "PatientSize", "PatientSex"):
            _require_one_value(headers, keyword)
        return _to_other_size(_body(headers[0]), SuvKind.LBM_JAMES)


def read_headers(series: Series | Sequence[Path]) -> tuple[Dataset, ...]:
    """Read what SUV needs of every image of one series.

    Raises:
        InputError: There are no files, or they are of several series.
        DicomError: A file cannot be read.
    """
    paths = [instance.path for instance in series.instances] if isinstance(series, Series) else list(series)
    tags = [*READ_TAGS, *PRIVATE_TAGS, "SeriesInstanceUID", "Modality"]
    with quiet():
        try:
            headers = tuple(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags) for path in paths)
        except Exception as error:  # pydicom raises many kinds for a broken file
            raise DicomError(f"SUV: a file of the series cannot be read ({type(error).__name__})") from error
    series_uids = sorted({text(header, "SeriesInstanceUID") for header in headers})
    if len(series_uids) != 1:
        raise InputError(f"SUV: expected the files of one series, found {series_uids or 'none'}")
    return headers


def scaling_of(headers: Sequence[Dataset], *, kind: SuvKind = SuvKind.BW) -> SuvScaling:
    """Return the factor to SUV from the headers of every image of one PET series.

    Raises:
        QuantityError: A tag is missing, doubtful or contradictory; the message names it.
    """
    with quiet():
        try:
            return _scaling(headers, kind)
        except QuantityError as error:
            uid = text(headers[0], "SeriesInstanceUID")
            raise QuantityError(f"series {uid}: {error}") from error
        except DicomError as error:  # a value that is not a number; its message names the tag
            raise QuantityError(str(error)) from error


def _scaling(headers: Sequence[Dataset], kind: SuvKind) -> SuvScaling:
    first = headers[0]
    if text(first, "Modality") != "PT":
        raise QuantityError(f"{tag_name('Modality')}: expected PT, found {text(first, 'Modality') or 'none'}")
    for keyword in ONE_VALUE:
        _require_one_value(headers, keyword)
    units = text(first, "Units")
    if units == "GML":
        return _already_suv(first, kind)
    if units == "CNTS":
        return _from_counts(headers, kind)
    if units == "BQML":
        return _from_activity(headers, kind)
    raise QuantityError(f"{tag_name('Units')}: expected BQML, GML or CNTS, found {units or 'none'}")


def _require_one_value(headers: Sequence[Dataset], keyword: str) -> None:
    values = {text(header, keyword) for header in headers}
    if len(values) > 1:
        raise QuantityError(f"{tag_name(keyword)}: expected one value in the series, found {len(values)}")


def _already_suv(first: Dataset, kind: SuvKind) -> SuvScaling:
    """Units GML are SUV already; without SUVType they are by body weight (PS3.3 C.8.9.1)."""
    found = text(first, "SUVType") or SuvKind.BW.value
    if found == kind.value:
        return SuvScaling(factor=1.0, kind=kind, source=f"{tag_name('Units')} GML: already SUV")
    if found != SuvKind.BW.value:
        raise QuantityError(f"{tag_name('SUVType')}: expected {kind.value}, found {found}")
    factor = _to_other_size(_body(first), kind)
    return SuvScaling(factor=factor, kind=kind, source=f"{tag_name('Units')} GML by body weight, for another body size")


def _to_other_size(body: Body, kind: SuvKind) -> float:
    """What an SUVbw is multiplied with to become one by another body size."""
    return _size(body, kind) / _size(body, SuvKind.BW)


def _size(body: Body, kind: SuvKind) -> float:
    """Body size of a kind, as a factor: the dose and the decay cancel in a ratio."""
    return suv_factor(body, Injection(dose_bq=1e6, half_life_s=1.0, elapsed_s=0.0), kind=kind)


def _from_counts(headers: Sequence[Dataset], kind: SuvKind) -> SuvScaling:
    """Philips CNTS: (7053,xx00) leads to SUVbw, else (7053,xx09) to Bq/mL."""
    suv = _philips(headers, PHILIPS_SUV)
    if suv is not None:
        body_factor = 1.0 if kind is SuvKind.BW else _to_other_size(_body(headers[0]), kind)
        return SuvScaling(factor=suv * body_factor, kind=kind, source="Philips SUV factor (7053,xx00)")
    activity = _philips(headers, PHILIPS_ACTIVITY)
    if activity is None:
        raise QuantityError(
            f"{tag_name('Units')} is CNTS and neither Philips SUV factor (7053,xx00) nor activity factor (7053,xx09) "
            "is there and positive"
        )
    scaling = _from_activity(headers, kind)
    return SuvScaling(
        factor=scaling.factor * activity,
        kind=kind,
        source=f"Philips activity factor (7053,xx09), {scaling.source}",
        timing=scaling.timing,
        findings=scaling.findings,
    )


def _philips(headers: Sequence[Dataset], element: int) -> float | None:
    """Return a positive private factor, None where absent or 0.

    Raises:
        QuantityError: It differs between images.
    """
    found = {_philips_value(header, element) for header in headers}
    if len(found) > 1:
        raise QuantityError(f"Philips factor (7053,xx{element:02X}): expected one value, found {len(found)}")
    value = found.pop()
    return value if value > 0 else None


def _philips_value(header: Dataset, element: int) -> float:
    try:
        value = float(header.private_block(0x7053, PHILIPS_CREATOR)[element].value)
    except (KeyError, TypeError, ValueError):
        return 0.0
    return value if np.isfinite(value) else 0.0


def _from_activity(headers: Sequence[Dataset], kind: SuvKind) -> SuvScaling:
    first = headers[0]
    decay = _decay_correction(first)
    dose_bq, half_life_s = _one_injection(headers)
    times = None if decay is DecayCorrection.ADMIN else timing(headers, decay, half_life_s)
    elapsed_s = 0.0 if times is None else times.elapsed_s
    injection = Injection(dose_bq=dose_bq, half_life_s=half_life_s, elapsed_s=elapsed_s)
    return SuvScaling(
        factor=suv_factor(_body(first), injection, kind=kind),
        kind=kind,
        source=f"{tag_name('DecayCorrection')} {decay}" + (f", {times.source}" if times else ""),
        timing=times,
        findings=() if times is None else times.findings,
    )


def _decay_correction(first: Dataset) -> DecayCorrection:
    corrected = text(first, "CorrectedImage").split("\\")
    decay = text(first, "DecayCorrection")
    if decay not in set(DecayCorrection):
        raise QuantityError(f"{tag_name('DecayCorrection')}: expected START, ADMIN or NONE, found {decay or 'none'}")
    if "ATTN" not in corrected:
        raise QuantityError(f"{tag_name('CorrectedImage')}: expected ATTN (attenuation), found no such correction")
    if decay != DecayCorrection.NONE and "DECY" not in corrected:
        raise QuantityError(
            f"{tag_name('CorrectedImage')}: expected DECY as {tag_name('DecayCorrection')} is {decay}, found none"
        )
    return DecayCorrection(decay)


def _one_injection(headers: Sequence[Dataset]) -> tuple[float, float]:
    """Return injected activity in Bq and half-life in s, the same in every image."""
    found = []
    for keyword in INJECTION_TIMES:
        told = {text(radiopharmaceutical(header), keyword) for header in headers}
        if len(told) > 1:
            raise QuantityError(f"{tag_name(keyword)}: expected one value in the series, found {len(told)}")
    for keyword in ("RadionuclideTotalDose", "RadionuclideHalfLife"):
        values = {number(radiopharmaceutical(header), keyword) for header in headers}
        if len(values) > 1:
            raise QuantityError(f"{tag_name(keyword)}: expected one value in the series, found {len(values)}")
        value = values.pop()
        if value is None:
            raise QuantityError(f"{tag_name(keyword)} is missing")
        found.append(value)
    for header in headers:
        require_half_life_of_nuclide(radiopharmaceutical(header), found[1])
    return found[0], found[1]


def _body(first: Dataset) -> Body:
    weight_kg = number(first, "PatientWeight")
    if weight_kg is None:
        raise QuantityError(f"{tag_name('PatientWeight')} is missing")
    sex = text(first, "PatientSex")
    height_m = number(first, "PatientSize")
    return Body(
        weight_kg=weight_kg,
        height_m=height_m or None,
        sex=Sex(sex) if sex in set(Sex) else None,
    )
