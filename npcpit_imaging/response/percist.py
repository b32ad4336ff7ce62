"""PERCIST 1.0 metabolic response, the essentials (Wahl 2009; recist.md 1.14); exploratory in this study."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.response import MetabolicResponse, RuleFired

CLAUSE = "Wahl 2009, PERCIST 1.0"

LIVER_FACTOR, LIVER_SDS = Decimal("1.5"), 2
"""Measurable: SULpeak of at least 1.5 x mean liver SUL + 2 SD."""
BLOOD_FACTOR = Decimal("2.0")
"""Where the liver is diseased: 2.0 x mean blood-pool SUL + 2 SD."""
CHANGE_FRACTION, CHANGE_SUL = Decimal("0.3"), Decimal("0.8")
"""PMR and PMD: at least 30 % and at least 0.8 SUL units."""
TLG_INCREASE = Decimal("0.75")
"""PMD by volume: total lesion glycolysis +75 %."""
UPTAKE_MINUTES, UPTAKE_DIFFERENCE = (50, 70), 15
"""Scan 50 to 70 minutes after injection, and within 15 minutes of baseline."""
LIVER_DIFFERENCE, LIVER_FRACTION, DOSE_FRACTION = Decimal("0.3"), Decimal("0.2"), Decimal("0.2")
"""Comparable scans: mean liver SUL within 0.3 and 20 %, injected activity within 20 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetabolicScan:
    """What PERCIST needs of one PET; quantities are exact decimals.

    Args:
        sul_peak: SULpeak of the hottest lesion, which need not be the same one each time.
        reference_mean: Mean SUL of the reference region.
        reference_sd: Its standard deviation.
        blood_pool_mean: Mean SUL of the blood pool.
        diseased_liver: True when the reference is the blood pool because the liver is diseased.
        tlg_g: Total lesion glycolysis in grams; None when not measured.
        new_lesion: True for an unequivocal new FDG-avid lesion.
        uptake_min: Minutes from injection to scan; None when not known.
        activity_mbq: Injected activity in MBq; None when not known.
        scanner: Scanner and reconstruction; empty when not known.
    """

    sul_peak: Decimal
    reference_mean: Decimal
    reference_sd: Decimal
    blood_pool_mean: Decimal
    diseased_liver: bool = False
    tlg_g: Decimal | None = None
    new_lesion: bool = False
    uptake_min: int | None = None
    activity_mbq: Decimal | None = None
    scanner: str = ""

    @property
    def smallest_measurable(self) -> Decimal:
        """SULpeak from which a lesion is measurable."""
        factor = BLOOD_FACTOR if self.diseased_liver else LIVER_FACTOR
        return factor * self.reference_mean + LIVER_SDS * self.reference_sd


@dataclass(frozen=True, slots=True, kw_only=True)
class MetabolicResult:
    """The metabolic response.

    Args:
        response: CMR, PMR, SMD, PMD or NE.
        rule: Why.
        findings: What makes the two scans hard to compare.
    """

    response: MetabolicResponse
    rule: RuleFired
    findings: tuple[Finding, ...]


def metabolic_response(baseline: MetabolicScan, now: MetabolicScan) -> MetabolicResult:
    """Compare a PET with the baseline's.

    Args:
        baseline: The scan before treatment; its hottest lesion must be measurable.
        now: The scan to classify.

    Example:
        >>> scan = lambda peak: MetabolicScan(sul_peak=Decimal(peak), reference_mean=Decimal("1.6"),
        ...     reference_sd=Decimal("0.2"), blood_pool_mean=Decimal("1.2"))
        >>> metabolic_response(scan("8.0"), scan("5.6")).rule.text
        'PMR: SULpeak 5.6 vs 8.0, -30.0 %, -2.4'
    """
    findings = tuple(_comparability(baseline, now))
    response, rule, text = _classify(baseline, now)
    fired = RuleFired(
        rule=rule,
        clause=CLAUSE,
        text=f"{response}: {text}",
        numbers=(("sul_peak", str(now.sul_peak)), ("baseline_sul_peak", str(baseline.sul_peak))),
    )
    return MetabolicResult(response=response, rule=fired, findings=findings)


def _classify(baseline: MetabolicScan, now: MetabolicScan) -> tuple[MetabolicResponse, str, str]:
    if now.new_lesion:
        return MetabolicResponse.PMD, "pmd-new", "new FDG-avid lesion"
    if baseline.sul_peak < baseline.smallest_measurable:
        text = f"baseline SULpeak {baseline.sul_peak} is below the measurable {baseline.smallest_measurable}"
        return MetabolicResponse.NE, "percist-not-measurable", text
    change = now.sul_peak - baseline.sul_peak
    text = f"SULpeak {now.sul_peak} vs {baseline.sul_peak}, {100 * change / baseline.sul_peak:+.1f} %, {change:+}"
    large = abs(change) >= CHANGE_SUL and abs(change) >= CHANGE_FRACTION * baseline.sul_peak
    if large and change > 0:
        return MetabolicResponse.PMD, "pmd-sul", text
    if _tlg_grew(baseline, now):
        return MetabolicResponse.PMD, "pmd-tlg", f"TLG {now.tlg_g} g vs {baseline.tlg_g} g"
    if now.sul_peak < now.reference_mean and now.sul_peak <= now.blood_pool_mean:
        return MetabolicResponse.CMR, "cmr", f"{text}; not above the blood pool, {now.blood_pool_mean}"
    return (MetabolicResponse.PMR, "pmr", text) if large else (MetabolicResponse.SMD, "smd", text)


def _tlg_grew(baseline: MetabolicScan, now: MetabolicScan) -> bool:
    if not baseline.tlg_g or now.tlg_g is None:
        return False
    return now.tlg_g >= baseline.tlg_g * (1 + TLG_INCREASE)


def _comparability(baseline: MetabolicScan, now: MetabolicScan) -> Iterator[Finding]:
    early, late = UPTAKE_MINUTES
    for name, scan in (("baseline", baseline), ("follow-up", now)):
        if scan.uptake_min is not None and not early <= scan.uptake_min <= late:
            yield _finding(
                "uptake-time", f"{name} scanned {scan.uptake_min} min after injection, expected {early}-{late}"
            )
    if baseline.uptake_min is not None and now.uptake_min is not None:
        minutes = abs(now.uptake_min - baseline.uptake_min)
        if minutes > UPTAKE_DIFFERENCE:
            yield _finding("uptake-difference", f"uptake times differ by {minutes} min, expected {UPTAKE_DIFFERENCE}")
    liver = abs(now.reference_mean - baseline.reference_mean)
    if liver > LIVER_DIFFERENCE or liver > LIVER_FRACTION * baseline.reference_mean:
        yield _finding("reference-changed", f"mean reference SUL {baseline.reference_mean} and {now.reference_mean}")
    if baseline.activity_mbq is not None and now.activity_mbq is not None:
        difference = abs(now.activity_mbq - baseline.activity_mbq)
        if difference > DOSE_FRACTION * baseline.activity_mbq:
            yield _finding("activity-changed", f"injected {baseline.activity_mbq} and {now.activity_mbq} MBq")
    if baseline.scanner != now.scanner:
        yield _finding("scanner-changed", f"expected scanner '{baseline.scanner}', found '{now.scanner}'")


def _finding(code: str, text: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, text=text)
