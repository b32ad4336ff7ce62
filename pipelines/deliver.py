"""Deliver: per subject a PDF report, DICOM SEG and SR; for the study the tables. Cases: SUBJECT, then tables."""

from npcpit_imaging.app.delivery import deliver_subject, deliver_tables, missing_tables, results_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case, SkipCaseError
from npcpit_imaging.store.images import subjects

TABLES = "tables"


def cases(study: Study) -> list[Case]:
    """A case per subject, then the tables over all of them."""
    with study.database.session() as session:
        codes = subjects(session)
    each = [Case(name=f"subject/{code}", inputs=results_inputs(study, code)) for code in codes]
    inputs = [digest for case in each for digest in case.inputs]
    return [*each, Case(name=TABLES, inputs=(*inputs, *missing_tables(study)), after=tuple(case.name for case in each))]


def run(study: Study, case: Case) -> str:
    """Write one subject's files, or the study's tables."""
    if not case.inputs:
        raise SkipCaseError("no response yet")
    if case.name == TABLES:
        return deliver_tables(study)
    return deliver_subject(study, case.name.removeprefix("subject/"))
