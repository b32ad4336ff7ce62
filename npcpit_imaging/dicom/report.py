"""What all measurement reports share: DICOM SR TID 1500 on a segmentation, its observers, identity and time point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes

import npcpit_imaging
from npcpit_imaging.dicom import report_codes as code
from npcpit_imaging.dicom.anatomy import CATEGORY, LESION, MASS, site_codes
from npcpit_imaging.dicom.derived import derived_uid, stamp
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.report_numbers import append_numbers
from npcpit_imaging.dicom.seg import MANUFACTURER, labelled, said_of
from npcpit_imaging.dicom.seg_read import segment_frames, segments
from npcpit_imaging.dicom.source_images import (
    IN_PLACE_VOXELS,
    SourceSlice,
    frame_grid,
    read_sources,
    source_slices,
)
from npcpit_imaging.errors import DicomError, InputError, NpcpitError
from npcpit_imaging.study.lesion import Lesion

SIGNIFICANT_DIGITS = 9
"""Digits of a measured value that surely fit its decimal string (DS holds 16 characters)."""

Groups = list[sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a report is about, besides its numbers.

    Args:
        seg: The SEG that was measured on.
        sources: Files of the measured series.
        timepoint: The visit's name.
        timepoint_order: 0 for the baseline.
        created: When its content was decided; now where None.
        confirmed: False for what no reader saw: the report is then partial and preliminary, and says so.
        label: What must be said wherever the read is shown, e.g. that it was scripted.
    """

    seg: Path
    sources: Sequence[Path]
    timepoint: str
    timepoint_order: int
    created: datetime | None = None
    confirmed: bool = True
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What tells one kind of report from another.

    Args:
        description: Series description.
        series_number: Series number.
        observers: Who observed.
    """

    description: str
    series_number: int
    observers: sr.ObservationContext


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all groups of one report share."""

    segmentation: hd.seg.Segmentation
    slices: Sequence[SourceSlice]
    timepoint: str
    timepoint_order: int


def write_report(
    path: Path,
    about: About,
    kind: Kind,
    *,
    groups_of: Callable[[Context], Groups],
    identity: Sequence[str],
    numbers: Sequence[Sequence[Dataset]] = (),
) -> None:
    """Write a Comprehensive 3D SR. The same inputs and moment give the same bytes.

    Args:
        path: Where to.
        about: What it is about.
        kind: Which kind of report.
        groups_of: Builds its measurement groups.
        identity: What its numbers are made from.
        numbers: NUM items for the end of each group, where there are so many that highdicom takes too long.

    Raises:
        DicomError: The report cannot be built from these objects.
    """
    moment = about.created or datetime.now().astimezone()
    images = read_sources(about.sources)
    try:
        with quiet():
            report = _report(about, kind, images, moment, groups_of=groups_of, identity=identity)
            if numbers:
                append_numbers(report, numbers)
            report.save_as(path)
    except NpcpitError:
        raise
    except Exception as error:  # highdicom raises many kinds for objects it cannot use
        raise DicomError(f"SR: cannot be built ({type(error).__name__}: {error})") from error


def _report(
    about: About,
    kind: Kind,
    images: Sequence[Dataset],
    moment: datetime,
    *,
    groups_of: Callable[[Context], Groups],
    identity: Sequence[str],
) -> sr.Comprehensive3DSR:
    segmentation = hd.seg.segread(about.seg)
    context = Context(
        segmentation=segmentation,
        slices=source_slices(images),
        timepoint=about.timepoint,
        timepoint_order=about.timepoint_order,
    )
    visit = [about.timepoint, str(about.timepoint_order), moment.isoformat(), str(about.confirmed), about.label]
    whole = [*identity, str(segmentation.SOPInstanceUID), npcpit_imaging.__version__, *visit]
    report = _document(groups_of(context), context, images, kind, whole, is_complete=about.confirmed)
    report.SeriesDescription = labelled(kind.description, label=about.label, confirmed=about.confirmed)
    if about.label or not about.confirmed:
        report.CompletionFlagDescription = said_of(about.label, confirmed=about.confirmed)
    stamp(report, moment, whole)
    return report


def _document(
    groups: Groups,
    context: Context,
    images: Sequence[Dataset],
    kind: Kind,
    identity: Sequence[str],
    *,
    is_complete: bool,
) -> sr.Comprehensive3DSR:
    """The report (TID 1500) on a segmentation and the images under it."""
    modality = str(images[0].Modality)
    if modality not in code.PROCEDURES:
        raise InputError(f"SR: expected source images of {', '.join(code.PROCEDURES)}, found {modality}")
    content = sr.MeasurementReport(
        observation_context=kind.observers,
        procedure_reported=code.PROCEDURES[modality],
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = sr.Comprehensive3DSR(
        evidence=[context.segmentation, *images],
        content=content[0],
        series_instance_uid=derived_uid("sr series", *identity),
        series_number=kind.series_number,
        sop_instance_uid=derived_uid("sr instance", *identity),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=is_complete,
        is_final=is_complete,  # the read is signed; verification would need an organisation's name
        series_description=kind.description,
    )
    report.ManufacturerModelName, report.SoftwareVersions = MANUFACTURER, npcpit_imaging.__version__
    return report


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


def decimal(value: float) -> float:
    """A value that surely fits a decimal string."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
