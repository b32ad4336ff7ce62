"""Respond: the newest signed reads become RECIST responses, each with the rule that fired. Cases: SUBJECT."""

from collections.abc import Sequence

from npcpit_imaging.app.responses import respond_to_each, respond_to_reads, table_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case, Outcome, SkipCaseError
from npcpit_imaging.store.adjudications import adjudications_on_record
from npcpit_imaging.store.bulk import newest_versions
from npcpit_imaging.store.images import subjects


def cases(study: Study) -> list[Case]:
    """A case per subject."""
    tables = table_inputs(study)
    with study.database.session() as session:
        reads: dict[str, list[str]] = {code: [] for code in subjects(session)}
        for each in newest_versions(session):
            reads[each.subject].append(f"{each.timepoint} {each.reader} {each.version}")
        for code, decision in adjudications_on_record(session).items():
            reads[code].append(decision.words)
    return [Case(name=code, inputs=(*found, *tables)) for code, found in reads.items()]


def run(study: Study, case: Case) -> str:
    """Compute one subject's responses."""
    with study.database.session() as session:
        if not newest_versions(session, (case.name,)):
            raise SkipCaseError("no signed read")
    return respond_to_reads(study, case.name)


def run_many(study: Study, group: Sequence[Case]) -> Sequence[Outcome]:
    """Compute the responses of several subjects, stored together; what comes of each is what `run` would say."""
    return respond_to_each(study, group)
