"""The verb read-report: what a DICOM SR or SEG by anybody says, as a table: numbers of lesions, or segments."""

from dataclasses import asdict
from pathlib import Path

from npcpit_imaging.dicom.seg_read import segments
from npcpit_imaging.dicom.sr_read import read_sr
from npcpit_imaging.errors import DicomError, InputError

JsonObject = dict[str, object]


def read_report(path: Path) -> JsonObject:
    """Read the numbers of a measurement report (TID 1500) or list the segments of a segmentation.

    Nothing is taken over into a study: what others measured is for a person to look at.

    Args:
        path: A DICOM SR or SEG, by whatever program.

    Returns:
        ``kind`` (``SR`` or ``SEG``) and ``values`` or ``segments``, each as `ReportedValue` or `Segment` says.

    Raises:
        InputError: There is no such file.
        DicomError: It is neither, or is broken.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected a DICOM SR or SEG, found no such file")
    try:
        return {"kind": "SEG", "segments": [asdict(each) for each in segments(path)]}
    except DicomError as no_segmentation:
        try:
            return {"kind": "SR", "values": [asdict(each) for each in read_sr(path)]}
        except DicomError as no_report:
            raise DicomError(f"{no_report}; {no_segmentation}") from no_report
