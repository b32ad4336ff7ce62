"""Measurement reports of lesions: DICOM SR TID 1500, volumes by segment (TID 1411) and calipers by image (TID 1501)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

import npcpit_imaging
from npcpit_imaging.dicom import report_codes as code
from npcpit_imaging.dicom.anatomy import CATEGORY, LESION, MASS, site_codes
from npcpit_imaging.dicom.derived import derived_uid, stamp
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.seg import MANUFACTURER, labelled, said_of
from npcpit_imaging.dicom.seg_read import segment_frames, segments
from npcpit_imaging.dicom.source_images import (
    IN_PLACE_VOXELS,
    SourceSlice,
    frame_grid,
    read_sources,
    source_slices,
)
from npcpit_imaging.errors import DicomError, GeometryError, InputError, NpcpitError
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.study.measurement import Measurement, Uptake
from npcpit_imaging.volume.geometry import Geometry

SIGNIFICANT_DIGITS = 9
"""Digits of a measured value that surely fit its decimal string (DS holds 16 characters)."""

Groups = list[sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLesion:
    """One lesion's numbers and the segment they were measured on."""

    lesion: Lesion
    segment_number: int
    measurement: Measurement
    uptake: Uptake | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all groups of one report share."""

    segmentation: hd.seg.Segmentation
    slices: Sequence[SourceSlice]
    timepoint: str
    timepoint_order: int


def write_sr(
    path: Path,
    lesions: Sequence[MeasuredLesion],
    *,
    seg: Path,
    sources: Sequence[Path],
    reader: str,
    timepoint: str,
    timepoint_order: int,
    created: datetime | None = None,
    confirmed: bool = True,
    label: str = "",
) -> None:
    """Write a Comprehensive 3D SR: per lesion a group of volume and uptake, and one of long and short axis.

    Args:
        path: Where to.
        lesions: At least one; each names its segment in the SEG.
        seg: The SEG they were measured on.
        sources: Files of the measured series.
        reader: Who confirmed; a code, never a name.
        timepoint: The visit's name.
        timepoint_order: 0 for the baseline.
        created: When the read was signed; now where not given. The same inputs and moment give the same bytes.
        confirmed: False for numbers that no reader saw: the report is then partial and preliminary, observed by this
            program alone, and says that it is a proposal.
        label: What must be said wherever the read is shown, e.g. that it was scripted.

    Raises:
        InputError: There is no lesion, or its segment in the SEG is another lesion's.
        GeometryError: A caliper lies in no slice of the source images.
        DicomError: The report cannot be built from these objects.
    """
    require_segments([(each.lesion, each.segment_number) for each in lesions], seg)
    moment = created or datetime.now().astimezone()
    images = read_sources(sources)
    try:
        with quiet():
            segmentation = hd.seg.segread(seg)
            context = Context(
                segmentation=segmentation,
                slices=source_slices(images),
                timepoint=timepoint,
                timepoint_order=timepoint_order,
            )
            groups: Groups = [group for each in lesions for group in _groups(each, context)]
            identity = [repr(lesions), str(segmentation.SOPInstanceUID), reader, timepoint, str(timepoint_order)]
            identity += [moment.isoformat(), npcpit_imaging.__version__, str(confirmed), label]
            report = report_of(
                groups,
                segmentation,
                images,
                observers=reader_and_device(reader) if confirmed else device_alone(),
                description=labelled("Lesion measurements (SR)", label=label, confirmed=confirmed),
                series_number=901,
                identity=identity,
                is_complete=confirmed,
            )
            if label or not confirmed:
                report.CompletionFlagDescription = said_of(label, confirmed=confirmed)
            stamp(report, moment, identity)
            report.save_as(path)
    except NpcpitError:
        raise
    except Exception as error:  # highdicom raises many kinds for objects it cannot use
        raise DicomError(f"SR: cannot be built ({type(error).__name__}: {error})") from error


def require_segments(lesions: Sequence[tuple[Lesion, int]], seg: Path) -> None:
    """Refuse lesions that are not the SEG's segments of these numbers.

    Raises:
        InputError: There is no lesion, or its segment in the SEG is another lesion's.
    """
    if not lesions:
        raise InputError("SR: expected at least one lesion, found none")
    known = {each.number: each.tracking_uid for each in segments(seg)}
    for lesion, number in lesions:
        if known.get(number) != lesion.tracking_uid:
            raise InputError(
                f"SR: expected {lesion.lesion_id} as segment {number} of the SEG, found "
                f"{'another lesion' if number in known else 'no such segment'}"
            )


def report_of(
    groups: Groups,
    segmentation: hd.seg.Segmentation,
    images: Sequence[Dataset],
    *,
    observers: sr.ObservationContext,
    description: str,
    series_number: int,
    identity: Sequence[str],
    is_complete: bool = True,
) -> sr.Comprehensive3DSR:
    """Build a report (TID 1500) on a segmentation and the images under it.

    Raises:
        InputError: The images are of a modality without a code for their procedure.
    """
    modality = str(images[0].Modality)
    if modality not in code.PROCEDURES:
        raise InputError(f"SR: expected source images of {', '.join(code.PROCEDURES)}, found {modality}")
    content = sr.MeasurementReport(
        observation_context=observers,
        procedure_reported=code.PROCEDURES[modality],
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = sr.Comprehensive3DSR(
        evidence=[segmentation, *images],
        content=content[0],
        series_instance_uid=derived_uid("sr series", *identity),
        series_number=series_number,
        sop_instance_uid=derived_uid("sr instance", *identity),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=is_complete,
        is_final=is_complete,  # the read is signed; verification would need an organisation's name
        series_description=description,
    )
    report.ManufacturerModelName, report.SoftwareVersions = MANUFACTURER, npcpit_imaging.__version__
    return report


def reader_and_device(reader: str) -> sr.ObservationContext:
    """Who observed: a person by a code, and this program."""
    person = sr.PersonObserverIdentifyingAttributes(
        name=reader if "^" in reader else f"{reader}^",  # a name of one component is a retired form (PS3.5 6.2.1)
        login_name=reader,
        role_in_procedure=code.READER,
    )
    return sr.ObservationContext(
        observer_person_context=sr.ObserverContext(codes.DCM.Person, person), observer_device_context=device()
    )


def device_alone() -> sr.ObservationContext:
    """Nobody observed but this program."""
    return sr.ObservationContext(observer_device_context=device())


def device() -> sr.ObserverContext:
    """This program as an observer."""
    attributes = sr.DeviceObserverIdentifyingAttributes(
        uid=derived_uid("npcpit_imaging", npcpit_imaging.__version__),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=f"{MANUFACTURER} {npcpit_imaging.__version__}",
    )
    return sr.ObserverContext(codes.DCM.Device, attributes)


def _groups(each: MeasuredLesion, context: Context) -> Groups:
    """The lesion's groups under one tracking UID: TID 1411 forbids image coordinates, so calipers have a TID 1501."""
    volumetric = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=referenced_segment(each.segment_number, context),
        measurements=_volumes(each),
        **common_content(each.lesion, context),
    )
    lengths = _lengths(each, context.slices)
    if not lengths:
        return [volumetric]
    on_pet = str(context.slices[0].image.Modality) == "PT"
    calipers = sr.MeasurementsAndQualitativeEvaluations(
        method=None if on_pet else code.RECIST,  # RECIST 1.1 measures on CT and MR (Eisenhauer 2009, appendix II)
        measurements=lengths,
        **common_content(each.lesion, context),
    )
    return [volumetric, calipers]


