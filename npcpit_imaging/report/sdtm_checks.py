"""The checks run on every export: structure, terminology, links, states, sums (recist.md 3)."""

from npcpit_imaging.report import sdtm_checks_content as content
from npcpit_imaging.report import sdtm_checks_structure as structure
from npcpit_imaging.report.sdtm import Tabulation
from npcpit_imaging.report.sdtm_checking import CheckResult, SdtmCheck
from npcpit_imaging.study.finding import Severity

_ROWS = (
    ("NP-01", "error", "names have at most 8 and labels at most 40 characters", structure.names),
    ("NP-02", "error", "a dataset holds only the variables of its domain", structure.unknown_variables),
    ("NP-03", "error", "TRLOC, TRLAT, TRDIR and TRPORTOT are not in TR", structure.location_in_tr),
    ("NP-04", "error", "required variables have a value", structure.required),
    ("NP-05", "error", "text has at most 200 bytes", structure.text_length),
    ("NP-06", "warning", "text is ASCII", structure.not_ascii),
    ("NP-07", "error", "--TESTCD and --TEST belong together and fit", structure.test_names),
    ("NP-08", "error", "keys are unique", structure.keys),
    ("NP-09", "error", "--SEQ is unique within a subject", structure.sequence),
    ("NP-10", "error", "DOMAIN is the dataset's, STUDYID is one", structure.constants),
    ("NP-11", "error", "terms of closed codelists are CDISC's", structure.closed_terms),
    ("NP-12", "warning", "terms of extensible codelists are CDISC's or declared", structure.open_terms),
    ("NP-13", "error", "a result is a result of its test", structure.result_terms),
    ("NP-14", "error", "--DTC is a whole ISO 8601 date", structure.dates),
    ("NP-15", "error", "--DY counts from the first treatment, without a day 0", structure.days),
    ("NP-16", "error", "VISIT and VISITNUM are one to one", structure.visits),
    ("NP-17", "warning", "visit numbers follow the dates", structure.visit_order),
    ("NP-18", "error", "every TRLNKID is in TU", content.results_without_tumor),
    ("NP-19", "error", "every identified lesion has a result in TR", content.tumors_without_result),
    ("NP-20", "error", "every RSLNKID is in TU", content.responses_without_tumor),
    ("NP-21", "error", "every RSLNKGRP is in TR", content.responses_without_results),
    ("NP-22", "error", "a row of a lesion has a --LNKID", content.lesion_without_link),
    ("NP-23", "error", "what was not done has no result (CORE-000099)", content.done_and_not_done),
    ("NP-24", "error", "a row has a result or is not done", content.neither_done_nor_not),
    ("NP-25", "error", "what was not done, and only that, has a reason", content.reason_not_done),
    ("NP-26", "error", "a number has a unit and is what its text says", content.units),
    ("NP-27", "error", "the original number is the standard one where units agree", content.original_number),
    ("NP-28", "error", "a size is not negative", content.plausible_sizes),
    ("NP-29", "error", "what is too small to measure has the protocol's value", content.too_small),
    ("NP-30", "error", "a lesion and test has one baseline flag", content.one_baseline),
    ("NP-31", "error", "a baseline flag is not after the first treatment", content.baseline_before_treatment),
    ("NP-32", "warning", "a target lesion has a baseline", content.target_without_baseline),
    ("NP-33", "error", "a lesion has one location", content.same_place),
    ("NP-34", "warning", "a lesion has a location", content.no_place),
    ("NP-35", "error", "a lesion keeps its role from TU to TR", content.same_role),
    ("NP-36", "error", "a finding has an evaluator", content.evaluators),
    ("NP-37", "error", "the sum is the sum of its parts", content.sums),
    (
        "NP-38",
        "error",
        "overall PD where target, non-target or new lesions are, or after CR",
        content.overall_response,
    ),
    ("NP-39", "error", "a supplemental qualifier has its row", content.supplemental_parents),
    ("NP-40", "error", "a relation's variables are there", content.relations),
)

CHECKS = tuple(
    SdtmCheck(id=name, severity=Severity(severity), text=text, find=find) for name, severity, text, find in _ROWS
)
"""Every check, in the order of its id."""


def run_checks(tabulation: Tabulation) -> tuple[CheckResult, ...]:
    """Run every check on an export; a clean one has no hits."""
    return tuple(check.run(tabulation) for check in CHECKS)
