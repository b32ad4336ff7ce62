"""Open, change, undo and time a draft; every change is durable before it is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from npcpit_imaging.app.access.sequence import require_open
from npcpit_imaging.app.draft import drawing, saying
from npcpit_imaging.app.draft import requests as ask
from npcpit_imaging.app.draft.content import WHOLE, DraftContent, LesionEntry
from npcpit_imaging.app.draft.opening import content_of_read, first_content, own_reads
from npcpit_imaging.app.draft.place import Desk, Place, visit_series
from npcpit_imaging.errors import ReadingError, StaleRevisionError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.drafts import (
    DraftChange,
    StoredMask,
    claim,
    current_step,
    next_step,
    open_draft,
    put_mask,
    put_step,
    redo_step,
    start_draft,
    undo_step,
)
from npcpit_imaging.store.images import timepoint_id
from npcpit_imaging.store.lesions import lesions_given_to
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.reading_schema import DraftRow
from npcpit_imaging.store.reads import SignedRead

LONGEST_TICK = timedelta(seconds=60)
"""The most that one tick of the read timer counts: a page that fell asleep was not reading."""


@dataclass(frozen=True, kw_only=True)
class OpenRead:
    """A visit as one reader has it open: a draft, or the signed read.

    Args:
        content: What it says.
        revision: Of the draft; 0 for a signed read.
        signed: The newest signed read of this visit; None when there is none.
        reason: Why a signed read is read again; empty otherwise.
        seconds: How long the reader has been at it.
        saved: When it was last saved.
        undo_says: What undo would take back; empty when there is nothing.
        redo_says: What redo would do again; empty when there is nothing.
        is_draft: Whether it can be changed.
    """

    content: DraftContent
    revision: int
    signed: SignedRead | None
    reason: str
    seconds: float
    saved: datetime
    undo_says: str
    redo_says: str
    is_draft: bool


def open_read(desk: Desk, place: Place) -> OpenRead:
    """Open a visit: the draft, begun at the first call, or the signed read.

    Raises:
        AccessError: The visit is not assigned to this reader.
        LockedTimepointError: An earlier one must be signed first.
    """
    signed = signed_read(desk, place)
    with desk.study.database.session() as session:
        require_open(session, place.reader, place.subject, place.timepoint)
        key = timepoint_id(session, place.subject, place.timepoint)
        draft = open_draft(session, key, place.reader.name)
        if draft is not None:
            return _opened(session, draft, signed)
    if signed is not None:
        content, _ = content_of_read(desk, place, signed)
        return OpenRead(
            content=content,
            revision=0,
            signed=signed,
            reason=signed.reason,
            seconds=0.0,
            saved=utc(signed.signed),
            undo_says="",
            redo_says="",
            is_draft=False,
        )
    desk.shelf.warm([each.uid for each in visit_series(desk.study, place)])
    beginning = first_content(desk, place, show_proposals=not desk.study.site.server.measure_first)
    return begin_draft(desk, place, beginning, reason="")


def begin_draft(
    desk: Desk, place: Place, beginning: tuple[DraftContent, Sequence[StoredMask]], *, reason: str
) -> OpenRead:
    """Begin a draft, or take up the one that another window has just begun."""
    content, masks = beginning
    now, signed = desk.study.now(), signed_read(desk, place)
    with desk.study.database.session() as session:
        action = "read.unlock" if reason else "read.begin"
        who, where = place.reader.name, place.subject
        append_audit(  # takes the writer's lock: of two windows one begins, the other finds
            session, actor=who, action=action, now=now, subject=where, item=place.timepoint, detail={"reason": reason}
        )
        key = timepoint_id(session, where, place.timepoint)
        draft = open_draft(session, key, who)
        if draft is None:
            draft = start_draft(session, key, who, content.parts(), now=now, reason=reason)
            for mask in masks:
                put_mask(session, draft, mask, now=now)
        return _opened(session, draft, signed)


def signed_read(desk: Desk, place: Place) -> SignedRead | None:
    """This reader's newest signed read of the visit."""
    return next((each for each in own_reads(desk, place) if each.timepoint == place.timepoint), None)


def _opened(session: Session, draft: DraftRow, signed: SignedRead | None) -> OpenRead:
    undo, redo = current_step(session, draft), next_step(session, draft)
    return OpenRead(
        content=DraftContent.from_parts(draft.content),
        revision=draft.revision,
        signed=signed,
        reason=draft.reason,
        seconds=draft.seconds,
        saved=utc(draft.saved),
        undo_says="" if undo is None else undo.says,
        redo_says="" if redo is None else redo.says,
        is_draft=True,
    )


def change_read(desk: Desk, place: Place, revision: int, change: ask.Change) -> tuple[OpenRead, StoredMask | None]:
    """Make one change: one step of undo, saved with its mask and its row of the audit trail in one transaction.

    Raises:
        StaleRevisionError: Another window changed the draft.
        ReadingError: The change cannot be made; nothing was changed.
    """
    draft = require_draft(desk, place, revision)
    content = DraftContent.from_parts(draft.content)
    step, mask = _step(desk, place, content, change)
    now, signed = desk.study.now(), signed_read(desk, place)
    with desk.study.database.session() as session:
        row = session.get_one(DraftRow, draft.id)
        claim(session, row, revision, now=now)
        if mask is not None:
            put_mask(session, row, mask, now=now)
        put_step(session, row, step, now=now)
        _audit(session, place, step.says, now=now)
        return _opened(session, row, signed), mask


