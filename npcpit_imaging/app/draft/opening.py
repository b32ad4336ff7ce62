"""How a draft begins: the lesions this reader may know of, and what the pipelines propose at this visit."""

import numpy as np

from npcpit_imaging.app.draft.content import DraftContent, DrawnLine, EntryStatus, FoundFinding, LesionEntry, WholeRead
from npcpit_imaging.app.draft.drawing import measured
from npcpit_imaging.app.draft.masks import pack
from npcpit_imaging.app.draft.place import Desk, Place, visit_series
from npcpit_imaging.app.proposals import SEED_SOURCE, open_mask_of
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.store.drafts import StoredMask
from npcpit_imaging.store.lesions import (
    StoredProposal,
    every_proposal_of,
    lesions_given_to,
    proposals_of,
    stored_caliper,
)
from npcpit_imaging.store.reads import ReadLesion, SignedRead, newest_reads
from npcpit_imaging.store.staleness import is_current
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import EndoscopyState, FieldPosition, Lesion, LesionRole, LesionState
from npcpit_imaging.volume.volume import Modality

Beginning = tuple[DraftContent, tuple[StoredMask, ...]]

MEASURED_ON = (Modality.CT, Modality.MR)
"""Where a proposal's diameters count; PET masks are offered beside, never as the size."""


def own_reads(desk: Desk, place: Place) -> list[SignedRead]:
    """This reader's newest signed reads of the subject up to and with this visit, in date order."""
    with desk.study.database.session() as session:
        every = [each for each in newest_reads(session, place.subject) if each.reader == place.reader.name]
        dates = {each.timepoint: each.date for each in every}
    return [each for each in every if place.timepoint not in dates or each.date <= dates[place.timepoint]]


def first_content(desk: Desk, place: Place, *, show_proposals: bool = True) -> Beginning:
    """What a new draft says: nothing but proposals.

    Args:
        desk: The study.
        place: Whose draft of which visit.
        show_proposals: Off in a study where the reader's own caliper comes first.
    """
    named = {row.tracking_uid: row for read in own_reads(desk, place) for row in read.lesions}
    with desk.study.database.session() as session:
        given = lesions_given_to(session, place.subject, place.reader.name)
        of_study = {each.tracking_uid for each in lesions_given_to(session, place.subject, "")}
    shown = [
        each
        for each in given
        if each.tracking_uid in named or (each.tracking_uid in of_study and each.role is not LesionRole.NEW)
    ]
    offered = _offered(desk, place) if show_proposals else {}
    entries, masks = [], []
    for lesion in shown:
        entry = LesionEntry.of(lesion, parent=_parent(named.get(lesion.tracking_uid)))
        if lesion.tracking_uid in offered:
            entry, mask = _with_proposal(desk, entry, offered[lesion.tracking_uid])
            masks.append(mask)
        entries.append(entry)
    return DraftContent(lesions=tuple(entries)), tuple(masks)


def _parent(row: ReadLesion | None) -> str:
    return "" if row is None or row.state == LesionState.MERGED else row.parent_lesion


def _offered(desk: Desk, place: Place) -> dict[str, StoredProposal]:
    """The pipelines' newest proposal of each lesion at this visit that still rests on the images as they are."""
    diameters = {each.uid for each in visit_series(desk.study, place) if each.modality in MEASURED_ON}
    with desk.study.database.session() as session:
        found = [
            each
            for each in proposals_of(session, place.subject)
            if each.timepoint == place.timepoint and each.series_uid in diameters and is_current(session, each.inputs)
        ]
    return {each.lesion.tracking_uid: each for each in sorted(found, key=lambda each: each.id)}


def _with_proposal(desk: Desk, entry: LesionEntry, proposal: StoredProposal) -> tuple[LesionEntry, StoredMask]:
    volume = desk.shelf.get(proposal.series_uid).volume
    mask = open_mask_of(desk.study, proposal, volume)
    stored = pack(mask, proposal.series_uid)
    found = measured(
        mask, volume, stored.digest, origin="pipeline", prompt=proposal.prompt, segmenter=proposal.segmenter
    )
    seed = proposal.prompt.get("source") == SEED_SOURCE
    found = found.model_copy(update={"seed_only": seed, "proposal_id": proposal.id})
    return entry.model_copy(update={"mask": found, "status": EntryStatus.PROPOSAL}), stored


def content_of_read(desk: Desk, place: Place, read: SignedRead) -> Beginning:
    """A signed read as a draft: what a new version of it begins with."""
    with desk.study.database.session() as session:
        given = {each.tracking_uid: each for each in lesions_given_to(session, place.subject, place.reader.name)}
        proposals = {each.id: each for each in every_proposal_of(session, place.subject)}
    entries, masks = [], []
    for row in read.lesions:
        entry = _entry_of(row, given[row.tracking_uid])
        if row.proposal_id in proposals:
            entry, mask = _with_proposal_kept(desk, entry, proposals[row.proposal_id])
            masks += [] if mask is None else [mask]
        entries.append(entry)
    whole = WholeRead(comment=read.comment, tumour_marker=read.tumour_marker)
    return DraftContent(lesions=tuple(entries), whole=whole), tuple(masks)


def _with_proposal_kept(
    desk: Desk, entry: LesionEntry, proposal: StoredProposal
) -> tuple[LesionEntry, StoredMask | None]:
    """The mask beside an entry that keeps its status; one that cannot be read any more is left out."""
    try:
        with_mask, stored = _with_proposal(desk, entry, proposal)
    except NpcpitError:
        return entry, None
    return with_mask.model_copy(update={"status": entry.status}), stored


def _entry_of(row: ReadLesion, lesion: Lesion) -> LesionEntry:
    state = LesionState(row.state)
    merged = state is LesionState.MERGED
    new_and_measured = lesion.role is LesionRole.NEW and state is LesionState.MEASURED
    return LesionEntry.of(lesion, parent="" if merged else row.parent_lesion).model_copy(
        update={
            "status": EntryStatus.CONFIRMED,
            "state": LesionState.UNEQUIVOCAL if new_and_measured else state,
            "accepted": row.accepted,
            "longest_diameter_mm": row.longest_diameter_mm,
            "short_axis_mm": row.short_axis_mm,
            "caliper": _line(row, stored_caliper(row.reader_caliper)),
            "short_caliper": _line(row, stored_caliper(row.reader_short_caliper)),
            "field": None if row.field is None else FieldPosition(row.field),
            "endoscopy": None if row.endoscopy is None else EndoscopyState(row.endoscopy),
            "merged_into": row.parent_lesion if merged else "",
            "comment": row.comment,
            "findings": tuple(FoundFinding.model_validate(each) for each in row.findings),
        }
    )


def _line(row: ReadLesion, caliper: Caliper | None) -> DrawnLine | None:
    if caliper is None:
        return None
    return DrawnLine(series_uid=row.series_uid or "", start_mm=caliper.start_mm, end_mm=caliper.end_mm)


def middle(caliper: Caliper) -> tuple[float, float, float]:
    """The point half-way along a line."""
    x, y, z = (float(value) for value in np.mean([caliper.start_mm, caliper.end_mm], axis=0))
    return (x, y, z)
