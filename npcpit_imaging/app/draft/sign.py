"""Signing a draft: checked, written whole in one transaction with its signature, masks and key images, then locked."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.app.access.sequence import require_open, visits_of
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.draft.answer import live_answer
from npcpit_imaging.app.draft.captured import Captured, capture
from npcpit_imaging.app.draft.content import DraftContent, LesionEntry
from npcpit_imaging.app.draft.drawing import present_mask
from npcpit_imaging.app.draft.opening import content_of_read
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.reading import OpenRead, begin_draft, require_draft, signed_read
from npcpit_imaging.app.draft.states import signed_state
from npcpit_imaging.app.series import series_inputs
from npcpit_imaging.errors import NotSignableError, ReadingError, StorageFullError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.drafts import claim
from npcpit_imaging.store.images import timepoint_id
from npcpit_imaging.store.lesions import StoredProposal, lesions_given_to, put_lesion, put_proposal
from npcpit_imaging.store.reading_schema import DraftRow, KeyImageRow, SignatureRow
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.store.schema import ReadRow
from npcpit_imaging.study.finding import Severity
from npcpit_imaging.volume.files import write_mask

STATEMENTS = {
    "read": "I have read this time point myself, on the images shown, without knowing another reader's answers, and "
    "confirm every lesion as entered. My signature locks it.",
    "adjudicated": "I have compared both readers' reads of this subject on the images and choose one of them "
    "as a whole.",
}
"""What a signature means, shown before signing and kept with it (21 CFR 11.50)."""


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A confirmed entry with the mask that signing stores beside it."""

    entry: LesionEntry
    proposal: StoredProposal | None


def sign_draft(desk: Desk, place: Place, revision: int, *, meaning: str, method: str) -> int:
    """Sign a draft and return the version of the read.

    Args:
        desk: The study.
        place: Whose draft of which visit.
        revision: The draft as the reader saw it.
        meaning: Key of `STATEMENTS`.
        method: How the reader proved again who they are.

    Raises:
        StaleRevisionError: Another window changed the draft.
        NotSignableError: An edit check forbids it.
        StorageFullError: There is no room left; nothing was signed.
    """
    draft = require_draft(desk, place, revision)
    content = DraftContent.from_parts(draft.content)
    checks = live_answer(desk, place, content).checks
    blocking = tuple(each.text for each in checks if each.severity is Severity.ERROR)
    if blocking:
        raise NotSignableError(f"{place.subject} {place.timepoint}: cannot be signed: {blocking[0]}", checks=blocking)
    prepared = [_prepare(desk, place, entry) for entry in content.lesions]
    pictures = [found for entry in content.lesions if (found := capture(desk, place, entry)) is not None]
    now = desk.study.now()
    with desk.study.database.session() as session:
        row = session.get_one(DraftRow, draft.id)
        claim(session, row, revision, now=now)
        for each in prepared:
            _put_own_lesion(session, place, each.entry)
        version = sign_read(
            session,
            subject=place.subject,
            timepoint=place.timepoint,
            reader=place.reader.name,
            lesions=[_confirmed(session, each, desk) for each in prepared],
            now=now,
            reason=row.reason,
            comment=content.whole.comment,
            tumour_marker=content.whole.tumour_marker,
        )
        read_id = _read_id(session, place, version)
        session.add(_signature(read_id, place, row, meaning=meaning, method=method))
        session.add_all(_picture(read_id, each) for each in pictures)
        row.closed = now
    return version


def _prepare(desk: Desk, place: Place, entry: LesionEntry) -> _Prepared:
    """Write the mask of an entry where it is a new one; a pipeline's own is in the store already."""
    mask = entry.mask
    if mask is None or mask.seed_only or mask.proposal_id is not None:
        return _Prepared(entry=entry, proposal=None)
    volume = desk.shelf.get(mask.series_uid).volume
    drawn = present_mask(desk, place, entry, volume)
    assert drawn is not None, "the draft's own mask on its own series"
    folder = desk.study.derived / place.subject / place.timepoint
    path = folder / f"{entry.lesion_id}_{volume.modality}_{drawn.digest[:12]}.nii.gz"
    part = folder / f".{secrets.token_hex(8)}.nii.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_mask(drawn, part)
        _make_durable(part, path)
    except OSError as error:
        raise StorageFullError(f"masks: cannot be written ({error.strerror}); nothing was signed") from error
    finally:
        part.unlink(missing_ok=True)
    inputs = series_inputs(desk.study, mask.series_uid)
    key = digest_of(place.reader.name, place.subject, place.timepoint, entry.lesion_id, drawn.digest, *inputs.values())
    proposal = StoredProposal(
        lesion=entry.lesion(),
        subject=place.subject,
        timepoint=place.timepoint,
        series_uid=mask.series_uid,
        mask_path=path.relative_to(desk.study.folder).as_posix(),
        mask_sha256=drawn.digest,
        prompt=mask.prompt,
        segmenter=mask.segmenter,
        measurement=mask.measurement.measurement(),
        uptake=None if mask.uptake is None else mask.uptake.uptake(),
        key=key,
        inputs=inputs,
        reader=place.reader.name,
    )
    return _Prepared(entry=entry, proposal=proposal)


