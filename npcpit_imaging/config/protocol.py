"""What the study decided about response: every option RECIST 1.1 leaves open (Eisenhauer 2009, EORTC FAQ)."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AliasChoices, Field, model_validator

from npcpit_imaging.config.base import Config

Days = Annotated[int, Field(ge=0)]
Mm = Annotated[int, Field(gt=0)]


class _Choice(StrEnum):
    """A closed vocabulary whose words are recognised whatever their case."""

    @classmethod
    def _missing_(cls, value: object) -> "_Choice | None":
        return next((member for member in cls if member.value.lower() == str(value).lower()), None)


class PrPersistence(_Choice):
    """Does PR stay PR while the sum lies between -30 % and PD?"""

    EORTC = "eortc"
    NONE = "none"


class NadirZeroRule(_Choice):
    """When is disease after a sum of 0 mm a target PD?"""

    ABS5 = "abs5"
    ONLY_AFTER_OVERALL_CR = "only_after_overall_CR"


class SdWindowRef(_Choice):
    """From which date the minimum duration of SD runs."""

    FIRST_TREATMENT = "first_treatment"
    RANDOMISATION = "randomisation"
    BASELINE = "baseline"


class ConfirmRequired(_Choice):
    """Which best response is the protocol's answer; both are always reported."""

    BOTH_REPORTED = "both_reported"
    REQUIRED = "required"
    NOT_REQUIRED = "not_required"


class ShortSdRule(_Choice):
    """What an unconfirmed CR or PR followed by SD is when the minimum duration of SD is not met."""

    TABLE3 = "table3"
    ADMIRAL = "admiral"


class CrThenPr(_Choice):
    """What CR followed by PR is (Table 3, footnote a)."""

    SD = "SD"
    PD = "PD"
    RETRACT = "retract"


class NtPartialPolicy(_Choice):
    """Non-target response when some non-target lesions were not assessed."""

    NE = "NE"
    IGNORE_MISSING = "ignore_missing"


class NtNeWithTargetCr(_Choice):
    """Overall response when the targets are CR and the non-targets not all evaluated."""

    PR = "PR"
    NE = "NE"


class NewNodeRule(_Choice):
    """From which short axis a new lymph node is a new lesion."""

    GE10_EQUIVOCAL_UNTIL_15 = "ge10_equivocal_until_15"
    GE10 = "ge10"
    GE15 = "ge15"


class OrganGrouping(_Choice):
    """Are all lymph nodes one organ for the two-per-organ rule?"""

    NODES_ONE_ORGAN = "nodes_one_organ"
    PER_STATION = "per_station"


class AfterPd(_Choice):
    """Are time points after the first PD part of the spider plot? None ever counts for BOR, DoR or PFS."""

    EXCLUDED_STORED = "excluded_stored"
    INCLUDE_FOR_SPIDER = "include_for_spider"


class TpDateRule(_Choice):
    """The date of a time point whose scans have several dates."""

    PD_EARLIEST_ELSE_LATEST = "pd_earliest_else_latest"
    ALL_EARLIEST = "all_earliest"


class TumourMarkerPolicy(_Choice):
    """Does CR need a normal serum marker (EBV DNA, where the study collects it as a RECIST marker)?"""

    NOT_USED = "not_used"
    NORMAL_FOR_CR = "normal_for_CR"


class NewTherapyRule(_Choice):
    """Does a new anticancer therapy end the window of the best response?"""

    STOP_BOR = "stop_bor"
    CONTINUE = "continue"


class ReaderForAnalysis(_Choice):
    """Whose reads the analysis takes (``for_analysis``); results of every reader are reported."""

    INVESTIGATOR = "investigator"
    BICR = "bicr"
    ADJUDICATED = "adjudicated"


class BaselineEpisode(_Choice):
    """The baseline of an irradiated lesion with several cycles."""

    FIRST_IRRADIATION = "first_irradiation"
    PER_CYCLE = "per_cycle"


class CavityPolicy(_Choice):
    """Is a cavity or necrosis part of the diameter? An instruction to readers: the engine never sees the cavity."""

    WHOLE = "whole"
    SUBTRACT_CAVITY = "subtract_cavity"


class EndoPolicy(_Choice):
    """How endoscopy qualifies a lesion; it never measures."""

    VETO_CR = "veto_CR"
    ONLY_WHEN_NOT_MEASURABLE = "only_when_not_measurable"
    IGNORE = "ignore"


