"""Measurement reports of lesions: DICOM SR TID 1500, volumes by segment (TID 1411) and calipers by image (TID 1501)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.sr.coding import Code

import npcpit_imaging
from npcpit_imaging.dicom import report_codes as code
from npcpit_imaging.dicom.report import (
    About,
    Context,
    Groups,
    Kind,
    common_content,
    decimal,
    device_alone,
    reader_and_device,
    referenced_segment,
    require_segments,
    write_report,
)
from npcpit_imaging.dicom.source_images import IN_PLACE_VOXELS, SourceSlice
from npcpit_imaging.errors import GeometryError, InputError
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.study.measurement import Measurement, Uptake
from npcpit_imaging.volume.geometry import Geometry

SERIES_NUMBER = 901


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLesion:
    """One lesion's numbers and the segment they were measured on."""

    lesion: Lesion
    segment_number: int
    measurement: Measurement
    uptake: Uptake | None = None


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
    about = About(
        seg=seg,
        sources=sources,
        timepoint=timepoint,
        timepoint_order=timepoint_order,
        created=created,
        confirmed=confirmed,
        label=label,
    )
    kind = Kind(
        description="Lesion measurements (SR)",
        series_number=SERIES_NUMBER,
        observers=reader_and_device(reader) if confirmed else device_alone(),
    )
    write_report(
        path,
        about,
        kind,
        groups_of=lambda context: [group for each in lesions for group in _groups(each, context)],
        identity=[repr(lesions), reader],
    )


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
    if uptake.sul_peak is not None:
        peak = {"derivation": code.PEAK, "method": code.SUVLBM_METHOD}
        values.append(_number(code.SUVLBM, uptake.sul_peak, code.SUVLBM_UNIT, **peak))
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
