"""Take what a pull received from the spool into the study, and tell by original UIDs what the study holds."""

from collections.abc import Iterable

from npcpit_imaging.app.arrivals import Arrivals, batches
from npcpit_imaging.app.receiving import ingest_batch
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.deidentify import new_uid
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.store.held import held_instances, subject_of_series


class Intake:
    """The way from the spool into the study.

    Args:
        study: The study.
        spool: Its spool, which holds objects as received.
    """

    def __init__(self, study: Study, spool: Spool) -> None:
        self._study = study
        self._spool = spool
        self._key = study_key(study)
        self._arrivals = Arrivals(study)
        self.waiting: dict[str, str] = {}

    def renew(self) -> None:
        """Read the subject codes again; what could not be taken may be taken now."""
        self._arrivals = Arrivals(self._study)
        self.waiting.clear()

    def take_in(self) -> None:
        """Take every spooled object into the study; one that cannot be taken waits in the spool, with its reason."""
        new = (each for each in self._spool.pending() if each.header.sop_instance_uid not in self.waiting)
        for batch in batches(new, size_of=lambda spooled: spooled.dataset_bytes):
            for spooled, taken in zip(batch, ingest_batch(self._arrivals, self._spool, batch), strict=True):
                if isinstance(taken, NpcpitError):
                    self.waiting[spooled.header.sop_instance_uid] = str(taken)

    def uid_in_study(self, uid: str) -> str:
        """The study's own UID for a hospital's."""
        return new_uid(self._key, uid) if self._study.site.deidentification.enabled else uid

    def held(self, uids: Iterable[str]) -> set[str]:
        """Those of the hospital's SOP Instance UIDs whose objects are in the study."""
        original = {self.uid_in_study(uid): uid for uid in uids}
        with self._study.database.session() as session:
            return {original[uid] for uid in held_instances(session, original)}

    def subject_of(self, patient_id: str) -> str:
        """The subject code of a hospital's Patient ID; empty where the PACS told none."""
        return self._arrivals.subject_of(patient_id) if patient_id else ""

    def subject_holding(self, series_uid: str) -> str | None:
        """The subject whose series (UID as the study knows it) this is; None where nothing of it is held."""
        with self._study.database.session() as session:
            return subject_of_series(session, series_uid)

    def assemble(self) -> dict[str, list[str]]:
        """Assemble the visits."""
        return self._arrivals.assemble()
