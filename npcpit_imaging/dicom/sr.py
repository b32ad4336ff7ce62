"""Measurement reports: DICOM SR TID 1500 with a TID 1411 group per lesion, and values read back from anybody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from highdicom import sr
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

import npcpit_imaging
from npcpit_imaging.dicom.anatomy import CATEGORY, LYMPH_NODE, MASS, site_code
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.seg import MANUFACTURER
from npcpit_imaging.errors import DicomError
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.study.measurement import Measurement, Uptake

RECIST = Code("126081", "DCM", "RECIST 1.1")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
VOLUME = Code("118565006", "SCT", "Volume")
SUVBW = Code("126401", "DCM", "SUVbw")
MAXIMUM = Code("56851009", "SCT", "Maximum")
MEAN = Code("373098007", "SCT", "Mean")
PEAK = Code("126031", "DCM", "Peak Value Within ROI")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
MILLILITRE = Code("ml", "UCUM", "milliliter")
SUV_UNIT = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
PROCEDURES = {
    "CT": Code("77477000", "SCT", "Computed Tomography"),
    "MR": Code("113091000", "SCT", "Magnetic resonance imaging"),
    "PT": Code("82918005", "SCT", "Positron emission tomography"),
}

SIGNIFICANT_DIGITS = 9
"""Digits a decimal string of a measured value keeps (DS holds 16 characters)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLesion:
    """One lesion's numbers and the segment they were measured on."""

    lesion: Lesion
    segment_number: int
    measurement: Measurement
    uptake: Uptake | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedValue:
    """One number of a report.

    Args:
        tracking_id: Which lesion, in the report's words.
        tracking_uid: Which lesion.
        name: What was measured (code meaning).
        derivation: Maximum, mean, ...; empty where there is none.
        value: The number.
        unit: UCUM.
    """

    tracking_id: str
    tracking_uid: str
    name: str
    derivation: str
    value: float
    unit: str


def write_sr(
    path: Path,
    lesions: Sequence[MeasuredLesion],
    *,
    seg: Path,
    sources: Sequence[Path],
    reader: str,
    timepoint: str,
    timepoint_order: int,
) -> None:
    """Write a Comprehensive 3D SR with one measurement group per lesion.

    Args:
        path: Where to.
        lesions: In the order of the SEG's segments.
        seg: The SEG they were measured on.
        sources: Files of the measured series.
        reader: Who confirmed; a code, never a name.
        timepoint: The visit's name.
        timepoint_order: 0 for the baseline.

    Raises:
        DicomError: The report cannot be built from these objects.
    """
    try:
        with quiet():
            segmentation = hd.seg.segread(seg)
            images = [pydicom.dcmread(source, stop_before_pixels=True) for source in sources]
            groups = [
                _group(each, segmentation, images, timepoint=timepoint, order=timepoint_order) for each in lesions
            ]
            _report(groups, segmentation, images, reader=reader).save_as(path)
    except Exception as error:  # highdicom raises many kinds for objects it cannot use
        raise DicomError(f"SR: cannot be built ({type(error).__name__}: {error})") from error


def _report(
    groups: Sequence[sr.VolumetricROIMeasurementsAndQualitativeEvaluations],
    segmentation: hd.seg.Segmentation,
    images: Sequence[Dataset],
    *,
    reader: str,
) -> sr.Comprehensive3DSR:
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name=reader),
    )
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derived_uid("npcpit_imaging", npcpit_imaging.__version__), name=MANUFACTURER
        ),
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=observer, observer_device_context=device),
        procedure_reported=PROCEDURES.get(str(images[0].Modality), PROCEDURES["CT"]),
        imaging_measurements=list(groups),
        title=codes.DCM.ImagingMeasurementReport,
    )
    return sr.Comprehensive3DSR(
        evidence=[segmentation, *images],
        content=report[0],
        series_instance_uid=derived_uid("sr series", str(segmentation.SOPInstanceUID)),
        series_number=901,
        sop_instance_uid=derived_uid("sr instance", str(segmentation.SOPInstanceUID), reader),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        series_description="Lesion measurements (SR)",
    )


def _group(
    each: MeasuredLesion, segmentation: hd.seg.Segmentation, images: Sequence[Dataset], *, timepoint: str, order: int
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    lesion = each.lesion
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=lesion.tracking_uid, identifier=lesion.lesion_id),
        referenced_segment=sr.ReferencedSegment.from_segmentation(segmentation, segment_number=each.segment_number),
        time_point_context=sr.TimePointContext(time_point=timepoint, time_point_order=order),
        finding_category=CATEGORY,
        finding_type=LYMPH_NODE if lesion.nodal else MASS,
        method=RECIST,
        finding_sites=[sr.FindingSite(anatomic_location=site_code(lesion.location))],
        measurements=_measurements(each, images),
    )


