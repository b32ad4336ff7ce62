"""Masks that signed reads rest on, and their radiomic features: one row a value, with where it came from."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import Feature, Status
from npcpit_imaging.store.adjudications import Acceptance, Adjudicated, acceptance_of
from npcpit_imaging.store.bulk import in_groups
from npcpit_imaging.store.images import series_of, subjects
from npcpit_imaging.store.lesions import StoredProposal, every_proposal_of_each, newest_proposals, stored_caliper
from npcpit_imaging.store.reads import ReadLesion, SignedRead, newest_reads_of_each
from npcpit_imaging.store.results import put_features
from npcpit_imaging.store.schema import FeatureRow, JsonObject
from npcpit_imaging.study.measurement import Measurement

CONFIRMED = "confirmed by a reader"
NOT_CONFIRMED = "proposal, not confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskInUse:
    """A mask that one reader's newest signed read rests on, or the same lesion's on PET.

    Args:
        proposal: The mask and what was measured on it.
        modality: Of its series.
        read: The read that it belongs to.
        row: What that read says of the lesion.
        confirmed: Whether the reader accepted this very mask; PET masks are made beside and nobody saw them.
    """

    proposal: StoredProposal
    modality: str
    read: SignedRead
    row: ReadLesion
    confirmed: bool

    @property
    def status(self) -> str:
        """Confirmed or not, in words."""
        return CONFIRMED if self.confirmed else NOT_CONFIRMED

    @property
    def by_caliper(self) -> bool:
        """Whether the reader preferred own lines to the mask's."""
        return self.confirmed and self.row.accepted == "caliper"

    @property
    def measurement(self) -> Measurement:
        """What was measured on the mask, with the reader's own calipers where the reader preferred them."""
        if not self.by_caliper:
            return self.proposal.measurement
        return replace(
            self.proposal.measurement,
            longest_diameter=stored_caliper(self.row.reader_caliper),
            short_axis=stored_caliper(self.row.reader_short_caliper),
            convention="reader's caliper",
        )


def masks_in_use(study: Study, subject: str) -> list[MaskInUse]:
    """A subject's masks, each reader's own, by read and lesion, PET after the mask that was read."""
    return masks_in_use_of_each(study, (subject,))[subject]


def masks_in_use_of_each(study: Study, subjects: Collection[str]) -> dict[str, list[MaskInUse]]:
    """The masks of every subject named, as `masks_in_use` gives them."""
    with study.database.session() as session:
        every = every_proposal_of_each(session, subjects)
        modalities = {each.uid: each.modality for each in series_of(session, subjects=subjects)}
        reads = newest_reads_of_each(session, subjects)
    return {code: _in_use(every[code], modalities, reads[code]) for code in subjects}


def _in_use(
    proposals: Sequence[StoredProposal], modalities: Mapping[str, str], reads: Sequence[SignedRead]
) -> list[MaskInUse]:
    every = {each.id: each for each in proposals}
    on_pet = [each for each in newest_proposals(proposals) if each.uptake is not None]
    found = []
    for read in reads:
        for row in read.lesions:
            if row.proposal_id is None:
                continue
            seen = every[row.proposal_id]
            place = (read.timepoint, seen.lesion.lesion_id)
            beside = [each for each in on_pet if (each.timepoint, each.lesion.lesion_id) == place]
            found += [
                MaskInUse(
                    proposal=each,
                    modality=modalities[each.series_uid],
                    read=read,
                    row=row,
                    confirmed=each.id == seen.id,
                )
                for each in (seen, *(each for each in beside if each.id != seen.id))
            ]
    return found


def distinct_masks(study: Study, subject: str) -> dict[str, list[MaskInUse]]:
    """A subject's different masks with everybody who uses each, by SUBJECT/VISIT/LESION/MODALITY.

    Readers who accepted the same mask share it; where they did not, their codes (and for several series of one modality
    the series) follow in the name, so that no mask takes another's place.
    """
    return named_masks(subject, masks_in_use(study, subject))


def named_masks(subject: str, used: Iterable[MaskInUse]) -> dict[str, list[MaskInUse]]:
    """`distinct_masks` of a subject's masks in use."""
    places: dict[str, dict[tuple[str, str], list[MaskInUse]]] = {}
    for each in used:
        proposal = each.proposal
        place = f"{subject}/{proposal.timepoint}/{proposal.lesion.lesion_id}/{each.modality}"
        places.setdefault(place, {}).setdefault((proposal.series_uid, proposal.mask_sha256), []).append(each)
    named: dict[str, list[MaskInUse]] = {}
    for place, masks in places.items():
        for (series_uid, _), users in masks.items():
            name = place if len(masks) == 1 else f"{place}/{readers_of(users)}"
            named[name if name not in named else f"{name}/{series_uid}"] = users
    return named


def readers_of(users: Sequence[MaskInUse]) -> str:
    """Codes of the readers who use a mask, in one word."""
    return "+".join(sorted({each.read.reader for each in users}))


def acceptance_of_mask(users: Sequence[MaskInUse], decision: Adjudicated | None) -> Acceptance:
    """What an adjudicator made of a mask: a mask that readers share is accepted with the reads of any of them."""
    found = {acceptance_of(decision, each.read.reader) for each in users}
    return Acceptance.ACCEPTED if Acceptance.ACCEPTED in found else min(found)


def accepted_masks(study: Study, *, subject: str = "") -> dict[str, StoredProposal]:
    """One proposal per different mask of the newest signed reads, and of the same lesions on PET, by their names.

    Args:
        study: The study.
        subject: Whose; empty: everybody's.
    """
    with study.database.session() as session:
        codes = [subject] if subject else subjects(session)
    return {
        name: first_made(users)
        for group in in_groups(codes)
        for code, used in masks_in_use_of_each(study, group).items()
        for name, users in named_masks(code, used).items()
    }


def first_made(users: Sequence[MaskInUse]) -> StoredProposal:
    """Of proposals with the same mask the first: the features are stored under it."""
    return min((each.proposal for each in users), key=lambda each: each.id)


def store_features(study: Study, proposal: StoredProposal) -> str:
    """Compute and store the features of one mask; a feature that cannot be computed is a row with its reason.

    Raises:
        SkipCaseError: Not one feature could be computed; the rows with the reasons are stored.
        NpcpitError: The image, the mask or the settings cannot be used.
    """
    volume = open_series(study, proposal.series_uid)
    settings = study.imaging(volume.modality).radiomics
    table = extract(volume, open_mask_of(study, proposal, volume), settings)
    provenance: JsonObject = asdict(table.provenance)
    digest = settings.digest  # asked once: it is computed whenever it is asked for
    rows = [
        FeatureRow(
            proposal_id=proposal.id,
            filter=feature.filter,
            settings_sha256=digest,
            tag=feature.tag,
            code=feature.code,
            family=feature.family.value,
            value=feature.value,
            unit=feature.unit,
            status=feature.status.value,
            reason=feature.reason,
            provenance=provenance,
            created=study.now(),
        )
        for feature in table.features
    ]
    with study.database.session() as session:
        put_features(session, proposal.id, digest, rows)
    computed = sum(feature.status is Status.COMPUTED for feature in table.features)
    if not computed:
        raise SkipCaseError(f"no feature computed: {_main_reason(table.features)}")
    return f"{computed} of {len(rows)} features computed"


def _main_reason(features: Sequence[Feature]) -> str:
    """Why most features have no value."""
    ((reason, count),) = Counter(feature.reason for feature in features).most_common(1)
    return f"{reason} ({count} of {len(features)})"
