"""Radiomic features of the masks that readers accepted, stored long: one row a value, with where it came from."""

from dataclasses import asdict

from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import Status
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.lesions import StoredProposal, every_proposal_of, proposals_of
from npcpit_imaging.store.reads import newest_reads
from npcpit_imaging.store.results import put_features
from npcpit_imaging.store.schema import FeatureRow, JsonObject


def accepted_masks(study: Study) -> dict[str, StoredProposal]:
    """Masks of the newest signed reads, and of the same lesions on PET, by SUBJECT/VISIT/LESION/MODALITY."""
    found: dict[str, StoredProposal] = {}
    with study.database.session() as session:
        for subject in subjects(session):
            accepted = {
                row.proposal_id for read in newest_reads(session, subject) for row in read.lesions if row.proposal_id
            }
            every = every_proposal_of(session, subject)
            newest = {each.id for each in proposals_of(session, subject)}
            places = {(each.timepoint, each.lesion.lesion_id) for each in every if each.id in accepted}
            for each in every:
                on_pet = each.uptake is not None and each.id in newest
                if each.id in accepted or (on_pet and (each.timepoint, each.lesion.lesion_id) in places):
                    modality = "PT" if on_pet else "CT"
                    found[f"{subject}/{each.timepoint}/{each.lesion.lesion_id}/{modality}"] = each
    return found


def store_features(study: Study, proposal: StoredProposal) -> str:
    """Compute and store the features of one mask; a feature that cannot be computed is a row with its reason.

    Raises:
        NpcpitError: The image, the mask or the settings cannot be used.
    """
    volume = open_series(study, proposal.series_uid)
    settings = study.imaging(volume.modality).radiomics
    table = extract(volume, open_mask_of(study, proposal, volume), settings)
    provenance: JsonObject = asdict(table.provenance)
    rows = [
        FeatureRow(
            proposal_id=proposal.id,
            filter=feature.filter,
            settings_sha256=settings.digest,
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
        put_features(session, proposal.id, settings.digest, rows)
    computed = sum(feature.status is Status.COMPUTED for feature in table.features)
    return f"{computed} of {len(rows)} features computed"
