"""Whether an object's bytes end where its last element ends (PS3.5 7.1): pydicom reads a cut object without a word."""

from io import BytesIO

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement

from npcpit_imaging.dicom.part10 import dataset_offset
from npcpit_imaging.dicom.uids import DEFLATED
from npcpit_imaging.errors import DicomError

DELIMITER_BYTES = 8
"""Length of a sequence delimitation item."""

_UNDEFINED = 0xFFFFFFFF
_DELIMITERS = (b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xff\xfe\xe0\xdd\0\0\0\0")


def check_whole(content: bytes, dataset: Dataset) -> None:
    """Refuse an object that was cut: a copy that broke off, a disk that was full at the sender.

    De-identified and written anew it would look whole, with fewer pixels, contours or measurements.

    Args:
        content: The Part-10 file.
        dataset: As pydicom read it from these bytes, pixels too.

    Raises:
        DicomError: The bytes end inside an element; the message names it.
    """
    if str(dataset.file_meta.get("TransferSyntaxUID", "")) in DEFLATED:
        return  # an incomplete deflated stream cannot be read at all
    tags = list(dataset.keys())
    if not tags:
        return  # who asks for its UIDs will refuse it
    last = dataset.get_item(tags[-1], keep_deferred=True)
    end = _end_of(last, content)
    if end == len(content) or (end < len(content) and not content[end:].strip(b"\0")):
        return  # some writers pad with zeros
    place = f"({int(last.tag) >> 16:04X},{int(last.tag) & 0xFFFF:04X}) {keyword_for_tag(last.tag)}".strip()
    where = f"inside {place}" if end > len(content) else f"inside the element after {place}"
    raise DicomError(f"expected a whole data set, found one that ends {where}")


def _end_of(element: object, content: bytes) -> int:
    """Where an element ends in the file; the end of the file for a sequence that was read to its delimiter there."""
    if not isinstance(element, RawDataElement):
        stripped = content.rstrip(b"\0")
        ends_well = content.endswith(_DELIMITERS) or any(stripped.endswith(each[:4]) for each in _DELIMITERS)
        return len(content) if ends_well else dataset_offset(BytesIO(content))
    value_bytes = len(element.value or b"")
    if element.length == _UNDEFINED:
        return int(element.value_tell) + value_bytes + DELIMITER_BYTES
    return int(element.value_tell) + int(element.length)
