"""Changes that draw: prompts to the segmenter, strokes on the mask, calipers on an image of the visit."""

import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from npcpit_imaging.app.draft.content import (
    DrawnLine,
    EntryStatus,
    LesionEntry,
    MaskInDraft,
    MeasuredMask,
    MeasuredUptake,
)
from npcpit_imaging.app.draft.masks import pack, unpack
from npcpit_imaging.app.draft.place import Desk, Place, require_series
from npcpit_imaging.app.draft.requests import CaliperChange, EditMaskChange, PromptChange
from npcpit_imaging.app.lesion_numbers import with_findings
from npcpit_imaging.app.reading_calipers import LONGEST_MM, caliper_faults
from npcpit_imaging.errors import ReadingError
from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.measurement.uptake import uptake
from npcpit_imaging.segmentation import editing
from npcpit_imaging.segmentation.prompt import LinePrompt, Prompt
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.store.drafts import StoredMask, mask_of
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.volume.volume import Mask, Unit, Volume

HAND: JsonObject = {"name": "reader", "version": "1", "licence": "", "weights_digest": "", "settings_digest": ""}
"""Provenance of a mask that was drawn without a segmenter."""

Drawn = tuple[LesionEntry, StoredMask | None]


def prompted(desk: Desk, place: Place, entry: LesionEntry, change: PromptChange) -> Drawn:
    """Let the segmenter propose a mask from what the reader points at.

    Raises:
        ReadingError: The series is not of this visit, or nothing was found.
        SegmentationError: A prompt cannot be used.
    """
    require_series(desk.study, place, change.series_uid)
    volume = desk.shelf.get(change.series_uid).volume
    prompts = tuple(shape.prompt() for shape in change.prompts)
    previous = present_mask(desk, place, entry, volume) if change.refine else None
    began = time.perf_counter()
    proposal = segment(volume, prompts, desk.study.imaging(volume.modality).segmentation, previous=previous)
    if not proposal.mask.voxels.any():
        raise ReadingError(f"{entry.lesion_id}: the segmenter found nothing there; draw it by hand, or point again")
    segmenter: JsonObject = {
        **asdict(proposal.provenance),
        "seconds": round(time.perf_counter() - began, 3),
        "findings": [each.text for each in dict.fromkeys((*volume.findings, *proposal.findings))],
    }
    origin: JsonObject = {
        "source": "reader's prompt",
        "prompts": [each.model_dump(mode="json") for each in change.prompts],
    }
    drawn, stored = _with_mask(
        entry,
        proposal.mask,
        volume,
        origin=change.prompts[-1].kind,
        prompt=origin,
        segmenter=segmenter,
        doubts=proposal.findings,
    )
    drawn = drawn.model_copy(update={"status": EntryStatus.PROPOSAL, **_own_lines(prompts, change)})
    return drawn, stored


def _own_lines(prompts: tuple[Prompt, ...], change: PromptChange) -> dict[str, object]:
    """The reader's calipers where the prompt was one line, or two: the long and the short axis."""
    lines = [each for each in prompts if isinstance(each, LinePrompt) and each.positive]
    if not lines or len(lines) != len(prompts) or not change.keep_caliper:
        return {}
    drawn = [
        DrawnLine(series_uid=change.series_uid, start_mm=line.start_mm, end_mm=line.end_mm)
        for line in sorted(lines, key=lambda line: -line.length_mm)[:2]
    ]
    return {"caliper": drawn[0], "short_caliper": drawn[1] if len(drawn) > 1 else None}


def edited(desk: Desk, place: Place, entry: LesionEntry, change: EditMaskChange) -> Drawn:
    """Edit a lesion's mask by hand: one stroke, or one operation.

    Raises:
        ReadingError: The series is not of this visit, or there is no mask to work on.
        SegmentationError: The operation cannot be done.
    """
    require_series(desk.study, place, change.series_uid)
    volume = desk.shelf.get(change.series_uid).volume
    before = present_mask(desk, place, entry, volume)
    if before is None and change.operation != "brush":
        raise ReadingError(
            f"{entry.lesion_id}: there is no mask on this series to {change.operation.replace('_', ' ')}"
        )
    mask = _operate(before or _empty(volume), volume, change)
    if change.operation == "clear" or not mask.voxels.any():
        return entry.model_copy(update={"mask": None, **unconfirmed(entry, has_mask=False)}), None
    earlier = entry.mask
    same = earlier is not None and earlier.series_uid == change.series_uid
    prompt: JsonObject = {
        **(earlier.prompt if same and earlier is not None else {"source": "drawn by hand"}),
        "edited": True,
    }
    segmenter = {**(earlier.segmenter if same and earlier is not None else HAND), "edited_by": "reader"}
    drawn, stored = _with_mask(entry, mask, volume, origin="edited", prompt=prompt, segmenter=segmenter)
    return drawn.model_copy(update={"status": EntryStatus.DRAWN}), stored


