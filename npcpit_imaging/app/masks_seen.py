"""Which masks somebody may see: those of the own drafts, and those that the own signed reads rest on."""

from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.draft.masks import pack
from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.store.drafts import StoredMask, mask_of
from npcpit_imaging.store.lesions import accepted_proposal


def mask_seen(desk: Desk, principal: Principal, digest: str) -> StoredMask | None:
    """A mask by its digest; None when there is none that this person may see.

    Args:
        desk: The study.
        principal: Who asks.
        digest: Of a draft's mask, or of the mask of a proposal that an own signed read names.
    """
    with desk.study.database.session() as session:
        found = mask_of(session, principal.name, digest)
        proposal = None if found is not None else accepted_proposal(session, principal.name, digest)
    if proposal is None:
        return found
    volume = desk.shelf.get(proposal.series_uid).volume
    return pack(open_mask_of(desk.study, proposal, volume), proposal.series_uid)
