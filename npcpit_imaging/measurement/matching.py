"""Which lesion of a follow-up is which of an earlier visit: proposals with overlap figures, for a reader to decide.

The earlier masks are carried onto the follow-up's grid by the registration. Nothing here moves or changes a mask, and
nothing is decided: a split or a merger changes what RECIST adds up (Eisenhauer 2009, section 4.4.2), so a reader says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from npcpit_imaging.errors import GeometryError, MeasurementError
from npcpit_imaging.volume.volume import Mask

LEAST_OVERLAP = 0.25
"""Two masks belong together from this part of the smaller one on: the shared volume over the smaller volume."""

SAME_PLACE = 0.5
"""Two current masks that share this part of the smaller one are two drawings of one thing."""

COVERED = 0.5
"""An earlier lesion of which less lies in the follow-up's image was not imaged; it cannot be said to be gone."""


class MatchKind(StrEnum):
    """What became of lesions between two visits."""

    SAME = "same"
    SPLIT = "split"
    MERGED = "merged"
    NEW = "new"
    GONE = "gone"
    UNCLEAR = "unclear"
    NOT_IMAGED = "not_imaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLesion:
    """One lesion of an earlier visit, carried to the follow-up.

    Args:
        lesion_id: Its name.
        mask: On the follow-up's grid; empty where it lies outside the image.
        volume_ml: Its whole volume at the earlier visit.
    """

    lesion_id: str
    mask: Mask
    volume_ml: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How an earlier lesion, carried over, lies to a current one.

    Args:
        earlier: Name of the earlier lesion.
        current: Name of the current one.
        shared_ml: Volume in both.
        of_earlier: Shared volume over the earlier one's.
        of_current: Shared volume over the current one's.
        gap_mm: Distance between their nearest voxels; 0 where they overlap.
    """

    earlier: str
    current: str
    shared_ml: float
    of_earlier: float
    of_current: float
    gap_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchProposal:
    """One proposal; no state is changed by it.

    Args:
        kind: What seems to have happened.
        earlier: Earlier lesions it is about.
        current: Current ones.
        current_lesions: Names of the lesions whose masks these are.
        overlaps: The figures between them; those of `same` by nearness have a gap and no shared volume.
        text: The same in a sentence.
    """

    kind: MatchKind
    earlier: tuple[str, ...]
    current: tuple[str, ...]
    current_lesions: tuple[str, ...]
    overlaps: tuple[Overlap, ...]
    text: str

    @property
    def renamed(self) -> bool:
        """Whether one lesion seems to be another by name: somebody must look."""
        return self.kind is MatchKind.SAME and not set(self.earlier) & set(self.current_lesions)


def match_lesions(
    earlier: Sequence[EarlierLesion], current: Mapping[str, Mask], *, uncertainty_mm: float
) -> tuple[MatchProposal, ...]:
    """Propose what became of every lesion.

    Masks that share at least a quarter of the smaller one belong together. One earlier and one current lesion are the
    same, one and several a split, several and one a merger, several and several unclear. What is left over and lies no
    further apart than the registration may be wrong is the same too, if there is one choice only. Current masks that
    are two drawings of one thing count once, as ``T01+T02``; parts of one mask count each, as ``T01.1``, ``T01.2``.

    Args:
        earlier: Lesions of the earlier visit on the follow-up's grid.
        current: Masks of the follow-up by lesion name, on the same grid.
        uncertainty_mm: How far the registration may be wrong.

    Raises:
        GeometryError: The masks do not lie on one grid.
        MeasurementError: A current mask is empty, or an uncertainty is no distance.
    """
    _require_one_grid(earlier, current)
    earlier, current = _cropped(earlier, current)
    if not uncertainty_mm >= 0:
        raise MeasurementError(f"matching: expected an uncertainty in mm, found {uncertainty_mm:g}")
    away = [each for each in earlier if not each.mask.voxels.any() or each.mask.volume_ml < COVERED * each.volume_ml]
    here = [each for each in earlier if each not in away]
    parts = _current_parts(current)
    overlaps = [_overlap(one, part) for one in here for part in parts]
    linked = [each for each in overlaps if max(each.of_earlier, each.of_current) >= LEAST_OVERLAP]
    linked += _near(overlaps, linked, uncertainty_mm)
    names = [each.lesion_id for each in here]
    return (*_proposals(names, parts, linked), *(_not_imaged(each) for each in away))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One separate thing of the follow-up: its name, the lesions whose mask it is, its voxels `(K, J, I)`."""

    name: str
    lesions: tuple[str, ...]
    voxels: NDArray[np.bool_]


