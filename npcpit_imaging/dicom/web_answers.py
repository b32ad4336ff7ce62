"""What a DICOMweb server answers with: headers as DICOM JSON, frames as they are stored (PS3.18 8.7.3, 10.4, F.2)."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from npcpit_imaging.dicom.header import quiet, read_dataset
from npcpit_imaging.errors import DicomError, InputError

BULK_BYTES = 4096
"""Binary values above this are left out of metadata; a viewer fetches pixels as frames."""

NATIVE_SYNTAX = "1.2.840.10008.1.2.1"
"""Explicit VR Little Endian: what uncompressed frames are sent as (PS3.18 8.7.3.3.2)."""

JsonHeader = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrames:
    """Frames of one object.

    Args:
        media_type: Of each part, with its transfer syntax.
        frames: One content per frame asked for.
    """

    media_type: str
    frames: tuple[bytes, ...]


def header_json(path: Path) -> JsonHeader:
    """The header of an object as DICOM JSON, without pixels and long binary values.

    Raises:
        DicomError: It cannot be read.
    """
    with quiet():
        dataset = read_dataset(path, pixels=False)
        for element in list(dataset):
            if element.VR in ("OB", "OW", "OF", "OD", "UN") and len(element.value or b"") > BULK_BYTES:
                del dataset[element.tag]
        header: JsonHeader = json.loads(json.dumps(_json(dataset)))
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "")) if hasattr(dataset, "file_meta") else ""
    header["00083002"] = {"vr": "UI", "Value": [syntax]}  # Available Transfer Syntax UID
    return header


def _json(dataset: Dataset) -> JsonHeader:
    found: JsonHeader = dataset.to_json_dict(bulk_data_threshold=1 << 30, suppress_invalid_tags=True)
    return found


def stored_frames(path: Path, numbers: tuple[int, ...]) -> StoredFrames:
    """Frames of an object, compressed as they are stored.

    Args:
        path: The object.
        numbers: Frame numbers, from 1.

    Raises:
        InputError: The object has no such frame.
        DicomError: It has no pixels, or cannot be read.
    """
    with quiet():
        dataset = read_dataset(path)
        content = dataset.get("PixelData")
        if content is None:
            raise DicomError("frames: the object has no pixels")
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        if not numbers or not all(1 <= number <= count for number in numbers):
            raise InputError(f"frames: expected numbers from 1 to {count}, found {', '.join(map(str, numbers))}")
        syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
        if syntax.is_encapsulated:
            every = list(generate_frames(content, number_of_frames=count))
            return StoredFrames(media_type=_compressed(syntax), frames=tuple(every[number - 1] for number in numbers))
        return StoredFrames(
            media_type=f'application/octet-stream; transfer-syntax="{NATIVE_SYNTAX}"'.replace('"', ""),
            frames=tuple(_native(dataset, syntax, content, number) for number in numbers),
        )


COMPRESSED = {
    "1.2.840.10008.1.2.4.50": "image/jpeg", "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg", "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls", "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2", "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc", "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc", "1.2.840.10008.1.2.5": "image/dicom-rle",
}  # fmt: skip
"""Media type of each compression (PS3.18 table 8.7.3-5)."""


def _compressed(syntax: UID) -> str:
    return f"{COMPRESSED.get(str(syntax), 'application/octet-stream')}; transfer-syntax={syntax}"


def _native(dataset: Dataset, syntax: UID, content: bytes, number: int) -> bytes:
    bits = (
        int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1)) * int(dataset.BitsAllocated)
    )
    if bits % 8:
        raise DicomError("frames: one-bit frames that do not end on a byte are retrieved as whole objects")
    length = bits // 8
    frame = content[(number - 1) * length : number * length]
    if len(frame) != length:
        raise DicomError(f"frames: expected {length} bytes of pixels, found {len(frame)}")
    if syntax.is_little_endian or int(dataset.BitsAllocated) == 8:
        return frame
    swapped = bytearray(frame)
    swapped[0::2], swapped[1::2] = frame[1::2], frame[0::2]
    return bytes(swapped)


def transfer_syntax_of(path: Path) -> str:
    """How an object is encoded.

    Raises:
        DicomError: It cannot be read.
    """
    with quiet():
        return str(read_dataset(path, pixels=False).file_meta.TransferSyntaxUID)
