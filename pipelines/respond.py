"""Respond: the newest signed reads become RECIST responses, each with the rule that fired. Cases: SUBJECT."""

from npcpit_imaging.app.responses import respond_to_reads
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case, SkipCaseError
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.reads import newest_reads


def cases(study: Study) -> list[Case]:
    """A case per subject."""
    with study.database.session() as session:
        return [
            Case(
                name=code,
                inputs=tuple(f"{read.timepoint} {read.reader} {read.version}" for read in newest_reads(session, code)),
            )
            for code in subjects(session)
        ]


def run(study: Study, case: Case) -> str:
    """Compute one subject's responses."""
    if not case.inputs:
        raise SkipCaseError("no signed read")
    return respond_to_reads(study, case.name)
