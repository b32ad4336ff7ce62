"""Edit checks before a read can be signed (recist.md 1.1, 1.2, 1.10, 5; after the lists of grstat and OHIF)."""

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.chart import Chart
from npcpit_imaging.response.checking import Case, Check, Read
from npcpit_imaging.response.checks_baseline import BASELINE_CHECKS
from npcpit_imaging.response.checks_course import COURSE_CHECKS
from npcpit_imaging.response.checks_follow_up import FOLLOW_UP_CHECKS
from npcpit_imaging.response.result import SubjectResponse
from npcpit_imaging.study.finding import Finding

CHECKS: tuple[Check, ...] = (*BASELINE_CHECKS, *FOLLOW_UP_CHECKS, *COURSE_CHECKS)
"""Every check in the order its findings are listed."""


def edit_checks(chart: Chart, answer: SubjectResponse, case: Case, *, protocol: Protocol) -> tuple[Finding, ...]:
    """Run every check on one reader's records of one subject.

    Args:
        chart: The records.
        answer: What the engine made of them.
        case: The subject's course and treatments.
        protocol: The study's decisions.

    Returns:
        Findings in the order of `CHECKS`; an error means that the read must not be signed as it is.
    """
    read = Read(chart=chart, answer=answer, case=case, protocol=protocol)
    return tuple(
        Finding(code=check.code, severity=check.severity, text=text) for check in CHECKS for text in check.find(read)
    )