def referenced_segment(number: int, context: Context) -> sr.ReferencedSegment:
    """The segment and the slices it was drawn on; highdicom's own way fails where a SEG has one segment only."""
    segmentation = context.segmentation
    return sr.ReferencedSegment(
        sop_class_uid=segmentation.SOPClassUID,
        sop_instance_uid=segmentation.SOPInstanceUID,
        segment_number=number,
        source_images=[
            sr.SourceImageForSegmentation(
                referenced_sop_class_uid=source.image.SOPClassUID,
                referenced_sop_instance_uid=source.image.SOPInstanceUID,
                referenced_frame_numbers=None if source.frame_number is None else [source.frame_number],
            )
            for source in _drawn_on(number, context)
        ],
    )


def _drawn_on(number: int, context: Context) -> list[SourceSlice]:
    """Source slices that lie where the SEG has a frame of the segment."""
    frames = [frame_grid(frame, context.segmentation) for frame in segment_frames(context.segmentation, number)]
    return [
        source
        for source in context.slices
        if any(np.abs(source.grid.to_index(frame.origin_mm)).max() <= IN_PLACE_VOXELS for frame in frames)
    ]


def common_content(lesion: Lesion, context: Context) -> dict[str, object]:
    """What a group says of its lesion besides numbers: identity, time point, finding, site."""
    return {
        "tracking_identifier": sr.TrackingIdentifier(uid=lesion.tracking_uid, identifier=lesion.lesion_id),
        "time_point_context": sr.TimePointContext(
            time_point=context.timepoint,
            time_point_type=code.BASELINE if context.timepoint_order == 0 else None,
            time_point_order=context.timepoint_order,
            protocol_time_point_identifier=context.timepoint,
        ),
        "finding_category": CATEGORY,
        "finding_type": LESION if lesion.nodal else MASS,
        "finding_sites": [sr.FindingSite(anatomic_location=site) for site in site_codes(lesion.location)] or None,
    }