def require_draft(desk: Desk, place: Place, revision: int) -> DraftRow:
    """The draft of a place at a revision.

    Raises:
        AccessError: The visit is not assigned to this reader, or not open yet.
        ReadingError: There is no draft: the read is signed, or was never opened.
        StaleRevisionError: It is at another revision.
    """
    with desk.study.database.session() as session:
        require_open(session, place.reader, place.subject, place.timepoint)
        draft = open_draft(session, timepoint_id(session, place.subject, place.timepoint), place.reader.name)
    if draft is None:
        raise ReadingError(
            f"{place.subject} {place.timepoint}: no draft is open; a signed read is unlocked with a reason"
        )
    if draft.revision != revision:
        raise StaleRevisionError(
            f"the read was changed in another window: expected revision {draft.revision}, found {revision}"
        )
    return draft


def _audit(session: Session, place: Place, says: str, *, now: datetime) -> None:
    append_audit(
        session,
        actor=place.reader.name,
        action="read.change",
        now=now,
        subject=place.subject,
        item=place.timepoint,
        detail={"says": says},
    )


def _step(desk: Desk, place: Place, content: DraftContent, change: ask.Change) -> tuple[DraftChange, StoredMask | None]:
    if isinstance(change, ask.ReadChange):
        said = {name: getattr(change, name) for name in change.model_fields_set - {"kind"}}
        if "comment" in said:
            said["comment"] = said["comment"] or ""
        after = content.whole.model_copy(update=said).json_object()
        return DraftChange(part=WHOLE, after=after, says="visit"), None
    if isinstance(change, ask.AddLesionChange):
        entry = saying.added(content, place, change, taken=_taken(desk, place))
        return DraftChange(part=entry.lesion_id, after=entry.json_object(), says=f"add {entry.lesion_id}"), None
    entry = _entry(content, change.lesion)
    if isinstance(change, ask.RemoveLesionChange):
        _require_removable(content, entry)
        return DraftChange(part=entry.lesion_id, after=None, says=f"remove {entry.lesion_id}"), None
    after_entry, mask = _changed(desk, place, content, entry, change)
    return DraftChange(part=entry.lesion_id, after=after_entry.json_object(), says=_says(change)), mask


def _changed(desk: Desk, place: Place, content: DraftContent, entry: LesionEntry, change: ask.Change) -> drawing.Drawn:
    match change:
        case ask.PromptChange():
            return drawing.prompted(desk, place, entry, change)
        case ask.EditMaskChange():
            return drawing.edited(desk, place, entry, change)
        case ask.CaliperChange():
            after = drawing.with_caliper(desk, place, entry, change)
        case ask.ConfirmChange():
            after = saying.confirmed(desk, entry, change)
        case ask.RejectChange():
            after = saying.rejected(entry)
        case ask.StateChange():
            after = saying.with_state(content, place, entry, change)
        case ask.ReopenChange():
            after = saying.reopened(entry)
        case ask.AnnotateChange():
            after = saying.annotated(entry, change)
        case _:
            raise ReadingError(f"change: {change.kind} is none of a lesion")
    return after, None


def _says(change: ask.Change) -> str:
    """What the undo button calls a change."""
    lesion = getattr(change, "lesion", "")
    match change:
        case ask.EditMaskChange():
            return f"{change.operation.replace('_', ' ')} {lesion}"
        case ask.StateChange():
            return f"{change.state.replace('_', ' ')} {lesion}"
        case ask.PromptChange():
            return f"{change.prompts[-1].kind} {lesion}"
        case _:
            return f"{change.kind} {lesion}"


def _entry(content: DraftContent, lesion: str) -> LesionEntry:
    entry = content.entry(lesion)
    if entry is None:
        raise ReadingError(
            f"lesion {lesion}: not in this read, found {', '.join(e.lesion_id for e in content.lesions)}"
        )
    return entry


def _require_removable(content: DraftContent, entry: LesionEntry) -> None:
    if not entry.own:
        raise ReadingError(
            f"{entry.lesion_id}: expected a lesion added in this draft; say what was found of it instead"
        )
    leaning = [each.lesion_id for each in content.lesions if entry.lesion_id in (each.parent, each.merged_into)]
    if leaning:
        raise ReadingError(f"{entry.lesion_id}: {', '.join(leaning)} refers to it")


def _taken(desk: Desk, place: Place) -> frozenset[str]:
    with desk.study.database.session() as session:
        given = lesions_given_to(session, place.subject, place.reader.name)
    return frozenset(each.lesion_id for each in given)


def undo(desk: Desk, place: Place, revision: int) -> OpenRead:
    """Take the newest change back.

    Raises:
        StaleRevisionError: Another window changed the draft.
        ReadingError: There is none.
    """
    return _move(desk, place, revision, back=True)


def redo(desk: Desk, place: Place, revision: int) -> OpenRead:
    """Make the change again that was taken back last; errors as of `undo`."""
    return _move(desk, place, revision, back=False)


def _move(desk: Desk, place: Place, revision: int, *, back: bool) -> OpenRead:
    draft, now = require_draft(desk, place, revision), desk.study.now()
    signed = signed_read(desk, place)
    with desk.study.database.session() as session:
        row = session.get_one(DraftRow, draft.id)
        claim(session, row, revision, now=now)
        step = undo_step(session, row) if back else redo_step(session, row)
        _audit(session, place, f"{'undo' if back else 'redo'}: {step.says}", now=now)
        return _opened(session, row, signed)


def tick(desk: Desk, place: Place) -> float:
    """Count the time since the last tick as reading, at most a minute; returns all seconds so far."""
    now = desk.study.now()
    with desk.study.database.session() as session:
        require_open(session, place.reader, place.subject, place.timepoint)
        draft = open_draft(session, timepoint_id(session, place.subject, place.timepoint), place.reader.name)
        if draft is None:
            return 0.0
        last = utc(draft.ticked or draft.started)
        draft.seconds += min(max(now - last, timedelta(0)), LONGEST_TICK).total_seconds()
        draft.ticked = now
        return draft.seconds
