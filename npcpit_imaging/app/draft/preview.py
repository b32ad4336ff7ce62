"""What the segmenter would propose, without touching the draft."""

from collections.abc import Sequence

from npcpit_imaging.app.access.sequence import require_open
from npcpit_imaging.app.draft.content import DraftContent, LesionEntry, MaskInDraft
from npcpit_imaging.app.draft.drawing import prompted
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.requests import PromptChange, PromptShape
from npcpit_imaging.errors import ReadingError
from npcpit_imaging.store.drafts import StoredMask, open_draft
from npcpit_imaging.store.images import timepoint_id
from npcpit_imaging.study.lesion import Lesion, LesionRole

NOBODY = Lesion(lesion_id="preview", tracking_uid="2.25.0", role=LesionRole.TARGET, organ="", location="")


def preview(
    desk: Desk, place: Place, lesion: str | None, series_uid: str, prompts: Sequence[PromptShape], *, refine: bool
) -> tuple[MaskInDraft, StoredMask]:
    """Propose a mask that is only looked at.

    Raises:
        AccessError: The visit is not this reader's, or not open yet.
        ReadingError: The lesion is not in the read, or nothing was found.
        SegmentationError: A prompt cannot be used.
    """
    entry = LesionEntry.of(NOBODY)
    with desk.study.database.session() as session:
        require_open(session, place.reader, place.subject, place.timepoint)
        draft = open_draft(session, timepoint_id(session, place.subject, place.timepoint), place.reader.name)
    if lesion is not None:
        found = None if draft is None else DraftContent.from_parts(draft.content).entry(lesion)
        if found is None:
            raise ReadingError(f"lesion {lesion}: not in this read")
        entry = found
    change = PromptChange(
        kind="prompt", lesion=entry.lesion_id, series_uid=series_uid, prompts=tuple(prompts), refine=refine
    )
    after, mask = prompted(desk, place, entry, change)
    assert after.mask is not None, "prompted gives a mask or raises"
    assert mask is not None, "prompted gives a mask or raises"
    return after.mask, mask