def _volumes(each: MeasuredLesion) -> list[sr.Measurement]:
    volume_ml = each.measurement.volume_ml
    values = [_number(code.VOLUME, volume_ml, code.MILLILITRE, method=code.VOXEL_SUM)]
    uptake = each.uptake
    if uptake is None:
        return values
    for suv, derivation in (
        (uptake.suv_max, code.MAXIMUM),
        (uptake.suv_mean, code.MEAN),
        (uptake.suv_peak, code.PEAK),
    ):
        values.append(_number(code.SUVBW, suv, code.SUVBW_UNIT, derivation=derivation, method=code.SUVBW_METHOD))
    values.append(_number(code.METABOLIC_VOLUME, uptake.mtv_ml, code.MILLILITRE, method=code.VOXEL_SUM))
    values.append(_number(code.TOTAL_LESION_GLYCOLYSIS, uptake.tlg_g, code.GRAM))
    return values


def _lengths(each: MeasuredLesion, slices: Sequence[SourceSlice]) -> list[sr.Measurement]:
    found = each.measurement
    algorithm = sr.AlgorithmIdentification(name=found.convention, version=npcpit_imaging.__version__)
    return [
        sr.Measurement(
            name=name,
            value=decimal(caliper.length_mm),
            unit=code.MILLIMETRE,
            algorithm_id=algorithm,
            referenced_coordinates=[_coordinates(caliper, key_slice(caliper, slices))],
        )
        for name, caliper in ((code.LONG_AXIS, found.longest_diameter), (code.SHORT_AXIS, found.short_axis))
        if caliper is not None
    ]


def _number(
    name: Code, value: float, unit: Code, *, method: Code | None = None, derivation: Code | None = None
) -> sr.Measurement:
    if not np.isfinite(value):
        raise InputError(f"SR: expected a finite {name.meaning}, found {value}")
    return sr.Measurement(name=name, value=decimal(value), unit=unit, method=method, derivation=derivation)


def decimal(value: float) -> float:
    """A value that surely fits a decimal string."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def key_slice(caliper: Caliper, slices: Sequence[SourceSlice]) -> SourceSlice:
    """Return the source slice in whose plane a caliper lies.

    Raises:
        GeometryError: Both ends lie in no slice, or in different ones.
    """
    ends = [caliper.start_mm, caliper.end_mm]
    thickness_mm = _slice_distance_mm(slices)
    off_mm = [float(np.abs(each.grid.to_index(ends)[:, 0]).max()) for each in slices]
    nearest = int(np.argmin(off_mm))
    if off_mm[nearest] > IN_PLACE_VOXELS * thickness_mm:
        raise GeometryError(
            f"SR: expected a caliper within a slice of the source images, found one {off_mm[nearest]:.2f} mm off"
        )
    return slices[nearest]


def _slice_distance_mm(slices: Sequence[SourceSlice]) -> float:
    """Median distance between neighbouring slices; 1 mm where there is one slice."""
    normal = slices[0].grid.normal
    along = np.sort([np.array(each.grid.origin_mm) @ normal for each in slices])
    return float(np.median(np.diff(along))) if len(along) > 1 else 1.0


def in_image(caliper: Caliper, grid: Geometry) -> NDArray[np.float64]:
    """Ends `(2, 2)` as (column, row) from the image's top left corner; 0.5 is the first pixel's middle (C.18.6.1.2)."""
    index = grid.to_index([caliper.start_mm, caliper.end_mm])
    ends: NDArray[np.float64] = index[:, [2, 1]] + 0.5
    return ends


def _coordinates(caliper: Caliper, key: SourceSlice) -> sr.CoordinatesForMeasurement:
    return sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=in_image(caliper, key.grid),
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=key.image.SOPClassUID,
            referenced_sop_instance_uid=key.image.SOPInstanceUID,
            referenced_frame_numbers=None if key.frame_number is None else [key.frame_number],
        ),
    )
