"""Stored radiomic features as the values of a DICOM report."""

from collections.abc import Sequence

from npcpit_imaging.dicom.radiomics_sr import FeatureValue, LesionFeatures
from npcpit_imaging.store.lesions import StoredProposal
from npcpit_imaging.store.schema import FeatureRow


def reported_features(
    proposals: Sequence[StoredProposal], rows: Sequence[FeatureRow], *, settings_sha256: str
) -> list[LesionFeatures]:
    """Features of a SEG's lesions, as `write_radiomics_sr` takes them.

    Args:
        proposals: Whose masks the SEG holds, in the order of its segments.
        rows: Features of any proposals and settings.
        settings_sha256: Of the features that shall be reported; values of others do not compare.

    Returns:
        One a proposal that has features under these settings, with its segment's number.
    """
    reported = []
    for number, proposal in enumerate(proposals, start=1):
        own = [row for row in rows if (row.proposal_id, row.settings_sha256) == (proposal.id, settings_sha256)]
        if own:
            reported.append(
                LesionFeatures(
                    lesion=proposal.lesion,
                    segment_number=number,
                    features=tuple(
                        FeatureValue(tag=row.tag, code=row.code, value=row.value, unit=row.unit, filter=row.filter)
                        for row in own
                    ),
                    settings_digest=settings_sha256,
                    engine_version=str(own[0].provenance["engine_version"]),
                )
            )
    return reported