def _operate(mask: Mask, volume: Volume, change: EditMaskChange) -> Mask:
    operations: dict[str, Callable[[], Mask]] = {
        "brush": lambda: editing.brush(mask, change.points_mm, radius_mm=change.radius_mm, in_slice=change.in_slice),
        "erase": lambda: editing.erase(mask, change.points_mm, radius_mm=change.radius_mm, in_slice=change.in_slice),
        "fill_between": lambda: editing.fill_between_slices(mask),
        "largest": lambda: editing.largest_component(mask),
        "clip_to_tissue": lambda: editing.clip_to_tissue(mask, volume),
        "grow": lambda: editing.grow(mask, change.distance_mm),
        "smooth": lambda: editing.smooth(mask, radius_mm=change.radius_mm),
        "clear": lambda: _empty(volume),
    }
    return operations[change.operation]()


def _empty(volume: Volume) -> Mask:
    return Mask(voxels=np.zeros(volume.geometry.shape_kji, bool), geometry=volume.geometry)


def present_mask(desk: Desk, place: Place, entry: LesionEntry, volume: Volume) -> Mask | None:
    """A lesion's mask of the draft on a series; None when it has none there."""
    if entry.mask is None or entry.mask.series_uid != volume.series_uid:
        return None
    with desk.study.database.session() as session:
        stored = mask_of(session, place.reader.name, entry.mask.digest)
    assert stored is not None, "a draft's masks are kept in the transaction of its change"
    return unpack(stored, volume.geometry, label=entry.lesion_id)


def _with_mask(
    entry: LesionEntry,
    mask: Mask,
    volume: Volume,
    *,
    origin: str,
    prompt: JsonObject,
    segmenter: JsonObject,
    doubts: tuple[Finding, ...] = (),
) -> tuple[LesionEntry, StoredMask]:
    stored = pack(mask, volume.series_uid)
    found = measured(mask, volume, stored.digest, origin=origin, prompt=prompt, segmenter=segmenter, doubts=doubts)
    return entry.model_copy(update={"mask": found, **unconfirmed(entry, has_mask=True)}), stored


def measured(
    mask: Mask,
    volume: Volume,
    digest: str,
    *,
    origin: str,
    prompt: JsonObject,
    segmenter: JsonObject,
    doubts: tuple[Finding, ...] = (),
) -> MaskInDraft:
    """A mask as a draft names it, with what is measured on it and what a person should know of image and proposal."""
    values = uptake(volume, mask) if volume.unit is Unit.SUVBW else None
    return MaskInDraft(
        digest=digest,
        series_uid=volume.series_uid,
        origin=origin,
        prompt=prompt,
        segmenter=segmenter,
        measurement=MeasuredMask.of(with_findings(measure(mask), volume.findings, doubts)),
        uptake=None if values is None else MeasuredUptake(**asdict(values)),
    )


def with_caliper(desk: Desk, place: Place, entry: LesionEntry, change: CaliperChange) -> LesionEntry:
    """Put, move or remove a reader's caliper.

    Raises:
        ReadingError: The line cannot have been drawn on this series.
    """
    require_series(desk.study, place, change.series_uid)
    name = "caliper" if change.axis == "long" else "short_caliper"
    if change.line_mm is None:
        kept = {"caliper": entry.caliper, "short_caliper": entry.short_caliper, name: None}
        return entry.model_copy(update={**kept, **unconfirmed(entry, has_mask=entry.mask is not None)})
    line = DrawnLine(series_uid=change.series_uid, start_mm=change.line_mm[0], end_mm=change.line_mm[1])
    _require_drawable(desk, entry, change, line.caliper())
    status = {**unconfirmed(entry, has_mask=True), "status": EntryStatus.DRAWN}
    return entry.model_copy(update={name: line, **status})


def _require_drawable(desk: Desk, entry: LesionEntry, change: CaliperChange, line: Caliper) -> None:
    if line.length_mm > LONGEST_MM:
        raise ReadingError(f"caliper: expected at most {LONGEST_MM:g} mm, found {line.length_mm:.1f} mm")
    faults = caliper_faults(line, desk.shelf.get(change.series_uid).volume.geometry)
    if faults:
        raise ReadingError(f"caliper of {entry.lesion_id}: {faults[0]}")


def unconfirmed(entry: LesionEntry, *, has_mask: bool) -> dict[str, object]:
    """What a lesion loses when something about its size changes: nothing unconfirmed counts."""
    kept = entry.state if entry.state in NEW_STATES else None
    drawn = has_mask or entry.caliper is not None
    return {
        "status": EntryStatus.DRAWN if drawn else EntryStatus.TODO,
        "state": kept,
        "accepted": "",
        "longest_diameter_mm": None,
        "short_axis_mm": None,
        "merged_into": "",
        "findings": (),
    }


NEW_STATES = ("equivocal", "unequivocal")
"""What a new lesion stays while its size is drawn again."""
