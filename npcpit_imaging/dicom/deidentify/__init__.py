"""De-identification on the way in: DICOM PS3.15 2026d Annex E, table-driven, keyed, the same on every machine.

```
plan = DeidentifyPlan(key=study_key)
subject = mint_subject_code(plan.key, patient_id(original))
copy, manifest = deidentify(original, subject=subject, shift_days=subject_shift_days(plan.key, subject), plan=plan)
```
"""

from npcpit_imaging.dicom.deidentify.dates import shift_day, shift_moment
from npcpit_imaging.dicom.deidentify.deidentify import deidentify, patient_id
from npcpit_imaging.dicom.deidentify.identity import (
    SubjectCodes,
    mint_subject_code,
    new_uid,
    read_subject_codes,
    subject_shift_days,
)
from npcpit_imaging.dicom.deidentify.manifest import Change, Manifest
from npcpit_imaging.dicom.deidentify.plan import DeidentifyPlan
from npcpit_imaging.dicom.deidentify.table import EDITION, Action, Option
from npcpit_imaging.dicom.deidentify.words import clean_text

__all__ = [
    "EDITION",
    "Action",
    "Change",
    "DeidentifyPlan",
    "Manifest",
    "Option",
    "SubjectCodes",
    "clean_text",
    "deidentify",
    "mint_subject_code",
    "new_uid",
    "patient_id",
    "read_subject_codes",
    "shift_day",
    "shift_moment",
    "subject_shift_days",
]
