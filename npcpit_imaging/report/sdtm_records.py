"""What an SDTM export is made from: one reader's records of one subject, with the answers beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from npcpit_imaging.study.assessment import Assessment, Tenths
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.response import Duration, ImmuneResponse, NewLesion, Response


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Evaluator:
    """Who read, in CDISC's words.

    Args:
        role: --EVAL (codelist C78735), e.g. ``INVESTIGATOR``.
        identifier: --EVALID (codelist C96777), e.g. ``RADIOLOGIST 1``; empty for the only one of a role.

    Example:
        >>> Evaluator(role="INDEPENDENT ASSESSOR", identifier="RADIOLOGIST 1").code
        'RADIOLOGIST1'
    """

    role: str
    identifier: str = ""

    @property
    def code(self) -> str:
        """The prefix of this reader's --LNKID and --LNKGRP."""
        return (self.identifier or self.role).replace(" ", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRecord:
    """The sum of the target lesions at one visit, baseline included.

    Args:
        timepoint: The visit.
        date: Its date.
        total: In tenths of mm; None when a target has no value: a part is no smaller sum.
        nadir: Smallest complete sum before, in tenths of mm; None at baseline and where there is none.
        expected: Number of target lesions.
        assessed: How many of them have a value.
    """

    timepoint: str
    date: date
    total: Tenths | None
    nadir: Tenths | None
    expected: int
    assessed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimepointRecord:
    """The responses of one follow-up.

    Args:
        timepoint: The visit.
        date: Its date.
        target: Target response; NA when there are no target lesions.
        non_target: Non-target response; NA when there are none.
        new: New lesions.
        overall: Overall response.
        immune: iRECIST response; None when the protocol does not ask for it.
        target_rule: Why, in one line.
        non_target_rule: Why.
        rule: Why the overall response.
        immune_rule: Why the iRECIST response.
        excluded: Why it does not count for the best response; empty when it does.
        too_early: Within ``too_early_days`` of treatment.
        retro_dated_by: The later visit that proved a lesion first seen here; empty when none did.
    """

    timepoint: str
    date: date
    target: Response
    non_target: Response
    new: NewLesion
    overall: Response
    immune: ImmuneResponse | None
    target_rule: str
    non_target_rule: str
    rule: str
    immune_rule: str
    excluded: str
    too_early: bool
    retro_dated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionRecord:
    """The response of one lesion at one visit.

    Args:
        lesion: Its name.
        cycle: The treatment cycle whose baseline it is compared with; None when it was not irradiated.
        irradiated: Whether light reached it; only then it belongs to the endpoint of irradiated lesions.
        timepoint: The visit.
        date: Date of the lesion's scan.
        response: CR, PR, SD, PD, NON-CR/NON-PD or NE.
        by_endoscopy: True when endoscopy decided, not imaging.
        rule: Why.
        value: Its size in tenths of mm; None when it has none.
        baseline: Its size at its own baseline in tenths of mm; None when it was not measured.
        nadir: Its smallest size before in tenths of mm; None when there is none.
        after_stop: After what ended its follow-up.
        too_early: Within ``too_early_days`` of treatment.
    """

    lesion: str
    cycle: int | None
    irradiated: bool
    timepoint: str
    date: date
    response: Response
    by_endoscopy: bool
    rule: str
    value: Tenths | None
    baseline: Tenths | None
    nadir: Tenths | None
    after_stop: bool
    too_early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BestRecord:
    """A best response of the subject, or of one lesion.

    Args:
        response: RECIST 1.1 or iRECIST.
        confirmed: Whether confirmation was asked for.
        date: Day it was first met; None when there is none.
        rule: Why.
        lesion: The lesion; empty for the subject.
        cycle: The lesion's treatment cycle; None when it was not irradiated, and for the subject.
        irradiated: Whether light reached the lesion.
    """

    response: Response | ImmuneResponse
    confirmed: bool
    date: date | None
    rule: str
    lesion: str = ""
    cycle: int | None = None
    irradiated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationRecord:
    """A time to an event.

    Args:
        code: PARAMCD of ADTTE: ``PFS``, ``RSD`` or ``CRSD``; ``TTLP`` for a lesion.
        duration: Days, event or censoring, and why.
        lesion: The lesion; empty for the subject.
    """

    code: str
    duration: Duration
    lesion: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRead:
    """Everything one reader's records of one subject say.

    Args:
        subject: Subject code, never a hospital identifier.
        evaluator: The reader, in CDISC's words.
        baseline: Name of the baseline visit.
        reference_start: First treatment (RFSTDTC); None when not known, and then no study day can be told.
        assessments: What was found, one row per lesion and visit.
        irradiations: Light treatments by lesion.
        sums: Sums of the target lesions; empty without targets.
        timepoints: Responses of the follow-ups.
        lesions: Responses of lesions.
        bests: Best responses of the subject and of lesions.
        durations: Times to events.
        pd_date: First PD; None when there is none.
        course: Death, last contact and other dates; None when not known.
        tracking_uids: DICOM Tracking UID by lesion, where known.
        locations: Anatomic site by lesion in CDISC's words, where known better than by `Assessment.organ`.
        accepted: Whether an adjudicator chose these reads as the study's (--ACPTFL); False where nobody decided, too.
    """

    subject: str
    evaluator: Evaluator
    baseline: str
    reference_start: date | None
    assessments: tuple[Assessment, ...]
    irradiations: tuple[Irradiation, ...] = ()
    sums: tuple[SumRecord, ...] = ()
    timepoints: tuple[TimepointRecord, ...] = ()
    lesions: tuple[LesionRecord, ...] = ()
    bests: tuple[BestRecord, ...] = ()
    durations: tuple[DurationRecord, ...] = ()
    pd_date: date | None = None
    course: Course | None = None
    tracking_uids: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False
    locations: Mapping[str, str] = field(default_factory=dict)
