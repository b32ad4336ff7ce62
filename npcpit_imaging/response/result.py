"""What the engine answers: per time point, per lesion and per subject, each with the rule that fired."""

from dataclasses import dataclass
from datetime import date

from npcpit_imaging.response.new_lesion import NewLesionResult
from npcpit_imaging.response.sums import Nadir
from npcpit_imaging.study.assessment import Tenths
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.study.response import BestResponse, ClinicalBenefit, Duration, ImmuneResponse, Response, RuleFired


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSum:
    """The targets inside, or outside, the irradiated field of one time point (after itRECIST, Goldmacher 2020).

    Args:
        total: Sum in tenths of mm; None when a lesion has no value.
        response: Target response of these lesions alone; NA when there are none.
    """

    total: Tenths | None
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmuneResult:
    """The iRECIST response of one time point.

    Args:
        response: iCR to iCPD, NE, or NA.
        rule: Why.
    """

    response: ImmuneResponse
    rule: RuleFired


@dataclass(frozen=True, slots=True, kw_only=True)
class TimepointResponse:
    """The RECIST 1.1 response of one follow-up.

    Args:
        timepoint: Its name.
        first_date: Its earliest scan.
        date: Its date after ``tp_date_rule``.
        target: Target response, with persistence of PR.
        target_raw: Target response from this time point's numbers alone.
        non_target: Non-target response.
        new: New lesions.
        overall: Overall response.
        overall_raw: Overall response from `target_raw`; best responses use it.
        total: Sum of the assessed targets in tenths of mm; None without targets.
        complete: Whether every target has a value.
        baseline: Sum at baseline; None when it is not complete or there are no targets.
        nadir: Smallest complete sum before; None when there is none.
        rule: The rule that made the overall response.
        target_rule: The rule that made the target response.
        non_target_rule: The rule that made the non-target response.
        irradiated: The irradiated targets alone.
        not_irradiated: The other targets alone.
        after_pd: Later than the first PD: stored, never counted.
        excluded: Why this time point does not count for the best response; empty when it does.
        too_early: Within ``too_early_days`` of treatment.
        retro_dated_by: The later time point that proved the new lesion; empty when none did.
        immune: iRECIST response; None when the protocol does not ask for it.
        in_spider: Part of the spider plot (``after_pd``).
    """

    timepoint: str
    first_date: date
    date: date
    target: Response
    target_raw: Response
    non_target: Response
    new: NewLesionResult
    overall: Response
    overall_raw: Response
    total: Tenths | None
    complete: bool
    baseline: Tenths | None
    nadir: Nadir | None
    rule: RuleFired
    target_rule: RuleFired
    non_target_rule: RuleFired
    irradiated: PartialSum
    not_irradiated: PartialSum
    after_pd: bool
    excluded: str
    too_early: bool
    retro_dated_by: str
    immune: ImmuneResult | None
    in_spider: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionTimepoint:
    """The response of one lesion at one time point.

    Args:
        timepoint: Its name.
        date: Date of the lesion's scan.
        response: CR, PR, SD, PD, NON-CR/NON-PD or NE.
        value: Its size in tenths of mm; None when it has none.
        nadir: Its smallest size before, in tenths of mm; None when there is none.
        source: ``IMAGING`` or ``ENDOSCOPY``: which one decided.
        rule: Why.
        after_stop: After what ended the lesion's follow-up: stored, never counted.
        too_early: Within ``too_early_days`` of treatment.
    """

    timepoint: str
    date: date
    response: Response
    value: Tenths | None
    nadir: Tenths | None
    source: str
    rule: RuleFired
    after_stop: bool
    too_early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionResponse:
    """The course of one lesion; of an irradiated one, from its own baseline.

    Args:
        lesion: Its name.
        cycle: Which cycle's baseline this is; 1 when every cycle shares the first; None when it was not irradiated.
        irradiated: Whether light reached it; only then it belongs to the endpoint of irradiated lesions.
        irradiated_on: Day of that cycle; None when not known.
        baseline_at: Name of its baseline time point; empty when there is none.
        baseline: Its size there in tenths of mm; None when it was not measured.
        measurable: Whether it is measurable there.
        measurable_reason: Why.
        timepoints: Its responses in date order.
        best: Best response without confirmation.
        confirmed: Best response with confirmation.
        to_progression: Time from irradiation to its own progression.
        merged_into: The lesion whose response it shares; empty when none.
        split_into: Lesions that it split into: their sizes are its own, they are none of their own.
        reason: Why there is no response; empty when there is one.
    """

    lesion: str
    cycle: int | None
    irradiated: bool
    irradiated_on: date | None
    baseline_at: str
    baseline: Tenths | None
    measurable: bool
    measurable_reason: str
    timepoints: tuple[LesionTimepoint, ...]
    best: BestResponse
    confirmed: BestResponse
    to_progression: Duration
    merged_into: str
    split_into: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectResponse:
    """Everything one reader's records of one subject say.

    Args:
        subject: Subject code.
        reader: The reader.
        timepoints: Follow-ups in date order.
        lesions: Every irradiated lesion and every lesion of the baseline, by name and cycle.
        bor: Best overall response without confirmation.
        confirmed_bor: Best overall response with confirmation.
        pd_date: Date of the first PD; None when there is none.
        dor: Duration of response from the first CR or PR.
        confirmed_dor: Duration of response from the first CR or PR that was confirmed.
        pfs: Progression-free survival.
        new_out_of_field_date: First certain new lesion outside the irradiated field; None when there is none.
        immune_bor: Best iRECIST response; None when the protocol does not ask for it.
        immune_pd_date: Date of iRECIST progression; None when there is none.
        findings: What a person should know, edit checks included.
        benefit: Clinical benefit.
        for_analysis: Whether the protocol's analysis takes this reader; None when the rows do not say whose it is.
    """

    subject: str
    reader: str
    timepoints: tuple[TimepointResponse, ...]
    lesions: tuple[LesionResponse, ...]
    bor: BestResponse
    confirmed_bor: BestResponse
    pd_date: date | None
    dor: Duration
    confirmed_dor: Duration
    pfs: Duration
    new_out_of_field_date: date | None
    immune_bor: ImmuneResponse | None
    immune_pd_date: date | None
    findings: tuple[Finding, ...]
    benefit: ClinicalBenefit
    for_analysis: bool | None
