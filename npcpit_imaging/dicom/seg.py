"""DICOM Segmentation objects of lesions: binary, a segment per lesion under its tracking UID (PS3.3 A.51, C.8.20)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes

import npcpit_imaging
from npcpit_imaging.dicom.anatomy import CATEGORY, LESION, MASS, site_codes
from npcpit_imaging.dicom.derived import derived_uid, stamp
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.source_images import (
    SourceSlice,
    place_on,
    read_sources,
    require_same_frame_of_reference,
    source_slices,
)
from npcpit_imaging.errors import DicomError, GeometryError, InputError, NpcpitError
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.volume.volume import Mask

MANUFACTURER = "npcpit_imaging"

NETWORK = "network"
"""How the names of segmenters begin that are trained networks."""

LONG_STRING = 64
"""Characters a label may hold (LO, PS3.5 section 6.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedLesion:
    """One lesion's mask and who proposed it.

    Args:
        lesion: The lesion; its tracking UID becomes the segment's.
        mask: On the voxels of the source series.
        algorithm: Name of the segmenter.
        version: Its version.
    """

    lesion: Lesion
    mask: Mask
    algorithm: str
    version: str


def write_seg(
    path: Path,
    lesions: Sequence[SegmentedLesion],
    *,
    sources: Sequence[Path],
    created: datetime | None = None,
    confirmed: bool = True,
    label: str = "",
) -> None:
    """Write a binary SEG, a segment per lesion; overlapping lesions are kept apart.

    Args:
        path: Where to.
        lesions: At least one, none empty, all on the voxels of the source series.
        sources: Files of the series that was segmented.
        created: When the masks were accepted; now where not given. The same inputs and moment give the same bytes.
        confirmed: False for masks that no reader saw.
        label: What must be said wherever the read is shown, e.g. that it was scripted.

    Raises:
        InputError: There is no lesion, one is there twice, or a mask is empty.
        DicomError: The object cannot be built from these sources.
        GeometryError: A mask does not lie on the sources' voxels.
    """
    _require_lesions(lesions)
    moment = created or datetime.now().astimezone()
    images = read_sources(sources)
    pixels = _pixels(lesions, source_slices(images))
    identity = [f"{each.lesion!r} {each.mask.digest} {each.algorithm} {each.version}" for each in lesions]
    identity += [images[0].SeriesInstanceUID, moment.isoformat(), npcpit_imaging.__version__, str(confirmed), label]
    try:
        with quiet():
            segmentation = _segmentation(lesions, images, pixels, identity)
            segmentation.SeriesDescription = labelled("Lesions (SEG)", label=label, confirmed=confirmed)
            segmentation.ContentDescription = said_of(label, confirmed=confirmed)
            stamp(segmentation, moment, identity)
            segmentation.save_as(path)
    except NpcpitError:
        raise
    except Exception as error:  # highdicom raises many kinds for sources it cannot use
        raise DicomError(f"SEG: cannot be built from this series ({type(error).__name__}: {error})") from error


def labelled(description: str, *, label: str, confirmed: bool) -> str:
    """A description behind what must be said first: that a reader did not confirm it, and the head of the read's label.

    Example:
        >>> labelled("Lesions (SEG)", label="SCRIPTED READ: by the demo", confirmed=False)
        'PROPOSAL: SCRIPTED READ: Lesions (SEG)'
    """
    heads = [] if confirmed else ["PROPOSAL"]
    heads += [label.split(":", maxsplit=1)[0].strip()] if label else []
    return ": ".join([*heads, description])[:LONG_STRING].strip()


def said_of(label: str, *, confirmed: bool) -> str:
    """Whose the content is, as far as a label of DICOM has room."""
    words = [] if confirmed else ["Proposal, not confirmed by a reader"]
    words += [label.rstrip(".")] if label else []
    return (". ".join(words) or "Lesions accepted by a reader")[:LONG_STRING].strip()


def _require_lesions(lesions: Sequence[SegmentedLesion]) -> None:
    if not lesions:
        raise InputError("SEG: expected at least one lesion, found none")
    known = [each.lesion.tracking_uid for each in lesions]
    for each in lesions:
        if known.count(each.lesion.tracking_uid) > 1:
            raise InputError(f"SEG: expected each lesion once, found the tracking UID of {each.lesion.lesion_id} again")
        if not each.mask.voxels.any():
            raise InputError(f"SEG: expected a mask with voxels, found an empty one for {each.lesion.lesion_id}")


def _segmentation(
    lesions: Sequence[SegmentedLesion], images: list[Dataset], pixels: NDArray[np.uint8], identity: Sequence[str]
) -> hd.seg.Segmentation:
    return hd.seg.Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(number, each) for number, each in enumerate(lesions, start=1)],
        series_instance_uid=derived_uid("seg series", *identity),
        series_number=900,
        sop_instance_uid=derived_uid("seg instance", *identity),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=npcpit_imaging.__version__,
        device_serial_number=npcpit_imaging.__version__,  # required of every equipment; a program has no other
        content_label="LESIONS",
        content_description="Lesions accepted by a reader",
        series_description="Lesions (SEG)",
    )


def _pixels(lesions: Sequence[SegmentedLesion], slices: Sequence[SourceSlice]) -> NDArray[np.uint8]:
    """Masks as `(F, J, I)` segment numbers, or `(F, J, I, segments)` where lesions overlap; a frame per source slice.

    Segment numbers need a byte a voxel whatever the number of lesions, which is why overlaps alone are stacked.
    """
    frames = [_frames(each, slices) for each in lesions]
    numbered = np.zeros(frames[0].shape, np.uint8)
    for number, each in enumerate(frames, start=1):
        if numbered[each].any() or number > np.iinfo(np.uint8).max:
            return np.stack(frames, axis=-1).astype(np.uint8)
        numbered[each] = number
    return numbered


def _frames(each: SegmentedLesion, slices: Sequence[SourceSlice]) -> NDArray[np.bool_]:
    """One lesion's mask as `(F, J, I)`, a frame per source slice in the sources' own order."""
    geometry, name = each.mask.geometry, f"SEG: mask of {each.lesion.lesion_id}"
    require_same_frame_of_reference(str(slices[0].grid.frame_of_reference_uid or ""), geometry, name)
    places = [place_on(source.grid, geometry) for source in slices]
    taken = [place.k for place in places]
    whole = all((place.j, place.i, place.flips) == (0, 0, ()) for place in places)
    same_size = all(source.grid.shape_kji[1:] == geometry.shape_kji[1:] for source in slices)
    if not (whole and same_size and sorted(taken) == list(range(geometry.shape_kji[0]))):
        raise GeometryError(
            f"{name}: expected the source's own voxels, {len(slices)} slices each once; found {geometry.describe()}"
        )
    return each.mask.voxels[taken]


def _description(number: int, each: SegmentedLesion) -> hd.seg.SegmentDescription:
    lesion = each.lesion
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"{lesion.lesion_id} {lesion.location}"[:LONG_STRING].strip(),
        segmented_property_category=CATEGORY,
        segmented_property_type=LESION if lesion.nodal else MASS,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=each.algorithm[:LONG_STRING],
            family=codes.DCM.ArtificialIntelligence
            if each.algorithm.startswith(NETWORK)
            else codes.DCM.NeighborhoodAnalysis,
            version=each.version,
        ),
        tracking_uid=lesion.tracking_uid,
        tracking_id=lesion.lesion_id,
        anatomic_regions=site_codes(lesion.location) or None,
    )
