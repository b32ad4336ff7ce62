"""Masks as they travel and as the store keeps them: the box around them and its bits, least significant bit first."""

import base64
import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.store.drafts import StoredMask
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

EMPTY = (0, 0, 0)


def pack(mask: Mask, series_uid: str) -> StoredMask:
    """Pack a mask.

    Example:
        >>> voxels = np.zeros((2, 3, 4), bool)
        >>> voxels[1, 1, 1:3] = True
        >>> grid = Geometry(shape_kji=(2, 3, 4), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
        >>> packed = pack(Mask(voxels=voxels, geometry=grid), "1.2.3")
        >>> packed.start_kji, packed.size_kji, mask_json(packed)["bits"]
        ((1, 1, 1), (1, 1, 2), 'Aw==')
    """
    start, size = _box(mask.voxels)
    window = tuple(slice(low, low + length) for low, length in zip(start, size, strict=True))
    bits = np.packbits(mask.voxels[window].ravel(), bitorder="little").tobytes()
    named = f"{series_uid}|{mask.geometry.shape_kji}|{start}|{size}|".encode()
    return StoredMask(
        digest=hashlib.sha256(named + bits).hexdigest(),
        series_uid=series_uid,
        shape_kji=mask.geometry.shape_kji,
        start_kji=start,
        size_kji=size,
        bits=zlib.compress(bits, 6),
    )


def unpack(stored: StoredMask, geometry: Geometry, *, label: str = "") -> Mask:
    """A stored mask on its series' grid."""
    voxels = np.zeros(geometry.shape_kji, bool)
    size = stored.size_kji
    count = size[0] * size[1] * size[2]
    window = tuple(slice(low, low + length) for low, length in zip(stored.start_kji, size, strict=True))
    bits = np.frombuffer(zlib.decompress(stored.bits), np.uint8)
    voxels[window] = np.unpackbits(bits, count=count, bitorder="little").reshape(size).astype(bool)
    return Mask(voxels=voxels, geometry=geometry, label=label)


def mask_json(stored: StoredMask) -> JsonObject:
    """A mask as it travels."""
    return {
        "digest": stored.digest,
        "series_uid": stored.series_uid,
        "shape_kji": list(stored.shape_kji),
        "start_kji": list(stored.start_kji),
        "size_kji": list(stored.size_kji),
        "bits": base64.b64encode(zlib.decompress(stored.bits)).decode("ascii"),
    }


def _box(voxels: NDArray[np.bool_]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    lows, sizes = [], []
    slices = voxels.any(axis=(1, 2))
    if not slices.any():
        return EMPTY, EMPTY
    k = np.flatnonzero(slices)
    flat = np.asarray(voxels[k[0] : k[-1] + 1].any(axis=0), bool)
    for index in (k, np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))):
        lows.append(int(index[0]))
        sizes.append(int(index[-1] - index[0] + 1))
    return (lows[0], lows[1], lows[2]), (sizes[0], sizes[1], sizes[2])