def _current_parts(current: Mapping[str, Mask]) -> list[_Part]:
    """The separate things of a visit: drawings of one thing united, parts of one mask apart."""
    for name, mask in current.items():
        if not mask.voxels.any():
            raise MeasurementError(f"matching: expected a mask with voxels for {name}, found an empty one")
    names = list(current)
    pairs = [
        (one, other)
        for one in range(len(names))
        for other in range(one)
        if _share(current[names[one]].voxels, current[names[other]].voxels) >= SAME_PLACE
    ]
    parts = []
    for group in _groups(pairs, len(names)):
        lesions = tuple(names[n] for n in group)
        together = "+".join(lesions)
        voxels = np.any([current[names[n]].voxels for n in group], axis=0)
        label, count = ndimage.label(voxels, np.ones((3, 3, 3)))
        for number in range(1, count + 1):
            name = together if count == 1 else f"{together}.{number}"
            parts.append(_Part(name=name, lesions=lesions, voxels=label == number))
    return parts


def _share(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return np.count_nonzero(one & other) / min(np.count_nonzero(one), np.count_nonzero(other))


def _groups(pairs: Sequence[tuple[int, int]], size: int) -> list[list[int]]:
    """Numbers below `size` that pairs connect, in order."""
    rows, columns = [one for one, _ in pairs], [other for _, other in pairs]
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(size, size))
    count, label = connected_components(graph, directed=False)
    return [[n for n in range(size) if label[n] == group] for group in range(count)]


def _overlap(one: EarlierLesion, part: _Part) -> Overlap:
    geometry = one.mask.geometry
    shared = np.count_nonzero(one.mask.voxels & part.voxels)
    return Overlap(
        earlier=one.lesion_id,
        current=part.name,
        shared_ml=shared * geometry.voxel_ml,
        of_earlier=shared / int(np.count_nonzero(one.mask.voxels)),
        of_current=shared / np.count_nonzero(part.voxels),
        gap_mm=0.0 if shared else _gap_mm(one.mask, part.voxels),
    )


def _gap_mm(mask: Mask, part: NDArray[np.bool_]) -> float:
    ends = [mask.geometry.to_mm(np.argwhere(_surface(each))) for each in (mask.voxels, part)]
    distance, _ = cKDTree(ends[0]).query(ends[1])
    return float(np.min(distance))


