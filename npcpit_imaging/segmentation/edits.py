"""Undo and redo as a value: a mask and the changes that led to it, each stored as the few bytes that differ.

A change is the exclusive or of two masks in its bounding box, one bit a voxel, deflated; applying it again takes it
back, so that undo and redo are the same step. A history is frozen: every function returns a new one.
"""

import base64
import json
import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.errors import GeometryError, SegmentationError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

KEPT_EDITS = 100
"""Edits that can be undone; older ones can no more."""

Index = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedMask:
    """A mask in few bytes: a block of bits, nothing outside it.

    Args:
        start_kji: The block's first voxel.
        shape_kji: Its size; (0, 0, 0) for an empty mask.
        bits: One bit a voxel in (k, j, i) order, deflated.
    """

    start_kji: Index
    shape_kji: Index
    bits: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of a mask.

    Args:
        name: What the reader did, e.g. ``brush``.
        change: The voxels that changed.
    """

    name: str
    change: PackedMask


@dataclass(frozen=True, kw_only=True)
class EditHistory:
    """A mask and how it became what it is.

    Args:
        mask: As it is now.
        edits: In order; those from `position` on were undone.
        position: How many are in force.

    Example:
        >>> grid = Geometry(shape_kji=(1, 2, 2), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
        >>> empty = Mask(voxels=np.zeros((1, 2, 2), bool), geometry=grid)
        >>> full = Mask(voxels=np.ones((1, 2, 2), bool), geometry=grid)
        >>> drawn = record(EditHistory(mask=empty), "brush", full)
        >>> int(undo(drawn).mask.voxels.sum()), int(redo(undo(drawn)).mask.voxels.sum())
        (0, 4)
    """

    mask: Mask
    edits: tuple[Edit, ...] = ()
    position: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.position <= len(self.edits):
            raise SegmentationError(
                f"edit history: expected a position from 0 to {len(self.edits)}, found {self.position}"
            )

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        """Whether an edit was taken back that can be made again."""
        return self.position < len(self.edits)


def record(history: EditHistory, name: str, edited: Mask, *, keep: int = KEPT_EDITS) -> EditHistory:
    """Add an edit; what was undone before it is forgotten, and one that changed nothing is none.

    Args:
        history: Up to now.
        name: What the reader did.
        edited: The mask after it.
        keep: How many edits stay undoable.

    Raises:
        GeometryError: The edited mask lies on another grid.
    """
    if not history.mask.geometry.same_grid(edited.geometry):
        raise GeometryError(
            f"edit {name}: expected the mask's grid ({history.mask.geometry.describe()}), found another "
            f"({edited.geometry.describe()})"
        )
    changed = history.mask.voxels ^ edited.voxels
    if not changed.any():
        return history
    edits = (*history.edits[: history.position], Edit(name=name, change=pack(changed)))[-keep:]
    return EditHistory(mask=edited, edits=edits, position=len(edits))


def undo(history: EditHistory) -> EditHistory:
    """Take the newest edit back.

    Raises:
        SegmentationError: There is none.
    """
    if not history.can_undo:
        raise SegmentationError("undo: expected an edit to take back, found none")
    return _toggled(history, history.position - 1, history.position - 1)


def redo(history: EditHistory) -> EditHistory:
    """Make the edit again that was taken back last.

    Raises:
        SegmentationError: There is none.
    """
    if not history.can_redo:
        raise SegmentationError("redo: expected an edit that was taken back, found none")
    return _toggled(history, history.position, history.position + 1)


def _toggled(history: EditHistory, edit: int, position: int) -> EditHistory:
    voxels = history.mask.voxels.copy()
    _flip(voxels, history.edits[edit].change)
    return replace(history, mask=replace(history.mask, voxels=voxels), position=position)


def pack(voxels: NDArray[np.bool_]) -> PackedMask:
    """Pack a mask ``voxels: `(K, J, I)` bool``."""
    spans = [np.flatnonzero(voxels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if len(spans[0]) == 0:
        return PackedMask(start_kji=(0, 0, 0), shape_kji=(0, 0, 0), bits=zlib.compress(b""))
    k, j, i = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    block = voxels[k, j, i]
    return PackedMask(
        start_kji=(k.start, j.start, i.start),
        shape_kji=(block.shape[0], block.shape[1], block.shape[2]),
        bits=zlib.compress(np.packbits(block).tobytes()),
    )


def unpack(packed: PackedMask, shape_kji: Index) -> NDArray[np.bool_]:
    """Return the mask `(K, J, I)` of this shape.

    Raises:
        SegmentationError: The block does not lie in the shape, or its bits are damaged.
    """
    voxels = np.zeros(shape_kji, bool)
    _flip(voxels, packed)
    return voxels


def _flip(voxels: NDArray[np.bool_], packed: PackedMask) -> None:
    size = int(np.prod(packed.shape_kji))
    stop = np.add(packed.start_kji, packed.shape_kji)
    if min(*packed.start_kji, *packed.shape_kji) < 0 or (stop > voxels.shape).any():
        raise SegmentationError(f"packed mask: expected a block within {voxels.shape} (k, j, i), found one beyond it")
    try:
        bits = np.frombuffer(zlib.decompress(packed.bits), np.uint8)
    except zlib.error as error:
        raise SegmentationError(f"packed mask: the bits are damaged ({error})") from error
    if len(bits) != (size + 7) // 8:
        raise SegmentationError(f"packed mask: expected {size} voxels, found {8 * len(bits)} bits")
    block = np.unpackbits(bits, count=size).astype(bool).reshape(packed.shape_kji)
    window = tuple(slice(a, int(b)) for a, b in zip(packed.start_kji, stop, strict=True))
    voxels[window] ^= block


def to_json(history: EditHistory) -> str:
    """A history as text: for a session that outlives the process, or the record of what a reader did."""
    edits = [{"name": edit.name, **_packed_json(edit.change)} for edit in history.edits]
    return json.dumps({"mask": _packed_json(pack(history.mask.voxels)), "edits": edits, "position": history.position})


def from_json(text: str, geometry: Geometry, *, label: str = "") -> EditHistory:
    """Read a history back, on the grid it was made on.

    Raises:
        SegmentationError: The text is no history, or one of another grid.
    """
    try:
        found = json.loads(text)
        edits = tuple(Edit(name=str(each["name"]), change=_packed(each)) for each in found["edits"])
        packed, position = _packed(found["mask"]), int(found["position"])
    except (ValueError, TypeError, KeyError) as error:
        raise SegmentationError(f"edit history: cannot be read ({type(error).__name__}: {error})") from error
    mask = Mask(voxels=unpack(packed, geometry.shape_kji), geometry=geometry, label=label)
    return EditHistory(mask=mask, edits=edits, position=position)


def _packed_json(packed: PackedMask) -> dict[str, object]:
    bits = base64.b64encode(packed.bits).decode("ascii")
    return {"start_kji": list(packed.start_kji), "shape_kji": list(packed.shape_kji), "bits": bits}


def _packed(found: dict[str, object]) -> PackedMask:
    return PackedMask(
        start_kji=_index(found["start_kji"]),
        shape_kji=_index(found["shape_kji"]),
        bits=base64.b64decode(str(found["bits"]), validate=True),
    )


def _index(found: object) -> Index:
    if not isinstance(found, list):
        raise TypeError(f"expected three numbers, found {found!r}")
    k, j, i = (int(each) for each in found)
    return (k, j, i)
