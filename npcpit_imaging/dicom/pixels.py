"""Stored pixel values of slices, decoded (DICOM PS3.5 8, PS3.3 C.7.6.3); native ones straight from the file."""

from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from npcpit_imaging.dicom.header import read_dataset
from npcpit_imaging.dicom.instance import Instance, PixelFormat
from npcpit_imaging.dicom.values import tag_name
from npcpit_imaging.errors import SeriesError

PIXEL_DATA = {"little": b"\xe0\x7f\x10\x00", "big": b"\x7f\xe0\x00\x10"}
"""The tag (7FE0,0010) as it stands in the file."""

NATIVE = {str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian), str(ExplicitVRBigEndian)}
"""Transfer syntaxes whose pixels lie in the file as they are."""

ENDING_IN_EOI = {*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes}
"""Streams that end in an end-of-image marker (ISO 10918-1 B.1.1.3, ISO 14495-1 C.1.1)."""

JPEG_END = b"\xff\xd9"
"""End of image."""


def stored_values(instance: Instance, indices: Sequence[int]) -> NDArray[np.integer]:
    """Return the stored values of some frames of one file.

    Args:
        instance: An image whose header was read.
        indices: Frame numbers, from 0.

    Returns:
        `(N, rows, columns)` of the file's own integer type, bits above BitsStored removed.

    Raises:
        SeriesError: The pixels are missing, truncated or cannot be decoded; the message names the instance.
    """
    pixels = instance.pixels
    if pixels is None:
        raise SeriesError(f"instance {instance.sop_instance_uid}: {instance.fault}")
    values = _native(instance, pixels, indices) if is_native(pixels) else _decoded(instance, pixels, indices)
    return _stored_bits(values, pixels)


def is_native(pixels: PixelFormat) -> bool:
    """Tell whether the values lie in the file as they are."""
    return pixels.transfer_syntax_uid in NATIVE and pixels.offset >= 0 and pixels.bits_allocated in (8, 16, 32)


def _native(instance: Instance, pixels: PixelFormat, indices: Sequence[int]) -> NDArray[np.integer]:
    big = pixels.transfer_syntax_uid == ExplicitVRBigEndian
    kind = np.dtype(f"{'>' if big else '<'}{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}")
    frame_bytes = pixels.rows * pixels.columns * kind.itemsize
    with instance.path.open("rb", buffering=0) as file:
        start = _value_start(file, instance, pixels, frame_bytes * len(instance.frames))
        values = np.empty((len(indices), pixels.rows, pixels.columns), kind)
        for place, index in enumerate(indices):
            file.seek(start + index * frame_bytes)
            found = file.readinto(values[place].data)
            if found != frame_bytes:
                raise _truncated(instance, index, frame_bytes, found)
    return values.astype(kind.newbyteorder("=")) if big else values


def _value_start(file: FileIO, instance: Instance, pixels: PixelFormat, needed: int) -> int:
    """Return the byte where the pixel values begin, after the element's tag, VR and length."""
    order: Literal["big", "little"] = "big" if pixels.transfer_syntax_uid == ExplicitVRBigEndian else "little"
    header = 8 if pixels.transfer_syntax_uid == ImplicitVRLittleEndian else 12
    file.seek(pixels.offset)
    element = file.read(header)
    if element[:4] != PIXEL_DATA[order] or len(element) < header:
        raise SeriesError(f"instance {instance.sop_instance_uid}: {tag_name('PixelData')} is missing")
    length = int.from_bytes(element[-4:], order)
    if length < needed:
        raise _truncated(instance, 0, needed, length)
    if length >= needed + needed // max(len(instance.frames), 1):
        raise SeriesError(
            f"instance {instance.sop_instance_uid}: {tag_name('PixelData')}: expected {needed} bytes by rows, columns, "
            f"bits and frames, found {length}: one of them is wrong"
        )
    return pixels.offset + header


def _truncated(instance: Instance, index: int, expected: int, found: int) -> SeriesError:
    return SeriesError(
        f"instance {instance.sop_instance_uid}: truncated pixel data in frame {index + 1}, "
        f"expected {expected} bytes, found {found}"
    )


def _decoded(instance: Instance, pixels: PixelFormat, indices: Sequence[int]) -> NDArray[np.integer]:
    shape = (pixels.rows, pixels.columns)
    values: list[NDArray[np.integer]] = []
    dataset = _whole_dataset(instance.path, pixels)
    for index in indices:
        _require_whole_stream(instance, dataset, index)
        found = _decoded_frame(instance, dataset, index)
        if found.shape != shape or not np.issubdtype(found.dtype, np.integer):
            raise SeriesError(
                f"instance {instance.sop_instance_uid}: expected {shape[0]} x {shape[1]} whole numbers, "
                f"found {found.dtype} of shape {found.shape}"
            )
        values.append(found)
    return np.stack(values)


def _decoded_frame(instance: Instance, dataset: Dataset, index: int) -> NDArray[np.integer]:
    try:
        return np.asarray(pixel_array(dataset, index=index, raw=True))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # every codec raises its own kinds; a Rust panic is no Exception
        raise _undecodable(instance, index, error) from error


def _require_whole_stream(instance: Instance, dataset: Dataset, index: int) -> None:
    """Refuse a JPEG or JPEG-LS stream without its end: libjpeg fills what is missing and says nothing."""
    if dataset.file_meta.TransferSyntaxUID not in ENDING_IN_EOI:
        return
    try:
        stream = get_frame(dataset.PixelData, index, number_of_frames=len(instance.frames))
    except Exception as error:  # pydicom raises many kinds for a broken sequence of fragments
        raise _undecodable(instance, index, error) from error
    if not stream.rstrip(b"\0").endswith(JPEG_END):
        raise SeriesError(
            f"instance {instance.sop_instance_uid}: truncated pixel data in frame {index + 1}, "
            "expected a JPEG stream that ends in FFD9, found none"
        )


def _undecodable(instance: Instance, index: int, error: BaseException) -> SeriesError:
    syntax = "" if instance.pixels is None else instance.pixels.transfer_syntax_uid
    return SeriesError(
        f"instance {instance.sop_instance_uid}: frame {index + 1} cannot be decoded "
        f"(transfer syntax {syntax}, {type(error).__name__})"
    )


def _whole_dataset(path: Path, pixels: PixelFormat) -> Dataset:
    dataset = read_dataset(path)
    if not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = UID(pixels.transfer_syntax_uid)
    return dataset


def _stored_bits(values: NDArray[np.integer], pixels: PixelFormat) -> NDArray[np.integer]:
    """Remove what lies above BitsStored: old overlays and garbage (PS3.5 8.1.1); signed values keep their sign.

    In place: a copy a slice would cost as much time as reading it.
    """
    spare = pixels.bits_allocated - pixels.bits_stored
    if spare > 0 and values.dtype.itemsize * 8 == pixels.bits_allocated:
        if np.issubdtype(values.dtype, np.unsignedinteger):
            values &= values.dtype.type((1 << pixels.bits_stored) - 1)
            return values
        np.left_shift(values, spare, out=values)
        np.right_shift(values, spare, out=values)
    return values