def _surface(voxels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    surface: NDArray[np.bool_] = voxels & ~ndimage.binary_erosion(voxels)
    return surface


def _near(overlaps: Sequence[Overlap], linked: Sequence[Overlap], uncertainty_mm: float) -> list[Overlap]:
    """Pairs of what is left over that lie within the registration's uncertainty."""
    known = {each.earlier for each in linked}, {each.current for each in linked}
    return [
        each
        for each in overlaps
        if each.earlier not in known[0] and each.current not in known[1] and each.gap_mm <= uncertainty_mm
    ]


def _proposals(earlier: list[str], parts: list[_Part], linked: Sequence[Overlap]) -> list[MatchProposal]:
    size, current = len(earlier), [part.name for part in parts]
    pairs = [(earlier.index(each.earlier), size + current.index(each.current)) for each in linked]
    found = []
    for group in _groups(pairs, size + len(current)):
        before = tuple(earlier[n] for n in group if n < size)
        after = tuple(current[n - size] for n in group if n >= size)
        figures = tuple(each for each in linked if each.earlier in before and each.current in after)
        kind = _kind(len(before), len(after))
        text = _said(kind, before, after, figures)
        lesions = dict.fromkeys(name for n in group if n >= size for name in parts[n - size].lesions)
        found.append(
            MatchProposal(
                kind=kind,
                earlier=before,
                current=after,
                current_lesions=tuple(lesions),
                overlaps=figures,
                text=text,
            )
        )
    return found


def _kind(before: int, after: int) -> MatchKind:
    if before and after:
        several = {(False, False): MatchKind.SAME, (False, True): MatchKind.SPLIT, (True, False): MatchKind.MERGED}
        return several.get((before > 1, after > 1), MatchKind.UNCLEAR)
    return MatchKind.GONE if before else MatchKind.NEW


def _said(kind: MatchKind, before: tuple[str, ...], after: tuple[str, ...], figures: tuple[Overlap, ...]) -> str:
    numbers = ", ".join(
        f"{each.earlier} and {each.current} share {each.shared_ml:.2f} mL"
        f" ({100 * each.of_earlier:.0f} % of {each.earlier}, {100 * each.of_current:.0f} % of {each.current})"
        if each.shared_ml
        else f"{each.earlier} and {each.current} lie {each.gap_mm:.1f} mm apart"
        for each in figures
    )
    head = {
        MatchKind.SAME: f"{' '.join(before)} seems to be {' '.join(after)}",
        MatchKind.SPLIT: f"{' '.join(before)} seems to be split into {', '.join(after)}",
        MatchKind.MERGED: f"{', '.join(before)} seem to be merged into {' '.join(after)}",
        MatchKind.NEW: f"{' '.join(after)}: nothing was there before",
        MatchKind.GONE: f"{' '.join(before)}: nothing was drawn there",
        MatchKind.UNCLEAR: f"{', '.join(before)} and {', '.join(after)}: cannot be told apart",
    }[kind]
    return f"{head}: {numbers}" if numbers else head


def _not_imaged(each: EarlierLesion) -> MatchProposal:
    covered = 100 * each.mask.volume_ml / each.volume_ml
    text = f"{each.lesion_id}: only {covered:.0f} % of it lies in the follow-up's image; not assessed, not gone"
    return MatchProposal(
        kind=MatchKind.NOT_IMAGED, earlier=(each.lesion_id,), current=(), current_lesions=(), overlaps=(), text=text
    )


def _cropped(
    earlier: Sequence[EarlierLesion], current: Mapping[str, Mask]
) -> tuple[list[EarlierLesion], dict[str, Mask]]:
    """The same masks in the block that holds them all: lesions are small, images are large."""
    masks = [*(each.mask for each in earlier), *current.values()]
    spans = [
        np.flatnonzero(np.any([mask.voxels.any(axis=axes) for mask in masks], axis=0)) if masks else np.array([])
        for axes in ((1, 2), (0, 2), (0, 1))
    ]
    if not all(len(span) for span in spans):
        return list(earlier), dict(current)
    start, size = [int(span[0]) for span in spans], [int(span[-1] - span[0]) + 1 for span in spans]
    window = tuple(slice(first, first + length) for first, length in zip(start, size, strict=True))
    block = masks[0].geometry.crop((start[0], start[1], start[2]), (size[0], size[1], size[2]))

    def cut(mask: Mask) -> Mask:
        return Mask(voxels=mask.voxels[window], geometry=block, label=mask.label)

    return [replace(each, mask=cut(each.mask)) for each in earlier], {n: cut(mask) for n, mask in current.items()}


def _require_one_grid(earlier: Sequence[EarlierLesion], current: Mapping[str, Mask]) -> None:
    grids = [each.mask.geometry for each in earlier] + [mask.geometry for mask in current.values()]
    for grid in grids[1:]:
        if not grids[0].same_grid(grid):
            raise GeometryError(
                f"matching: expected masks on one grid, found {grids[0].describe()} and {grid.describe()}"
            )
