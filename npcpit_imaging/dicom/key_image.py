"""A key image as DICOM Secondary Capture with the caliper burnt in (PS3.3 A.8.1, C.8.6), beside its own slice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import RLELossless

import npcpit_imaging
from npcpit_imaging.dicom.derived import derived_uid, stamp
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.dicom.seg import MANUFACTURER, labelled
from npcpit_imaging.dicom.source_images import SourceSlice, read_sources, source_slices
from npcpit_imaging.dicom.sr import key_slice
from npcpit_imaging.dicom.values import text
from npcpit_imaging.errors import DicomError, InputError, NpcpitError
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import Lesion
from npcpit_imaging.volume.geometry import Geometry

SERIES_NUMBER = 903

TOWARDS = ("LR", "PA", "HF")
"""Letters of the patient's axes x, y, z: along it and against it."""

SOURCE_PURPOSE = Code("121322", "DCM", "Source image for image processing operation")
"""Why the slice is referred to (CID 7202)."""


@dataclass(frozen=True, kw_only=True)
class BurntInKeyImage:
    """One lesion's picture and what it was drawn from.

    Args:
        lesion: The lesion; its tracking UID and ID stand in the object.
        pixels: `(rows, columns, 3)` uint8, RGB, with the caliper burnt in.
        caliper: The long axis; the slice it lies in is the one referred to.
        text: The numbers in words, as ImageComments.
    """

    lesion: Lesion
    pixels: NDArray[np.uint8]
    caliper: Caliper
    text: str


def write_key_image(
    path: Path,
    picture: BurntInKeyImage,
    *,
    sources: Sequence[Path],
    timepoint: str,
    number: int = 1,
    created: datetime | None = None,
    confirmed: bool = True,
    label: str = "",
) -> None:
    """Write a Secondary Capture image of one lesion, RLE lossless; the same inputs and moment give the same bytes.

    Args:
        path: Where to.
        picture: The picture.
        sources: Files of the series it shows.
        timepoint: The visit's name.
        number: Its number among the key images of this series and read.
        created: When the read was signed; now where not given.
        confirmed: False where no reader saw the numbers.
        label: What must be said wherever the read is shown, e.g. that it was scripted.

    Raises:
        InputError: The pixels are no 8-bit RGB picture.
        GeometryError: The caliper lies in no slice of the sources.
        DicomError: The object cannot be built from these sources.
    """
    if picture.pixels.dtype != np.uint8 or picture.pixels.ndim != 3 or picture.pixels.shape[2] != 3:
        raise InputError(f"key image: expected 8-bit RGB pixels, found {picture.pixels.dtype} {picture.pixels.shape}")
    moment = created or datetime.now().astimezone()
    images = read_sources(sources)
    try:
        with quiet():
            key = key_slice(picture.caliper, source_slices(images))
            # One series holds the pictures of one read on one series: what is said of a series is true of all of them.
            series = [str(images[0].SeriesInstanceUID), moment.isoformat(), timepoint, str(confirmed), label]
            series.append(npcpit_imaging.__version__)
            identity = [repr(picture.lesion), repr(picture.caliper), picture.text, str(key.image.SOPInstanceUID)]
            identity += series
            capture = _capture(picture, key, series=series, identity=identity)
            capture.InstanceNumber = number
            description = f"{timepoint} key images (caliper burnt in)"
            capture.SeriesDescription = labelled(description, label=label, confirmed=confirmed)
            stamp(capture, moment, identity)
            # The true moment of drawing beside shifted dates would give the shift away.
            capture.DateOfSecondaryCapture, capture.TimeOfSecondaryCapture = capture.ContentDate, capture.ContentTime
            capture.save_as(path)
    except NpcpitError:
        raise
    except Exception as error:  # highdicom raises many kinds for sources it cannot use
        raise DicomError(f"key image: cannot be built ({type(error).__name__}: {error})") from error


def _capture(
    picture: BurntInKeyImage, key: SourceSlice, *, series: Sequence[str], identity: Sequence[str]
) -> hd.sc.SCImage:
    capture = hd.sc.SCImage.from_ref_dataset(
        ref_dataset=key.image,
        pixel_array=picture.pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=_orientation(key.grid),
        series_instance_uid=derived_uid("key image series", *series),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derived_uid("key image instance", *identity),
        instance_number=1,
        manufacturer=MANUFACTURER,
        transfer_syntax_uid=RLELossless,
    )
    capture.ConversionType = "WSD"
    capture.BurnedInAnnotation = "YES"
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.DerivationDescription = "Windowed slice with the lesion's outline and calipers drawn into the pixels"
    capture.ImageComments = picture.text
    capture.TrackingID, capture.TrackingUID = picture.lesion.lesion_id, picture.lesion.tracking_uid
    capture.ManufacturerModelName, capture.SoftwareVersions = MANUFACTURER, npcpit_imaging.__version__
    body_part = text(key.image, "BodyPartExamined")
    if body_part:
        capture.BodyPartExamined = body_part
    else:
        capture.Laterality = ""  # type 2C: whether the body part is a paired one is not known
    capture.SourceImageSequence = [_reference(key)]
    return capture


def _orientation(grid: Geometry) -> tuple[str, str]:
    """Where the picture's rows and columns run to, as letters (PS3.3 C.7.6.1.1.1); the nearest axis if oblique."""
    axes = np.array(grid.direction)[:, :2].T
    row, column = (TOWARDS[int(np.abs(axis).argmax())][int(axis[np.abs(axis).argmax()] < 0)] for axis in axes)
    return row, column


def _reference(key: SourceSlice) -> Dataset:
    """The slice that was drawn on, and what for."""
    item, purpose = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = key.image.SOPClassUID, key.image.SOPInstanceUID
    if key.frame_number is not None:
        item.ReferencedFrameNumber = key.frame_number
    purpose.CodeValue, purpose.CodingSchemeDesignator = SOURCE_PURPOSE.value, SOURCE_PURPOSE.scheme_designator
    purpose.CodeMeaning = SOURCE_PURPOSE.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item