def _make_durable(part: Path, path: Path) -> None:
    """A file of the final name is a whole one: written beside, synced, renamed."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _put_own_lesion(session: Session, place: Place, entry: LesionEntry) -> None:
    known = {each.tracking_uid for each in lesions_given_to(session, place.subject, place.reader.name)}
    if entry.tracking_uid not in known:
        put_lesion(session, place.subject, entry.lesion(), owner=place.reader.name)


def _confirmed(session: Session, prepared: _Prepared, desk: Desk) -> ConfirmedLesion:
    entry = prepared.entry
    mask_id = None if entry.mask is None else entry.mask.proposal_id
    if prepared.proposal is not None:
        mask_id = put_proposal(session, prepared.proposal, now=desk.study.now())
    lines = [line for line in (entry.caliper, entry.short_caliper) if line is not None]
    return ConfirmedLesion(
        lesion=entry.lesion(),
        state=signed_state(entry),
        longest_diameter_mm=entry.longest_diameter_mm,
        short_axis_mm=entry.short_axis_mm,
        proposal_id=mask_id if entry.accepted else None,
        accepted=entry.accepted,
        reader_caliper=None if entry.caliper is None else entry.caliper.caliper(),
        reader_short_caliper=None if entry.short_caliper is None else entry.short_caliper.caliper(),
        field=entry.field,
        comment=entry.comment,
        findings=tuple(each.finding() for each in entry.findings),
        parent_lesion=entry.linked_lesion,
        endoscopy=entry.endoscopy,
        series_uid=lines[0].series_uid or None if lines else None,
    )


def _read_id(session: Session, place: Place, version: int) -> int:
    key = timepoint_id(session, place.subject, place.timepoint)
    query = select(ReadRow.id).where(
        ReadRow.timepoint_id == key, ReadRow.reader == place.reader.name, ReadRow.version == version
    )
    return session.scalars(query).one()


def _signature(read_id: int, place: Place, draft: DraftRow, *, meaning: str, method: str) -> SignatureRow:
    return SignatureRow(
        read_id=read_id,
        username=place.reader.name,
        full_name=place.reader.full_name,
        meaning=meaning,
        statement=STATEMENTS[meaning],
        method=method,
        seconds=draft.seconds,
        draft_id=draft.id,
    )


def _picture(read_id: int, found: Captured) -> KeyImageRow:
    return KeyImageRow(
        read_id=read_id, lesion_id=found.lesion_id, title=found.title, caption=found.caption, png=found.png
    )


def unlock_read(desk: Desk, place: Place, *, reason: str) -> OpenRead:
    """Begin a new version of a signed read; the signed one stays as it is and is superseded when this is signed.

    Raises:
        AccessError: The visit is not assigned to this reader.
        ReadingError: Nothing is signed, or a draft is open already.
    """
    with desk.study.database.session() as session:
        require_open(session, place.reader, place.subject, place.timepoint)
    signed = signed_read(desk, place)
    if signed is None:
        raise ReadingError(f"{place.subject} {place.timepoint}: nothing is signed; the draft can be changed as it is")
    with desk.study.database.session() as session:
        later = _later_signed(session, place)
        known = session.scalars(
            select(DraftRow.id).where(
                DraftRow.timepoint_id == timepoint_id(session, place.subject, place.timepoint),
                DraftRow.reader == place.reader.name,
                DraftRow.closed.is_(None),
            )
        ).first()
        if known is not None:
            raise ReadingError(f"{place.subject} {place.timepoint}: is unlocked already")
        if later:
            append_audit(
                session,
                actor=place.reader.name,
                action="read.unlock-after-later",
                now=desk.study.now(),
                subject=place.subject,
                item=place.timepoint,
                detail={"later_signed": list(later), "reason": reason},
            )
    return begin_draft(desk, place, content_of_read(desk, place, signed), reason=reason)


def _later_signed(session: Session, place: Place) -> Sequence[str]:
    """Later visits that this reader has signed already: a re-read after them is no longer blind to them."""
    visits = visits_of(session, place.subject, place.reader.name)
    here = next(each.date for each in visits if each.name == place.timepoint)
    return [each.name for each in visits if each.date > here and each.signed is not None]


def key_images_of(desk: Desk, place: Place) -> list[Captured]:
    """The pictures of this reader's newest signed read of a visit."""
    signed = signed_read(desk, place)
    if signed is None:
        return []
    with desk.study.database.session() as session:
        rows = session.scalars(
            select(KeyImageRow).where(KeyImageRow.read_id == signed.id).order_by(KeyImageRow.lesion_id)
        )
        return [Captured(lesion_id=row.lesion_id, title=row.title, caption=row.caption, png=row.png) for row in rows]
