"""A lesion and what a reader says of it at a time point (RECIST 1.1, Eisenhauer 2009, sections 3 and 4)."""

from dataclasses import dataclass
from enum import StrEnum


class LesionRole(StrEnum):
    """What a lesion is to RECIST (CDISC TUSTRESC)."""

    TARGET = "TARGET"
    NON_TARGET = "NON-TARGET"
    NEW = "NEW"


class LesionState(StrEnum):
    """What a reader found of a lesion at a time point; a state, never a made-up number."""

    MEASURED = "measured"
    TOO_SMALL = "too_small"
    ABSENT = "absent"
    NOT_ASSESSED = "not_assessed"
    NOT_IMAGED = "not_imaged"
    REMOVED = "removed"
    MERGED = "merged"
    PRESENT = "present"
    INCREASED = "increased"
    UNEQUIVOCAL_PD = "unequivocal_pd"
    EQUIVOCAL = "equivocal"
    UNEQUIVOCAL = "unequivocal"
    DISPROVED = "disproved"


class FieldPosition(StrEnum):
    """Where a lesion lies relative to the irradiated field."""

    IN = "in"
    MARGIN = "margin"
    OUT = "out"


class Evaluator(StrEnum):
    """Whose read it is (CDISC TREVAL and TREVALID, in the words of ``reader_for_analysis``)."""

    INVESTIGATOR = "investigator"
    BICR = "bicr"
    ADJUDICATED = "adjudicated"


class TumourMarker(StrEnum):
    """A serum marker at a time point, against its upper limit of normal."""

    NORMAL = "normal"
    ELEVATED = "elevated"
    NOT_DONE = "not_done"


class EndoscopyState(StrEnum):
    """What endoscopy says of a lesion; it qualifies and never measures."""

    CR = "eCR"
    NON_CR_NON_PD = "eNON-CR/NON-PD"
    PD = "ePD"
    NE = "eNE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One lesion of one subject, the same from voxel to table row.

    Args:
        lesion_id: Short name within the subject, e.g. ``T01``.
        tracking_uid: DICOM Tracking UID; also the key in the store and TULNKID's origin.
        role: Target, non-target or new.
        organ: Organ group for the two-per-organ rule; all lymph nodes are one organ.
        location: Anatomic site in CDISC TULOC's terms, e.g. ``NASOPHARYNX``.
        nodal: True for a lymph node (its short axis is its size).
        irradiated: True when photoimmunotherapy light reached it.
        prior_rt: True when it lies in a previously irradiated area.
        prior_rt_progression_documented: Whether progression since that radiotherapy is on record; None when unknown.
    """

    lesion_id: str
    tracking_uid: str
    role: LesionRole
    organ: str
    location: str
    nodal: bool = False
    irradiated: bool = False
    prior_rt: bool = False
    prior_rt_progression_documented: bool | None = None