def _measurements(each: MeasuredLesion, images: Sequence[Dataset]) -> list[sr.Measurement]:
    found, uptake = each.measurement, each.uptake
    values = [
        _length(LONG_AXIS, found.longest_diameter, images),
        _length(SHORT_AXIS, found.short_axis, images),
        sr.Measurement(name=VOLUME, value=_ds(found.volume_ml), unit=MILLILITRE),
    ]
    if uptake is not None:
        for value, derivation in ((uptake.suv_max, MAXIMUM), (uptake.suv_mean, MEAN), (uptake.suv_peak, PEAK)):
            values.append(sr.Measurement(name=SUVBW, value=_ds(value), unit=SUV_UNIT, derivation=derivation))
    return [value for value in values if value is not None]


def _length(name: Code, caliper: Caliper | None, images: Sequence[Dataset]) -> sr.Measurement | None:
    if caliper is None:
        return None
    image = _key_image(caliper, images)
    coordinates = sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=_in_image(caliper, image),
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=image.SOPClassUID, referenced_sop_instance_uid=image.SOPInstanceUID
        ),
    )
    return sr.Measurement(
        name=name, value=_ds(caliper.length_mm), unit=MILLIMETRE, referenced_coordinates=[coordinates]
    )


def _ds(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _key_image(caliper: Caliper, images: Sequence[Dataset]) -> Dataset:
    """The source image in whose plane the caliper lies."""
    centre = np.mean([caliper.start_mm, caliper.end_mm], axis=0)

    def distance_mm(image: Dataset) -> float:
        orientation = np.array(image.ImageOrientationPatient, float)
        normal = np.cross(orientation[:3], orientation[3:])
        return float(abs((centre - np.array(image.ImagePositionPatient, float)) @ normal))

    return min(images, key=distance_mm)


def _in_image(caliper: Caliper, image: Dataset) -> NDArray[np.float64]:
    """Ends `(2, 2)` as (column, row) from the image's top left corner; 0.5 is the first pixel's middle (C.18.6.1.2)."""
    orientation = np.array(image.ImageOrientationPatient, float)
    row_mm, column_mm = (float(value) for value in image.PixelSpacing)
    offsets = np.array([caliper.start_mm, caliper.end_mm]) - np.array(image.ImagePositionPatient, float)
    return np.stack([offsets @ orientation[:3] / column_mm + 0.5, offsets @ orientation[3:] / row_mm + 0.5], axis=1)


def read_sr(path: Path) -> list[ReportedValue]:
    """Read every number of the measurement groups of a TID 1500 report, by whatever program.

    Raises:
        DicomError: The file is no measurement report.
    """
    with quiet():
        try:
            dataset = pydicom.dcmread(path)
        except Exception as error:  # pydicom raises many kinds for bytes that are no DICOM
            raise DicomError(f"{path.name}: expected a DICOM SR, cannot be read") from error
    groups = [
        group
        for container in dataset.get("ContentSequence", [])
        if _meaning(container) == "Imaging Measurements"
        for group in container.get("ContentSequence", [])
        if _meaning(group) == "Measurement Group"
    ]
    if not groups:
        raise DicomError(f"{path.name}: expected an imaging measurement report (TID 1500), found no measurement group")
    return [value for group in groups for value in _values(group)]


def _values(group: Dataset) -> list[ReportedValue]:
    items = group.get("ContentSequence", [])
    tracking_id = next((str(i.TextValue) for i in items if _meaning(i) == "Tracking Identifier"), "")
    tracking_uid = next((str(i.UID) for i in items if _meaning(i) == "Tracking Unique Identifier"), "")
    return [
        ReportedValue(
            tracking_id=tracking_id,
            tracking_uid=tracking_uid,
            name=_meaning(item),
            derivation=next((_code(i) for i in item.get("ContentSequence", []) if _meaning(i) == "Derivation"), ""),
            value=float(item.MeasuredValueSequence[0].NumericValue),
            unit=str(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue),
        )
        for item in items
        if item.get("ValueType") == "NUM" and item.get("MeasuredValueSequence")
    ]


def _meaning(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeMeaning) if names else ""


def _code(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeMeaning)
