"""What tables say of every mask ever proposed: its own numbers, without the prompts and inputs it was made from."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.store.lesions import stored_caliper, stored_uptake
from npcpit_imaging.store.schema import JsonObject, LesionRow, ProposalRow, TimePointRow
from npcpit_imaging.study.measurement import Uptake


@dataclass(frozen=True, slots=True)
class MaskNumbers:
    """The numbers of one mask.

    Args:
        id: Key of its proposal.
        timepoint: The visit.
        lesion: The lesion's name.
        series_uid: The series it lies on.
        mask_sha256: Digest of the mask.
        segmenter: Provenance.
        measurement: As stored: calipers, volume, convention.
        stored_uptake: As stored; None where it does not lie on PET.
    """

    id: int
    timepoint: str
    lesion: str
    series_uid: str
    mask_sha256: str
    segmenter: JsonObject
    measurement: JsonObject
    stored_uptake: JsonObject | None

    @property
    def longest_diameter_mm(self) -> float | None:
        """Longest diameter in mm, or None for an empty mask."""
        return self._length_mm("longest_diameter")

    @property
    def short_axis_mm(self) -> float | None:
        """Short axis in mm, or None for an empty mask."""
        return self._length_mm("short_axis")

    @property
    def volume_ml(self) -> float:
        """Volume in mL."""
        volume = self.measurement["volume_ml"]
        assert isinstance(volume, int | float), "written by put_proposal"
        return volume

    @property
    def uptake(self) -> Uptake | None:
        """Uptake in it; None where it does not lie on PET."""
        return None if self.stored_uptake is None else stored_uptake(self.stored_uptake)

    def _length_mm(self, name: str) -> float | None:
        caliper = stored_caliper(self.measurement[name])
        return None if caliper is None else caliper.length_mm


def mask_numbers_of_each(session: Session, subjects: Collection[str]) -> dict[str, list[MaskNumbers]]:
    """The masks of every subject named, in the order of `every_proposal_of_each`."""
    rows = session.execute(
        select(
            LesionRow.subject,
            ProposalRow.id,
            TimePointRow.name,
            LesionRow.lesion_id,
            ProposalRow.series_uid,
            ProposalRow.mask_sha256,
            ProposalRow.segmenter,
            ProposalRow.measurement,
            ProposalRow.uptake,
        )
        .join(TimePointRow, ProposalRow.timepoint_id == TimePointRow.id)
        .join(LesionRow, ProposalRow.tracking_uid == LesionRow.tracking_uid)
        .where(LesionRow.subject.in_(subjects))
        .order_by(TimePointRow.date, LesionRow.lesion_id, ProposalRow.series_uid, ProposalRow.id)
    )
    found: dict[str, list[MaskNumbers]] = {code: [] for code in subjects}
    for subject, own, visit, lesion, series, sha256, segmenter, measurement, uptake in rows:
        found[subject].append(MaskNumbers(own, visit, lesion, series, sha256, segmenter, measurement, uptake))
    return found