class PriorRtPolicy(_Choice):
    """When a previously irradiated lesion may be a target."""

    REQUIRE_PROGRESSION = "require_progression"
    ALLOW_IF_BIOPSY_PROVEN = "allow_if_biopsy_proven"
    ALLOW = "allow"


class LesionStop(_Choice):
    """What ends the follow-up of an irradiated lesion."""

    OWN_PD = "own_PD"
    PATIENT_PD = "patient_PD"


class RemovedPolicy(_Choice):
    """The value of a target that was resected or treated outside the protocol."""

    MISSING = "missing"
    ZERO = "zero"


class PrimaryEndpoint(_Choice):
    """The primary endpoint over irradiated lesions."""

    ORR = "ORR"
    CR_RATE = "CR rate"


class VisitWindow(Config):
    """A planned follow-up.

    Args:
        name: The time point's name.
        day: Planned days after the first treatment.
        early_days: How many days before it may still be.
        late_days: How many days after it may still be.
    """

    name: str = Field(min_length=1)
    day: Days
    early_days: Days = 7
    late_days: Days = 7


class EligibilityRules(Config):
    """Who may be in the analysis (``[eligibility]``); what is not asked is not checked.

    Args:
        baseline_modalities: One of these must be there at baseline (CT, MR, PT).
        min_follow_ups: Visits with images after baseline.
        require_treatment_records: Date and lesion of every treatment must be on record.
        require_consent: Consent, or opt-out published and not used, must be on record.
        min_age_years: At consent or first treatment.
        treated_from: First day of the study's period, the hospital's date.
        treated_until: Last day.
    """

    baseline_modalities: tuple[str, ...] = ()
    min_follow_ups: Days = 0
    require_treatment_records: bool = False
    require_consent: bool = False
    min_age_years: Annotated[int, Field(ge=0)] | None = None
    treated_from: date | None = None
    treated_until: date | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "EligibilityRules":
        if self.treated_from is not None and self.treated_until is not None and self.treated_until < self.treated_from:
            raise ValueError("treated_until must not be before treated_from")
        return self


class ResultsRules(Config):
    """How the study's results are computed (``[results]``).

    Args:
        data_cut: Records after this day, the hospital's date, are not used; a subject's own cutoff is, where earlier.
        analysis_reader: Code of the reader whose reads are analysed; empty: ``reader_for_analysis``, or the only one.
        primary_endpoint: ORR or CR rate over irradiated lesions.
        only_eligible: Leave subjects out that are not known to be eligible.
        landmark_days: Days at which rates of time-to-event endpoints are given.
        bootstrap_samples: Resamplings of patients.
        require_stability: Test only radiomic features whose stability was measured.
        stable_from: Lower bound of ICC(2,1) from which a feature is stable.
    """

    data_cut: date | None = None
    analysis_reader: str = ""
    primary_endpoint: PrimaryEndpoint = PrimaryEndpoint.ORR
    only_eligible: bool = False
    landmark_days: tuple[Annotated[int, Field(gt=0)], ...] = (90, 180, 365)
    bootstrap_samples: Annotated[int, Field(ge=1000)] = 10_000
    require_stability: bool = True
    stable_from: Annotated[float, Field(ge=0, le=1)] = 0.75


class DiffuserReach(Config):
    """How far light is held to act around a fibre, where tables/fields.csv does not say; None: it must say.

    Args:
        cylindrical_radius_mm: From the axis of a cylindrical diffuser.
        frontal_radius_mm: Radius of a frontal diffuser's beam at its depth.
        frontal_depth_mm: Depth to which a frontal diffuser's light acts.
    """

    cylindrical_radius_mm: Annotated[float, Field(gt=0)] | None = None
    frontal_radius_mm: Annotated[float, Field(gt=0)] | None = None
    frontal_depth_mm: Annotated[float, Field(gt=0)] | None = None


