"""Respond: the newest signed reads become RECIST responses, each with the rule that fired. Cases: SUBJECT."""

from npcpit_imaging.app.responses import adjudication_input, respond_to_reads, table_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case, SkipCaseError
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.reads import newest_reads


def cases(study: Study) -> list[Case]:
    """A case per subject."""
    tables = table_inputs(study)
    with study.database.session() as session:
        reads = {code: newest_reads(session, code) for code in subjects(session)}
        decided = {code: adjudication_input(session, code) for code in reads}
    return [
        Case(
            name=code,
            inputs=(*(f"{each.timepoint} {each.reader} {each.version}" for each in found), *decided[code], *tables),
        )
        for code, found in reads.items()
    ]


def run(study: Study, case: Case) -> str:
    """Compute one subject's responses."""
    with study.database.session() as session:
        if not newest_reads(session, case.name):
            raise SkipCaseError("no signed read")
    return respond_to_reads(study, case.name)
