"""The slices of a stack as one array of real values, read in parallel (DICOM PS3.3 C.11.1)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.dicom.decoding import Decode, decoder
from npcpit_imaging.dicom.grid import Stack
from npcpit_imaging.dicom.instance import series_name
from npcpit_imaging.dicom.split import Slice
from npcpit_imaging.errors import SeriesError

READERS = 4
"""Threads that read slices: numpy lets go of the interpreter while it reads and rescales."""

FRAMES_AT_ONCE = 32
"""Frames of one file that are read together: a multi-frame file's are shared among the readers."""


def read_voxels(stacked: Stack) -> tuple[NDArray[np.float32], int]:
    """Decode and rescale every slice into one array, and count the padded voxels.

    Returns:
        `(K, J, I)` values, and how many hold PixelPaddingValue.

    Raises:
        SeriesError: Pixels are missing, truncated or undecodable, or do not fit into memory.
    """
    grid = stacked.slices[0].instance.pixels
    rows, columns = (0, 0) if grid is None else (grid.rows, grid.columns)
    try:
        voxels = np.empty((len(stacked.slices), rows, columns), np.float32)
    except (MemoryError, ValueError) as error:
        size = f"{rows} x {columns} x {len(stacked.slices)}"
        raise SeriesError(f"{series_name(stacked.series_uid)}: {size} voxels do not fit into memory") from error
    files = {each.instance.path: each.instance for each in stacked.slices}
    with decoder(list(files.values())) as decode, ThreadPoolExecutor(READERS) as pool:
        padded = pool.map(lambda places: _fill(voxels, stacked.slices, places, decode), _shares(stacked))
        return voxels, sum(padded)


def _shares(stacked: Stack) -> list[list[int]]:
    """Divide the places of a stack into those that are read together: of one file, and not too many."""
    files: dict[str, list[int]] = {}
    for k, each in enumerate(stacked.slices):
        files.setdefault(str(each.instance.path), []).append(k)
    return [
        places[start : start + FRAMES_AT_ONCE]
        for places in files.values()
        for start in range(0, len(places), FRAMES_AT_ONCE)
    ]


def _fill(voxels: NDArray[np.float32], slices: Sequence[Slice], places: Sequence[int], decode: Decode) -> int:
    """Write slices of one file to their places and return how many of their voxels are padding."""
    instance = slices[places[0]].instance
    padding = None if instance.pixels is None else instance.pixels.padding
    padded = 0
    stored = decode(instance, [slices[k].frame.index for k in places])
    for values, k in zip(stored, places, strict=True):
        _rescale(values, slices[k], voxels[k])
        if padding is not None:
            padded += int(np.count_nonzero((values >= padding[0]) & (values <= padding[1])))
    return padded


def _rescale(values: NDArray[np.integer], each: Slice, out: NDArray[np.float32]) -> None:
    """Apply slope and intercept; the result is the float32 nearest to the double-precision one."""
    slope, intercept = each.frame.slope, each.frame.intercept
    if slope == 1.0 and intercept == int(intercept) and values.dtype.itemsize <= 2 and abs(intercept) < 1 << 23:
        out[...] = values  # whole numbers below 2^24: exact in single precision, and faster
        np.add(out, np.float32(intercept), out=out)
    else:
        out[...] = values * np.float64(slope) + intercept
