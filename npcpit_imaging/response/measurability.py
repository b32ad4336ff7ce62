"""Which lesions can be measured, and which may be targets (Eisenhauer 2009, 3.1 and 3.2; recist.md 1.1)."""

from dataclasses import dataclass

from npcpit_imaging.config.protocol import PriorRtPolicy, Protocol
from npcpit_imaging.study.assessment import Assessment, Tenths, mm_text
from npcpit_imaging.study.lesion import LesionState

THICK_SLICE: Tenths = 50
"""Above 5 mm (in tenths) the smallest measurable lesion is twice the slice thickness."""

NEVER_MEASURES = ("ULTRASOUND", "ENDOSCOPY", "LAPAROSCOPY", "BONE SCAN", "SCINTIGRAPHY")
"""Methods that show lesions and do not measure them; matched within the method's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurability:
    """Whether a lesion can be measured.

    Args:
        measurable: The answer.
        reason: Why, with the numbers.
    """

    measurable: bool
    reason: str


def measurability(record: Assessment, protocol: Protocol) -> Measurability:
    """Say whether a lesion is measurable, from its size, its slice thickness and its method.

    Args:
        record: The lesion at baseline.
        protocol: The study's smallest sizes.
    """
    if record.state is not LesionState.MEASURED or record.size is None:
        return Measurability(measurable=False, reason=f"no diameter: {record.state}")
    method = record.method.upper()
    if any(word in method for word in NEVER_MEASURES):
        return Measurability(measurable=False, reason=f"{record.method} does not measure")
    smallest, why = smallest_measurable(record, protocol)
    axis = "short axis" if record.nodal else "longest diameter"
    enough = record.size >= smallest
    compared = f"{axis} {mm_text(record.size)} mm {'>=' if enough else '<'} {mm_text(smallest)} mm ({why})"
    return Measurability(measurable=enough, reason=compared)


def smallest_measurable(record: Assessment, protocol: Protocol) -> tuple[Tenths, str]:
    """Give the smallest measurable size in tenths of mm for this lesion and method, and the rule it comes from."""
    method = record.method.upper().replace("-", " ")
    if "X RAY" in method:
        return protocol.min_xray_diameter_mm * 10, "chest X-ray"
    least = (protocol.min_short_axis_mm if record.nodal else protocol.min_longest_diameter_mm) * 10
    thick = record.slice_thickness
    counts = protocol.slice_mult_nodes or not record.nodal
    if thick is not None and thick > THICK_SLICE and counts and 2 * thick > least:
        return 2 * thick, f"twice the slice thickness of {mm_text(thick)} mm"
    return least, "node" if record.nodal else "lesion"


def may_be_target(record: Assessment, protocol: Protocol) -> Measurability:
    """Say whether a lesion may be a target: measurable and, where irradiated before, with the evidence asked for.

    Args:
        record: The lesion at baseline.
        protocol: ``prior_rt_policy`` says which evidence.
    """
    size = measurability(record, protocol)
    if not size.measurable or not record.prior_rt or protocol.prior_rt_policy is PriorRtPolicy.ALLOW:
        return size
    if record.prior_rt_progression:
        return Measurability(measurable=True, reason=f"{size.reason}; progression since radiotherapy documented")
    if protocol.prior_rt_policy is PriorRtPolicy.ALLOW_IF_BIOPSY_PROVEN and record.biopsy_proven:
        return Measurability(measurable=True, reason=f"{size.reason}; biopsy-proven since radiotherapy")
    return Measurability(measurable=False, reason="previously irradiated, and progression since then is not documented")