class Protocol(Config):
    """Every decision the response engine needs; ``configs/npc-pit/protocol.toml`` gives each one's source.

    Example:
        >>> Protocol().min_sd_days
        42
    """

    title: str = "RECIST 1.1"

    # Measurability and selection of targets (1.1, 1.2)
    max_targets: Annotated[int, Field(ge=1)] = 5
    max_targets_per_organ: Annotated[int, Field(ge=1)] = 2
    organ_grouping: OrganGrouping = OrganGrouping.NODES_ONE_ORGAN
    min_longest_diameter_mm: Mm = 10
    min_short_axis_mm: Mm = 15
    normal_short_axis_mm: Mm = 10
    min_xray_diameter_mm: Mm = 20
    slice_mult_nodes: bool = True
    prior_rt_policy: PriorRtPolicy = PriorRtPolicy.REQUIRE_PROGRESSION
    method_fallback: tuple[str, ...] = ()

    # Values and sums (1.3)
    tstm_default_mm: Mm = 5
    removed_policy: RemovedPolicy = RemovedPolicy.MISSING
    cavity_policy: CavityPolicy = CavityPolicy.WHOLE

    # Target, non-target, new, overall (1.4 to 1.7)
    pr_decrease_percent: Annotated[int, Field(gt=0, lt=100)] = 30
    pd_increase_percent: Annotated[int, Field(gt=0)] = 20
    pd_increase_mm: Mm = 5
    pr_persistence: PrPersistence = PrPersistence.EORTC
    pd_when_incomplete: bool = True
    missing_bound: bool = False
    nadir_zero_rule: NadirZeroRule = NadirZeroRule.ABS5
    nt_partial_policy: NtPartialPolicy = NtPartialPolicy.NE
    tumour_marker_policy: TumourMarkerPolicy = TumourMarkerPolicy.NOT_USED
    nt_ne_with_t_cr: NtNeWithTargetCr = Field(
        default=NtNeWithTargetCr.PR, validation_alias=AliasChoices("nt_ne_with_t_cr", "nt_NE_with_T_CR")
    )
    new_node_rule: NewNodeRule = NewNodeRule.GE10_EQUIVOCAL_UNTIL_15
    pet_blackout_days: Days = 56
    tp_date_rule: TpDateRule = TpDateRule.PD_EARLIEST_ELSE_LATEST

    # Best overall response (1.8)
    min_sd_days: Days = 42
    sd_window_ref: SdWindowRef = SdWindowRef.FIRST_TREATMENT
    confirm_required: ConfirmRequired = ConfirmRequired.BOTH_REPORTED
    ref_confirm: Days = 28
    max_nr_ne: Days = 1
    accept_sd: bool = False
    missing_as_ne: bool = False
    short_sd_rule: ShortSdRule = ShortSdRule.TABLE3
    cr_then_pr: CrThenPr = CrThenPr.SD
    after_pd: AfterPd = AfterPd.EXCLUDED_STORED
    new_therapy_rule: NewTherapyRule = NewTherapyRule.STOP_BOR
    reader_for_analysis: ReaderForAnalysis = ReaderForAnalysis.INVESTIGATOR

    # Durations (1.9)
    scheduled_interval_days: Annotated[int, Field(ge=1)] = 42
    max_missed_visits: Annotated[int, Field(ge=1)] = 2
    censor_at_new_therapy: bool = True
    censor_after_missed_visits: bool = True

    # Visits and treatment (1.1, 1.10)
    baseline_window_days: Days = 28
    visits: tuple[VisitWindow, ...] = ()
    too_early_days: Days = 28
    max_cycles: Annotated[int, Field(ge=1)] = 4
    min_cycle_interval_days: Days = 28

    # Irradiated lesions and endoscopy (1.11, 1.12)
    baseline_episode: BaselineEpisode = BaselineEpisode.FIRST_IRRADIATION
    lesion_stop: LesionStop = LesionStop.OWN_PD
    endo_policy: EndoPolicy = EndoPolicy.VETO_CR
    endo_veto_cr: bool = False
    field_margin_mm: Annotated[int, Field(ge=0)] | None = None
    diffusers: DiffuserReach = DiffuserReach()

    # iRECIST (1.13)
    irecist: bool = False
    irecist_increase_mm: Mm = 5
    irecist_confirm_min_days: Days = 28
    irecist_confirm_max_days: Days = 56

    # Who is analysed, and how (recist.md 4)
    eligibility: EligibilityRules = EligibilityRules()
    results: ResultsRules = ResultsRules()

    @model_validator(mode="after")
    def _consistent(self) -> "Protocol":
        if self.irecist_confirm_max_days < self.irecist_confirm_min_days:
            raise ValueError("irecist_confirm_max_days must not be below irecist_confirm_min_days")
        if self.normal_short_axis_mm > self.min_short_axis_mm:
            raise ValueError("normal_short_axis_mm must not exceed min_short_axis_mm")
        names = [visit.name for visit in self.visits]
        if len(set(names)) != len(names):
            raise ValueError("visits must have different names")
        return self

    @property
    def endo_vetoes_cr(self) -> bool:
        """Whether residual tumour seen by endoscopy takes an imaging CR away."""
        if self.endo_policy is EndoPolicy.IGNORE:
            return False
        return self.endo_veto_cr or self.endo_policy is EndoPolicy.VETO_CR
