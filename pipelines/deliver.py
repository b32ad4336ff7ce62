"""Deliver: per subject a PDF, SEG and SR; the study's tables; its results. Cases: SUBJECT, tables, results."""

from npcpit_imaging.app.delivery import deliver_subject, deliver_tables, missing_tables, results_inputs_of_each
from npcpit_imaging.app.results import deliver_results, missing_results, results_digest
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case, SkipCaseError
from npcpit_imaging.store.images import subjects

TABLES = "tables"
RESULTS = "results"


def cases(study: Study) -> list[Case]:
    """A case per subject, then the tables over all of them, then the study's results."""
    with study.database.session() as session:
        codes = subjects(session)
    each = [Case(name=f"subject/{code}", inputs=own) for code, own in results_inputs_of_each(study, codes).items()]
    inputs = [digest for case in each for digest in case.inputs]
    tables = Case(name=TABLES, inputs=(*inputs, *missing_tables(study)), after=tuple(case.name for case in each))
    digest = results_digest(study)
    results = Case(name=RESULTS, inputs=(digest, *missing_results(study)) if digest else ())
    return [*each, tables, results]


def run(study: Study, case: Case) -> str:
    """Write one subject's files, the study's tables, or its results."""
    if not case.inputs:
        raise SkipCaseError("no response yet")
    if case.name == TABLES:
        return deliver_tables(study)
    if case.name == RESULTS:
        return deliver_results(study)
    return deliver_subject(study, case.name.removeprefix("subject/"))
