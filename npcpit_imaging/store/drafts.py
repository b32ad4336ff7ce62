"""Drafts of reads: what a reader has so far, saved at every change, with its whole history.

A draft's content is JSON by part (a lesion, or the visit as a whole). A step says what a part was before and after;
undoing moves the draft back to the step's parent, and nothing is ever deleted.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from npcpit_imaging.errors import ReadingError, StaleRevisionError
from npcpit_imaging.store.reading_schema import DraftMaskRow, DraftRow, DraftStepRow
from npcpit_imaging.store.schema import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChange:
    """What a step does to one part.

    Args:
        part: Which part.
        after: What it says now; None takes it away.
        says: What was done, for the undo button, e.g. ``brush T01``.
    """

    part: str
    after: JsonObject | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMask:
    """A mask's box and bits.

    Args:
        digest: Of series, box and bits.
        series_uid: Whose voxels.
        shape_kji: Of the whole grid.
        start_kji: First voxel of the box.
        size_kji: Of the box; zeros for an empty mask.
        bits: Packed, least significant bit first, compressed with zlib.
    """

    digest: str
    series_uid: str
    shape_kji: tuple[int, int, int]
    start_kji: tuple[int, int, int]
    size_kji: tuple[int, int, int]
    bits: bytes


def open_draft(session: Session, timepoint: int, reader: str) -> DraftRow | None:
    """A reader's draft of a time point that is neither signed nor given up."""
    return session.scalar(
        select(DraftRow).where(DraftRow.timepoint_id == timepoint, DraftRow.reader == reader, DraftRow.closed.is_(None))
    )


def start_draft(
    session: Session, timepoint: int, reader: str, content: JsonObject, *, now: datetime, reason: str = ""
) -> DraftRow:
    """Begin a draft."""
    row = DraftRow(
        timepoint_id=timepoint,
        reader=reader,
        reason=reason,
        revision=1,
        step=0,
        content=content,
        seconds=0.0,
        ticked=None,
        started=now,
        saved=now,
        closed=None,
    )
    session.add(row)
    session.flush()
    return row


def claim(session: Session, draft: DraftRow, revision: int, *, now: datetime) -> None:
    """Take a draft for one change: its revision goes up by one, and whoever else comes with the same one is refused.

    Raises:
        StaleRevisionError: The draft is at another revision, or closed.
    """
    taken = session.execute(
        update(DraftRow)
        .where(DraftRow.id == draft.id, DraftRow.revision == revision, DraftRow.closed.is_(None))
        .values(revision=revision + 1, saved=now)
        .execution_options(synchronize_session=False)
    )
    session.refresh(draft)
    if taken.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult
        raise StaleRevisionError(
            f"the read was changed in another window: expected revision {draft.revision}, found {revision}"
        )


def put_step(session: Session, draft: DraftRow, change: DraftChange, *, now: datetime) -> None:
    """Make one change of a claimed draft, as a step that can be undone."""
    content = copy.deepcopy(draft.content)
    before = content.pop(change.part, None)
    if change.after is not None:
        content[change.part] = change.after
    number = (session.scalar(select(func.max(DraftStepRow.number)).where(DraftStepRow.draft_id == draft.id)) or 0) + 1
    session.add(
        DraftStepRow(
            draft_id=draft.id,
            number=number,
            parent=draft.step,
            says=change.says,
            part=change.part,
            before=_part(before),
            after=change.after,
            created=now,
        )
    )
    draft.content, draft.step = content, number
    session.flush()


def undo_step(session: Session, draft: DraftRow) -> DraftStepRow:
    """Go back before the step that a claimed draft stands on.

    Raises:
        ReadingError: There is none.
    """
    step = current_step(session, draft)
    if step is None:
        raise ReadingError("undo: nothing was changed yet")
    _put_part(draft, step.part, step.before)
    draft.step = step.parent
    session.flush()
    return step


def redo_step(session: Session, draft: DraftRow) -> DraftStepRow:
    """Do again what was undone last.

    Raises:
        ReadingError: Nothing was undone, or something else was done since.
    """
    step = next_step(session, draft)
    if step is None:
        raise ReadingError("redo: nothing was undone")
    _put_part(draft, step.part, step.after)
    draft.step = step.number
    session.flush()
    return step


def current_step(session: Session, draft: DraftRow) -> DraftStepRow | None:
    """The step that undo would take back."""
    return session.scalar(
        select(DraftStepRow).where(DraftStepRow.draft_id == draft.id, DraftStepRow.number == draft.step)
    )


def next_step(session: Session, draft: DraftRow) -> DraftStepRow | None:
    """The step that redo would do again: the newest that stands on the present one, if it is the newest of all."""
    query = select(DraftStepRow).where(DraftStepRow.draft_id == draft.id, DraftStepRow.parent == draft.step)
    return session.scalars(query.order_by(DraftStepRow.number.desc())).first()


def _put_part(draft: DraftRow, part: str, value: JsonObject | None) -> None:
    content = copy.deepcopy(draft.content)
    content.pop(part, None)
    if value is not None:
        content[part] = value
    draft.content = content


def _part(value: object) -> JsonObject | None:
    return dict(value) if isinstance(value, Mapping) else None


def put_mask(session: Session, draft: DraftRow, mask: StoredMask, *, now: datetime) -> None:
    """Keep a mask of a draft; the same one again changes nothing."""
    if session.get(DraftMaskRow, (draft.id, mask.digest)) is None:
        box: JsonObject = {
            "shape_kji": list(mask.shape_kji),
            "start_kji": list(mask.start_kji),
            "size_kji": list(mask.size_kji),
        }
        session.add(
            DraftMaskRow(
                draft_id=draft.id, digest=mask.digest, series_uid=mask.series_uid, box=box, bits=mask.bits, created=now
            )
        )
        session.flush()


def mask_of(session: Session, reader: str, digest: str) -> StoredMask | None:
    """A mask of any of a reader's own drafts; None when the reader has no such mask."""
    query = select(DraftMaskRow).join(DraftRow, DraftMaskRow.draft_id == DraftRow.id)
    row = session.scalars(query.where(DraftRow.reader == reader, DraftMaskRow.digest == digest)).first()
    if row is None:
        return None
    return StoredMask(
        digest=row.digest,
        series_uid=row.series_uid,
        shape_kji=_triple(row.box["shape_kji"]),
        start_kji=_triple(row.box["start_kji"]),
        size_kji=_triple(row.box["size_kji"]),
        bits=row.bits,
    )


def _triple(values: object) -> tuple[int, int, int]:
    assert isinstance(values, list), "written by put_mask"
    k, j, i = (int(value) for value in values)
    return (k, j, i)
