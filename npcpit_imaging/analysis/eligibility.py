"""Who of a study's subjects may be in its analysis: the protocol's imaging criteria, each with its reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from npcpit_imaging.config.protocol import EligibilityRules


class Verdict(StrEnum):
    """Whether a criterion is met; what is not on record is not met, and is told apart."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"
    NOT_ASKED = "not asked"


CONSENT = "consent"
"""Name of the criterion of taking part."""

EXCLUSION = "exclusion"
"""Name of the criterion that a site decides, in its own words."""

NO_EXCLUSION = ("", "no", "none", "0", "false")
"""What in the column exclusion says that there is none."""


class Consent(StrEnum):
    """How a subject takes part."""

    CONSENTED = "consented"
    OPT_OUT = "opt-out"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is known of a subject, in the hospital's own dates (which never leave the site).

    Args:
        subject: Subject code.
        baseline: Date of the baseline images; None where there are none.
        baseline_modalities: Their modalities.
        follow_ups: How many later visits have images.
        treatment_start: First treatment; None when not known.
        cycles_documented: Whether every cycle has date and irradiated lesion on record.
        consent: How the subject takes part; None when not on record.
        consent_date: Day of consent.
        birth_date: Day of birth.
        age_years: Age at consent or first treatment, where no day of birth is kept.
        exclusion: Why the subject is excluded, in the site's words; one of `NO_EXCLUSION` when it is not.
        on_record: Whether the subjects' table has a line of it.
    """

    subject: str
    baseline: date | None = None
    baseline_modalities: tuple[str, ...] = ()
    follow_ups: int = 0
    treatment_start: date | None = None
    cycles_documented: bool = False
    consent: Consent | None = None
    consent_date: date | None = None
    birth_date: date | None = None
    age_years: float | None = None
    exclusion: str = ""
    on_record: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion of one subject.

    Args:
        name: Short and stable, e.g. ``baseline-window``.
        verdict: Whether it is met.
        reason: What was expected and what was found, never a date; of an exclusion the site's own words.
    """

    name: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """One subject's criteria.

    Args:
        subject: Subject code.
        criteria: In the order of the protocol.
    """

    subject: str
    criteria: tuple[Criterion, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """Met when every one asked is met; not met when one is not; else unknown."""
        found = {each.verdict for each in self.criteria}
        if Verdict.NOT_MET in found:
            return Verdict.NOT_MET
        return Verdict.UNKNOWN if Verdict.UNKNOWN in found else Verdict.MET

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the subject is not eligible, or not known to be."""
        return tuple(
            f"{each.name}: {each.reason}"
            for each in self.criteria
            if each.verdict in (Verdict.NOT_MET, Verdict.UNKNOWN)
        )


def check_eligibility(
    candidates: Iterable[Candidate], rules: EligibilityRules, *, window_days: int
) -> list[Eligibility]:
    """Check every subject against every criterion; one that is not asked is there as such.

    Args:
        candidates: The subjects.
        rules: The protocol's criteria.
        window_days: How many days before treatment baseline images may be at most (``baseline_window_days``).
    """
    return [
        Eligibility(
            subject=each.subject,
            criteria=(
                _baseline_window(each, window_days),
                _modalities(each, rules.baseline_modalities),
                _follow_up(each, rules.min_follow_ups),
                _procedure(each, rules.require_treatment_records),
                _consent(each, rules.require_consent),
                _age(each, rules.min_age_years),
                _treated_within(each, rules.treated_from, rules.treated_until),
                _exclusion(each),
            ),
        )
        for each in candidates
    ]


def _criterion(name: str, met: bool, reason: str) -> Criterion:
    return Criterion(name=name, verdict=Verdict.MET if met else Verdict.NOT_MET, reason=reason)


def _unknown(name: str, reason: str) -> Criterion:
    return Criterion(name=name, verdict=Verdict.UNKNOWN, reason=reason)


def _not_asked(name: str) -> Criterion:
    return Criterion(name=name, verdict=Verdict.NOT_ASKED, reason="the protocol does not ask")


def _baseline_window(each: Candidate, window_days: int) -> Criterion:
    name = "baseline-window"
    if each.baseline is None:
        return _criterion(name, False, "expected baseline images, found none")
    if each.treatment_start is None:
        return _unknown(name, "the day of first treatment is not on record")
    before = (each.treatment_start - each.baseline).days
    return _criterion(
        name,
        0 <= before <= window_days,
        f"baseline images {before} days before first treatment, expected 0 to {window_days}",
    )


def _modalities(each: Candidate, wanted: Sequence[str]) -> Criterion:
    name = "evaluable-images"
    if not wanted:
        return _not_asked(name)
    found = ", ".join(each.baseline_modalities) or "none"
    met = any(one in each.baseline_modalities for one in wanted)
    return _criterion(name, met, f"expected {' or '.join(wanted)} at baseline, found {found}")


def _follow_up(each: Candidate, least: int) -> Criterion:
    name = "follow-up-images"
    if not least:
        return _not_asked(name)
    return _criterion(name, each.follow_ups >= least, f"expected {least} or more visits, found {each.follow_ups}")


def _procedure(each: Candidate, asked: bool) -> Criterion:
    name = "treatment-records"
    if not asked:
        return _not_asked(name)
    words = "on record" if each.cycles_documented else "not complete"
    return _criterion(name, each.cycles_documented, f"date and lesion of every treatment: {words}")


def _consent(each: Candidate, asked: bool) -> Criterion:
    name = CONSENT
    if not asked:
        return _not_asked(name)
    if each.consent is None:
        return _unknown(name, "neither consent nor opt-out status is on record")
    return _criterion(name, each.consent in (Consent.CONSENTED, Consent.OPT_OUT), f"status is {each.consent}")


def _age(each: Candidate, least: int | None) -> Criterion:
    name = "age"
    if least is None:
        return _not_asked(name)
    if each.birth_date is not None:
        days = [day for day in (each.consent_date, each.treatment_start) if day is not None]
        if not days:
            return _unknown(name, "neither the day of consent nor of first treatment is on record")
        of_age = max(_years(each.birth_date, day) for day in days)
        return _criterion(name, of_age >= least, f"{_old_enough(of_age, least)} at consent or first treatment")
    if each.age_years is None:
        return _unknown(name, "neither age nor day of birth is on record")
    return _criterion(name, each.age_years >= least, f"{_old_enough(each.age_years, least)} on record")


def _old_enough(years: float, least: int) -> str:
    """Say on which side of the limit; an exact age is nobody's business here."""
    return f"{least} years or older" if years >= least else f"younger than {least} years"


def _years(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def _treated_within(each: Candidate, first: date | None, last: date | None) -> Criterion:
    name = "treated-within"
    if first is None and last is None:
        return _not_asked(name)
    if each.treatment_start is None:
        return _unknown(name, "the day of first treatment is not on record")
    early = first is not None and each.treatment_start < first
    late = last is not None and each.treatment_start > last
    words = "before" if early else "after" if late else "within"
    return _criterion(name, not (early or late), f"first treatment {words} the study's period")


def _exclusion(each: Candidate) -> Criterion:
    name = EXCLUSION
    if not each.on_record:
        return _unknown(name, "no line in the table of subjects")
    none = each.exclusion.strip().lower() in NO_EXCLUSION
    return _criterion(name, none, "none on record" if none else each.exclusion)
